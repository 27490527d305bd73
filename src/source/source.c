/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "source/http.h"

#define PIPE_ROOM (1 << 20) /* what an unprivileged process may ask for (pipe(7)) */

struct descriptor {
    struct sl_source source; /* first: handed out as this */
    struct sl_file *file;    /* regular files opened by path */
    int fd;
    bool owned;    /* fd is ours to close, and not the file's */
    int64_t start; /* of our byte 0 in the file: standard input may have been read from before */
    char *name;
};

static void destroy(struct sl_source *source)
{
    struct descriptor *d = (struct descriptor *)source;
    if (d->owned) {
        (void)close(d->fd);
    }
    sl_file_unref(&d->file);
    sl_free(d->name);
    sl_free(d);
}

/* Descriptors inherited from a shell may be non-blocking. True: try again. */
static bool try_again(int fd)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        return poll(&wait, 1, -1) >= 0 || errno == EINTR;
    }
    return errno == EINTR;
}

static enum sl_status fill_at(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                              struct sl_error *err)
{
    struct descriptor *d = opaque;
    ssize_t n = 0;
    *got = 0;
    do {
        n = pread(d->fd, dst, size, (off_t)(d->start + offset));
    } while (n < 0 && try_again(d->fd));
    if (n < 0) {
        return sl_fail_errno(err, errno, d->name, "cannot be read");
    }
    *got = (size_t)n;
    return SL_OK;
}

static enum sl_status fill_next(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                                struct sl_error *err)
{
    struct descriptor *d = opaque;
    ssize_t n = 0;
    (void)offset; /* a sequential source is asked for what comes next, nothing else */
    *got = 0;
    do {
        n = read(d->fd, dst, size);
    } while (n < 0 && try_again(d->fd));
    if (n < 0) {
        return sl_fail_errno(err, errno, d->name, "cannot be read");
    }
    *got = (size_t)n;
    return SL_OK;
}

static enum sl_status refuse_directory(const struct stat *st, const char *name,
                                       struct sl_error *err)
{
    if (S_ISDIR(st->st_mode)) {
        return sl_fail(err, SL_EIO, name, "is a directory, a media file was expected");
    }
    return SL_OK;
}

/* Decides from what the descriptor is how its bytes are had. */
static enum sl_status set_up(struct descriptor *d, struct sl_error *err)
{
    struct sl_window_source *bytes = &d->source.bytes;
    struct stat st;
    enum sl_status status = SL_OK;

    if (fstat(d->fd, &st) != 0) {
        return sl_fail_errno(err, errno, d->name, "cannot be read");
    }
    status = refuse_directory(&st, d->name, err);
    if (status != SL_OK) {
        return status;
    }
    bytes->opaque = d;
    bytes->name = d->name;
    bytes->size = -1;
    bytes->fill = fill_next;
    if (S_ISREG(st.st_mode)) {
        if (!d->file) {
            off_t at = lseek(d->fd, 0, SEEK_CUR);
            d->start = at > 0 ? (int64_t)at : 0;
        }
        bytes->fill = fill_at;
        bytes->seekable = true;
        bytes->size = st.st_size > d->start ? (int64_t)st.st_size - d->start : 0;
        bytes->file = d->file;
    } else if (S_ISFIFO(st.st_mode)) {
        /* 64 KiB is a context switch for every few rows of a raw picture. May be refused. */
        (void)fcntl(d->fd, F_SETPIPE_SZ, PIPE_ROOM);
    }
    return SL_OK;
}

static enum sl_status open_path(struct descriptor *d, struct sl_error *err)
{
    struct stat st;
    enum sl_status status = SL_OK;

    /* Looked at before it is opened, so that only plain files become a struct sl_file. */
    if (stat(d->name, &st) != 0) {
        return sl_fail_errno(err, errno, d->name, "cannot be opened");
    }
    status = refuse_directory(&st, d->name, err);
    if (status != SL_OK) {
        return status;
    }
    if (S_ISREG(st.st_mode)) {
        status = sl_file_open(&d->file, d->name, err);
        if (status == SL_OK) {
            d->fd = d->file->fd;
        }
        return status;
    }
    d->fd = open(d->name, O_RDONLY | O_CLOEXEC);
    d->owned = d->fd >= 0;
    return d->owned ? SL_OK : sl_fail_errno(err, errno, d->name, "cannot be opened");
}

enum sl_status sl_source_open(struct sl_source **out, const char *where, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    bool standard_input = strcmp(where, "-") == 0;
    struct descriptor *d = NULL;

    *out = NULL;
    if (!*where) {
        return sl_fail(err, SL_ENOTFOUND, NULL, "the input has an empty name");
    }
    if (sl_source_is_url(where)) {
        return sl_source_http_open(out, &(struct sl_http_params){.url = where}, err);
    }
    d = sl_alloc_zero(sizeof *d);
    if (!d) {
        return sl_fail_memory(err);
    }
    d->fd = -1;
    d->source.destroy = destroy;
    d->name = sl_strdup(standard_input ? "standard input" : where);
    if (!d->name) {
        status = sl_fail_memory(err);
        goto out;
    }
    if (standard_input) {
        d->fd = STDIN_FILENO;
    } else {
        status = open_path(d, err);
        if (status != SL_OK) {
            goto out;
        }
    }
    status = set_up(d, err);
    if (status != SL_OK) {
        goto out;
    }
    *out = &d->source;
    d = NULL;
out:
    if (d) {
        destroy(&d->source);
    }
    return status;
}

void sl_source_destroy(struct sl_source **s)
{
    if (s && *s) {
        (*s)->destroy(*s);
        *s = NULL;
    }
}
