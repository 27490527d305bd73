/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings of an encoder: what the option table cannot check, and what they mean to a backend. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "pipeline/encoder_run.h"

#define SIDE_MAX 16384
#define HD_LINES 720

/* "4.1", "4", "1b" is not: nothing chooses it. 0: not a level. */
static int level_of(const char *text)
{
    struct sl_rational level;
    if (!sl_rational_parse(text, &level) || strchr(text, '/') || strchr(text, ':') ||
        level.den > 10 || 10 % level.den != 0) {
        return 0;
    }
    int64_t tens = level.num * (10 / level.den);
    return tens >= 10 && tens <= 99 ? (int)tens : 0;
}

static enum sl_status check_size(const char *key, const int32_t size[2], bool even,
                                 struct sl_error *err)
{
    if (size[0] < 2 || size[1] < 2 || size[0] > SIDE_MAX || size[1] > SIDE_MAX) {
        return sl_fail(err, SL_EINVAL, key, "%dx%d, expected sides of 2 to %d", size[0], size[1],
                       SIDE_MAX);
    }
    if (even && (size[0] % 2 != 0 || size[1] % 2 != 0)) {
        return sl_fail(err, SL_EINVAL, key, "%dx%d, expected even sides: 4:2:0 has no half samples",
                       size[0], size[1]);
    }
    return SL_OK;
}

static enum sl_status in_range(const char *key, int64_t value, int64_t min, int64_t max,
                               struct sl_error *err)
{
    return value >= min && value <= max
               ? SL_OK
               : sl_fail(err, SL_EINVAL, key, "%" PRId64 ", expected %" PRId64 " to %" PRId64,
                         value, min, max);
}

static enum sl_status check_numbers(const struct sl_encoder_params *p, struct sl_error *err)
{
    const struct {
        const char *key;
        int64_t value, min, max;
    } rows[] = {
        {"codec", p->codec, SL_ENCODER_H264, SL_ENCODER_HEVC},
        {"gop", p->gop, 0, INT32_MAX - 1},
        {"rate-control", p->rate_control, SL_RATE_AUTO, SL_RATE_CQP},
        {"bitrate", p->bitrate, 0, INT64_C(2000000000)},
        {"maxrate", p->maxrate, 0, INT64_C(2000000000)},
        {"buffer", p->buffer, 0, INT64_C(2000000000)},
        {"qp", p->qp, 0, 51},
        {"latency", p->latency, SL_LATENCY_SYNC, SL_LATENCY_LOOKAHEAD},
        {"depth", p->depth, 1, 16},
        {"bframes", p->bframes, -1, 16},
        {"colour", p->colour, SL_COLOUR_AUTO, SL_COLOUR_BT2020},
        {"range", p->range, SL_RANGE_UNSPECIFIED, SL_RANGE_FULL},
        {"primaries", p->primaries, 1, 255},
        {"transfer", p->transfer, 1, 255},
        {"matrix", p->matrix, 1, 255},
        {"chroma-location", p->chroma_location, 0, 6},
        {"threads", p->threads, 0, 128},
        {"gpu", p->gpu, 0, 63},
        {"extra-output-delay", p->extra_output_delay, 0, 16},
    };
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && status == SL_OK; i++) {
        status = in_range(rows[i].key, rows[i].value, rows[i].min, rows[i].max, err);
    }
    return status;
}

static bool is_444(const struct sl_encoder_params *p)
{
    return p->codec == SL_ENCODER_H264 && strcmp(p->profile, "high444") == 0;
}

static enum sl_status check_profile(const struct sl_encoder_params *p, struct sl_error *err)
{
    static const char *const names[][6] = {
        {"baseline", "main", "high", "high10", "high444", NULL},
        {"main", "main10", NULL},
    };
    const char *const *name = names[p->codec];
    while (p->profile[0] && *name && strcmp(*name, p->profile) != 0) {
        name++;
    }
    if (!*name) {
        return sl_fail(err, SL_EINVAL, "profile", "\"%s\", expected %s", p->profile,
                       p->codec == SL_ENCODER_HEVC ? "main or main10"
                                                   : "baseline, main, high, high10 or high444");
    }
    return SL_OK;
}

static enum sl_status check_rates(const struct sl_encoder_params *p, struct sl_error *err)
{
    if (!sl_rational_valid(p->rate)) {
        return sl_fail(err, SL_EINVAL, "rate", "%" PRId64 "/%" PRId64 ", expected above 0",
                       p->rate.num, p->rate.den);
    }
    if (p->timebase.num != 0 && !sl_rational_valid(p->timebase)) {
        return sl_fail(err, SL_EINVAL, "timebase", "%" PRId64 "/%" PRId64 ", expected above 0",
                       p->timebase.num, p->timebase.den);
    }
    bool bits = p->rate_control == SL_RATE_VBR || p->rate_control == SL_RATE_CBR;
    if (bits && p->bitrate <= 0) {
        return sl_fail(err, SL_EINVAL, "bitrate", "%s needs one",
                       p->rate_control == SL_RATE_CBR ? "cbr" : "vbr");
    }
    if (p->bitrate > 0 && !bits && p->rate_control != SL_RATE_AUTO) {
        return sl_fail(err, SL_EINVAL, "bitrate", "contradicts %s",
                       p->rate_control == SL_RATE_CRF ? "crf" : "cqp");
    }
    if (p->rate_control == SL_RATE_CBR && p->maxrate > 0 && p->maxrate != p->bitrate) {
        return sl_fail(err, SL_EINVAL, "maxrate", "is the bitrate in cbr");
    }
    if (p->maxrate > 0 && p->bitrate > p->maxrate) {
        return sl_fail(err, SL_EINVAL, "maxrate", "%" PRId64 " is below the bitrate, %" PRId64,
                       p->maxrate, p->bitrate);
    }
    if (p->crf.num != 0 && (p->crf.den <= 0 || p->crf.num < p->crf.den ||
                            sl_rational_compare(p->crf, sl_rational(51, 1)) > 0)) {
        return sl_fail(err, SL_EINVAL, "crf", "%" PRId64 "/%" PRId64 ", expected 1 to 51",
                       p->crf.num, p->crf.den);
    }
    return SL_OK;
}

