/* SPDX-License-Identifier: BSD-2-Clause */
/* Strict JSON on top of jansson: every error says line and column, duplicate and unknown keys and
 * wrong types are errors. Objects are read by tables. */
#ifndef SL_SCHEDULE_JSON_H
#define SL_SCHEDULE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

struct sl_json {
    const char *name; /* of the text, for messages */
    const char *text; /* borrowed */
    size_t size;
    json_t *root;        /* owned; an object */
    size_t lines_before; /* of the file that the text is a piece of */
};

/* Where a value stands: a member of an object (key set) or an element of an array. parent NULL: in
 * the root. Lives on the stack. */
struct sl_json_place {
    const struct sl_json_place *parent;
    const char *key;
    size_t index;
};

enum sl_json_type {
    SL_JSON_INTEGER, /* int64_t, within [min, max]; 3.0 is not one */
    SL_JSON_NUMBER,  /* double, within [min, max] */
    SL_JSON_BOOL,    /* bool */
    SL_JSON_STRING,  /* const char *, as long as the sl_json lives; without NUL inside */
    SL_JSON_ARRAY,   /* json_t *, borrowed */
    SL_JSON_OBJECT,  /* json_t *, borrowed */
};

/* One member. Tables end with an entry whose key is NULL. */
struct sl_json_field {
    const char *key;
    enum sl_json_type type;
    uint32_t offset; /* of its value in the struct; untouched where the member is absent */
    bool required;
    int64_t min, max; /* INTEGER and NUMBER; both 0: any */
};

/* SL_EDATA, with line and column, where the text is not one JSON object. */
SL_NODISCARD enum sl_status sl_json_parse(struct sl_json *j, const char *name, const char *text,
                                          size_t size, struct sl_error *err);
/* The same of one line of a file of JSON lines, which is number lines_before + 1 of it. */
SL_NODISCARD enum sl_status sl_json_parse_line(struct sl_json *j, const char *name,
                                               const char *text, size_t size, size_t lines_before,
                                               struct sl_error *err);
void sl_json_clear(struct sl_json *j);
/* Reads an object (place NULL: the root) into a struct. present (may be NULL): bit n says that
 * field n was there. */
SL_NODISCARD enum sl_status sl_json_object(const struct sl_json *j,
                                           const struct sl_json_place *place, json_t *object,
                                           const struct sl_json_field *fields, void *out,
                                           uint64_t *present, struct sl_error *err);
/* An integer within [min, max] that stands at place. */
SL_NODISCARD enum sl_status sl_json_integer(const struct sl_json *j,
                                            const struct sl_json_place *place, const json_t *value,
                                            int64_t min, int64_t max, int64_t *out,
                                            struct sl_error *err);
/* SL_EDATA "name: line 7, column 12: frames[3].refs: message". */
enum sl_status sl_json_fail(const struct sl_json *j, const struct sl_json_place *place,
                            struct sl_error *err, const char *fmt, ...) SL_PRINTF(4, 5);

#endif
