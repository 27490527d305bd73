/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings of a run as JSON, by their option table: {"input": "/film.mkv", "segment": "4/1",
 * "rung": ["name=720p,…"], …}, each value as the command line takes it. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "ipfs/ipfs.h"
#include "pipeline/live.h"

#define VALUE_MAX 512

/* Where the run itself is kept: said anew by whoever goes on with it. */
static bool is_place(const char *key)
{
    static const char *const places[] = {"run",       "store",     "registry",    "output",
                                         "overwrite", "ipfs-wait", "ipfs-timeout"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!strcmp(places[i], key)) {
            return true;
        }
    }
    return false;
}

static json_t *rungs_of(const struct sl_ladder_params *p)
{
    json_t *list = json_array();
    for (int32_t i = 0; i < p->rung_count; i++) {
        const struct sl_ladder_rung *r = &p->rungs[i];
        const struct {
            const char *key;
            int64_t value;
        } numbers[] = {{"height", r->height},
                       {"width", r->width},
                       {"bitrate", r->bitrate},
                       {"maxrate", r->maxrate},
                       {"buffer", r->buffer}};
        char text[VALUE_MAX] = "";
        size_t at = 0;
        if (r->name[0]) {
            at += (size_t)snprintf(text + at, sizeof text - at, "name=%s,", r->name);
        }
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
            if (numbers[k].value) {
                at += (size_t)snprintf(text + at, sizeof text - at, "%s=%" PRId64 ",",
                                       numbers[k].key, numbers[k].value);
            }
        }
        if (r->preset[0]) {
            at += (size_t)snprintf(text + at, sizeof text - at, "preset=%s,", r->preset);
        }
        text[at ? at - 1 : 0] = '\0';
        json_array_append_new(list, json_string(text));
    }
    return list;
}

/* A file that is named from the directory we are in is named so that it is found from any. */
static json_t *path_of(const char *path)
{
    char *whole = strstr(path, "://") || !strcmp(path, "-") ? NULL : realpath(path, NULL);
    json_t *text = json_string(whole ? whole : path);
    free(whole);
    return text;
}

/* Not with its password, which everybody could read who can see the run. */
static json_t *node_of(const char *url)
{
    char name[SL_IPFS_NAME_MAX];
    return sl_ipfs_name_of(url, name, NULL) == SL_OK ? json_string(name) : NULL;
}

static json_t *value_of(const struct sl_option *o, const struct sl_ladder_params *params)
{
    const char *field = (const char *)params + o->offset;
    char text[VALUE_MAX];
    switch (o->type) {
    case SL_OPTION_BOOL:
        return json_string(*(const int *)(const void *)field ? "yes" : "no");
    case SL_OPTION_ENUM:
        return json_string(o->choices[*(const int *)(const void *)field]);
    case SL_OPTION_INT:
        (void)snprintf(text, sizeof text, "%" PRId64, *(const int64_t *)(const void *)field);
        break;
    case SL_OPTION_RATIONAL: {
        const struct sl_rational *r = (const void *)field;
        if (r->den == 0) {
            return NULL; /* not set */
        }
        (void)snprintf(text, sizeof text, "%" PRId64 "/%" PRId64, r->num, r->den);
        break;
    }
    case SL_OPTION_SIZE: {
        const int32_t *size = (const void *)field;
        if (size[0] == 0) {
            return NULL;
        }
        (void)snprintf(text, sizeof text, "%" PRId32 "x%" PRId32, size[0], size[1]);
        break;
    }
    case SL_OPTION_STRING:
        return !*field                    ? NULL
               : !strcmp(o->key, "ipfs")  ? node_of(field)
               : !strcmp(o->key, "audio") ? path_of(field)
                                          : json_string(field);
    case SL_OPTION_LIST:
        return rungs_of(params);
    }
    return json_string(text);
}

char *sl_live_options(const struct sl_option *table, const struct sl_ladder_params *params)
{
    json_t *root = json_object();
    char *text = NULL, *copy = NULL;
    if (params->input[0]) {
        (void)json_object_set_new(root, "input", path_of(params->input));
    }
    for (const struct sl_option *o = table; o->key; o++) {
        json_t *value = is_place(o->key) ? NULL : value_of(o, params);
        if (value) {
            (void)json_object_set_new(root, o->key, value);
        }
    }
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    copy = text ? sl_strdup(text) : NULL;
    free(text);
    return copy;
}

bool sl_live_same_input(const char *a, const char *b)
{
    json_error_t where;
    json_t *x = json_loads(a, 0, &where), *y = json_loads(b, 0, &where);
    const char *in = json_string_value(json_object_get(x, "input"));
    const char *other = json_string_value(json_object_get(y, "input"));
    bool same = in && other ? !strcmp(in, other) : in == other;
    json_decref(x);
    json_decref(y);
    return same;
}

static enum sl_status take(const struct sl_option *table, struct sl_ladder_params *params,
                           const char *key, const json_t *value, struct sl_error *err)
{
    const char *text = json_string_value(value);
    if (json_is_array(value)) {
        enum sl_status status = SL_OK;
        for (size_t i = 0; i < json_array_size(value) && !status; i++) {
            status = take(table, params, key, json_array_get(value, i), err);
        }
        return status;
    }
    if (!text) {
        return sl_fail(err, SL_EDATA, key, "the run's setting is no text");
    }
    if (strcmp(key, "input") != 0) {
        return is_place(key) ? SL_OK : sl_options_set(table, params, key, text, err);
    }
    if (strlen(text) >= sizeof params->input) {
        return sl_fail(err, SL_EDATA, key, "the run's input has too long a name");
    }
    (void)snprintf(params->input, sizeof params->input, "%s", text);
    return SL_OK;
}

enum sl_status sl_live_options_read(const struct sl_option *table, const char *json,
                                    struct sl_ladder_params *params, struct sl_error *err)
{
    json_error_t where;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &where), *value;
    const char *key;
    enum sl_status status = SL_OK;
    if (!json_is_object(root)) {
        status = sl_fail(err, SL_EDATA, params->run, "the run's settings are not JSON: %.100s",
                         where.text);
        json_decref(root);
        return status;
    }
    json_object_foreach(root, key, value)
    {
        if (!status) {
            status = take(table, params, key, value, err);
        }
    }
    json_decref(root);
    return status;
}
