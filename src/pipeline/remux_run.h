/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of one remux. Everything happens on the caller's thread, one packet at a time:
 *
 *   demuxer ─► begin ─► per track: dts | sound | convert | encode ─► join ─► muxer ─► chain
 *
 * begin (remux_begin.c) finds the first picture, seeks and decides what time zero is; each track's
 * stage gives its packets their final times; join (remux_join.c) opens the muxer once every track
 * has begun and cuts fragments. */
#ifndef SL_PIPELINE_REMUX_RUN_H
#define SL_PIPELINE_REMUX_RUN_H

#include "base/bytes.h"
#include "base/pool.h"
#include "media/complete.h"
#include "media/stage.h"
#include "media/track.h"
#include "mux/registry.h"
#include "pipeline/jumps.h"
#include "pipeline/remux.h"
#include "pipeline/remux_dts.h"
#include "pipeline/remux_sound.h"

#define SL_REMUX_TRACKS_MAX SL_MUX_TRACKS_MAX
/* What may wait for something: for the first picture, for a track that is late, for a fragment to
 * end. Payloads that are ranges of a file weigh nothing. */
#define SL_REMUX_WAIT_BYTES   (8 << 20)
#define SL_REMUX_WAIT_PACKETS 32768
#define SL_REMUX_WAIT_SECONDS 10
#define SL_REMUX_LATE_SECONDS 120 /* for a track to begin, in a file: payloads stay there */
/* A fragment without a key frame to end it. */
#define SL_REMUX_FRAGMENT_BYTES   (12 << 20)
#define SL_REMUX_FRAGMENT_SECONDS 60
#define SL_REMUX_LEAD_SECONDS     1 /* sound before the first picture that is kept, hidden */

/* A first-in-first-out list of packets, which owns them. */
struct sl_remux_fifo {
    struct sl_packet **items;
    size_t first, count, capacity;
    int64_t memory; /* bytes of payload in memory */
};
SL_NODISCARD enum sl_status sl_remux_fifo_put(struct sl_remux_fifo *f, struct sl_packet *packet,
                                              struct sl_error *err); /* takes over in any case */
struct sl_packet *sl_remux_fifo_take(struct sl_remux_fifo *f);       /* NULL: empty */
struct sl_packet *sl_remux_fifo_at(const struct sl_remux_fifo *f, size_t i);
void sl_remux_fifo_clear(struct sl_remux_fifo *f);
int64_t sl_remux_memory_of(const struct sl_packet *packet);

enum sl_remux_way {
    SL_REMUX_PICTURES, /* passed through, remux_dts.h */
    SL_REMUX_SOUND,    /* passed through, remux_sound.h */
    SL_REMUX_CONVERT,  /* sound, remux_convert.c */
    SL_REMUX_ENCODE,   /* pictures, remux_encode.c */
    SL_REMUX_TEXT,     /* subtitles, remux_text.c */
};

/* Source times to exact ones: docs/remux.md, "Time". */
struct sl_remux_grid {
    struct sl_rational in, out, rate;
    bool exact;
    int64_t origin; /* ticks of in: the picture that all are counted from, or SL_NO_TIME */
    int64_t low, high;
};
void sl_remux_grid_init(struct sl_remux_grid *g, const struct sl_track *track);
int64_t sl_remux_grid_place(struct sl_remux_grid *g, int64_t pts);

struct sl_remux_convert; /* remux_convert.c */
struct sl_remux_encode;  /* remux_encode.c */
struct sl_remux_text;    /* remux_text.c */

struct sl_remux_track {
    enum sl_remux_way way;
    size_t source;       /* index among the demuxer's tracks */
    uint32_t index;      /* of this one among the outputs */
    struct sl_track out; /* what the muxer is told */
    struct sl_payload_form form;
    bool complete;   /* out has all that the muxer asks for */
    bool begun;      /* the first packet has got its times */
    bool left_out;   /* nothing came in time to describe it to the muxer */
    bool over;       /* no more will come: the end that was asked for was reached */
    bool waited;     /* join waits for it (not for subtitles, nor for what went missing) */
    int past_end;    /* packets in a row after the end (encoding) */
    unsigned prefix; /* bytes of a NAL unit's length */
    int64_t last;    /* pts placed last */
    int64_t lead;    /* samples before zero that are kept, hidden */
    int64_t zero;    /* ticks of out.timebase: time 0 of the output, in the stage's own count */
    int64_t end;     /* the same: where to stop, or INT64_MAX */
    int64_t reach;   /* output ticks up to which packets have come */
    int64_t start;   /* output ticks: see struct sl_mux_track */
    int64_t base;    /* output ticks added to every time (decode_time) */
    int64_t cut;     /* join: first output tick of the next fragment, or INT64_MAX */
    int64_t first;   /* pts of the first packet delivered, in the stage's own count */

