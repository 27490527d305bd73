/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/mix.h"

#include <stddef.h>
#include <string.h>

#define SPEAKERS   18
#define ROUTES     4
#define HALF_POWER 0.70710678f /* -3 dB: two of these are as loud as one */
#define LOUDEST    100.0f      /* full scale is 1; no real mix gets near this */

/* Where the sound of a speaker goes that the other side does not have: the first route whose
 * speakers are all there. ITU-R BS.775-3 annex 4, table 2, continued in its spirit to the layouts
 * that it does not name. Every list ends with what mono and stereo have. LFE is dropped, as BS.775
 * allows and everybody does. */
struct route {
    uint32_t speaker;
    struct {
        uint32_t to;
        float gain;
    } route[ROUTES];
};

#define STEREO (SL_SPEAKER_FL | SL_SPEAKER_FR)
#define BACKS  (SL_SPEAKER_BL | SL_SPEAKER_BR)
#define SIDES  (SL_SPEAKER_SL | SL_SPEAKER_SR)

static const struct route routes[] = {
    {SL_SPEAKER_FL, {{SL_SPEAKER_FC, HALF_POWER}}},
    {SL_SPEAKER_FR, {{SL_SPEAKER_FC, HALF_POWER}}},
    {SL_SPEAKER_FC, {{STEREO, HALF_POWER}}},
    {SL_SPEAKER_BL, {{SL_SPEAKER_SL, 1}, {SL_SPEAKER_FL, HALF_POWER}, {SL_SPEAKER_FC, 0.5f}}},
    {SL_SPEAKER_BR, {{SL_SPEAKER_SR, 1}, {SL_SPEAKER_FR, HALF_POWER}, {SL_SPEAKER_FC, 0.5f}}},
    {SL_SPEAKER_SL, {{SL_SPEAKER_BL, 1}, {SL_SPEAKER_FL, HALF_POWER}, {SL_SPEAKER_FC, 0.5f}}},
    {SL_SPEAKER_SR, {{SL_SPEAKER_BR, 1}, {SL_SPEAKER_FR, HALF_POWER}, {SL_SPEAKER_FC, 0.5f}}},
    {SL_SPEAKER_FLC, {{SL_SPEAKER_FL, 1}, {SL_SPEAKER_FC, HALF_POWER}}},
    {SL_SPEAKER_FRC, {{SL_SPEAKER_FR, 1}, {SL_SPEAKER_FC, HALF_POWER}}},
    {SL_SPEAKER_BC,
     {{BACKS, HALF_POWER}, {SIDES, HALF_POWER}, {STEREO, 0.5f}, {SL_SPEAKER_FC, HALF_POWER}}},
    {SL_SPEAKER_TC, {{STEREO, 0.5f}, {SL_SPEAKER_FC, HALF_POWER}}},
    {SL_SPEAKER_TFC, {{SL_SPEAKER_FC, HALF_POWER}, {STEREO, 0.5f}}},
    {SL_SPEAKER_TFL, {{SL_SPEAKER_FL, HALF_POWER}, {SL_SPEAKER_FC, 0.5f}}},
    {SL_SPEAKER_TFR, {{SL_SPEAKER_FR, HALF_POWER}, {SL_SPEAKER_FC, 0.5f}}},
    {SL_SPEAKER_TBL,
     {{SL_SPEAKER_BL, 1}, {SL_SPEAKER_SL, 1}, {SL_SPEAKER_FL, 0.5f}, {SL_SPEAKER_FC, 0.35f}}},
    {SL_SPEAKER_TBR,
     {{SL_SPEAKER_BR, 1}, {SL_SPEAKER_SR, 1}, {SL_SPEAKER_FR, 0.5f}, {SL_SPEAKER_FC, 0.35f}}},
    {SL_SPEAKER_TBC,
     {{BACKS, HALF_POWER}, {SIDES, HALF_POWER}, {STEREO, 0.5f}, {SL_SPEAKER_FC, HALF_POWER}}},
};

static int32_t count_bits(uint64_t v)
{
    int32_t n = 0;
    for (; v != 0; v &= v - 1) {
        n++;
    }
    return n;
}

