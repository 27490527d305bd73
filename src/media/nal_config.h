/* SPDX-License-Identifier: BSD-2-Clause */
/* What making avcC and hvcC share. Private to this folder. */
#ifndef SL_MEDIA_NAL_CONFIG_H
#define SL_MEDIA_NAL_CONFIG_H

#include "media/h264.h"

/* The different units of one type in Annex B data, in order; repeats are passed over. */
struct sl_nal_set {
    struct sl_nal units[SL_PARAMETER_SETS_MAX];
    size_t count;
};

/* type_of tells the type of a unit. SL_EDATA where there are more than max, or one is longer than
 * 16 bits can say. */
SL_NODISCARD enum sl_status sl_nal_collect(const uint8_t *data, size_t size,
                                           unsigned (*type_of)(const struct sl_nal *nal),
                                           unsigned type, size_t max, struct sl_nal_set *out,
                                           struct sl_error *err);
/* Each unit with its 16-bit size. */
void sl_nal_set_write(const struct sl_nal_set *set, struct sl_writer *out);

#endif
