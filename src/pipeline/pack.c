/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/pack.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

struct shown {
    int64_t pts;
    uint32_t sample;
};

static int by_time(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    if (x->pts != y->pts) {
        return x->pts < y->pts ? -1 : 1;
    }
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

uint32_t *sl_layered_display_order(const struct sl_layered *l)
{
    struct shown *shown = sl_alloc_array(l->count, sizeof *shown);
    uint32_t *order = sl_alloc_array(l->count, sizeof *order);
    if (!shown || !order) {
        sl_free(order);
        order = NULL;
        goto out;
    }
    for (size_t i = 0; i < l->count; i++) {
        shown[i] = (struct shown){l->samples[i].pts, (uint32_t)i};
    }
    qsort(shown, l->count, sizeof *shown, by_time);
    for (size_t i = 0; i < l->count; i++) {
        order[i] = shown[i].sample;
    }
out:
    sl_free(shown);
    return order;
}

enum sl_status sl_pack_execute(const struct sl_pack_params *params, const struct sl_log *log,
                               struct sl_error *err)
{
    struct sl_layered l = {0};
    bool binary = params->index_format == SL_PACK_BINARY;
    char *index = params->index[0] ? sl_strdup(params->index)
                                   : sl_format("%s.%s", params->output, binary ? "idx" : "jsonl");
    enum sl_status status = SL_OK;
    (void)log;
    if (!index) {
        return sl_fail_memory(err);
    }
    status = sl_layered_open(&l, params->input, params->metadata, err);
    status = status ? status : sl_layered_find_refs(&l, err);
    status = status ? status : sl_layered_write_mp4(&l, params->layout, params->output, err);
    if (!status) {
        status = binary ? sl_layered_write_binary(&l, params->layout, index, err)
                        : sl_layered_write_ranges(&l, params->layout, index, err);
    }
    sl_layered_clear(&l);
    sl_free(index);
    return status;
}
