/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sluice/options.h>

#include "base/error.h"
#include "base/rational.h"

#define KEY_MAX 64

static void *field_of(const struct sl_option *o, void *params)
{
    return (char *)params + o->offset;
}

static size_t field_size(const struct sl_option *o)
{
    switch (o->type) {
    case SL_OPTION_BOOL:
    case SL_OPTION_ENUM:
        return sizeof(int);
    case SL_OPTION_INT:
        return sizeof(int64_t);
    case SL_OPTION_RATIONAL:
        return sizeof(struct sl_rational);
    case SL_OPTION_STRING:
        return o->capacity;
    case SL_OPTION_SIZE:
        return 2 * sizeof(int32_t);
    case SL_OPTION_LIST:
        break; /* only add() knows it */
    }
    return 0;
}

const struct sl_option *sl_options_find(const struct sl_option *table, const char *key)
{
    for (const struct sl_option *o = table; o->key; o++) {
        if (strcmp(o->key, key) == 0) {
            return o;
        }
    }
    return NULL;
}

/* Levenshtein's distance, row by row; keys are short. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[KEY_MAX + 1], la = strlen(a), lb = strlen(b);

    if (la > KEY_MAX || lb > KEY_MAX) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= lb; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= la; i++) {
        size_t corner = row[0];

        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);

            corner = row[j];
            if (row[j] + 1 < best) {
                best = row[j] + 1;
            }
            if (row[j - 1] + 1 < best) {
                best = row[j - 1] + 1;
            }
            row[j] = best;
        }
    }
    return row[lb];
}

static enum sl_status unknown_key(const struct sl_option *table, const char *key,
                                  struct sl_error *err)
{
    const struct sl_option *nearest = NULL;
    size_t least = strlen(key) / 3 + 2; /* further away it would be a guess */

    for (const struct sl_option *o = table; o->key; o++) {
        size_t d = edit_distance(key, o->key);

        if (d < least) {
            least = d;
            nearest = o;
        }
    }
    if (nearest) {
        return sl_fail(err, SL_ENOTFOUND, key, "no such option; did you mean \"%s\"?",
                       nearest->key);
    }
    return sl_fail(err, SL_ENOTFOUND, key, "no such option");
}

/* A whole decimal number with nothing after it. */
static bool parse_int(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    int64_t v = 0;

    if (*text == '-' || *text == '+') {
        text++;
    }
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        int digit = *text - '0';

        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, negative ? -digit : digit, &v)) {
            return false;
        }
    }
    *out = v;
    return true;
}

static enum sl_status refuse(const struct sl_option *o, const char *value, const char *wanted,
                             struct sl_error *err)
{
    return sl_fail(err, SL_EINVAL, o->key, "\"%.64s\" is not %s (%" PRId64 " to %" PRId64 ")",
                   value, wanted, o->min, o->max);
}

static enum sl_status out_of_range(const struct sl_option *o, const char *value,
                                   struct sl_error *err)
{
    return sl_fail(err, SL_EINVAL, o->key, "%.64s is not allowed (%" PRId64 " to %" PRId64 ")",
                   value, o->min, o->max);
}

static enum sl_status set_bool(const struct sl_option *o, void *field, const char *value,
                               struct sl_error *err)
{
    static const struct {
        const char *text;
        int value;
    } words[] = {{"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0}, {"1", 1}, {"0", 0}};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(value, words[i].text) == 0) {
            memcpy(field, &words[i].value, sizeof(words[i].value));
            return SL_OK;
        }
    }
    return sl_fail(err, SL_EINVAL, o->key, "\"%.64s\" is not yes or no", value);
}

static enum sl_status set_int(const struct sl_option *o, void *field, const char *value,
                              struct sl_error *err)
{
    int64_t v, scale = 1;
    char number[32];
    size_t n = strlen(value);

