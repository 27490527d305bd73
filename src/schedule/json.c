/* SPDX-License-Identifier: BSD-2-Clause */
/* jansson says where a text is not JSON, but not where a value of it stood. So an error about a
 * value walks the text once more, which is known to be JSON by then. */
#include "schedule/json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define DEPTH_MAX 16

/* ---- where a value stands ---------------------------------------------------------------- */

struct scan {
    const char *text;
    size_t size, at;
};

static char look(const struct scan *s)
{
    return s->at < s->size ? s->text[s->at] : '\0';
}

static void skip_space(struct scan *s)
{
    while (s->at < s->size && strchr(" \t\r\n", s->text[s->at]) && s->text[s->at]) {
        s->at++;
    }
}

static void skip_string(struct scan *s)
{
    for (s->at++; s->at < s->size && s->text[s->at] != '"'; s->at++) {
        if (s->text[s->at] == '\\') {
            s->at++;
        }
    }
    s->at++;
}

/* Stops behind the value, or at the end of the text. */
static void skip_value(struct scan *s)
{
    size_t depth = 0;
    do {
        char c = look(s);
        if (c == '"') {
            skip_string(s);
        } else if (c == '{' || c == '[') {
            depth++;
            s->at++;
        } else if (c == '}' || c == ']') {
            depth--;
            s->at++;
        } else if (depth) {
            s->at++;
        } else {
            do {
                s->at++;
            } while (s->at < s->size && !strchr(",]} \t\r\n", s->text[s->at]));
        }
    } while (depth && s->at < s->size);
}

/* The string at s is this key. */
static bool key_is(const struct scan *s, const char *key)
{
    struct scan end = *s;
    size_t length;
    bool same;
    skip_string(&end);
    length = end.at - s->at;
    if (!memchr(s->text + s->at, '\\', length)) {
        return length == strlen(key) + 2 && !memcmp(s->text + s->at + 1, key, length - 2);
    }
    json_t *decoded = json_loadb(s->text + s->at, length, JSON_DECODE_ANY, NULL);
    same = json_is_string(decoded) && !strcmp(json_string_value(decoded), key);
    json_decref(decoded);
    return same;
}

/* Goes from the start of an object or array to the start of a member's key or of an element; false
 * (and the container's start stays) where it is not there. */
static bool enter(struct scan *s, const struct sl_json_place *place)
{
    const size_t start = s->at;
    s->at++;
    skip_space(s);
    for (size_t i = 0; s->at < s->size && look(s) != '}' && look(s) != ']'; i++) {
        if (place->key ? key_is(s, place->key) : i == place->index) {
            return true;
        }
        skip_value(s); /* the key, or the element */
        skip_space(s);
        if (look(s) == ':') {
            s->at++;
            skip_space(s);
            skip_value(s);
            skip_space(s);
        }
        if (look(s) == ',') {
            s->at++;
            skip_space(s);
        }
    }
    s->at = start;
    return false;
}

/* The places from the root to this one. */
static size_t unwind(const struct sl_json_place *place, const struct sl_json_place **path)
{
    size_t count = 0;
    for (const struct sl_json_place *p = place; p && count < DEPTH_MAX; p = p->parent) {
        path[count++] = p;
    }
    for (size_t i = 0; i < count / 2; i++) {
        const struct sl_json_place *swap = path[i];
        path[i] = path[count - 1 - i];
        path[count - 1 - i] = swap;
    }
    return count;
}

static size_t locate(const struct sl_json *j, const struct sl_json_place *const *path, size_t count)
{
    struct scan s = {j->text, j->size, 0};
    skip_space(&s);
    for (size_t i = 0; i < count; i++) {
        if (i && path[i - 1]->key) { /* from the key to its value */
            skip_string(&s);
            skip_space(&s);
            s.at++;
            skip_space(&s);
        }
        if (!enter(&s, path[i])) {
            break;
        }
    }
    return s.at < j->size ? s.at : j->size;
}

/* Characters, not bytes, from 1 on: as jansson counts. */
static void line_and_column(const char *text, size_t at, size_t *line, size_t *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < at; i++) {
        if (text[i] == '\n') {
            ++*line;
            *column = 1;
        } else {
            *column += ((unsigned char)text[i] & 0xc0) != 0x80;
        }
    }
}

