/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the on-demand engine. A call makes a struct vod_job (a reader taken out of the pool,
 * and the flag that stops it), reads packets with it and gives them their final times:
 *
 *   index ─► cuts ─► from, to ─► reader ─► picture | sound | convert | encode ─► run ─► muxer
 *
 * What is learnt on the way and is the same for everybody is remembered (struct vod_once). */
#ifndef SL_PIPELINE_VOD_RUN_H
#define SL_PIPELINE_VOD_RUN_H

#include <pthread.h>

#include <sluice/ladder.h>

#include "base/rational.h"
#include "media/vorbis.h"
#include "package/cuts.h"
#include "pipeline/jumps.h"
#include "pipeline/remux_run.h"
#include "pipeline/vod.h"

#define VOD_TRACKS_MAX  64
#define VOD_PACKETS_MAX (1u << 18)   /* of one segment */
#define VOD_MEMORY_MAX  (512u << 20) /* bytes of payload that are no ranges of a file */
#define VOD_LOG         "vod"
#define VOD_DECODE_MS   250 /* of sound decoded before what counts, as in a remux */
/* Seconds of times looked at before that; ten times as many, if need be. */
#define VOD_WARM      3
#define VOD_WARM_MOST 30
#define VOD_FIRST     INT64_MIN /* before everything, as a time */
#define VOD_LAST      INT64_MAX /* after everything */

/* ---- once (vod_pool.c) --------------------------------------------------------------------- */

/* Something that the first who needs it works out, while others wait. A failure is not remembered:
 * the next one tries again. */
struct vod_once {
    enum { VOD_UNKNOWN, VOD_RUNNING, VOD_KNOWN } state; /* under sl_vod.lock */
};

/* ---- what is known of a track --------------------------------------------------------------- */

/* Places the frames of sound of a track by their own times alone, so that whoever reads them, from
 * wherever, has them in the same place: where they would be if all since the first followed each
 * other without a gap, as long as that is within slack of what the container says. */
struct vod_grid {
    struct sl_rational in, out; /* timebases */
    int64_t zero;               /* ticks of in: place 0 */
    int64_t origin;             /* ticks of out: a place where a frame begins */
    int64_t frame;              /* ticks of out; 0: frames differ, each is where its time says */
    int64_t slack;              /* ticks of out */
};
int64_t sl_vod_grid_place(const struct vod_grid *g, int64_t time);

/* Sound as it is decoded, and as what it is encoded. */
struct vod_decoded {
    int32_t rate;         /* of the decoder's frames */
    struct vod_grid grid; /* out: 1/rate, from time zero */
    int32_t out_rate, out_channels;
    struct sl_track aac; /* the encoder's track */
    int64_t end;         /* of the line: samples of out_rate */
    /* Times are those of the grid where it was looked: at the beginning and at the end. */
    bool regular;
    /* Frames are of two lengths, which their packets tell: places are counted from the first one
     * on, and marks are always made. */
    bool counted;
    struct sl_vorbis vorbis;
    /* Where times are not on the grid: what only who comes from the beginning knows. Made when it
     * is first needed, and then never changed. */
    struct vod_mark {
        int64_t time;    /* of a packet, source ticks */
        int64_t next;    /* samples: where the line stands before it */
        unsigned before; /* window of the packet before, where frames are counted */
    } * marks;
    size_t mark_count, mark_capacity;
    int64_t line_end; /* samples of rate, where marks were made */
    struct vod_once marking;
};

struct vod_track {
    bool passable;               /* facts hold, and fMP4 carries it */
    struct sl_remux_track facts; /* as sl_remux_look left it; no packets */
    struct vod_grid grid;        /* passed-through sound */
    int64_t bitrate;             /* bit/s, of sound: stated or as its first packets have it */
    /* known with sl_vod.ends: */
    int64_t last; /* source time of the last packet; SL_NO_TIME: there is none */
    int64_t end;  /* ticks of facts.out: where presentation ends, counted as times of packets */
    int32_t trim; /* samples cut off the last one */
    int64_t last_duration; /* of the last packet, source ticks; SL_NO_TIME */
    struct vod_once decoding;
    struct vod_decoded decoded;
};

/* ---- the source ------------------------------------------------------------------------------ */

struct vod_reader {
    struct sl_source *source;
    struct sl_window *window;
    struct sl_demuxer *demuxer;
    struct vod_reader *next;
};

