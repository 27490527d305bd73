/* SPDX-License-Identifier: BSD-2-Clause */
/* Forced IDR pictures and changes of settings, each from a picture of a given number on. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/encode_file_run.h"

static bool is_idr(const struct sl_encode_file_change *c)
{
    return strcmp(c->key, "idr") == 0;
}

/* The size is the input's, and times come from the input's rate: those two stay. */
static enum sl_status set(const struct sl_encode_file_change *c, struct sl_encoder_params *params,
                          struct sl_error *err)
{
    static const char *const keys[] = {"bitrate", "maxrate", "buffer", "crf", "qp"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i], c->key) == 0) {
            return sl_options_set(sl_encoder_options(), params, c->key, c->value, err);
        }
    }
    return sl_fail(err, SL_EINVAL, "change",
                   "\"%.15s\" cannot change (bitrate, maxrate, buffer, crf, qp or idr)", c->key);
}

/* By picture; those of one picture stay in order. Merges runs of doubling length. */
static enum sl_status sort(struct sl_encode_file_change *items, size_t count, struct sl_error *err)
{
    struct sl_encode_file_change *spare = sl_alloc_array(count, sizeof *spare);
    if (!spare) {
        return sl_fail_memory(err);
    }
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t middle = at + run < count ? at + run : count;
            size_t end = at + 2 * run < count ? at + 2 * run : count;
            size_t a = at, b = middle;
            for (size_t i = at; i < end; i++) {
                bool first = a < middle && (b == end || items[a].picture <= items[b].picture);
                spare[i] = first ? items[a++] : items[b++];
            }
        }
        memcpy(items, spare, count * sizeof *items);
    }
    sl_free(spare);
    return SL_OK;
}

enum sl_status sl_encode_changes_open(struct sl_encode_changes *c,
                                      const struct sl_encode_file_params *params,
                                      const struct sl_encoder_params *encoder, struct sl_error *err)
{
    if (params->change_count == 0) {
        return SL_OK;
    }
    if (params->change_count > SL_ENCODE_FILE_CHANGES_MAX) {
        return sl_fail(err, SL_EINVAL, "change", "%zu of them, expected %d or fewer",
                       params->change_count, SL_ENCODE_FILE_CHANGES_MAX);
    }
    c->items = sl_alloc_array(params->change_count, sizeof *c->items);
    if (!c->items) {
        return sl_fail_memory(err);
    }
    c->count = params->change_count;
    memcpy(c->items, params->changes, c->count * sizeof *c->items);
    struct sl_encoder_params scratch = *encoder;
    for (size_t i = 0; i < c->count; i++) {
        struct sl_encode_file_change *item = &c->items[i];
        item->key[sizeof item->key - 1] = '\0';
        item->value[sizeof item->value - 1] = '\0';
        if (item->picture < 0) {
            return sl_fail(err, SL_EINVAL, "change", "picture %" PRId64 ", expected 0 or more",
                           item->picture);
        }
        enum sl_status status = is_idr(item) ? SL_OK : set(item, &scratch, err);
        if (status != SL_OK) {
            return status;
        }
    }
    return sort(c->items, c->count, err);
}

enum sl_status sl_encode_changes_apply(struct sl_encode_changes *c, int64_t picture,
                                       struct sl_encoder *encoder, struct sl_encoder_params *params,
                                       bool *idr, struct sl_error *err)
{
    struct sl_encoder_params changed = *params;
    bool settings = false;
    *idr = false;
    for (; c->next < c->count && c->items[c->next].picture == picture; c->next++) {
        const struct sl_encode_file_change *item = &c->items[c->next];
        if (is_idr(item)) {
            *idr = true;
            continue;
        }
        enum sl_status status = set(item, &changed, err);
        if (status != SL_OK) {
            return status;
        }
        settings = true;
    }
    if (!settings) {
        return SL_OK;
    }
    enum sl_status status = sl_encoder_change(encoder, &changed, NULL, err);
    if (status == SL_OK) {
        *params = changed;
    }
    return status;
}

void sl_encode_changes_clear(struct sl_encode_changes *c)
{
    sl_free(c->items);
    *c = (struct sl_encode_changes){0};
}
