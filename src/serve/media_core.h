/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the library share. One lock for all of its tables: it is held for lookups and
 * links, never for work. */
#ifndef SL_SERVE_MEDIA_CORE_H
#define SL_SERVE_MEDIA_CORE_H

#include <pthread.h>

#include "base/lru.h"
#include "serve/cache_disk.h"
#include "serve/cache_memory.h"
#include "serve/media.h"

#define SL_MEDIA_FLIGHTS_MAX 1024 /* questions that are being worked on or wait for that */
#define SL_MEDIA_KEY_MAX     256
/* Threads that wait for origins: a slow one must not hold up what lies on this machine. */
#define SL_MEDIA_REMOTE_WORKERS 16
/* Seconds after which a multivariant playlist asks whether an address is still what it was. */
#define SL_MEDIA_FRESH 60

/* A source that is open, or being opened. */
struct sl_media_source {
    struct sl_lru_node node; /* first */
    char id[17];
    char address[17]; /* that it was opened at */
    char version[17]; /* once it is ready: id, or what tells versions of an address apart */
    int64_t opened;   /* monotonic microseconds */
    unsigned refs;    /* flights and streams */
    bool ready;
    bool gone; /* not in the table any more: whoever uses it last closes it */
    void *source;
    struct sl_flight *parked; /* what waits until it is open */
};

/* One question that is being worked on, and everybody who waits for the answer. */
struct sl_flight {
    struct sl_lru_node node; /* first */
    char key[SL_MEDIA_KEY_MAX];
    struct sl_media *media;
    struct sl_media_want *want;
    bool listed; /* others can join */
    bool head_only;
    bool costly, counted; /* counted: takes one of the places of transcodes */
    bool ahead;           /* nobody but read-ahead asked so far */
    struct sl_cancel cancel;
    struct sl_waiter *waiters;
    struct sl_media_source *source;
    struct sl_media_stream *stream;
    struct sl_flight *next; /* among the parked */
    char version[17];       /* of its source; empty: not known yet */
    char settings[9];
    bool again;         /* it was tried before, with what another address had opened */
    int fault;          /* of the source's origin: the status of HTTP; 0: none */
    const char *detail; /* for the client; NULL: what goes with the status */
};

struct sl_media_stream {
    struct sl_media *media;
    struct sl_media_source *source;
    struct sl_media_want *want;
    void *stream;
    bool costly;
    bool busy;   /* a worker has it */
    bool orphan; /* whoever has it closes it */
};

struct sl_media_counts {
    atomic_ullong asked, memory_hits, disk_hits, joined, made, failed, cancelled, ahead, refused;
    atomic_ullong origin_failed;
    atomic_uint running, coding; /* now */
};

struct sl_media {
    struct sl_media_params params; /* its texts are not to be used after sl_media_create */
    struct sl_media_engine engine;
    const struct sl_log *log;
    int root; /* descriptor; -1: none */
    bool have_openat2;
    pthread_mutex_t lock;
    struct sl_lru flights, sources;
    struct sl_cache_memory answers;
    struct sl_cache_disk *disk; /* NULL: none; has a lock of its own */
    struct sl_cache_memory descriptions;
    struct sl_pool *quick, *coders;
    struct sl_pool *remote; /* NULL: no addresses */
    unsigned outstanding;   /* flights */
    unsigned places;        /* of transcodes that run or wait */
    unsigned streams;
    bool closing;
    struct sl_cancel cancel;
    struct sl_media_counts counts;
    atomic_llong gathered; /* bytes of ranges that were read into memory and are not gone yet */
};

/* ---- media.c ------------------------------------------------------------------------------ */

/* Under the lock, like all that touches lists of waiters. */
void sl_waiter_enlist(struct sl_waiter **head, struct sl_waiter *w);
void sl_waiter_unlist(struct sl_waiter *w);
/* NULL when memory runs out. */
struct sl_flight *sl_flight_create(struct sl_media *m, const struct sl_media_want *want);
void sl_flight_free_unused(struct sl_flight *f); /* one that never was on its way; NULL is fine */
/* The name of an answer. id: the source's, or its version. */
void sl_media_key(const struct sl_media_want *w, const char *id, bool head_only,
                  char key[SL_MEDIA_KEY_MAX]);
/* Where work on a question starts. */
struct sl_pool *sl_media_pool(const struct sl_media *m, const struct sl_media_want *w);
/* A version as viewers see it. */
void sl_media_shown(const struct sl_media *m, const struct sl_media_want *w, const char *version,
                    char shown[17]);

/* ---- media_make.c: on workers ------------------------------------------------------------- */

/* Asks the engine; a is empty. Never SL_OK and an empty answer. */
SL_NODISCARD enum sl_status sl_flight_make(struct sl_flight *f, struct sl_answer *a,
                                           struct sl_error *err);

/* ---- media_run.c: on workers -------------------------------------------------------------- */

void sl_flight_run(void *arg, const struct sl_cancel *cancel);
void sl_flight_drop(void *arg); /* the pool was cancelled first */
/* Tells all who wait, and frees the flight. answer is taken over. */
void sl_flight_finish(struct sl_flight *f, enum sl_status status, const struct sl_error *err,
                      struct sl_answer *answer);
/* Under the lock: hands w its outcome. */
void sl_waiter_ready(struct sl_waiter *w);
int sl_media_http_status(enum sl_status status);

/* ---- media_source.c ----------------------------------------------------------------------- */

enum sl_source_result {
    SL_SOURCE_READY,
    SL_SOURCE_PARKED, /* the flight comes back by itself, or is finished */
    SL_SOURCE_FAILED, /* so is the flight */
};
/* Sets f->source, which counts as used. */
enum sl_source_result sl_media_source_get(struct sl_flight *f);
void sl_media_source_put(struct sl_media *media, struct sl_media_source **source);
/* Whoever comes next opens it anew. */
void sl_media_source_drop(struct sl_media *media, struct sl_media_source *source);
/* Under the lock: whether a question may still be answered from it. */
bool sl_media_source_fresh(const struct sl_media_source *s, const struct sl_media_want *w);
void sl_media_sources_clear(struct sl_media *media);

/* ---- media_list.c ------------------------------------------------------------------------- */

/* The library as JSON. */
SL_NODISCARD enum sl_status sl_media_list(struct sl_flight *f, struct sl_chain *out,
                                          struct sl_error *err);

#endif
