/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/gateway.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "serve/site_file.h"
#include "serve/types.h"

#define EXTRA_MAX 16384 /* bytes of header fields of our own */
#define PAGE_MAX  (4 << 20)
/* 5.1 "Cache-Control": this very text, for whatever cannot change. */
#define IMMUTABLE "max-age=29030400, immutable"
/* A page that we make changes with us. Part of its entity tag. */
#define PAGE_VERSION "1"
#define PAGE_CACHE   "max-age=604800, stale-while-revalidate=2678400"
#define SNIFFED      512

static int status_of(enum sl_status status)
{
    switch (status) {
    case SL_ENOTFOUND:
        return 404;
    case SL_EINVAL:
    case SL_EUNSUPPORTED:
        return 400;
    case SL_ENOMEM:
    case SL_EBUSY:
    case SL_ECANCELLED:
    case SL_EAGAIN:
        return 503;
    default:
        return 500;
    }
}

void sl_gateway_fail(const struct sl_site *site, const struct sl_request *r,
                     const struct sl_gateway_ask *ask, enum sl_status status,
                     const struct sl_error *err, struct sl_reply *reply)
{
    int code = status_of(status);
    const char *detail = NULL;

    if (code >= 500) {
        sl_log_write(site->log, SL_LOG_WARN, "serve", "/%s: %s", ask->path,
                     err->status != SL_OK ? err->msg : sl_status_name(status));
    }
    if (code == 404 && ask->cached_only) {
        code = 412;
        detail = "it is not kept here";
    } else if (code == 400 || code == 404) {
        detail = err->status != SL_OK ? err->msg : NULL;
    } else if (status == SL_EDATA) {
        detail = "what is kept here is damaged";
    }
    sl_reply_fail(reply, r, code, detail);
}

/* ---- paths ---------------------------------------------------------------------------------- */

/* Entries are sorted by the bytes of their names. */
static bool find_entry(const struct sl_cas_list *list, const char *name, size_t size,
                       struct sl_cid *cid)
{
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *other = list->entries[middle].name;
        int order = strncmp(other, name, size);

