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

#define COPY_SIZE  ((size_t)64 << 10)
#define STAGE_SIZE ((size_t)256 << 10)
#define GAP_MAX    4096 /* what is read for nothing costs less than another read */
#define IOV_BATCH  512
/* Linux moves at most 2 GiB less a page in one call. */
#define MOVE_MAX ((size_t)1 << 30)

/* How a range of a file gets to the descriptor, the cheapest first. */
enum way { WAY_COPY_RANGE, WAY_SPLICE, WAY_SENDFILE, WAY_READ_WRITE };

/* Ranges up to this size are read and go out together with their neighbours. Measured: into the
 * page cache the kernel copies in any case, so that few large writes cost least, until the file
 * system can share blocks; into a pipe, splice always wins; to a socket, from a few kilobytes on.
 */
static const size_t small[] = {
    [WAY_COPY_RANGE] = STAGE_SIZE,
    [WAY_SPLICE] = 0,
    [WAY_SENDFILE] = (size_t)4 << 10,
    [WAY_READ_WRITE] = STAGE_SIZE,
};

#define RELAY_ROOM (1 << 20) /* what an unprivileged process may ask for (pipe(7)) */

struct output {
    int fd;
    const char *name;
    enum way way;
    bool gathers;
    /* Ranges for a socket or a pipe are gathered in a pipe of our own, so that many of them go out
     * by one call: TCP then has whole segments to make, and who waits at the other end is woken
     * once. */
    int relay[2];
    size_t relayed; /* bytes in it */
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

/* Empties the pipe into the socket. more: other bytes will follow at once. */
static enum sl_status empty_relay(struct output *o, bool more, struct sl_error *err)
{
    while (o->relayed > 0) {
        ssize_t n = splice(o->relay[0], NULL, o->fd, NULL, o->relayed, more ? SPLICE_F_MORE : 0);
        uint8_t block[4096];

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            enum sl_status status = sl_io_wait_writable(o->fd, o->name, err);

            if (status != SL_OK) {
                return status;
            }
            continue;
        }
        if (n <= 0) { /* by hand: a failure comes again, with its reason */
            enum sl_status status;

            o->way = WAY_READ_WRITE;
            n = read(o->relay[0], block, sizeof(block));
            if (n <= 0) {
                return sl_fail_errno(err, n < 0 ? errno : EIO, o->name, "read from a pipe");
            }
            status = sl_io_write(o->fd, block, (size_t)n, o->name, err);
            if (status != SL_OK) {
                return status;
            }
        }
        o->relayed -= (size_t)n;
    }
    return SL_OK;
}

/* Whether there is a pipe, or one can be had. */
static bool have_relay(struct output *o)
{
    if (o->way != WAY_SENDFILE && o->way != WAY_SPLICE) {
        return false;
    }
    if (!o->gathers || o->relay[0] >= 0) {
        return o->relay[0] >= 0;
    }
    if (pipe2(o->relay, O_CLOEXEC) < 0) {
        o->relay[0] = o->relay[1] = -1;
        o->gathers = false; /* not asked for again */
        return false;
    }
    (void)fcntl(o->relay[1], F_SETPIPE_SZ, RELAY_ROOM);
    return true;
}

/* One range by way of the pipe. *offset: how far it came; not to the end where this is no way. */
static enum sl_status relay_range(struct output *o, const struct sl_slice *s, int64_t *offset,
                                  struct sl_error *err)
{
    int64_t end = s->offset + (int64_t)s->size;

    while (*offset < end && have_relay(o)) {
        off_t at = (off_t)*offset;
        ssize_t n =
            splice(s->file->fd, &at, o->relay[1], NULL, (size_t)(end - *offset), SPLICE_F_NONBLOCK);
        enum sl_status status;

        if (n > 0) {
            *offset += n;
            o->relayed += (size_t)n;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN && o->relayed > 0) {
            status = empty_relay(o, true, err);
            if (status != SL_OK) {
                return status;
            }
        } else {
            break;
        }
    }
    return SL_OK;
}

static enum sl_status write_range(struct output *o, const struct sl_slice *s, struct sl_error *err)
{
    int64_t offset = s->offset, end = s->offset + (int64_t)s->size;
    enum sl_status status = relay_range(o, s, &offset, err);

