/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that have to be made: playlists, segments and pictures out of media files. This folder
 * knows no stages; it is handed an engine. Jobs run on workers, never on an event loop. See
 * docs/serve.md. */
#ifndef SL_SERVE_MEDIA_H
#define SL_SERVE_MEDIA_H

#include <sluice/log.h>
#include <sluice/options.h>

#include "base/bytes.h"
#include "base/pool.h"
#include "serve/answer.h"

/* ---- what is asked ------------------------------------------------------------------------ */

enum sl_media_what {
    SL_MEDIA_MASTER,
    SL_MEDIA_PLAYLIST,
    SL_MEDIA_INIT,
    SL_MEDIA_SEGMENT,
    SL_MEDIA_PICTURE,
    SL_MEDIA_STREAM, /* continuous, from time on */
    SL_MEDIA_LIST,   /* the library itself */
};

enum sl_media_form {
    SL_MEDIA_FMP4,
    SL_MEDIA_TS,
    SL_MEDIA_VTT,
};

#define SL_MEDIA_NAME_MAX 32

struct sl_media_ask {
    enum sl_media_what what;
    enum sl_media_form form;
    char rendition[SL_MEDIA_NAME_MAX];
    uint64_t number;
    struct sl_rational time; /* seconds */
    int32_t width, height;   /* of a picture: most */
};

struct sl_media_header {
    char *name, *value;
};

/* Where a source is: an open file, or an address. */
struct sl_media_input {
    struct sl_file *file; /* NULL: url */
    const char *name;     /* for messages: the path below the library's root */
    const char *url;
    const struct sl_media_header *headers; /* for the origin of url */
    size_t header_count;
    /* Whether a redirect of url may be followed. Outlives the source. */
    bool (*allowed)(const void *opaque, const char *url);
    const void *allowed_opaque;
    int *fault; /* set where open fails and the origin is to blame: the status of HTTP */
};

/* ---- who makes it ------------------------------------------------------------------------- */

/* Functions may be called from several threads at once, also for one source. Status codes become
 * those of HTTP: SL_ENOTFOUND 404, SL_EINVAL 400, SL_ENOMEM and SL_ECANCELLED 503, all else 500. */
struct sl_media_engine {
    const void *opaque;
    void (*destroy)(const void *opaque); /* may be NULL */
    const char *version;                 /* part of the name of all that is kept */
    enum sl_status (*open)(const void *opaque, const struct sl_media_input *input, void **source,
                           const struct sl_cancel *cancel, struct sl_error *err);
    void (*close)(void *source);
    /* Of an address: what tells this version of it from others. May be NULL where none is opened,
     * like fault. Lives as long as source. */
    const char *(*revision)(void *source);
    /* 0, or the status of HTTP that the first failure of a source's origin stands for. A source
     * that has one is of no more use. */
    int (*fault)(void *source);
    /* A line that names what decides about bytes besides the source: settings, coders. Lives as
     * long as source. */
    const char *(*settings)(void *source);
    /* Whether an answer decodes or encodes: such are limited, kept, and made ahead. */
    bool (*costly)(void *source, const struct sl_media_ask *ask);
    enum sl_status (*answer)(void *source, const struct sl_media_ask *ask, struct sl_chain *out,
                             const struct sl_cancel *cancel, struct sl_error *err);
    /* Members of a JSON object ("\"duration\":12.5,\"codecs\":…") that describe the source. */
    enum sl_status (*describe)(void *source, struct sl_writer *out, struct sl_error *err);
    /* A stream belongs to one caller at a time. next: SL_EOF at the end. */
    enum sl_status (*stream_open)(void *source, const struct sl_media_ask *ask, void **stream,
                                  struct sl_error *err);
    enum sl_status (*stream_next)(void *stream, struct sl_chain *out,
                                  const struct sl_cancel *cancel, struct sl_error *err);
    /* Makes a stream_next that runs come back soon. From any thread. */
    void (*stream_cancel)(void *stream);
    void (*stream_close)(void *stream);
};

/* ---- the library -------------------------------------------------------------------------- */

struct sl_media_params {
    const struct sl_media_engine *engine; /* copied; what it points to must outlive the library */
    const char *root;                     /* directory; NULL or "": none */
    const char *cache;                    /* directory; NULL or "": nothing is kept on disk */
    int64_t cache_size;                   /* bytes on disk */
    int64_t memory;                       /* bytes in memory */
    unsigned workers;                     /* threads for what is no coding */
    unsigned transcodes;                  /* threads for what is */
    unsigned waiting;                     /* transcodes that may wait for a thread */
    unsigned streams;                     /* continuous ones at a time */
    unsigned sources;                     /* kept open */
    bool remote;                          /* there are addresses among them */
    bool (*allowed)(const void *opaque, const char *url); /* as in sl_media_input */
    const void *allowed_opaque;
    const uint8_t *alias_key; /* 32 bytes: versions of addresses are shown as what tells nothing
                                 about them; NULL: as they are. Outlives the library */
};

