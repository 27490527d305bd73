/* SPDX-License-Identifier: BSD-2-Clause */
/* Files and directories of a file system into the store. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"

#define DEPTH_MAX   (SL_CAS_DEPTH_MAX - 16) /* leaves room for the nodes of files */
#define ENTRIES_MAX SL_DAG_LINKS_MAX

struct tree {
    struct sl_cas *cas;
    const struct sl_cas_tree_params *params;
    struct sl_cas_batch *batch;
    int cid_version;
};

static void tell(const struct tree *t, const struct sl_cas_info *info, const char *name)
{
    if (t->params->each) {
        t->params->each(t->params->opaque, info, name);
    }
}

/* ---- files --------------------------------------------------------------------------------- */

static enum sl_status add_file(struct tree *t, int fd, const char *path, const char *pin,
                               struct sl_cas_info *out, struct sl_error *err)
{
    struct sl_cas_writer *w = NULL;
    enum sl_status status = sl_cas_writer_open(&w, t->cas, t->params->profile, err);

    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    if (status == SL_OK) {
        status = sl_cas_writer_fd(w, fd, path, err);
    }
    if (status == SL_OK) {
        return t->batch ? sl_cas_writer_stage(&w, t->batch, out, err)
                        : sl_cas_writer_commit(&w, pin, out, err);
    }
    sl_cas_writer_abort(&w);
    return status;
}

/* ---- directories --------------------------------------------------------------------------- */

struct names {
    char **items;
    size_t count, capacity;
};

static void clear_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++) {
        sl_free(n->items[i]);
    }
    sl_free((void *)n->items);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum sl_status read_names(const struct tree *t, DIR *dir, struct names *names,
                                 const char *path, struct sl_error *err)
{
    struct dirent *d;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (errno = 0, (d = readdir(dir)) != NULL) {
        bool dots = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;

        if (dots || (d->d_name[0] == '.' && !t->params->hidden)) {
            continue;
        }
        if (sl_grow((void *)&names->items, &names->capacity, names->count, sizeof *names->items,
                    ENTRIES_MAX) != SL_OK) {
            return sl_fail(err, SL_ENOMEM, path, "no memory, or more than %d entries", ENTRIES_MAX);
        }
        names->items[names->count] = sl_strdup(d->d_name);
        if (!names->items[names->count]) {
            return sl_fail_memory(err);
        }
        names->count++;
    }
    if (errno != 0) {
        return sl_fail_errno(err, errno, path, "read the directory");
    }
    if (names->count > 0) {
        qsort((void *)names->items, names->count, sizeof *names->items, by_bytes);
    }
    return SL_OK;
}

static enum sl_status add_directory(struct tree *t, int fd, const char *path, const char *name,
                                    const char *pin, int depth, struct sl_cas_info *out,
                                    struct sl_error *err);

/* NOLINTNEXTLINE(misc-no-recursion,readability-function-size): DEPTH_MAX deep at most */
static enum sl_status add_entry(struct tree *t, int parent, const char *entry, const char *path,
                                const char *name, int depth, struct sl_cas_info *out,
                                struct sl_error *err)
{
    enum sl_status status;
    struct stat st;
    int fd;

