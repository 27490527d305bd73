/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be stored as text, and how it comes back. */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "registry/internal.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS  "0123456789"

/* Names become parts of paths and URLs: no separators, nothing hidden, no option. */
static enum sl_status check(const char *what, const char *id, size_t size, struct sl_error *err)
{
    if (!id || !id[0] || strlen(id) >= size || id[0] == '.' || id[0] == '-' ||
        id[strspn(id, LETTERS DIGITS "._-")] != 0) {
        return sl_fail(err, SL_EINVAL, what,
                       "\"%.70s\" is not allowed (1 to %zu letters, digits and . _ -, beginning "
                       "with a letter, a digit or _)",
                       id ? id : "", size - 1);
    }
    return SL_OK;
}

enum sl_status sl_registry_check_id(const char *id, struct sl_error *err)
{
    return check("run", id, SL_REGISTRY_ID_MAX, err);
}

enum sl_status sl_registry_check_name(const char *name, struct sl_error *err)
{
    return check("rendition", name, SL_REGISTRY_NAME_MAX, err);
}

enum sl_status sl_registry_check_cid(const char *cid, struct sl_error *err)
{
    if (!cid || !cid[0] || strlen(cid) >= SL_REGISTRY_CID_MAX ||
        cid[strspn(cid, LETTERS DIGITS)] != 0) {
        return sl_fail(err, SL_EINVAL, "cid", "\"%.70s\" is not the text of a CID", cid ? cid : "");
    }
    return SL_OK;
}

enum sl_status sl_registry_check_word(const char *what, const char *word, size_t size,
                                      struct sl_error *err)
{
    size_t n = strnlen(word, size);

    for (size_t i = 0; i < n; i++) {
        if (word[i] < 0x20 || word[i] > 0x7e) {
            return sl_fail(err, SL_EINVAL, what, "holds a character that is not printable ASCII");
        }
    }
    return n < size ? SL_OK
                    : sl_fail(err, SL_EINVAL, what, "is longer than %zu characters", size - 1);
}

enum sl_status sl_registry_check_json(const char *what, const char *json, size_t max,
                                      struct sl_error *err)
{
    size_t size = strnlen(json, max + 1);
    json_error_t e;
    json_t *root;
    bool object;

    if (size > max) {
        return sl_fail(err, SL_EINVAL, what, "is longer than %zu bytes", max);
    }
    root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &e);
    if (!root) {
        return json_error_code(&e) == json_error_out_of_memory
                   ? sl_fail_memory(err)
                   : sl_fail(err, SL_EINVAL, what, "line %d, column %d: %s", e.line, e.column,
                             e.text);
    }
    object = json_is_object(root);
    json_decref(root);
    return object ? SL_OK : sl_fail(err, SL_EINVAL, what, "expected a JSON object");
}

/* Bytes of the character at p (up to left), 0: not UTF-8 (RFC 3629 4). */
static size_t character(const unsigned char *p, size_t left)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;

    if (n > left || n == 0) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || /* long, surrogates */
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return n;
}

void sl_registry_clean(char *out, size_t size, const char *text)
{
    const unsigned char *p = (const unsigned char *)(text ? text : "");
    size_t left = strlen((const char *)p), at = 0;

    while (left) {
        size_t n = character(p, left), step = n ? n : 1;
        bool bad = n == 0 || p[0] < 0x20 || p[0] == 0x7f;

        if (at + (bad ? 1 : step) >= size) {
            break;
        }
        if (bad) {
            out[at++] = n == 0 ? '?' : ' ';
        } else {
            memcpy(out + at, p, step);
            at += step;
        }
        p += step;
        left -= step;
    }
    out[at] = 0;
}

enum sl_status sl_registry_take_text(char *out, size_t size, const struct sl_db_value *column,
                                     struct sl_error *err)
{
    if (column->type == SL_DB_NULL) {
        out[0] = 0;
        return SL_OK;
    }
    if (column->type != SL_DB_TEXT || column->size >= size) {
        return sl_fail(err, SL_EDATA, NULL, "the registry holds a text that nothing of ours wrote");
    }
    memcpy(out, column->text, column->size);
    out[column->size] = 0;
    return SL_OK;
}
