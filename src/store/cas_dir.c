/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "store/cas.h"

struct sl_cas_dir {
    struct sl_dag_link *links; /* names are owned */
    size_t count, capacity;
    size_t estimate; /* as nodes count it for their decision to shard */
};

enum sl_status sl_cas_dir_open(struct sl_cas_dir **out, struct sl_error *err)
{
    *out = sl_alloc_zero(sizeof **out);
    return *out ? SL_OK : sl_fail_memory(err);
}

void sl_cas_dir_abort(struct sl_cas_dir **out)
{
    struct sl_cas_dir *d = out ? *out : NULL;

    if (!d) {
        return;
    }
    *out = NULL;
    for (size_t i = 0; i < d->count; i++) {
        sl_free((char *)d->links[i].name);
    }
    sl_free(d->links);
    sl_free(d);
}

enum sl_status sl_cas_dir_add(struct sl_cas_dir *d, const char *name,
                              const struct sl_cas_info *entry, struct sl_error *err)
{
    size_t length = strlen(name), cid_size = entry->cid.version == 0 ? 34 : SL_CID_BYTES_MAX;
    struct sl_dag_link link = {.cid = entry->cid, .name_size = length};
    char *copy;

    if (!sl_dag_name_valid(name, length)) {
        return sl_fail(err, SL_EINVAL, name, "is not a name that a directory may have");
    }
    if (d->estimate + length + cid_size > SL_CAS_DIRECTORY_MAX) {
        return sl_fail(err, SL_EUNSUPPORTED, name,
                       "more entries than a directory holds in one block (%u bytes of names and "
                       "CIDs): subdirectories are expected",
                       SL_CAS_DIRECTORY_MAX);
    }
    if (sl_grow(&d->links, &d->capacity, d->count, sizeof *d->links, SL_DAG_LINKS_MAX) != SL_OK) {
        return sl_fail_memory(err);
    }
    copy = sl_strdup(name);
    if (!copy) {
        return sl_fail_memory(err);
    }
    link.name = copy;
    link.tsize = (uint64_t)entry->tsize;
    d->links[d->count++] = link;
    d->estimate += length + cid_size;
    return SL_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct sl_dag_link *x = a, *y = b;

    return sl_dag_name_compare(x->name, x->name_size, y->name, y->name_size);
}

static enum sl_status sort(struct sl_cas_dir *d, struct sl_error *err)
{
    if (d->count > 0) {
        qsort(d->links, d->count, sizeof *d->links, by_name);
    }
    for (size_t i = 1; i < d->count; i++) {
        if (by_name(&d->links[i - 1], &d->links[i]) == 0) {
            return sl_fail(err, SL_EINVAL, d->links[i].name, "is there twice");
        }
    }
    return SL_OK;
}

/* Whoever is named must be there, and stay until the directory is. */
static enum sl_status keep_entries(const struct sl_cas_dir *d, struct sl_cas *cas,
                                   const struct sl_cas_batch *batch, struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE];
    enum sl_status status;
    int lock;

    status = sl_cas_lock(cas, false, &lock, err);
    if (status != SL_OK) {
        return status;
    }
    for (size_t i = 0; i < d->count && status == SL_OK; i++) {
        if (sl_cas_batch_has(batch, &d->links[i].cid)) {
            continue;
        }
        status = sl_cas_has(cas, &d->links[i].cid)
                     ? sl_cas_lease(cas, &d->links[i].cid, err)
                     : sl_fail(err, SL_ENOTFOUND, d->links[i].name, "%s is not in the store",
                               sl_cid_text(&d->links[i].cid, text));
    }
    sl_cas_unlock(&lock);
    return status;
}

/* The node of the directory in a temporary file. */
static enum sl_status make_node(const struct sl_cas_dir *d, struct sl_cas *cas, int cid_version,
                                struct sl_cas_staged *staged, struct sl_cas_info *out,
                                struct sl_error *err)
{
    struct sl_hasher hasher;
    struct sl_writer block;
    enum sl_status status;
    int fd = -1;

    *staged = (struct sl_cas_staged){.is_node = true};
    *out = (struct sl_cas_info){.kind = SL_STORE_DIRECTORY};
    sl_hasher_init(&hasher);
    sl_writer_init(&block, SL_CAS_BLOCK_MAX);
    sl_dag_write_directory(&block, d->links, d->count);
    status = sl_writer_finish(&block, err);
    if (status == SL_OK) {
        status = sl_cas_temp_create(cas, staged->content, &fd, err);
    }
    if (status == SL_OK) {
        status = sl_io_write(fd, block.data, block.size, cas->directory, err);
    }
    if (status == SL_OK) {
        out->cid.version = (uint8_t)cid_version;
        out->cid.codec = SL_CODEC_DAG_PB;
        sl_hasher_digest(&hasher, block.data, block.size, out->cid.digest);
        out->size = out->tsize = (int64_t)block.size;
        for (size_t i = 0; i < d->count; i++) {
            out->tsize += (int64_t)d->links[i].tsize;
        }
        staged->cid = sl_cid_v1(&out->cid);
        staged->size = out->size;
    } else {
        sl_cas_unstage(cas, staged);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    sl_writer_clear(&block);
    sl_hasher_clear(&hasher);
    return status;
}

enum sl_status sl_cas_dir_commit(struct sl_cas_dir **dir, struct sl_cas *cas,
                                 struct sl_cas_batch *batch, int cid_version, const char *pin,
                                 struct sl_cas_info *out, struct sl_error *err)
{
    struct sl_cas_staged staged = {0};
    struct sl_cas_info info;
    enum sl_status status = pin ? sl_cas_pin_check(pin, err) : SL_OK;

    if (status == SL_OK) {
        status = sort(*dir, err);
    }
    if (status == SL_OK) {
        status = keep_entries(*dir, cas, batch, err);
    }
    if (status == SL_OK) {
        status = make_node(*dir, cas, cid_version, &staged, &info, err);
    }
    sl_cas_dir_abort(dir);
    if (status != SL_OK) {
        return status;
    }
    if (batch && !pin) {
        status = sl_cas_batch_add(batch, &staged, err);
    } else {
        status = batch ? sl_cas_batch_flush(batch, err) : SL_OK;
        if (status == SL_OK) {
            status = sl_cas_publish(cas, &staged, 1, pin ? &info.cid : NULL, pin, err);
        }
        sl_cas_unstage(cas, &staged);
    }
    if (status == SL_OK && out) {
        *out = info;
    }
    return status;
}
