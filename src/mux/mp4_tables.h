/* SPDX-License-Identifier: BSD-2-Clause */
/* The sample tables of a classic MP4 track, kept packed while they grow: numbers of seven bits a
 * byte, durations and composition offsets as runs. Sound costs two bytes a sample, pictures about
 * six, the worst that the formats allow 17; at most SL_MP4_SAMPLES_MAX samples. */
#ifndef SL_MUX_MP4_TABLES_H
#define SL_MUX_MP4_TABLES_H

#include "mux/mp4_track.h"

#define SL_MP4_SAMPLES_MAX (1u << 26) /* of one track */

/* Equal values in a row. */
struct sl_mp4_runs {
    struct sl_writer out; /* pairs of count and value */
    uint32_t value, count;
    uint32_t entries; /* the last one included */
};

struct sl_mp4_tables {
    struct sl_mp4_runs durations, offsets;
    struct sl_writer sizes;  /* of samples */
    struct sl_writer keys;   /* sync samples, each as its distance from the one before */
    struct sl_writer chunks; /* pairs of distance from the last chunk and number of samples */
    uint32_t samples, key_count, chunk_count;
    uint32_t last_key;
    uint32_t first_size; /* of sample 1 */
    bool sizes_differ, has_offsets;
    int64_t last_chunk; /* its offset */
    uint64_t duration;  /* of all samples, media ticks */
    uint32_t in_chunk;  /* samples since the last chunk */
};

void sl_mp4_tables_init(struct sl_mp4_tables *t);
void sl_mp4_tables_clear(struct sl_mp4_tables *t);
/* SL_ENOMEM: a table is full, or memory is. Nothing of use can come of the tables then. */
SL_NODISCARD enum sl_status sl_mp4_tables_add(struct sl_mp4_tables *t,
                                              const struct sl_mp4_sample *sample,
                                              struct sl_error *err);
/* The samples since the last chunk are one, at this offset of the payload. */
SL_NODISCARD enum sl_status sl_mp4_tables_chunk(struct sl_mp4_tables *t, int64_t offset,
                                                struct sl_error *err);
/* stts, ctts, stss, stsz, stsc, and stco or co64 (wide); base is added to each chunk's offset. */
void sl_mp4_tables_write(const struct sl_mp4_tables *t, int64_t base, bool wide, bool video,
                         struct sl_writer *w);

#endif
