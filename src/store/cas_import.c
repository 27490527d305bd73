/* SPDX-License-Identifier: BSD-2-Clause */
/* From a CAR to objects. Blocks may come in any order, so they are hashed and laid down in one
 * temporary file first; then each root is made of them, children before parents, as temporary files
 * too; and only when all is there does anything get a name. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "store/car.h"
#include "store/cas.h"
#include "store/varint.h"

/* A few blocks may stand for any number of links by naming the same one again and again, and so
 * keep an import busy for ever. What a file of this size, or these blocks, can need is less. */
#define LINKS_FREE     (INT64_C(1) << 18)
#define LINKS_OF_BLOCK 16
#define BYTES_OF_LINK  64
#define BLOCKS_MAX     (1u << 22) /* in one CAR: 50 bytes of memory each, or more */

struct import {
    struct sl_cas *cas;
    const char *name;
    struct sl_cid_set blocks; /* value: offset in spool, extra: size */
    struct sl_cid_set done;   /* objects that are staged, or were there */
    struct sl_hasher hasher;
    char spool_name[SL_CAS_NAME_SIZE];
    struct sl_file *spool;
    int64_t spooled;
    int64_t links, links_allowed;
    int64_t content, content_max; /* bytes of files */
    struct sl_cas_batch *batch;
};

/* One object that is being made. */
struct making {
    char content[SL_CAS_NAME_SIZE], dag[SL_CAS_NAME_SIZE];
    int fd, dag_fd;
    struct sl_cid_set inner; /* nodes that are in the .dag already */
};

/* ---- the blocks ---------------------------------------------------------------------------- */

static enum sl_status read_fd(void *opaque, void *dst, size_t size, size_t *got,
                              struct sl_error *err)
{
    const int *fd = opaque;
    ssize_t n;

    do {
        n = read(*fd, dst, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return sl_fail_errno(err, errno, NULL, "read");
    }
    *got = (size_t)n;
    return SL_OK;
}

static enum sl_status take_block(struct import *m, int spool, const struct sl_car_reader *car,
                                 const struct sl_cid *cid, const uint8_t *block, size_t size,
                                 struct sl_error *err)
{
    uint8_t digest[SL_CID_DIGEST_SIZE];
    char text[SL_CID_TEXT_SIZE];
    struct sl_cid_entry *entry;
    bool added;
    enum sl_status status;

    sl_hasher_digest(&m->hasher, block, size, digest);
    if (memcmp(digest, cid->digest, sizeof digest) != 0) {
        return sl_fail_at(err, SL_EDATA, m->name, car->at - (int64_t)size,
                          "the block %s is damaged: its hash is another", sl_cid_text(cid, text));
    }
    status = sl_cid_set_add(&m->blocks, cid, &entry, &added, err);
    if (status != SL_OK || !added) {
        return status;
    }
    entry->value = m->spooled;
    entry->extra = (int64_t)size;
    m->spooled += (int64_t)size;
    return sl_io_write(spool, block, size, m->cas->directory, err);
}

static enum sl_status spool(struct import *m, struct sl_car_reader *car, struct sl_error *err)
{
    enum sl_status status;
    int fd = -1;

