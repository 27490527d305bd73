/* SPDX-License-Identifier: BSD-2-Clause */
/* One track of an ISO/IEC 14496-12 file, whether its samples are described by fragments (fmp4.h)
 * or by tables (mp4.h): its configuration, its clock, and packets becoming samples. */
#ifndef SL_MUX_MP4_TRACK_H
#define SL_MUX_MP4_TRACK_H

#include "media/stage.h"
#include "mux/box.h"
#include "mux/framing.h"
#include "mux/timeline.h"

struct sl_mp4_track {
    struct sl_track info;
    const char *name;   /* of the muxer, for messages */
    uint32_t timescale; /* of mdhd: 1 / timescale = timebase / factor */
    int64_t factor;     /* media ticks in one tick of the timebase */
    int64_t start;      /* of struct sl_mux_track */
    bool in_band, can_switch;
    bool nal;              /* H.264, HEVC */
    bool strip_delimiters; /* AV1 from a stream format: temporal delimiters in front */
    bool looked;           /* the first sample has told whether that is so */
    struct sl_framing framing;
    struct sl_timeline line;
};

/* A sample as boxes describe it. */
struct sl_mp4_sample {
    uint32_t duration, size, offset; /* media ticks, bytes, composition */
    bool sync;
};

/* place may be NULL. Half-opened tracks are cleared all the same. */
SL_NODISCARD enum sl_status sl_mp4_track_open(struct sl_mp4_track *t, const struct sl_track *from,
                                              size_t index, const struct sl_mux_params *params,
                                              const char *name, struct sl_error *err);
void sl_mp4_track_clear(struct sl_mp4_track *t);
/* Checks the packet and appends its sample to data; on SL_OK the payload may have been moved out
 * of the packet, whose owner drops it, and the clock has advanced. On any other status neither the
 * track nor the packet has changed. SL_EAGAIN: another configuration. units: scratch. */
SL_NODISCARD enum sl_status sl_mp4_track_write(struct sl_mp4_track *t, struct sl_packet *p,
                                               struct sl_units *units, struct sl_chain *data,
                                               struct sl_mp4_sample *sample, struct sl_error *err);
/* See struct sl_muxer_ops, reconfigure. */
SL_NODISCARD enum sl_status
sl_mp4_track_reconfigure(struct sl_mp4_track *t, const struct sl_packet *p, struct sl_error *err);

/* ---- sample entries, mp4_entry.c --------------------------------------------------------- */

/* SL_EUNSUPPORTED naming a codec that has no sample entry here, SL_EINVAL naming what the track
 * lacks for its own, SL_EDATA where its config is damaged. */
SL_NODISCARD enum sl_status sl_mp4_entry_check(const struct sl_track *track, const char *name,
                                               size_t index, struct sl_error *err);
void sl_mp4_entry_write(const struct sl_track *track, bool in_band, struct sl_writer *w);
/* Samples to decode before sound is right, as a roll distance (14496-12 10.1.1.3): 0: none. */
int sl_mp4_roll(const struct sl_track *track);

/* ---- the boxes inside of them, mp4_boxes.c ----------------------------------------------- */

void sl_mp4_write_esds(const struct sl_track *track, struct sl_writer *w);
void sl_mp4_write_dops(const struct sl_track *track, struct sl_writer *w);
void sl_mp4_write_dfla(const struct sl_track *track, struct sl_writer *w);
void sl_mp4_write_vttc(const struct sl_track *track, struct sl_writer *w);
void sl_mp4_write_pasp(const struct sl_track *track, struct sl_writer *w);
void sl_mp4_write_colr(const struct sl_colour *colour, struct sl_writer *w);
void sl_mp4_write_hdr(const struct sl_hdr *hdr, struct sl_writer *w); /* mdcv, clli */
void sl_mp4_write_chnl(const struct sl_track *track, struct sl_writer *w);
void sl_mp4_write_btrt(const struct sl_track *track, struct sl_writer *w);

/* ---- moov, mp4_moov.c -------------------------------------------------------------------- */

/* Durations are all 0 where the samples are in fragments. */
struct sl_mp4_times {
    uint64_t media; /* of mdhd, media ticks */
    uint64_t shown; /* of tkhd and the edit, movie ticks */
    uint64_t empty; /* movie ticks in front in which nothing is shown */
    bool cut;       /* less is shown than there is */
};

void sl_mp4_write_mvhd(size_t tracks, uint32_t timescale, uint64_t duration, struct sl_writer *w);
/* A trak; tables writes what is in stbl behind stsd. */
void sl_mp4_write_trak(const struct sl_mp4_track *t, uint32_t id, const struct sl_mp4_times *times,
                       void (*tables)(const void *opaque, struct sl_writer *w), const void *opaque,
                       struct sl_writer *w);
/* sgpd of roll (14496-12 8.9.3), where the track has one. */
void sl_mp4_write_roll(const struct sl_mp4_track *t, struct sl_writer *w);
/* sbgp: all samples belong to it. */
void sl_mp4_write_roll_all(const struct sl_mp4_track *t, uint32_t samples, struct sl_writer *w);

#endif
