/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/site.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/assets.h"
#include "serve/ladders.h"
#include "serve/path.h"
#include "serve/types.h"

/* Files up to this size are read at once, so that one answer holds one version of a playlist even
 * where it is rewritten in place, and no descriptor waits for a slow reader. */
#define SMALL_FILE 65536

#define OWN_PREFIX "_sluice/"

enum sl_status sl_site_open(struct sl_site *site, const char *root, int64_t segment_age,
                            const struct sl_log *log, struct sl_error *err)
{
    site->log = log;
    site->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (site->root < 0) {
        return sl_fail_errno(err, errno, root, "cannot serve this directory");
    }
    site->have_openat2 = sl_path_have_openat2(site->root);
    if (!site->have_openat2) {
        sl_log_write(log, SL_LOG_INFO, "serve",
                     "this system has no openat2: symbolic links are not followed");
    }
    /* Names are used again when a run goes to the same directory, so nothing may be kept without
     * asking unless the owner says that this never happens. */
    if (segment_age > 0) {
        (void)snprintf(site->media_cache, sizeof site->media_cache,
                       "public, max-age=%" PRId64 ", immutable", segment_age);
    } else {
        (void)snprintf(site->media_cache, sizeof site->media_cache, "no-cache");
    }
    return SL_OK;
}

void sl_site_close(struct sl_site *site)
{
    if (site->root >= 0) {
        (void)close(site->root);
    }
    site->root = -1;
}

static void answer_options(struct sl_reply *reply)
{
    reply->status = 204;
    reply->options = true;
}

static void answer_asset(const struct sl_request *r, int64_t now, const char *name,
                         struct sl_reply *reply)
{
    const struct sl_asset *asset = sl_assets;
    int status;

    while (asset->name && strcmp(asset->name, name) != 0) {
        asset++;
    }
    if (!asset->name) {
        sl_reply_fail(reply, r, 404,
                      sl_assets[0].name ? NULL : "this build does not hold the page");
        return;
    }
    (void)snprintf(reply->validators.etag, sizeof reply->validators.etag, "%s", asset->etag);
    reply->cache = "no-cache";
    reply->page = strcmp(name, "index.html") == 0;
    status = sl_condition_check(r, &reply->validators, now);
    if (status == 412) {
        sl_reply_fail(reply, r, status, NULL);
        return;
    }
    reply->status = status ? status : 200;
    reply->no_body = r->method == SL_METHOD_HEAD;
    reply->type = sl_media_type_of(name)->type;
    reply->size = reply->count = (int64_t)asset->size;
    reply->text = asset->data;
}

static void answer_ladders(const struct sl_site *site, const struct sl_request *r,
                           struct sl_reply *reply)
{
    struct sl_error err = {0};
    struct sl_writer out;

    sl_writer_init(&out, SL_LADDERS_TEXT_MAX);
    if (sl_ladders_render(site, &out, &err) != SL_OK) {
        sl_log_write(site->log, SL_LOG_ERROR, "serve", "ladders.json: %s", err.msg);
        sl_writer_clear(&out);
        sl_reply_fail(reply, r, 500, NULL);
        return;
    }
    reply->status = 200;
    reply->no_body = r->method == SL_METHOD_HEAD;
    reply->type = "application/json";
    reply->cache = "no-store";
    reply->size = reply->count = (int64_t)out.size;
    reply->owned = out.data;
}

/* size bytes from the start; NULL and *error where that fails. */
static uint8_t *read_whole(int fd, size_t size, int *error)
{
    uint8_t *data = sl_alloc(size > 0 ? size : 1);
    size_t got = 0;

    *error = ENOMEM;
    while (data && got < size) {
        ssize_t n = pread(fd, data + got, size - got, (off_t)got);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            *error = n < 0 ? errno : ESTALE; /* it became shorter */
            sl_free(data);
            return NULL;
        }
        got += (size_t)n;
    }
    return data;
}

static bool same_version(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Reads a small file so that what was read is what st describes. */
static uint8_t *read_version(int fd, struct stat *st, int *error)
{
    for (int tries = 0; tries < 4; tries++) {
        struct stat after;
        uint8_t *data = read_whole(fd, (size_t)st->st_size, error);

        if (!data && *error != ESTALE) {
            return NULL;
        }
        if (fstat(fd, &after) != 0) {
            *error = errno;
            sl_free(data);
            return NULL;
        }
        if (data && same_version(st, &after)) {
            return data;
        }
        sl_free(data);
        *st = after;
        if (st->st_size > SMALL_FILE) {
            break;
        }
    }
    *error = ESTALE;
    return NULL;
}

static int status_of_errno(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ESTALE:
        return 503;
    case EACCES:
        return 403;
    case EIO:
        return 500;
    default:
        /* ENOENT and ENOTDIR; EXDEV and ELOOP: a link that leaves the root. To the client they
         * are the same, so that it learns nothing about what is outside. */
        return 404;
    }
}

