/* SPDX-License-Identifier: BSD-2-Clause */
/* CAR responses of the trustless gateway
 * (https://specs.ipfs.tech/http-gateways/trustless-gateway/): the blocks of the directories that
 * lead to the target, then the target's. Chunk by chunk, one ahead of what the client has taken;
 * what is large is sent out of the store's files. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/gateway.h"

#define CHUNK        (1 << 20) /* bytes of a chunk, or one block more */
#define CHUNK_BLOCKS 64        /* files that a chunk holds open */

struct car {
    struct sl_job job; /* first */
    struct sl_depot *depot;
    struct sl_cas_export *export; /* of the target; NULL: its block alone */
    struct sl_cid roots[SL_GATEWAY_DEPTH];
    size_t root_count, root; /* root: the next one to be sent */
    bool begun, export_begun, over;
    char name[SL_CID_TEXT_SIZE];
};

static size_t put_varint(uint8_t *to, uint64_t n)
{
    size_t i = 0;

    for (; n >= 0x80; n >>= 7) {
        to[i++] = (uint8_t)(n | 0x80);
    }
    to[i++] = (uint8_t)n;
    return i;
}

/* {"roots": [CID], "version": 1} in DAG-CBOR: https://ipld.io/specs/transport/car/carv1/#header */
static enum sl_status write_header(const struct sl_cid *root, struct sl_chain *out,
                                   struct sl_error *err)
{
    static const uint8_t before[] = {0xa2, 0x65, 'r', 'o', 'o', 't', 's', 0x81, 0xd8, 0x2a, 0x58};
    static const uint8_t after[] = {0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x01};
    uint8_t cid[SL_CID_BYTES_MAX], all[128];
    size_t cid_size = sl_cid_encode(root, cid), n;

    n = put_varint(all, sizeof before + 2 + cid_size + sizeof after);
    memcpy(all + n, before, sizeof before);
    n += sizeof before;
    all[n++] = (uint8_t)(cid_size + 1);
    all[n++] = 0; /* the multibase prefix of bytes */
    memcpy(all + n, cid, cid_size);
    n += cid_size;
    memcpy(all + n, after, sizeof after);
    return sl_chain_add_copy(out, all, n + sizeof after, err);
}

static enum sl_status write_block(struct car *c, const struct sl_cid *cid, struct sl_chain *out,
                                  struct sl_error *err)
{
    uint8_t binary[SL_CID_BYTES_MAX], begin[16 + SL_CID_BYTES_MAX];
    size_t cid_size = sl_cid_encode(cid, binary), n;
    struct sl_chain block = {0};
    enum sl_status status = sl_cas_block(c->depot->cas, cid, &block, err);

    if (status == SL_OK) {
        n = put_varint(begin, cid_size + (uint64_t)block.size);
        memcpy(begin + n, binary, cid_size);
        status = sl_chain_add_copy(out, begin, n + cid_size, err);
    }
    if (status == SL_OK) {
        status = sl_chain_move(out, &block, err);
    }
    sl_chain_clear(&block);
    return status;
}

/* What an export begins with is a header of its own, in front of the first block. */
static enum sl_status without_header(struct sl_chain *from, struct sl_chain *out,
                                     struct sl_error *err)
{
    uint8_t begin[10];
    size_t size = from->size < (int64_t)sizeof begin ? (size_t)from->size : sizeof begin, n = 0;
    int64_t length = 0;
    enum sl_status status = sl_chain_read(from, 0, begin, size, err);

    if (status != SL_OK) {
        return status;
    }
    do {
        length |= (int64_t)(begin[n] & 0x7f) << (7 * n);
    } while (begin[n++] & 0x80 && n < size && n < 5);
    length += (int64_t)n;
    if (length > from->size) {
        return sl_fail(err, SL_EDATA, NULL, "the export has no header");
    }
    return sl_chain_add_chain(out, from, length, from->size - length, err);
}

static enum sl_status next_of_export(struct car *c, struct sl_chain *out, struct sl_error *err)
{
    struct sl_chain part = {0};
    enum sl_status status;

    if (c->export_begun) {
        return sl_cas_export_next(c->export, out, err);
    }
    status = sl_cas_export_next(c->export, &part, err);
    c->export_begun = true;
    if (status == SL_OK) {
        status = without_header(&part, out, err);
    }
    sl_chain_clear(&part);
    return status;
}

/* One block more, or SL_EOF. */
static enum sl_status next(struct car *c, struct sl_chain *out, struct sl_error *err)
{
    if (!c->begun) {
        c->begun = true;
        return write_header(&c->roots[0], out, err);
    }
    if (c->root + 1 < c->root_count || (!c->export && c->root < c->root_count)) {
        return write_block(c, &c->roots[c->root++], out, err);
    }
    return c->export ? next_of_export(c, out, err) : SL_EOF;
}

static void run(struct sl_job *j)
{
    struct car *c = (struct car *)j;
    struct sl_answer *answer = NULL;
    struct sl_error err = {0};
    enum sl_status status = sl_answer_create(&answer, &err);

    for (int i = 0; status == SL_OK && !c->over && i < CHUNK_BLOCKS && answer->chain.size < CHUNK &&
                    !sl_cancelled(&c->depot->later.cancel);
         i++) {
        status = next(c, &answer->chain, &err);
        if (status == SL_EOF) {
            c->over = true;
            status = SL_OK;
        }
    }
    if (status == SL_OK && answer->chain.size == 0) {
        status = c->over ? SL_EOF : SL_ECANCELLED;
    }
    if (status != SL_OK) {
        sl_answer_unref(&answer);
    }
    if (status != SL_OK && status != SL_EOF && status != SL_ECANCELLED) {
        sl_log_write(c->depot->log, SL_LOG_WARN, "serve", "CAR of %s: %s", c->name, err.msg);
    }
    /* One that fails ends without its last chunk: the client knows. */
    sl_job_done(j, status == SL_EOF ? SL_OK : status, answer, status == SL_EOF);
}

static void step(struct sl_job *j)
{
    sl_job_submit(j, &((struct car *)j)->depot->readers);
}

static void destroy(struct sl_job *j)
{
    struct car *c = (struct car *)j;

    sl_cas_export_close(&c->export);
    sl_free(c);
}

static const struct sl_job_ops ops = {.step = step, .run = run, .destroy = destroy};

enum sl_status sl_gateway_car(struct sl_job **out, struct sl_depot *d,
                              const struct sl_gateway_ask *ask, const struct sl_gateway_target *t,
                              struct sl_error *err)
{
    struct sl_cas_info info;
    enum sl_status status = sl_cas_stat(d->cas, &t->cid, &info, err);
    struct car *c;

    *out = NULL;
    if (status != SL_OK) {
        return status;
    }
    c = sl_alloc_zero(sizeof *c);
    if (!c) {
        return sl_fail_memory(err);
    }
    sl_job_init(&c->job, &ops, &d->later);
    c->depot = d;
    memcpy(c->roots, t->roots, sizeof c->roots);
    c->root_count = t->root_count;
    (void)sl_cid_text(&t->cid, c->name);
    if (ask->scope == SL_GATEWAY_ALL ||
        (ask->scope == SL_GATEWAY_ENTITY && info.kind == SL_STORE_FILE)) {
        status = sl_cas_export_open(&c->export, d->cas, &t->cid, false, err);
    }
    if (status != SL_OK) {
        sl_free(c);
        return status;
    }
    *out = &c->job;
    return SL_OK;
}
