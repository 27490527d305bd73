/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/site_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/decorate.h"
#include "serve/gzip.h"
#include "serve/types.h"

/* Files up to this size are read at once, so that one answer holds one version of a playlist even
 * where it is rewritten in place, and no descriptor waits for a slow reader. */
#define SMALL_FILE 65536
/* The same for playlists, which are compressed: hours of short segments. */
#define PLAYLIST_FILE SL_GZIP_MOST
/* Longest playlist out of the store whose links are signed. */
#define CARRY_MAX ((size_t)16 << 20)

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
static uint8_t *read_version(int fd, struct stat *st, off_t most, int *error)
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
        if (st->st_size > most) {
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

void sl_site_fail_errno(const struct sl_site *site, const struct sl_request *r, const char *path,
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

static void describe(const struct sl_site *site, const struct stat *st,
                     const struct sl_media_type *type, struct sl_reply *reply)
{
    /* Strong as long as no write leaves both size and time of a file as they were; a file that
     * is replaced has another inode. */
    (void)snprintf(reply->validators.etag, sizeof reply->validators.etag,
                   "\"%" PRIxMAX "-%" PRIxMAX "-%" PRIxMAX ".%lx\"", (uintmax_t)st->st_ino,
                   (uintmax_t)st->st_size, (uintmax_t)st->st_mtim.tv_sec,
                   (unsigned long)st->st_mtim.tv_nsec);
    reply->validators.modified = st->st_mtim.tv_sec > 0 ? st->st_mtim.tv_sec : 0;
    reply->type = type->type;
    reply->class = type->class == SL_CLASS_PLAYLIST ? SL_REPLY_PLAYLIST : SL_REPLY_FILE;
    reply->cache = type->class == SL_CLASS_MEDIA ? site->media_cache : "no-cache";
    reply->ranges = true;
    reply->size = st->st_size;
}

/* Its bytes are memory of its own afterwards. */
static bool load_answer(struct sl_reply *reply)
{
    size_t size;

    if (!reply->answer) {
        return true;
    }
    size = (size_t)reply->answer->chain.size;
    if (size > CARRY_MAX) {
        return false;
    }
    reply->owned = sl_alloc(size > 0 ? size : 1);
    if (!reply->owned || sl_chain_read(&reply->answer->chain, 0, reply->owned, size, NULL)) {
        return false;
    }
    sl_answer_unref(&reply->answer);
    return true;
}

bool sl_site_carry(const struct sl_site *site, const struct sl_request *r, struct sl_reply *reply)
{
    struct sl_writer query, out;
    bool ok;

    if (site->key.size == 0) {
        return true;
    }
    sl_writer_init(&query, SL_SIGN_QUERY_MAX);
    sl_sign_carry(sl_request_text(r, r->query), &query);
    if (query.size == 0) {
        return true;
    }
    sl_write_u8(&query, '\0');
    sl_writer_init(&out, (size_t)64 * PLAYLIST_FILE);
    ok = query.status == SL_OK && load_answer(reply);
    if (ok) {
        sl_decorate_playlist(reply->owned, (size_t)reply->size, (const char *)query.data, &out);
        ok = out.status == SL_OK;
    }
    if (ok && out.size > 0) {
        sl_free(reply->owned);
        reply->owned = out.data;
        reply->size = (int64_t)out.size;
        reply->validators.etag[0] = '\0'; /* each link makes another text of it */
    } else {
        sl_writer_clear(&out);
    }
    sl_writer_clear(&query);
    return ok;
}

void sl_site_answer_file(const struct sl_site *site, const struct sl_visit *visit, const char *path,
                         int fd, struct sl_reply *reply)
{
    const struct sl_media_type *type = sl_media_type_of(path);
    const off_t most = type->class == SL_CLASS_PLAYLIST ? PLAYLIST_FILE : SMALL_FILE;
    const struct sl_request *r = visit->request;
    struct sl_error err = {0};
    struct stat st;
    int error;

    if (fstat(fd, &st) != 0) {
        sl_site_fail_errno(site, r, path, errno, reply);
        (void)close(fd);
        return;
    }
    if (!S_ISREG(st.st_mode)) {
        (void)close(fd);
        sl_reply_fail(reply, r, 404, NULL);
        return;
    }
    /* The length of a compressed text is known once it is compressed. */
    if (st.st_size <= most && (r->method == SL_METHOD_GET || type->class == SL_CLASS_PLAYLIST)) {
        reply->owned = read_version(fd, &st, most, &error);
        (void)close(fd);
        if (!reply->owned) {
            sl_site_fail_errno(site, r, path, error, reply);
            return;
        }
    } else if (sl_answer_file(&reply->answer, fd, path, &err) != SL_OK) {
        sl_site_fail_errno(site, r, path, ENOMEM, reply);
        return;
    } else {
        st.st_size = (off_t)reply->answer->chain.size; /* it may have grown since */
    }
    describe(site, &st, type, reply);
    if (type->class == SL_CLASS_PLAYLIST && reply->owned) {
        if (!sl_site_carry(site, r, reply)) {
            sl_reply_fail(reply, r, 503, NULL);
            return;
        }
        sl_reply_compress(reply, r);
    }
    sl_reply_select(reply, r, visit->now);
}
