/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/remux.h"

#include <stddef.h>

#include "api/params.h"
#include "base/error.h"
#include "base/rational.h"

static const char *const video_ways[] = {"auto", "copy", "h264", "hevc", "none", NULL};
static const char *const audio_ways[] = {"auto", "copy", "aac", "opus", "none", NULL};
static const char *const subtitle_ways[] = {"none", "auto", NULL};

#define AT(field)   offsetof(struct sl_remux_params, field)
#define SIZE(field) sizeof(((struct sl_remux_params *)0)->field)
#define TEXT(name, field, unit, words)                                                             \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_STRING, .offset = AT(field), .capacity = SIZE(field),     \
        .metavar = (unit), .help = (words)                                                         \
    }
#define FLAG(name, field, words)                                                                   \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_BOOL, .offset = AT(field), .help = (words)                \
    }
#define SECONDS_MAX 10000000 /* some four months */

static const struct sl_option table[] = {
    TEXT("output", output, "FILE", "where to write; - for standard output (required; -o)"),
    {.key = "start",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(start),
     .min = 0,
     .max = SECONDS_MAX,
     .value_default = "0",
     .metavar = "SECONDS",
     .help = "begin here, counted from the first picture"},
    {.key = "duration",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(duration),
     .min = 0,
     .max = SECONDS_MAX,
     .value_default = "0",
     .metavar = "SECONDS",
     .help = "write so much of it; 0: all"},
    {.key = "fragment",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(fragment),
     .min = 0,
     .max = 600,
     .value_default = "1",
     .metavar = "SECONDS",
     .help = "a fragment ends at the first key frame after this long"},
    {.key = "video",
     .type = SL_OPTION_ENUM,
     .offset = AT(video),
     .choices = video_ways,
     .value_default = "auto",
     .metavar = "auto|copy|h264|hevc|none",
     .help = "auto: pass through what MP4 can carry, encode the rest as H.264"},
    {.key = "audio",
     .type = SL_OPTION_ENUM,
     .offset = AT(audio),
     .choices = audio_ways,
     .value_default = "auto",
     .metavar = "auto|copy|aac|opus|none",
     .help = "auto: pass through what browsers play, convert the rest to AAC"},
    {.key = "subtitles",
     .type = SL_OPTION_ENUM,
     .offset = AT(subtitles),
     .choices = subtitle_ways,
     .value_default = "none",
     .metavar = "none|auto",
     .help = "auto: text becomes WebVTT in MP4"},
    TEXT("video-track", video_track, "N", "picture, as `sluice probe` counts; empty: the largest"),
    TEXT("audio-track", audio_track, "N|LANG,…|all",
         "sound; empty: the default one, else the one with most channels"),
    TEXT("subtitle-track", subtitle_track, "N|LANG,…|all", "subtitles; empty: all"),
    {.key = "channels",
     .type = SL_OPTION_INT,
     .offset = AT(channels),
     .min = 1,
     .max = 6,
     .value_default = "2",
     .metavar = "1|2|6",
     .help = "most channels of converted sound"},
    {.key = "audio-bitrate",
     .type = SL_OPTION_INT,
     .offset = AT(audio_bitrate),
     .min = 0,
     .max = 1024,
     .value_default = "0",
     .metavar = "KBIT/S",
     .help = "of converted sound; 0: 64 for each channel, 96 for one of Opus"},
    TEXT("encoder", encoder, "NAME", "video encoder; empty: the best there is"),
    {.key = "preset",
     .type = SL_OPTION_STRING,
     .offset = AT(preset),
     .capacity = SIZE(preset),
     .value_default = "veryfast",
     .metavar = "PRESET",
     .help = "of the video encoder"},
    {.key = "crf",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(crf),
     .min = 0,
     .max = 51,
     .value_default = "21",
     .metavar = "N",
     .help = "quality of encoded video; lower is better"},
    {.key = "video-bitrate",
     .type = SL_OPTION_INT,
     .offset = AT(video_bitrate),
     .min = 0,
     .max = 1000000,
     .value_default = "0",
     .metavar = "KBIT/S",
     .help = "of encoded video; 0: by quality"},
    {.key = "decode-time",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(decode_time),
     .min = 0,
     .max = SECONDS_MAX,
     .value_default = "0",
     .metavar = "SECONDS",
     .help = "decode time of the first fragment"},
    FLAG("no-init", no_init, "leave the init segment out"),
    FLAG("faststart", faststart, "classic MP4 with its index in front, not fragmented"),
    FLAG("styp", styp, "begin each fragment with a styp box"),
    FLAG("sidx", sidx, "put a sidx box in front of each fragment"),
    FLAG("strict", strict, "stop at damage"),
    FLAG("keep-going", keep_going, "leave out tracks that cannot be used"),
    {.key = NULL},
};

const struct sl_option *sl_remux_options(void)
{
    return table;
}

