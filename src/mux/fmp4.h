/* SPDX-License-Identifier: BSD-2-Clause */
/* State of the fMP4 muxer, shared by its files. See docs/fmp4.md. */
#ifndef SL_MUX_FMP4_H
#define SL_MUX_FMP4_H

#include "mux/mp4_track.h"

#define SL_FMP4_NAME        "fmp4"
#define SL_FMP4_SAMPLES_MAX (1u << 20) /* of one track in one fragment */
#define SL_FMP4_INIT_MAX    (4u << 20) /* bytes of ftyp and moov */
#define SL_FMP4_MOOF_MAX    (512u << 20)
#define SL_FMP4_BRANDS_MAX  64 /* bytes of further brands */

/* ISO/IEC 14496-12 8.8.3.1: sample_depends_on and sample_is_non_sync_sample. */
#define SL_FMP4_SYNC     0x02000000u
#define SL_FMP4_NON_SYNC 0x01010000u

struct sl_fmp4_sample {
    uint32_t duration, size, flags;
    uint32_t offset; /* composition */
};

struct sl_fmp4_track {
    struct sl_mp4_track t;

    /* the fragment in the making */
    int64_t base; /* dts of its first sample, ticks of the timebase */
    struct sl_fmp4_sample *samples;
    size_t count, capacity;
    struct sl_chain data;
    size_t patch; /* where in the moof its trun's data_offset stands */
};

struct sl_fmp4 {
    struct sl_muxer base;
    struct sl_fmp4_track *tracks;
    size_t count;
    uint32_t flags; /* of struct sl_mux_params */
    char brands[SL_FMP4_BRANDS_MAX];
    size_t brands_size;
    uint32_t sequence; /* of the last fragment */
    struct sl_units units;
    struct sl_writer out; /* kept from one fragment to the next */
};

/* ftyp and moov. */
void sl_fmp4_init_write(const struct sl_fmp4 *m, struct sl_writer *w);
/* styp, sidx, moof, mdat. */
SL_NODISCARD enum sl_status sl_fmp4_fragment(struct sl_fmp4 *m, struct sl_chain *out,
                                             struct sl_error *err);

#endif
