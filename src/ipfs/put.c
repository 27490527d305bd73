/* SPDX-License-Identifier: BSD-2-Clause */
/* How an object comes to a node: as the CAR of the DAG that is ours already, so that its CID cannot
 * be another one. A node that has no dag/import is told with every parameter how to make a file,
 * and what it made is compared; nodes of directories are given to it as blocks.
 *
 * Memory is one block, and of a directory the entries of those on the way down. No lock of the
 * store is held while bytes travel. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "ipfs/node.h"

#define WHOLE_PARTS 20                   /* of the time without a byte: what a call may take … */
#define LEAST_RATE  (INT64_C(128) << 10) /* … and bytes a second on top, as slow as that */
#define CHECK_PIECE (INT64_C(1) << 20)   /* a multiple of what files are cut into */

struct putting {
    struct sl_ipfs *n;
    struct sl_cas *cas;
    enum sl_store_profile profile;
    const struct sl_cid_set *there; /* files that need not be sent; NULL: none */
};

static int64_t whole_ms(const struct sl_ipfs *n, int64_t bytes)
{
    return n->timeout_ms * WHOLE_PARTS + (bytes > 0 ? bytes : 0) / LEAST_RATE * 1000;
}

/* ---- a CAR --------------------------------------------------------------------------------- */

struct car {
    struct sl_cas_export *source; /* NULL: it is in the chain */
    struct sl_chain chain;
    int64_t at;
};

static enum sl_status read_car(void *opaque, void *dst, size_t size, size_t *got,
                               struct sl_error *err)
{
    struct car *c = opaque;
    int64_t left = c->chain.size - c->at;

    *got = 0;
    if (left == 0 && c->source) {
        enum sl_status status;

        sl_chain_clear(&c->chain);
        c->at = 0;
        status = sl_cas_export_next(c->source, &c->chain, err);
        if (status != SL_OK) {
            return status == SL_EOF ? SL_OK : status;
        }
        left = c->chain.size;
    }
    *got = left < (int64_t)size ? (size_t)left : size;
    if (*got > 0) {
        enum sl_status status = sl_chain_read(&c->chain, c->at, dst, *got, err);

        if (status != SL_OK) {
            return status;
        }
        c->at += (int64_t)*got;
    }
    return SL_OK;
}

/* not_pinned: why the node has not pinned it, "" where it has. */
static enum sl_status import(struct putting *p, struct car *car, const struct sl_cid *root,
                             int64_t limit_ms, bool pin, char not_pinned[SL_IPFS_REASON_MAX],
                             struct sl_error *err)
{
    const struct sl_ipfs_body body = {read_car, car};
    struct sl_ipfs_answer answer;
    char call[64];
    enum sl_status status;

    (void)snprintf(call, sizeof call, "dag/import?pin-roots=%s&silent=false&stats=false",
                   pin ? "true" : "false");
    status = sl_ipfs_call(p->n, call, &body, limit_ms, &answer, err);
    not_pinned[0] = '\0';
    if (status == SL_OK && !pin) {
        return sl_ipfs_answer_check(&answer, err); /* roots that are not pinned need not be named */
    }
    return status == SL_OK ? sl_ipfs_answer_import(&answer, root, not_pinned, err) : status;
}

static enum sl_status import_all(struct putting *p, const struct sl_cas_info *info, bool pin,
                                 struct sl_error *err)
{
    struct car car = {.source = NULL};
    char why[SL_IPFS_REASON_MAX] = "";
    enum sl_status status;

    sl_chain_init(&car.chain);
    status = sl_cas_export_open(&car.source, p->cas, &info->cid, true, err);
    if (status == SL_OK) {
        status = import(p, &car, &info->cid, whole_ms(p->n, info->tsize), pin, why, err);
    }
    sl_cas_export_close(&car.source);
    sl_chain_clear(&car.chain);
    return status == SL_OK && why[0]
               ? sl_fail(err, SL_EIO, p->n->name, "the node has not pinned it: %s", why)
               : status;
}

static enum sl_status import_node(struct putting *p, const struct sl_cas_info *info, bool pin,
                                  char not_pinned[SL_IPFS_REASON_MAX], struct sl_error *err)
{
    struct car car = {.source = NULL};
    enum sl_status status;

    sl_chain_init(&car.chain);
    status = sl_cas_export_node(p->cas, &info->cid, &car.chain, err);
    if (status == SL_OK) {
        status = import(p, &car, &info->cid, p->n->timeout_ms, pin, not_pinned, err);
    }
    sl_chain_clear(&car.chain);
    return status;
}

/* ---- without CARs -------------------------------------------------------------------------- */

struct content {
    struct sl_cas *cas;
    struct sl_cas_info info;
    struct sl_file *file;
    int64_t offset; /* of the content in the file */
    int64_t at, checked;
};

