/* SPDX-License-Identifier: BSD-2-Clause */
/* From addresses below /media/ to questions, and from their outcome to answers. */
#ifndef SL_SERVE_MEDIA_ROUTE_H
#define SL_SERVE_MEDIA_ROUTE_H

#include <sys/stat.h>

#include "serve/media.h"
#include "serve/reply.h"

/* The part of a route after the source: the last one or two components of path. *source becomes the
 * length of what is in front. false: this is no route. Does no I/O. */
bool sl_media_parse(const char *path, struct sl_media_ask *ask, size_t *source);
/* What the query adds: format, start, t, w, h. 0, or 400. */
int sl_media_parse_query(struct sl_text query, struct sl_media_ask *ask);
/* Seconds with up to six decimals, "12.5". */
bool sl_media_parse_time(const char *text, struct sl_rational *out);

/* path: decoded, below /media/. 0: *want is the question; -1: this is none, but may be a file;
 * else the status to answer with (*detail says why, or is NULL). */
int sl_media_route(struct sl_media *media, const char *path, struct sl_text query,
                   struct sl_media_want **want, const char **detail);
/* /media/ itself: q, offset, limit. */
int sl_media_route_list(struct sl_text query, struct sl_media_want **want);

/* Descriptor of the library's root, and how it is opened. */
int sl_media_root(const struct sl_media *media, bool *have_openat2);
/* The engine's version. */
const char *sl_media_version(const struct sl_media *media);
/* 16 hexadecimal digits that stand for one version of one file. */
void sl_media_identify(const struct sl_media *media, const char *name, const struct stat *st,
                       char id[17]);

/* Fills reply from the outcome in w. carry: the query that links in a playlist get besides (a
 * signature), or "". */
void sl_media_reply(const struct sl_media_want *want, struct sl_waiter *w,
                    const struct sl_request *r, const char *carry, int64_t now,
                    struct sl_reply *reply);

#endif
