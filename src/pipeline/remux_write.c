/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole remux into a file, a pipe or a socket. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/direct.h"
#include "base/error.h"
#include "base/publish.h"
#include "pipeline/remux_run.h"

#define PIPE_ROOM (1 << 20) /* what an unprivileged process may ask for (pipe(7)) */

struct sink {
    struct sl_publish *file;  /* or fd */
    struct sl_direct *direct; /* into the file; NULL: by the page cache */
    int fd;
    const char *name;
};

static enum sl_status write_piece(const struct sink *s, const struct sl_chain *piece,
                                  struct sl_error *err)
{
    if (s->direct) {
        return sl_direct_chain(s->direct, piece, err);
    }
    return s->file ? sl_publish_chain(s->file, piece, err)
                   : sl_chain_write(piece, s->fd, s->name, err);
}

static enum sl_status write_all(struct sl_remux *r, const struct sink *s, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    while (st == SL_OK) {
        struct sl_chain piece;
        sl_chain_init(&piece);
        st = sl_remux_next(r, &piece, err);
        if (st == SL_OK) {
            st = write_piece(s, &piece, err);
        }
        sl_chain_clear(&piece);
    }
    if (st == SL_EAGAIN) {
        return sl_fail(err, SL_EINVAL, "input", "no input is named, and nothing more was pushed");
    }
    return st == SL_EOF ? SL_OK : st;
}

/* 64 KiB is a context switch for every few pictures. May be refused. */
static void widen_pipe(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)) {
        (void)fcntl(fd, F_SETPIPE_SZ, PIPE_ROOM);
    }
}

/* The index is longer than the room that was left for it: a second file takes its place. */
static enum sl_status rewrite(struct sl_remux *r, struct sink *s, struct sl_error *err)
{
    struct sl_publish *again = NULL;
    struct sl_file *written = NULL;
    struct stat info;
    char path[64];
    enum sl_status st;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", sl_publish_fd(s->file));
    if (fstat(sl_publish_fd(s->file), &info) < 0) {
        return sl_fail_errno(err, errno, s->name, "fstat");
    }
    st = sl_file_open(&written, path, err);
    if (st == SL_OK) {
        st = sl_publish_open(&again, s->name, err);
    }
    if (st == SL_OK) {
        st = sl_chain_add_file(&r->front, written, r->header_size,
                               (size_t)(info.st_size - r->header_size), err);
    }
    if (st == SL_OK) {
        st = sl_publish_chain(again, &r->front, err);
    }
    sl_file_unref(&written);
    if (st == SL_OK) {
        sl_publish_abort(&s->file);
        s->file = again;
        return SL_OK;
    }
    sl_publish_abort(&again);
    return st;
}

/* Classic MP4: the index goes where room was left for it, or where room can be made. */
static enum sl_status write_front(struct sl_remux *r, struct sink *s, struct sl_error *err)
{
    int fd = sl_publish_fd(s->file);
    int64_t more = r->front.size - r->header_size;
    if (more > 0 && fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, (off_t)more) != 0) {
        return rewrite(r, s, err);
    }
    if (lseek(fd, 0, SEEK_SET) != 0) {
        return sl_fail_errno(err, errno, s->name, "seek");
    }
    return sl_publish_chain(s->file, &r->front, err);
}

static enum sl_status to_descriptor(struct sl_remux *r, int fd, const char *name,
                                    struct sl_error *err)
{
    if (r->params.faststart) {
        return sl_fail(err, SL_EINVAL, "faststart", "needs an output that is a file");
    }
    widen_pipe(fd);
    return write_all(r, &(struct sink){.fd = fd, .name = name}, err);
}

static enum sl_status to_path(struct sl_remux *r, const char *path, struct sl_error *err)
{
    struct sink s = {.fd = -1, .name = path};
    enum sl_status st = sl_publish_open(&s.file, path, err);
    if (st != SL_OK) {
        return st;
    }
    if (r->params.faststart && sl_publish_is_special(s.file)) {
        sl_publish_abort(&s.file);
        return sl_fail(err, SL_EINVAL, "faststart", "needs an output that is a file");
    }
    widen_pipe(sl_publish_fd(s.file));
    st = sl_direct_open(&s.direct, sl_publish_fd(s.file), path, false, err);
    if (st == SL_OK) {
        st = write_all(r, &s, err);
    }
    if (st == SL_OK && s.direct) {
        st = sl_direct_close(&s.direct, err);
    }
    sl_direct_abort(&s.direct);
    if (st == SL_OK && r->front.size > 0) {
        st = write_front(r, &s, err);
    }
    if (st == SL_OK) {
        return sl_publish_commit_unsynced(&s.file, err);
    }
    sl_publish_abort(&s.file);
    return st;
}

enum sl_status sl_remux_execute(struct sl_remux *r, int fd, struct sl_error *err)
{
    const char *path = r->params.output;
    if (fd >= 0) {
        return to_descriptor(r, fd, "output", err);
    }
    return strcmp(path, "-") == 0 ? to_descriptor(r, STDOUT_FILENO, "standard output", err)
                                  : to_path(r, path, err);
}
