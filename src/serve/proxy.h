/* SPDX-License-Identifier: BSD-2-Clause */
/* From addresses below /proxy/ to questions about sources on the web. See docs/proxy.md.
 *
 *   /proxy/master.m3u8?src=https%3A%2F%2Fhost%2Ffilm.mkv&h_Authorization=Bearer%20…
 *   /proxy/720p/12.m4s?src=…          the same in every link of a playlist
 *   /proxy/720p/12.m4s?s=TOKEN        where links are signed: sealed, with their expiry */
#ifndef SL_SERVE_PROXY_H
#define SL_SERVE_PROXY_H

#include "serve/allow.h"
#include "serve/client.h"
#include "serve/media.h"
#include "serve/seal.h"

#define SL_PROXY_PREFIX     "proxy/"
#define SL_PROXY_FIELDS_MAX 16
#define SL_PROXY_QUERY_MAX  4096 /* bytes of all that names a source, as it stands in a link */

/* Set up once, then only read. */
struct sl_proxy {
    struct sl_allow allow;
    struct sl_seal seal; /* ops set: only sealed sources */
};

/* Who asks, and when. */
struct sl_proxy_visit {
    const char *address; /* of the client */
    int64_t now;
};

/* path: decoded, with SL_PROXY_PREFIX in front. version: the engine's. 0: *want is the question;
 * else the status to answer with (*detail says why, or is NULL): 400, 403, 404, 410, 503. Does no
 * I/O. */
int sl_proxy_route(const struct sl_proxy *proxy, const char *version, const char *path,
                   struct sl_text query, const struct sl_proxy_visit *visit,
                   struct sl_media_want **want, const char **detail);
/* Appends what names the same source in the links of a playlist. query: one that
 * sl_proxy_route took. */
void sl_proxy_carry(const struct sl_proxy *proxy, struct sl_text query, struct sl_writer *out);
/* Appends the query of a link with its source sealed: "s=TOKEN" and what else query says.
 * address NULL: any client. SL_EINVAL with what is wrong. */
SL_NODISCARD enum sl_status sl_proxy_sign(const struct sl_seal *seal, struct sl_text query,
                                          int64_t expires, const char *address,
                                          struct sl_writer *out, struct sl_error *err);

/* For logs: a parameter whose value is no secret. */
bool sl_proxy_tells_nothing(struct sl_text name);

/* ---- parts, for tests --------------------------------------------------------------------- */

/* The source in a query: url, headers, name, address, id. 0, or the status. */
int sl_proxy_read_source(struct sl_text query, const char *version, struct sl_media_want *want,
                         const char **detail);
/* The first 16 hexadecimal digits of SHA-256 of "mp4:file_id:ID" or, with id NULL, of
 * "mp4:chat:C:msg:M": what applications that keep such files call them already. */
void sl_proxy_opaque_key(const char *id, const char *chat, const char *message, char key[17]);
/* Whether an application may set this header field: 0, or 400. */
int sl_proxy_check_field(const char *name, const char *value, const char **detail);

#endif
