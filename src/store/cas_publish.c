/* SPDX-License-Identifier: BSD-2-Clause */
/* From temporary files to objects: sync, rename under the shared lock, sync the directories, so
 * that what has a name is whole, after a power failure too. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"

#define BATCH_LIMIT 512

/* ---- one object ---------------------------------------------------------------------------- */

static void index_staged(struct sl_cas *cas, const struct sl_cas_staged *item)
{
    struct sl_buf *dag = NULL;
    struct stat st;
    int fd = openat(cas->temp, item->dag, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return;
    }
    if (fstat(fd, &st) == 0 &&
        sl_cas_load(fd, st.st_size, SL_CAS_NODES_MAX, item->dag, &dag, NULL) == SL_OK) {
        sl_cas_index_add(cas, &item->cid, dag);
    }
    sl_buf_unref(&dag);
    (void)close(fd);
}

static enum sl_status sync_name(const struct sl_cas *cas, int directory, const char *name,
                                struct sl_error *err)
{
    enum sl_status status;
    int fd;

    if ((cas->flags & SL_CAS_NO_SYNC) != 0) {
        return SL_OK;
    }
    fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return sl_fail_errno(err, errno, name, "open");
    }
    status = sl_cas_sync(cas, fd, cas->directory, err);
    (void)close(fd);
    return status;
}

static enum sl_status sync_staged(struct sl_cas *cas, const struct sl_cas_staged *item,
                                  struct sl_error *err)
{
    enum sl_status status = sync_name(cas, cas->temp, item->content, err);

    return status == SL_OK && item->dag[0] ? sync_name(cas, cas->temp, item->dag, err) : status;
}

/* Whether it is there already, as far as sizes tell: another process may have been faster. What it
 * has not synced yet is synced here. */
static enum sl_status find_present(struct sl_cas *cas, const struct sl_cas_staged *item,
                                   bool *present, struct sl_error *err)
{
    enum sl_cas_part part = item->is_node ? SL_CAS_NODE : SL_CAS_FLAT;
    char name[SL_CAS_NAME_SIZE];
    enum sl_status status;
    int64_t size = -1;

    *present = sl_cas_part_exists(cas, &item->cid, part, &size) && size == item->size &&
               (!item->dag[0] || sl_cas_part_exists(cas, &item->cid, SL_CAS_DAG, NULL));
    if (!*present) {
        return SL_OK;
    }
    status = sync_name(cas, cas->objects, sl_cas_part_name(&item->cid, part, name), err);
    if (status == SL_OK && item->dag[0]) {
        status = sync_name(cas, cas->objects, sl_cas_part_name(&item->cid, SL_CAS_DAG, name), err);
    }
    return status;
}

static enum sl_status move(struct sl_cas *cas, const char *temp, const struct sl_cid *cid,
                           enum sl_cas_part part, struct sl_error *err)
{
    char name[SL_CAS_NAME_SIZE], shard[3];

    sl_cas_part_name(cid, part, name);
    if (renameat(cas->temp, temp, cas->objects, name) == 0) {
        return SL_OK;
    }
    if (errno == ENOENT) {
        sl_cas_shard(cid, shard);
        if (mkdirat(cas->objects, shard, 0777) != 0 && errno != EEXIST) {
            return sl_fail_errno(err, errno, cas->directory, "make a directory of objects");
        }
        if (renameat(cas->temp, temp, cas->objects, name) == 0) {
            return SL_OK;
        }
    }
    return sl_fail_errno(err, errno, cas->directory, "publish an object");
}

static enum sl_status publish_one(struct sl_cas *cas, struct sl_cas_staged *item,
                                  struct sl_error *err)
{
    bool present = false;
    enum sl_status status = find_present(cas, item, &present, err);

    if (status != SL_OK || present) {
        return status;
    }
    if (item->dag[0]) {
        index_staged(cas, item);
        /* First: a file without its inner nodes would pass for one leaf. */
        status = move(cas, item->dag, &item->cid, SL_CAS_DAG, err);
        if (status == SL_OK) {
            item->dag[0] = '\0';
        }
    }
    if (status == SL_OK) {
        status =
            move(cas, item->content, &item->cid, item->is_node ? SL_CAS_NODE : SL_CAS_FLAT, err);
    }
    if (status == SL_OK) {
        item->content[0] = '\0';
    }
    return status;
}

void sl_cas_unstage(struct sl_cas *cas, struct sl_cas_staged *item)
{
    if (item->content[0]) {
        (void)unlinkat(cas->temp, item->content, 0);
    }
    if (item->dag[0]) {
        (void)unlinkat(cas->temp, item->dag, 0);
    }
    item->content[0] = item->dag[0] = '\0';
}

/* ---- several ------------------------------------------------------------------------------- */

static size_t shard_number(const char shard[3])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

    return (size_t)(strchr(digits, shard[0]) - digits) * 32 +
           (size_t)(strchr(digits, shard[1]) - digits);
}

