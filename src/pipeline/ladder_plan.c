/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/ladder_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/rational.h"

static const struct {
    int64_t pixels;
    int64_t kbits;
} bitrate_classes[] = {
    {INT64_C(3840) * 2160, 15000},
    {INT64_C(1920) * 1080, 5000},
    {INT64_C(1280) * 720, 2500},
    {INT64_C(640) * 480, 1500},
    {0, 800},
};

int64_t sl_ladder_bitrate(int32_t width, int32_t height)
{
    int64_t pixels = (int64_t)width * height;
    size_t i = 0;
    while (pixels < bitrate_classes[i].pixels) {
        i++;
    }
    return bitrate_classes[i].kbits;
}

static int32_t even_at_least_2(int64_t v)
{
    v &= ~INT64_C(1);
    return v < 2 ? 2 : (int32_t)v;
}

static bool name_is_usable(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    return name[0] && name[0] != '.' && name[strspn(name, allowed)] == '\0' &&
           strcmp(name, "audio") != 0;
}

#define RUNG(field) offsetof(struct sl_ladder_rung, field)
#define RUNG_INT(name, lo, hi, unit, words)                                                        \
    {                                                                                              \
        .key = #name, .type = SL_OPTION_INT, .offset = RUNG(name), .min = (lo), .max = (hi),       \
        .metavar = (unit), .help = (words)                                                         \
    }
#define RUNG_TEXT(name, unit, words)                                                               \
    {                                                                                              \
        .key = #name, .type = SL_OPTION_STRING, .offset = RUNG(name),                              \
        .capacity = sizeof(((struct sl_ladder_rung *)0)->name), .metavar = (unit), .help = (words) \
    }

static const struct sl_option rung_table[] = {
    RUNG_TEXT(name, "NAME", "folder of the rendition"),
    RUNG_INT(height, 2, 16384, "ROWS", "rows of the picture"),
    RUNG_INT(width, 2, 16384, "COLUMNS", "columns of the picture"),
    RUNG_INT(bitrate, 1, 1000000, "KBIT/S", "average bitrate"),
    RUNG_INT(maxrate, 1, 2000000, "KBIT/S", "largest bitrate"),
    RUNG_INT(buffer, 1, 2000000, "KBIT", "size of the decoder's buffer"),
    RUNG_TEXT(preset, "PRESET", "x264 preset"),
    {.key = NULL},
};

enum sl_status sl_ladder_rung_parse(const char *text, struct sl_ladder_rung *out,
                                    struct sl_error *err)
{
    struct sl_ladder_rung rung;
    memset(&rung, 0, sizeof rung);
    const char *at = text;
    while (*at) {
        char key[24], value[64];
        size_t key_size = strcspn(at, "=,");
        if (at[key_size] != '=' || key_size >= sizeof key) {
            return sl_fail(err, SL_EINVAL, "rung", "\"%.80s\" is not key=value[,key=value…]", at);
        }
        const char *from = at + key_size + 1;
        size_t value_size = strcspn(from, ",");
        if (value_size >= sizeof value) {
            return sl_fail(err, SL_EINVAL, "rung", "the value of %.*s is longer than %zu letters",
                           (int)key_size, at, sizeof value - 1);
        }
        memcpy(key, at, key_size);
        key[key_size] = '\0';
        memcpy(value, from, value_size);
        value[value_size] = '\0';
        enum sl_status st = sl_options_set(rung_table, &rung, key, value, err);
        if (st != SL_OK) {
            return st == SL_ENOTFOUND ? SL_EINVAL : st;
        }
        at = from + value_size + (from[value_size] == ',');
    }
    if (rung.name[0] && !name_is_usable(rung.name)) {
        return sl_fail(
            err, SL_EINVAL, "rung",
            "name \"%s\": letters, digits, '-', '_' and '.' are allowed, and not \"audio\"",
            rung.name);
    }
    *out = rung;
    return SL_OK;
}

