/* SPDX-License-Identifier: BSD-2-Clause */
/* A file on its way in. Bytes pass once: hashed in pieces that are still in the processor's cache
 * when they are written. A reflink of the source would save the write, but the source may change
 * between the hash and the link, and then the name would be wrong. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "store/cas.h"
#include "store/tree.h"
#include "store/varint.h"

#define PIECE      ((size_t)256 << 10) /* also the chunk of profiles whose leaves are nodes */
#define WRITE_BACK (INT64_C(16) << 20) /* the disk is set to work after so many bytes */
#define HEAD_MAX   128

struct sl_cas_writer {
    struct sl_cas *cas;
    const struct sl_profile *profile;
    struct sl_hasher hasher;
    struct sl_tree tree;
    char content[SL_CAS_NAME_SIZE], dag[SL_CAS_NAME_SIZE]; /* below temp/; empty: none */
    int fd, dag_fd;
    uint8_t *buffer; /* PIECE */
    size_t held;
    uint32_t chunk; /* bytes of the leaf that is being hashed */
    int64_t size, written_back;
    enum sl_status failed;
};

/* ---- inner nodes --------------------------------------------------------------------------- */

void sl_cas_dag_write_head(struct sl_writer *w, const struct sl_cid *root)
{
    /* DAG-CBOR: {"roots": [link], "version": 1}. A link is tag 42 on the CID behind a zero byte. */
    static const uint8_t front[] = {0xa2, 0x65, 'r', 'o', 'o', 't', 's', 0x81, 0xd8, 0x2a, 0x58};
    static const uint8_t back[] = {0x67, 'v', 'e', 'r', 's', 'i', 'o', 'n', 0x01};
    uint8_t cid[SL_CID_BYTES_MAX];
    size_t size = sl_cid_encode(root, cid);

    sl_write_varint(w, sizeof front + 2 + size + sizeof back);
    sl_write_bytes(w, front, sizeof front);
    sl_write_u8(w, (unsigned)(size + 1));
    sl_write_u8(w, 0);
    sl_write_bytes(w, cid, size);
    sl_write_bytes(w, back, sizeof back);
}

/* The root is known at the end: its place is kept until then. */
static enum sl_status write_head(struct sl_cas_writer *w, const struct sl_cid *root,
                                 struct sl_error *err)
{
    struct sl_cid v1 = sl_cid_v1(root);
    struct sl_writer head;
    enum sl_status status;

    sl_writer_init(&head, HEAD_MAX);
    sl_cas_dag_write_head(&head, &v1);
    status = sl_writer_finish(&head, err);
    if (status == SL_OK && pwrite(w->dag_fd, head.data, head.size, 0) != (ssize_t)head.size) {
        status = sl_io_write_failed(errno, w->cas->directory, err);
    }
    if (status == SL_OK && lseek(w->dag_fd, 0, SEEK_END) < 0) {
        status = sl_fail_errno(err, errno, w->cas->directory, "seek");
    }
    sl_writer_clear(&head);
    return status;
}

static enum sl_status take_node(void *opaque, const struct sl_cid *cid, const uint8_t *block,
                                size_t size, struct sl_error *err)
{
    struct sl_cas_writer *w = opaque;
    struct sl_writer head;
    uint8_t bytes[SL_CID_BYTES_MAX];
    size_t cid_size = sl_cid_encode(cid, bytes);
    enum sl_status status = SL_OK;

    if (w->dag_fd < 0) {
        status = sl_cas_temp_create(w->cas, w->dag, &w->dag_fd, err);
        if (status == SL_OK) {
            status = write_head(w, cid, err);
        }
    }
    if (status != SL_OK) {
        return status;
    }
    sl_writer_init(&head, HEAD_MAX);
    sl_write_varint(&head, cid_size + size);
    sl_write_bytes(&head, bytes, cid_size);
    status = sl_writer_finish(&head, err);
    if (status == SL_OK) {
        status = sl_io_write(w->dag_fd, head.data, head.size, w->cas->directory, err);
    }
    if (status == SL_OK) {
        status = sl_io_write(w->dag_fd, block, size, w->cas->directory, err);
    }
    sl_writer_clear(&head);
    return status;
}

/* ---- leaves -------------------------------------------------------------------------------- */

static enum sl_status end_leaf(struct sl_cas_writer *w, uint64_t size, uint64_t tsize,
                               struct sl_error *err)
{
    struct sl_dag_link leaf = {.name = "", .size = size, .tsize = tsize};

    leaf.cid.version = w->profile->cid_version;
    leaf.cid.codec = w->profile->raw_leaves ? SL_CODEC_RAW : SL_CODEC_DAG_PB;
    sl_hasher_finish(&w->hasher, leaf.cid.digest);
    w->chunk = 0;
    return sl_tree_leaf(&w->tree, &leaf, err);
}

static enum sl_status write_content(struct sl_cas_writer *w, const uint8_t *data, size_t size,
                                    struct sl_error *err)
{
    enum sl_status status;

