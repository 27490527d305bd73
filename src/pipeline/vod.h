/* SPDX-License-Identifier: BSD-2-Clause */
/* On demand: one source, and any segment of it at any moment. Nothing is prepared, and no segment
 * needs another one to have been made before. See docs/vod.md.
 *
 * A struct sl_vod is what is known of one opened source: header, index, the cut table made from it.
 * After sl_vod_open it never changes in what it answers, and all other calls may be made from any
 * number of threads at once; each takes a reader (source, demuxer) out of a bounded pool, or waits
 * for one. Every call blocks. All but the cheapest take a cancel flag, looked at between packets
 * and pictures; NULL: cannot be cancelled. A cancelled call returns SL_ECANCELLED and leaves
 * nothing in out. What is appended to out is all of the answer or nothing of it.
 *
 * The same question always has the same bytes as its answer, whoever asks, in whatever order. */
#ifndef SL_PIPELINE_VOD_H
#define SL_PIPELINE_VOD_H

#include <sluice/log.h>
#include <sluice/media.h>
#include <sluice/remux.h>

#include "base/bytes.h"
#include "base/pool.h"
#include "base/slice.h"
#include "media/stage.h"

#define SL_VOD_RENDITIONS_MAX 96
#define SL_VOD_NAME_MAX       32

struct sl_vod_params {
    const char *where; /* path or http(s) URL; only a name for messages where open is set */
    /* Opens the source once more: called for each reader, from any thread. NULL: sl_source_open of
     * where. Must be seekable (SL_EUNSUPPORTED from sl_vod_open otherwise). */
    enum sl_status (*open)(void *opaque, struct sl_source **out, struct sl_error *err);
    void *opaque;              /* must outlive the sl_vod */
    const struct sl_log *log;  /* must outlive the sl_vod; NULL: none */
    struct sl_rational target; /* seconds of a segment: it ends at the first key frame at or after
                                  them; 0/0, 0/1: 4 */
    unsigned readers;          /* most readers at a time: file handles, connections; 0: 4 */
    const char *preset;        /* of re-encoded video; NULL: "veryfast" */
    int64_t audio_bitrate;     /* bit/s of converted sound; 0: the coder's own choice */
};

/* How a rendition is packed. */
enum sl_vod_format {
    SL_VOD_FMP4 = 0, /* CMAF tracks: video, each sound and each text by itself */
    SL_VOD_TS = 1,   /* MPEG-TS: video with the default sound muxed in; version 3 playlists */
};

/* One thing that has a playlist of its own: /media/P/<name>/playlist.m3u8. */
struct sl_vod_rendition {
    char name[SL_VOD_NAME_MAX]; /* letters, digits, '-': "source", "720p", "audio1-aac", "text3" */
    enum sl_media_kind kind;
    size_t track;          /* index among sl_vod_info.tracks */
    bool copy;             /* passed through: box headers and ranges of the source */
    bool costly;           /* decodes and encodes: to be limited, and worth caching */
    bool ts;               /* can be had as SL_VOD_TS too (video, and sound without pictures) */
    bool is_default;       /* the one that a player takes first among its kind */
    char codecs[64];       /* RFC 6381, true to the bytes; text: "wvtt" */
    char language[16];     /* as the source has it; empty: not stated */
    char title[128];       /* for people; never empty for sound and text */
    int32_t width, height; /* video: as displayed */
    int32_t channels;      /* audio */
    struct sl_rational frame_rate;
};

/* Immutable from sl_vod_open to sl_vod_destroy. */
struct sl_vod_info {
    char format[32];  /* of the container, "mkv" */
    int64_t duration; /* microseconds, from the index; -1: not known (yet). For printing */
    const struct sl_track *tracks; /* as the demuxer gives them */
    size_t track_count;
    const struct sl_vod_rendition *renditions; /* video first, in order of preference */
    size_t rendition_count;
    bool indexed; /* false: the first playlist or segment scans the whole source, once */
};

struct sl_vod;

/* Reads header and index, and the first packets of each track. SL_ENOTFOUND, SL_EIO, SL_EDATA (bad
 * headers, nothing that could be shown), SL_EUNSUPPORTED (cannot seek), SL_ECANCELLED, SL_ENOMEM.
 * params is copied. */
SL_NODISCARD enum sl_status sl_vod_open(struct sl_vod **out, const struct sl_vod_params *params,
                                        const struct sl_cancel *cancel, struct sl_error *err);
