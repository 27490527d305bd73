/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files behind runs.h share. A mirror is what we know of one run; its view is what is
 * handed out, the same bytes for all who ask, and never changes: a worker makes the next one when
 * the registry says that the run has changed and somebody wants to know. */
#ifndef SL_SERVE_RUNS_CORE_H
#define SL_SERVE_RUNS_CORE_H

#include <stdatomic.h>

#include "base/lru.h"
#include "serve/runs.h"

#define SL_PLAYOUT_MIRRORS_MAX 256
#define SL_PLAYOUT_WORKERS     4
#define SL_PLAYOUT_EVENTS_MAX  1024       /* streams of events at a time */
#define SL_PLAYOUT_TEXT_MAX    (64 << 20) /* bytes of one playlist */
#define SL_PLAYOUT_HEARTBEAT   15000000   /* microseconds */
#define SL_PLAYOUT_HOLD        12000000   /* where no target duration is known yet */
#define SL_PLAYOUT_HOLD_MAX    60000000

/* A text, and its entity tag. */
struct sl_run_text {
    struct sl_answer *answer; /* NULL: there is none yet */
    char etag[20];
};

struct sl_rendition_view {
    char name[SL_REGISTRY_NAME_MAX];
    int64_t first, next; /* the same: no segment yet */
    int64_t target;      /* seconds */
    struct sl_run_text playlist;
};

struct sl_run_view {
    atomic_uint refs;
    bool gone; /* there is no such run; nothing else is set */
    enum sl_run_state state;
    int64_t revision;
    int64_t hold; /* microseconds: three target durations */
    struct sl_run_text master;
    bool master_whole;       /* every rendition has a segment */
    struct sl_answer *event; /* the run as a server-sent event */
    size_t count;
    struct sl_rendition_view renditions[];
};

struct sl_run_view *sl_run_view_ref(struct sl_run_view *v);
void sl_run_view_unref(struct sl_run_view **out); /* *NULL is fine */

/* One rendition, as far as it has been read: used by whoever refreshes. */
struct sl_run_track {
    char name[SL_REGISTRY_NAME_MAX];
    int64_t first, next;
    int64_t passed;                 /* EXT-X-DISCONTINUITY-SEQUENCE: of segments no longer shown */
    struct sl_writer body;          /* the lines of all segments; unused where there is a window */
    char init[SL_REGISTRY_CID_MAX]; /* of the last segment in body */
    int64_t clock;                  /* when the next one begins if nothing happens */
    struct sl_registry_segment *shown; /* the window; owned */
    size_t shown_count, shown_capacity;
};

struct sl_run_mirror {
    struct sl_lru_node node; /* first */
    char id[SL_REGISTRY_ID_MAX];
    struct sl_playout *runs;
    /* Under the lock. */
    bool dirty;      /* it has changed since the view was begun */
    bool refreshing; /* a worker has it */
    struct sl_run_view *view;
    struct sl_job *waiters;
    /* The worker's that refreshes. */
    int64_t created; /* of the run whose tracks these are */
    struct sl_run_track *tracks;
    size_t track_count;
};

struct sl_playout {
    struct sl_later *later;
    const struct sl_log *log;
    char *where;
    struct sl_later_pool pool;
    struct sl_registry *idle[SL_PLAYOUT_WORKERS]; /* under the lock */
    size_t idle_count;
    struct sl_lru mirrors;
    struct sl_answer *heartbeat;
    unsigned events; /* streams */
    struct sl_registry_watch *watch;
    bool out_of_reach; /* said once */
    struct event_base *base;
    struct event *watch_event, *tick;
    atomic_ullong refreshes, held, told;
};

/* ---- runs.c --------------------------------------------------------------------------------- */

int64_t sl_playout_now(void); /* microseconds, monotonic */
/* The registry for a worker, opened where none is idle. */
SL_NODISCARD enum sl_status sl_playout_take(struct sl_playout *runs, struct sl_registry **out,
                                            struct sl_error *err);
/* Gives it back after a call that came to status. */
void sl_playout_give(struct sl_playout *runs, struct sl_registry *r, enum sl_status status);
/* Under the lock. The mirror of a run, perhaps an empty one; NULL: no room. */
struct sl_run_mirror *sl_playout_mirror(struct sl_playout *runs, const char *id);
/* Under the lock: sees to it that the mirror is brought up to date. */
void sl_playout_refresh(struct sl_run_mirror *m);

/* ---- runs_view.c: on workers ---------------------------------------------------------------- */

SL_NODISCARD enum sl_status sl_run_view_make(struct sl_run_view **out, struct sl_run_mirror *m,
                                             struct sl_registry *r, struct sl_error *err);
void sl_run_tracks_clear(struct sl_run_mirror *m);

/* ---- runs_text.c ---------------------------------------------------------------------------- */

/* Takes the segments over into a track. */
SL_NODISCARD enum sl_status sl_run_track_add(struct sl_run_track *t,
                                             const struct sl_registry_rendition *rendition,
                                             const struct sl_registry_segment *segments,
                                             size_t count, struct sl_error *err);
void sl_run_track_write(const struct sl_run_track *t, const struct sl_registry_rendition *rendition,
                        enum sl_run_state state, struct sl_writer *out);
/* has: which of them have a segment. SL_ENOTFOUND: none that can be played. */
SL_NODISCARD enum sl_status sl_run_master_write(const struct sl_registry_rendition *renditions,
                                                const bool *has, size_t count,
                                                struct sl_writer *out, struct sl_error *err);
/* A playlist of ours whose links to /ipfs/ are signed one by one. */
struct sl_sign_key;
void sl_run_sign_links(const uint8_t *text, size_t size, const struct sl_sign_key *key,
                       int64_t expires, const char *address, struct sl_writer *out);

/* ---- runs_job.c ----------------------------------------------------------------------------- */

/* Under the lock: there is a new view, or time has passed. */
void sl_run_job_look(struct sl_job *j, struct sl_run_view *view, int64_t now);
/* Under the lock: no view could be made, and there is none. */
void sl_run_job_fail(struct sl_job *j, enum sl_status status);

#endif
