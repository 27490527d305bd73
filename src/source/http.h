/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes over HTTP (RFC 9110): by ranges where the server has them, so that any offset can be asked
 * for, else in sequence. Needs libcurl, and is therefore module source-http: see base/module.h. */
#ifndef SL_SOURCE_HTTP_H
#define SL_SOURCE_HTTP_H

#include <stdatomic.h>

#include "base/pool.h"
#include "media/stage.h"

#define SL_SOURCE_HTTP_MODULE "source-http"
#define SL_SOURCE_HTTP_SYMBOL "sl_source_http"

/* Why a source failed, for those who have to tell somebody else. */
enum sl_http_fault {
    SL_HTTP_FINE,
    SL_HTTP_REFUSED,   /* a redirect or an address that is not allowed */
    SL_HTTP_MISSING,   /* 404, 410 */
    SL_HTTP_TIMEOUT,   /* no byte in time, attempts included */
    SL_HTTP_CHANGED,   /* is not what it was */
    SL_HTTP_NO_RANGES, /* sends all of it whatever is asked for */
    SL_HTTP_BROKEN,    /* everything else */
};

/* What tells one version of a resource from another. */
struct sl_http_facts {
    int64_t size;      /* -1: not known */
    char tag[256];     /* ETag as it came, or empty */
    char modified[64]; /* Last-Modified as it came, or empty */
};

struct sl_http_field {
    const char *name, *value;
};

/* All zero but url is what a user who named the address himself gets. What is pointed to, but for
 * url and name, must outlive the source. */
struct sl_http_params {
    const char *url;
    const char *name; /* for messages; NULL: url without user and password */
    /* Sent along, to the origin of url and to no other. */
    const struct sl_http_field *fields;
    size_t field_count;
    /* Somebody else named the address. It was checked; redirects are, by allowed, and each address
     * that is connected to must be public (source/address.h) or private_too set. No proxy of the
     * environment is used, only an answer for ranges will do, and at least some KiB a second. */
    bool guarded;
    bool private_too;
    bool (*allowed)(const void *opaque, const char *url);
    const void *allowed_opaque;
    int64_t timeout;                   /* milliseconds without a byte, attempts included; 0: long */
    const struct sl_cancel *cancel;    /* looked at while waiting; NULL: none */
    const struct sl_http_facts *known; /* what it has to be still: then open asks for nothing */
    struct sl_http_facts *facts;       /* set by open; may be NULL */
    atomic_int *fault; /* the first enum sl_http_fault of this and others; may be NULL */
};

/* What the module exports. */
struct sl_source_http_ops {
    /* Asks for the first bytes; the answer decides what the source can do. SL_ENOTFOUND (404, 410),
     * SL_ECANCELLED, SL_EIO with the server's or libcurl's reason. */
    enum sl_status (*open)(struct sl_source **out, const struct sl_http_params *params,
                           struct sl_error *err);
};
extern SL_API const struct sl_source_http_ops sl_source_http;

bool sl_source_is_url(const char *where); /* http or https */
/* Opens the module at first need. */
SL_NODISCARD enum sl_status sl_source_http_open(struct sl_source **out,
                                                const struct sl_http_params *params,
                                                struct sl_error *err);

#endif
