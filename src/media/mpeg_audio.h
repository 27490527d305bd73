/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers of MPEG-1 and MPEG-2 audio frames, layers I to III: ISO/IEC 11172-3 2.4.1.3,
 * ISO/IEC 13818-3 2.4.1. */
#ifndef SL_MEDIA_MPEG_AUDIO_H
#define SL_MEDIA_MPEG_AUDIO_H

#include <stdbool.h>

#include "base/bytes.h"

#define SL_MPEG_AUDIO_HEADER 4

struct sl_mpeg_audio {
    uint8_t version;      /* 1; 2: half the rates; 3 stands for "2.5": a quarter */
    uint8_t layer;        /* 1 to 3 */
    uint8_t channels;     /* 1 or 2 */
    uint32_t sample_rate; /* Hz */
    uint32_t bit_rate;    /* bit/s, 0: free format */
    uint16_t samples;     /* in one frame */
    uint32_t frame_size;  /* bytes, header included; 0: free format */
};

/* SL_EDATA where the bytes are no header. */
SL_NODISCARD enum sl_status sl_mpeg_audio_parse(const uint8_t *data, size_t size,
                                                struct sl_mpeg_audio *out, struct sl_error *err);

#endif
