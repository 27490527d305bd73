/* SPDX-License-Identifier: BSD-2-Clause */
/* Tracks and packets made by hand: real decoder configurations, payloads of no meaning. */
#ifndef SL_TEST_MADE_H
#define SL_TEST_MADE_H

#include <sluice/media.h>

#include "media/packet.h"

/* 320x180, x264's and x265's; 25 frames a second, no reorder delay. sl_track_clear them. SL_ENOMEM
 * is possible where a test makes allocations fail. */
SL_NODISCARD enum sl_status made_h264(struct sl_track *t);
SL_NODISCARD enum sl_status made_hevc(struct sl_track *t);
SL_NODISCARD enum sl_status made_aac(struct sl_track *t); /* 48 kHz stereo, 1024 of priming */
/* Its parameter sets: SPS, PPS (HEVC: VPS, SPS, PPS) at index 0, 1 (, 2). */
const uint8_t *made_set(const struct sl_track *t, unsigned index, size_t *size);

/* dts == pts unless changed afterwards. */
SL_NODISCARD enum sl_status made_packet(struct sl_packet **out, uint32_t track, int64_t pts,
                                        int64_t duration, const void *data, size_t size);

#endif
