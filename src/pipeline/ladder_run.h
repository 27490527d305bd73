/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of one ladder run and the threads that move data between them:
 *
 *   input ──frames──► shape ──frames──► rung 0 … n   (one thread each: encode, mux, publish)
 *     └────packets──► sound ──(TS)─packets──┘ └─(fMP4) a rendition of its own
 *
 * Every arrow is a bounded queue. The first error anywhere cancels all of them. */
#ifndef SL_PIPELINE_LADDER_RUN_H
#define SL_PIPELINE_LADDER_RUN_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "base/queue.h"
#include "filter/scale.h"
#include "filter/sound.h"
#include "media/codec_string.h"
#include "media/stage.h"
#include "package/rendition.h"
#include "pipeline/clock.h"
#include "pipeline/jumps.h"
#include "pipeline/ladder_plan.h"
#include "pipeline/live.h"
#include "pipeline/raw_rows.h"

#define SL_LADDER_FRAME_QUEUE   4 /* decoded pictures between input and shape */
#define SL_LADDER_RUNG_QUEUE    6 /* pictures (and, with TS, sound packets) before each encoder */
#define SL_LADDER_SOUND_QUEUE   1024  /* coded sound packets before the sound thread */
#define SL_LADDER_PREROLL       16384 /* sound packets kept while no picture has been seen */
#define SL_LADDER_SOUND_TAIL_MS 400   /* a sound segment is at least this long */
#define SL_LADDER_SOUND_HELD    64    /* coded frames that make 400 ms at up to 96 kHz */
#define SL_AAC_FRAME_SAMPLES    1024

/* An opened file with its demuxer. */
struct sl_input {
    struct sl_source *source;
    struct sl_window *window;
    struct sl_demuxer *demuxer;
    struct sl_jumps jumps; /* used where the demuxer may jump */
};
SL_NODISCARD enum sl_status sl_input_open(struct sl_input *in, const char *where,
                                          const struct sl_demux_params *params,
                                          struct sl_error *err);
void sl_input_close(struct sl_input *in);
/* The demuxer's next packet, its times on one line. */
SL_NODISCARD enum sl_status sl_input_read(struct sl_input *in, struct sl_packet **out,
                                          struct sl_error *err);
/* Index of the track to use, or -1. wanted >= 0 must be such a track. */
SL_NODISCARD enum sl_status sl_input_pick(const struct sl_input *in, enum sl_media_kind kind,
                                          int64_t wanted, int *track, struct sl_error *err);

/* What travels to a rung. */
struct sl_rung_item {
    struct sl_frame *frame;   /* or */
    struct sl_packet *packet; /* sound to mux in, or, where both are NULL, its end */
};

struct sl_ladder;

struct sl_rung {
    struct sl_ladder *ladder;
    struct sl_ladder_rung plan;
    struct sl_scaler *scaler; /* from the next larger rung; used by the shape thread */
    struct sl_coder *encoder;
    struct sl_rendition *rendition;
    struct sl_queue *inbox; /* of struct sl_rung_item * */
    pthread_t thread;
    bool started;
    char codecs[SL_CODEC_STRING_MAX];
    /* Where it begins: what is before was published by an earlier life of the run. */
    int64_t from;       /* ticks of the clock */
    int64_t sound_from; /* pts of the first packet of sound to mux in; SL_NO_TIME: any */
};

struct sl_ladder_sound {
    struct sl_ladder *ladder;
    bool present, separate; /* separate: from a file of its own */
    struct sl_input input;  /* of the separate file */
    struct sl_track track;  /* copy of the source track */
    int index;
    struct sl_decoder *decoder;
    struct sl_sound *line;
    struct sl_coder *encoder;
    struct sl_rendition *rendition; /* fMP4 only */
    struct sl_queue *inbox;         /* of struct sl_packet *; not used where separate */
    struct sl_packet **preroll;     /* ring of packets seen before the first picture */
    size_t preroll_first, preroll_count;
    int64_t zero;                                 /* ticks of the track: sample 0 */
    struct sl_packet *held[SL_LADDER_SOUND_HELD]; /* after a cut that is not decided */
    size_t held_count;
    int64_t from;    /* pts of the first packet to be delivered; SL_NO_TIME: any */
    int64_t first;   /* sample that the line begins with */
    int64_t cuts;    /* made so far */
    int64_t end;     /* samples, once finished is set */
    int64_t encoded; /* samples of the line handed to the encoder */
    int64_t marked;  /* live: length of the line when its place was noted last */
    bool finished;   /* the line knows its end */
    pthread_t thread;
    bool started;
    char codec[SL_CODEC_STRING_MAX];
};

