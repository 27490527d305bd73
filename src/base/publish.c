/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"

#define SUFFIX    ".sltmp"
#define ATTEMPTS  16
#define LINKS_MAX 40 /* as many as the kernel follows */
/* "." name "." 16 digits SUFFIX within NAME_MAX; a longer name is cut, the digits tell apart. */
#define NAME_KEPT (NAME_MAX - 1 - 1 - 16 - (int)(sizeof(SUFFIX) - 1))

struct sl_publish {
    int directory;
    int fd;
    char *path;       /* as given, for messages */
    char *target;     /* without symbolic links at its end */
    const char *name; /* last part of target */
    bool special;     /* fd is a device or a pipe, written to as it is */
    char temp[NAME_MAX + 1];
    enum sl_status failed; /* of an earlier write: what is there must not be published */
};

static enum sl_status open_directory(struct sl_publish *p, struct sl_error *err)
{
    size_t length = (size_t)(p->name - p->target);
    char *directory;

    if (length == 0) {
        p->directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else {
        directory = sl_format("%.*s", (int)length, p->target);
        if (!directory) {
            return sl_fail_memory(err);
        }
        p->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        sl_free(directory);
    }
    if (p->directory < 0) {
        return sl_fail_errno(err, errno, p->path, "open the directory");
    }
    return SL_OK;
}

/* The lock tells sl_publish_sweep that somebody is still writing. *swept: it came between. Where
 * the file system has no locks, we do without. */
static void lock_temp(int fd, bool *swept)
{
    struct stat st;

    while (flock(fd, LOCK_EX) < 0 && errno == EINTR) {
        ;
    }
    *swept = fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static enum sl_status open_temp(struct sl_publish *p, struct sl_error *err)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        uint64_t random;
        bool swept;

        if (getentropy(&random, sizeof(random)) < 0) {
            return sl_fail_errno(err, errno, p->path, "random number");
        }
        (void)snprintf(p->temp, sizeof(p->temp), ".%.*s.%016llx" SUFFIX, NAME_KEPT, p->name,
                       (unsigned long long)random);
        p->fd = openat(p->directory, p->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (p->fd < 0 && (errno == EEXIST || errno == EINTR)) {
            continue;
        }
        if (p->fd < 0) {
            int errnum = errno;

            p->temp[0] = 0;
            return sl_fail_errno(err, errnum, p->path, "create");
        }
        lock_temp(p->fd, &swept);
        if (!swept) {
            return SL_OK;
        }
        (void)close(p->fd);
        p->fd = -1;
    }
    p->temp[0] = 0;
    return sl_fail(err, SL_EIO, p->path, "no free name for a temporary file");
}

/* What is there and is no plain file (/dev/null, a FIFO) is not to be replaced. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* Where symbolic links lead: they stay, and what they name is replaced or made. */
static enum sl_status find_target(struct sl_publish *p, struct sl_error *err)
{
    p->target = sl_strdup(p->path);
    for (int links = 0; p->target; links++) {
        char to[PATH_MAX], *next;
        ssize_t size = readlink(p->target, to, sizeof(to));
        const char *slash = strrchr(p->target, '/');
        int directory = slash ? (int)(slash + 1 - p->target) : 0;

        if (size < 0) {
            return SL_OK; /* no link, or nothing there */
        }
        if (links == LINKS_MAX || size == (ssize_t)sizeof(to)) {
            return sl_fail(err, SL_EIO, p->path, "too many symbolic links");
        }
        next = sl_format("%.*s%.*s", to[0] == '/' ? 0 : directory, p->target, (int)size, to);
        sl_free(p->target);
        p->target = next;
    }
    return sl_fail_memory(err);
}

enum sl_status sl_publish_open(struct sl_publish **out, const char *path, struct sl_error *err)
{
    struct sl_publish *p;
    const char *slash;
    enum sl_status status;

    *out = NULL;
    p = sl_alloc_zero(sizeof(*p));
    if (!p) {
        return sl_fail_memory(err);
    }
    p->directory = -1;
    p->fd = -1;
    p->path = sl_strdup(path);
    if (!p->path) {
        status = sl_fail_memory(err);
        goto out;
    }
    if (is_special(path)) {
        p->special = true;
        p->fd = open(path, O_WRONLY | O_CLOEXEC);
        if (p->fd < 0) {
            status = sl_fail_errno(err, errno, path, "open");
            goto out;
        }
        *out = p;
        return SL_OK;
    }
    status = find_target(p, err);
    if (status != SL_OK) {
        goto out;
    }
    slash = strrchr(p->target, '/');
    p->name = slash ? slash + 1 : p->target;
    if (p->name[0] == 0 || strcmp(p->name, ".") == 0 || strcmp(p->name, "..") == 0) {
        status = sl_fail(err, SL_EINVAL, path, "is not the name of a file");
        goto out;
    }
    status = open_directory(p, err);
    if (status == SL_OK) {
        status = open_temp(p, err);
    }
    if (status == SL_OK) {
        *out = p;
        return SL_OK;
    }
out:
    sl_publish_abort(&p);
    return status;
}

enum sl_status sl_publish_write(struct sl_publish *p, const void *data, size_t size,
                                struct sl_error *err)
{
    enum sl_status status = sl_io_write(p->fd, data, size, p->path, err);

    if (status != SL_OK) {
        p->failed = status;
    }
    return status;
}

enum sl_status sl_publish_chain(struct sl_publish *p, const struct sl_chain *chain,
                                struct sl_error *err)
{
    enum sl_status status = sl_chain_write(chain, p->fd, p->path, err);

