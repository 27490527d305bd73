/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/ladders.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "serve/path.h"

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

/* Whether a name can be shown and asked for: well-formed UTF-8 without overlong forms and
 * surrogates (RFC 3629 4), and nothing that sl_path_decode refuses. */
static bool is_presentable(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        unsigned follow = *p < 0x80 ? 0 : *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : 1;
        uint32_t c = follow == 0 ? *p : *p & (0x3fu >> follow);
        static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};

        if (*p < 0x20 || *p == 0x7f || *p == '\\' || (*p >= 0x80 && *p < 0xc2) || *p > 0xf4) {
            return false;
        }
        p++;
        for (unsigned i = 0; i < follow; i++, p++) {
            if ((*p & 0xc0) != 0x80) {
                return false;
            }
            c = c << 6 | (*p & 0x3fu);
        }
        if (c < least[follow] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

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

/* path + "/" + name, or false where that is too long. */
static bool join(char out[SL_SERVE_PATH_MAX], const char *path, const char *name)
{
    int n = snprintf(out, SL_SERVE_PATH_MAX, "%s%s%s", path, path[0] ? "/" : "", name);

    return n > 0 && n < SL_SERVE_PATH_MAX;
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
    if (join(below, path, MASTER)) {
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
            !sl_path_name_served(e->d_name, strlen(e->d_name)) || !is_presentable(e->d_name)) {
            continue;
        }
        if (join(below, path, e->d_name)) {
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

static void write_json_text(struct sl_writer *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        /* is_presentable let no control character through */
        if (*p == '"' || *p == '\\') {
            sl_write_format(out, "\\%c", *p);
        } else {
            sl_write_u8(out, (unsigned char)*p);
        }
    }
}

/* Only unreserved characters and the slash stay as they are: RFC 3986 2.3 */
static void write_url(struct sl_writer *out, const char *path)
{
    for (const char *p = path; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            strchr("-._~/", c)) {
            sl_write_u8(out, c);
        } else {
            sl_write_format(out, "%%%02X", c);
        }
    }
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
        write_json_text(out, e->path);
        sl_write_text(out, "\",\"url\":\"");
        write_url(out, e->path);
        sl_write_format(out, "%s" MASTER "\",\"modified\":%" PRId64 "}", e->path[0] ? "/" : "",
                        e->modified);
    }
    sl_write_format(out, "],\"truncated\":%s}\n", list.truncated ? "true" : "false");
    status = sl_writer_finish(out, err);
out:
    for (size_t i = 0; i < list.count; i++) {
        sl_free(list.entries[i].path);
    }
    sl_free(list.entries);
    return status;
}
