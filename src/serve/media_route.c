/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/media_route.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/sha256.h"
#include "serve/media_core.h"
#include "serve/path.h"
#include "serve/query.h"

#define NUMBER_DIGITS  9
#define PICTURE_WIDTH  320
#define PICTURE_HEIGHT 320
#define PICTURE_MAX    1920
#define LIST_LIMIT     100
#define LIST_MAX       1000

/* ---- text --------------------------------------------------------------------------------- */

static bool is_rendition(const char *p, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'z') ||
              (p[i] >= 'A' && p[i] <= 'Z') || p[i] == '-' || p[i] == '_')) {
            return false;
        }
    }
    return size > 0 && size < SL_MEDIA_NAME_MAX;
}

/* "12.m4s": one name for each segment, so no zeros in front. */
static bool parse_segment(const char *name, struct sl_media_ask *ask)
{
    static const struct {
        const char *extension;
        enum sl_media_form form;
    } forms[] = {{".m4s", SL_MEDIA_FMP4}, {".ts", SL_MEDIA_TS}, {".vtt", SL_MEDIA_VTT}};
    size_t digits = strspn(name, "0123456789");

    if (digits == 0 || digits > NUMBER_DIGITS || (digits > 1 && name[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strcmp(name + digits, forms[i].extension) == 0) {
            ask->what = SL_MEDIA_SEGMENT;
            ask->form = forms[i].form;
            ask->number = 0;
            for (size_t k = 0; k < digits; k++) {
                ask->number = ask->number * 10 + (uint64_t)(name[k] - '0');
            }
            return true;
        }
    }
    return false;
}

bool sl_media_parse(const char *path, struct sl_media_ask *ask, size_t *source)
{
    static const struct {
        const char *name;
        enum sl_media_what what;
        bool rendition;
    } names[] = {
        {"master.m3u8", SL_MEDIA_MASTER, false}, {"stream.mp4", SL_MEDIA_STREAM, false},
        {"thumb.jpg", SL_MEDIA_PICTURE, false},  {"playlist.m3u8", SL_MEDIA_PLAYLIST, true},
        {"init.mp4", SL_MEDIA_INIT, true},
    };
    const char *slash = strrchr(path, '/'), *before = slash;
    bool known = false, rendition = true;

    if (!slash) {
        return false;
    }
    memset(ask, 0, sizeof *ask);
    ask->time.den = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names && !known; i++) {
        if (strcmp(slash + 1, names[i].name) == 0) {
            ask->what = names[i].what;
            rendition = names[i].rendition;
            known = true;
        }
    }
    if (!known && !parse_segment(slash + 1, ask)) {
        return false;
    }
    if (!rendition) {
        *source = (size_t)(slash - path);
        return *source > 0;
    }
    while (before > path && before[-1] != '/') {
        before--;
    }
    if (before - path < 2 || !is_rendition(before, (size_t)(slash - before))) {
        return false;
    }
    memcpy(ask->rendition, before, (size_t)(slash - before));
    *source = (size_t)(before - path) - 1;
    return true;
}

bool sl_media_parse_time(const char *text, struct sl_rational *out)
{
    int64_t micros = 0, unit = 1000000;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > NUMBER_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        micros = micros * 10 + (text[i] - '0');
    }
    micros *= unit;
    text += digits;
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++) { /* what is finer is dropped */
            unit /= 10;
            micros += (*text - '0') * unit;
        }
    }
    if (*text != '\0') {
        return false;
    }
    *out = (struct sl_rational){micros, 1000000};
    return true;
}

static int parse_size(struct sl_text query, const char *name, int32_t initial, int32_t *out)
{
    int64_t n = initial;
    int found = sl_query_number(query, name, &n);

    if (found < 0 || n < 16 || n > PICTURE_MAX) {
        return 400;
    }
    *out = (int32_t)n;
    return 0;
}

int sl_media_parse_query(struct sl_text query, struct sl_media_ask *ask)
{
    const char *name = ask->what == SL_MEDIA_STREAM ? "start" : "t";
    char text[24];
    int found;

    if (ask->what == SL_MEDIA_MASTER || ask->what == SL_MEDIA_PLAYLIST) {
        found = sl_query_get(query, "format", text, sizeof text);
        if (found < 0 || (found && strcmp(text, "ts") != 0 && strcmp(text, "fmp4") != 0)) {
            return 400;
        }
        ask->form = found && strcmp(text, "ts") == 0 ? SL_MEDIA_TS : SL_MEDIA_FMP4;
    }
    if (ask->what == SL_MEDIA_STREAM || ask->what == SL_MEDIA_PICTURE) {
        found = sl_query_get(query, name, text, sizeof text);
        if (found < 0 || (found && !sl_media_parse_time(text, &ask->time))) {
            return 400;
        }
    }
    if (ask->what == SL_MEDIA_PICTURE) {
        return parse_size(query, "w", PICTURE_WIDTH, &ask->width) ||
                       parse_size(query, "h", PICTURE_HEIGHT, &ask->height)
                   ? 400
                   : 0;
    }
    return 0;
}