    status = sl_cas_temp_create(m->cas, m->spool_name, &fd, err);
    if (status == SL_OK) {
        status = sl_car_head(car, err);
    }
    while (status == SL_OK) {
        const uint8_t *block;
        struct sl_cid cid;
        size_t size;

        status = sl_car_next(car, &cid, &block, &size, err);
        if (status == SL_OK) {
            status = take_block(m, fd, car, &cid, block, size, err);
        }
    }
    if (status == SL_EOF) {
        status = sl_file_wrap(&m->spool, fd, m->spool_name, err);
        fd = -1;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

static enum sl_status count_link(struct import *m, struct sl_error *err)
{
    return ++m->links > m->links_allowed
               ? sl_fail(err, SL_EDATA, m->name, "more links than any file or directory has")
               : SL_OK;
}

/* The bytes of a block, from the CAR or, where that left it out, from the store. */
static enum sl_status get_block(struct import *m, const struct sl_cid *cid, struct sl_chain *out,
                                struct sl_error *err)
{
    const struct sl_cid_entry *e = sl_cid_set_find(&m->blocks, cid);
    char text[SL_CID_TEXT_SIZE];
    enum sl_status status = count_link(m, err);

    if (status != SL_OK) {
        return status;
    }
    if (e) {
        return sl_chain_add_file(out, m->spool, e->value, (size_t)e->extra, err);
    }
    status = sl_cas_block(m->cas, cid, out, NULL);
    return status == SL_ENOTFOUND
               ? sl_fail(err, SL_EDATA, m->name, "the block %s is missing", sl_cid_text(cid, text))
           : status != SL_OK ? sl_fail(err, status, m->name,
                                       "the block %s, which the store has, "
                                       "cannot be read",
                                       sl_cid_text(cid, text))
                             : SL_OK;
}

/* The same in memory, as a node. */
static enum sl_status get_node(struct import *m, const struct sl_cid *cid, struct sl_buf **block,
                               struct sl_dag_node *node, struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE];
    struct sl_error own = {0};
    struct sl_chain chain;
    enum sl_status status;

    *block = NULL;
    *node = (struct sl_dag_node){.type = SL_UNIXFS_NONE};
    sl_chain_init(&chain);
    status = get_block(m, cid, &chain, err);
    if (status == SL_OK) {
        status = sl_chain_load(&chain, block, err);
    }
    if (status == SL_OK) {
        status = sl_dag_decode(node, (*block)->data, (*block)->size, &own);
        if (status != SL_OK) {
            status = sl_fail(err, status, m->name, "%s: %s", sl_cid_text(cid, text), own.msg);
        }
    }
    sl_chain_clear(&chain);
    return status;
}

/* ---- files --------------------------------------------------------------------------------- */

/* Whether the block is what a leaf with this content looks like, so that content is enough. */
static bool is_plain_leaf(const struct sl_dag_node *node, const struct sl_buf *block)
{
    struct sl_dag_frame frame;

    if (node->count > 0) {
        return false;
    }
    sl_dag_leaf_frame(&frame, node->data_size);
    return block->size == frame.head_size + node->data_size + frame.tail_size &&
           memcmp(block->data, frame.head, frame.head_size) == 0 &&
           memcmp(block->data + block->size - frame.tail_size, frame.tail, frame.tail_size) == 0 &&
           (node->data_size == 0 || node->data == block->data + frame.head_size);
}

static enum sl_status keep_node(struct import *m, struct making *k, const struct sl_cid *root,
                                const struct sl_cid *cid, const struct sl_buf *block,
                                struct sl_error *err)
{
    struct sl_cid_entry *entry;
    struct sl_writer head;
    uint8_t bytes[SL_CID_BYTES_MAX];
    size_t cid_size = sl_cid_encode(cid, bytes);
    bool added;
    enum sl_status status = sl_cid_set_add(&k->inner, cid, &entry, &added, err);

    if (status != SL_OK || !added) {
        return status;
    }
    sl_writer_init(&head, 256);
    if (k->dag_fd < 0) {
        struct sl_cid v1 = sl_cid_v1(root);

        status = sl_cas_temp_create(m->cas, k->dag, &k->dag_fd, err);
        sl_cas_dag_write_head(&head, &v1);
    }
    sl_write_varint(&head, cid_size + block->size);
    sl_write_bytes(&head, bytes, cid_size);
    if (status == SL_OK) {
        status = sl_writer_finish(&head, err);
    }
    if (status == SL_OK) {
        status = sl_io_write(k->dag_fd, head.data, head.size, m->cas->directory, err);
    }
    if (status == SL_OK) {
        status = sl_io_write(k->dag_fd, block->data, block->size, m->cas->directory, err);
    }
    sl_writer_clear(&head);
    return status;
}

static enum sl_status wrong_size(const struct import *m, const struct sl_cid *cid,
                                 struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE];

    return sl_fail(err, SL_EDATA, m->name, "%s does not have the size that its parent says",
                   sl_cid_text(cid, text));
}

/* Content below cid, which must be size bytes (-1: any), goes to the end of the file. */
/* NOLINTNEXTLINE(misc-no-recursion): SL_CAS_DEPTH_MAX deep at most */
static enum sl_status flatten(struct import *m, struct making *k, const struct sl_cid *root,
                              const struct sl_cid *cid, int64_t size, int depth,
                              struct sl_error *err)
{
    struct sl_dag_node node = {.type = SL_UNIXFS_NONE};
    struct sl_buf *block = NULL;
    struct sl_chain chain;
    enum sl_status status;

