/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/remote.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/sha256.h"

#define RUN_MAX 16 /* blocks of one request: 1 MiB */

struct sl_remote {
    struct sl_http_params params; /* with our copies */
    char *url, *name;
    struct sl_http_field *fields;
    struct sl_http_facts facts;
    atomic_int fault;
    struct sl_blocks *blocks;
    char key[17]; /* of its blocks */
    pthread_mutex_t lock;
    struct sl_source *first; /* asked for the first bytes, and nobody's yet */
};

/* Reads whole blocks, a run of them by one request: so each answer is read to its end, and the
 * connection stays. */
struct reader {
    struct sl_source source; /* first: handed out as this */
    struct sl_remote *remote;
    struct sl_source *inner; /* NULL: not needed so far */
    int64_t index;           /* of the block at hand; -1: none */
    int64_t next;            /* the one that reading straight on comes to */
    int64_t asked;           /* the running request ends in front of it */
    int64_t run;             /* blocks of the last request */
    size_t size;
    uint8_t block[SL_BLOCK_SIZE];
};

/* ---- readers ------------------------------------------------------------------------------ */

static void reader_destroy(struct sl_source *source)
{
    struct reader *r = (struct reader *)source;

    if (r->inner) {
        r->inner->destroy(r->inner);
    }
    sl_free(r);
}

static enum sl_status connect_reader(struct reader *r, struct sl_error *err)
{
    struct sl_remote *remote = r->remote;
    struct sl_http_params params = remote->params;

    (void)pthread_mutex_lock(&remote->lock);
    r->inner = remote->first;
    remote->first = NULL;
    (void)pthread_mutex_unlock(&remote->lock);
    params.known = &remote->facts;
    return r->inner ? SL_OK : sl_source_http_open(&r->inner, &params, err);
}

/* How much is asked for at once grows while reading goes straight on. */
static void announce(struct reader *r, int64_t index)
{
    int64_t size = r->remote->facts.size, from = index * SL_BLOCK_SIZE, length;

    if (index == r->next && index < r->asked) {
        return; /* of a request that runs */
    }
    r->run = index == r->next && r->run * 2 <= RUN_MAX ? r->run * 2 : index == r->next ? r->run : 1;
    length = r->run * SL_BLOCK_SIZE;
    if (size >= 0 && length > size - from) {
        length = size - from;
    }
    r->asked = index + r->run;
    r->inner->expect(r->inner, from, length);
}

static enum sl_status load(struct reader *r, int64_t index, struct sl_error *err)
{
    int64_t total = r->remote->facts.size, from = index * SL_BLOCK_SIZE;
    enum sl_status status = r->inner ? SL_OK : connect_reader(r, err);
    size_t n = 1;

    if (status != SL_OK) {
        return status;
    }
    r->index = -1;
    r->size = 0;
    announce(r, index);
    while (status == SL_OK && n > 0 && r->size < SL_BLOCK_SIZE &&
           (total < 0 || from + (int64_t)r->size < total)) {
        status = r->inner->bytes.fill(r->inner->bytes.opaque, from + (int64_t)r->size,
                                      r->block + r->size, SL_BLOCK_SIZE - r->size, &n, err);
        r->size += n;
    }
    if (status == SL_OK && total >= 0 && r->size < SL_BLOCK_SIZE &&
        from + (int64_t)r->size < total) {
        int none = SL_HTTP_FINE;

        (void)atomic_compare_exchange_strong(&r->remote->fault, &none, SL_HTTP_CHANGED);
        status = sl_fail_at(err, SL_EIO, r->remote->name, from, "ends here, of %" PRId64 " bytes",
                            total);
    }
    if (status != SL_OK) {
        return status;
    }
    r->index = index;
    r->next = index + 1;
    sl_blocks_put(r->remote->blocks, r->remote->key, index, r->block, r->size);
    return SL_OK;
}

static enum sl_status reader_fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                                  struct sl_error *err)
{
    struct reader *r = opaque;
    const struct sl_remote *remote = r->remote;
    int64_t index = offset / SL_BLOCK_SIZE;
    size_t inside = (size_t)(offset % SL_BLOCK_SIZE);
    enum sl_status status = SL_OK;

    *got = 0;
    if (remote->facts.size >= 0 && offset >= remote->facts.size) {
        return SL_OK;
    }
    if (r->index != index) {
        if (sl_blocks_get(remote->blocks, remote->key, index, inside, dst, size, got)) {
            return SL_OK;
        }
        status = load(r, index, err);
    }
    if (status == SL_OK && inside < r->size) {
        *got = r->size - inside < size ? r->size - inside : size;
        memcpy(dst, r->block + inside, *got);
    }
    return status;
}

