/* SPDX-License-Identifier: BSD-2-Clause */
/* The option table of struct sl_encoder_params. Here, since a change of settings is checked by it.
 */
#include <stddef.h>

#include "pipeline/encoder.h"

#define AT(field) offsetof(struct sl_encoder_params, field)
#define TEXT(name, field, unit, words)                                                             \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_STRING, .offset = AT(field),                              \
        .capacity = sizeof(((struct sl_encoder_params *)0)->field), .metavar = (unit),             \
        .help = (words)                                                                            \
    }
#define CHOICE(name, field, list, first, words)                                                    \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_ENUM, .offset = AT(field), .choices = (list),             \
        .value_default = (first), .metavar = "NAME", .help = (words)                               \
    }
#define NUMBER(name, field, low, high, first, unit, words)                                         \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_INT, .offset = AT(field), .min = (low), .max = (high),    \
        .value_default = (first), .metavar = (unit), .help = (words)                               \
    }
#define FLAG(name, field, words)                                                                   \
    {                                                                                              \
        .key = (name), .type = SL_OPTION_BOOL, .offset = AT(field), .help = (words)                \
    }
#define RATE_MAX INT64_C(2000000000)

static const char *const codecs[] = {"h264", "hevc", NULL};
static const char *const rates[] = {"auto", "vbr", "crf", "cbr", "cqp", NULL};
static const char *const latencies[] = {"sync", "pipelined", "lookahead", NULL};
static const char *const colours[] = {"auto", "bt601", "bt709", "bt2020", NULL};
static const char *const ranges[] = {"auto", "limited", "full", NULL};

static const struct sl_option table[] = {
    CHOICE("codec", codec, codecs, "h264", "h264 or hevc"),
    {.key = "backend",
     .type = SL_OPTION_STRING,
     .offset = AT(backend),
     .capacity = sizeof(((struct sl_encoder_params *)0)->backend),
     .value_default = "auto",
     .metavar = "NAME",
     .help = "which encoder: one of `sluice encoders`, or auto for the first that can"},
    {.key = "size",
     .type = SL_OPTION_SIZE,
     .offset = AT(size),
     .min = 2,
     .max = 16384,
     .metavar = "WxH",
     .help = "of the pictures; even, but for 4:4:4"},
    {.key = "max-size",
     .type = SL_OPTION_SIZE,
     .offset = AT(max_size),
     .min = 2,
     .max = 16384,
     .metavar = "WxH",
     .help = "the largest size that may follow later"},
    {.key = "rate",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(rate),
     .min = 0,
     .max = 1000,
     .value_default = "30",
     .metavar = "N/D",
     .help = "nominal frames per second"},
    {.key = "timebase",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(timebase),
     .min = 0,
     .max = 1000,
     .value_default = "0",
     .metavar = "N/D",
     .help = "seconds per tick of time stamps; 0: a frame"},
    NUMBER("gop", gop, 0, INT32_MAX - 1, "250", "N",
           "pictures from IDR to IDR; 0: on demand alone"),
    CHOICE("rate-control", rate_control, rates, "auto",
           "vbr, crf, cbr or cqp; auto: vbr where a bitrate is given, else crf"),
    NUMBER("bitrate", bitrate, 0, RATE_MAX, "0", "BIT/S", "on average; takes k and M"),
    NUMBER("maxrate", maxrate, 0, RATE_MAX, "0", "BIT/S",
           "at most, over the buffer; takes k and M"),
    NUMBER("buffer", buffer, 0, RATE_MAX, "0", "BITS", "of the decoder's buffer; takes k and M"),
    {.key = "crf",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(crf),
     .min = 0,
     .max = 51,
     .value_default = "0",
     .metavar = "N",
     .help = "constant quality, 1 (best) to 51; 0: 23 for H.264, 28 for HEVC"},
    NUMBER("qp", qp, 0, 51, "26", "N", "constant quantiser of cqp"),
    TEXT("profile", profile, "NAME", "baseline, main, high, high10, high444; HEVC: main, main10"),
    TEXT("level", level, "N", "as in 4.1; empty: the lowest that holds the stream"),
    TEXT("preset", preset, "NAME", "the backend's own (`sluice encoders`)"),
    TEXT("tune", tune, "NAME", "the backend's own (`sluice encoders`)"),
    CHOICE("latency", latency, latencies, "sync",
           "sync: each picture's unit at once; pipelined: --depth pictures later; lookahead: best "
           "quality"),
    NUMBER("depth", depth, 1, 16, "4", "N", "pictures on their way in pipelined mode"),
    NUMBER("bframes", bframes, -1, 16, "-1", "N",
           "B pictures in a row in lookahead mode; -1: the preset's"),
    CHOICE("colour", colour, colours, "auto",
           "of the stream: bt601, bt709, bt2020; auto: bt709 from 720 lines on, else bt601"),
    CHOICE("range", range, ranges, "auto", "limited or full; auto: limited"),
    NUMBER("primaries", primaries, 1, 255, "2", "N",
           "H.273 code point instead of colour's; 2: none"),
    NUMBER("transfer", transfer, 1, 255, "2", "N", "the same for the transfer characteristics"),
    NUMBER("matrix", matrix, 1, 255, "2", "N", "the same for the matrix"),
    NUMBER("chroma-location", chroma_location, 0, 6, "0", "N",
           "H.264 chroma_sample_loc_type + 1; 0: not stated"),
    {.key = "sample-aspect",
     .type = SL_OPTION_RATIONAL,
     .offset = AT(sample_aspect),
     .min = 0,
     .max = 65535,
     .value_default = "0",
     .metavar = "N/D",
     .help = "width of a sample by its height; 0: not stated"},
    NUMBER("threads", threads, 0, 128, "0", "N", "0: the backend's choice"),
    FLAG("intra-refresh", intra_refresh, "a moving column of intra blocks instead of IDR pictures"),
    FLAG("loss-recovery", loss_recovery, "keep older pictures, so that a loss needs no IDR"),
    NUMBER("gpu", gpu, 0, 63, "0", "N", "index of the device"),
    NUMBER("extra-output-delay", extra_output_delay, 0, 16, "0", "N",
           "NVENC: pictures held back beyond what is needed"),
    FLAG("nvtx", nvtx, "NVTX ranges named pdum.…, where that library is there"),
    {.key = NULL},
};

const struct sl_option *sl_encoder_options(void)
{
    return table;
}
