/* SPDX-License-Identifier: BSD-2-Clause */
/* Sample entries: one line of the table for each codec. Everything in them comes from the track. */
#include "base/error.h"
#include "media/flac.h"
#include "media/opus.h"
#include "media/vp9.h"
#include "mux/mp4_track.h"

struct entry {
    enum sl_codec codec;
    enum sl_media_kind kind;
    const char *type;    /* of the sample entry */
    const char *in_band; /* the same where parameter sets are in the samples */
    const char *config;  /* type of the box that holds the track's config as it is … */
    void (*write)(const struct sl_track *track, struct sl_writer *w); /* … or what writes it */
    size_t config_min;                                                /* bytes */
};

static const struct entry entries[] = {
    {SL_CODEC_H264, SL_KIND_VIDEO, "avc1", "avc3", "avcC", NULL, 1},
    {SL_CODEC_HEVC, SL_KIND_VIDEO, "hvc1", "hev1", "hvcC", NULL, 1},
    {SL_CODEC_AV1, SL_KIND_VIDEO, "av01", NULL, "av1C", NULL, 4},
    {SL_CODEC_VP9, SL_KIND_VIDEO, "vp09", NULL, "vpcC", NULL, 12},
    {SL_CODEC_VP8, SL_KIND_VIDEO, "vp08", NULL, "vpcC", NULL, 12},
    {SL_CODEC_AAC, SL_KIND_AUDIO, "mp4a", NULL, NULL, sl_mp4_write_esds, 1},
    {SL_CODEC_MP3, SL_KIND_AUDIO, "mp4a", NULL, NULL, sl_mp4_write_esds, 0},
    {SL_CODEC_AC3, SL_KIND_AUDIO, "ac-3", NULL, "dac3", NULL, 3},
    {SL_CODEC_EAC3, SL_KIND_AUDIO, "ec-3", NULL, "dec3", NULL, 5},
    {SL_CODEC_OPUS, SL_KIND_AUDIO, "Opus", NULL, NULL, sl_mp4_write_dops, 1},
    {SL_CODEC_FLAC, SL_KIND_AUDIO, "fLaC", NULL, NULL, sl_mp4_write_dfla, 1},
    {SL_CODEC_WEBVTT, SL_KIND_SUBTITLE, "wvtt", NULL, NULL, sl_mp4_write_vttc, 0},
};

static const struct entry *find_entry(enum sl_codec codec)
{
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        if (entries[i].codec == codec) {
            return &entries[i];
        }
    }
    return NULL;
}

/* What is written into boxes of its own, or not as it is, is read before a byte of it goes out. */
static enum sl_status check_config(const struct sl_track *t, const char *name, size_t index,
                                   struct sl_error *err)
{
    struct sl_opus_head opus;
    struct sl_flac_info flac;
    struct sl_vpcc vp;
    struct sl_error why = {0};
    enum sl_status status = SL_OK;
    switch (t->codec) {
    case SL_CODEC_OPUS:
        status = sl_opus_parse(t->config, t->config_size, &opus, &why);
        break;
    case SL_CODEC_FLAC:
        status = sl_flac_parse(t->config, t->config_size, &flac, &why);
        break;
    case SL_CODEC_AV1:
        if (t->config[0] != 0x81) {
            status = sl_fail(&why, SL_EDATA, NULL, "begins with %02x (81)", t->config[0]);
        }
        break;
    case SL_CODEC_VP8:
    case SL_CODEC_VP9:
        if (!sl_vpcc_parse(t->config, t->config_size, &vp)) {
            status = sl_fail(&why, SL_EDATA, NULL, "is no vpcC of version 1");
        }
        break;
    default:
        break;
    }
    if (!status) {
        return SL_OK;
    }
    return sl_fail(err, status, name, "track %zu: the configuration of %s: %s", index,
                   sl_codec_name(t->codec), why.msg);
}

