/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/track.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "media/colour.h"

void sl_track_init(struct sl_track *t)
{
    memset(t, 0, sizeof *t);
    t->timebase = (struct sl_rational){0, 1};
    t->start = SL_NO_TIME;
    t->duration = SL_NO_TIME;
    t->sample_aspect = (struct sl_rational){0, 1};
    t->frame_rate = (struct sl_rational){0, 1};
    t->reorder = -1;
    t->colour = sl_colour_unspecified();
    t->profile = -1;
    t->level = -1;
}

void sl_track_clear(struct sl_track *t)
{
    sl_free(t->config);
    sl_track_init(t);
}

enum sl_status sl_track_copy(struct sl_track *dst, const struct sl_track *src, struct sl_error *err)
{
    struct sl_track copy = *src;
    copy.config = NULL;
    copy.config_size = 0;
    enum sl_status status = sl_track_set_config(&copy, src->config, src->config_size, err);
    if (status == SL_OK) {
        *dst = copy;
    }
    return status;
}

enum sl_status sl_track_set_config(struct sl_track *t, const void *data, size_t size,
                                   struct sl_error *err)
{
    uint8_t *copy = NULL;
    if (size > 0) {
        copy = sl_alloc(size);
        if (!copy) {
            return sl_fail_memory(err);
        }
        memcpy(copy, data, size);
    }
    /* Only now, since data may point into the old config. */
    sl_free(t->config);
    t->config = copy;
    t->config_size = size;
    return SL_OK;
}