    struct sl_remux_grid grid; /* pictures */
    struct sl_remux_dts dts;
    struct sl_remux_fifo tail; /* pictures after the end, kept while earlier ones may follow */
    struct sl_remux_sound sound;
    bool sound_ready;
    struct sl_remux_convert *convert;
    struct sl_remux_encode *encode;
    struct sl_remux_text *text;
};

enum sl_remux_state {
    SL_REMUX_OPEN,   /* the header has not been read */
    SL_REMUX_FIRST,  /* looking for the first picture of the source */
    SL_REMUX_SOUGHT, /* looking for the key frame before params.start */
    SL_REMUX_FLOW,
    SL_REMUX_DRAIN, /* the input has ended */
    SL_REMUX_DONE,
};

struct sl_remux {
    struct sl_remux_params params;
    struct sl_remux_events events;
    const struct sl_log *log;
    struct sl_cancel cancel;
    enum sl_status failed; /* of an earlier call */
    enum sl_remux_state state;

    bool pushed;              /* bytes come by sl_remux_feed */
    bool looking;             /* sl_remux_look: nothing is converted, nothing written */
    struct sl_source *source; /* of params.input, else NULL */
    struct sl_window *window;
    struct sl_demuxer *demuxer;
    struct sl_jumps jumps;

    struct sl_remux_track tracks[SL_REMUX_TRACKS_MAX];
    size_t track_count;
    int map[64];                    /* source track to output, -1: not wanted */
    struct sl_remux_track *picture; /* the one that decides about time and cuts, or NULL */

    struct sl_remux_fifo backlog; /* read before it was known what time zero is */
    size_t backlog_pictures;      /* shown ones after the first key frame in it */
    bool sought;                  /* the demuxer went to params.start */
    bool beyond;                  /* the picture is long past params.duration */
    int64_t zero;                 /* ticks of zero_base: time 0 of the output in the source */
    struct sl_rational zero_base;

    struct sl_muxer *muxer;
    struct sl_remux_fifo held; /* join: what waits for the muxer to open, or for a cut */
    struct sl_remux_track *by_index[SL_REMUX_TRACKS_MAX]; /* the muxer's numbers */
    bool cutting; /* a cut is decided, and some track has not reached it */
    struct sl_remux_moment {
        int64_t ticks;
        struct sl_rational base; /* den 0: not known */
    } from, next;                /* where the fragment begins; where it is cut */
    int64_t fragment_memory;
    bool fragment_empty;
    struct sl_chain ready; /* made, not handed out */
    int64_t header_size;   /* bytes of the muxer's header, the first of the output */
    struct sl_chain front; /* classic MP4: what goes in its place when all is written */

    struct sl_remux_progress progress;
    struct sl_chain piece; /* of sl_remux_copy: what is being handed out */
    int64_t piece_at;      /* how much of it has been */
    struct sl_buf *loaded; /* of sl_remux_load */
    char codecs[256];
};

/* Reads no further than needed to know how each track that can be passed through begins: time zero,
 * what the muxer would be told (out, start, form), the first packet's place, what decoding times
 * are dealt by. Tracks that nothing came of in time are left_out. The window and the demuxer may
 * have been put in place by the caller; then they are to be taken out before sl_remux_free. */
SL_NODISCARD enum sl_status sl_remux_look(struct sl_remux *r, struct sl_error *err);

/* Reads from this source, which it takes over in any case, in place of params.input. Before the
 * first read. */
SL_NODISCARD enum sl_status sl_remux_take_source(struct sl_remux *r, struct sl_source *source,
                                                 struct sl_error *err);