/* Their directories, each once, and objects/ where one of those may be new. */
static enum sl_status sync_directories(struct sl_cas *cas, const struct sl_cas_staged *items,
                                       size_t count, struct sl_error *err)
{
    uint8_t done[sizeof cas->shards] = {0};
    enum sl_status status = SL_OK;
    bool fresh = false;

    if ((cas->flags & SL_CAS_NO_SYNC) != 0) {
        return SL_OK;
    }
    for (size_t i = 0; i < count && status == SL_OK; i++) {
        char shard[3];
        size_t n;

        sl_cas_shard(&items[i].cid, shard);
        n = shard_number(shard);
        if ((done[n / 8] & 1u << n % 8) == 0) {
            done[n / 8] = (uint8_t)(done[n / 8] | 1u << n % 8);
            status = sync_name(cas, cas->objects, shard, err);
        }
    }
    (void)pthread_mutex_lock(&cas->mutex);
    for (size_t i = 0; i < sizeof done; i++) {
        fresh |= (done[i] & ~cas->shards[i]) != 0;
    }
    (void)pthread_mutex_unlock(&cas->mutex);
    if (status == SL_OK && fresh) {
        status = sl_cas_sync(cas, cas->objects, cas->directory, err);
    }
    if (status == SL_OK) {
        (void)pthread_mutex_lock(&cas->mutex);
        for (size_t i = 0; i < sizeof done; i++) {
            cas->shards[i] |= done[i];
        }
        (void)pthread_mutex_unlock(&cas->mutex);
    }
    return status;
}

enum sl_status sl_cas_publish(struct sl_cas *cas, struct sl_cas_staged *items, size_t count,
                              const struct sl_cid *pinned, const char *pin, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    int lock = -1;

    /* The slow part is done without the lock. */
    for (size_t i = 0; i < count && status == SL_OK; i++) {
        status = sync_staged(cas, &items[i], err);
    }
    if (status == SL_OK) {
        status = sl_cas_lock(cas, false, &lock, err);
    }
    for (size_t i = 0; i < count && status == SL_OK; i++) {
        status = publish_one(cas, &items[i], err);
        if (status == SL_OK && !(pinned && sl_cid_same(pinned, &items[i].cid))) {
            status = sl_cas_lease(cas, &items[i].cid, err);
        }
    }
    if (status == SL_OK && pinned) {
        status = sl_cas_pin_make(cas, pinned, pin, err);
    }
    sl_cas_unlock(&lock);
    if (status == SL_OK) {
        status = sync_directories(cas, items, count, err);
    }
    if (status == SL_OK && pinned) {
        status = sl_cas_sync(cas, cas->pins, cas->directory, err);
    }
    return status;
}

/* ---- batches ------------------------------------------------------------------------------- */

enum sl_status sl_cas_batch_open(struct sl_cas_batch **out, struct sl_cas *cas,
                                 struct sl_error *err)
{
    *out = sl_alloc_zero(sizeof **out);
    if (!*out) {
        return sl_fail_memory(err);
    }
    (*out)->cas = cas;
    (*out)->limit = BATCH_LIMIT;
    return SL_OK;
}

enum sl_status sl_cas_batch_add(struct sl_cas_batch *batch, struct sl_cas_staged *item,
                                struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (batch->limit > 0 && batch->count >= batch->limit) {
        status = sl_cas_batch_flush(batch, err);
    }
    if (status == SL_OK && sl_grow(&batch->items, &batch->capacity, batch->count,
                                   sizeof *batch->items, SL_CAS_SET_MAX) != SL_OK) {
        status = sl_fail_memory(err);
    }
    if (status == SL_OK) {
        batch->items[batch->count++] = *item;
    } else {
        sl_cas_unstage(batch->cas, item);
    }
    return status;
}

bool sl_cas_batch_has(const struct sl_cas_batch *batch, const struct sl_cid *cid)
{
    for (size_t i = 0; batch && i < batch->count; i++) {
        if (sl_cid_same(&batch->items[i].cid, cid)) {
            return true;
        }
    }
    return false;
}

static void forget(struct sl_cas_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        sl_cas_unstage(batch->cas, &batch->items[i]);
    }
    batch->count = 0;
}

enum sl_status sl_cas_batch_flush(struct sl_cas_batch *batch, struct sl_error *err)
{
    enum sl_status status =
        batch->count > 0 ? sl_cas_publish(batch->cas, batch->items, batch->count, NULL, NULL, err)
                         : SL_OK;

    forget(batch);
    return status;
}

void sl_cas_batch_close(struct sl_cas_batch **out)
{
    struct sl_cas_batch *batch = out ? *out : NULL;

    if (!batch) {
        return;
    }
    *out = NULL;
    forget(batch);
    sl_free(batch->items);
    sl_free(batch);
}