static void path_text(const struct sl_json_place *const *path, size_t count, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < count && at < size; i++) {
        int n = path[i]->key ? snprintf(out + at, size - at, "%s%.40s", i ? "." : "", path[i]->key)
                             : snprintf(out + at, size - at, "[%zu]", path[i]->index);
        at += n > 0 ? (size_t)n : 0;
    }
}

static SL_PRINTF(4, 0) enum sl_status
    fail(const struct sl_json *j, const struct sl_json_place *place, struct sl_error *err,
         const char *fmt, va_list args)
{
    const struct sl_json_place *path[DEPTH_MAX];
    size_t count = unwind(place, path), line, column;
    char where[96], msg[sizeof err->msg];
    if (vsnprintf(msg, sizeof msg, fmt, args) < 0) {
        msg[0] = '\0';
    }
    path_text(path, count, where, sizeof where);
    line_and_column(j->text, locate(j, path, count), &line, &column);
    return sl_fail(err, SL_EDATA, j->name, "line %zu, column %zu: %s%s%s", j->lines_before + line,
                   column, where, where[0] ? ": " : "", msg);
}

enum sl_status sl_json_fail(const struct sl_json *j, const struct sl_json_place *place,
                            struct sl_error *err, const char *fmt, ...)
{
    va_list args;
    if (err) { /* looking for the place takes time */
        va_start(args, fmt);
        (void)fail(j, place, err, fmt, args);
        va_end(args);
    }
    return SL_EDATA;
}

/* ---- reading ----------------------------------------------------------------------------- */

enum sl_status sl_json_parse(struct sl_json *j, const char *name, const char *text, size_t size,
                             struct sl_error *err)
{
    return sl_json_parse_line(j, name, text, size, 0, err);
}

enum sl_status sl_json_parse_line(struct sl_json *j, const char *name, const char *text,
                                  size_t size, size_t lines_before, struct sl_error *err)
{
    json_error_t e;
    *j = (struct sl_json){.name = name, .text = text, .size = size, .lines_before = lines_before};
    if (size && memchr(text, '\0', size)) { /* jansson passes over one between two tokens */
        size_t at = (size_t)((const char *)memchr(text, '\0', size) - text), line, column;
        line_and_column(text, at, &line, &column);
        return sl_fail(err, SL_EDATA, name, "line %zu, column %zu: a byte of zero",
                       lines_before + line, column);
    }
    j->root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &e);
    if (!j->root) {
        if (json_error_code(&e) == json_error_out_of_memory) {
            return sl_fail_memory(err);
        }
        return sl_fail(err, SL_EDATA, name, "line %zu, column %d: %s",
                       lines_before + (size_t)e.line, e.column > 0 ? e.column : 1, e.text);
    }
    if (!json_is_object(j->root)) {
        enum sl_status status = sl_json_fail(j, NULL, err, "expected an object");
        sl_json_clear(j);
        return status;
    }
    return SL_OK;
}

void sl_json_clear(struct sl_json *j)
{
    json_decref(j->root);
    *j = (struct sl_json){0};
}

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",
        [JSON_ARRAY] = "an array",
        [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer",
        [JSON_REAL] = "a number with a fraction",
        [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",
        [JSON_NULL] = "null",
    };
    return names[json_typeof(value)];
}

static enum sl_status wrong_type(const struct sl_json *j, const struct sl_json_place *place,
                                 const json_t *value, const char *expected, struct sl_error *err)
{
    return sl_json_fail(j, place, err, "found %s, expected %s", type_name(value), expected);
}

enum sl_status sl_json_integer(const struct sl_json *j, const struct sl_json_place *place,
                               const json_t *value, int64_t min, int64_t max, int64_t *out,
                               struct sl_error *err)
{
    json_int_t v = json_integer_value(value);
    if (!json_is_integer(value)) {
        return wrong_type(j, place, value, "an integer", err);
    }
    if (v < min || v > max) {
        return sl_json_fail(j, place, err,
                            "%" PRId64 " is out of range (%" PRId64 " to %" PRId64 ")", (int64_t)v,
                            min, max);
    }
    *out = v;
    return SL_OK;
}