/* Where a segment of passed-through pictures begins. */
struct vod_edge {
    int64_t dts;      /* ticks of facts.out */
    int64_t earliest; /* pts, the same */
    bool closed;      /* decoding can start here and nothing is missing */
};

/* How pictures are re-encoded. */
struct vod_rung {
    char name[SL_VOD_NAME_MAX];
    int32_t width, height;
    int64_t bitrate, maxrate, buffer; /* bit/s, bits */
    int level;
};

struct sl_vod {
    char *where;
    enum sl_status (*open)(void *opaque, struct sl_source **out, struct sl_error *err);
    void *opaque;
    const struct sl_log *log;
    struct sl_rational target;
    char preset[16];
    int64_t audio_bitrate;
    char settings[256];

    pthread_mutex_t lock; /* of all below that is not decided by sl_vod_open */
    pthread_cond_t changed;
    struct vod_reader *idle;
    unsigned readers, readers_max;
    int64_t size; /* bytes; -1: not known */

    struct sl_vod_info info;
    struct sl_track *tracks; /* copies: readers come and go */
    struct vod_track *known; /* beside tracks */
    size_t picture;          /* index; info.track_count: none */
    size_t sound;            /* the default one; the same */
    bool may_jump;
    struct sl_vod_rendition *renditions;
    int64_t zero; /* time 0 in ticks of zero_base */
    struct sl_rational zero_base;

    struct vod_rung rungs[SL_LADDER_RUNGS_MAX];
    size_t rung_count;

    /* vod_table.c */
    struct vod_once indexing;
    struct sl_cuts cuts; /* of the picture: source ticks from zero on, the first one 0 */
    int64_t *bytes;      /* of each segment, as the index has it; NULL: it does not */
    bool bytes_of_all;   /* they are those of all tracks */
    struct vod_once ending;
    struct sl_cuts real;  /* those of cuts that have pictures behind them, and the end */
    struct sl_cuts split; /* as real, for what need not begin at a key frame */
    struct vod_once edging;
    struct vod_edge *edges; /* one for each of real, and the end */
    bool closed;            /* all of them are */
    bool jumped;            /* times start anew somewhere */

    /* vod_encode.c */
    struct vod_once picturing;
    struct vod_first_picture {
        enum sl_pixel_format format;
        int32_t width, height;
        struct sl_colour colour;
        struct sl_rational sample_aspect;
    } first;
    struct vod_record { /* of each rung's encoder, once one was opened; under the lock */
        uint8_t *data;
        size_t size;
    } records[SL_LADDER_RUNGS_MAX];
};

/* ---- jobs (vod_pool.c) ---------------------------------------------------------------------- */

struct vod_job {
    struct sl_vod *vod;
    const struct sl_cancel *cancel;
    struct vod_reader *reader;
    struct sl_jumps jumps;
    bool jumping;
};

SL_NODISCARD enum sl_status sl_vod_reader_open(struct sl_vod *v, struct vod_reader **out,
                                               struct sl_error *err);
void sl_vod_reader_close(struct vod_reader **r);
/* Takes a reader. Jobs begun must end; ending one that did not begin is fine. */
SL_NODISCARD enum sl_status sl_vod_begin(struct vod_job *j, struct sl_vod *v,
                                         const struct sl_cancel *cancel, struct sl_error *err);
void sl_vod_end(struct vod_job *j);
/* Goes to the last sync sample of a track at or before time (source ticks), or to the first one,
 * and reads the tracks of the set from there. */
SL_NODISCARD enum sl_status sl_vod_seek(struct vod_job *j, size_t track, int64_t time, uint64_t set,
                                        struct sl_error *err);
/* The next packet; SL_EOF at the end and where damage ends the source. */
SL_NODISCARD enum sl_status sl_vod_read(struct vod_job *j, struct sl_packet **out,
                                        struct sl_error *err);
SL_NODISCARD enum sl_status sl_vod_check(const struct vod_job *j, struct sl_error *err);
int64_t sl_vod_time(const struct sl_packet *p); /* pts, else dts */

SL_NODISCARD enum sl_status
sl_vod_once(struct sl_vod *v, struct vod_once *once,
            enum sl_status (*work)(struct vod_job *j, void *arg, struct sl_error *err), void *arg,
            const struct sl_cancel *cancel, struct sl_error *err);

/* ---- packets with their final times --------------------------------------------------------- */