/* Nothing may be running. Chains that were handed out stay valid: they hold the file open. */
void sl_vod_destroy(struct sl_vod **vod);
const struct sl_vod_info *sl_vod_info(const struct sl_vod *vod);
/* NULL: there is none of that name. */
const struct sl_vod_rendition *sl_vod_find(const struct sl_vod *vod, const char *name);
/* A line of text that names everything but the source that decides about bytes: settings, and the
 * versions of encoders. Part of a cache's key. Static for the life of the sl_vod. */
const char *sl_vod_settings(const struct sl_vod *vod);

/* Does now what the first playlist would have to do: the scan where there is no index, and where
 * exactly each segment begins. Remembered; others who need it wait. Never needed. */
SL_NODISCARD enum sl_status sl_vod_prepare(struct sl_vod *vod, const struct sl_cancel *cancel,
                                           struct sl_error *err);

/* ---- text -------------------------------------------------------------------------------- */

/* Turns "source/playlist.m3u8" (in the master), "12.m4s", "init.mp4" (in a media playlist; relative
 * to it) into the URI that a playlist shows, appended to w: for queries and signatures. */
struct sl_vod_links {
    void (*write)(void *opaque, const char *relative, struct sl_writer *w);
    void *opaque;
};

/* links NULL: relative names as they are (SL_VOD_TS: with "?format=ts" on playlists in the master;
 * segments are called "12.ts", so need none). Appends UTF-8 text to out. Master: RFC 8216bis; video
 * as it is first, then rungs, each with every group of sound that it can go with; BANDWIDTH from
 * sizes in an index where it has them, else the source's own average with a margin, or the
 * encoder's limit. Media playlist: type VOD, complete. SL_ENOTFOUND: no such rendition, or not in
 * this format. Otherwise what reading the source gives. */
SL_NODISCARD enum sl_status sl_vod_master(struct sl_vod *vod, enum sl_vod_format format,
                                          const struct sl_vod_links *links, struct sl_writer *out,
                                          const struct sl_cancel *cancel, struct sl_error *err);
SL_NODISCARD enum sl_status sl_vod_playlist(struct sl_vod *vod, const char *rendition,
                                            enum sl_vod_format format,
                                            const struct sl_vod_links *links, struct sl_writer *out,
                                            const struct sl_cancel *cancel, struct sl_error *err);

/* ---- bytes ------------------------------------------------------------------------------- */

/* ftyp and moov of a rendition; SL_ENOTFOUND for SL_VOD_TS, which has none, and for text, whose
 * segments are WebVTT. Re-encoded video: decodes one picture the first time. */
SL_NODISCARD enum sl_status sl_vod_init(struct sl_vod *vod, const char *rendition,
                                        struct sl_chain *out, const struct sl_cancel *cancel,
                                        struct sl_error *err);
/* Segment n, from 0: one moof and mdat; TS; or a WebVTT file (text, "12.vtt"). SL_ENOTFOUND beyond
 * the last one. Passed-through payloads are ranges of the source's file where it is one, and memory
 * otherwise. The chain is the caller's to clear. */
SL_NODISCARD enum sl_status sl_vod_segment(struct sl_vod *vod, const char *rendition,
                                           enum sl_vod_format format, size_t n,
                                           struct sl_chain *out, const struct sl_cancel *cancel,
                                           struct sl_error *err);
/* Media time at which segment n begins, microseconds, for logs and read-ahead; -1: no such. */
int64_t sl_vod_segment_start(struct sl_vod *vod, const char *rendition, size_t n);

/* One continuous fMP4 from start (seconds from the first picture) to the end: sl_remux_next until
 * SL_EOF, single owner, sl_remux_free. It has a reader of its own that is not of the pool. What a
 * browser plays is passed through, the rest converted. SL_EINVAL: start lies beyond the end (told
 * by the first sl_remux_next where no index tells it). */
SL_NODISCARD enum sl_status sl_vod_stream(struct sl_vod *vod, struct sl_rational start,
                                          struct sl_remux **out, struct sl_error *err);

enum sl_vod_picture {
    SL_VOD_JPEG = 0,
    SL_VOD_PNG = 1,
};
/* The key frame at or before time (seconds; beyond the end: the last one), upright, square pixels,
 * scaled to fit width x height and never enlarged. A video track that is an attached picture serves
 * where there are no others. SL_ENOTFOUND: no picture in this source. */
SL_NODISCARD enum sl_status sl_vod_thumbnail(struct sl_vod *vod, struct sl_rational time,
                                             int32_t width, int32_t height,
                                             enum sl_vod_picture form, struct sl_chain *out,
                                             const struct sl_cancel *cancel, struct sl_error *err);

#endif
