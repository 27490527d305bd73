/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/slice.h"

static enum sl_status check_regular(const struct stat *st, const char *path, struct sl_error *err)
{
    if (S_ISREG(st->st_mode)) {
        return SL_OK;
    }
    return sl_fail(err, SL_EUNSUPPORTED, path, "is %s, not a regular file",
                   S_ISDIR(st->st_mode) ? "a directory" : "a pipe, socket or device");
}

enum sl_status sl_file_wrap(struct sl_file **out, int fd, const char *name, struct sl_error *err)
{
    struct sl_file *file = NULL;
    struct stat st;
    enum sl_status status;

    *out = NULL;
    if (fstat(fd, &st) < 0) {
        status = sl_fail_errno(err, errno, name, "open");
        goto out;
    }
    status = check_regular(&st, name, err);
    if (status != SL_OK) {
        goto out;
    }
    file = sl_alloc_zero(sizeof(*file));
    if (file) {
        file->name = sl_strdup(name);
    }
    if (!file || !file->name) {
        status = sl_fail_memory(err);
        goto out;
    }
    atomic_init(&file->refs, 1);
    file->fd = fd;
    file->size = st.st_size;
    *out = file;
    return SL_OK;
out:
    (void)close(fd);
    sl_free(file);
    return status;
}

enum sl_status sl_file_open(struct sl_file **out, const char *path, struct sl_error *err)
{
    struct stat st;
    enum sl_status status;
    int fd;

    *out = NULL;
    /* Before open: opening a pipe would wait for its other end. */
    if (stat(path, &st) < 0) {
        return sl_fail_errno(err, errno, path, "open");
    }
    status = check_regular(&st, path, err);
    if (status != SL_OK) {
        return status;
    }
    do {
        fd = open(path, O_RDONLY | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? sl_fail_errno(err, errno, path, "open") : sl_file_wrap(out, fd, path, err);
}

struct sl_file *sl_file_ref(struct sl_file *file)
{
    atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);
    return file;
}

void sl_file_unref(struct sl_file **file)
{
    struct sl_file *f;

    if (!file || !*file) {
        return;
    }
    f = *file;
    *file = NULL;
    if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    (void)close(f->fd);
    sl_free(f->name);
    sl_free(f);
}
