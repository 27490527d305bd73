/* SPDX-License-Identifier: BSD-2-Clause */
/* What is under which address: the page, its files, the list of ladders, the directory, and the
 * library. */
#ifndef SL_SERVE_SITE_H
#define SL_SERVE_SITE_H

#include <stdatomic.h>

#include <sluice/log.h>

#include "serve/client.h"
#include "serve/depot.h"
#include "serve/media.h"
#include "serve/proxy.h"
#include "serve/reply.h"
#include "serve/sign.h"

/* Set up once, then only read: shared by all threads. */
struct sl_site {
    int root; /* descriptor of the directory; -1: none */
    bool have_openat2;
    char media_cache[64]; /* Cache-Control of SL_CLASS_MEDIA */
    const struct sl_log *log;
    struct sl_media *media;       /* what makes answers; NULL: nothing does */
    bool library;                 /* it has what is below /media/, else the directory has */
    const struct sl_proxy *proxy; /* what is below /proxy/; NULL: what the directory has */
    struct sl_depot *depot; /* what is below /ipfs/ and /runs; NULL: nothing, or the directory's */
    struct sl_sign_key key; /* set: nothing plays without a signed link */
    struct sl_metrics *metrics; /* what /metrics shows; NULL: nothing */
    const atomic_uint *connections;
};

/* One request whose head is whole (SL_REQUEST_DONE). */
struct sl_visit {
    const struct sl_request *request;
    const struct sl_client *client;
    int64_t now; /* seconds since 1970 */
    bool stopping;
};

/* root: "" for none. */
SL_NODISCARD enum sl_status sl_site_open(struct sl_site *site, const char *root,
                                         int64_t segment_age, const struct sl_log *log,
                                         struct sl_error *err);
void sl_site_close(struct sl_site *site);

/* reply is initialised and always filled; what goes wrong is an answer, too. Where reply->want is
 * set, the library is to be asked, and sl_site_finish to be called with what it says. */
void sl_site_answer(const struct sl_site *site, const struct sl_visit *visit,
                    struct sl_reply *reply);
void sl_site_finish(const struct sl_site *site, const struct sl_visit *visit,
                    const struct sl_media_want *want, struct sl_waiter *w, struct sl_reply *reply);

#endif
