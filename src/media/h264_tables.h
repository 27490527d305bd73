/* SPDX-License-Identifier: BSD-2-Clause */
/* What reading and writing an H.264 SPS share. Private to this folder. */
#ifndef SL_MEDIA_H264_TABLES_H
#define SL_MEDIA_H264_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Profiles whose SPS states chroma format, bit depth and scaling matrices (7.3.2.1.1). */
bool sl_h264_profile_has_chroma(unsigned profile_idc);

/* The list that stands for list i (0 to 5: 4x4, 6 to 11: 8x8) where it says "default"
 * (tables 7-3 and 7-4), in coding order. */
const uint8_t *sl_h264_default_list(unsigned i);

/* MaxDpbMbs of table A-1; 0: the level is not known. */
uint32_t sl_h264_max_dpb_mbs(unsigned level_idc);

#endif
