/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/nal_config.h"

#include <string.h>

#include "base/error.h"

static bool holds(const struct sl_nal_set *set, const struct sl_nal *nal)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->units[i].size == nal->size &&
            memcmp(set->units[i].data, nal->data, nal->size) == 0) {
            return true;
        }
    }
    return false;
}

enum sl_status sl_nal_collect(const uint8_t *data, size_t size,
                              unsigned (*type_of)(const struct sl_nal *nal), unsigned type,
                              size_t max, struct sl_nal_set *out, struct sl_error *err)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;

    out->count = 0;
    while (sl_nal_next_annexb(&w, &nal)) {
        if (type_of(&nal) != type || holds(out, &nal)) {
            continue;
        }
        if (nal.size > UINT16_MAX) {
            return sl_fail(err, SL_EDATA, NULL,
                           "parameter set (NAL type %u) of %zu bytes (at most 65535)", type,
                           nal.size);
        }
        if (out->count == max) {
            return sl_fail(err, SL_EDATA, NULL,
                           "more than %zu different parameter sets of NAL type %u", max, type);
        }
        out->units[out->count++] = nal;
    }
    return SL_OK;
}

void sl_nal_set_write(const struct sl_nal_set *set, struct sl_writer *out)
{
    for (size_t i = 0; i < set->count; i++) {
        sl_write_be16(out, (unsigned)set->units[i].size);
        sl_write_bytes(out, set->units[i].data, set->units[i].size);
    }
}
