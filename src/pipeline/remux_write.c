/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole remux into a file, a pipe or a socket. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/publish.h"
#include "pipeline/remux_run.h"

#define PIPE_ROOM (1 << 20) /* what an unprivileged process may ask for (pipe(7)) */

struct sink {
    struct sl_publish *file; /* or */
    int fd;
    const char *name;
};

static enum sl_status write_all(struct sl_remux *r, const struct sink *s, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    while (st == SL_OK) {
        struct sl_chain piece;
        sl_chain_init(&piece);
        st = sl_remux_next(r, &piece, err);
        if (st == SL_OK) {
            st = s->file ? sl_publish_chain(s->file, &piece, err)
                         : sl_chain_write(&piece, s->fd, s->name, err);
        }
        sl_chain_clear(&piece);
    }
    if (st == SL_EAGAIN) {
        return sl_fail(err, SL_EINVAL, "input", "no input is named, and nothing more was pushed");
    }
    return st == SL_EOF ? SL_OK : st;
}

static enum sl_status to_descriptor(struct sl_remux *r, int fd, const char *name,
                                    struct sl_error *err)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)) {
        /* 64 KiB is a context switch for every few pictures. May be refused. */
        (void)fcntl(fd, F_SETPIPE_SZ, PIPE_ROOM);
    }
    return write_all(r, &(struct sink){.fd = fd, .name = name}, err);
}

/* What is there and is no plain file (a FIFO, /dev/null) is written to, not replaced. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static enum sl_status to_special(struct sl_remux *r, const char *path, struct sl_error *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return sl_fail_errno(err, errno, path, "open");
    }
    enum sl_status st = to_descriptor(r, fd, path, err);
    (void)close(fd);
    return st;
}

enum sl_status sl_remux_execute(struct sl_remux *r, int fd, struct sl_error *err)
{
    const char *path = r->params.output;
    if (fd >= 0) {
        return to_descriptor(r, fd, "output", err);
    }
    if (strcmp(path, "-") == 0) {
        return to_descriptor(r, STDOUT_FILENO, "standard output", err);
    }
    if (is_special(path)) {
        return to_special(r, path, err);
    }
    struct sink s = {.fd = -1, .name = path};
    enum sl_status st = sl_publish_open(&s.file, path, err);
    if (st != SL_OK) {
        return st;
    }
    st = write_all(r, &s, err);
    if (st == SL_OK) {
        return sl_publish_commit_unsynced(&s.file, err);
    }
    sl_publish_abort(&s.file);
    return st;
}