/* Everything that several threads look at, under lock. */
struct sl_ladder_shared {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct sl_error error;   /* the first one */
    int64_t sound_samples;   /* decoded so far, at the output's rate */
    bool sound_ended;        /* sound_samples is final */
    int64_t end_samples;     /* what the sound is to be padded or cut to; -1: not known yet */
    int64_t picture_samples; /* position of the picture, in samples of the sound */
    int64_t end_ticks;       /* end of the picture, ticks of the clock; valid once inboxes close */
    bool master_published;
    int64_t segments;
    size_t listed[SL_LADDER_RUNGS_MAX + 1]; /* segments of each rendition; sound is last */
    struct sl_playlist_rates {
        int64_t peak, average;
    } rates[SL_LADDER_RUNGS_MAX + 1];
};

/* Going on with a live run: ladder_live.c. */
struct sl_ladder_resume {
    bool active;    /* something was published before */
    bool exact;     /* the source is at hand from its beginning: nothing is lost */
    int64_t from;   /* ticks of the clock: pictures before are not needed */
    int64_t source; /* source pts of the first picture that the clock is given; SL_NO_TIME: any */
    struct sl_sound_anchor sound;      /* where the sound lay; rate 0: not known */
    int64_t base;                      /* not exact: the time at which the new pictures begin */
    int64_t cuts[SL_LADDER_RUNGS_MAX]; /* where segments begin besides the clock's, rising */
    size_t cut_count, cuts_made;
};

struct sl_ladder {
    struct sl_ladder_params params;
    struct sl_ladder_events events;
    const struct sl_log *log;
    struct sl_cancel stop;  /* asked to finish early */
    struct sl_raw_rows raw; /* used: pictures come from here, and no decoder is needed */
    struct sl_input input;
    int video_index;
    const struct sl_track *video; /* belongs to the demuxer */
    struct sl_decoder *decoder;
    struct sl_clock clock;
    int64_t target; /* seconds */
    struct sl_colour colour;
    int32_t width, height; /* of the base picture: displayed, even */
    struct sl_rational sample_aspect, frame_rate;

    struct sl_scaler *base;  /* used by the shape thread */
    struct sl_queue *frames; /* of struct sl_frame *, to the shape thread */
    pthread_t shape_thread;
    bool shape_started, planned;
    struct sl_rung rungs[SL_LADDER_RUNGS_MAX];
    size_t rung_count;
    struct sl_ladder_sound sound;
    struct sl_live *live; /* NULL: files */
    struct sl_ladder_resume resume;
    int64_t program_zero;         /* live: microseconds since 1970 of time 0 */
    struct sl_track pushed;       /* what video points to where there is no input */
    struct sl_buf_pool *pictures; /* of the caller's, copied */
    size_t picture_bytes;
    int64_t pushed_pts;         /* of the last one; SL_NO_TIME: none yet */
    int64_t push_anchor;        /* the last time that the caller said */
    int64_t push_count;         /* pictures since then, that one too */
    enum sl_status push_status; /* what made an end of it; SL_EOF: the sound did */
    struct sl_error push_error;
    bool push, closed;
    struct sl_ladder_shared shared;
    struct sl_ladder_progress progress;
};

/* ladder.c: the first error wins; everything is told to stop. */
void sl_ladder_fail(struct sl_ladder *l, const struct sl_error *err);
void sl_ladder_cancel(struct sl_ladder *l);
SL_NODISCARD enum sl_status sl_ladder_thread(pthread_t *thread, void *(*run)(void *), void *arg,
                                             struct sl_error *err);

/* ladder_execute.c: from the clock, a picture with its final time. Takes it over on SL_OK. SL_EOF:
 * separate sound ended before it. */
SL_NODISCARD enum sl_status sl_ladder_emit(void *ladder, struct sl_frame *frame,
                                           struct sl_error *err);