static enum sl_status read_content(void *opaque, void *dst, size_t size, size_t *got,
                                   struct sl_error *err)
{
    struct content *c = opaque;
    int64_t left = c->info.size - c->at;
    struct sl_chain chain;
    enum sl_status status = SL_OK;

    *got = left < (int64_t)size ? (size_t)left : size;
    if (*got == 0) {
        return SL_OK;
    }
    while (status == SL_OK && c->checked < c->at + (int64_t)*got) { /* each block once */
        left = c->info.size - c->checked;
        left = left < CHECK_PIECE ? left : CHECK_PIECE;
        status = sl_cas_check(c->cas, &c->info.cid, c->checked, left, err);
        c->checked += left;
    }
    sl_chain_init(&chain);
    if (status == SL_OK) {
        status = sl_chain_add_file(&chain, c->file, c->offset + c->at, *got, err);
    }
    if (status == SL_OK) {
        status = sl_chain_read(&chain, 0, dst, *got, err);
    }
    sl_chain_clear(&chain);
    c->at += (int64_t)*got;
    return status;
}

/* What a profile is to a node. Nothing is left to its own choice. */
static const char *add_call(enum sl_store_profile profile)
{
#define ADD_COMMON                                                                                 \
    "&hash=sha2-256&trickle=false&inline=false&only-hash=false&wrap-with-directory=false"          \
    "&progress=false&quiet=false&silent=false&nocopy=false&fscache=false"
    switch (profile) {
    case SL_STORE_UNIXFS_V0:
        return "add?cid-version=0&raw-leaves=false&chunker=size-262144&max-file-links="
               "174" ADD_COMMON;
    case SL_STORE_UNIXFS_V1:
        return "add?cid-version=1&raw-leaves=true&chunker=size-262144&max-file-links="
               "174" ADD_COMMON;
    default:
        return "add?cid-version=1&raw-leaves=true&chunker=size-1048576"
               "&max-file-links=1024" ADD_COMMON;
    }
#undef ADD_COMMON
}

static enum sl_status other_cid(struct putting *p, const struct sl_cid *made, bool pinned,
                                const struct sl_cid *wanted, struct sl_error *err)
{
    char is[SL_CID_TEXT_SIZE], ours[SL_CID_TEXT_SIZE];

    if (pinned && sl_ipfs_unpin(p->n, made, NULL) != SL_OK) {
        sl_log_write(p->n->log, SL_LOG_WARN, "ipfs", "%s: %s is pinned there in vain", p->n->name,
                     sl_cid_text(made, is));
    }
    return sl_fail(err, SL_EDATA, p->n->name,
                   "the node makes %s of %s, and has no dag/import, which would keep it",
                   sl_cid_text(made, is), sl_cid_text(wanted, ours));
}

static enum sl_status add_file(struct putting *p, const struct sl_cas_info *info, bool pin,
                               struct sl_error *err)
{
    struct content content = {.cas = p->cas};
    const struct sl_ipfs_body body = {read_content, &content};
    struct sl_ipfs_answer answer;
    struct sl_cid made;
    int64_t size;
    char *call = sl_format("%s&pin=%s", add_call(p->profile), pin ? "true" : "false");
    enum sl_status status = call ? SL_OK : sl_fail_memory(err);

    if (status == SL_OK) {
        status = sl_cas_open_file(p->cas, &info->cid, &content.file, &content.offset, &content.info,
                                  err);
    }
    if (status == SL_OK) {
        status = sl_ipfs_call(p->n, call, &body, whole_ms(p->n, info->size), &answer, err);
    }
    sl_file_unref(&content.file);
    sl_free(call);
    if (status == SL_OK) {
        status = sl_ipfs_answer_added(&answer, &made, &size, err);
    }
    return status == SL_OK && !sl_cid_same(&made, &info->cid)
               ? other_cid(p, &made, pin, &info->cid, err)
               : status;
}

static enum sl_status add_node(struct putting *p, const struct sl_cas_info *info,
                               struct sl_error *err)
{
    struct car block = {.source = NULL};
    const struct sl_ipfs_body body = {read_car, &block};
    struct sl_ipfs_answer answer;
    struct sl_cid made;
    int64_t size = 0;
    enum sl_status status;

    sl_chain_init(&block.chain);
    status = sl_cas_block(p->cas, &info->cid, &block.chain, err);
    if (status == SL_OK) {
        status =
            sl_ipfs_call(p->n,
                         info->cid.version ? "block/put?format=dag-pb&mhtype=sha2-256&pin=false"
                                           : "block/put?format=v0&mhtype=sha2-256&pin=false",
                         &body, whole_ms(p->n, 0), &answer, err);
    }
    if (status == SL_OK) {
        status = sl_ipfs_answer_added(&answer, &made, &size, err);
    }
    if (status == SL_OK &&
        (!sl_cid_same(&made, &info->cid) || (size >= 0 && size != block.chain.size))) {
        status = other_cid(p, &made, false, &info->cid, err);
    }
    sl_chain_clear(&block.chain);
    return status;
}