static struct sl_colour colour_of(const struct sl_encoder_params *p)
{
    static const struct sl_colour named[] = {
        [SL_COLOUR_BT601] = {6, 6, 6, SL_RANGE_LIMITED, 0},
        [SL_COLOUR_BT709] = {1, 1, 1, SL_RANGE_LIMITED, 0},
        [SL_COLOUR_BT2020] = {9, 14, 9, SL_RANGE_LIMITED, 0},
    };
    int which = p->colour != SL_COLOUR_AUTO ? p->colour
                : p->size[1] >= HD_LINES    ? SL_COLOUR_BT709
                                            : SL_COLOUR_BT601;
    struct sl_colour c = named[which];
    c.primaries = p->primaries != 2 ? (uint8_t)p->primaries : c.primaries;
    c.transfer = p->transfer != 2 ? (uint8_t)p->transfer : c.transfer;
    c.matrix = p->matrix != 2 ? (uint8_t)p->matrix : c.matrix;
    c.range = p->range == SL_RANGE_FULL ? SL_RANGE_FULL : SL_RANGE_LIMITED;
    c.chroma_location = (uint8_t)p->chroma_location;
    return c;
}

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static enum sl_rate_control rate_of(const struct sl_encoder_params *p)
{
    if (p->rate_control != SL_RATE_AUTO) {
        return (enum sl_rate_control)p->rate_control;
    }
    return p->bitrate > 0 ? SL_RATE_VBR : SL_RATE_CRF;
}

enum sl_status sl_encoder_take_params(struct sl_encoder *e, const struct sl_encoder_params *given,
                                      struct sl_error *err)
{
    const struct sl_encoder_params *p = given;
    enum sl_status status = check_numbers(p, err);
    if (status == SL_OK) {
        status = check_profile(p, err);
    }
    if (status == SL_OK) {
        status = check_size("size", p->size, !is_444(p), err);
    }
    if (status == SL_OK && (p->max_size[0] != 0 || p->max_size[1] != 0)) {
        status = check_size("max-size", p->max_size, !is_444(p), err);
        if (status == SL_OK && (p->max_size[0] < p->size[0] || p->max_size[1] < p->size[1])) {
            status = sl_fail(err, SL_EINVAL, "max-size", "%dx%d is below the size, %dx%d",
                             p->max_size[0], p->max_size[1], p->size[0], p->size[1]);
        }
    }
    if (status == SL_OK) {
        status = check_rates(p, err);
    }
    int level = p->level[0] ? level_of(p->level) : 0;
    if (status == SL_OK && p->level[0] && !level) {
        status = sl_fail(err, SL_EINVAL, "level", "\"%s\", expected one as in \"4.1\"", p->level);
    }
    if (status != SL_OK) {
        return status;
    }
    e->params = *given;
    p = &e->params;
    e->codec = p->codec == SL_ENCODER_HEVC ? SL_CODEC_HEVC : SL_CODEC_H264;
    struct sl_rational frame = sl_rational(p->rate.den, p->rate.num);
    struct sl_rational tick = p->timebase.num ? p->timebase : sl_rational_reduce(frame);
    e->frame_ticks = sl_rescale(1, frame, tick, SL_ROUND_NEAREST);
    e->frame_ticks = e->frame_ticks < 1 ? 1 : e->frame_ticks;
    e->encode = (struct sl_encode_params){
        .log = e->log,
        .timebase = tick,
        .threads = (int)p->threads,
        .width = p->size[0],
        .height = p->size[1],
        .max_width = p->max_size[0],
        .max_height = p->max_size[1],
        .frame_rate = p->rate,
        .sample_aspect = p->sample_aspect,
        .colour = colour_of(p),
        .preset = text_or_null(p->preset),
        .tune = text_or_null(p->tune),
        .profile = text_or_null(p->profile),
        .level = level,
        .rate = rate_of(p),
        .bitrate = p->bitrate,
        .maxrate = p->maxrate,
        .buffer = p->buffer,
        .crf = p->crf.num ? p->crf : sl_rational(0, 0),
        .qp = (int)p->qp,
        .latency = (enum sl_encoder_latency)p->latency,
        .depth = (int)p->depth,
        .gop = p->gop,
        .bframes = (int)p->bframes,
        .intra_refresh = p->intra_refresh != 0,
        .loss_recovery = p->loss_recovery != 0,
        .gpu = (int)p->gpu,
        .cuda_context = p->cuda_context,
        .extra_delay = (int)p->extra_output_delay,
        .nvtx = p->nvtx != 0,
    };
    return SL_OK;
}
