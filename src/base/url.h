/* SPDX-License-Identifier: BSD-2-Clause */
/* An http or https address (RFC 3986, RFC 9110 4.2), read so strictly that no two readers could
 * disagree on what it means: who checks an address and who connects to it are not the same code.
 * Refused is what libraries are known to read in different ways: anything but ASCII, white space,
 * backslashes, more than one "@", escapes in the host, dots at its end, numbers that are meant as
 * addresses but are not four decimal ones, dot segments in the path (written in escapes, too),
 * fragments. */
#ifndef SL_BASE_URL_H
#define SL_BASE_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_URL_MAX      2048 /* bytes, without the terminator */
#define SL_URL_HOST_MAX 256  /* with the terminator */

struct sl_url {
    bool tls;
    char host[SL_URL_HOST_MAX]; /* lower case; an IPv6 address with its brackets */
    uint16_t port;              /* the scheme's own where none is written */
    const char *user;           /* within the text; user and password, without "@" */
    size_t user_size;           /* 0: none */
    const char *path;           /* within the text, up to the query; "" stands for "/" */
    size_t path_size;
};

/* false: *why says what is wrong (static storage). text must outlive *out. */
bool sl_url_parse(const char *text, struct sl_url *out, const char **why);
/* Scheme, host and port are the same (RFC 6454 4). */
bool sl_url_same_origin(const struct sl_url *a, const struct sl_url *b);
/* Whether c may stand in a part of a URL other than its host: unreserved, sub-delims, ":", "@",
 * "/", "?", "[", "]" or "%" (whose digits are the caller's to check). */
bool sl_url_char(unsigned char c);
/* For messages: without user, password and query, which may be secrets. NULL when memory runs out.
 * The caller's to sl_free. */
char *sl_url_name(const struct sl_url *url);

#endif
