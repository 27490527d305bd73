/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/publish.h"
#include "package/output.h"

struct files {
    struct sl_output base;
    char *directory;
    char made[64]; /* the subdirectory made last */
};

static size_t digits(const char *name)
{
    return strspn(name, "0123456789");
}

/* "000" and up: what sl_playlist_segment_uri gives. */
static bool is_segment_directory(const char *name)
{
    size_t n = digits(name);
    return n >= 3 && name[n] == '\0';
}

/* "000012.m4s" */
static bool is_segment(const char *name)
{
    size_t n = digits(name);
    return n >= 6 && (!strcmp(name + n, ".m4s") || !strcmp(name + n, ".ts"));
}

static enum sl_status remove_file(int directory, const char *name, const char *path,
                                  struct sl_error *err)
{
    if (unlinkat(directory, name, 0) < 0 && errno != ENOENT) {
        return sl_fail_errno(err, errno, path, "remove what an earlier run left");
    }
    return SL_OK;
}

static enum sl_status remove_segments(const struct files *f, int parent, const char *name,
                                      struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct dirent *entry;
    DIR *dir;
    /* Not through a symbolic link: what it points to is not ours. */
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char *path = sl_format("%s/%s", f->directory, name);
    if (!path) {
        status = sl_fail_memory(err);
        goto out;
    }
    if (fd < 0) {
        goto out;
    }
    sl_publish_sweep(path);
    dir = fdopendir(fd);
    if (!dir) {
        status = sl_fail_errno(err, errno, path, "list");
        goto out;
    }
    fd = -1; /* the listing's now */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (!status && (entry = readdir(dir))) {
        if (is_segment(entry->d_name)) {
            status = remove_file(dirfd(dir), entry->d_name, path, err);
        }
    }
    (void)closedir(dir);
    (void)unlinkat(parent, name, AT_REMOVEDIR); /* stays where somebody else's files are in it */
out:
    if (fd >= 0) {
        (void)close(fd);
    }
    sl_free(path);
    return status;
}

static enum sl_status remove_earlier_run(const struct files *f, struct sl_error *err)
{
    enum sl_status status;
    struct dirent *entry;
    DIR *dir = opendir(f->directory);
    if (!dir) {
        return sl_fail_errno(err, errno, f->directory, "list");
    }
    status = remove_file(dirfd(dir), SL_OUTPUT_PLAYLIST, f->directory, err);
    if (!status && fsync(dirfd(dir)) < 0 && errno != EINVAL) {
        status = sl_fail_errno(err, errno, f->directory, "sync the directory");
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (!status && (entry = readdir(dir))) {
        if (is_segment_directory(entry->d_name)) {
            status = remove_segments(f, dirfd(dir), entry->d_name, err);
        }
    }
    if (!status) {
        status = remove_file(dirfd(dir), SL_OUTPUT_INIT, f->directory, err);
    }
    (void)closedir(dir);
    return status;
}

/* The file's own directory is synced when it is published; this one's entry in ours is not. */
static enum sl_status make_subdirectory(struct files *f, const char *name, size_t length,
                                        struct sl_error *err)
{
    enum sl_status status;
    char *path;
    int fd;
    if (length >= sizeof f->made) {
        return sl_fail(err, SL_EINVAL, name, "the name of a subdirectory is too long");
    }
    if (!strncmp(f->made, name, length) && f->made[length] == '\0') {
        return SL_OK;
    }
    path = sl_format("%s/%.*s", f->directory, (int)length, name);
    if (!path) {
        return sl_fail_memory(err);
    }
    status = sl_make_directories(path, err);
    sl_free(path);
    if (status) {
        return status;
    }
    fd = open(f->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL)) {
        status = sl_fail_errno(err, errno, f->directory, "sync the directory");
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (!status) {
        memcpy(f->made, name, length);
        f->made[length] = '\0';
    }
    return status;
}

static enum sl_status files_put(struct sl_output *o, const char *name,
                                const struct sl_chain *content, struct sl_error *err)
{
    struct files *f = (struct files *)o;
    const char *slash = strchr(name, '/');
    enum sl_status status = SL_OK;
    char *path;
    if (slash) {
        status = make_subdirectory(f, name, (size_t)(slash - name), err);
    }
    if (status) {
        return status;
    }
    path = sl_format("%s/%s", f->directory, name);
    if (!path) {
        return sl_fail_memory(err);
    }
    status = sl_publish_whole(path, content, err);
    sl_free(path);
    return status;
}

static enum sl_status files_init(struct sl_output *o, const struct sl_chain *content,
                                 uint16_t *init, struct sl_error *err)
{
    *init = 0;
    return files_put(o, SL_OUTPUT_INIT, content, err);
}

static enum sl_status put_playlist(struct sl_output *o, const struct sl_playlist *playlist,
                                   struct sl_error *err)
{
    struct sl_writer w;
    struct sl_chain chain;
    enum sl_status status;
    sl_chain_init(&chain);
    sl_writer_init(&w, SL_PLAYLIST_TEXT_MAX);
    status = sl_playlist_render(playlist, &w, err);
    if (!status) {
        status = sl_chain_add_copy(&chain, w.data, w.size, err);
    }
    if (!status) {
        status = files_put(o, SL_OUTPUT_PLAYLIST, &chain, err);
    }
    sl_chain_clear(&chain);
    sl_writer_clear(&w);
    return status;
}

static enum sl_status files_segment(struct sl_output *o, const struct sl_playlist *playlist,
                                    const char *name, const struct sl_chain *content,
                                    struct sl_error *err)
{
    enum sl_status status = files_put(o, name, content, err);
    return status ? status : put_playlist(o, playlist, err);
}

static void files_destroy(struct sl_output *o)
{
    struct files *f = (struct files *)o;
    sl_free(f->directory);
    sl_free(f);
}

static const struct sl_output_ops files_ops = {
    .init = files_init,
    .segment = files_segment,
    .end = put_playlist,
    .destroy = files_destroy,
};

enum sl_status sl_output_files(struct sl_output **out, const char *directory, struct sl_error *err)
{
    enum sl_status status;
    struct files *f = sl_alloc_zero(sizeof *f);
    *out = NULL;
    if (!f) {
        return sl_fail_memory(err);
    }
    f->base.ops = &files_ops;
    f->directory = sl_strdup(directory);
    status = f->directory ? sl_make_directories(directory, err) : sl_fail_memory(err);
    if (!status) {
        sl_publish_sweep(directory);
        status = remove_earlier_run(f, err);
    }
    if (status) {
        files_destroy(&f->base);
    } else {
        *out = &f->base;
    }
    return status;
}

void sl_output_destroy(struct sl_output **o)
{
    if (!o || !*o) {
        return;
    }
    (*o)->ops->destroy(*o);
    *o = NULL;
}
