/* SPDX-License-Identifier: BSD-2-Clause */
#include <sluice/media.h>

static const char *const codec_names[SL_CODEC_COUNT] = {
    [SL_CODEC_UNKNOWN] = "unknown",   [SL_CODEC_OTHER] = "other", [SL_CODEC_RAWVIDEO] = "rawvideo",
    [SL_CODEC_H264] = "h264",         [SL_CODEC_HEVC] = "hevc",   [SL_CODEC_AV1] = "av1",
    [SL_CODEC_VP8] = "vp8",           [SL_CODEC_VP9] = "vp9",     [SL_CODEC_MPEG2] = "mpeg2",
    [SL_CODEC_MPEG4] = "mpeg4",       [SL_CODEC_VC1] = "vc1",     [SL_CODEC_MJPEG] = "mjpeg",
    [SL_CODEC_PCM] = "pcm",           [SL_CODEC_AAC] = "aac",     [SL_CODEC_AC3] = "ac3",
    [SL_CODEC_EAC3] = "eac3",         [SL_CODEC_DTS] = "dts",     [SL_CODEC_TRUEHD] = "truehd",
    [SL_CODEC_MP3] = "mp3",           [SL_CODEC_MP2] = "mp2",     [SL_CODEC_OPUS] = "opus",
    [SL_CODEC_VORBIS] = "vorbis",     [SL_CODEC_FLAC] = "flac",   [SL_CODEC_ALAC] = "alac",
    [SL_CODEC_SRT] = "srt",           [SL_CODEC_ASS] = "ass",     [SL_CODEC_WEBVTT] = "webvtt",
    [SL_CODEC_MOV_TEXT] = "mov_text", [SL_CODEC_PGS] = "pgs",     [SL_CODEC_VOBSUB] = "vobsub",
};

static const char *const kind_names[] = {
    [SL_KIND_UNKNOWN] = "unknown",   [SL_KIND_VIDEO] = "video", [SL_KIND_AUDIO] = "audio",
    [SL_KIND_SUBTITLE] = "subtitle", [SL_KIND_DATA] = "data",
};

const char *sl_codec_name(enum sl_codec codec)
{
    return (unsigned)codec < SL_CODEC_COUNT ? codec_names[codec] : "unknown";
}

const char *sl_kind_name(enum sl_media_kind kind)
{
    return (unsigned)kind < sizeof kind_names / sizeof *kind_names ? kind_names[kind] : "unknown";
}