    if (status != SL_OK) {
        p->failed = status;
    }
    return status;
}

int sl_publish_fd(const struct sl_publish *p)
{
    return p->fd;
}

bool sl_publish_is_special(const struct sl_publish *p)
{
    return p->special;
}

static int sync_fd(int fd)
{
    int rc;

    do {
        rc = fsync(fd);
    } while (rc < 0 && errno == EINTR);
    /* Some file systems cannot sync a directory and need not. */
    return rc < 0 && (errno == EINVAL || errno == ENOTSUP) ? 0 : rc;
}

static enum sl_status commit(struct sl_publish **publish, bool synced, struct sl_error *err)
{
    struct sl_publish *p = *publish;
    enum sl_status status = SL_OK;
    int rc;

    if (p->failed != SL_OK) {
        status = sl_fail(err, p->failed, p->path, "not published: an earlier write failed");
        goto out;
    }
    if (p->special) {
        rc = close(p->fd);
        p->fd = -1;
        if (rc < 0 && errno != EINTR) {
            status = sl_io_write_failed(errno, p->path, err);
        }
        goto out;
    }
    if (synced && sync_fd(p->fd) < 0) {
        status = sl_io_write_failed(errno, p->path, err);
        goto out;
    }
    if (renameat(p->directory, p->temp, p->directory, p->name) < 0) {
        status = sl_fail_errno(err, errno, p->path, "rename");
        goto out;
    }
    p->temp[0] = 0;
    /* Some file systems report a failed write only here (NFS, quotas). */
    rc = close(p->fd);
    p->fd = -1;
    if (rc < 0 && errno != EINTR) {
        status = sl_io_write_failed(errno, p->path, err);
    } else if (synced && sync_fd(p->directory) < 0) {
        status = sl_fail_errno(err, errno, p->path, "sync the directory");
    }
out:
    sl_publish_abort(publish);
    return status;
}

enum sl_status sl_publish_commit(struct sl_publish **publish, struct sl_error *err)
{
    return commit(publish, true, err);
}

enum sl_status sl_publish_commit_unsynced(struct sl_publish **publish, struct sl_error *err)
{
    return commit(publish, false, err);
}

void sl_publish_abort(struct sl_publish **publish)
{
    struct sl_publish *p;

    if (!publish || !*publish) {
        return;
    }
    p = *publish;
    *publish = NULL;
    if (p->temp[0]) {
        (void)unlinkat(p->directory, p->temp, 0);
    }
    if (p->fd >= 0) {
        (void)close(p->fd);
    }
    if (p->directory >= 0) {
        (void)close(p->directory);
    }
    sl_free(p->target);
    sl_free(p->path);
    sl_free(p);
}

enum sl_status sl_publish_bytes(const char *path, const void *data, size_t size,
                                struct sl_error *err)
{
    struct sl_publish *p;
    enum sl_status status = sl_publish_open(&p, path, err);

    if (status != SL_OK) {
        return status;
    }
    status = sl_publish_write(p, data, size, err);
    if (status == SL_OK) {
        return sl_publish_commit(&p, err);
    }
    sl_publish_abort(&p);
    return status;
}

enum sl_status sl_publish_whole(const char *path, const struct sl_chain *chain,
                                struct sl_error *err)
{
    struct sl_publish *p;
    enum sl_status status = sl_publish_open(&p, path, err);

    if (status != SL_OK) {
        return status;
    }
    status = sl_publish_chain(p, chain, err);
    if (status == SL_OK) {
        return sl_publish_commit(&p, err);
    }
    sl_publish_abort(&p);
    return status;
}

static enum sl_status make_directory(const char *path, struct sl_error *err)
{
    struct stat st;
    int errnum;

    if (mkdir(path, 0777) == 0) {
        return SL_OK;
    }
    /* Not only EEXIST: a read-only or foreign parent answers with something else. */
    errnum = errno;
    if (stat(path, &st) < 0) {
        return sl_fail_errno(err, errnum, path, "make the directory");
    }
    if (!S_ISDIR(st.st_mode)) {
        return sl_fail(err, SL_EEXIST, path, "exists and is not a directory");
    }
    return SL_OK;
}

enum sl_status sl_make_directories(const char *path, struct sl_error *err)
{
    char *copy;
    enum sl_status status = SL_OK;

    if (path[0] == 0) {
        return sl_fail(err, SL_EINVAL, path, "an empty name is not a directory");
    }
    copy = sl_strdup(path);
    if (!copy) {
        return sl_fail_memory(err);
    }
    for (char *c = copy + 1; *c && status == SL_OK; c++) {
        if (*c != '/' || c[-1] == '/') {
            continue;
        }
        *c = 0;
        status = make_directory(copy, err);
        *c = '/';
    }
    if (status == SL_OK) {
        status = make_directory(copy, err);
    }
    sl_free(copy);
    return status;
}

static bool is_temporary(const char *name)
{
    size_t length = strlen(name), suffix = sizeof(SUFFIX) - 1;

    return name[0] == '.' && length > suffix && strcmp(name + length - suffix, SUFFIX) == 0;
}

void sl_publish_sweep(const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    if (!dir) {
        return;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while ((entry = readdir(dir)) != NULL) {
        int fd;

        if (!is_temporary(entry->d_name)) {
            continue;
        }
        fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0) {
            continue;
        }
        if (flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) {
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
        }
        (void)close(fd);
    }
    (void)closedir(dir);
}
