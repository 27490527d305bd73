/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns of the addresses that may be asked for: scheme "://" host [":" port] [path].
 *
 *   scheme  "http", "https", or "*" for both
 *   host    a name or an address; "*.example.org" for every name below it and not itself; "*" for
 *           every host, and then port and path have to be written
 *   port    a number, or "*" for every port; without: the scheme's own
 *   path    all of it, or with "*" at its end what it begins with; without: every path
 *
 * Scheme and host are compared without regard to case, the path byte by byte. User, password and
 * query are not looked at. "*" stands nowhere else. Everything is "*://" "*:*" "/" "*". */
#ifndef SL_SERVE_ALLOW_H
#define SL_SERVE_ALLOW_H

#include <stdbool.h>

#include <sluice/error.h>
#include <sluice/serve.h>

#include "base/url.h"

#define SL_ALLOW_TEXT 256 /* bytes of a pattern, with the terminator */

struct sl_allow_pattern {
    bool http, https;
    enum sl_allow_host {
        SL_ALLOW_HOST,  /* host */
        SL_ALLOW_BELOW, /* names that end with host, which begins with a dot */
        SL_ALLOW_ANY,
    } kind;
    char host[SL_ALLOW_TEXT];
    int port; /* 0: the scheme's own; -1: any */
    char path[SL_ALLOW_TEXT];
    bool prefix; /* path is a beginning */
};

struct sl_allow {
    struct sl_allow_pattern patterns[SL_SERVE_SOURCES_MAX];
    unsigned count;
};

/* SL_EINVAL with what is wrong. */
SL_NODISCARD enum sl_status sl_allow_parse(struct sl_allow_pattern *out, const char *text,
                                           struct sl_error *err);
bool sl_allow_matches(const struct sl_allow_pattern *pattern, const struct sl_url *url);
/* Whether any does. opaque: a struct sl_allow; url: as it will be connected to. */
bool sl_allow_url(const void *opaque, const char *url);

#endif