    /* Not waiting where it is a pipe, nor following where it is a link. */
    do {
        fd = openat(parent, entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0 && errno == ELOOP) {
        return sl_fail(err, SL_EUNSUPPORTED, path, "is a symbolic link, which is not stored");
    }
    if (fd < 0 || fstat(fd, &st) != 0) {
        status = sl_fail_errno(err, errno, path, "open");
    } else if (S_ISREG(st.st_mode)) {
        status = add_file(t, fd, path, NULL, out, err);
        if (status == SL_OK) {
            tell(t, out, name);
        }
    } else if (S_ISDIR(st.st_mode)) {
        return add_directory(t, fd, path, name, NULL, depth + 1, out, err);
    } else {
        status = sl_fail(err, SL_EUNSUPPORTED, path, "is neither a file nor a directory");
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

/* Takes fd, whatever it returns. */
/* NOLINTNEXTLINE(misc-no-recursion,readability-function-size): DEPTH_MAX deep at most */
static enum sl_status add_directory(struct tree *t, int fd, const char *path, const char *name,
                                    const char *pin, int depth, struct sl_cas_info *out,
                                    struct sl_error *err)
{
    struct names names = {0};
    struct sl_cas_dir *d = NULL;
    DIR *dir = fdopendir(fd);
    enum sl_status status;

    if (!dir) {
        status = sl_fail_errno(err, errno, path, "read the directory");
        (void)close(fd);
        return status;
    }
    status = depth >= DEPTH_MAX ? sl_fail(err, SL_EUNSUPPORTED, path,
                                          "is more than %d directories deep", DEPTH_MAX)
                                : read_names(t, dir, &names, path, err);
    if (status == SL_OK) {
        status = sl_cas_dir_open(&d, err);
    }
    for (size_t i = 0; i < names.count && status == SL_OK; i++) {
        char *below = sl_format("%s/%s", path, names.items[i]);
        char *shown = sl_format("%s/%s", name, names.items[i]);
        struct sl_cas_info info;

        status = below && shown
                     ? add_entry(t, dirfd(dir), names.items[i], below, shown, depth, &info, err)
                     : sl_fail_memory(err);
        if (status == SL_OK) {
            status = sl_cas_dir_add(d, names.items[i], &info, err);
        }
        sl_free(below);
        sl_free(shown);
    }
    if (status == SL_OK) {
        status = sl_cas_dir_commit(&d, t->cas, t->batch, t->cid_version, pin, out, err);
    }
    if (status == SL_OK) {
        tell(t, out, name);
    }
    sl_cas_dir_abort(&d);
    clear_names(&names);
    (void)closedir(dir);
    return status;
}

/* ---- the top ------------------------------------------------------------------------------- */

/* The last part of a path, without slashes at its end. */
static char *last_part(const char *path)
{
    size_t end = strlen(path), start;

    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    for (start = end; start > 0 && path[start - 1] != '/'; start--) {
    }
    return sl_format("%.*s", (int)(end - start), path + start);
}

static enum sl_status add_top(struct tree *t, int fd, const char *path, const char *name,
                              struct sl_cas_info *out, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct stat st;

    if (fstat(fd, &st) != 0) {
        status = sl_fail_errno(err, errno, path, "open");
    } else if (S_ISREG(st.st_mode)) {
        status = add_file(t, fd, path, t->params->pin, out, err);
        if (status == SL_OK) {
            tell(t, out, name);
        }
    } else if (!S_ISDIR(st.st_mode)) {
        status = sl_fail(err, SL_EUNSUPPORTED, path, "is neither a file nor a directory");
    } else if (!t->params->recursive) {
        status = sl_fail(err, SL_EUNSUPPORTED, path, "is a directory (recursive is not set)");
    } else {
        status = sl_cas_batch_open(&t->batch, t->cas, err);
        if (status == SL_OK) {
            status = add_directory(t, fd, path, name, t->params->pin, 0, out, err);
            fd = -1;
        }
        if (status == SL_OK) {
            status = sl_cas_batch_flush(t->batch, err);
        }
        sl_cas_batch_close(&t->batch);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

enum sl_status sl_cas_add_tree(struct sl_cas *cas, const char *path,
                               const struct sl_cas_tree_params *params, struct sl_cas_info *out,
                               struct sl_error *err)
{
    struct tree t = {.cas = cas, .params = params};
    const struct sl_profile *profile = sl_profile_get(params->profile);
    enum sl_status status = params->pin ? sl_cas_pin_check(params->pin, err) : SL_OK;
    struct stat st;
    char *name;
    int fd;

    if (status != SL_OK) {
        return status;
    }
    if (!profile) {
        return sl_fail(err, SL_EINVAL, "profile", "%d is not one", (int)params->profile);
    }
    t.cid_version = profile->cid_version;
    /* Before open, which would wait for the other end of a pipe. */
    if (stat(path, &st) != 0) {
        return sl_fail_errno(err, errno, path, "open");
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return sl_fail(err, SL_EUNSUPPORTED, path, "is neither a file nor a directory");
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return sl_fail_errno(err, errno, path, "open");
    }
    name = last_part(path);
    if (!name) {
        (void)close(fd);
        return sl_fail_memory(err);
    }
    status = add_top(&t, fd, path, name, out, err);
    sl_free(name);
    return status;
}