    if (status != SL_OK || offset == end) {
        return status;
    }
    status = empty_relay(o, true, err);
    if (status != SL_OK) {
        return status;
    }
    while (offset < end && o->way != WAY_READ_WRITE) {
        ssize_t n = move(o, s->file->fd, &offset, (size_t)(end - offset));

        if (n > 0 || (n < 0 && errno == EINTR)) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            status = sl_io_wait_writable(o->fd, o->name, err);

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
    uint8_t stage[STAGE_SIZE];
    size_t staged;
};

/* Small ranges that lie close together in one file, in rising order, are had by one read, and what
 * lies between them with it. */
struct run {
    const struct sl_slice *first, *last;
    size_t span; /* bytes from the start of first to the end of last */
};

static bool is_small_range(const struct sl_slice *s, size_t small_size)
{
    return !s->buf && s->size <= small_size;
}

static struct run find_run(const struct sl_slice *s, size_t count, size_t small_size, size_t room)
{
    struct run run = {s, s, s->size};

    for (size_t i = 1; i < count; i++) {
        int64_t gap;

        if (s[i].buf) {
            continue;
        }
        gap = s[i].offset - (run.last->offset + (int64_t)run.last->size);
        if (!is_small_range(&s[i], small_size) || s[i].file != s->file || gap < 0 ||
            gap > GAP_MAX || s[i].size + (size_t)gap > room - run.span) {
            break;
        }
        run.span += (size_t)gap + s[i].size;
        run.last = &s[i];
    }
    return run;
}

static enum sl_status read_run(struct batch *b, const struct run *run, struct sl_error *err)
{
    const struct sl_slice *s = run->first;
    struct sl_slice whole = {.file = s->file, .offset = s->offset, .size = run->span};

    return sl_slice_read(&whole, 0, b->stage + b->staged, run->span, err);
}

/* Adds slices from s on until there is no room, or one comes that is too large to be worth a copy.
 * *taken: how many were added. */
static enum sl_status fill_batch(struct batch *b, const struct sl_slice *s, size_t count,
                                 size_t small_size, size_t *taken, struct sl_error *err)
{
    struct run run = {NULL, NULL, 0};
    const uint8_t *base = NULL; /* where the first byte of run is */
    size_t i;

    b->count = 0;
    b->staged = 0;
    for (i = 0; i < count && b->count < IOV_BATCH; i++) {
        if (s[i].buf) {
            b->iov[b->count++] = (struct iovec){s[i].buf->data + s[i].offset, s[i].size};
            continue;
        }
        if (!run.first || &s[i] > run.last) {
            size_t room = sizeof(b->stage) - b->staged;
            enum sl_status status;

            if (!is_small_range(&s[i], small_size) || s[i].size > room) {
                break;
            }
            run = find_run(&s[i], count - i, small_size, room);
            status = read_run(b, &run, err);
            if (status != SL_OK) {
                return status;
            }
            base = b->stage + b->staged;
            b->staged += run.span;
        }
        b->iov[b->count++] =
            (struct iovec){(void *)(base + (s[i].offset - run.first->offset)), s[i].size};
    }
    *taken = i;
    return SL_OK;
}

enum sl_status sl_chain_write(const struct sl_chain *c, int fd, const char *name,
                              struct sl_error *err)
{
    const struct sl_slice *s = c->capacity == 0 ? &c->first : c->slices;
    struct output o = {.fd = fd, .name = name, .way = first_way(fd), .relay = {-1, -1}};
    struct batch batch;
    enum sl_status status = SL_OK;

    o.gathers = o.way == WAY_SENDFILE || o.way == WAY_SPLICE;
    for (size_t i = 0; status == SL_OK && i < c->count;) {
        size_t taken = 0;

        status = fill_batch(&batch, &s[i], c->count - i, small[o.way], &taken, err);
        i += taken;
        if (status == SL_OK && taken > 0) {
            status = empty_relay(&o, true, err);
            status = status == SL_OK ? sl_io_writev(fd, batch.iov, batch.count, name, err) : status;
        } else if (status == SL_OK) {
            status = write_range(&o, &s[i++], err);
        }
    }
    if (status == SL_OK) {
        status = empty_relay(&o, false, err);
    }
    if (o.relay[0] >= 0) {
        (void)close(o.relay[0]);
        (void)close(o.relay[1]);
    }
    return status;
}
