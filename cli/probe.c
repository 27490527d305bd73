/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static void json_text(const char *text)
{
    putchar('"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            printf("\\%c", *p);
        } else if (*p < 0x20) {
            printf("\\u%04x", *p);
        } else {
            putchar(*p);
        }
    }
    putchar('"');
}

static void json_rational(const char *key, struct sl_rational r)
{
    if (r.num > 0) {
        printf(",\"%s\":\"%lld/%lld\"", key, (long long)r.num, (long long)r.den);
    }
}

static void json_ticks(const char *key, int64_t ticks)
{
    if (ticks != SL_NO_TIME) {
        printf(",\"%s\":%lld", key, (long long)ticks);
    }
}

static const char *range_name(int range)
{
    return range == SL_RANGE_FULL ? "full" : range == SL_RANGE_LIMITED ? "limited" : "unspecified";
}

static void json_video(const struct sl_track *t)
{
    printf(",\"width\":%d,\"height\":%d", t->width, t->height);
    if (t->pixel_format) {
        printf(",\"pixel_format\":\"%s\"", sl_pixel_format_name(t->pixel_format));
    }
    if (t->bit_depth > 0) {
        printf(",\"bit_depth\":%d", t->bit_depth);
    }
    json_rational("sample_aspect", t->sample_aspect);
    json_rational("frame_rate", t->frame_rate);
    printf(",\"frame_rate_exact\":%s,\"rotation\":%d", t->frame_rate_exact ? "true" : "false",
           t->rotation);
    printf(",\"colour\":{\"primaries\":%d,\"transfer\":%d,\"matrix\":%d,\"range\":\"%s\"}",
           t->colour.primaries, t->colour.transfer, t->colour.matrix, range_name(t->colour.range));
    if (t->reorder >= 0) {
        printf(",\"reorder\":%d", t->reorder);
    }
}

static void print_json(const struct sl_probe *probe)
{
    printf("{\"format\":");
    json_text(sl_probe_format(probe));
    if (sl_probe_duration(probe) >= 0) {
        printf(",\"duration_us\":%lld", (long long)sl_probe_duration(probe));
    }
    printf(",\"tracks\":[");
    for (size_t i = 0; i < sl_probe_track_count(probe); i++) {
        const struct sl_track *t = sl_probe_track(probe, i);
        printf("%s{\"index\":%zu,\"id\":%lld,\"kind\":\"%s\",\"codec\":", i ? "," : "", i,
               (long long)t->id, sl_kind_name(t->kind));
        json_text(t->codec_name);
        if (sl_probe_codec_string(probe, i)[0]) {
            printf(",\"codec_string\":\"%s\"", sl_probe_codec_string(probe, i));
        }
        json_rational("timebase", t->timebase);
        json_ticks("start", t->start);
        json_ticks("duration", t->duration);
        if (t->language[0]) {
            printf(",\"language\":");
            json_text(t->language);
        }
        if (t->title[0]) {
            printf(",\"title\":");
            json_text(t->title);
        }
        printf(",\"default\":%s", t->is_default ? "true" : "false");
        if (t->bitrate > 0) {
            printf(",\"bitrate\":%lld", (long long)t->bitrate);
        }
        if (t->kind == SL_KIND_VIDEO) {
            json_video(t);
        } else if (t->kind == SL_KIND_AUDIO) {
            printf(",\"sample_rate\":%d,\"channels\":%d,\"channel_layout\":%llu,\"delay\":%d",
                   t->sample_rate, t->channels, (unsigned long long)t->channel_layout, t->delay);
        }
        putchar('}');
    }
    printf("]}\n");
}

static void print_text(const char *input, const struct sl_probe *probe)
{
    int64_t us = sl_probe_duration(probe);
    printf("%s: %s", input, sl_probe_format(probe));
    if (us >= 0) {
        printf(", %lld:%02lld:%02lld.%03lld", (long long)(us / 3600000000),
               (long long)(us / 60000000 % 60), (long long)(us / 1000000 % 60),
               (long long)(us / 1000 % 1000));
    }
    putchar('\n');
    for (size_t i = 0; i < sl_probe_track_count(probe); i++) {
        const struct sl_track *t = sl_probe_track(probe, i);
        const char *codecs = sl_probe_codec_string(probe, i);
        printf("  %zu: %s %s", i, sl_kind_name(t->kind), t->codec_name);
        if (codecs[0]) {
            printf(" (%s)", codecs);
        }
        if (t->kind == SL_KIND_VIDEO) {
            printf(", %dx%d %s", t->width, t->height, sl_pixel_format_name(t->pixel_format));
            if (t->frame_rate.num > 0) {
                printf(", %lld/%lld fps%s", (long long)t->frame_rate.num,
                       (long long)t->frame_rate.den, t->frame_rate_exact ? "" : " nominal");
            }
            if (t->sample_aspect.num > 0 && t->sample_aspect.num != t->sample_aspect.den) {
                printf(", sample aspect %lld:%lld", (long long)t->sample_aspect.num,
                       (long long)t->sample_aspect.den);
            }
            if (t->rotation) {
                printf(", turn %d", t->rotation);
            }
            printf(", colour %d/%d/%d %s", t->colour.primaries, t->colour.transfer,
                   t->colour.matrix, range_name(t->colour.range));
        } else if (t->kind == SL_KIND_AUDIO) {
            printf(", %d Hz, %d channels", t->sample_rate, t->channels);
        }
        printf(", timebase %lld/%lld", (long long)t->timebase.num, (long long)t->timebase.den);
        if (t->language[0]) {
            printf(", %s", t->language);
        }
        printf("%s%s\n", t->is_default ? ", default" : "",
               t->is_attached_picture ? ", attached picture" : "");
    }
}

struct probe_command {
    const char *input;
    bool json;
};

static int handle(void *opaque, const char *key, const char *value)
{
    struct probe_command *c = opaque;
    if (key) {
        c->json = true;
        return -1;
    }
    if (c->input) {
        (void)fprintf(stderr, "sluice: %s: one input is enough\n", value);
        return CLI_USAGE;
    }
    c->input = value;
    return -1;
}

int cmd_probe(int argc, char **argv)
{
    static const struct sl_option none[] = {{.key = NULL}};
    static const char *const own[] = {"json", NULL};
    const struct cli_command command = {
        .name = "probe",
        .arguments = "INPUT",
        .summary = "Shows the tracks of INPUT: codecs, timing, colour. With --json as one object.",
        .example = "sluice probe --json film.mkv",
        .table = none,
        .own = own,
    };
    struct probe_command c = {NULL, false};
    int status = cli_parse(&command, argc, argv, NULL, handle, &c);
    if (status >= 0) {
        return status;
    }
    if (!c.input) {
        (void)fprintf(stderr, "sluice: no input is named (see: sluice probe --help)\n");
        return CLI_USAGE;
    }
    struct sl_error err = {0};
    struct sl_probe *probe = NULL;
    if (sl_probe_open(&probe, c.input, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    if (c.json) {
        print_json(probe);
    } else {
        print_text(c.input, probe);
    }
    sl_probe_destroy(&probe);
    return CLI_OK;
}