    if (w->size > SL_CAS_FILE_MAX - (int64_t)size) {
        return sl_fail(err, SL_EUNSUPPORTED, w->cas->directory, "a file of more than 64 TiB");
    }
    status = sl_io_write(w->fd, data, size, w->cas->directory, err);
    if (status != SL_OK) {
        return status;
    }
    w->size += (int64_t)size;
#ifdef __linux__
    /* So that the wait at the end is short. What it cannot start, fsync does. */
    if (w->size - w->written_back >= WRITE_BACK && (w->cas->flags & SL_CAS_NO_SYNC) == 0) {
        (void)sync_file_range(w->fd, w->written_back, w->size - w->written_back,
                              SYNC_FILE_RANGE_WRITE);
        w->written_back = w->size;
    }
#endif
    return SL_OK;
}

static enum sl_status put_raw(struct sl_cas_writer *w, const uint8_t *data, size_t size,
                              struct sl_error *err)
{
    while (size > 0) {
        size_t room = w->profile->chunk - w->chunk, n = size < PIECE ? size : PIECE;
        enum sl_status status;

        n = n < room ? n : room;
        if (w->chunk == 0) {
            sl_hasher_start(&w->hasher);
        }
        sl_hasher_update(&w->hasher, data, n);
        status = write_content(w, data, n, err);
        w->chunk += (uint32_t)n;
        if (status == SL_OK && w->chunk == w->profile->chunk) {
            status = end_leaf(w, w->chunk, w->chunk, err);
        }
        if (status != SL_OK) {
            return status;
        }
        data += n;
        size -= n;
    }
    return SL_OK;
}

/* A whole leaf: its length stands in front of it. */
static enum sl_status put_framed(struct sl_cas_writer *w, const uint8_t *data, size_t size,
                                 struct sl_error *err)
{
    struct sl_dag_frame frame;
    enum sl_status status;

    sl_dag_leaf_frame(&frame, size);
    sl_hasher_start(&w->hasher);
    sl_hasher_update(&w->hasher, frame.head, frame.head_size);
    sl_hasher_update(&w->hasher, data, size);
    sl_hasher_update(&w->hasher, frame.tail, frame.tail_size);
    status = write_content(w, data, size, err);
    return status == SL_OK ? end_leaf(w, size, frame.head_size + size + frame.tail_size, err)
                           : status;
}

static enum sl_status flush(struct sl_cas_writer *w, struct sl_error *err)
{
    size_t size = w->held;

    w->held = 0;
    return size == 0                ? SL_OK
           : w->profile->raw_leaves ? put_raw(w, w->buffer, size, err)
                                    : put_framed(w, w->buffer, size, err);
}

/* ---- what callers do ----------------------------------------------------------------------- */

enum sl_status sl_cas_writer_open(struct sl_cas_writer **out, struct sl_cas *cas,
                                  enum sl_store_profile profile, struct sl_error *err)
{
    const struct sl_profile *p = sl_profile_get(profile);
    struct sl_cas_writer *w;
    enum sl_status status;

    *out = NULL;
    if (!p) {
        return sl_fail(err, SL_EINVAL, "profile", "%d is not one", (int)profile);
    }
    w = sl_alloc_zero(sizeof *w);
    if (!w) {
        return sl_fail_memory(err);
    }
    w->cas = cas;
    w->profile = p;
    w->fd = w->dag_fd = -1;
    sl_hasher_init(&w->hasher);
    w->tree = (struct sl_tree){.profile = p, .hasher = &w->hasher, .node = take_node, .opaque = w};
    w->buffer = sl_alloc(PIECE);
    status = w->buffer ? sl_cas_temp_create(cas, w->content, &w->fd, err) : sl_fail_memory(err);
    if (status != SL_OK) {
        sl_cas_writer_abort(&w);
    }
    *out = w;
    return status;
}

enum sl_status sl_cas_writer_write(struct sl_cas_writer *w, const void *data, size_t size,
                                   struct sl_error *err)
{
    const uint8_t *p = data;

    while (size > 0 && w->failed == SL_OK) {
        if (w->held == 0 && w->profile->raw_leaves && size >= PIECE) {
            w->failed = put_raw(w, p, size, err);
            return w->failed;
        }
        size_t n = PIECE - w->held < size ? PIECE - w->held : size;

        memcpy(w->buffer + w->held, p, n);
        w->held += n;
        p += n;
        size -= n;
        if (w->held == PIECE) {
            w->failed = flush(w, err);
        }
    }
    return w->failed;
}

static enum sl_status write_range(struct sl_cas_writer *w, const struct sl_slice *s,
                                  struct sl_error *err)
{
    for (size_t done = 0; done < s->size && w->failed == SL_OK;) {
        size_t room = PIECE - w->held, n = s->size - done < room ? s->size - done : room;

        w->failed = sl_slice_read(s, done, w->buffer + w->held, n, err);
        if (w->failed == SL_OK) {
            w->held += n;
            done += n;
            w->failed = w->held == PIECE ? flush(w, err) : SL_OK;
        }
    }
    return w->failed;
}

enum sl_status sl_cas_writer_chain(struct sl_cas_writer *w, const struct sl_chain *chain,
                                   struct sl_error *err)
{
    enum sl_status status = w->failed;