static enum sl_status read_number(const struct sl_json *j, const struct sl_json_place *place,
                                  const json_t *value, const struct sl_json_field *f, double *out,
                                  struct sl_error *err)
{
    double v = json_number_value(value);
    if (!json_is_number(value)) {
        return wrong_type(j, place, value, "a number", err);
    }
    if ((f->min || f->max) && !(v >= (double)f->min && v <= (double)f->max)) {
        return sl_json_fail(j, place, err, "%g is out of range (%" PRId64 " to %" PRId64 ")", v,
                            f->min, f->max);
    }
    *out = v;
    return SL_OK;
}

static enum sl_status read_field(const struct sl_json *j, const struct sl_json_place *place,
                                 json_t *value, const struct sl_json_field *f, void *out,
                                 struct sl_error *err)
{
    bool any = !f->min && !f->max;
    int64_t integer = 0;
    double number = 0;
    bool truth = false;
    const char *text = NULL;
    enum sl_status status;
    switch (f->type) {
    case SL_JSON_INTEGER:
        status = sl_json_integer(j, place, value, any ? INT64_MIN : f->min,
                                 any ? INT64_MAX : f->max, &integer, err);
        if (!status) {
            memcpy(out, &integer, sizeof integer);
        }
        return status;
    case SL_JSON_NUMBER:
        status = read_number(j, place, value, f, &number, err);
        if (!status) {
            memcpy(out, &number, sizeof number);
        }
        return status;
    case SL_JSON_BOOL:
        truth = json_is_true(value);
        if (!json_is_boolean(value)) {
            return wrong_type(j, place, value, "true or false", err);
        }
        memcpy(out, &truth, sizeof truth);
        return SL_OK;
    case SL_JSON_STRING:
        text = json_string_value(value); /* jansson refuses \u0000 */
        if (!text) {
            return wrong_type(j, place, value, "a string", err);
        }
        memcpy(out, &text, sizeof text);
        return SL_OK;
    case SL_JSON_ARRAY:
    case SL_JSON_OBJECT:
        break;
    }
    if (f->type == SL_JSON_ARRAY ? !json_is_array(value) : !json_is_object(value)) {
        return wrong_type(j, place, value, f->type == SL_JSON_ARRAY ? "an array" : "an object",
                          err);
    }
    memcpy(out, &value, sizeof value);
    return SL_OK;
}

static enum sl_status unknown_key(const struct sl_json *j, const struct sl_json_place *place,
                                  const struct sl_json_field *fields, struct sl_error *err)
{
    char known[160] = "";
    size_t at = 0;
    for (const struct sl_json_field *f = fields; f->key && at < sizeof known; f++) {
        int n = snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", f->key);
        at += n > 0 ? (size_t)n : 0;
    }
    return sl_json_fail(j, place, err, "unknown key (known: %s%s)", known,
                        at < sizeof known ? "" : " …");
}

enum sl_status sl_json_object(const struct sl_json *j, const struct sl_json_place *place,
                              json_t *object, const struct sl_json_field *fields, void *out,
                              uint64_t *present, struct sl_error *err)
{
    uint64_t seen = 0;
    if (!json_is_object(object)) {
        return wrong_type(j, place, object, "an object", err);
    }
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        struct sl_json_place inside = {.parent = place, .key = json_object_iter_key(i)};
        const struct sl_json_field *f = fields;
        while (f->key && strcmp(f->key, inside.key) != 0) {
            f++;
        }
        if (!f->key) {
            return unknown_key(j, &inside, fields, err);
        }
        enum sl_status status =
            read_field(j, &inside, json_object_iter_value(i), f, (char *)out + f->offset, err);
        if (status) {
            return status;
        }
        seen |= UINT64_C(1) << (f - fields);
    }
    for (const struct sl_json_field *f = fields; f->key; f++) {
        if (f->required && !(seen >> (f - fields) & 1)) {
            return sl_json_fail(j, place, err, "\"%s\" is missing", f->key);
        }
    }
    if (present) {
        *present = seen;
    }
    return SL_OK;
}
