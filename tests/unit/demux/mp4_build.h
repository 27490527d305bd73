/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: MP4 files built box by box, right or wrong as asked. */
#ifndef SL_TEST_MP4_BUILD_H
#define SL_TEST_MP4_BUILD_H

#include "base/bytes.h"

#define BUILD_SAMPLES 6 /* in the picture track; as many of sound */

/* All zero: ftyp, moov, mdat; pictures with B-frames (sync samples 0 and 3) and plain sound,
 * interleaved in chunks of three. */
struct build {
    bool media_first;                /* mdat before moov */
    bool large_sizes;                /* 64-bit sizes and offsets */
    bool open_end;                   /* the last box has size 0: to the end */
    bool odd_boxes;                  /* free, skip, wide and uuid between all others */
    bool compact_sizes;              /* stz2 with 4 bits */
    bool fragments;                  /* all samples in two fragments */
    bool negative;                   /* ctts of version 1 with negative offsets */
    bool old_base;                   /* fragments: without default-base-is-moof */
    bool no_sync;                    /* no stss */
    const char *entry;               /* of the picture's sample entry, NULL: mp4v */
    uint32_t empty, start, duration; /* edit list: movie ticks, media ticks, movie ticks */
    uint32_t second;                 /* where a second edit begins; 0: there is none */
    /* one lie: the count in this box */
    const char *lie;
    uint32_t count;
};

/* Frees nothing of out before; sl_writer_clear it. Payload of sample n of track t (0, 1) is n + 1
 * bytes of value 16 t + n. */
void build_mp4(struct sl_writer *out, const struct build *b);
/* Where the payload of a box of that type begins, for damaging; fails the test where there is none.
 */
size_t build_find(const struct sl_writer *file, const char *type);

#endif