    if (n > 1 && n < sizeof(number) && strchr("kKM", value[n - 1])) {
        memcpy(number, value, n - 1);
        number[n - 1] = '\0';
        scale = value[n - 1] == 'M' ? 1000000 : 1000;
    } else {
        number[0] = '\0';
    }
    if (!parse_int(scale > 1 ? number : value, &v)) {
        return refuse(o, value, "a whole number", err);
    }
    if (v > INT64_MAX / scale || v < INT64_MIN / scale) {
        return out_of_range(o, value, err);
    }
    v *= scale;
    if (v < o->min || v > o->max) {
        return out_of_range(o, value, err);
    }
    memcpy(field, &v, sizeof(v));
    return SL_OK;
}

static enum sl_status set_rational(const struct sl_option *o, void *field, const char *value,
                                   struct sl_error *err)
{
    struct sl_rational v;

    if (!sl_rational_parse(value, &v)) {
        return refuse(o, value, "a number like 25, 29.97 or 30000/1001", err);
    }
    if (sl_rational_compare(v, sl_rational(o->min, 1)) < 0 ||
        sl_rational_compare(v, sl_rational(o->max, 1)) > 0) {
        return out_of_range(o, value, err);
    }
    memcpy(field, &v, sizeof(v));
    return SL_OK;
}

static enum sl_status set_string(const struct sl_option *o, void *field, const char *value,
                                 struct sl_error *err)
{
    size_t length = strlen(value);

    if (length >= o->capacity) {
        return sl_fail(err, SL_EINVAL, o->key, "is %zu bytes long (at most %zu)", length,
                       o->capacity ? o->capacity - 1 : 0);
    }
    memset(field, 0, o->capacity);
    memcpy(field, value, length);
    return SL_OK;
}

/* "a|b|c", cut where it does not fit. */
static void join_choices(const struct sl_option *o, char *text, size_t size)
{
    size_t used = 0;

    text[0] = 0;
    for (const char *const *c = o->choices; *c; c++) {
        size_t length = strlen(*c);

        if (used + length + 2 > size) {
            return;
        }
        if (used) {
            text[used++] = '|';
        }
        memcpy(text + used, *c, length + 1);
        used += length;
    }
}

static enum sl_status set_enum(const struct sl_option *o, void *field, const char *value,
                               struct sl_error *err)
{
    char choices[160];

    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(value, o->choices[i]) == 0) {
            memcpy(field, &i, sizeof(i));
            return SL_OK;
        }
    }
    join_choices(o, choices, sizeof(choices));
    return sl_fail(err, SL_EINVAL, o->key, "\"%.64s\" is not allowed (%s)", value, choices);
}

static enum sl_status set_size(const struct sl_option *o, void *field, const char *value,
                               struct sl_error *err)
{
    const char *x = strchr(value, 'x');
    char width[24];
    int64_t w, h;
    int32_t v[2];

    if (!x || (size_t)(x - value) >= sizeof(width)) {
        return refuse(o, value, "a size like 1920x1080", err);
    }
    memcpy(width, value, (size_t)(x - value));
    width[x - value] = 0;
    if (!parse_int(width, &w) || !parse_int(x + 1, &h)) {
        return refuse(o, value, "a size like 1920x1080", err);
    }
    if (w < o->min || w > o->max || h < o->min || h > o->max || w < INT32_MIN || w > INT32_MAX ||
        h < INT32_MIN || h > INT32_MAX) {
        return out_of_range(o, value, err);
    }
    v[0] = (int32_t)w;
    v[1] = (int32_t)h;
    memcpy(field, v, sizeof(v));
    return SL_OK;
}

static enum sl_status set_value(const struct sl_option *o, void *params, const char *value,
                                struct sl_error *err)
{
    void *field = field_of(o, params);

