/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/ladder.h"

#include <sluice/ladder.h>

#include "api/params.h"
#include "base/error.h"
#include "base/rational.h"
#include "pipeline/ladder_plan.h"

static const char *const formats[] = {"fmp4", "ts", NULL};

static enum sl_status add_rung(void *params, const char *value, struct sl_error *err)
{
    struct sl_ladder_params *p = params;
    if (p->rung_count >= SL_LADDER_RUNGS_MAX) {
        return sl_fail(err, SL_EINVAL, "rung", "more than %d rungs", SL_LADDER_RUNGS_MAX);
    }
    enum sl_status st = sl_ladder_rung_parse(value, &p->rungs[p->rung_count], err);
    if (st == SL_OK) {
        p->rung_count++;
    }
    return st;
}

#define AT(field) offsetof(struct sl_ladder_params, field)
#define TEXT(name, field, unit, words)                                                             \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_STRING, .offset = AT(field),                              \
        .capacity = sizeof(((struct sl_ladder_params *)0)->field), .metavar = (unit),              \
        .help = (words)                                                                            \
    }

static const struct sl_option table[] = {
    {.key = "output",
     .type = SL_OPTION_STRING,
     .offset = AT(output),
     .capacity = SL_PATH_MAX,
     .metavar = "DIR",
     .help = "directory for the ladder (required; -o)"},
    {.key = "format",
     .type = SL_OPTION_ENUM,
     .offset = AT(format),
     .choices = formats,
     .value_default = "fmp4",
     .metavar = "fmp4|ts",
     .help = "segments: CMAF with sound of its own, or MPEG-TS with sound muxed in"},
    {.key = "rung",
     .type = SL_OPTION_LIST,
     .add = add_rung,
     .metavar = "KEY=VALUE,…",
     .help = "a rendition: name, height, width, bitrate, maxrate, buffer (kbit), preset; may be "
             "repeated. Without: original, 720p and 360p as far as they are smaller"},
    {.key = "segment",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(segment),
     .min = 1,
     .max = 60,
     .value_default = "4",
     .metavar = "SECONDS",
     .help = "length of a segment"},
    {.key = "preset",
     .type = SL_OPTION_STRING,
     .offset = AT(preset),
     .capacity = sizeof(((struct sl_ladder_params *)0)->preset),
     .value_default = "veryfast",
     .metavar = "PRESET",
     .help = "x264 preset for rungs that name none"},
    {.key = "threads",
     .type = SL_OPTION_INT,
     .offset = AT(threads),
     .min = 0,
     .max = 1024,
     .value_default = "0",
     .metavar = "N",
     .help = "encoding threads, all rungs together; 0: one per processor"},
    TEXT("audio", audio, "FILE", "sound from this file; the run ends with the shorter of the two"),
    {.key = "no-audio", .type = SL_OPTION_BOOL, .offset = AT(no_audio), .help = "leave sound out"},
    {.key = "audio-bitrate",
     .type = SL_OPTION_INT,
     .offset = AT(audio_bitrate),
     .min = 16,
     .max = 1024,
     .value_default = "128",
     .metavar = "KBIT/S",
     .help = "bitrate of the sound"},
    {.key = "audio-channels",
     .type = SL_OPTION_INT,
     .offset = AT(audio_channels),
     .min = 1,
     .max = 6,
     .value_default = "2",
     .metavar = "1|2|6",
     .help = "channels of the sound; wider sources are mixed down"},
    {.key = "audio-rate",
     .type = SL_OPTION_INT,
     .offset = AT(audio_rate),
     .min = 8000,
     .max = 96000,
     .value_default = "48000",
     .metavar = "HZ",
     .help = "sample rate of the sound"},
    {.key = "video-track",
     .type = SL_OPTION_INT,
     .offset = AT(video_track),
     .min = -1,
     .max = 63,
     .value_default = "-1",
     .metavar = "N",
     .help = "picture track, as `sluice probe` counts; -1: the largest"},
    {.key = "audio-track",
     .type = SL_OPTION_INT,
     .offset = AT(audio_track),
     .min = -1,
     .max = 63,
     .value_default = "-1",
     .metavar = "N",
     .help = "sound track; -1: the default one, else the one with most channels"},
    TEXT("raw", raw, "FORMAT", "input is raw frames: rgb24, rgba, bgra, nv12, yuv420p, yuv444p …"),
    {.key = "size",
     .type = SL_OPTION_SIZE,
     .offset = AT(size),
     .min = 1,
     .max = 16384,
     .metavar = "WxH",
     .help = "of raw frames"},
    {.key = "rate",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(rate),
     .min = 0,
     .max = 1000,
     .metavar = "N/D",
     .help = "of raw frames, per second"},
    {.key = "overwrite",
     .type = SL_OPTION_BOOL,
     .offset = AT(overwrite),
     .help = "replace a ladder that is in the directory"},
    {.key = NULL},
};

const struct sl_option *sl_ladder_options(void)
{
    return table;
}

enum sl_status sl_ladder_params_default(struct sl_ladder_params *params, uint32_t size,
                                        struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

enum sl_status sl_ladder_open(struct sl_ladder **out, const struct sl_ladder_params *params,
                              const struct sl_ladder_events *events, const struct sl_log *log,
                              struct sl_error *err)
{
    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_ladder_params_default", err);
    if (status != SL_OK) {
        return status;
    }
    *out = NULL;
    if (!params->input[0]) {
        return sl_fail(err, SL_EINVAL, "input", "no input is named");
    }
    if (!params->output[0]) {
        return sl_fail(err, SL_EINVAL, "output", "no output directory is named");
    }
    if (!sl_rational_valid(params->segment)) {
        return sl_fail(err, SL_EINVAL, "segment", "the length must be positive");
    }
    if (params->audio_channels != 1 && params->audio_channels != 2 && params->audio_channels != 6) {
        return sl_fail(err, SL_EINVAL, "audio-channels", "%lld is not allowed (1, 2 or 6)",
                       (long long)params->audio_channels);
    }
    if (params->rung_count < 0 || params->rung_count > SL_LADDER_RUNGS_MAX) {
        return sl_fail(err, SL_EINVAL, "rung", "%d rungs (0 to %d)", params->rung_count,
                       SL_LADDER_RUNGS_MAX);
    }
    if (params->no_audio && params->audio[0]) {
        return sl_fail(err, SL_EINVAL, "no-audio", "contradicts --audio");
    }
    return sl_ladder_create(out, params, events, log, err);
}

enum sl_status sl_ladder_run(struct sl_ladder *ladder, struct sl_error *err)
{
    if (!ladder) {
        return sl_fail(err, SL_EINVAL, "ladder", "NULL");
    }
    return sl_ladder_execute(ladder, err);
}

void sl_ladder_stop(struct sl_ladder *ladder)
{
    if (ladder) {
        sl_ladder_request_stop(ladder);
    }
}

void sl_ladder_destroy(struct sl_ladder **ladder)
{
    sl_ladder_free(ladder);
}
