/* SPDX-License-Identifier: BSD-2-Clause */
/* The Matroska and WebM demuxer, RFC 9559: what its files share. See docs/matroska.md. */
#ifndef SL_DEMUX_MKV_H
#define SL_DEMUX_MKV_H

#include "demux/mkv_tables.h"
#include "media/stage.h"
#include "media/vorbis.h"

#define SL_MKV_TRACKS_MAX  1024
#define SL_MKV_LACED_MAX   256         /* frames in one block: their number less one is a byte */
#define SL_MKV_PAYLOAD_MAX (64u << 20) /* of a frame that has to be in memory */
#define SL_MKV_ENTRY_MAX   (16u << 20) /* one TrackEntry, CodecPrivate included */
#define SL_MKV_NUMBERS     128         /* track numbers below are found by index */

/* How a payload becomes what decoders and muxers expect. */
enum sl_mkv_repair {
    SL_MKV_AS_IT_IS,
    SL_MKV_PRORES,  /* its frame header is left out in Matroska */
    SL_MKV_WAVPACK, /* and so is most of this one's block header */
    SL_MKV_WEBVTT,  /* WebM's: an identifier and settings stand before the text */
};

/* One ContentEncoding that has to be undone, in the order of undoing. */
struct sl_mkv_undo {
    struct sl_buf *prefix; /* stripped from each frame; NULL: zlib */
};

/* Ticks of the file to ticks of the track, see mkv_time.c. */
struct sl_mkv_clock {
    int64_t num, den;             /* ticks of the track that one of the file lasts */
    int64_t frame;                /* ticks of the track between two frames; 0: no grid */
    int64_t origin;               /* of the grid, 0 to frame - 1 */
    int64_t low, high, reference; /* what the blocks seen so far allow for it */
    bool off_zero;                /* one of them is not on the grid that begins at 0 */
    int period, seen;             /* blocks after which it is known, and that were looked at */
};

/* What the sound's frame lengths are worked out from. */
struct sl_mkv_sound {
    int32_t frame; /* samples in every frame; 0: they differ */
    int32_t rate;  /* their rate */
    int32_t bytes; /* of a sample of all channels (PCM) */
    struct sl_vorbis vorbis;
    unsigned last_block; /* Vorbis: samples of the window before */
};

struct sl_mkv_track {
    uint64_t number, uid;
    int64_t default_duration; /* nanoseconds, 0: not stated */
    int64_t codec_delay;      /* nanoseconds */
    int64_t delay;            /* the same in ticks of the track */
    bool times_are_dts;       /* as in AVI, where the codec came from */
    bool intra;               /* every frame can be decoded by itself */
    bool needs_config;        /* from the first key frame */
    bool start_codes;         /* payloads that begin with one were seen */
    enum sl_mkv_repair repair;
    struct sl_mkv_undo undo[SL_MKV_ENCODINGS];
    size_t undo_count;
    struct sl_mkv_clock clock;
    struct sl_mkv_sound sound;
    uint8_t wavpack_version[2];
    int64_t duration; /* of a frame by DefaultDuration, ticks of the track; 0: not stated */
};

/* A block whose header was read. Laced frames follow one another from payload on. */
struct sl_mkv_block {
    size_t track;
    int64_t at;       /* of the block's element */
    int64_t ticks;    /* of the file */
    int64_t payload;  /* offset of the first frame */
    int64_t duration; /* of all frames, ticks of the file; -1: not stated */
    int64_t discard;  /* nanoseconds to cut from the end */
    bool key;
    bool laced;
    unsigned count, next; /* frames; the one to be handed out next */
    int64_t elapsed;      /* samples, or frames by DefaultDuration, handed out before */
    int64_t sizes[SL_MKV_LACED_MAX];
};

struct sl_mkv_cue {
    int64_t ticks;
    int64_t cluster; /* offset in the source */
    uint64_t track;  /* number */
};

struct sl_mkv {
    struct sl_demuxer demuxer; /* first: handed out as this */
    struct sl_window *window;
    const char *name;
    const struct sl_log *log;

    struct sl_mkv_track *tracks; /* beside demuxer.tracks */
    size_t capacity, tracks_capacity;
    uint16_t by_number[SL_MKV_NUMBERS]; /* index + 1; 0: none */
    uint64_t wanted;

    int64_t scale;         /* nanoseconds a tick of the file lasts */
    int64_t duration;      /* ticks of the file, -1: not stated */
    int64_t segment;       /* offset of the segment's data: positions count from there */
    int64_t segment_end;   /* INT64_MAX: not stated */
    int64_t first_cluster; /* -1: there is none */
    int64_t info_at, tracks_at, tags_at, cues_at; /* as SeekHead says or as they were met; -1 */
    int64_t seek_heads[8];
    size_t seek_head_count, seek_head_next;

    struct sl_mkv_cue *cues;
    size_t cue_count, cue_capacity;

    int64_t pos;                     /* of the next element */
    int64_t cluster_at, cluster_end; /* end INT64_MAX: not stated */
    int64_t cluster_time;
    int64_t lost_from, search_at;
    struct sl_error damage;

    struct sl_mkv_block block;

    size_t resume_track; /* after a seek: packets of this track are dropped up to that time */
    int64_t resume_time; /* SL_NO_TIME: none are */
    int64_t resume_at;   /* what was asked for: in a lace, a later frame may be meant */

    bool strict;
    bool places_only;
    bool selected; /* wanted counts */
    bool have_info, have_tracks, have_tags, cues_read, cues_damaged;
    bool in_cluster, have_time; /* cluster_time counts */
    bool searching;             /* for a cluster behind damage */
    bool told_unknown, told_end;
    bool ahead;      /* looking ahead: nothing is let go of */
    bool have_block; /* block counts */
};

