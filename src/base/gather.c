/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/gather.h"

#include <sys/uio.h>

#define GAP_MAX    4096 /* what is read for nothing costs less than another call */
#define PIECES_MAX 256

struct batch {
    struct iovec iov[PIECES_MAX];
    size_t count;
    int64_t start, end; /* in the file */
    uint8_t unwanted[GAP_MAX];
};

static void add_piece(struct batch *b, void *to, size_t size)
{
    b->iov[b->count++] = (struct iovec){to, size};
    b->end += (int64_t)size;
}

/* One by one, after a call that was cut short: whoever ends early is told by name. */
static enum sl_status read_slowly(struct sl_file *file, const struct batch *b, struct sl_error *err)
{
    struct sl_slice s = {.file = file, .offset = b->start};

    for (size_t i = 0; i < b->count; i++) {
        s.size = b->iov[i].iov_len;
        if (b->iov[i].iov_base != b->unwanted) {
            enum sl_status status = sl_slice_read(&s, 0, b->iov[i].iov_base, s.size, err);

            if (status != SL_OK) {
                return status;
            }
        }
        s.offset += (int64_t)s.size;
    }
    return SL_OK;
}

enum sl_status sl_gather_read(struct sl_gather *g, void *dst, size_t size, size_t *got,
                              struct sl_error *err)
{
    const struct sl_slice *s = &g->slices[g->i];
    struct sl_file *file = s->file;
    struct batch b; /* not zeroed: it is larger than most that is read */
    uint8_t *to = dst;

    b.count = 0;
    b.start = b.end = s->offset + (int64_t)g->inside;
    for (; g->i < g->count && s->file == file && b.count + 2 <= PIECES_MAX; s++) {
        int64_t gap = s->offset + (int64_t)g->inside - b.end;
        size_t left = s->size - g->inside, n = left < size ? left : size;

        if (gap < 0 || gap > GAP_MAX || n == 0) {
            break;
        }
        if (gap > 0) {
            add_piece(&b, b.unwanted, (size_t)gap);
        }
        add_piece(&b, to, n);
        to += n;
        size -= n;
        if (n < left) {
            g->inside += n;
            break;
        }
        g->i++;
        g->inside = 0;
    }
    *got = (size_t)(to - (uint8_t *)dst);
    if (preadv(file->fd, b.iov, (int)b.count, (off_t)b.start) == b.end - b.start) {
        return SL_OK;
    }
    return read_slowly(file, &b, err);
}
