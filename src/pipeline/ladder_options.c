/* SPDX-License-Identifier: BSD-2-Clause */
/* The option table of a ladder. */
#include <sluice/ladder.h>

#include "base/error.h"
#include "pipeline/ladder_plan.h"

static const char *const formats[] = {"fmp4", "ts", NULL};
static const char *const profiles[] = {"unixfs-v1-2025", "unixfs-v1", "unixfs-v0", NULL};

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
     .help = "directory for the ladder (-o; required without --run)"},
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
    TEXT("run", run, "ID",
         "publish as a live run of that name, into --store; one that is there is gone on with"),
    TEXT("store", store, "DIR", "content store for the run; made where there is none"),
    TEXT("registry", registry, "FILE|URL",
         "where runs are listed: a file, or postgres://…; without: registry.sqlite in the store"),
    TEXT("gateway", gateway, "URL",
         "links of the stored playlists are URL/CID; without: /ipfs/CID, for any gateway"),
    {.key = "profile",
     .type = SL_OPTION_ENUM,
     .offset = AT(profile),
     .choices = profiles,
     .value_default = "unixfs-v1-2025",
     .metavar = "PROFILE",
     .help = "how files are cut into blocks, which decides CIDs: unixfs-v1-2025, unixfs-v1, "
             "unixfs-v0"},
    {.key = "window",
     .type = SL_OPTION_INT,
     .offset = AT(window),
     .min = 0,
     .max = 100000,
     .value_default = "0",
     .metavar = "N",
     .help = "segments that the server shows while the run goes on; 0: all"},
    {.key = "patience",
     .type = SL_OPTION_INT,
     .offset = AT(patience),
     .min = 0,
     .max = 86400,
     .value_default = "300",
     .metavar = "SECONDS",
     .help = "how long a run waits for a full disk, or a registry that cannot be reached"},
    TEXT("ipfs", ipfs, "URL",
         "an IPFS node (Kubo's RPC, http://127.0.0.1:5001) gets a copy of all that is published"),
    {.key = "ipfs-wait",
     .type = SL_OPTION_INT,
     .offset = AT(ipfs_wait),
     .min = 0,
     .max = 864000,
     .value_default = "30",
     .metavar = "SECONDS",
     .help = "how long a run that has ended waits for the node to have all of it"},
    {.key = "ipfs-timeout",
     .type = SL_OPTION_INT,
     .offset = AT(ipfs_timeout),
     .min = 1,
     .max = 3600,
     .value_default = "60",
     .metavar = "SECONDS",
     .help = "how long a node may be silent before it is tried again"},
    {.key = "timebase",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(timebase),
     .min = 0,
     .max = 1,
     .metavar = "N/D",
     .help = "seconds a tick of frames that a program writes; without: one frame of the rate"},
    {.key = NULL},
};

const struct sl_option *sl_ladder_options(void)
{
    return table;
}
