/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/gateway_path.h"

#include <string.h>

#include "serve/query.h"

#define PREFIX    "/ipfs/"
#define PREFIX_TS "/ipfs-ts/"

static bool begins(struct sl_text t, const char *prefix)
{
    size_t n = strlen(prefix);

    return t.size >= n && memcmp(t.data, prefix, n) == 0;
}

bool sl_gateway_is(struct sl_text target)
{
    return begins(target, PREFIX) || begins(target, PREFIX_TS);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* One name of a directory, appended to path at *at. */
static int decode_name(struct sl_text part, char path[SL_SERVE_PATH_MAX], size_t *at)
{
    size_t start = *at, n = start;

    for (size_t i = 0; i < part.size; i++) {
        char c = part.data[i];

        if (c == '%') {
            int high = part.size - i > 2 ? hex_value(part.data[i + 1]) : -1;
            int low = part.size - i > 2 ? hex_value(part.data[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return 400;
            }
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0' || c == '/') { /* no directory of UnixFS holds such a name */
            return 400;
        }
        if (n + 2 >= SL_SERVE_PATH_MAX) { /* a slash may follow */
            return 414;
        }
        path[n++] = c;
    }
    if (n == start || (n - start == 1 && path[start] == '.') ||
        (n - start == 2 && path[start] == '.' && path[start + 1] == '.')) {
        return 400;
    }
    path[n] = '\0';
    *at = n;
    return 0;
}

int sl_gateway_parse_path(struct sl_text target, struct sl_gateway_ask *ask, const char **detail)
{
    size_t at, cid;
    int status = 0;

    memset(ask, 0, sizeof *ask);
    *detail = NULL;
    ask->ts = begins(target, PREFIX_TS);
    at = ask->ts ? sizeof PREFIX_TS - 1 : sizeof PREFIX - 1;
    target.data += at;
    target.size -= at;
    cid = at - 1; /* without the first slash */
    memcpy(ask->path, (ask->ts ? PREFIX_TS : PREFIX) + 1, cid + 1);
    at = cid;
    ask->slash = target.size > 0 && target.data[target.size - 1] == '/';
    target.size -= ask->slash ? 1 : 0;
    while (status == 0) {
        const char *slash = target.size > 0 ? memchr(target.data, '/', target.size) : NULL;
        struct sl_text part = {target.data, slash ? (size_t)(slash - target.data) : target.size};

        status = decode_name(part, ask->path, &at);
        if (status == 0 && ask->below == 0) {
            enum sl_status parsed = sl_cid_parse(&ask->cid, ask->path + cid, at - cid, NULL);

            if (parsed == SL_ENOMEM) {
                return 503;
            }
            if (parsed != SL_OK) {
                *detail = "this is no CID, or one of a kind that is not served";
                return 400;
            }
            ask->below = at + 1;
        }
        if (!slash || status != 0) {
            break;
        }
        if (at + 2 >= SL_SERVE_PATH_MAX) {
            return 414;
        }
        ask->path[at++] = '/';
        target.size -= part.size + 1;
        target.data = slash + 1;
    }
    if (ask->below > at) { /* nothing below */
        ask->below = at;
    }
    return status;
}

void sl_gateway_signed_path(const struct sl_gateway_ask *ask, char out[SL_SERVE_PATH_MAX])
{
    size_t size = strlen(ask->path);

    memcpy(out, ask->path, size);
    memcpy(out + size, "/", ask->slash ? 2 : 0); /* decode_name has left room for it */
    out[size + (ask->slash ? 1 : 0)] = '\0';
}

/* ---- the rest of the request ---------------------------------------------------------------- */

/* The part of an element of Accept before its parameters; false where its weight is 0. */
static bool accepted_type(struct sl_text element, struct sl_text *type)
{
    const char *semicolon = memchr(element.data, ';', element.size);
    bool wanted = true;

    *type = element;
    if (!semicolon) {
        return true;
    }
    type->size = (size_t)(semicolon - element.data);
    while (type->size > 0 && strchr(" \t", type->data[type->size - 1])) {
        type->size--;
    }
    for (const char *p = semicolon, *end = element.data + element.size; p && p < end;) {
        const char *q = p + 1;

        while (q < end && (*q == ' ' || *q == '\t')) {
            q++;
        }
        if (end - q >= 3 && (*q == 'q' || *q == 'Q') && q[1] == '=') {
            const char *digit = q + 2;

            wanted = false; /* "0", "0.000" */
            for (; digit < end && ((*digit >= '0' && *digit <= '9') || *digit == '.'); digit++) {
                wanted = wanted || (*digit >= '1' && *digit <= '9');
            }
        }
        p = memchr(q, ';', (size_t)(end - q));
    }
    return wanted;
}

/* What Accept asks for, of the forms that we have. Others than ours are no error: browsers send
 * long lists. */
static void read_accept(const struct sl_request *r, struct sl_gateway_ask *ask)
{
    struct sl_text list, element, type;
    size_t cursor = 0;

    while (sl_request_next(r, SL_FIELD_ACCEPT, &cursor, &list)) {
        while (sl_list_next(&list, &element)) {
            if (!accepted_type(element, &type)) {
                continue;
            }
            if (sl_text_is(type, "application/vnd.ipld.raw")) {
                ask->form = SL_GATEWAY_RAW;
            } else if (sl_text_is(type, "application/vnd.ipld.car")) {
                ask->form = SL_GATEWAY_CAR;
            } else {
                continue;
            }
            ask->negotiated = true;
            return;
        }
    }
}

static int read_format(struct sl_text query, struct sl_gateway_ask *ask, const char **detail)
{
    char format[24];
    int found = sl_query_get(query, "format", format, sizeof format);

    if (found == 0) {
        return 0;
    }
    /* The query names a resource of its own for caches, so it decides. */
    ask->negotiated = false;
    if (found == 1 && strcmp(format, "raw") == 0) {
        ask->form = SL_GATEWAY_RAW;
    } else if (found == 1 && strcmp(format, "car") == 0) {
        ask->form = SL_GATEWAY_CAR;
    } else {
        *detail = "format: raw or car is expected";
        return 400;
    }
    return 0;
}

static int read_car(struct sl_text query, struct sl_gateway_ask *ask, const char **detail)
{
    char text[16];
    int found = sl_query_get(query, "dag-scope", text, sizeof text);

    if (found == 1 && strcmp(text, "block") == 0) {
        ask->scope = SL_GATEWAY_BLOCK;
    } else if (found == 1 && strcmp(text, "entity") == 0) {
        ask->scope = SL_GATEWAY_ENTITY;
    } else if (found < 0 || (found == 1 && strcmp(text, "all") != 0)) {
        *detail = "dag-scope: all, entity or block is expected";
        return 400;
    }
    found = sl_query_get(query, "car-version", text, sizeof text);
    if (found < 0 || (found == 1 && strcmp(text, "1") != 0)) {
        *detail = "car-version: 1 is expected";
        return 400;
    }
    if (sl_query_get(query, "entity-bytes", text, sizeof text) != 0) {
        *detail = "entity-bytes is not supported";
        return 400;
    }
    return 0;
}

static bool has_directive(const struct sl_request *r, enum sl_field_id id, const char *word)
{
    struct sl_text list, element;
    size_t cursor = 0;

    while (sl_request_next(r, id, &cursor, &list)) {
        while (sl_list_next(&list, &element)) {
            if (sl_text_is(element, word)) {
                return true;
            }
        }
    }
    return false;
}

int sl_gateway_parse_request(const struct sl_request *r, struct sl_gateway_ask *ask,
                             const char **detail)
{
    struct sl_text query = sl_request_text(r, r->query);
    char download[8];
    int found, status;

    *detail = NULL;
    found = sl_query_get(query, "filename", ask->filename, sizeof ask->filename);
    if (found < 0) {
        *detail = "filename: this is no name of a file";
        return 400;
    }
    if (found == 0) {
        ask->filename[0] = '\0';
    }
    found = sl_query_get(query, "download", download, sizeof download);
    if (found < 0 ||
        (found == 1 && strcmp(download, "true") != 0 && strcmp(download, "false") != 0)) {
        *detail = "download: true or false is expected";
        return 400;
    }
    ask->download = found == 1 && strcmp(download, "true") == 0;
    ask->cached_only = has_directive(r, SL_FIELD_CACHE_CONTROL, "only-if-cached");
    read_accept(r, ask);
    status = read_format(query, ask, detail);
    if (status == 0 && ask->form == SL_GATEWAY_CAR) {
        status = read_car(query, ask, detail);
    }
    /* A script that was registered for /ipfs/CID would take the whole gateway over. */
    if (status == 0 && has_directive(r, SL_FIELD_SERVICE_WORKER, "script") &&
        !ask->path[ask->below] && !ask->slash) {
        *detail = "a service worker is registered below a content root only";
        status = 400;
    }
    return status;
}
