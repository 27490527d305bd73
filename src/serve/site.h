/* SPDX-License-Identifier: BSD-2-Clause */
/* What is under which address: the page, its files, the list of ladders, and the directory. */
#ifndef SL_SERVE_SITE_H
#define SL_SERVE_SITE_H

#include <sluice/log.h>

#include "serve/reply.h"

/* Set up once, then only read: shared by all threads. */
struct sl_site {
    int root; /* descriptor of the directory; -1: none */
    bool have_openat2;
    char media_cache[64]; /* Cache-Control of SL_CLASS_MEDIA */
    const struct sl_log *log;
};

SL_NODISCARD enum sl_status sl_site_open(struct sl_site *site, const char *root,
                                         int64_t segment_age, const struct sl_log *log,
                                         struct sl_error *err);
void sl_site_close(struct sl_site *site);

/* Answers a request whose head is whole (SL_REQUEST_DONE). reply is initialised and always filled;
 * what goes wrong is an answer, too. */
void sl_site_answer(const struct sl_site *site, const struct sl_request *r, int64_t now,
                    struct sl_reply *reply);

#endif