    sl_chain_init(&chain);
    if (depth == SL_CAS_DEPTH_MAX) {
        return sl_fail(err, SL_EDATA, m->name, "more than %d nodes below each other",
                       SL_CAS_DEPTH_MAX);
    }
    if (cid->codec == SL_CODEC_RAW) {
        status = get_block(m, cid, &chain, err);
        if (status == SL_OK && size >= 0 && chain.size != size) {
            status = wrong_size(m, cid, err);
        }
        if (status == SL_OK) {
            status = sl_chain_write(&chain, k->fd, m->cas->directory, err);
        }
        goto out;
    }
    status = get_node(m, cid, &block, &node, err);
    if (status == SL_OK && (!sl_dag_is_file(&node) || (size >= 0 && node.size != (uint64_t)size))) {
        status = wrong_size(m, cid, err);
    }
    if (status == SL_OK && node.data_size > 0) {
        status = sl_io_write(k->fd, node.data, node.data_size, m->cas->directory, err);
    }
    for (size_t i = 0; i < node.count && status == SL_OK; i++) {
        status =
            flatten(m, k, root, &node.links[i].cid, (int64_t)node.links[i].size, depth + 1, err);
    }
    if (status == SL_OK && !is_plain_leaf(&node, block)) {
        status = keep_node(m, k, root, cid, block, err);
    }
out:
    sl_chain_clear(&chain);
    sl_dag_clear(&node);
    sl_buf_unref(&block);
    return status;
}

static enum sl_status make_file(struct import *m, const struct sl_cid *cid, int64_t size, int depth,
                                struct sl_error *err)
{
    struct making k = {.fd = -1, .dag_fd = -1, .inner = {.max = SL_CAS_SET_MAX}};
    struct sl_cas_staged staged = {.cid = sl_cid_v1(cid)};
    enum sl_status status;