/* ---- files and directories ----------------------------------------------------------------- */

static enum sl_status put_file(struct putting *p, const struct sl_cas_info *info, bool pin,
                               struct sl_error *err)
{
    return p->n->imports == SL_IPFS_ADDS ? add_file(p, info, pin, err)
                                         : import_all(p, info, pin, err);
}

static enum sl_status put_below(struct putting *p, const struct sl_cid *directory, int depth,
                                struct sl_error *err);

static enum sl_status put_entry(struct putting *p, const struct sl_cid *cid, int depth,
                                struct sl_error *err)
{
    struct sl_cas_info info;
    char unused[SL_IPFS_REASON_MAX];
    bool there = false;
    enum sl_status status = sl_cas_stat(p->cas, cid, &info, err);

    if (status != SL_OK) {
        return status;
    }
    if (info.kind != SL_STORE_DIRECTORY) {
        if (p->there && sl_cid_set_find(p->there, cid)) {
            return SL_OK;
        }
        status = sl_ipfs_pinned(p->n, cid, &there, err); /* for itself, before */
        return status == SL_OK && !there ? put_file(p, &info, false, err) : status;
    }
    status = put_below(p, cid, depth + 1, err);
    if (status != SL_OK) {
        return status;
    }
    return p->n->imports == SL_IPFS_ADDS ? add_node(p, &info, err)
                                         : import_node(p, &info, false, unused, err);
}

static enum sl_status put_below(struct putting *p, const struct sl_cid *directory, int depth,
                                struct sl_error *err)
{
    struct sl_cas_list list = {0};
    enum sl_status status = depth < SL_CAS_DEPTH_MAX
                                ? sl_cas_list(p->cas, directory, &list, err)
                                : sl_fail(err, SL_EUNSUPPORTED, "store",
                                          "directories are more than %d deep", SL_CAS_DEPTH_MAX);

    for (size_t i = 0; status == SL_OK && i < list.count; i++) {
        status = put_entry(p, &list.entries[i].cid, depth, err);
    }
    sl_cas_list_clear(&list);
    return status;
}

/* Once through: what is below it, then itself, pinned. */
static enum sl_status put_whole(struct putting *p, const struct sl_cas_info *info,
                                char not_pinned[SL_IPFS_REASON_MAX], struct sl_error *err)
{
    enum sl_status status = put_below(p, &info->cid, 0, err);

    not_pinned[0] = '\0';
    if (status != SL_OK) {
        return status;
    }
    if (p->n->imports != SL_IPFS_ADDS) {
        return import_node(p, info, true, not_pinned, err);
    }
    status = add_node(p, info, err);
    return status == SL_OK ? sl_ipfs_pin(p->n, &info->cid, err) : status;
}

static enum sl_status put_directory(struct putting *p, const struct sl_cas_info *info,
                                    struct sl_error *err)
{
    char not_pinned[SL_IPFS_REASON_MAX];
    struct sl_error why = {0};
    enum sl_status status = put_whole(p, info, not_pinned, &why);

    /* A node that is without a block says so at once, or gives up looking for it. */
    if (p->there && ((status == SL_OK && not_pinned[0]) || status == SL_EIO)) {
        sl_log_write(p->n->log, SL_LOG_DEBUG, "ipfs", "%s: files may be missing there: %s",
                     p->n->name, not_pinned[0] ? not_pinned : why.msg);
        p->there = NULL;
        why = (struct sl_error){0};
        status = put_whole(p, info, not_pinned, &why);
    }
    if (status != SL_OK) {
        return sl_fail(err, status, why.where, "%s", why.msg);
    }
    return not_pinned[0]
               ? sl_fail(err, SL_EIO, p->n->name, "the node has not pinned it: %s", not_pinned)
               : SL_OK;
}

enum sl_status sl_ipfs_put(struct sl_ipfs *n, struct sl_cas *cas, const struct sl_cid *cid,
                           enum sl_store_profile profile, const struct sl_cid_set *there,
                           struct sl_error *err)
{
    struct putting p = {.n = n, .cas = cas, .profile = profile, .there = there};
    struct sl_cas_info info;
    struct sl_cas_list list = {0};
    struct sl_error why = {0};
    enum sl_status status = sl_cas_stat(cas, cid, &info, err);

    if (status == SL_OK) {
        status = sl_ipfs_learn(n, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (info.kind != SL_STORE_DIRECTORY) {
        return put_file(&p, &info, true, err);
    }
    status = sl_cas_list(cas, cid, &list, &why);
    sl_cas_list_clear(&list);
    if (status == SL_EUNSUPPORTED) { /* a sharded one: all of it in one CAR */
        return import_all(&p, &info, true, err);
    }
    return put_directory(&p, &info, err);
}