enum sl_status sl_mp4_entry_check(const struct sl_track *track, const char *name, size_t index,
                                  struct sl_error *err)
{
    const struct entry *entry = find_entry(track->codec);
    if (!entry) {
        return sl_fail(err, SL_EUNSUPPORTED, name, "track %zu: no sample entry for %s", index,
                       track->codec_name[0] ? track->codec_name : sl_codec_name(track->codec));
    }
    if (track->kind != entry->kind) {
        return sl_fail(err, SL_EINVAL, name, "track %zu: %s as a track of kind %s", index,
                       sl_codec_name(track->codec), sl_kind_name(track->kind));
    }
    if (entry->config_min > 0 && (!track->config || track->config_size < entry->config_min)) {
        return sl_fail(err, SL_EINVAL, name, "track %zu: %s without its decoder configuration",
                       index, sl_codec_name(track->codec));
    }
    if (track->kind == SL_KIND_VIDEO && (track->width < 1 || track->width > UINT16_MAX ||
                                         track->height < 1 || track->height > UINT16_MAX)) {
        return sl_fail(err, SL_EINVAL, name, "track %zu: %dx%d, expected 1 to 65535 a side", index,
                       track->width, track->height);
    }
    if (track->kind == SL_KIND_AUDIO &&
        (track->channels < 1 || track->channels > UINT16_MAX || track->sample_rate < 1)) {
        return sl_fail(err, SL_EINVAL, name,
                       "track %zu: %d channels at %d Hz, expected 1 or more of each", index,
                       track->channels, track->sample_rate);
    }
    return check_config(track, name, index, err);
}

static void write_config(const struct entry *entry, const struct sl_track *track,
                         struct sl_writer *w)
{
    size_t box;
    if (entry->write) {
        entry->write(track, w);
        return;
    }
    box = sl_box_begin(w, entry->config);
    sl_write_bytes(w, track->config, track->config_size);
    sl_box_end(w, box);
}

static void write_visual(const struct sl_track *track, struct sl_writer *w)
{
    sl_write_zeros(w, 16); /* pre_defined, reserved */
    sl_write_be16(w, (unsigned)track->width);
    sl_write_be16(w, (unsigned)track->height);
    sl_write_be32(w, 0x00480000); /* 72 dpi, as 14496-12 12.1.3 fixes it */
    sl_write_be32(w, 0x00480000);
    sl_write_be32(w, 0);
    sl_write_be16(w, 1);      /* frame_count */
    sl_write_zeros(w, 32);    /* compressorname */
    sl_write_be16(w, 0x0018); /* depth: colour, no alpha */
    sl_write_be16(w, 0xffff);
}

/* samplesize is 16 whatever the codec (14496-12 12.2.3), but for FLAC, whose binding wants the
 * stream's; Opus runs at 48 kHz whatever went into it. */
static void write_audio(const struct sl_track *track, struct sl_writer *w)
{
    struct sl_flac_info flac;
    uint32_t rate = (uint32_t)track->sample_rate;
    unsigned size = 16;
    if (track->codec == SL_CODEC_FLAC &&
        !sl_flac_parse(track->config, track->config_size, &flac, NULL)) {
        size = flac.bit_depth;
    }
    if (track->codec == SL_CODEC_OPUS) {
        rate = SL_OPUS_RATE;
    }
    sl_write_zeros(w, 8);
    sl_write_be16(w, (unsigned)track->channels);
    sl_write_be16(w, size);
    sl_write_be32(w, 0);
    /* 16.16: rates that do not fit are left to the decoder configuration. */
    sl_write_be32(w, rate <= UINT16_MAX ? rate << 16 : 0);
}

void sl_mp4_entry_write(const struct sl_track *track, bool in_band, struct sl_writer *w)
{
    const struct entry *entry = find_entry(track->codec);
    size_t box = sl_box_begin(w, in_band && entry->in_band ? entry->in_band : entry->type);
    sl_write_zeros(w, 6);
    sl_write_be16(w, 1); /* data_reference_index */
    if (track->kind == SL_KIND_VIDEO) {
        write_visual(track, w);
    } else if (track->kind == SL_KIND_AUDIO) {
        write_audio(track, w);
    }
    write_config(entry, track, w);
    if (track->kind == SL_KIND_VIDEO) {
        sl_mp4_write_pasp(track, w);
        sl_mp4_write_colr(&track->colour, w);
        sl_mp4_write_hdr(&track->hdr, w);
    } else if (track->kind == SL_KIND_AUDIO) {
        sl_mp4_write_chnl(track, w);
    }
    if (entry->write != sl_mp4_write_esds) { /* esds has the rates inside */
        sl_mp4_write_btrt(track, w);
    }
    sl_box_end(w, box);
}

/* Opus converges in 80 ms (RFC 7845 4.6), four of the usual packets; its binding wants it stated
 * always. AAC needs one frame before, which is stated where the source says so. */
int sl_mp4_roll(const struct sl_track *t)
{
    if (t->codec == SL_CODEC_OPUS) {
        int32_t samples = t->seek_preroll > 0 ? t->seek_preroll : 3840;
        return -(samples / 960 + (samples % 960 > 0));
    }
    if (t->codec == SL_CODEC_AAC && t->seek_preroll > 0) {
        return -(t->seek_preroll / 1024 + (t->seek_preroll % 1024 > 0));
    }
    return 0;
}