/* ---- files -------------------------------------------------------------------------------- */

int sl_media_root(const struct sl_media *m, bool *have_openat2)
{
    *have_openat2 = m->have_openat2;
    return m->root;
}

const char *sl_media_version(const struct sl_media *m)
{
    return m->engine.version;
}

void sl_media_identify(const struct sl_media *m, const char *name, const struct stat *st,
                       char id[17])
{
    uint8_t digest[SL_SHA256_SIZE];
    struct sl_sha256 h;
    char text[256];
    int n = snprintf(
        text, sizeof text, "%s\n%" PRIxMAX ":%" PRIxMAX ":%" PRIxMAX ":%" PRIxMAX ".%lx\n",
        m->engine.version, (uintmax_t)st->st_dev, (uintmax_t)st->st_ino, (uintmax_t)st->st_size,
        (uintmax_t)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec);

    sl_sha256_init(&h);
    sl_sha256_update(&h, text, (size_t)n);
    sl_sha256_update(&h, name, strlen(name));
    sl_sha256_final(&h, digest);
    sl_sha256_hex(digest, 8, id);
}

static int status_of_errno(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM ? 503
           : error == EACCES                                     ? 403
                                                                 : 404;
}

/* Opens the file that name leads to. -1: there is none, or it is no file. */
static int open_file(const struct sl_media *m, const char *name, struct sl_media_want *w)
{
    int fd = sl_path_open(m->root, name, false, m->have_openat2);
    struct sl_error err = {0};
    struct stat st;

    if (fd < 0) {
        if (fd == -EXDEV || fd == -ELOOP) {
            sl_log_write(m->log, SL_LOG_WARN, "serve", "%s: a link leaves the directory", name);
        }
        return status_of_errno(-fd) == 404 ? -1 : status_of_errno(-fd);
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return -1;
    }
    sl_media_identify(m, name, &st, w->id);
    w->name = sl_strdup(name);
    if (!w->name) {
        (void)close(fd);
        return 503;
    }
    return sl_file_wrap(&w->file, fd, name, &err) == SL_OK ? 0 : 503;
}

/* An address may name the version that it was made for. */
static int check_version(struct sl_text query, struct sl_media_want *w, const char **detail)
{
    char version[32];
    int found = sl_query_get(query, "v", version, sizeof version);

    if (found < 0) {
        return 400;
    }
    w->pinned = found == 1;
    if (w->pinned && strncmp(version, w->id, sizeof w->id - 1) != 0) {
        *detail = "the source has changed";
        return 404;
    }
    return 0;
}

int sl_media_route(struct sl_media *m, const char *path, struct sl_text query,
                   struct sl_media_want **want, const char **detail)
{
    struct sl_media_want *w;
    struct sl_media_ask ask;
    char name[SL_SERVE_PATH_MAX];
    size_t length;
    int status;

    *want = NULL;
    *detail = NULL;
    if (m->root < 0 || !sl_media_parse(path, &ask, &length)) {
        return -1;
    }
    w = sl_alloc_zero(sizeof *w);
    if (!w) {
        return 503;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)length, path);
    w->ask = ask;
    status = open_file(m, name, w);
    if (status == 0) {
        status = sl_media_parse_query(query, &w->ask);
    }
    if (status == 0) {
        status = check_version(query, w, detail);
    }
    if (status != 0) {
        sl_media_want_destroy(&w);
    }
    *want = w;
    return status;
}

int sl_media_route_list(struct sl_text query, struct sl_media_want **want)
{
    struct sl_media_want *w = sl_alloc_zero(sizeof *w);
    char search[256];
    int found, status = 0;

    *want = NULL;
    if (!w) {
        return 503;
    }
    w->ask.what = SL_MEDIA_LIST;
    w->limit = LIST_LIMIT;
    (void)snprintf(w->id, sizeof w->id, "library");
    found = sl_query_get(query, "q", search, sizeof search);
    if (found < 0 || sl_query_number(query, "offset", &w->offset) < 0 ||
        sl_query_number(query, "limit", &w->limit) < 0 || w->limit < 1 || w->limit > LIST_MAX) {
        status = 400;
    } else if (found == 1) {
        w->search = sl_strdup(search);
        status = w->search ? 0 : 503;
    }
    if (status != 0) {
        sl_media_want_destroy(&w);
    }
    *want = w;
    return status;
}
