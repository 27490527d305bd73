/* SPDX-License-Identifier: BSD-2-Clause */
/* A pin is an empty file pins/CID@NAME: made and taken back with one call each, and never counted
 * wrong, since there is no count. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/cas.h"

#define PIN_SIZE (SL_CID_TEXT_SIZE + 1 + SL_CAS_PIN_NAME_MAX + 1)

bool sl_cas_pin_name_valid(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._:-";
    size_t length = strlen(name);

    return length > 0 && length <= SL_CAS_PIN_NAME_MAX && strspn(name, allowed) == length;
}

enum sl_status sl_cas_pin_check(const char *name, struct sl_error *err)
{
    return sl_cas_pin_name_valid(name)
               ? SL_OK
               : sl_fail(err, SL_EINVAL, "pin",
                         "\"%.64s\" is not a name of 1 to %d letters, digits, \"._:-\"", name,
                         SL_CAS_PIN_NAME_MAX);
}

static void pin_file(const struct sl_cid *cid, const char *name, char out[PIN_SIZE])
{
    char text[SL_CID_TEXT_SIZE];

    (void)snprintf(out, PIN_SIZE, "%s@%s", sl_cid_text(cid, text), name);
}

enum sl_status sl_cas_pin_make(struct sl_cas *cas, const struct sl_cid *cid, const char *name,
                               struct sl_error *err)
{
    char file[PIN_SIZE];
    int fd;

    pin_file(cid, name, file);
    do {
        fd = openat(cas->pins, file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return sl_fail_errno(err, errno, cas->directory, "pin");
    }
    (void)close(fd);
    return SL_OK;
}

static enum sl_status missing(void *opaque, const struct sl_cid *cid, struct sl_error *err)
{
    const struct sl_cas *cas = opaque;
    char text[SL_CID_TEXT_SIZE];

    return sl_fail(err, SL_ENOTFOUND, sl_cid_text(cid, text), "is not in the store %s",
                   cas->directory);
}

enum sl_status sl_cas_pin(struct sl_cas *cas, const struct sl_cid *cid, const char *name,
                          struct sl_error *err)
{
    struct sl_cas_mark mark = {.set = {.max = SL_CAS_SET_MAX}, .missing = missing, .opaque = cas};
    enum sl_status status;
    int lock = -1;

    name = name ? name : SL_CAS_PIN_DEFAULT;
    status = sl_cas_pin_check(name, err);
    if (status == SL_OK) {
        status = sl_cas_lock(cas, false, &lock, err);
    }
    /* What is promised to be kept must be there, all of it. */
    if (status == SL_OK) {
        status = sl_cas_mark_add(&mark, cid, err);
    }
    if (status == SL_OK) {
        status = sl_cas_mark_run(&mark, cas, err);
    }
    if (status == SL_OK) {
        status = sl_cas_pin_make(cas, cid, name, err);
    }
    sl_cas_unlock(&lock);
    sl_cas_mark_clear(&mark);
    return status == SL_OK ? sl_cas_sync(cas, cas->pins, cas->directory, err) : status;
}

enum sl_status sl_cas_unpin(struct sl_cas *cas, const struct sl_cid *cid, const char *name,
                            struct sl_error *err)
{
    char file[PIN_SIZE], text[SL_CID_TEXT_SIZE];
    struct sl_cid form = *cid;
    bool was = false;
    enum sl_status status;

    name = name ? name : SL_CAS_PIN_DEFAULT;
    status = sl_cas_pin_check(name, err);
    if (status != SL_OK) {
        return status;
    }
    /* It may have been pinned as v0 or as v1. */
    for (uint8_t version = cid->codec == SL_CODEC_DAG_PB ? 0 : 1; version < 2; version++) {
        form.version = version;
        pin_file(&form, name, file);
        if (unlinkat(cas->pins, file, 0) == 0) {
            was = true;
        } else if (errno != ENOENT) {
            return sl_fail_errno(err, errno, cas->directory, "unpin");
        }
    }
    if (!was) {
        return sl_fail(err, SL_ENOTFOUND, sl_cid_text(cid, text), "is not pinned as \"%s\"", name);
    }
    return sl_cas_sync(cas, cas->pins, cas->directory, err);
}

/* ---- listing ------------------------------------------------------------------------------- */

struct pin {
    char file[PIN_SIZE];
};

static int by_file(const void *a, const void *b)
{
    return strcmp(((const struct pin *)a)->file, ((const struct pin *)b)->file);
}

static bool parse_pin(const char *file, struct sl_cid *cid)
{
    size_t length = strcspn(file, "@");

    return file[length] == '@' && strlen(file) < PIN_SIZE &&
           sl_cid_parse(cid, file, length, NULL) == SL_OK &&
           sl_cas_pin_name_valid(file + length + 1);
}

static enum sl_status read_pins(struct sl_cas *cas, struct pin **pins, size_t *count,
                                struct sl_error *err)
{
    int fd = openat(cas->root, "pins", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    enum sl_status status = SL_OK;
    size_t capacity = 0;
    struct dirent *d;

    if (!dir) {
        status = sl_fail_errno(err, errno, cas->directory, "read the pins");
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (status == SL_OK && (d = readdir(dir)) != NULL) {
        struct sl_cid cid;

        if (!parse_pin(d->d_name, &cid)) {
            continue;
        }
        if (sl_grow(pins, &capacity, *count, sizeof **pins, SL_CAS_SET_MAX) != SL_OK) {
            status = sl_fail_memory(err);
        } else {
            memcpy((*pins)[(*count)++].file, d->d_name, strlen(d->d_name) + 1);
        }
    }
    (void)closedir(dir);
    return status;
}

enum sl_status sl_cas_pins(struct sl_cas *cas,
                           void (*each)(void *opaque, const struct sl_cid *cid, const char *name),
                           void *opaque, struct sl_error *err)
{
    struct pin *pins = NULL;
    size_t count = 0;
    enum sl_status status = read_pins(cas, &pins, &count, err);

    if (status == SL_OK && count > 0) {
        qsort(pins, count, sizeof *pins, by_file);
        for (size_t i = 0; i < count; i++) {
            struct sl_cid cid;

            if (parse_pin(pins[i].file, &cid)) {
                each(opaque, &cid, strchr(pins[i].file, '@') + 1);
            }
        }
    }
    sl_free(pins);
    return status;
}
