/* SPDX-License-Identifier: BSD-2-Clause */
/* From libavformat's streams to tracks. */
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/display.h>
#include <libavutil/pixdesc.h>

#include "base/bytes.h"
#include "base/rational.h"
#include "demux/libav.h"
#include "media/hevc.h"
#include "media/pixel.h"
#include "media/track.h"

#define ANNEXB_CONFIG_MAX (64u << 10)

static const struct {
    enum AVCodecID id;
    enum sl_codec codec;
} codecs[] = {
    {AV_CODEC_ID_H264, SL_CODEC_H264},
    {AV_CODEC_ID_HEVC, SL_CODEC_HEVC},
    {AV_CODEC_ID_AV1, SL_CODEC_AV1},
    {AV_CODEC_ID_VP8, SL_CODEC_VP8},
    {AV_CODEC_ID_VP9, SL_CODEC_VP9},
    {AV_CODEC_ID_MPEG2VIDEO, SL_CODEC_MPEG2},
    {AV_CODEC_ID_MPEG4, SL_CODEC_MPEG4},
    {AV_CODEC_ID_VC1, SL_CODEC_VC1},
    {AV_CODEC_ID_MJPEG, SL_CODEC_MJPEG},
    {AV_CODEC_ID_AAC, SL_CODEC_AAC},
    {AV_CODEC_ID_AC3, SL_CODEC_AC3},
    {AV_CODEC_ID_EAC3, SL_CODEC_EAC3},
    {AV_CODEC_ID_DTS, SL_CODEC_DTS},
    {AV_CODEC_ID_TRUEHD, SL_CODEC_TRUEHD},
    {AV_CODEC_ID_MP3, SL_CODEC_MP3},
    {AV_CODEC_ID_MP2, SL_CODEC_MP2},
    {AV_CODEC_ID_OPUS, SL_CODEC_OPUS},
    {AV_CODEC_ID_VORBIS, SL_CODEC_VORBIS},
    {AV_CODEC_ID_FLAC, SL_CODEC_FLAC},
    {AV_CODEC_ID_ALAC, SL_CODEC_ALAC},
    {AV_CODEC_ID_SUBRIP, SL_CODEC_SRT},
    {AV_CODEC_ID_ASS, SL_CODEC_ASS},
    {AV_CODEC_ID_WEBVTT, SL_CODEC_WEBVTT},
    {AV_CODEC_ID_MOV_TEXT, SL_CODEC_MOV_TEXT},
    {AV_CODEC_ID_HDMV_PGS_SUBTITLE, SL_CODEC_PGS},
    {AV_CODEC_ID_DVD_SUBTITLE, SL_CODEC_VOBSUB},
};

/* FFmpeg numbers each PCM layout as a codec of its own; the track's codec_name keeps which. */
static bool is_pcm(enum AVCodecID id)
{
    return id >= AV_CODEC_ID_FIRST_AUDIO && id < AV_CODEC_ID_ADPCM_IMA_QT;
}

static void set_codec(struct sl_track *t, enum AVCodecID id)
{
    t->codec = is_pcm(id) ? SL_CODEC_PCM : SL_CODEC_OTHER;
    if (id == AV_CODEC_ID_NONE) {
        t->codec = SL_CODEC_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        if (codecs[i].id == id) {
            t->codec = codecs[i].codec;
        }
    }
    bool named = t->codec != SL_CODEC_PCM && t->codec != SL_CODEC_OTHER;
    (void)snprintf(t->codec_name, sizeof t->codec_name, "%s",
                   named ? sl_codec_name(t->codec) : avcodec_get_name(id));
}

static struct sl_rational rational(AVRational r)
{
    return r.num > 0 && r.den > 0 ? sl_rational(r.num, r.den) : sl_rational(0, 1);
}

static int64_t time_or_none(int64_t t)
{
    return t == AV_NOPTS_VALUE ? SL_NO_TIME : t;
}

/* A tag's text, cut between two characters of UTF-8 where it is too long. */
static void copy_tag(char *dst, size_t size, const AVDictionary *tags, const char *key)
{
    const AVDictionaryEntry *tag = av_dict_get(tags, key, NULL, 0);
    size_t n = tag ? strlen(tag->value) : 0;
    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)tag->value[n] & 0xc0) == 0x80) {
            n--;
        }
    }
    if (n > 0) {
        memcpy(dst, tag->value, n);
    }
    dst[n] = '\0';
}

/* The matrix maps (x, y), y downwards, to (a x + c y, b x + d y): QuickTime's and ISO/IEC 14496-12
 * 6.2.2's. Turned clockwise by r it is (cos r, sin r, -sin r, cos r); mirrored left-right after
 * that, a and c change sign. */
