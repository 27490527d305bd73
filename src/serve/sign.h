/* SPDX-License-Identifier: BSD-2-Clause */
/* Signed links: HMAC-SHA256 over a scope, an expiry and, if wanted, the client's address.
 *
 *   /media/film.mkv/master.m3u8?in=/media/film.mkv/&exp=1795000000&sig=0123456789abcdef…
 *
 * in: everything below this path may be asked for; without it, just the path of the link. exp:
 * seconds since 1970. ip=1: the address of the client was signed, too. sig: the first half of the
 * HMAC (RFC 2104 5), 32 hexadecimal digits. */
#ifndef SL_SERVE_SIGN_H
#define SL_SERVE_SIGN_H

#include "base/bytes.h"
#include "serve/request.h"

#define SL_SIGN_KEY_LEAST 16
#define SL_SIGN_KEY_MAX   1024
#define SL_SIGN_QUERY_MAX 8192

struct sl_sign_key {
    size_t size; /* 0: nothing is signed */
    uint8_t bytes[SL_SIGN_KEY_MAX];
};

/* The content of a file without white space at its end. SL_EINVAL where it is too short to be one
 * or too long. */
SL_NODISCARD enum sl_status sl_sign_key_read(struct sl_sign_key *key, const char *path,
                                             struct sl_error *err);
/* Appends "in=…&exp=…&sig=…". scope: a path below which all is allowed, or path itself where NULL.
 * Paths start with "/" and are decoded. address NULL: any client. */
void sl_sign_query(const struct sl_sign_key *key, const char *path, const char *scope,
                   int64_t expires, const char *address, struct sl_writer *out);
/* 0: path (decoded, with its leading "/") may be answered; 403 or 410. */
int sl_sign_check(const struct sl_sign_key *key, const char *path, struct sl_text query,
                  const char *address, int64_t now);
/* Appends the parameters of query that make up the signature, for links within a playlist; nothing
 * where there is no scope: such a link allows itself alone. */
void sl_sign_carry(struct sl_text query, struct sl_writer *out);

#endif