struct vod_run {
    struct sl_packet **items; /* owned, references too */
    size_t count, capacity;
    int64_t memory;
    int64_t start, end; /* dts of the first one, and end of the last */
};
SL_NODISCARD enum sl_status sl_vod_run_add(struct vod_run *run, struct sl_packet *p,
                                           struct sl_error *err); /* takes over in any case */
void sl_vod_run_clear(struct vod_run *run);

/* ---- places of sound that is decoded (vod_chain.c) ------------------------------------------ */

/* Where frames of sound go on the line of samples: as filter/sound.h decides it. Who begins in the
 * middle does not know where the line stands, only that it is not far from what the first packet
 * says; but each frame that is moved to its own time makes all possible places one. */
#define VOD_PLACES 32
struct vod_chain {
    const struct vod_decoded *d;
    int64_t next;    /* where the line stands; SL_NO_TIME: nothing has been placed */
    unsigned before; /* window of the last packet, where frames are counted */
    bool irregular;  /* a time was not the grid's */
    struct vod_places {
        int64_t low, high;
    } places[VOD_PLACES]; /* while next is not known: all that it can be */
    size_t place_count;
};
/* The place of a packet of this time; the chain goes on behind it. The first one is where its time
 * says. */
int64_t sl_vod_chain_place(struct vod_chain *c, const struct sl_packet *p, int64_t time);
/* A packet before those that count. */
void sl_vod_chain_warm(struct vod_chain *c, const struct sl_packet *p, int64_t time);
/* What follows is to be placed. SL_EAGAIN: it is not known where; who begins earlier may know. */
SL_NODISCARD enum sl_status sl_vod_chain_settle(struct vod_chain *c, int64_t time);
/* True where the time is the grid's, but for the container's rounding. */
bool sl_vod_chain_regular(const struct vod_decoded *d, int64_t time);
/* Where the line stands behind the last packet of a track; samples of rate. */
SL_NODISCARD enum sl_status sl_vod_chain_end(struct vod_job *j, size_t track, struct vod_decoded *d,
                                             int64_t last, int64_t *end, struct sl_error *err);
/* Reads all of a track, once. */
SL_NODISCARD enum sl_status sl_vod_mark_all(struct vod_job *j, size_t track, struct vod_decoded *d,
                                            struct sl_error *err);
SL_NODISCARD enum sl_status sl_vod_need_marks(struct sl_vod *v, size_t track,
                                              const struct sl_cancel *cancel, struct sl_error *err);
/* The last mark at or before a place; NULL: none. */
const struct vod_mark *sl_vod_mark_before(const struct vod_decoded *d, int64_t place);

/* vod_look.c: header, first packets, renditions. */
SL_NODISCARD enum sl_status sl_vod_look(struct sl_vod *v, struct vod_reader *r,
                                        const struct sl_cancel *cancel, struct sl_error *err);
/* vod_offer.c */
SL_NODISCARD enum sl_status sl_vod_offer(struct sl_vod *v, struct sl_error *err);
bool sl_vod_plays(enum sl_codec codec); /* some browser, out of fMP4 */
bool sl_vod_ts_carries(enum sl_codec codec);

/* vod_table.c. All remember. */
SL_NODISCARD enum sl_status sl_vod_need_cuts(struct sl_vod *v, const struct sl_cancel *cancel,
                                             struct sl_error *err);
SL_NODISCARD enum sl_status sl_vod_need_ends(struct sl_vod *v, const struct sl_cancel *cancel,
                                             struct sl_error *err);
SL_NODISCARD enum sl_status sl_vod_need_edges(struct sl_vod *v, const struct sl_cancel *cancel,
                                              struct sl_error *err);
/* The index that a demuxer has, at open. */
SL_NODISCARD enum sl_status sl_vod_take_index(struct sl_vod *v, struct sl_demuxer *d, bool *found,
                                              struct sl_error *err);
/* A cut, or the end, in ticks from zero of some track's timebase. */
int64_t sl_vod_cut_in(const struct sl_vod *v, int64_t cut, struct sl_rational timebase,
                      enum sl_rounding rounding);
/* Where segments of a rendition begin, playlist and bytes alike: dts of tracks (counted as packets'
 * are), from the first to the end. */
SL_NODISCARD enum sl_status sl_vod_table(struct sl_vod *v, const struct sl_vod_rendition *r,
                                         struct sl_cuts *out, const struct sl_cancel *cancel,
                                         struct sl_error *err);