static void set_rotation(struct sl_track *t, const AVStream *stream)
{
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
    int32_t m[9];

    if (!data || size < sizeof m) {
        return;
    }
    memcpy(m, data, sizeof m);
    int64_t a = m[0];
    int64_t b = m[1];
    int64_t c = m[3];
    int64_t d = m[4];
    if (a * d < b * c) {
        t->flip = 1;
        a = -a;
    }
    /* To the nearest quarter turn: nothing else is stored on purpose. */
    int64_t x = a < 0 ? -a : a;
    int64_t y = b < 0 ? -b : b;
    if (x >= y) {
        t->rotation = a < 0 ? 180 : 0;
    } else {
        t->rotation = b > 0 ? 90 : 270;
    }
}

/* Whether all samples of an index last equally long; times are decoding times there. */
static int64_t sample_duration(AVStream *stream)
{
    int count = avformat_index_get_entries_count(stream);
    int64_t each = 0;
    int64_t last = 0;
    for (int i = 0; i < count; i++) {
        int64_t t = avformat_index_get_entry(stream, i)->timestamp;
        if (i == 1) {
            each = t - last;
        }
        if (i > 1 && t - last != each) {
            return 0;
        }
        last = t;
    }
    return each;
}

/* Matroska's DefaultDuration and MP4's sample tables are read with the header. Later on the same
 * fields hold what was estimated from the first packets; MP4's r_frame_rate is a guess even here.
 */
struct sl_rational sl_libav_proven_rate(const AVFormatContext *format, AVStream *stream)
{
    struct sl_rational rate = sl_rational(0, 1);

    if (stream->codecpar->codec_type != AVMEDIA_TYPE_VIDEO) {
        return rate;
    }
    if (strncmp(format->iformat->name, "matroska", 8) == 0) {
        return rational(stream->avg_frame_rate);
    }
    /* nb_frames: the table holds all of the track, and no fragments follow. */
    if (strncmp(format->iformat->name, "mov", 3) == 0 && stream->nb_frames > 1) {
        int64_t each = sample_duration(stream);
        if (each > 0 && each <= INT32_MAX) {
            rate = sl_rational(stream->time_base.den, stream->time_base.num * each);
        }
    }
    return sl_rational_valid(rate) ? rate : sl_rational(0, 1);
}

static struct sl_rational nominal_rate(AVFormatContext *format, AVStream *stream)
{
    struct sl_rational average = rational(stream->avg_frame_rate);
    struct sl_rational guess = rational(av_guess_frame_rate(format, stream, NULL));

    /* The guess is the coarsest clock that fits all times: with variable rate far above what is
     * shown. */
    if (average.num > 0 && guess.num > 0 &&
        sl_rational_compare(guess, sl_rational(3 * average.num, 2 * average.den)) > 0) {
        return average;
    }
    return guess.num > 0 ? guess : average;
}

static void set_picture(struct sl_track *t, AVFormatContext *format, AVStream *stream,
                        struct sl_rational proven_rate)
{
    const AVCodecParameters *par = stream->codecpar;
    const AVPixFmtDescriptor *desc = av_pix_fmt_desc_get((enum AVPixelFormat)par->format);

    t->width = par->width;
    t->height = par->height;
    t->sample_aspect = rational(av_guess_sample_aspect_ratio(format, stream, NULL));
    t->frame_rate_exact = proven_rate.num > 0;
    t->frame_rate =
        sl_rational_reduce(t->frame_rate_exact ? proven_rate : nominal_rate(format, stream));
    t->reorder = par->video_delay;
    t->colour.primaries = (uint8_t)par->color_primaries;
    t->colour.transfer = (uint8_t)par->color_trc;
    t->colour.matrix = (uint8_t)par->color_space;
    t->colour.range = (uint8_t)par->color_range; /* the same numbers */
    t->colour.chroma_location = (uint8_t)par->chroma_location;
    t->bit_depth = par->bits_per_raw_sample;
    if (desc) {
        char name[32];
        (void)snprintf(name, sizeof name, "%s", desc->name);
        /* "yuvj420p" is yuv420p of full range. */
        if (strncmp(name, "yuvj", 4) == 0) {
            memmove(name + 3, name + 4, strlen(name + 4) + 1);
            t->colour.range = SL_RANGE_FULL;
        }
        t->pixel_format = (int32_t)sl_pixel_find(name);
        t->bit_depth = desc->comp[0].depth;
    }
    set_rotation(t, stream);
}