/* remux_plan.c: which tracks, and which way each of them goes. */
SL_NODISCARD enum sl_status sl_remux_plan(struct sl_remux *r, struct sl_error *err);
void sl_remux_track_clear(struct sl_remux_track *t);
/* Clock and decoding times of a passed-through picture, from what is known of it so far. */
void sl_remux_plan_picture(const struct sl_remux *r, struct sl_remux_track *t,
                           const struct sl_track *from);
/* Takes the size of NAL unit lengths from the track's configuration. */
void sl_remux_track_prefix(struct sl_remux_track *t);

/* remux_begin.c: one packet of the source while time zero is not known (NULL: the end). Consumes.
 * Sets r->state to SL_REMUX_FLOW once it is. */
SL_NODISCARD enum sl_status sl_remux_begin(struct sl_remux *r, struct sl_packet *packet,
                                           struct sl_error *err);

/* remux_track.c: one packet of the source to its track's stage; consumes. */
SL_NODISCARD enum sl_status sl_remux_put(struct sl_remux *r, struct sl_packet *packet,
                                         struct sl_error *err);
/* The track's stage gives what it holds back. */
SL_NODISCARD enum sl_status sl_remux_put_end(struct sl_remux *r, struct sl_remux_track *t,
                                             struct sl_error *err);
/* The stages' way out: a packet with its times in ticks of out, counted as zero is. Consumes. */
SL_NODISCARD enum sl_status sl_remux_deliver(struct sl_remux *r, struct sl_remux_track *t,
                                             struct sl_packet *packet, struct sl_error *err);
/* A passed-through picture's place on its track's clock, from the container's times: pts is set,
 * dts where the container's are used. last is kept up to date. */
void sl_remux_place_picture(struct sl_remux_track *t, struct sl_packet *p);
/* False for samples that hold delimiters or messages alone. */
bool sl_remux_has_picture(const struct sl_remux_track *t, const struct sl_packet *p);
/* Seconds in ticks, rounded once. */
int64_t sl_remux_ticks(struct sl_rational seconds, struct sl_rational timebase);
/* Takes time zero over from r->zero. */
void sl_remux_track_zero(struct sl_remux *r, struct sl_remux_track *t);

/* remux_join.c: a packet with its final times. Consumes. What is ready goes to r->ready. */
SL_NODISCARD enum sl_status sl_remux_join(struct sl_remux *r, struct sl_remux_track *t,
                                          struct sl_packet *packet, struct sl_error *err);
/* A track has begun, ended or gone missing: is anything ready now? */
SL_NODISCARD enum sl_status sl_remux_join_check(struct sl_remux *r, struct sl_error *err);
SL_NODISCARD enum sl_status sl_remux_join_end(struct sl_remux *r, struct sl_error *err);

/* remux_convert.c */
SL_NODISCARD enum sl_status sl_remux_convert_put(struct sl_remux *r, struct sl_remux_track *t,
                                                 struct sl_packet *packet, struct sl_error *err);
void sl_remux_convert_free(struct sl_remux_convert **c);
/* remux_encode.c */
SL_NODISCARD enum sl_status sl_remux_encode_put(struct sl_remux *r, struct sl_remux_track *t,
                                                struct sl_packet *packet, struct sl_error *err);
void sl_remux_encode_free(struct sl_remux_encode **e);
/* remux_text.c */
bool sl_remux_is_text(enum sl_codec codec);
/* The text of a packet as WebVTT has it, ended by a zero byte. */
SL_NODISCARD enum sl_status sl_remux_text_read(enum sl_codec codec, const struct sl_packet *p,
                                               struct sl_writer *w, struct sl_error *err);
SL_NODISCARD enum sl_status sl_remux_text_open(struct sl_remux *r, struct sl_remux_track *t,
                                               struct sl_error *err);
SL_NODISCARD enum sl_status sl_remux_text_put(struct sl_remux *r, struct sl_remux_track *t,
                                              struct sl_packet *packet, struct sl_error *err);
/* Writes what is shown before until (output ticks) to the muxer. */
SL_NODISCARD enum sl_status sl_remux_text_cut(struct sl_remux *r, struct sl_remux_track *t,
                                              int64_t until, struct sl_error *err);
int64_t sl_remux_text_end(const struct sl_remux_track *t); /* of the cue that ends last */
void sl_remux_text_free(struct sl_remux_text **text);

#endif
