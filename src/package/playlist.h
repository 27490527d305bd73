/* SPDX-License-Identifier: BSD-2-Clause */
/* HLS playlists as text: RFC 8216bis. Building only, no files. */
#ifndef SL_PACKAGE_PLAYLIST_H
#define SL_PACKAGE_PLAYLIST_H

#include "base/bytes.h"

#include <sluice/media.h>

#define SL_SEGMENTS_MAX (1u << 22) /* of one playlist */

struct sl_segment {
    int64_t duration; /* ticks of the playlist's timebase */
    int64_t bytes;
    uint32_t number;
};

/* One rendition's list of segments. */
struct sl_playlist {
    struct sl_rational timebase;
    int64_t target;        /* seconds: EXT-X-TARGETDURATION, fixed */
    const char *init_uri;  /* EXT-X-MAP; NULL: none */
    const char *extension; /* "m4s", "ts" */
    bool independent;      /* EXT-X-INDEPENDENT-SEGMENTS */
    bool ended;            /* EXT-X-ENDLIST */
    struct sl_segment *segments; /* owned */
    size_t count, capacity;
};

void sl_playlist_init(struct sl_playlist *p);
void sl_playlist_clear(struct sl_playlist *p);
/* Refuses (SL_EINVAL) a segment that rounds to more than the target duration. */
SL_NODISCARD enum sl_status sl_playlist_add(struct sl_playlist *p, int64_t duration, int64_t bytes,
                                            struct sl_error *err);
/* "000/000012.m4s": relative to the playlist; at most 500 segments a directory. */
void sl_playlist_segment_uri(const struct sl_playlist *p, uint32_t number, char out[64]);
/* Type EVENT, EXTINF exact to the microsecond from the running total (no error adds up). */
SL_NODISCARD enum sl_status sl_playlist_render(const struct sl_playlist *p, struct sl_writer *out,
                                               struct sl_error *err);
/* Bits per second, rounded up: the largest rate of any run of segments that lasts 0.5 to 1.5
 * target durations (RFC 8216bis 4.4.6.2, BANDWIDTH), and the overall rate. */
int64_t sl_playlist_peak(const struct sl_playlist *p);
int64_t sl_playlist_average(const struct sl_playlist *p);

struct sl_variant {
    const char *uri;
    const char *name;
    const char *codecs; /* of video and audio together */
    int64_t bandwidth, average_bandwidth;
    int32_t width, height;         /* as displayed with the sample aspect applied */
    struct sl_rational frame_rate; /* 0/1: left out */
    const char *audio_group;       /* NULL: muxed in or none */
};

struct sl_rendition_entry {
    const char *group, *name, *language, *uri;
    int32_t channels;
    bool is_default;
};

/* A multivariant playlist. */
SL_NODISCARD enum sl_status sl_master_render(const struct sl_variant *variants, size_t count,
                                             const struct sl_rendition_entry *audio,
                                             size_t audio_count, struct sl_writer *out,
                                             struct sl_error *err);

#endif
