/* SPDX-License-Identifier: BSD-2-Clause */
/* From a request to what it asks of the store, by the path-gateway specification
 * (https://specs.ipfs.tech/http-gateways/path-gateway/). Does no I/O. */
#ifndef SL_SERVE_GATEWAY_PATH_H
#define SL_SERVE_GATEWAY_PATH_H

#include "serve/path.h"
#include "serve/request.h"
#include "store/cid.h"

enum sl_gateway_form {
    SL_GATEWAY_CONTENT, /* a file's bytes, a directory's page */
    SL_GATEWAY_RAW,     /* one block */
    SL_GATEWAY_CAR,     /* blocks that prove themselves */
};

enum sl_gateway_scope { /* dag-scope of the trustless gateway */
                        SL_GATEWAY_ALL,
                        SL_GATEWAY_ENTITY, /* a file, or what lists a directory */
                        SL_GATEWAY_BLOCK,
};

struct sl_gateway_ask {
    struct sl_cid cid;
    char path[SL_SERVE_PATH_MAX]; /* decoded, without slashes around: "ipfs/CID/a/b" */
    size_t below;                 /* where in it what is below the CID begins; its end: nothing */
    bool slash;                   /* there was one at the end */
    bool ts;                      /* /ipfs-ts/: whatever it is, it is MPEG-TS */
    enum sl_gateway_form form;
    enum sl_gateway_scope scope; /* CAR */
    bool negotiated;             /* the form was asked for by Accept alone */
    bool download;               /* as an attachment */
    bool cached_only;            /* Cache-Control: only-if-cached */
    char filename[256];          /* "": none was given */
};

/* Whether a target's path is one of /ipfs/ or /ipfs-ts/. */
bool sl_gateway_is(struct sl_text target);
/* Takes the path apart: names are decoded once, and may be whatever a directory can hold, but "."
 * and "..". 0, or the status to answer with (*detail says why). */
int sl_gateway_parse_path(struct sl_text target, struct sl_gateway_ask *ask, const char **detail);
/* What a signature is over: the path, with the slash at its end where there is one, so that a page
 * of a directory is within the scope that the directory is. */
void sl_gateway_signed_path(const struct sl_gateway_ask *ask, char out[SL_SERVE_PATH_MAX]);
/* Then what query and header fields add. The same results. */
int sl_gateway_parse_request(const struct sl_request *r, struct sl_gateway_ask *ask,
                             const char **detail);

#endif
