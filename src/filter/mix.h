/* SPDX-License-Identifier: BSD-2-Clause */
/* From one set of loudspeakers to another (docs/sound.md). */
#ifndef SL_FILTER_MIX_H
#define SL_FILTER_MIX_H

#include <stdbool.h>
#include <stdint.h>

#define SL_MIX_CHANNELS 8

/* WAVEFORMATEXTENSIBLE bits; channels of a frame come in the order of the bits. */
enum {
    SL_SPEAKER_FL = 0x1,
    SL_SPEAKER_FR = 0x2,
    SL_SPEAKER_FC = 0x4,
    SL_SPEAKER_LFE = 0x8,
    SL_SPEAKER_BL = 0x10,
    SL_SPEAKER_BR = 0x20,
    SL_SPEAKER_FLC = 0x40,
    SL_SPEAKER_FRC = 0x80,
    SL_SPEAKER_BC = 0x100,
    SL_SPEAKER_SL = 0x200,
    SL_SPEAKER_SR = 0x400,
    SL_SPEAKER_TC = 0x800,
    SL_SPEAKER_TFL = 0x1000,
    SL_SPEAKER_TFC = 0x2000,
    SL_SPEAKER_TFR = 0x4000,
    SL_SPEAKER_TBL = 0x8000,
    SL_SPEAKER_TBC = 0x10000,
    SL_SPEAKER_TBR = 0x20000,
};

struct sl_mix {
    int32_t in_channels, out_channels;
    bool copies; /* every output channel is the input channel of the same number */
    float gain[SL_MIX_CHANNELS][SL_MIX_CHANNELS]; /* [out][in] */
};

/* The usual layout of so many channels (1 to 8), as AAC's channel configurations have them. */
uint64_t sl_mix_default_layout(int32_t channels);
/* Layouts that do not have the stated number of channels are taken as the usual one. */
void sl_mix_init(struct sl_mix *m, int32_t in_channels, uint64_t in_layout, int32_t out_channels,
                 uint64_t out_layout);
/* in + from … in + from + count of each input channel to out. What is not a number, or absurdly
 * loud (damaged input), becomes silence. */
void sl_mix_run(const struct sl_mix *m, const float *const *in, int32_t from, int32_t count,
                float *const *out);

#endif
