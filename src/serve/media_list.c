/* SPDX-License-Identifier: BSD-2-Clause */
/* The library as JSON, for the page. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/media_core.h"
#include "serve/media_route.h"
#include "serve/names.h"
#include "serve/query.h"

#define DEPTH_MAX    8
#define OPEN_MAX_DIR 4000   /* directories looked into */
#define FILES_MAX    100000 /* listed in all */
#define TEXT_MAX     (8 << 20)
#define ENTRY_MAX    16384   /* bytes of one description */
#define PATIENCE     1500000 /* microseconds in which unknown files are looked into */

struct entry {
    char *path;
    struct stat st;
};

struct list {
    struct sl_flight *flight;
    const char *search;
    struct entry *entries;
    size_t count, capacity;
    unsigned opened;
    bool truncated;
};

static bool is_media(const char *name)
{
    static const char *const extensions[] = {
        "3gp", "aac", "ac3",  "avi", "eac3", "flac", "flv",  "h264", "m2ts", "m4a",
        "m4v", "mka", "mkv",  "mov", "mp3",  "mp4",  "mpeg", "mpg",  "mts",  "mxf",
        "ogg", "ogv", "opus", "ts",  "vob",  "wav",  "webm", "wmv",  "y4m",
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof extensions / sizeof *extensions; i++) {
        if (strcasecmp(dot + 1, extensions[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum sl_status add(struct list *list, const char *path, struct sl_error *err)
{
    const struct sl_media *m = list->flight->media;
    struct stat st;
    char *copy;
    int fd;

    if (list->search && !strcasestr(path, list->search)) {
        return SL_OK;
    }
    fd = sl_path_open(m->root, path, false, m->have_openat2);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return SL_OK; /* gone, a link that leaves, not ours to read */
    }
    (void)close(fd);
    if (list->count == FILES_MAX) {
        list->truncated = true;
        return SL_OK;
    }
    copy = sl_strdup(path);
    if (!copy || sl_grow(&list->entries, &list->capacity, list->count, sizeof *list->entries,
                         FILES_MAX) != SL_OK) {
        sl_free(copy);
        return sl_fail_memory(err);
    }
    list->entries[list->count].path = copy;
    list->entries[list->count++].st = st;
    return SL_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): DEPTH_MAX */
static enum sl_status look(struct list *list, const char *path, unsigned depth,
                           struct sl_error *err)
{
    const struct sl_media *m = list->flight->media;
    enum sl_status status = SL_OK;
    char below[SL_SERVE_PATH_MAX];
    DIR *dir;
    int fd;

    if (list->opened++ >= OPEN_MAX_DIR || sl_cancelled(&list->flight->cancel)) {
        list->truncated = true;
        return SL_OK;
    }
    fd = sl_path_open(m->root, path, true, m->have_openat2);
    if (fd < 0) {
        return SL_OK;
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
        if (!sl_path_name_served(e->d_name, strlen(e->d_name)) || !sl_name_presentable(e->d_name) ||
            !sl_name_join(below, path, e->d_name)) {
            continue;
        }
        /* Links to directories are not followed: the same films would be listed twice. */
        if (e->d_type == DT_DIR && depth < DEPTH_MAX) {
            status = look(list, below, depth + 1, err);
        } else if (e->d_type != DT_DIR && is_media(e->d_name)) {
            status = add(list, below, err);
        }
    }
    (void)closedir(dir);
    return status;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static int64_t monotonic(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Opens the source for no longer than it takes to describe it. */
static enum sl_status look_into(const struct sl_flight *f, const struct entry *e,
                                struct sl_writer *out, struct sl_error *err)
{
    struct sl_media *m = f->media;
    struct sl_file *file = NULL;
    void *source = NULL;
    int fd = sl_path_open(m->root, e->path, false, m->have_openat2);
    enum sl_status status;

    if (fd < 0) {
        return sl_fail_errno(err, -fd, e->path, "open");
    }
    status = sl_file_wrap(&file, fd, e->path, err);
    if (status == SL_OK) {
        const struct sl_media_input input = {.file = file, .name = e->path};

        status = m->engine.open(m->engine.opaque, &input, &source, &f->cancel, err);
    }
    if (status == SL_OK) {
        status = m->engine.describe(source, out, err);
        m->engine.close(source);
    }
    sl_file_unref(&file);
    return status == SL_OK ? sl_writer_finish(out, err) : status;
}

/* The description of one file, from memory or made now. NULL: not now. */
static struct sl_answer *description(const struct sl_flight *f, const struct entry *e,
                                     const char *id, bool patient)
{
    struct sl_media *m = f->media;
    struct sl_answer *answer;
    struct sl_error err = {0};
    struct sl_writer out;
    char note[9] = "";

    (void)pthread_mutex_lock(&m->lock);
    answer = sl_cache_memory_get(&m->descriptions, id, note);
    (void)pthread_mutex_unlock(&m->lock);
    if (answer || !patient) {
        return answer;
    }
    sl_writer_init(&out, ENTRY_MAX);
    if (look_into(f, e, &out, &err) != SL_OK) {
        sl_log_write(m->log, SL_LOG_DEBUG, "media", "%s: %s", e->path, err.msg);
        sl_writer_clear(&out);
        sl_write_text(&out, "\"error\":\"cannot be read\"");
    }
    if (sl_answer_create(&answer, NULL) == SL_OK &&
        sl_chain_add_copy(&answer->chain, out.data, out.size, NULL) != SL_OK) {
        sl_answer_unref(&answer);
    }
    sl_writer_clear(&out);
    if (answer && !sl_cancelled(&f->cancel)) {
        (void)pthread_mutex_lock(&m->lock);
        sl_cache_memory_put(&m->descriptions, id, answer, note);
        (void)pthread_mutex_unlock(&m->lock);
    }
    return answer;
}

static bool write_entry(const struct sl_flight *f, const struct entry *e, bool patient,
                        struct sl_writer *out)
{
    struct sl_answer *answer;
    struct sl_buf *text = NULL;
    bool known = false;
    char id[17];

    sl_media_identify(f->media, e->path, &e->st, id);
    sl_write_text(out, "{\"path\":\"");
    sl_name_write_json(out, e->path);
    sl_write_text(out, "\",\"url\":\"media/");
    sl_query_encode(out, e->path);
    sl_write_text(out, "/master.m3u8\",\"thumb\":\"media/");
    sl_query_encode(out, e->path);
    sl_write_format(out, "/thumb.jpg?v=%s\",\"size\":%" PRIdMAX ",\"modified\":%" PRIdMAX, id,
                    (intmax_t)e->st.st_size, (intmax_t)e->st.st_mtim.tv_sec);
    answer = description(f, e, id, patient);
    if (answer && sl_chain_load(&answer->chain, &text, NULL) == SL_OK && text->size > 0) {
        sl_write_u8(out, ',');
        sl_write_bytes(out, text->data, text->size);
        known = true;
    }
    sl_write_text(out, "}");
    sl_buf_unref(&text);
    sl_answer_unref(&answer);
    return known;
}

static void render(struct list *list, struct sl_writer *out)
{
    const struct sl_media_want *w = list->flight->want;
    int64_t until = monotonic() + PATIENCE;
    const char *joint = "";
    bool complete = true;

    sl_write_format(out, "{\"total\":%zu,\"offset\":%" PRId64 ",\"truncated\":%s,\"files\":[",
                    list->count, w->offset, list->truncated ? "true" : "false");
    for (size_t i = (size_t)w->offset; i < list->count && i - (size_t)w->offset < (size_t)w->limit;
         i++) {
        sl_write_text(out, joint);
        joint = ",\n";
        if (!write_entry(list->flight, &list->entries[i], monotonic() < until, out)) {
            complete = false;
        }
    }
    sl_write_format(out, "],\"complete\":%s}\n", complete ? "true" : "false");
}

enum sl_status sl_media_list(struct sl_flight *f, struct sl_chain *out, struct sl_error *err)
{
    struct list list = {.flight = f, .search = f->want->search};
    struct sl_writer text;
    enum sl_status status = look(&list, "", 0, err);

    sl_writer_init(&text, TEXT_MAX);
    if (status == SL_OK) {
        if (list.count > 0) {
            qsort(list.entries, list.count, sizeof *list.entries, by_path);
        }
        render(&list, &text);
        status = sl_writer_finish(&text, err);
    }
    if (status == SL_OK) {
        status = sl_chain_add_copy(out, text.data, text.size, err);
    }
    sl_writer_clear(&text);
    for (size_t i = 0; i < list.count; i++) {
        sl_free(list.entries[i].path);
    }
    sl_free(list.entries);
    return status;
}
