/* SPDX-License-Identifier: BSD-2-Clause */
/* VUI of an HEVC SPS. Private to this folder. */
#ifndef SL_MEDIA_HEVC_VUI_H
#define SL_MEDIA_HEVC_VUI_H

#include "media/hevc.h"
#include "media/parameter_set.h"

/* E.2.1: vui_parameters(). s->max_sub_layers must be set. */
void sl_hevc_read_vui(struct sl_ps_reader *p, struct sl_hevc_sps *s);

#endif