uint64_t sl_mix_default_layout(int32_t channels)
{
    /* ISO/IEC 14496-3 table 1.19, with the rear pair of 5.1 as "back" */
    static const uint64_t usual[SL_MIX_CHANNELS + 1] = {0,    0x4,  0x3,   0x7,  0x107,
                                                        0x37, 0x3f, 0x70f, 0x63f};
    return channels >= 1 && channels <= SL_MIX_CHANNELS ? usual[channels] : 0;
}

/* The channel that carries a speaker: how many speakers come before it. */
static int32_t channel_of(uint64_t layout, uint64_t speaker)
{
    return count_bits(layout & (speaker - 1));
}

static void add(struct sl_mix *m, uint64_t out_layout, uint64_t to, int32_t in, float gain)
{
    for (uint64_t bit = 1; bit <= to; bit <<= 1) {
        if (to & bit) {
            m->gain[channel_of(out_layout, bit)][in] += gain;
        }
    }
}

static void route(struct sl_mix *m, uint64_t out_layout, uint64_t speaker, int32_t in)
{
    if (out_layout & speaker) {
        add(m, out_layout, speaker, in, 1);
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (routes[i].speaker != speaker) {
            continue;
        }
        for (int k = 0; k < ROUTES && routes[i].route[k].to != 0; k++) {
            uint64_t to = routes[i].route[k].to;
            if ((out_layout & to) == to) {
                add(m, out_layout, to, in, routes[i].route[k].gain);
                return;
            }
        }
    }
}

/* No output may exceed full scale when every input is at full scale. One factor for all, so that
 * the balance stays. */
static void normalise(struct sl_mix *m)
{
    float most = 0;
    for (int o = 0; o < m->out_channels; o++) {
        float sum = 0;
        for (int i = 0; i < m->in_channels; i++) {
            sum += m->gain[o][i];
        }
        if (sum > most) {
            most = sum;
        }
    }
    if (most <= 1) {
        return;
    }
    for (int o = 0; o < m->out_channels; o++) {
        for (int i = 0; i < m->in_channels; i++) {
            m->gain[o][i] /= most;
        }
    }
}

void sl_mix_init(struct sl_mix *m, int32_t in_channels, uint64_t in_layout, int32_t out_channels,
                 uint64_t out_layout)
{
    *m = (struct sl_mix){.in_channels = in_channels, .out_channels = out_channels};
    if (count_bits(in_layout) != in_channels) {
        in_layout = sl_mix_default_layout(in_channels);
    }
    if (count_bits(out_layout) != out_channels) {
        out_layout = sl_mix_default_layout(out_channels);
    }
    if (in_layout == out_layout) {
        m->copies = true;
        return;
    }
    if (in_channels == 1 && (out_layout & STEREO) == STEREO && !(out_layout & SL_SPEAKER_FC)) {
        /* One channel heard from two speakers: at full level, as everybody expects of mono. */
        add(m, out_layout, STEREO, 0, 1);
        return;
    }
    uint64_t left = in_layout;
    for (int32_t in = 0; in < in_channels; in++, left &= left - 1) {
        route(m, out_layout, left & (~left + 1), in);
    }
    normalise(m);
}

static float sane(float v)
{
    return v >= -LOUDEST && v <= LOUDEST ? v : 0; /* false for what is not a number */
}

void sl_mix_run(const struct sl_mix *m, const float *const *in, int32_t from, int32_t count,
                float *const *out)
{
    for (int o = 0; o < m->out_channels; o++) {
        float *to = out[o];
        if (m->copies) {
            for (int32_t k = 0; k < count; k++) {
                to[k] = sane(in[o][from + k]);
            }
            continue;
        }
        memset(to, 0, (size_t)count * sizeof *to);
        for (int i = 0; i < m->in_channels; i++) {
            float gain = m->gain[o][i];
            const float *src = in[i] + from;
            if (gain == 0) {
                continue;
            }
            for (int32_t k = 0; k < count; k++) {
                to[k] += gain * sane(src[k]);
            }
        }
    }
}