struct sl_media;

SL_NODISCARD enum sl_status sl_media_create(struct sl_media **out,
                                            const struct sl_media_params *params,
                                            const struct sl_log *log, struct sl_error *err);
/* Cancels all that runs and waits for it. No port may be open. */
void sl_media_destroy(struct sl_media **out);
/* Cancels all that runs: nobody will wait for it any more. Thread-safe. */
void sl_media_cancel(struct sl_media *media);
void sl_media_write_metrics(struct sl_media *media, struct sl_writer *out);

/* One question about one source. */
struct sl_media_want {
    struct sl_media_ask ask;
    char id[17];          /* the source's identity: 16 hexadecimal digits. A file's tells its
                             version, too; an address has one once it is open */
    char address[17];     /* of url and headers, the same without an id of the caller's own */
    bool opaque;          /* id is the caller's: address may change, the source stays what it is */
    char version[17];     /* of an address: which one a pinned link means */
    char *name;           /* path or address, for messages */
    struct sl_file *file; /* open; NULL: url */
    char *url;
    struct sl_media_header *headers;
    size_t header_count;
    char *search; /* SL_MEDIA_LIST */
    int64_t offset, limit;
    bool pinned; /* the address named the source's identity: what it leads to never changes */
};

void sl_media_want_destroy(struct sl_media_want **out); /* *NULL is fine */
/* A copy; NULL when memory runs out. */
struct sl_media_want *sl_media_want_copy(const struct sl_media_want *want);

/* ---- waiting ------------------------------------------------------------------------------ */

/* Where a loop is told about finished work: fd becomes readable, then sl_media_deliver is due, on
 * that loop's thread. */
struct sl_media_port {
    struct sl_media *media;
    struct sl_waiter *ready;
    int fd;
};
SL_NODISCARD enum sl_status sl_media_port_open(struct sl_media_port *port, struct sl_media *media,
                                               struct sl_error *err);
void sl_media_deliver(struct sl_media_port *port);
void sl_media_port_close(struct sl_media_port *port); /* nobody waits any more */

struct sl_flight;

/* Somebody who waits for one answer at a time; part of a connection. Zero-initialised but for port,
 * done and opaque. Used on its port's thread alone. */
struct sl_waiter {
    struct sl_media_port *port;
    void (*done)(struct sl_waiter *w); /* w may be used again from here on */
    void *opaque;
    bool ahead; /* asks for what nobody has asked for yet */
    /* The outcome, valid from done on. */
    int status;               /* of HTTP: 200, or why not */
    struct sl_answer *answer; /* 200: owned; NULL: HEAD of what would cost too much to make */
    bool last;                /* of a stream: there is no more (answer is NULL) */
    char version[17];         /* of the source, as it is shown; empty: its id */
    char settings[9];         /* of the engine, hashed: part of the entity tag; begins with 'c'
                                 where the answer was costly */
    char detail[128];         /* for the client */
    /* Private. */
    struct sl_media_stream *stream;
    struct sl_flight *flight; /* that it waits for */
    struct sl_waiter **head;  /* the list that it is in */
    struct sl_waiter *prev, *next;
};

/* Returns true where w already holds the outcome (done is not called then). head_only: nothing that
 * costs much has to be made. want is copied where needed. */
bool sl_media_request(struct sl_media *media, const struct sl_media_want *want, bool head_only,
                      struct sl_waiter *w);
/* The same question for the next segment, if there is a worker with nothing to do; w is told, so
 * that it can leave. */
void sl_media_ahead(struct sl_media *media, const struct sl_media_want *want, struct sl_waiter *w);
/* Whether w waits. */
bool sl_media_waits(const struct sl_waiter *w);
/* Stops waiting, and drops the outcome. Work that nobody waits for any more is cancelled. Fine at
 * any time. */
void sl_media_leave(struct sl_waiter *w);

/* The stream that a first answer opened; the waiter's until sl_media_stream_close. */
struct sl_media_stream;
/* Takes over the stream that came with w's outcome; NULL: none. */
struct sl_media_stream *sl_media_stream_take(struct sl_waiter *w);
/* Asks for the next chunk; w is told. */
void sl_media_stream_next(struct sl_media_stream *s, struct sl_waiter *w);
/* After sl_media_leave where w waits for a chunk. */
void sl_media_stream_close(struct sl_media_stream **out);

#endif