/* ---- mkv_header.c: everything but clusters ---- */
SL_NODISCARD enum sl_status sl_mkv_read_head(struct sl_mkv *m, struct sl_error *err);
/* Looks at the first blocks, for what the header does not tell: the frame grid's origin, missing
 * parameter sets. Reading is at the first cluster again afterwards. */
SL_NODISCARD enum sl_status sl_mkv_look_ahead(struct sl_mkv *m, struct sl_error *err);

/* ---- mkv_track.c, mkv_codec.c ---- */
/* Adds a track. SL_EUNSUPPORTED where it is encrypted or packed in a way that is not known. */
SL_NODISCARD enum sl_status sl_mkv_add_track(struct sl_mkv *m, struct sl_mkv_entry *entry,
                                             int64_t offset, struct sl_error *err);
/* Codec, configuration and what else follows from CodecID and CodecPrivate. */
SL_NODISCARD enum sl_status sl_mkv_set_codec(struct sl_track *t, struct sl_mkv_track *mt,
                                             const struct sl_mkv_entry *entry,
                                             struct sl_error *err);
/* Parameter sets out of a key frame, for a track that came without. SL_EAGAIN: it has none. */
SL_NODISCARD enum sl_status sl_mkv_config_from_frame(struct sl_track *t, const uint8_t *data,
                                                     size_t size, struct sl_error *err);

/* ---- mkv_time.c ---- */
/* Once TimestampScale and DefaultDuration are known: the track's timebase. */
void sl_mkv_clock_init(struct sl_mkv *m, size_t track);
/* A block's time, which narrows down where the grid lies. */
void sl_mkv_clock_learn(struct sl_mkv_clock *c, int64_t ticks);
void sl_mkv_clock_settle(struct sl_mkv_clock *c);
/* Ticks of the file to ticks of the track. */
int64_t sl_mkv_clock_map(const struct sl_mkv_clock *c, int64_t ticks);
/* A block's presentation time in ticks of its track. */
int64_t sl_mkv_time(const struct sl_mkv *m, size_t track, int64_t ticks);

/* ---- mkv_cluster.c ---- */
/* The next block of a wanted track into m->block, its header read, m->pos behind it. */
SL_NODISCARD enum sl_status sl_mkv_next_block(struct sl_mkv *m, struct sl_error *err);
/* The first cluster at or after *at that looks like one. SL_EOF: there is none. Where SL_EAGAIN
 * comes, *at is where to go on. */
SL_NODISCARD enum sl_status sl_mkv_find_cluster(struct sl_mkv *m, int64_t *at,
                                                struct sl_error *err);
SL_NODISCARD enum sl_status sl_mkv_is_cluster(struct sl_mkv *m, int64_t at, bool *yes,
                                              int64_t *ticks, struct sl_error *err);
/* Reading goes on with the element at offset, outside of any cluster. */
void sl_mkv_go_to(struct sl_mkv *m, int64_t offset);
void sl_mkv_tell(struct sl_mkv *m, enum sl_log_level level, const struct sl_error *why,
                 const char *what);

/* ---- mkv_block.c ---- */
/* Track number, time, flags and lacing of the Block or SimpleBlock whose data is here. SL_EDATA
 * where it is damaged; SL_ENOTFOUND where nobody wants its track. */
SL_NODISCARD enum sl_status sl_mkv_parse_block(struct sl_mkv *m, int64_t data, int64_t size,
                                               bool simple, struct sl_mkv_block *b,
                                               struct sl_error *err);

/* ---- mkv_payload.c ---- */
/* A frame as decoders expect it, appended to out. */
SL_NODISCARD enum sl_status sl_mkv_payload(struct sl_mkv *m, struct sl_mkv_track *t, int64_t offset,
                                           int64_t size, struct sl_chain *out,
                                           struct sl_error *err);
/* Where the frame lies instead: stripped headers become the payload, what is stored is not read.
 * SL_EUNSUPPORTED where every byte has to be looked at. */
SL_NODISCARD enum sl_status sl_mkv_place(const struct sl_mkv *m, const struct sl_mkv_track *t,
                                         int64_t offset, int64_t size, struct sl_packet *p,
                                         struct sl_error *err);
/* Undoes the track's encodings of these bytes of its CodecPrivate (scope 2). */
SL_NODISCARD enum sl_status sl_mkv_decode_config(struct sl_mkv_entry *entry, struct sl_buf **out,
                                                 struct sl_error *err);
SL_NODISCARD enum sl_status sl_mkv_set_undo(struct sl_mkv_track *t,
                                            const struct sl_mkv_entry *entry, const char *name,
                                            int64_t offset, struct sl_error *err);
void sl_mkv_clear_undo(struct sl_mkv_track *t);

/* ---- mkv_sound.c ---- */
void sl_mkv_sound_init(struct sl_mkv_sound *s, const struct sl_track *t);
/* Samples that a frame holds; 0: not known. head: its first bytes. */
int32_t sl_mkv_sound_samples(struct sl_mkv_sound *s, enum sl_codec codec, const uint8_t *head,
                             size_t size, int64_t frame_size);

/* ---- mkv_seek.c ---- */
SL_NODISCARD enum sl_status sl_mkv_seek_to(struct sl_demuxer *demuxer, size_t track, int64_t time,
                                           struct sl_error *err);
SL_NODISCARD enum sl_status sl_mkv_index(struct sl_demuxer *demuxer, size_t track,
                                         struct sl_index *out, struct sl_error *err);

#endif
