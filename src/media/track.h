/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_MEDIA_TRACK_H
#define SL_MEDIA_TRACK_H

#include <sluice/media.h>

/* Everything unknown: timebase 0/1, times SL_NO_TIME, profile, level and reorder -1, colour 2. */
void sl_track_init(struct sl_track *t);
/* Frees what the track owns and initialises it again. */
void sl_track_clear(struct sl_track *t);
/* A deep copy; dst must be initialised or cleared. */
SL_NODISCARD enum sl_status sl_track_copy(struct sl_track *dst, const struct sl_track *src,
                                          struct sl_error *err);
/* Replaces the config by a copy of these bytes. */
SL_NODISCARD enum sl_status sl_track_set_config(struct sl_track *t, const void *data, size_t size,
                                                struct sl_error *err);

#endif