/* Closes every queue in the order in which data flows, and waits for each thread. */
void sl_ladder_join(struct sl_ladder *l);

/* ladder_rung.c */
/* Scaler and encoder; then, once it is known where it begins, its rendition. */
SL_NODISCARD enum sl_status sl_rung_open(struct sl_ladder *l, size_t index, struct sl_error *err);
SL_NODISCARD enum sl_status sl_rung_begin(struct sl_ladder *l, size_t index, struct sl_error *err);
SL_NODISCARD enum sl_status sl_rung_push(struct sl_rung *r, struct sl_frame *frame,
                                         struct sl_packet *packet, struct sl_error *err);
void *sl_rung_thread(void *rung);
void *sl_shape_thread(void *ladder);
void sl_rung_item_drop(void *item);

/* ladder_sound.c */
SL_NODISCARD enum sl_status sl_ladder_sound_prepare(struct sl_ladder *l, struct sl_error *err);
/* Opens decoder and encoder; zero is the first picture's time. */
SL_NODISCARD enum sl_status sl_ladder_sound_open(struct sl_ladder *l, int64_t zero,
                                                 struct sl_rational timebase, struct sl_error *err);
/* Once it is known where it begins: the line and (fMP4) the rendition. */
SL_NODISCARD enum sl_status sl_ladder_sound_begin(struct sl_ladder *l, struct sl_error *err);
SL_NODISCARD enum sl_status sl_ladder_sound_start(struct sl_ladder *l, struct sl_error *err);
/* A packet of the source's sound; before the start it is kept aside. Consumes always. */
SL_NODISCARD enum sl_status sl_ladder_sound_put(struct sl_ladder *l, struct sl_packet *packet,
                                                struct sl_error *err);
void sl_ladder_sound_close(struct sl_ladder *l);
/* Separate sound: waits until it has reached time t of the picture (ticks of the clock). *over is
 * set where it ended before that. */
SL_NODISCARD enum sl_status sl_ladder_sound_reach(struct sl_ladder *l, int64_t t, bool *over,
                                                  struct sl_error *err);

/* ladder_master.c: after each published segment; writes master.m3u8 when it is due. */
SL_NODISCARD enum sl_status sl_ladder_listed(struct sl_ladder *l, size_t rendition,
                                             const struct sl_playlist *playlist,
                                             struct sl_error *err);
SL_NODISCARD enum sl_status sl_ladder_publish_master(struct sl_ladder *l, bool finished,
                                                     struct sl_error *err);

/* ladder_execute.c: brings the run to its end, whatever st reading came to. */
SL_NODISCARD enum sl_status sl_ladder_conclude(struct sl_ladder *l, enum sl_status st,
                                               struct sl_error *own,
                                               const struct sl_error *input_error,
                                               struct sl_error *err);
/* The first error anywhere; SL_OK: none. */
enum sl_status sl_ladder_failed(struct sl_ladder *l, struct sl_error *err);

/* ladder_live.c */
SL_NODISCARD enum sl_status sl_ladder_live_open(struct sl_ladder *l, struct sl_error *err);
/* Before reading: where the source is to be read from. */
SL_NODISCARD enum sl_status sl_ladder_live_seek(struct sl_ladder *l, struct sl_error *err);
/* Names the renditions and sets where each begins; encoders are open. */
SL_NODISCARD enum sl_status sl_ladder_live_begin(struct sl_ladder *l, struct sl_error *err);
/* Output and beginning of a rendition (rungs, then sound of its own). */
SL_NODISCARD enum sl_status sl_ladder_live_rendition(struct sl_ladder *l, size_t index,
                                                     struct sl_rendition_params *params,
                                                     struct sl_rendition_resume *resume,
                                                     struct sl_chain *last, struct sl_error *err);
/* A picture from the clock: notes cuts, and adds those that are needed. False: it was published
 * before. */
SL_NODISCARD bool sl_ladder_live_picture(struct sl_ladder *l, struct sl_frame *frame);
SL_NODISCARD enum sl_status sl_ladder_live_end(struct sl_ladder *l, enum sl_status st,
                                               struct sl_error *err);

/* ladder_push.c */
SL_NODISCARD enum sl_status sl_ladder_push_open(struct sl_ladder *l, struct sl_error *err);

#endif
