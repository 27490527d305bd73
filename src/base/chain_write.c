/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

/* What to try when a way is not for this pair of descriptors: another file system (EXDEV), an
 * output opened for appending (EBADF, EINVAL), a file system or a sandbox without the call. */
static bool is_refusal(int errnum)
{
    return errnum == EXDEV || errnum == EINVAL || errnum == ENOSYS || errnum == EOPNOTSUPP ||
           errnum == EBADF || errnum == EPERM || errnum == ETXTBSY || errnum == EISDIR;
}

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

static enum sl_status copy_range(const struct output *o, const struct sl_slice *s, int64_t offset,
                                 size_t size, struct sl_error *err)
{
    uint8_t block[COPY_SIZE];

    while (size > 0) {
        size_t want = size < sizeof(block) ? size : sizeof(block), got;
        enum sl_status status;

        status = sl_io_pread(s->file->fd, offset, block, want, &got, s->file->name, err);
        if (status == SL_OK && got < want) {
            status =
                sl_fail_at(err, SL_EIO, s->file->name, offset + (int64_t)got,
                           "the file has become shorter: it had %" PRId64 " bytes", s->file->size);
        }
        if (status == SL_OK) {
            status = sl_io_write(o->fd, block, want, o->name, err);
        }
        if (status != SL_OK) {
            return status;
        }
        offset += (int64_t)want;
        size -= want;
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
        if (!is_refusal(errno)) {
            return sl_io_write_failed(errno, o->name, err);
        }
        o->way = next_way(o->way);
    }
    return copy_range(o, s, offset, (size_t)(end - offset), err);
}

enum sl_status sl_chain_write(const struct sl_chain *c, int fd, const char *name,
                              struct sl_error *err)
{
    const struct sl_slice *s = c->capacity == 0 ? &c->first : c->slices;
    struct output o = {.fd = fd, .name = name, .way = first_way(fd)};
    struct iovec iov[IOV_BATCH];
    enum sl_status status = SL_OK;

    for (size_t i = 0; status == SL_OK && i < c->count;) {
        size_t n = 0;

        while (n < IOV_BATCH && i < c->count && s[i].buf) {
            iov[n++] = (struct iovec){s[i].buf->data + s[i].offset, s[i].size};
            i++;
        }
        if (n > 0) {
            status = sl_io_writev(fd, iov, n, name, err);
        } else {
            status = write_range(&o, &s[i++], err);
        }
    }
    return status;
}