static void set_sound(struct sl_track *t, const AVStream *stream)
{
    const AVCodecParameters *par = stream->codecpar;
    const AVCodecDescriptor *desc = avcodec_descriptor_get(par->codec_id);

    t->sample_rate = par->sample_rate;
    t->channels = par->ch_layout.nb_channels;
    if (par->ch_layout.order == AV_CHANNEL_ORDER_NATIVE) {
        t->channel_layout = par->ch_layout.u.mask;
    }
    t->delay = par->initial_padding;
    t->block_align = par->block_align;
    t->bit_depth = par->bits_per_raw_sample;
    /* Sample entries state 16 bits for AAC and the like, which means nothing there. */
    if (t->bit_depth == 0 && (t->codec == SL_CODEC_PCM || t->codec == SL_CODEC_OTHER ||
                              (desc && !(desc->props & AV_CODEC_PROP_LOSSY)))) {
        t->bit_depth = par->bits_per_coded_sample;
    }
}

/* Parameter sets that libavformat found in band stay as they are (Annex B); what they say is read
 * by way of a configuration record, which is thrown away. */
static void describe_annexb(struct sl_track *t)
{
    uint8_t *in_band = t->config;
    size_t size = t->config_size;
    struct sl_writer record;
    enum sl_status status = SL_OK;

    sl_writer_init(&record, ANNEXB_CONFIG_MAX);
    status = t->codec == SL_CODEC_H264 ? sl_avcc_from_annexb(in_band, size, &record, NULL)
                                       : sl_hvcc_from_annexb(in_band, size, &record, NULL);
    if (status == SL_OK && sl_writer_finish(&record, NULL) == SL_OK) {
        t->config = record.data;
        t->config_size = record.size;
        (void)!(t->codec == SL_CODEC_H264 ? sl_h264_describe(t, NULL) : sl_hevc_describe(t, NULL));
        t->config = in_band;
        t->config_size = size;
    }
    sl_writer_clear(&record);
}

static enum sl_status set_config(struct sl_track *t, const AVStream *stream, struct sl_error *err)
{
    const AVCodecParameters *par = stream->codecpar;
    struct sl_rational container_aspect = rational(stream->sample_aspect_ratio);
    bool parameter_sets = t->codec == SL_CODEC_H264 || t->codec == SL_CODEC_HEVC;
    enum sl_status status = SL_OK;

    if (!par->extradata || par->extradata_size <= 0) {
        return SL_OK;
    }
    status = sl_track_set_config(t, par->extradata, (size_t)par->extradata_size, err);
    if (status != SL_OK) {
        return status;
    }
    /* avcC and hvcC begin with their version, 1; Annex B with a zero. A parameter set that cannot
     * be read leaves the track as libavformat described it. */
    if (parameter_sets && par->extradata[0] != 1) {
        describe_annexb(t);
    } else if (parameter_sets) {
        (void)!(t->codec == SL_CODEC_H264 ? sl_h264_describe(t, NULL) : sl_hevc_describe(t, NULL));
    }
    /* The container's word on how it is to be shown stands above the codec's. */
    if (container_aspect.num > 0) {
        t->sample_aspect = container_aspect;
    }
    return SL_OK;
}

enum sl_status sl_libav_track(struct sl_track *t, AVFormatContext *format, AVStream *stream,
                              struct sl_rational proven_rate, struct sl_error *err)
{
    const AVCodecParameters *par = stream->codecpar;

    set_codec(t, par->codec_id);
    t->id = stream->id;
    t->timebase = rational(stream->time_base);
    t->start = time_or_none(stream->start_time);
    t->duration = time_or_none(stream->duration);
    copy_tag(t->language, sizeof t->language, stream->metadata, "language");
    if (strcmp(t->language, "und") == 0) {
        t->language[0] = '\0';
    }
    copy_tag(t->title, sizeof t->title, stream->metadata, "title");
    t->is_default = (stream->disposition & AV_DISPOSITION_DEFAULT) != 0;
    t->is_forced = (stream->disposition & AV_DISPOSITION_FORCED) != 0;
    t->is_attached_picture = (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    t->bitrate = par->bit_rate;
    t->codec_tag = par->codec_tag;
    if (par->profile >= 0) {
        /* FFmpeg counts AAC's object types from 0, ISO/IEC 14496-3 from 1. */
        t->profile = par->profile + (par->codec_id == AV_CODEC_ID_AAC ? 1 : 0);
    }
    if (par->level >= 0) {
        t->level = par->level;
    }
    switch (par->codec_type) {
    case AVMEDIA_TYPE_VIDEO:
        t->kind = SL_KIND_VIDEO;
        set_picture(t, format, stream, proven_rate);
        break;
    case AVMEDIA_TYPE_AUDIO:
        t->kind = SL_KIND_AUDIO;
        set_sound(t, stream);
        break;
    case AVMEDIA_TYPE_SUBTITLE:
        t->kind = SL_KIND_SUBTITLE;
        break;
    default:
        t->kind = SL_KIND_DATA;
        break;
    }
    return set_config(t, stream, err);
}
