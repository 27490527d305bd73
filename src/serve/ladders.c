/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/ladders.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "serve/names.h"
#include "serve/query.h"

#define MASTER "master.m3u8"

struct entry {
    char *path;
    int64_t modified;
};

struct list {
    const struct sl_site *site;
    struct entry *entries;
    size_t count, capacity;
    unsigned opened;
    bool truncated;
};

static enum sl_status add(struct list *list, const char *path, int64_t modified,
                          struct sl_error *err)
{
    enum sl_status status;
    char *copy;

    if (list->count == SL_LADDERS_MAX) {
        list->truncated = true;
        return SL_OK;
    }
    status = sl_grow(&list->entries, &list->capacity, list->count, sizeof *list->entries,
                     SL_LADDERS_MAX);
    if (status != SL_OK) {
        return sl_fail_memory(err);
    }
    copy = sl_strdup(path);
    if (!copy) {
        return sl_fail_memory(err);
    }
    list->entries[list->count++] = (struct entry){copy, modified};
    return SL_OK;
}

static enum sl_status look(struct list *list, const char *path, unsigned depth,
                           struct sl_error *err)
{
    char below[SL_SERVE_PATH_MAX];
    enum sl_status status = SL_OK;
    DIR *dir = NULL;
    struct stat st;
    int fd;

    if (list->opened++ >= SL_LADDERS_OPEN_MAX) {
        list->truncated = true;
        return SL_OK;
    }
    if (sl_name_join(below, path, MASTER)) {
        fd = sl_path_open(list->site->root, below, false, list->site->have_openat2);
        if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
            status = add(list, path, (int64_t)st.st_mtim.tv_sec, err);
        }
        if (fd >= 0) {
            (void)close(fd);
        }
    }
    if (status != SL_OK || depth == SL_LADDERS_DEPTH) {
        return status;
    }

    fd = sl_path_open(list->site->root, path, true, list->site->have_openat2);
    if (fd < 0) {
        return SL_OK; /* not a directory, not ours to read, gone: not a ladder */
    }
    dir = fdopendir(fd);
    if (!dir) {
        (void)close(fd);
        return sl_fail_memory(err);
    }
    while (status == SL_OK) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
        const struct dirent *e = readdir(dir);

        if (!e) {
            break;
        }
        if ((e->d_type != DT_DIR && e->d_type != DT_LNK && e->d_type != DT_UNKNOWN) ||
            !sl_path_name_served(e->d_name, strlen(e->d_name)) || !sl_name_presentable(e->d_name)) {
            continue;
        }
        if (sl_name_join(below, path, e->d_name)) {
            status = look(list, below, depth + 1, err);
        }
    }
    (void)closedir(dir);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

enum sl_status sl_ladders_render(const struct sl_site *site, struct sl_writer *out,
                                 struct sl_error *err)
{
    struct list list = {.site = site};
    enum sl_status status = look(&list, "", 0, err);

    if (status != SL_OK) {
        goto out;
    }
    if (list.count > 0) {
        qsort(list.entries, list.count, sizeof *list.entries, by_path);
    }
    sl_write_text(out, "{\"ladders\":[");
    for (size_t i = 0; i < list.count; i++) {
        const struct entry *e = &list.entries[i];

        sl_write_text(out, i > 0 ? ",{\"path\":\"" : "{\"path\":\"");
        sl_name_write_json(out, e->path);
        sl_write_text(out, "\",\"url\":\"");
        sl_query_encode(out, e->path);
        sl_write_format(out, "%s" MASTER "\",\"modified\":%" PRId64 "}", e->path[0] ? "/" : "",
                        e->modified);
    }
    /* The page asks before it asks for /media/ and /runs. */
    sl_write_format(out, "],\"truncated\":%s%s%s}\n", list.truncated ? "true" : "false",
                    site->library ? ",\"library\":true" : "",
                    site->depot && site->depot->runs ? ",\"runs\":true" : "");
    status = sl_writer_finish(out, err);
out:
    for (size_t i = 0; i < list.count; i++) {
        sl_free(list.entries[i].path);
    }
    sl_free(list.entries);
    return status;
}