static void fail_errno(const struct sl_site *site, const struct sl_request *r, const char *path,
                       int error, struct sl_reply *reply)
{
    int status = status_of_errno(error);
    struct sl_error err = {0};

    if (status != 404) {
        (void)sl_fail_errno(&err, error, path, "cannot be served");
        sl_log_write(site->log, SL_LOG_WARN, "serve", "%s: %s", path, err.msg);
    } else if (error == EXDEV || error == ELOOP) {
        sl_log_write(site->log, SL_LOG_WARN, "serve", "%s: a link leaves the directory", path);
    }
    sl_reply_fail(reply, r, status, NULL);
}

static void describe(const struct sl_site *site, const struct stat *st, const char *path,
                     struct sl_reply *reply)
{
    const struct sl_media_type *type = sl_media_type_of(path);

    /* Strong as long as no write leaves both size and time of a file as they were; a file that
     * is replaced has another inode. */
    (void)snprintf(reply->validators.etag, sizeof reply->validators.etag,
                   "\"%" PRIxMAX "-%" PRIxMAX "-%" PRIxMAX ".%lx\"", (uintmax_t)st->st_ino,
                   (uintmax_t)st->st_size, (uintmax_t)st->st_mtim.tv_sec,
                   (unsigned long)st->st_mtim.tv_nsec);
    reply->validators.modified = st->st_mtim.tv_sec > 0 ? st->st_mtim.tv_sec : 0;
    reply->type = type->type;
    reply->cache = type->class == SL_CLASS_MEDIA ? site->media_cache : "no-cache";
    reply->ranges = true;
    reply->size = st->st_size;
}

static void answer_range(const struct sl_request *r, int64_t now, struct sl_reply *reply)
{
    int64_t size = reply->size;

    reply->status = 200;
    reply->first = 0;
    reply->count = size;
    switch (sl_range_check(r, &reply->validators, now, size, &reply->first, &reply->count)) {
    case SL_RANGE_WHOLE:
        reply->first = 0;
        reply->count = size;
        break;
    case SL_RANGE_PART:
        reply->status = 206;
        break;
    case SL_RANGE_BEYOND:
        sl_reply_fail(reply, r, 416, NULL);
        reply->size = size; /* for Content-Range */
        break;
    }
}

static void answer_file(const struct sl_site *site, const struct sl_request *r, int64_t now,
                        const char *path, struct sl_reply *reply)
{
    int fd = sl_path_open(site->root, path, false, site->have_openat2), error, status;
    uint8_t *data = NULL;
    struct stat st;

    if (fd < 0) {
        fail_errno(site, r, path, -fd, reply);
        return;
    }
    reply->fd = fd; /* sl_reply_clear closes it from here on */
    if (fstat(fd, &st) != 0) {
        fail_errno(site, r, path, errno, reply);
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        sl_reply_fail(reply, r, 404, NULL);
        return;
    }
    if (st.st_size <= SMALL_FILE && r->method == SL_METHOD_GET) {
        data = read_version(fd, &st, &error);
        if (!data) {
            fail_errno(site, r, path, error, reply);
            return;
        }
        (void)close(fd);
        reply->fd = -1;
        reply->owned = data;
    }
    describe(site, &st, path, reply);
    reply->no_body = r->method == SL_METHOD_HEAD;
    status = sl_condition_check(r, &reply->validators, now);
    if (status == 412) {
        sl_reply_fail(reply, r, status, NULL);
    } else if (status == 304) {
        reply->status = status;
        reply->ranges = false;
    } else {
        answer_range(r, now, reply);
    }
}

void sl_site_answer(const struct sl_site *site, const struct sl_request *r, int64_t now,
                    struct sl_reply *reply)
{
    struct sl_text target = sl_request_text(r, r->path);
    char path[SL_SERVE_PATH_MAX];
    int status;

    if (r->asterisk) {
        answer_options(reply);
        return;
    }
    if (target.size == 0) { /* http://host without a path: RFC 9110 4.2.3 */
        target = (struct sl_text){"/", 1};
    }
    status = sl_path_decode(target.data, target.size, path);
    if (status) {
        sl_reply_fail(reply, r, status, NULL);
    } else if (r->method == SL_METHOD_OPTIONS) {
        answer_options(reply);
    } else if (path[0] == '\0') {
        answer_asset(r, now, "index.html", reply);
    } else if (strcmp(path, OWN_PREFIX "ladders.json") == 0) {
        answer_ladders(site, r, reply);
    } else if (strncmp(path, OWN_PREFIX, sizeof OWN_PREFIX - 1) == 0) {
        answer_asset(r, now, path + sizeof OWN_PREFIX - 1, reply);
    } else {
        answer_file(site, r, now, path, reply);
    }
}