    if (!value) {
        if (o->type == SL_OPTION_BOOL) {
            return set_bool(o, field, "yes", err);
        }
        return sl_fail(err, SL_EINVAL, o->key, "needs a value%s%s", o->metavar ? ": " : "",
                       o->metavar ? o->metavar : "");
    }
    switch (o->type) {
    case SL_OPTION_BOOL:
        return set_bool(o, field, value, err);
    case SL_OPTION_INT:
        return set_int(o, field, value, err);
    case SL_OPTION_RATIONAL:
        return set_rational(o, field, value, err);
    case SL_OPTION_STRING:
        return set_string(o, field, value, err);
    case SL_OPTION_ENUM:
        return set_enum(o, field, value, err);
    case SL_OPTION_SIZE:
        return set_size(o, field, value, err);
    case SL_OPTION_LIST:
        return o->add(params, value, err);
    }
    return sl_fail(err, SL_EINVAL, o->key, "has no type");
}

enum sl_status sl_options_set(const struct sl_option *table, void *params, const char *key,
                              const char *value, struct sl_error *err)
{
    const struct sl_option *o = sl_options_find(table, key);

    if (!o) {
        return unknown_key(table, key, err);
    }
    return set_value(o, params, value, err);
}

enum sl_status sl_options_default(const struct sl_option *table, void *params, struct sl_error *err)
{
    for (const struct sl_option *o = table; o->key; o++) {
        enum sl_status status;

        if (!o->value_default) {
            memset(field_of(o, params), 0, field_size(o));
            continue;
        }
        status = set_value(o, params, o->value_default, err);
        if (status != SL_OK) {
            return status;
        }
    }
    return SL_OK;
}

/* Help: the names on the left, the text from COLUMN on, wrapped before WIDTH. */
#define COLUMN 28
#define WIDTH  80

struct printer {
    char *buf;
    size_t size;
    size_t used; /* as if buf were large enough */
    size_t column;
};

static void print(struct printer *p, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (p->used + 1 < p->size) {
            p->buf[p->used] = text[i];
        }
        p->used++;
        if (text[i] == '\n') {
            p->column = 0;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) { /* UTF-8: one column a character */
            p->column++;
        }
    }
}

static void print_text(struct printer *p, const char *text)
{
    print(p, text, strlen(text));
}

static void indent(struct printer *p)
{
    while (p->column < COLUMN) {
        print(p, " ", 1);
    }
}

static void print_words(struct printer *p, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, " ");

        if (p->column > COLUMN && p->column + 1 + length > WIDTH) {
            print(p, "\n", 1);
        } else if (p->column > COLUMN) {
            print(p, " ", 1);
        }
        indent(p);
        print(p, text, length);
        text += length;
        text += strspn(text, " ");
    }
}

static void print_metavar(struct printer *p, const struct sl_option *o)
{
    static const char *const usual[] = {
        [SL_OPTION_INT] = "N",       [SL_OPTION_RATIONAL] = "N/D", [SL_OPTION_STRING] = "TEXT",
        [SL_OPTION_ENUM] = "CHOICE", [SL_OPTION_SIZE] = "WxH",     [SL_OPTION_LIST] = "VALUE",
    };
    char choices[160];

    if (o->type == SL_OPTION_BOOL) {
        return;
    }
    print(p, " ", 1);
    if (o->metavar) {
        print_text(p, o->metavar);
    } else if (o->type == SL_OPTION_ENUM) {
        join_choices(o, choices, sizeof(choices));
        print_text(p, choices);
    } else {
        print_text(p, usual[o->type]);
    }
}

size_t sl_options_help(const struct sl_option *table, char *buf, size_t size)
{
    struct printer p = {.buf = buf, .size = size};

    for (const struct sl_option *o = table; o->key; o++) {
        print_text(&p, "  --");
        print_text(&p, o->key);
        print_metavar(&p, o);
        if (p.column + 2 > COLUMN) {
            print(&p, "\n", 1);
        }
        indent(&p);
        print_words(&p, o->help ? o->help : "");
        if (o->value_default) {
            print_words(&p, "(default:");
            print(&p, " ", 1);
            print_text(&p, o->value_default);
            print(&p, ")", 1);
        }
        print(&p, "\n", 1);
    }
    if (size > 0) {
        buf[p.used < size ? p.used : size - 1] = 0;
    }
    return p.used;
}