    if (size > m->content_max - m->content) {
        return sl_fail(err, SL_EDATA, m->name,
                       "a file of %lld bytes: there is room for %lld in all", (long long)size,
                       (long long)m->content_max);
    }
    if (size > 0) {
        m->content += size;
        m->links_allowed += size / BYTES_OF_LINK;
    }
    status = sl_cas_temp_create(m->cas, k.content, &k.fd, err);
    if (status == SL_OK) {
        status = flatten(m, &k, cid, cid, size, depth, err);
    }
    if (k.fd >= 0) {
        off_t end = lseek(k.fd, 0, SEEK_END);

        staged.size = end;
        (void)close(k.fd);
    }
    if (k.dag_fd >= 0) {
        (void)close(k.dag_fd);
    }
    sl_cid_set_clear(&k.inner);
    memcpy(staged.content, k.content, sizeof staged.content);
    memcpy(staged.dag, k.dag, sizeof staged.dag);
    if (status != SL_OK) {
        sl_cas_unstage(m->cas, &staged);
        return status;
    }
    return sl_cas_batch_add(m->batch, &staged, err);
}

/* ---- objects ------------------------------------------------------------------------------- */

static enum sl_status make_node(struct import *m, const struct sl_cid *cid,
                                const struct sl_buf *block, struct sl_error *err)
{
    struct sl_cas_staged staged = {.cid = sl_cid_v1(cid), .is_node = true};
    enum sl_status status;
    int fd = -1;

    staged.size = (int64_t)block->size;
    status = sl_cas_temp_create(m->cas, staged.content, &fd, err);
    if (status == SL_OK) {
        status = sl_io_write(fd, block->data, block->size, m->cas->directory, err);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (status != SL_OK) {
        sl_cas_unstage(m->cas, &staged);
        return status;
    }
    return sl_cas_batch_add(m->batch, &staged, err);
}

/* What the CAR leaves out and the store has: kept from gc from here on. */
static enum sl_status use_present(struct import *m, const struct sl_cid *cid, bool *present,
                                  struct sl_error *err)
{
    enum sl_status status;
    int lock;

    *present = false;
    if (sl_cid_set_find(&m->blocks, cid)) {
        return SL_OK;
    }
    status = sl_cas_lock(m->cas, false, &lock, err);
    if (status != SL_OK) {
        return status;
    }
    *present = sl_cas_has(m->cas, cid);
    if (*present) {
        status = sl_cas_lease(m->cas, cid, err);
    }
    sl_cas_unlock(&lock);
    return status;
}

/* NOLINTNEXTLINE(misc-no-recursion): SL_CAS_DEPTH_MAX deep at most */
static enum sl_status make_object(struct import *m, const struct sl_cid *cid, int depth,
                                  struct sl_error *err)
{
    struct sl_dag_node node = {.type = SL_UNIXFS_NONE};
    struct sl_buf *block = NULL;
    struct sl_cid_entry *entry;
    bool fresh, present;
    enum sl_status status = sl_cid_set_add(&m->done, cid, &entry, &fresh, err);

    if (status != SL_OK || !fresh) {
        return status;
    }
    status = use_present(m, cid, &present, err);
    if (status != SL_OK || present) {
        return status;
    }
    if (depth == SL_CAS_DEPTH_MAX) {
        return sl_fail(err, SL_EDATA, m->name, "more than %d directories below each other",
                       SL_CAS_DEPTH_MAX);
    }
    if (cid->codec == SL_CODEC_RAW) {
        return make_file(m, cid, -1, depth, err);
    }
    status = get_node(m, cid, &block, &node, err);
    if (status == SL_OK && sl_dag_is_file(&node)) {
        status = make_file(m, cid, (int64_t)node.size, depth, err);
    } else if (status == SL_OK) {
        for (size_t i = 0; i < node.count && status == SL_OK; i++) {
            status = make_object(m, &node.links[i].cid, depth + 1, err);
        }
        if (status == SL_OK) {
            status = make_node(m, cid, block, err);
        }
    }
    sl_dag_clear(&node);
    sl_buf_unref(&block);
    return status;
}

/* ---- the whole ----------------------------------------------------------------------------- */

static enum sl_status finish(struct import *m, const struct sl_car_reader *car,
                             const struct sl_cas_import_params *params, struct sl_error *err)
{
    enum sl_status status = sl_cas_batch_flush(m->batch, err);

    for (size_t i = 0; i < car->root_count && status == SL_OK; i++) {
        struct sl_cas_info info;

        if (params->pin) {
            status = sl_cas_pin(m->cas, &car->roots[i], params->pin, err);
        }
        if (status == SL_OK && params->root) {
            status = sl_cas_stat(m->cas, &car->roots[i], &info, err);
            if (status == SL_OK) {
                params->root(params->opaque, &info);
            }
        }
    }
    return status;
}

/* Room on the disk: to begin with more is of no use. */
static int64_t free_bytes(const struct sl_cas *cas)
{
    struct statvfs st;
    uint64_t bytes;

    if (fstatvfs(cas->root, &st) != 0 ||
        __builtin_mul_overflow((uint64_t)st.f_bavail, (uint64_t)st.f_frsize, &bytes) ||
        bytes > SL_CAS_FILE_MAX) {
        return SL_CAS_FILE_MAX;
    }
    return (int64_t)bytes;
}

enum sl_status sl_cas_import(struct sl_cas *cas, int fd, const struct sl_cas_import_params *params,
                             struct sl_error *err)
{
    struct sl_car_reader car = {.read = read_fd, .opaque = &fd, .name = params->name};
    struct import m = {.cas = cas, .name = params->name};
    enum sl_status status = params->pin ? sl_cas_pin_check(params->pin, err) : SL_OK;

    m.blocks.max = m.done.max = BLOCKS_MAX;
    m.content_max = params->max_bytes > 0 ? params->max_bytes : free_bytes(cas);
    sl_hasher_init(&m.hasher);
    if (status == SL_OK) {
        status = sl_cas_batch_open(&m.batch, cas, err);
    }
    if (status == SL_OK) {
        m.batch->limit = 0; /* all or nothing */
        status = spool(&m, &car, err);
    }
    m.links_allowed = LINKS_FREE + LINKS_OF_BLOCK * (int64_t)m.blocks.count;
    for (size_t i = 0; i < car.root_count && status == SL_OK; i++) {
        status = make_object(&m, &car.roots[i], 0, err);
    }
    if (status == SL_OK) {
        status = finish(&m, &car, params, err);
    }
    sl_cas_batch_close(&m.batch);
    sl_file_unref(&m.spool);
    if (m.spool_name[0]) {
        (void)unlinkat(cas->temp, m.spool_name, 0);
    }
    sl_cid_set_clear(&m.blocks);
    sl_cid_set_clear(&m.done);
    sl_hasher_clear(&m.hasher);
    sl_car_clear(&car);
    return status;
}