/* Moves the first cut of a table of sl_vod_table() to where presentation begins: what is decoded
 * before and not shown counts for no playlist. */
void sl_vod_table_shown(const struct sl_vod *v, const struct sl_vod_rendition *r,
                        struct sl_cuts *c);

/* vod_picture.c: passed-through pictures coded from the first one shown at or after from up to the
 * first one shown at or after to (source ticks from zero; VOD_FIRST, VOD_LAST). */
SL_NODISCARD enum sl_status sl_vod_pictures(struct vod_job *j, int64_t from, int64_t to,
                                            struct vod_run *run, struct sl_error *err);
/* SL_ENOTFOUND: there are no pictures from there on. */
SL_NODISCARD enum sl_status sl_vod_edge_at(struct vod_job *j, int64_t from, struct vod_edge *out,
                                           struct sl_error *err);

/* vod_sound.c: passed-through sound whose place is in [from, to), made to begin and end there. */
SL_NODISCARD enum sl_status sl_vod_sounds(struct vod_job *j, size_t track, int64_t from, int64_t to,
                                          struct vod_run *run, struct sl_error *err);

/* vod_decode.c: one packet (NULL: drains), and what comes of it handed to take, until *full. */
struct vod_decoding {
    const struct sl_vod *vod;
    const char *what; /* "sound", for messages */
    struct sl_decoder *decoder;
    const bool *full;
    int64_t *damaged; /* packets */
    enum sl_status (*take)(void *opaque, struct sl_frame *f, struct sl_error *err);
    void *opaque;
};
SL_NODISCARD enum sl_status sl_vod_decode(const struct vod_decoding *d, struct sl_packet *p,
                                          struct sl_error *err);

/* vod_decoded.c */
SL_NODISCARD enum sl_status sl_vod_need_decoded(struct sl_vod *v, size_t track,
                                                const struct sl_cancel *cancel,
                                                struct sl_error *err);
/* vod_convert.c */
SL_NODISCARD enum sl_status sl_vod_open_aac(const struct sl_vod *v, const struct vod_decoded *d,
                                            struct sl_coder **out, struct sl_error *err);
/* Packets of AAC with pts in [from, to), samples; to: VOD_LAST for all there are. SL_EAGAIN, and
 * nothing in run: times are not regular, sl_vod_need_marks first. */
SL_NODISCARD enum sl_status sl_vod_convert(struct vod_job *j, size_t track, int64_t from,
                                           int64_t to, struct vod_run *run, struct sl_error *err);

/* vod_encode.c */
SL_NODISCARD enum sl_status sl_vod_need_picture(struct sl_vod *v, const struct sl_cancel *cancel,
                                                struct sl_error *err);
/* The track that an encoder of this rung announces; clear it. */
SL_NODISCARD enum sl_status sl_vod_rung_track(struct sl_vod *v, const struct vod_rung *rung,
                                              struct sl_track *out, struct sl_error *err);
/* Segment n of split. track: a copy of the encoder's; clear it. */
SL_NODISCARD enum sl_status sl_vod_encode(struct vod_job *j, const struct vod_rung *rung, size_t n,
                                          struct vod_run *run, struct sl_track *track,
                                          struct sl_error *err);
const struct vod_rung *sl_vod_rung_of(const struct sl_vod *v, const struct sl_vod_rendition *r);

/* vod_rates.c: bit/s, never less than what segments take. */
struct vod_rates {
    int64_t peak, average;
    int64_t wrapping; /* of peak: what the format adds */
    bool of_all;      /* sound is in them, as the source has it */
};
SL_NODISCARD enum sl_status sl_vod_video_rates(const struct sl_vod *v,
                                               const struct sl_vod_rendition *r,
                                               enum sl_vod_format format, struct vod_rates *out,
                                               struct sl_error *err);
struct vod_rates sl_vod_sound_rates(const struct sl_vod *v, const struct sl_vod_rendition *r,
                                    enum sl_vod_format format);

/* vod_text.c: a WebVTT file of what is shown in [from, to), milliseconds. */
SL_NODISCARD enum sl_status sl_vod_text(struct vod_job *j, size_t track, int64_t from, int64_t to,
                                        enum sl_vod_format format, struct sl_chain *out,
                                        struct sl_error *err);

#endif
