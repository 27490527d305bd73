/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry: which runs there are, what was published of each, and what an IPFS node still has
 * to get. It is the truth about a run; playlists are made from it. docs/registry.md has the schema
 * and what holds after a crash.
 *
 * A registry is a file (SQLite) or a database of PostgreSQL (postgres://…). Both engines are
 * modules that are opened at first need. Any number of processes and machines may use one registry
 * at once.
 *
 * What every call comes to, beside the usual: SL_EBUSY where it cannot be done right now for a
 * reason that can pass: another holds the lock, the server cannot be reached, the file is gone, the
 * disk is full. Nothing has changed then (or all of it has, where the connection broke at the very
 * end), the same call may be tried again for as long as one likes, and never does a thing twice.
 * SL_EIO and SL_EDATA do not pass by themselves: no permission, a damaged file.
 *
 * Times are microseconds since 1970 in UTC. Texts are UTF-8; each has a maximum. A struct
 * sl_registry has one owner at a time and is not bound to a thread; open one for each thread. Calls
 * wait for locks and for the network, but never longer than params.wait_ms by much. */
#ifndef SL_REGISTRY_REGISTRY_H
#define SL_REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/media.h>

/* Bytes, with the terminator. */
#define SL_REGISTRY_ID_MAX     65  /* of a run: letters, digits and . _ - ; not . or - first */
#define SL_REGISTRY_NAME_MAX   65  /* of a rendition, by the same rule */
#define SL_REGISTRY_CID_MAX    128 /* letters and digits */
#define SL_REGISTRY_CODECS_MAX 128
#define SL_REGISTRY_WORD_MAX   33 /* profile, language, kind */
#define SL_REGISTRY_ERROR_MAX  512
#define SL_REGISTRY_NODE_MAX   256
/* Of JSON texts, without the terminator. */
#define SL_REGISTRY_OPTIONS_MAX ((size_t)64 << 10)
#define SL_REGISTRY_RESUME_MAX  ((size_t)1 << 20)
/* Of a run, and of one page or call. */
#define SL_REGISTRY_RENDITIONS_MAX 64
#define SL_REGISTRY_SEGMENTS_MAX   10000000
#define SL_REGISTRY_PAGE_MAX       1000
#define SL_REGISTRY_UPLOADS_MAX    64

struct sl_registry;

struct sl_registry_params {
    const struct sl_log *log;
    int wait_ms;    /* for locks and connections, in all, before SL_EBUSY; 0: not at all */
    bool create;    /* SQLite: a file that is not there is made */
    bool read_only; /* nothing is written, no migration applied */
};
#define SL_REGISTRY_WAIT_MS 5000 /* the default */

/* Where the runs of a store are: the registry that is named, or (NULL, "") a file in the store's
 * directory. sl_free() it; NULL: no memory. */
char *sl_registry_of_store(const char *store, const char *registry);

/* where: postgres://… or postgresql://…, else the path of a file. params may be NULL: defaults,
 * create. Applies the migrations that are missing, in one transaction. SL_EUNSUPPORTED: written by
 * a newer Sluice, or the engine's module cannot be had. */
SL_NODISCARD enum sl_status sl_registry_open(struct sl_registry **out, const char *where,
                                             const struct sl_registry_params *params,
                                             struct sl_error *err);
void sl_registry_close(struct sl_registry **r); /* NULL and *NULL are fine */
/* For messages: the path, or the URL without its password. */
const char *sl_registry_name(const struct sl_registry *r);
/* The registry's clock: the server's, so that machines agree. */
int64_t sl_registry_now(const struct sl_registry *r);

/* ---- runs ------------------------------------------------------------------------------- */

/* Stored by name ("running"). Only RUNNING has a writer. */
enum sl_run_state {
    SL_RUN_ANY = 0,      /* in filters alone */
    SL_RUN_RUNNING = 1,  /* a writer is at work, or was killed (see sl_registry_run.alive) */
    SL_RUN_FINISHED = 2, /* nothing more will come: ENDLIST */
    SL_RUN_STOPPED = 3,  /* ended on request, can be resumed */
    SL_RUN_FAILED = 4,   /* ended by an error, can be resumed */
};
const char *sl_run_state_name(enum sl_run_state state);                  /* never NULL */
bool sl_run_state_parse(const char *name, enum sl_run_state *out_state); /* not ANY */

struct sl_registry_run {
    char id[SL_REGISTRY_ID_MAX];
    enum sl_run_state state;
    /* RUNNING: its writer has been heard of within its lease, and if it is a process of this
     * machine it lives. False: it was killed; whoever claims the run may go on. */
    bool alive;
    int64_t created, updated;
    int64_t ended;    /* SL_NO_TIME: not yet */
    int64_t revision; /* rises with each change that readers see; 0: nothing was published */
    char profile[SL_REGISTRY_WORD_MAX];
    char master_cid[SL_REGISTRY_CID_MAX]; /* "": none yet */
    char root_cid[SL_REGISTRY_CID_MAX];   /* the directory of a finished run; "": none */
    char error[SL_REGISTRY_ERROR_MAX];    /* FAILED */
    char *options;                        /* JSON object; owned */
    char *resume; /* JSON object, the pipeline's own; owned; NULL where not asked for, or none */
};
void sl_registry_run_clear(struct sl_registry_run *run);

/* A writer's right to a run. Whoever claims a run again takes it from whoever had it: from then on
 * the calls of the old one are SL_ECANCELLED, so that two never write. Plain data: may be copied.
 */
struct sl_registry_claim {
    char run[SL_REGISTRY_ID_MAX];
    int64_t epoch; /* rises with each claim of this run */
    int64_t lease; /* microseconds */
    bool created;  /* by this claim */
};

struct sl_registry_claim_params {
    const char *run;
    const char *profile; /* of the store; NULL: "" */
    const char *options; /* JSON object; NULL: {}; kept as it was where the run is there */
    bool may_exist;      /* go on with a run that is there; else SL_EEXIST */
    bool force;          /* take it from a writer that seems to be alive */
    int lease_ms;        /* for how long the writer counts as alive without a word; 0: 15 s */
};
#define SL_REGISTRY_LEASE_MS 15000

/* Creates a run, or goes on with one, in state RUNNING. A writer of this machine that has died is
 * known to be dead at once; others count as alive until their lease is over: SL_EBUSY. SL_EEXIST:
 * the run is there and may_exist is not set. A finished run is never gone on with: SL_EINVAL. */
SL_NODISCARD enum sl_status sl_registry_claim(struct sl_registry *r,
                                              const struct sl_registry_claim_params *params,
                                              struct sl_registry_claim *out, struct sl_error *err);
/* Extends the lease, as every other call with a claim does: for a writer that has nothing to say
 * for longer than a third of the lease. */
SL_NODISCARD enum sl_status sl_registry_touch(struct sl_registry *r,
                                              const struct sl_registry_claim *claim,
                                              struct sl_error *err);
struct sl_registry_end {
    enum sl_run_state state;                  /* not RUNNING */
    const char *error;                        /* NULL: none; cut to its maximum */
    const char *root_cid;                     /* NULL: none */
    const char *master_cid;                   /* NULL: as it is */
    const char *resume;                       /* NULL: as it is; FINISHED removes it */
    const struct sl_registry_upload *uploads; /* as in struct sl_registry_announcement */
    size_t upload_count;
};
/* Ends the writing, and the claim. Doing it again the same way is fine. */
SL_NODISCARD enum sl_status sl_registry_end_run(struct sl_registry *r,
                                                const struct sl_registry_claim *claim,
                                                const struct sl_registry_end *end,
                                                struct sl_error *err);

/* SL_ENOTFOUND. resume is read only where with_resume. sl_registry_run_clear() it. */
SL_NODISCARD enum sl_status sl_registry_run(struct sl_registry *r, const char *id, bool with_resume,
                                            struct sl_registry_run *out, struct sl_error *err);

/* Newest first. Zero: from the start. */
struct sl_registry_runs_query {
    enum sl_run_state state; /* SL_RUN_ANY: all */
    bool after;              /* begin behind this run: the last one of the page before */
    int64_t after_created;
    char after_id[SL_REGISTRY_ID_MAX];
    size_t limit; /* 0 or more than SL_REGISTRY_PAGE_MAX: SL_REGISTRY_PAGE_MAX */
};
/* *count runs in *out (without resume); fewer than the limit: there are no more. Free with
 * sl_registry_runs_free. */
SL_NODISCARD enum sl_status sl_registry_runs(struct sl_registry *r,
                                             const struct sl_registry_runs_query *query,
                                             struct sl_registry_run **out, size_t *count,
                                             struct sl_error *err);
void sl_registry_runs_free(struct sl_registry_run **runs, size_t count);

/* With all that belongs to it but the uploads, which are still done: what is stored is the store's
 * affair. SL_EBUSY: its writer is alive, and force is not set. SL_ENOTFOUND. */
SL_NODISCARD enum sl_status sl_registry_delete_run(struct sl_registry *r, const char *id,
                                                   bool force, struct sl_error *err);

/* ---- renditions and segments ------------------------------------------------------------- */

struct sl_registry_rendition {
    char name[SL_REGISTRY_NAME_MAX];
    char kind[SL_REGISTRY_WORD_MAX]; /* "video", "audio", "subtitles" */
    char codecs[SL_REGISTRY_CODECS_MAX];
    char language[SL_REGISTRY_WORD_MAX];
    char format[SL_REGISTRY_WORD_MAX]; /* "fmp4", "ts" */
    int32_t width, height;             /* 0: no picture */
    int32_t channels, sample_rate;     /* 0: no sound */
    int32_t target_duration;           /* whole seconds, fixed */
    int32_t window;                    /* segments that a live playlist shows; 0: all (EVENT) */
    struct sl_rational frame_rate;     /* 0/1: none */
    struct sl_rational timebase;       /* of segments' starts and durations */
    int64_t bitrate;                   /* the most, with overhead: BANDWIDTH */
    int64_t average_bitrate;           /* 0: not known yet */
    /* Set by the registry. */
    int64_t first;    /* number of the first segment */
    int64_t next;     /* number that comes next; 0: there is none yet, any may be the first */
    int64_t end;      /* ticks: the last segment's start + duration */
    int64_t bytes;    /* of all segments */
    int64_t revision; /* of the run, when this rendition changed last */
    char playlist_cid[SL_REGISTRY_CID_MAX]; /* "": none yet */
};

/* Names the renditions of a run, in the order that players see. Those that are there are brought up
 * to date in what may change (codecs, bitrates); timebase, format and size may not: SL_EEXIST.
 * Others that are there stay. */
SL_NODISCARD enum sl_status sl_registry_set_renditions(struct sl_registry *r,
                                                       const struct sl_registry_claim *claim,
                                                       const struct sl_registry_rendition *all,
                                                       size_t count, struct sl_error *err);
/* All of a run, in their order; *out is freed with sl_free. */
SL_NODISCARD enum sl_status sl_registry_renditions(struct sl_registry *r, const char *run,
                                                   struct sl_registry_rendition **out,
                                                   size_t *count, struct sl_error *err);

struct sl_registry_segment {
    int64_t number;
    char cid[SL_REGISTRY_CID_MAX];      /* "" exactly where gap */
    char init_cid[SL_REGISTRY_CID_MAX]; /* EXT-X-MAP; "": none */
    int64_t start, duration;            /* ticks of the rendition's timebase; duration > 0 */
    int64_t bytes;
    int64_t init_bytes;
    int64_t program_time; /* of its start; SL_NO_TIME: none */
    bool discontinuity;   /* in front of it */
    bool gap;             /* was lost: EXT-X-GAP */
};

struct sl_registry_segments_query {
    const char *run, *rendition;
    int64_t first; /* number */
    bool last;     /* the last limit ones instead: the window of a live playlist */
    size_t limit;  /* 0 or more than SL_REGISTRY_PAGE_MAX: SL_REGISTRY_PAGE_MAX */
};
/* *count segments in order; fewer than the limit: there are no more. *out is freed with sl_free.
 * SL_ENOTFOUND: no such run or rendition. */
SL_NODISCARD enum sl_status sl_registry_segments(struct sl_registry *r,
                                                 const struct sl_registry_segments_query *query,
                                                 struct sl_registry_segment **out, size_t *count,
                                                 struct sl_error *err);

/* What becomes visible at once. */
struct sl_registry_item {
    const char *rendition;
    const struct sl_registry_segment *segments; /* in order of number */
    size_t segment_count;
    const char *playlist_cid; /* NULL: as it is */
};

enum sl_upload_what {
    SL_UPLOAD_ADD = 1,   /* the object goes to the node and is pinned there */
    SL_UPLOAD_UNPIN = 2, /* the node may forget it */
};

/* One thing that a node has to be told. Queueing what is queued already is fine. */
struct sl_registry_upload {
    int64_t id;                      /* set by the registry; rises with the order of queueing */
    char node[SL_REGISTRY_NODE_MAX]; /* the node's address */
    char cid[SL_REGISTRY_CID_MAX];
    char run[SL_REGISTRY_ID_MAX]; /* for messages; "": none */
    enum sl_upload_what what;
    int32_t attempts;                  /* failed ones */
    int64_t next;                      /* not before */
    int64_t queued;                    /* when */
    char error[SL_REGISTRY_ERROR_MAX]; /* of the last attempt */
};

struct sl_registry_announcement {
    const struct sl_registry_item *items;
    size_t item_count;                        /* up to SL_REGISTRY_RENDITIONS_MAX */
    const char *master_cid;                   /* NULL: as it is */
    const char *resume;                       /* JSON object; NULL: as it is */
    const struct sl_registry_upload *uploads; /* node, cid, what; queued in the same transaction */
    size_t upload_count;
};

/* Publishes: all of it or nothing, durable when this returns, and readers are told. A segment's
 * number is the rendition's next one; one that was published before is passed over where it is the
 * same segment (CID, start, duration, flags) and SL_EEXIST, with nothing published, where it is
 * not. SL_EINVAL: a number that leaves a hole. SL_ECANCELLED: the claim was taken over, or ended.
 * *revision (may be NULL) is the run's afterwards. */
SL_NODISCARD enum sl_status sl_registry_announce(struct sl_registry *r,
                                                 const struct sl_registry_claim *claim,
                                                 const struct sl_registry_announcement *a,
                                                 int64_t *revision, struct sl_error *err);

/* ---- uploads ---------------------------------------------------------------------------- */

/* Outside of an announcement. */
SL_NODISCARD enum sl_status sl_registry_queue_uploads(struct sl_registry *r,
                                                      const struct sl_registry_upload *uploads,
                                                      size_t count, struct sl_error *err);
struct sl_registry_take {
    const char *node; /* NULL: all */
    const char *run;  /* NULL: of all */
    size_t limit;     /* 0 or more than SL_REGISTRY_UPLOADS_MAX: SL_REGISTRY_UPLOADS_MAX */
    int lease_ms;     /* how long they are this caller's */
    int64_t next; /* set where none is due: when the next one will be, SL_NO_TIME: there is none */
};
/* Takes uploads whose time has come, the longest due first, for this caller alone: each is out of
 * sight for lease_ms, then due again unless done or put back. *count may be 0. *out is freed with
 * sl_free. */
SL_NODISCARD enum sl_status sl_registry_take_uploads(struct sl_registry *r,
                                                     struct sl_registry_take *take,
                                                     struct sl_registry_upload **out, size_t *count,
                                                     struct sl_error *err);
/* Keeps one that was taken out of sight for lease_ms from now on; counts as no attempt. Sets next.
 */
SL_NODISCARD enum sl_status sl_registry_upload_hold(struct sl_registry *r,
                                                    struct sl_registry_upload *upload, int lease_ms,
                                                    struct sl_error *err);
/* The node has it; out of the queue. What was queued anew meanwhile stays. */
SL_NODISCARD enum sl_status sl_registry_upload_done(struct sl_registry *r,
                                                    const struct sl_registry_upload *upload,
                                                    struct sl_error *err);
/* It failed: attempts is counted up by one from upload->attempts, due again at next. */
SL_NODISCARD enum sl_status sl_registry_upload_failed(struct sl_registry *r,
                                                      const struct sl_registry_upload *upload,
                                                      int64_t next, const char *error,
                                                      struct sl_error *err);
/* The queue itself, in its order, from behind after_id on (0: all); run NULL: of all runs. */
SL_NODISCARD enum sl_status sl_registry_uploads(struct sl_registry *r, const char *run,
                                                int64_t after_id, size_t limit,
                                                struct sl_registry_upload **out, size_t *count,
                                                struct sl_error *err);
/* What has failed is due now, whatever its next attempt was put off to. node, run NULL: all. */
SL_NODISCARD enum sl_status sl_registry_hasten_uploads(struct sl_registry *r, const char *node,
                                                       const char *run, struct sl_error *err);

struct sl_registry_upload_summary {
    int64_t count;
    int64_t attempts;                /* the most that one of them has failed */
    int64_t next;                    /* when the first of them is due; SL_NO_TIME: there is none */
    char node[SL_REGISTRY_NODE_MAX]; /* of the one that failed most */
    char error[SL_REGISTRY_ERROR_MAX]; /* and why it did; "": none has failed */
};
/* node, run NULL: all. */
SL_NODISCARD enum sl_status sl_registry_upload_summary(struct sl_registry *r, const char *node,
                                                       const char *run,
                                                       struct sl_registry_upload_summary *out,
                                                       struct sl_error *err);

/* ---- being told ------------------------------------------------------------------------- */

/* Tells what changes, whichever process changed it. One of these is enough for a process: it has a
 * connection of its own and one descriptor, which becomes readable; no thread. Single owner.
 *
 *   event_new(base, sl_registry_watch_fd(w), EV_READ | EV_PERSIST, on_readable, …)
 *   on_readable: sl_registry_watch_read(w, tell, opaque, &err)
 *
 * What was announced is told within a few milliseconds of being visible. Several changes of one run
 * are told as one. Look at the registry after opening the watch, then wait. */
struct sl_registry_watch;

struct sl_registry_change {
    /* "": more may have changed than can be told (the connection was lost meanwhile, the file was
     * replaced): look at whatever you are interested in. */
    char run[SL_REGISTRY_ID_MAX];
    int64_t revision; /* of the run; -1: it was deleted */
};

/* params as for sl_registry_open; read_only is meant in any case. The registry must be there. */
SL_NODISCARD enum sl_status sl_registry_watch_open(struct sl_registry_watch **out,
                                                   const char *where,
                                                   const struct sl_registry_params *params,
                                                   struct sl_error *err);
int sl_registry_watch_fd(const struct sl_registry_watch *w); /* stays the same */
/* When the descriptor is readable, and harmless at any other time; never waits. Calls tell for each
 * run that changed. Where the registry is out of reach this goes on trying by itself, says SL_EBUSY
 * once, and tells a change of "" when it is back. */
SL_NODISCARD enum sl_status
sl_registry_watch_read(struct sl_registry_watch *w,
                       void (*tell)(void *opaque, const struct sl_registry_change *change),
                       void *opaque, struct sl_error *err);
void sl_registry_watch_close(struct sl_registry_watch **w);

/* ---- JSON ------------------------------------------------------------------------------- */

/* A run with its renditions as one JSON object (sl_free it): what /runs/{id} and
 * "sluice runs show --json" give. */
SL_NODISCARD enum sl_status sl_registry_run_json(struct sl_registry *r, const char *id, char **out,
                                                 struct sl_error *err);
/* Where a page of runs ended, as text: what the next page is asked with. */
#define SL_REGISTRY_CURSOR_MAX (24 + SL_REGISTRY_ID_MAX)
void sl_registry_cursor_write(char out[SL_REGISTRY_CURSOR_MAX], const struct sl_registry_run *last);
/* Sets after, after_created and after_id. SL_EINVAL: not a cursor. */
SL_NODISCARD enum sl_status sl_registry_cursor_read(const char *cursor,
                                                    struct sl_registry_runs_query *out,
                                                    struct sl_error *err);
/* A page of runs as one JSON object {"runs": […], "next": cursor or null}; cursor NULL: from the
 * start. */
SL_NODISCARD enum sl_status sl_registry_runs_json(struct sl_registry *r, enum sl_run_state state,
                                                  const char *cursor, size_t limit, char **out,
                                                  struct sl_error *err);

#endif
