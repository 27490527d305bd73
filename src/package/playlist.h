/* SPDX-License-Identifier: BSD-2-Clause */
/* HLS playlists as text: RFC 8216bis. Building only, no files. */
#ifndef SL_PACKAGE_PLAYLIST_H
#define SL_PACKAGE_PLAYLIST_H

#include <sluice/media.h>

#include "base/bytes.h"

#define SL_SEGMENTS_MAX      (1u << 22) /* of one playlist */
#define SL_PLAYLIST_TEXT_MAX ((size_t)SL_SEGMENTS_MAX * 256)
#define SL_INIT_URI_SIZE     32

struct sl_segment {
    int64_t duration; /* ticks of the playlist's timebase */
    int64_t bytes;
    /* Of its start, microseconds since 1970: EXT-X-PROGRAM-DATE-TIME. SL_NO_TIME: not known */
    int64_t program_time;
    uint32_t number;
    uint16_t init;      /* which init segment it needs: see sl_playlist_init_uri */
    bool discontinuity; /* EXT-X-DISCONTINUITY in front of it */
    bool gap;           /* EXT-X-GAP: it was lost */
};

/* Writes a URI where a playlist has one. */
struct sl_link {
    void (*write)(void *opaque, const char *relative, struct sl_writer *out);
    void *opaque;
};

/* One rendition's list of segments. */
struct sl_playlist {
    struct sl_rational timebase;
    int64_t target;              /* seconds: EXT-X-TARGETDURATION, fixed */
    const char *init_uri;        /* EXT-X-MAP; NULL: none */
    const char *extension;       /* "m4s", "ts" */
    bool independent;            /* EXT-X-INDEPENDENT-SEGMENTS */
    bool ended;                  /* EXT-X-ENDLIST */
    bool on_demand;              /* type VOD, segments called "12.m4s"; else EVENT, see below */
    bool whole;                  /* type VOD with the names of EVENT: a copy of what has ended */
    struct sl_link link;         /* write NULL: URIs as they are */
    struct sl_segment *segments; /* owned */
    size_t count, capacity;

    /* kept by sl_playlist_add */
    int64_t total_duration, total_bytes;
    int64_t peak_duration, peak_bytes; /* of the densest run so far; 0: none qualifies */
};

void sl_playlist_init(struct sl_playlist *p);
void sl_playlist_clear(struct sl_playlist *p);
/* SL_EINVAL where a segment of this duration cannot come next: it is not positive, or its EXTINF
 * rounds to more than the target duration. Changes nothing. */
SL_NODISCARD enum sl_status sl_playlist_check(const struct sl_playlist *p, int64_t duration,
                                              struct sl_error *err);
/* Refuses what sl_playlist_check refuses. */
SL_NODISCARD enum sl_status sl_playlist_add(struct sl_playlist *p, int64_t duration, int64_t bytes,
                                            struct sl_error *err);
/* The same for a segment with all that can be said of it but for its number, which is the next. The
 * program time is written where it does not follow from that of the segment before. */
SL_NODISCARD enum sl_status
sl_playlist_append(struct sl_playlist *p, const struct sl_segment *segment, struct sl_error *err);
/* "init.mp4"; of those that came later, where an encoder was started anew and describes its stream
 * in another way, "init-1.mp4" and so on. */
void sl_playlist_init_uri(const struct sl_playlist *p, unsigned init, char out[SL_INIT_URI_SIZE]);
/* "000/000012.m4s": relative to the playlist; at most 500 segments a directory. On demand, where
 * there are no directories, "12.m4s". */
void sl_playlist_segment_uri(const struct sl_playlist *p, uint32_t number, char out[64]);
/* EXTINF exact to the microsecond from the running total (no error adds up). */
SL_NODISCARD enum sl_status sl_playlist_render(const struct sl_playlist *p, struct sl_writer *out,
                                               struct sl_error *err);
/* Bits per second, rounded up: the largest rate of any run of segments that lasts 0.5 to 1.5
 * target durations (RFC 8216bis 4.4.6.2, BANDWIDTH), and the overall rate. The peak is never below
 * the average; 0 where there are no segments. Both take constant time. */
int64_t sl_playlist_peak(const struct sl_playlist *p);
int64_t sl_playlist_average(const struct sl_playlist *p);

struct sl_variant {
    const char *uri;
    const char *name;   /* STABLE-VARIANT-ID where its characters allow; may be NULL */
    const char *codecs; /* of video and audio together */
    int64_t bandwidth, average_bandwidth;
    int32_t width, height;         /* as displayed with the sample aspect applied */
    struct sl_rational frame_rate; /* 0/1: left out */
    const char *audio_group;       /* NULL: muxed in or none */
    const char *text_group;        /* subtitles; NULL: none */
};

struct sl_rendition_entry {
    const char *group, *name, *language, *uri; /* language: BCP 47 or ISO 639-2, may be NULL */
    int32_t channels;                          /* 0: left out */
    bool is_default;
    bool is_text;   /* SUBTITLES, else AUDIO */
    bool is_forced; /* text */
};

/* A multivariant playlist. SL_EINVAL for what
 * cannot be said in one: quotes or line ends in a string (in a name they are replaced), a group
 * that does not exist, two renditions of one name or two defaults in a group. */
struct sl_master {
    const struct sl_variant *variants;
    size_t variant_count;
    const struct sl_rendition_entry *entries; /* EXT-X-MEDIA */
    size_t entry_count;
    int version;         /* 7 with fMP4, 3 or more with TS */
    bool independent;    /* EXT-X-INDEPENDENT-SEGMENTS: of all that it names */
    struct sl_link link; /* write NULL: URIs as they are */
};
SL_NODISCARD enum sl_status sl_master_write(const struct sl_master *m, struct sl_writer *out,
                                            struct sl_error *err);
/* The same for renditions of fMP4 or TS whose segments are all independent. */
SL_NODISCARD enum sl_status sl_master_render(const struct sl_variant *variants, size_t count,
                                             const struct sl_rendition_entry *audio,
                                             size_t audio_count, struct sl_writer *out,
                                             struct sl_error *err);

#endif
