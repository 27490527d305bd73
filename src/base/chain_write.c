/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/slice.h"

#define COPY_SIZE ((size_t)64 << 10)
#define IOV_BATCH 256
/* Linux moves at most 2 GiB less a page in one call. */
#define MOVE_MAX ((size_t)1 << 30)

/* How a range of a file gets to the descriptor, the cheapest first. */
enum way { WAY_COPY_RANGE, WAY_SPLICE, WAY_SENDFILE, WAY_READ_WRITE };

/* Ranges up to this size are read and go out together with their neighbours. Measured: to a file,
 * copy_file_range and sendfile cost some microseconds a call; into a pipe, splice always wins. */
static const size_t small[] = {
    [WAY_COPY_RANGE] = (size_t)16 << 10,
    [WAY_SPLICE] = 0,
    [WAY_SENDFILE] = (size_t)4 << 10,
    [WAY_READ_WRITE] = COPY_SIZE,
};

struct output {
    int fd;
    const char *name;
    enum way way;
};

static enum way first_way(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return WAY_READ_WRITE;
    }
    if (S_ISREG(st.st_mode)) {
        return WAY_COPY_RANGE;
    }
    if (S_ISFIFO(st.st_mode)) {
        return WAY_SPLICE;
    }
    return S_ISSOCK(st.st_mode) ? WAY_SENDFILE : WAY_READ_WRITE;
}

/* What to try when a way did not work. Some are not for this pair of descriptors: another file
 * system (EXDEV), an output opened for appending (EBADF, EINVAL), a system or a sandbox without the
 * call. Others have really failed, and then reading or writing fails too and knows which it was. */
static enum way next_way(enum way way)
{
    return way == WAY_COPY_RANGE ? WAY_SENDFILE : WAY_READ_WRITE;
}

static ssize_t move(const struct output *o, int from, int64_t *offset, size_t size)
{
    off_t at = (off_t)*offset;
    ssize_t n;

    if (size > MOVE_MAX) {
        size = MOVE_MAX;
    }
    switch (o->way) {
    case WAY_COPY_RANGE:
        n = copy_file_range(from, &at, o->fd, NULL, size, 0);
        break;
    case WAY_SPLICE:
        n = splice(from, &at, o->fd, NULL, size, 0);
        break;
    default:
        n = sendfile(o->fd, from, &at, size);
        break;
    }
    if (n > 0) {
        *offset += n;
    }
    return n;
}

static enum sl_status copy_range(const struct output *o, const struct sl_slice *s, size_t inside,
                                 struct sl_error *err)
{
    uint8_t block[COPY_SIZE];

    while (inside < s->size) {
        size_t n = s->size - inside < sizeof(block) ? s->size - inside : sizeof(block);
        enum sl_status status = sl_slice_read(s, inside, block, n, err);

        if (status == SL_OK) {
            status = sl_io_write(o->fd, block, n, o->name, err);
        }
        if (status != SL_OK) {
            return status;
        }
        inside += n;
    }
    return SL_OK;
}

static enum sl_status write_range(struct output *o, const struct sl_slice *s, struct sl_error *err)
{
    int64_t offset = s->offset, end = s->offset + (int64_t)s->size;

    while (offset < end && o->way != WAY_READ_WRITE) {
        ssize_t n = move(o, s->file->fd, &offset, (size_t)(end - offset));

        if (n > 0 || (n < 0 && errno == EINTR)) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            enum sl_status status = sl_io_wait_writable(o->fd, o->name, err);

            if (status != SL_OK) {
                return status;
            }
            continue;
        }
        /* Nothing moved: the file has ended early, or a kernel has its own idea of its size
         * (copy_file_range from /proc). Reading finds out; other slices keep their way. */
        if (n == 0) {
            break;
        }
        o->way = next_way(o->way);
    }
    return copy_range(o, s, (size_t)(offset - s->offset), err);
}

/* What goes out by one writev: memory slices, and small ranges read into stage. */
struct batch {
    struct iovec iov[IOV_BATCH];
    size_t count;
    uint8_t stage[COPY_SIZE];
    size_t staged;
};

/* Adds s unless there is no room for it or it is too large to be worth a copy. */
static enum sl_status add_to_batch(struct batch *b, const struct sl_slice *s, size_t small_size,
                                   bool *added, struct sl_error *err)
{
    uint8_t *to = b->stage + b->staged;
    enum sl_status status;

    *added = false;
    if (b->count == IOV_BATCH) {
        return SL_OK;
    }
    if (s->buf) {
        to = s->buf->data + s->offset;
    } else {
        if (s->size > small_size || s->size > sizeof(b->stage) - b->staged) {
            return SL_OK;
        }
        status = sl_slice_read(s, 0, to, s->size, err);
        if (status != SL_OK) {
            return status;
        }
        b->staged += s->size;
    }
    b->iov[b->count++] = (struct iovec){to, s->size};
    *added = true;
    return SL_OK;
}

enum sl_status sl_chain_write(const struct sl_chain *c, int fd, const char *name,
                              struct sl_error *err)
{
    const struct sl_slice *s = c->capacity == 0 ? &c->first : c->slices;
    struct output o = {.fd = fd, .name = name, .way = first_way(fd)};
    struct batch batch;
    enum sl_status status = SL_OK;

    for (size_t i = 0; status == SL_OK && i < c->count;) {
        bool added = true;

        batch.count = 0;
        batch.staged = 0;
        while (status == SL_OK && i < c->count && added) {
            status = add_to_batch(&batch, &s[i], small[o.way], &added, err);
            i += added;
        }
        if (status == SL_OK && batch.count > 0) {
            status = sl_io_writev(fd, batch.iov, batch.count, name, err);
        } else if (status == SL_OK) {
            status = write_range(&o, &s[i++], err);
        }
    }
    return status;
}
