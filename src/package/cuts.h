/* SPDX-License-Identifier: BSD-2-Clause */
/* The cut table: where segments begin. Made from times of key frames that somebody else found (an
 * index, or a scan) and that may be anything; what comes out rises strictly and lies within the
 * presentation. Playlist and bytes both follow it, so that they cannot disagree. See docs/vod.md.
 */
#ifndef SL_PACKAGE_CUTS_H
#define SL_PACKAGE_CUTS_H

#include <stdbool.h>

#include <sluice/media.h>

#define SL_CUTS_MAX (1u << 22) /* as SL_SEGMENTS_MAX of playlists */

/* Segment n is [at[n], at[n + 1]), the last one ends at end. count is at least 1 once made. */
struct sl_cuts {
    struct sl_rational timebase;
    int64_t *at; /* owned */
    size_t count, capacity;
    int64_t end; /* after the last cut; SL_NO_TIME: not known */
};

struct sl_cuts_params {
    struct sl_rational timebase; /* of all times here */
    struct sl_rational target;   /* seconds: a cut is at the first key frame at or after them */
    int64_t start;               /* the first cut, whatever the keys say; need not be 0 */
    int64_t end;                 /* keys at or after it are no cuts; SL_NO_TIME: not known */
};

/* From times in any order, with duplicates, before start or after the end. SL_EINVAL: timebase or
 * target is no positive fraction, or the end is not after the start. */
SL_NODISCARD enum sl_status sl_cuts_make(struct sl_cuts *out, const struct sl_cuts_params *params,
                                         const int64_t *keys, size_t count, struct sl_error *err);
/* The same cuts, and where two are more than twice the target apart, more between them: each at
 * from's cut + a multiple of the target, none less than half a target before the next cut. The end
 * must be known. step: ticks of a picture, 0: any; cuts between are on multiples of it from the cut
 * before. */
SL_NODISCARD enum sl_status sl_cuts_split(struct sl_cuts *out, const struct sl_cuts *from,
                                          struct sl_rational target, int64_t step,
                                          struct sl_error *err);

/* A grid that frames of another track are on: origin + n * step ticks of timebase. */
struct sl_cuts_grid {
    struct sl_rational timebase;
    int64_t origin, step;
    int64_t start, end; /* of that track: the first cut, and where it ends */
    int64_t shortest;   /* a last segment shorter than this goes to the one before */
};
/* The cuts of another track: each at the first point of its grid at or after a cut of from. A track
 * that goes on after from's end is cut every target from there on. Segments that would be empty are
 * left out. SL_EINVAL as above, or step < 1. */
SL_NODISCARD enum sl_status sl_cuts_on_grid(struct sl_cuts *out, const struct sl_cuts *from,
                                            const struct sl_cuts_grid *grid,
                                            struct sl_rational target, struct sl_error *err);
/* As many cuts as there are multiples of the target: where there are no pictures. */
SL_NODISCARD enum sl_status sl_cuts_even(struct sl_cuts *out, const struct sl_cuts_grid *grid,
                                         struct sl_rational target, struct sl_error *err);

/* End of segment n; SL_NO_TIME: not known. n < count. */
int64_t sl_cuts_end(const struct sl_cuts *c, size_t n);
/* The segment that holds time; the first or last one where it is outside. */
size_t sl_cuts_find(const struct sl_cuts *c, int64_t time);
/* Seconds: no segment's EXTINF, rounded as a playlist rounds it, is more (RFC 8216bis 4.4.3.1); at
 * least 1. The end must be known. */
int64_t sl_cuts_target(const struct sl_cuts *c);
void sl_cuts_clear(struct sl_cuts *c);

#endif