enum sl_status sl_remux_params_default(struct sl_remux_params *params, uint32_t size,
                                       struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

static bool in_range(struct sl_rational r)
{
    return r.num >= 0 && r.den > 0 && r.num / r.den <= SECONDS_MAX;
}

static enum sl_status check(const struct sl_remux_params *p, struct sl_error *err)
{
    const struct {
        const char *name;
        struct sl_rational value;
    } times[] = {{"start", p->start},
                 {"duration", p->duration},
                 {"fragment", p->fragment},
                 {"decode-time", p->decode_time},
                 {"crf", p->crf}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        if (!in_range(times[i].value)) {
            return sl_fail(err, SL_EINVAL, times[i].name, "%lld/%lld is not allowed (0 to %d)",
                           (long long)times[i].value.num, (long long)times[i].value.den,
                           SECONDS_MAX);
        }
    }
    if (p->video < SL_REMUX_VIDEO_AUTO || p->video > SL_REMUX_VIDEO_NONE ||
        p->audio < SL_REMUX_AUDIO_AUTO || p->audio > SL_REMUX_AUDIO_NONE) {
        return sl_fail(err, SL_EINVAL, "video", "a way that does not exist was asked for");
    }
    if (p->channels != 1 && p->channels != 2 && p->channels != 6) {
        return sl_fail(err, SL_EINVAL, "channels", "%lld is not allowed (1, 2 or 6)",
                       (long long)p->channels);
    }
    if (p->faststart && (p->no_init || p->sidx || p->styp || p->decode_time.num > 0)) {
        return sl_fail(err, SL_EINVAL, "faststart",
                       "is not fragmented: --no-init, --styp, --sidx "
                       "and --decode-time contradict it");
    }
    return SL_OK;
}

enum sl_status sl_remux_open(struct sl_remux **out, const struct sl_remux_params *params,
                             const struct sl_remux_events *events, const struct sl_log *log,
                             struct sl_error *err)
{
    enum sl_status st;
    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    st = sl_params_check(params, sizeof *params, "sl_remux_params_default", err);
    if (st != SL_OK) {
        return st;
    }
    *out = NULL;
    st = check(params, err);
    return st == SL_OK ? sl_remux_create(out, params, NULL, events, log, err) : st;
}

enum sl_status sl_remux_open_source(struct sl_remux **out, const struct sl_remux_params *params,
                                    const struct sl_remux_source *source,
                                    const struct sl_remux_events *events, const struct sl_log *log,
                                    struct sl_error *err)
{
    enum sl_status st;
    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    st = sl_params_check(params, sizeof *params, "sl_remux_params_default", err);
    if (st != SL_OK) {
        return st;
    }
    *out = NULL;
    if (!source || !source->read || params->input[0]) {
        return sl_fail(err, SL_EINVAL, "input", "one is needed: a source that reads, or a name");
    }
    st = check(params, err);
    return st == SL_OK ? sl_remux_create(out, params, source, events, log, err) : st;
}

enum sl_status sl_remux_run(struct sl_remux *remux, struct sl_error *err)
{
    return remux ? sl_remux_execute(remux, -1, err) : sl_fail(err, SL_EINVAL, "remux", "NULL");
}

enum sl_status sl_remux_run_fd(struct sl_remux *remux, int fd, struct sl_error *err)
{
    if (!remux || fd < 0) {
        return sl_fail(err, SL_EINVAL, "remux", "NULL, or a negative descriptor");
    }
    return sl_remux_execute(remux, fd, err);
}

enum sl_status sl_remux_read(struct sl_remux *remux, const uint8_t **data, size_t *size,
                             struct sl_error *err)
{
    if (!remux || !data || !size) {
        return sl_fail(err, SL_EINVAL, "remux", "NULL");
    }
    if (sl_remux_is_classic(remux)) {
        return sl_fail(err, SL_EINVAL, "faststart", "needs an output that is a file");
    }
    return sl_remux_load(remux, data, size, err);
}

enum sl_status sl_remux_read_into(struct sl_remux *remux, void *dst, size_t size, size_t *got,
                                  struct sl_error *err)
{
    if (!remux || !dst || !got || size == 0) {
        return sl_fail(err, SL_EINVAL, "remux", "NULL, or no room");
    }
    if (sl_remux_is_classic(remux)) {
        return sl_fail(err, SL_EINVAL, "faststart", "needs an output that is a file");
    }
    return sl_remux_copy(remux, dst, size, got, err);
}

enum sl_status sl_remux_push(struct sl_remux *remux, const void *data, size_t size,
                             struct sl_error *err)
{
    if (!remux || (!data && size > 0)) {
        return sl_fail(err, SL_EINVAL, "remux", "NULL");
    }
    return sl_remux_feed(remux, data, size, err);
}

void sl_remux_end(struct sl_remux *remux)
{
    if (remux) {
        sl_remux_feed_end(remux);
    }
}

const char *sl_remux_codecs(const struct sl_remux *remux)
{
    return remux ? sl_remux_codec_list(remux) : "";
}

void sl_remux_cancel(struct sl_remux *remux)
{
    if (remux) {
        sl_remux_request_cancel(remux);
    }
}

void sl_remux_destroy(struct sl_remux **remux)
{
    sl_remux_free(remux);
}
