/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs of the registry over HTTP: lists, playlists that grow, and what happens as events.
 * docs/runs-http.md */
#ifndef SL_SERVE_RUNS_H
#define SL_SERVE_RUNS_H

#include "registry/registry.h"
#include "serve/depot.h"
#include "serve/request.h"

struct event_base;

/* where: as for sl_registry_open; it is made where it is not there. */
SL_NODISCARD enum sl_status sl_playout_open(struct sl_playout **out, struct sl_later *later,
                                            const char *where, const struct sl_log *log,
                                            struct sl_error *err);
SL_NODISCARD enum sl_status sl_playout_attach(struct sl_playout *runs, struct event_base *base,
                                              struct sl_error *err);
void sl_playout_detach(struct sl_playout *runs, const struct event_base *base);
void sl_playout_close(struct sl_playout **out); /* NULL and *NULL are fine */
void sl_playout_write_metrics(struct sl_playout *runs, struct sl_writer *out);

enum sl_run_what {
    SL_RUN_LIST,
    SL_RUN_JSON,
    SL_RUN_MASTER,
    SL_RUN_PLAYLIST,
    SL_RUN_EVENTS,
};

struct sl_run_ask {
    enum sl_run_what what;
    char id[SL_REGISTRY_ID_MAX];
    char rendition[SL_REGISTRY_NAME_MAX];
    int64_t msn;                         /* _HLS_msn; -1: none */
    int64_t seen;                        /* EVENTS: Last-Event-ID; -1: none */
    enum sl_run_state state;             /* LIST */
    char cursor[SL_REGISTRY_CURSOR_MAX]; /* LIST; "": from the start */
    int64_t limit;                       /* LIST */
};

/* path: decoded, "runs" or "runs/…". 0: ask is filled; or the status to answer with. Does no I/O.
 */
int sl_run_parse(const char *path, struct sl_run_ask *ask);
/* What query and header fields add; the same results. */
int sl_run_parse_request(const struct sl_request *r, struct sl_run_ask *ask, const char **detail);

/* The job that answers. NULL when memory runs out. */
struct sl_job *sl_run_job(struct sl_playout *runs, const struct sl_run_ask *ask);

#endif
