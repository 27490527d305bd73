/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/gather.h"
#include "base/io.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define HUGE_PAGE ((size_t)2 << 20) /* one to pin instead of 512 */
#define BLOCK     4096              /* of the file: as large as any disk's */
/* Whoever waits for the disk should hardly notice: a copy into the page cache has about twice this
 * speed. Judged over as many bytes as a hiccup does not decide about. */
#define SLOWEST     INT64_C(2000000000) /* bytes a second */
#define JUDGED_OVER ((int64_t)16 << 20)

struct sl_direct {
    int fd;
    const char *name;
    uint8_t *stage;
    size_t held;
    int64_t at; /* in the file, of the first byte held */
    int flags;  /* of fd as it was */
    bool direct;
    int64_t judged_bytes, judged_ns;
};

static bool pays(int fd)
{
    struct stat st;
    struct statfs fs;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fstatfs(fd, &fs) == 0 &&
           (fs.f_type == EXT4_SUPER_MAGIC || fs.f_type == XFS_SUPER_MAGIC);
}

enum sl_status sl_direct_open(struct sl_direct **out, int fd, const char *name, bool anywhere,
                              struct sl_error *err)
{
    struct sl_direct *d;
    int flags = fcntl(fd, F_GETFL);
    off_t at = lseek(fd, 0, SEEK_CUR);

    *out = NULL;
    /* All writes have to begin at a boundary of blocks. */
    if (flags < 0 || at < 0 || at % BLOCK != 0 || (flags & O_APPEND) != 0 ||
        !(anywhere || pays(fd))) {
        return SL_OK;
    }
    d = sl_alloc_zero(sizeof(*d));
    if (d) {
        d->stage = sl_alloc_aligned(HUGE_PAGE, SL_DIRECT_STAGE);
    }
    if (!d || !d->stage) {
        sl_free(d);
        return sl_fail_memory(err);
    }
    (void)madvise(d->stage, SL_DIRECT_STAGE, MADV_HUGEPAGE);
    d->fd = fd;
    d->name = name;
    d->at = at;
    d->flags = flags;
    d->direct = fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
    *out = d;
    return SL_OK;
}

static void leave_direct(struct sl_direct *d)
{
    if (d->direct) {
        (void)fcntl(d->fd, F_SETFL, d->flags);
        d->direct = false;
    }
}

static int64_t now_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void judge(struct sl_direct *d, size_t size, int64_t ns)
{
    d->judged_bytes += (int64_t)size;
    d->judged_ns += ns;
    if (d->judged_bytes < JUDGED_OVER) {
        return;
    }
    if (d->judged_ns > d->judged_bytes * INT64_C(1000000000) / SLOWEST) {
        leave_direct(d);
    }
    d->judged_bytes = d->judged_ns = 0;
}

static enum sl_status write_stage(struct sl_direct *d, struct sl_error *err)
{
    size_t done = 0;

    while (done < d->held) {
        int64_t before = now_ns();
        ssize_t n = pwrite(d->fd, d->stage + done, d->held - done, (off_t)d->at);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 && d->direct) { /* by the page cache; a real failure comes again */
            leave_direct(d);
            continue;
        }
        if (n <= 0) {
            return sl_io_write_failed(n < 0 ? errno : EIO, d->name, err);
        }
        if (d->direct) {
            judge(d, (size_t)n, now_ns() - before);
        }
        if (n % BLOCK != 0) {
            leave_direct(d); /* what follows begins between blocks */
        }
        done += (size_t)n;
        d->at += n;
    }
    d->held = 0;
    return SL_OK;
}

enum sl_status sl_direct_chain(struct sl_direct *d, const struct sl_chain *chain,
                               struct sl_error *err)
{
    struct sl_gather g = {.slices = chain->capacity == 0 ? &chain->first : chain->slices,
                          .count = chain->count};
    enum sl_status status = SL_OK;

    while (g.i < g.count && status == SL_OK) {
        const struct sl_slice *s = &g.slices[g.i];
        size_t room = SL_DIRECT_STAGE - d->held, got = 0;

        if (room == 0) {
            status = write_stage(d, err);
        } else if (s->buf) {
            size_t left = s->size - g.inside;
            size_t n = left < room ? left : room;

            memcpy(d->stage + d->held, s->buf->data + s->offset + g.inside, n);
            d->held += n;
            g.inside = n < left ? g.inside + n : 0;
            g.i += n == left;
        } else {
            status = sl_gather_read(&g, d->stage + d->held, room, &got, err);
            d->held += status == SL_OK ? got : 0;
        }
    }
    return status;
}

enum sl_status sl_direct_close(struct sl_direct **direct, struct sl_error *err)
{
    struct sl_direct *d = *direct;
    enum sl_status status;

    if (d->held < SL_DIRECT_STAGE) {
        leave_direct(d); /* no whole blocks */
    }
    status = write_stage(d, err);
    if (status == SL_OK && lseek(d->fd, (off_t)d->at, SEEK_SET) < 0) {
        status = sl_fail_errno(err, errno, d->name, "seek");
    }
    sl_direct_abort(direct);
    return status;
}

void sl_direct_abort(struct sl_direct **direct)
{
    struct sl_direct *d = *direct;

    if (!d) {
        return;
    }
    leave_direct(d);
    sl_free(d->stage);
    sl_free(d);
    *direct = NULL;
}