enum sl_status sl_remote_source(struct sl_remote *remote, struct sl_source **out,
                                struct sl_error *err)
{
    struct reader *r = sl_alloc_zero(sizeof *r);

    *out = NULL;
    if (!r) {
        return sl_fail_memory(err);
    }
    r->remote = remote;
    r->index = -1;
    r->run = 1;
    r->source.destroy = reader_destroy;
    r->source.bytes = (struct sl_window_source){
        .fill = reader_fill,
        .opaque = r,
        .name = remote->name,
        .size = remote->facts.size,
        .seekable = true,
    };
    *out = &r->source;
    return SL_OK;
}

/* ---- the resource -------------------------------------------------------------------------- */

static bool copy_params(struct sl_remote *r, const struct sl_http_params *p)
{
    bool ok = true;

    r->params = *p;
    r->url = sl_strdup(p->url);
    r->name = p->name ? sl_strdup(p->name) : NULL;
    ok = r->url && (r->name || !p->name);
    r->params.fields = NULL;
    r->params.field_count = 0;
    if (p->field_count > 0) {
        r->fields = sl_alloc_array(p->field_count, sizeof *r->fields);
        ok = ok && r->fields;
    }
    for (size_t i = 0; ok && i < p->field_count; i++) {
        r->params.field_count = i + 1;
        r->fields[i].name = sl_strdup(p->fields[i].name);
        r->fields[i].value = sl_strdup(p->fields[i].value);
        ok = r->fields[i].name && r->fields[i].value;
    }
    r->params.url = r->url;
    r->params.name = r->name;
    r->params.fields = r->fields;
    r->params.guarded = true;
    r->params.known = NULL;
    r->params.facts = NULL;
    r->params.fault = &r->fault;
    return ok;
}

/* Blocks are for whoever opens the same version again, if there is something to tell versions
 * apart by. */
static void name_blocks(struct sl_remote *r)
{
    const struct sl_http_facts *f = &r->facts;
    struct sl_sha256 h;
    uint8_t digest[SL_SHA256_SIZE];
    char text[128];
    uint64_t serial = f->tag[0] || f->modified[0] ? 0 : sl_blocks_serial(r->blocks);
    int n =
        snprintf(text, sizeof text, "%" PRIu64 "/%" PRId64 "/%s\n", serial, f->size, f->modified);

    sl_sha256_init(&h);
    sl_sha256_update(&h, text, (size_t)n);
    sl_sha256_update(&h, f->tag, strlen(f->tag) + 1);
    sl_sha256_update(&h, r->url, strlen(r->url) + 1);
    for (size_t i = 0; i < r->params.field_count; i++) { /* they may decide what is sent */
        sl_sha256_update(&h, r->fields[i].name, strlen(r->fields[i].name) + 1);
        sl_sha256_update(&h, r->fields[i].value, strlen(r->fields[i].value) + 1);
    }
    sl_sha256_final(&h, digest);
    sl_sha256_hex(digest, 8, r->key);
}

enum sl_status sl_remote_open(struct sl_remote **out, const struct sl_http_params *params,
                              struct sl_blocks *blocks, struct sl_error *err)
{
    struct sl_remote *r = sl_alloc_zero(sizeof *r);
    struct sl_http_params first;
    enum sl_status status;

    *out = NULL;
    if (!r) {
        return sl_fail_memory(err);
    }
    (void)pthread_mutex_init(&r->lock, NULL);
    r->blocks = blocks;
    if (!copy_params(r, params)) {
        sl_remote_destroy(&r);
        return sl_fail_memory(err);
    }
    first = r->params;
    first.facts = &r->facts;
    status = sl_source_http_open(&r->first, &first, err);
    if (status != SL_OK) {
        if (params->fault) {
            atomic_store(params->fault, atomic_load(&r->fault));
        }
        sl_remote_destroy(&r);
        return status;
    }
    name_blocks(r);
    *out = r;
    return SL_OK;
}

void sl_remote_destroy(struct sl_remote **remote)
{
    struct sl_remote *r = *remote;

    *remote = NULL;
    if (!r) {
        return;
    }
    if (r->first) {
        r->first->destroy(r->first);
    }
    for (size_t i = 0; i < r->params.field_count; i++) {
        sl_free((void *)r->fields[i].name);
        sl_free((void *)r->fields[i].value);
    }
    sl_free(r->fields);
    sl_free(r->name);
    sl_free(r->url);
    (void)pthread_mutex_destroy(&r->lock);
    sl_free(r);
}

const struct sl_http_facts *sl_remote_facts(const struct sl_remote *r)
{
    return &r->facts;
}

enum sl_http_fault sl_remote_fault(const struct sl_remote *r)
{
    return (enum sl_http_fault)atomic_load(&r->fault);
}