    for (size_t i = 0; i < chain->count && status == SL_OK; i++) {
        const struct sl_slice *s = &chain->slices[i];

        status = s->buf ? sl_cas_writer_write(w, s->buf->data + s->offset, s->size, err)
                        : write_range(w, s, err);
    }
    return status;
}

enum sl_status sl_cas_writer_fd(struct sl_cas_writer *w, int fd, const char *name,
                                struct sl_error *err)
{
    while (w->failed == SL_OK) {
        ssize_t n = read(fd, w->buffer + w->held, PIECE - w->held);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            w->failed = sl_fail_errno(err, errno, name, "read");
        }
        if (n <= 0) {
            break;
        }
        w->held += (size_t)n;
        if (w->held == PIECE) {
            w->failed = flush(w, err);
        }
    }
    return w->failed;
}

/* All bytes are there: the root, and what is to be published. */
static enum sl_status finish(struct sl_cas_writer *w, struct sl_cas_staged *staged,
                             struct sl_cas_info *out, struct sl_error *err)
{
    struct sl_dag_link root = {.name = ""};
    enum sl_status status = w->failed;

    if (status != SL_OK) {
        return sl_fail(err, status, w->cas->directory, "not added: an earlier write failed");
    }
    status = flush(w, err);
    if (status == SL_OK && w->size == 0) { /* an empty file has one empty leaf */
        if (w->profile->raw_leaves) {
            sl_hasher_start(&w->hasher);
            status = end_leaf(w, 0, 0, err);
        } else {
            status = put_framed(w, w->buffer, 0, err);
        }
    } else if (status == SL_OK && w->chunk > 0) {
        status = end_leaf(w, w->chunk, w->chunk, err);
    }
    if (status == SL_OK) {
        status = sl_tree_finish(&w->tree, &root, err);
    }
    if (status == SL_OK && w->dag_fd >= 0) {
        status = write_head(w, &root.cid, err);
    }
    if (status != SL_OK) {
        return status;
    }
    *out = (struct sl_cas_info){
        .cid = root.cid, .kind = SL_STORE_FILE, .size = w->size, .tsize = (int64_t)root.tsize};
    *staged = (struct sl_cas_staged){.cid = sl_cid_v1(&root.cid), .size = w->size};
    memcpy(staged->content, w->content, sizeof staged->content);
    memcpy(staged->dag, w->dag, sizeof staged->dag);
    w->content[0] = w->dag[0] = '\0';
    return SL_OK;
}

enum sl_status sl_cas_writer_commit(struct sl_cas_writer **writer, const char *pin,
                                    struct sl_cas_info *out, struct sl_error *err)
{
    struct sl_cas_writer *w = *writer;
    struct sl_cas *cas = w->cas;
    struct sl_cas_staged staged;
    struct sl_cas_info info;
    enum sl_status status = pin ? sl_cas_pin_check(pin, err) : SL_OK;

    if (status == SL_OK) {
        status = finish(w, &staged, &info, err);
    }
    sl_cas_writer_abort(writer);
    if (status == SL_OK) {
        status = sl_cas_publish(cas, &staged, 1, pin ? &info.cid : NULL, pin, err);
        sl_cas_unstage(cas, &staged);
    }
    if (status == SL_OK && out) {
        *out = info;
    }
    return status;
}

enum sl_status sl_cas_writer_stage(struct sl_cas_writer **writer, struct sl_cas_batch *batch,
                                   struct sl_cas_info *out, struct sl_error *err)
{
    struct sl_cas_staged staged;
    enum sl_status status = finish(*writer, &staged, out, err);

    sl_cas_writer_abort(writer);
    return status == SL_OK ? sl_cas_batch_add(batch, &staged, err) : status;
}

void sl_cas_writer_abort(struct sl_cas_writer **writer)
{
    struct sl_cas_writer *w = writer ? *writer : NULL;

    if (!w) {
        return;
    }
    *writer = NULL;
    if (w->content[0]) {
        (void)unlinkat(w->cas->temp, w->content, 0);
    }
    if (w->dag[0]) {
        (void)unlinkat(w->cas->temp, w->dag, 0);
    }
    if (w->fd >= 0) {
        (void)close(w->fd);
    }
    if (w->dag_fd >= 0) {
        (void)close(w->dag_fd);
    }
    sl_tree_clear(&w->tree);
    sl_hasher_clear(&w->hasher);
    sl_free(w->buffer);
    sl_free(w);
}

enum sl_status sl_cas_add_chain(struct sl_cas *cas, enum sl_store_profile profile,
                                const struct sl_chain *chain, const char *pin,
                                struct sl_cas_info *out, struct sl_error *err)
{
    struct sl_cas_writer *w = NULL;
    enum sl_status status = sl_cas_writer_open(&w, cas, profile, err);

    if (status == SL_OK) {
        status = sl_cas_writer_chain(w, chain, err);
    }
    if (status == SL_OK) {
        return sl_cas_writer_commit(&w, pin, out, err);
    }
    sl_cas_writer_abort(&w);
    return status;
}