        if (order == 0 && other[size] == '\0') {
            *cid = list->entries[middle].cid;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static enum sl_status step(struct sl_cas *cas, struct sl_cid *cid, const char *name, size_t size,
                           struct sl_error *err)
{
    struct sl_cas_list list = {0};
    enum sl_status status = sl_cas_list(cas, cid, &list, err);

    if (status == SL_OK && !find_entry(&list, name, size, cid)) {
        status = sl_fail(err, SL_ENOTFOUND, NULL, "there is no entry of that name");
    }
    sl_cas_list_clear(&list);
    return status;
}

enum sl_status sl_gateway_resolve(struct sl_cas *cas, const struct sl_gateway_ask *ask,
                                  struct sl_gateway_target *out, struct sl_error *err)
{
    const char *name = ask->path + ask->below;
    struct sl_cid cid = ask->cid;

    memset(out, 0, sizeof *out);
    out->roots[out->root_count++] = cid;
    while (*name) {
        const char *slash = strchr(name, '/');
        size_t size = slash ? (size_t)(slash - name) : strlen(name);
        enum sl_status status;

        if (out->root_count == SL_GATEWAY_DEPTH) {
            return sl_fail(err, SL_EINVAL, NULL, "the path has more than %d parts",
                           SL_GATEWAY_DEPTH);
        }
        status = step(cas, &cid, name, size, err);
        if (status != SL_OK) {
            return status;
        }
        out->roots[out->root_count++] = cid;
        name += size + (slash ? 1 : 0);
    }
    out->cid = cid;
    return SL_OK;
}

/* ---- header fields -------------------------------------------------------------------------- */

/* Where a resource of another form was asked for by Accept alone: the address that caches can tell
 * from others. */
static void write_location(const struct sl_gateway_ask *ask, const struct sl_request *r,
                           struct sl_writer *out)
{
    struct sl_text path = sl_request_text(r, r->path), query = sl_request_text(r, r->query);

    sl_write_text(out, "Content-Location: ");
    sl_write_bytes(out, path.data, path.size);
    sl_write_format(out, "?format=%s", ask->form == SL_GATEWAY_RAW ? "raw" : "car");
    if (query.size > 0) {
        sl_write_u8(out, '&');
        sl_write_bytes(out, query.data, query.size);
    }
    sl_write_text(out, "\r\n");
}

static void write_extra(const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                        const struct sl_request *r, struct sl_writer *out)
{
    struct sl_text path = sl_request_text(r, r->path);
    char text[SL_CID_TEXT_SIZE], name[SL_CID_TEXT_SIZE + 8];

    /* As it was asked for, so with its escapes: no byte of it can end the line. */
    sl_write_text(out, "X-Ipfs-Path: ");
    sl_write_bytes(out, path.data, path.size);
    sl_write_text(out, "\r\nX-Ipfs-Roots: ");
    for (size_t i = 0; i < t->root_count; i++) {
        sl_write_format(out, "%s%s", i > 0 ? "," : "", sl_cid_text(&t->roots[i], text));
    }
    sl_write_text(out, "\r\n");
    if (ask->form != SL_GATEWAY_CONTENT) {
        (void)snprintf(name, sizeof name, "%s.%s", sl_cid_text(&t->cid, text),
                       ask->form == SL_GATEWAY_RAW ? "bin" : "car");
        sl_gateway_disposition(out, true, ask->filename[0] ? ask->filename : name);
    } else if (ask->filename[0] || ask->download) {
        sl_gateway_disposition(out, ask->download, ask->filename);
    }
    if (ask->negotiated) {
        write_location(ask, r, out);
    }
}

/* Finishes a reply whose body, type and size are set. */
static void finish(const struct sl_site *site, const struct sl_visit *visit,
                   const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                   struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    struct sl_writer extra;

    if (!reply->cache) {
        reply->cache = site->key.size > 0 ? "private, " IMMUTABLE : "public, " IMMUTABLE;
    }
    reply->varies_by_accept = true;
    sl_writer_init(&extra, EXTRA_MAX);
    write_extra(ask, t, r, &extra);
    sl_write_u8(&extra, '\0');
    if (extra.status != SL_OK) {
        sl_writer_clear(&extra);
        sl_reply_fail(reply, r, 503, NULL);
        return;
    }
    sl_free(reply->extra);
    reply->extra = (char *)extra.data;
    if (reply->chunked) {
        int status = sl_condition_check(r, &reply->validators, visit->now);

        reply->status = status ? status : 200;
        reply->size = reply->count = -1;
        reply->no_body = r->method == SL_METHOD_HEAD;
        if (status == 412) {
            sl_reply_fail(reply, r, 412, NULL);
        }
    } else {
        sl_reply_select(reply, r, visit->now);
    }
}

/* ---- bodies --------------------------------------------------------------------------------- */

/* A file of the store. */
struct opened {
    struct sl_cid cid; /* as it was written, v0 or v1 */
    struct sl_file *file;
    int64_t offset;
    struct sl_cas_info info;
};

static enum sl_status open_content(struct sl_cas *cas, const struct sl_cid *cid, struct opened *o,
                                   struct sl_error *err)
{
    memset(o, 0, sizeof *o);
    o->cid = *cid;
    return sl_cas_open_file(cas, cid, &o->file, &o->offset, &o->info, err);
}

static void set_etag(struct sl_reply *reply, const struct sl_cid *cid, const char *before,
                     const char *after)
{
    char text[SL_CID_TEXT_SIZE];

    (void)snprintf(reply->validators.etag, sizeof reply->validators.etag, "\"%s%s%s\"", before,
                   sl_cid_text(cid, text), after);
}

static const char *last_name(const struct sl_gateway_ask *ask)
{
    const char *slash = strrchr(ask->path + ask->below, '/');

    return ask->filename[0] ? ask->filename : slash ? slash + 1 : ask->path + ask->below;
}

/* What has no name that tells is looked at. */
static const char *type_of(const struct sl_gateway_ask *ask, const char *name,
                           const struct sl_chain *chain, const struct sl_media_type **known)
{
    uint8_t begin[SNIFFED];
    size_t size = chain->size < SNIFFED ? (size_t)chain->size : SNIFFED;

    *known = sl_media_type_of(name);
    if (ask->ts) {
        return "video/mp2t";
    }
    if ((*known)->extension[0]) {
        return (*known)->type;
    }
    if (sl_chain_read(chain, 0, begin, size, NULL) != SL_OK) {
        return (*known)->type;
    }
    return sl_gateway_sniff(begin, size);
}

/* A file: sent from the store, by the kernel. What the store holds was hashed while it was written
 * and has not been changed since but by a failing disk, which "sluice store verify" is for: it is
 * not hashed again for each who asks. */
static void answer_file(const struct sl_site *site, const struct sl_visit *visit,
                        const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                        const struct opened *o, const char *name, struct sl_reply *reply)
{
    const struct sl_media_type *known;
    struct sl_error err = {0};
    enum sl_status status = sl_answer_create(&reply->answer, &err);

    if (status == SL_OK && o->info.size > 0) {
        status = sl_chain_add_file(&reply->answer->chain, o->file, o->offset, (size_t)o->info.size,
                                   &err);
    }
    if (status != SL_OK) {
        sl_gateway_fail(site, visit->request, ask, status, &err, reply);
        return;
    }
    reply->size = reply->answer->chain.size;
    reply->ranges = true;
    reply->type = type_of(ask, name, &reply->answer->chain, &known);
    reply->class = known->class == SL_CLASS_PLAYLIST ? SL_REPLY_PLAYLIST : SL_REPLY_FILE;
    set_etag(reply, &o->cid, "", ask->ts ? ".ts" : "");
    if (known->class == SL_CLASS_PLAYLIST && !sl_site_carry(site, visit->request, reply)) {
        sl_reply_fail(reply, visit->request, 503, NULL);
        return;
    }
    finish(site, visit, ask, t, reply);
}

static void answer_block(const struct sl_site *site, const struct sl_visit *visit,
                         const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                         struct sl_reply *reply)
{
    struct sl_error err = {0};
    enum sl_status status = sl_answer_create(&reply->answer, &err);

    if (status == SL_OK) {
        status = sl_cas_block(site->depot->cas, &t->cid, &reply->answer->chain, &err);
    }
    if (status != SL_OK) {
        sl_gateway_fail(site, visit->request, ask, status, &err, reply);
        return;
    }
    reply->size = reply->answer->chain.size;
    reply->ranges = true;
    reply->type = "application/vnd.ipld.raw";
    set_etag(reply, &t->cid, "", ".raw");
    finish(site, visit, ask, t, reply);
}

static void answer_car(const struct sl_site *site, const struct sl_visit *visit,
                       const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                       struct sl_reply *reply)
{
    static const char *const scopes[] = {"", ".entity", ".block"};
    struct sl_error err = {0};
    uint8_t digest[SL_SHA256_SIZE];
    char mark[40] = ".car", hex[17];
    enum sl_status status;

    if (ask->path[ask->below]) { /* what leads there is part of it */
        sl_sha256(ask->path, strlen(ask->path), digest);
        sl_sha256_hex(digest, 8, hex);
        (void)snprintf(mark, sizeof mark, ".car.%s", hex);
    }
    (void)strncat(mark, scopes[ask->scope], sizeof mark - strlen(mark) - 1);
    set_etag(reply, &t->cid, "", mark);
    reply->type = "application/vnd.ipld.car; version=1; order=dfs; dups=n";
    reply->class = SL_REPLY_STREAM;
    reply->chunked = true;
    status = sl_gateway_car(&reply->job, site->depot, ask, t, &err);
    if (status != SL_OK) {
        sl_gateway_fail(site, visit->request, ask, status, &err, reply);
        return;
    }
    finish(site, visit, ask, t, reply);
}

static void redirect(const struct sl_visit *visit, struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    struct sl_text path = sl_request_text(r, r->path), query = sl_request_text(r, r->query);
    char *extra =
        sl_format("Location: %.*s/%s%.*s\r\n", (int)path.size, path.data, query.size > 0 ? "?" : "",
                  (int)query.size, query.data ? query.data : "");

    sl_reply_fail(reply, r, extra ? 301 : 503, NULL);
    if (extra) {
        reply->cache = "public, " PAGE_CACHE;
        reply->extra = extra;
    }
}

static void answer_page(const struct sl_site *site, const struct sl_visit *visit,
                        const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                        const struct sl_cas_list *list, struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    struct sl_writer out, carry;

    sl_writer_init(&carry, SL_SIGN_QUERY_MAX);
    sl_writer_init(&out, PAGE_MAX);
    if (site->key.size > 0) {
        sl_sign_carry(sl_request_text(r, r->query), &carry);
    }
    sl_write_u8(&carry, '\0');
    if (carry.status == SL_OK) {
        sl_gateway_page(list, ask, (const char *)carry.data, &out);
    }
    if (carry.status != SL_OK || out.status != SL_OK) {
        sl_writer_clear(&carry);
        sl_writer_clear(&out);
        sl_reply_fail(reply, r, 503, NULL);
        return;
    }
    reply->type = "text/html; charset=utf-8";
    reply->cache = site->key.size > 0 ? "private, " PAGE_CACHE : "public, " PAGE_CACHE;
    reply->owned = out.data;
    reply->size = (int64_t)out.size;
    set_etag(reply, &t->cid, "DirIndex-" PAGE_VERSION "_CID-", "");
    if (carry.size > 1) { /* each link makes another text of it */
        reply->validators.etag[0] = '\0';
    }
    sl_writer_clear(&carry);
    sl_reply_compress(reply, r);
    finish(site, visit, ask, t, reply);
}

static void answer_directory(const struct sl_site *site, const struct sl_visit *visit,
                             const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                             struct sl_reply *reply)
{
    static const char index[] = "index.html";
    struct sl_cas *cas = site->depot->cas;
    struct sl_cas_list list = {0};
    struct sl_error err = {0};
    struct sl_cid cid = t->cid;
    struct opened page;
    enum sl_status status = sl_cas_list(cas, &cid, &list, &err);

    if (status != SL_OK) {
        sl_gateway_fail(site, visit->request, ask, status, &err, reply);
    } else if (!ask->slash) {
        redirect(visit, reply);
    } else if (find_entry(&list, index, sizeof index - 1, &cid) &&
               open_content(cas, &cid, &page, NULL) == SL_OK) {
        answer_file(site, visit, ask, t, &page, index, reply);
        sl_file_unref(&page.file);
    } else {
        answer_page(site, visit, ask, t, &list, reply);
    }
    sl_cas_list_clear(&list);
}

static void answer_content(const struct sl_site *site, const struct sl_visit *visit,
                           const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                           struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    struct sl_error err = {0};
    struct sl_cas_info info;
    struct opened o;
    enum sl_status status = open_content(site->depot->cas, &t->cid, &o, &err);

    bool file = status == SL_OK;

    if (status == SL_EUNSUPPORTED) {
        err = (struct sl_error){0};
        status = sl_cas_stat(site->depot->cas, &t->cid, &info, &err);
    }
    if (status != SL_OK) {
        sl_gateway_fail(site, r, ask, status, &err, reply);
    } else if (file && ask->slash) {
        sl_reply_fail(reply, r, 404, "this is a file, not a directory");
    } else if (file) {
        answer_file(site, visit, ask, t, &o, last_name(ask), reply);
    } else if (info.kind == SL_STORE_DIRECTORY) {
        answer_directory(site, visit, ask, t, reply);
    } else {
        sl_reply_fail(reply, r, 400, "this is neither a file nor a directory: use format=raw");
    }
    sl_file_unref(&o.file);
}

void sl_gateway_answer(const struct sl_site *site, const struct sl_visit *visit,
                       const struct sl_gateway_ask *ask, struct sl_reply *reply)
{
    struct sl_gateway_target t;
    struct sl_error err = {0};
    enum sl_status status = sl_gateway_resolve(site->depot->cas, ask, &t, &err);

    if (status != SL_OK) {
        sl_gateway_fail(site, visit->request, ask, status, &err, reply);
    } else if (ask->form == SL_GATEWAY_RAW) {
        answer_block(site, visit, ask, &t, reply);
    } else if (ask->form == SL_GATEWAY_CAR) {
        answer_car(site, visit, ask, &t, reply);
    } else {
        answer_content(site, visit, ask, &t, reply);
    }
}
