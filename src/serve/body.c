/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/body.h"

#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"

#define FILE_PIECE (2 << 20) /* bytes of a file queued at a time */
#define COPY_PIECE 131072    /* bytes read at a time where they are copied */
/* Slices of memory in one piece: writev takes no more at once. */
#define SLICES_MAX 64

void sl_body_start(struct sl_body *b, struct sl_answer *a, int64_t first, int64_t count, bool copy)
{
    memset(b, 0, sizeof *b);
    b->answer = sl_answer_ref(a);
    b->left = count;
    b->copy = copy;
    while (b->slice < a->chain.count && first >= (int64_t)a->chain.slices[b->slice].size) {
        first -= (int64_t)a->chain.slices[b->slice++].size;
    }
    b->inside = (size_t)first;
}

void sl_body_clear(struct sl_body *b)
{
    sl_answer_unref(&b->answer);
    sl_file_unref(&b->file);
    memset(b, 0, sizeof *b);
}

bool sl_body_file_is_short(const struct sl_body *b)
{
    struct stat st;

    return b->file && (fstat(b->file->fd, &st) != 0 || st.st_size < b->need);
}

/* What of the current slice is to be sent. */
static size_t here(const struct sl_body *b)
{
    size_t size = b->answer->chain.slices[b->slice].size - b->inside;

    return (int64_t)size < b->left ? size : (size_t)b->left;
}

static void pass(struct sl_body *b, size_t size)
{
    b->left -= (int64_t)size;
    b->inside += size;
    if (b->inside == b->answer->chain.slices[b->slice].size) {
        b->slice++;
        b->inside = 0;
    }
}

static void drop_file(struct evbuffer_file_segment const *segment, int flags, void *opaque)
{
    struct sl_file *file = opaque;

    (void)segment;
    (void)flags;
    sl_file_unref(&file);
}

static void drop_buf(const void *data, size_t size, void *opaque)
{
    struct sl_buf *buf = opaque;

    (void)data;
    (void)size;
    sl_buf_unref(&buf);
}

/* Never mapped, so a file that becomes shorter raises no SIGBUS. */
static enum sl_status queue_file(struct sl_body *b, struct evbuffer *out, int64_t *queued,
                                 struct sl_error *err)
{
    const struct sl_slice *s = &b->answer->chain.slices[b->slice];
    size_t size = here(b) < FILE_PIECE ? here(b) : FILE_PIECE;
    int64_t at = s->offset + (int64_t)b->inside;
    struct evbuffer_file_segment *segment =
        evbuffer_file_segment_new(s->file->fd, (ev_off_t)at, (ev_off_t)size,
                                  EVBUF_FS_DISABLE_MMAP | EVBUF_FS_DISABLE_LOCKING);
    int result;

    if (!segment) {
        return sl_fail_memory(err);
    }
    evbuffer_file_segment_add_cleanup_cb(segment, drop_file, sl_file_ref(s->file));
    result = evbuffer_add_file_segment(out, segment, 0, (ev_off_t)size);
    evbuffer_file_segment_free(segment); /* out has its own reference */
    if (result != 0) {
        return sl_fail_memory(err);
    }
    if (b->file != s->file) {
        sl_file_unref(&b->file);
        b->file = sl_file_ref(s->file);
        b->need = 0;
    }
    b->need = at + (int64_t)size > b->need ? at + (int64_t)size : b->need;
    *queued = (int64_t)size;
    pass(b, size);
    return SL_OK;
}

static bool by_sendfile(const struct sl_body *b)
{
    return !b->copy && b->answer->chain.slices[b->slice].file && here(b) >= SL_BODY_FILE_LEAST;
}

/* Ranges of files from here on that are read into one block. */
static enum sl_status queue_read(struct sl_body *b, struct evbuffer *out, int64_t *queued,
                                 struct sl_error *err)
{
    size_t capacity = b->left < COPY_PIECE ? (size_t)b->left : COPY_PIECE, size = 0;
    struct sl_buf *buf = NULL;
    enum sl_status status = sl_buf_alloc(&buf, capacity, err);

    while (status == SL_OK && b->left > 0 && size < capacity && !by_sendfile(b)) {
        const struct sl_slice *s = &b->answer->chain.slices[b->slice];
        size_t take = here(b) < capacity - size ? here(b) : capacity - size;

        status = sl_slice_read(s, b->inside, buf->data + size, take, err);
        if (status == SL_OK) {
            size += take;
            pass(b, take);
        }
    }
    if (status == SL_OK && evbuffer_add_reference(out, buf->data, size, drop_buf, buf) != 0) {
        status = sl_fail_memory(err);
    }
    if (status != SL_OK) {
        sl_buf_unref(&buf);
        return status;
    }
    *queued = (int64_t)size;
    return SL_OK;
}

static enum sl_status queue_memory(struct sl_body *b, struct evbuffer *out, int64_t *queued,
                                   struct sl_error *err)
{
    for (int i = 0; i < SLICES_MAX && b->left > 0; i++) {
        const struct sl_slice *s = &b->answer->chain.slices[b->slice];
        size_t size;

        if (!s->buf) {
            break;
        }
        size = here(b);
        if (evbuffer_add_reference(out, s->buf->data + s->offset + b->inside, size, drop_buf,
                                   sl_buf_ref(s->buf)) != 0) {
            struct sl_buf *buf = s->buf;

            sl_buf_unref(&buf);
            return sl_fail_memory(err);
        }
        *queued += (int64_t)size;
        pass(b, size);
    }
    return SL_OK;
}

enum sl_status sl_body_queue(struct sl_body *b, struct evbuffer *out, int64_t *queued,
                             struct sl_error *err)
{
    *queued = 0;
    if (!b->answer || b->left == 0) {
        return SL_OK;
    }
    if (by_sendfile(b)) {
        return queue_file(b, out, queued, err);
    }
    /* Boxes of a few hundred bytes between ranges that are read anyway go into the same block. */
    if (b->answer->chain.slices[b->slice].buf &&
        (here(b) >= 4096 || b->slice + 1 == b->answer->chain.count || b->left == (int64_t)here(b) ||
         b->answer->chain.slices[b->slice + 1].buf)) {
        return queue_memory(b, out, queued, err);
    }
    return queue_read(b, out, queued, err);
}