static int by_size(const void *a, const void *b)
{
    const struct sl_ladder_rung *x = a, *y = b;
    int64_t px = x->width * x->height, py = y->width * y->height;
    if (px != py) {
        return px < py ? 1 : -1;
    }
    return x->bitrate < y->bitrate ? 1 : x->bitrate > y->bitrate ? -1 : strcmp(x->name, y->name);
}

static void default_ladder(int32_t height, struct sl_ladder_rung *out, size_t *count)
{
    static const struct {
        const char *name;
        int64_t height, bitrate;
    } lower[] = {{"720p", 720, 2500}, {"360p", 360, 800}};

    (void)snprintf(out[0].name, sizeof out[0].name, "original");
    *count = 1;
    for (size_t i = 0; i < sizeof lower / sizeof lower[0]; i++) {
        if (height > lower[i].height) {
            struct sl_ladder_rung *r = &out[(*count)++];
            (void)snprintf(r->name, sizeof r->name, "%s", lower[i].name);
            r->height = lower[i].height;
            r->bitrate = lower[i].bitrate;
        }
    }
}

/* Fills in what the user left open. */
static enum sl_status resolve(struct sl_ladder_rung *r, const struct sl_ladder_params *params,
                              int32_t width, int32_t height, struct sl_error *err)
{
    if (!r->height) {
        r->height = r->width ? sl_muldiv(r->width, height, width, SL_ROUND_NEAREST) : height;
    }
    if (r->height > height || r->width > width) {
        return sl_fail(err, SL_EINVAL, "rung",
                       "%s: %lld rows are more than the source's %dx%d; a rung never enlarges",
                       r->name[0] ? r->name : "unnamed", (long long)r->height, width, height);
    }
    if (!r->width) {
        /* half of the width, rounded, times two: the nearest even width */
        r->width = r->height == height
                       ? width
                       : 2 * sl_muldiv(r->height, width, 2 * (int64_t)height, SL_ROUND_NEAREST);
    }
    r->width = even_at_least_2(r->width);
    r->height = even_at_least_2(r->height);
    if (!r->name[0]) {
        (void)snprintf(r->name, sizeof r->name, "%lldp", (long long)r->height);
    }
    if (!r->bitrate) {
        r->bitrate = sl_ladder_bitrate((int32_t)r->width, (int32_t)r->height);
    }
    if (!r->maxrate) {
        r->maxrate = (r->bitrate * 3 + 1) / 2;
    }
    if (!r->buffer) {
        r->buffer = r->bitrate * 2;
    }
    if (r->maxrate < r->bitrate) {
        return sl_fail(err, SL_EINVAL, "rung", "%s: maxrate %lld is below bitrate %lld", r->name,
                       (long long)r->maxrate, (long long)r->bitrate);
    }
    if (!r->preset[0]) {
        (void)snprintf(r->preset, sizeof r->preset, "%s", params->preset);
    }
    return SL_OK;
}

enum sl_status sl_ladder_plan(const struct sl_ladder_params *params, int32_t width, int32_t height,
                              struct sl_ladder_rung out[SL_LADDER_RUNGS_MAX], size_t *count,
                              struct sl_error *err)
{
    memset(out, 0, sizeof *out * SL_LADDER_RUNGS_MAX);
    if (params->rung_count > 0) {
        *count = (size_t)params->rung_count;
        memcpy(out, params->rungs, *count * sizeof *out);
    } else {
        default_ladder(height, out, count);
    }
    for (size_t i = 0; i < *count; i++) {
        enum sl_status st = resolve(&out[i], params, width, height, err);
        if (st != SL_OK) {
            return st;
        }
    }
    for (size_t i = 0; i < *count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (!strcmp(out[i].name, out[k].name)) {
                return sl_fail(err, SL_EINVAL, "rung", "the name %s is used twice", out[i].name);
            }
        }
    }
    qsort(out, *count, sizeof *out, by_size);
    return SL_OK;
}
