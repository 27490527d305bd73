/* SPDX-License-Identifier: BSD-2-Clause */
/* Sample entries: one line of the table for each codec. Everything in them comes from the track. */
#include <stdbool.h>

#include "base/error.h"
#include "base/rational.h"
#include "mux/fmp4.h"

struct entry {
    enum sl_codec codec;
    enum sl_media_kind kind;
    const char *type;   /* of the sample entry */
    const char *config; /* type of the box that holds the track's config as it is … */
    void (*write)(const struct sl_track *track, struct sl_writer *w); /* … or what writes it */
    bool needs_config;
};

/* ISO/IEC 14496-1 8.3.3: a length in groups of seven bits, the last one without the top bit. */
static void write_descriptor(struct sl_writer *w, unsigned tag, size_t size)
{
    unsigned groups = 1;
    while (groups < 4 && size >> (7 * groups)) {
        groups++;
    }
    sl_write_u8(w, tag);
    while (groups--) {
        sl_write_u8(w, (unsigned)(size >> (7 * groups) & 127) | (groups ? 128u : 0u));
    }
}

static size_t descriptor_size(size_t size)
{
    unsigned groups = 1;
    while (groups < 4 && size >> (7 * groups)) {
        groups++;
    }
    return 1 + groups + size;
}

static uint32_t bitrate32(const struct sl_track *track)
{
    if (track->bitrate <= 0) {
        return 0;
    }
    return track->bitrate > UINT32_MAX ? UINT32_MAX : (uint32_t)track->bitrate;
}

/* ISO/IEC 14496-14 5.6: ES_Descriptor with ES_ID 0, SLConfigDescriptor 2. */
static void write_esds(const struct sl_track *track, struct sl_writer *w)
{
    size_t specific = descriptor_size(track->config_size);
    size_t decoder = descriptor_size(13 + specific);
    size_t box = sl_box_begin_full(w, "esds", 0, 0);
    write_descriptor(w, 0x03, 3 + decoder + descriptor_size(1));
    sl_write_be16(w, 0); /* ES_ID */
    sl_write_u8(w, 0);   /* no dependence, URL or clock; priority 0 */
    write_descriptor(w, 0x04, 13 + specific);
    sl_write_u8(w, 0x40);               /* objectTypeIndication: ISO/IEC 14496-3 */
    sl_write_u8(w, 0x15);               /* streamType 5 (audio), upStream 0, reserved 1 */
    sl_write_be24(w, 0);                /* bufferSizeDB: not known */
    sl_write_be32(w, bitrate32(track)); /* maxBitrate: no other figure is known */
    sl_write_be32(w, bitrate32(track));
    write_descriptor(w, 0x05, track->config_size);
    sl_write_bytes(w, track->config, track->config_size);
    write_descriptor(w, 0x06, 1);
    sl_write_u8(w, 2);
    sl_box_end(w, box);
}

static const struct entry entries[] = {
    {SL_CODEC_H264, SL_KIND_VIDEO, "avc1", "avcC", NULL, true},
    {SL_CODEC_HEVC, SL_KIND_VIDEO, "hvc1", "hvcC", NULL, true},
    {SL_CODEC_AAC, SL_KIND_AUDIO, "mp4a", NULL, write_esds, true},
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

enum sl_status sl_fmp4_entry_check(const struct sl_track *track, size_t index, struct sl_error *err)
{
    const struct entry *entry = find_entry(track->codec);
    if (!entry) {
        return sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME, "track %zu: no sample entry for %s",
                       index,
                       track->codec_name[0] ? track->codec_name : sl_codec_name(track->codec));
    }
    if (track->kind != entry->kind) {
        return sl_fail(err, SL_EINVAL, SL_FMP4_NAME, "track %zu: %s as a track of kind %s", index,
                       sl_codec_name(track->codec), sl_kind_name(track->kind));
    }
    if (entry->needs_config && (!track->config || !track->config_size)) {
        return sl_fail(err, SL_EINVAL, SL_FMP4_NAME,
                       "track %zu: %s without its decoder configuration", index,
                       sl_codec_name(track->codec));
    }
    if (track->kind == SL_KIND_VIDEO && (track->width < 1 || track->width > UINT16_MAX ||
                                         track->height < 1 || track->height > UINT16_MAX)) {
        return sl_fail(err, SL_EINVAL, SL_FMP4_NAME, "track %zu: %dx%d, expected 1 to 65535 a side",
                       index, track->width, track->height);
    }
    if (track->kind == SL_KIND_AUDIO &&
        (track->channels < 1 || track->channels > UINT16_MAX || track->sample_rate < 1)) {
        return sl_fail(err, SL_EINVAL, SL_FMP4_NAME,
                       "track %zu: %d channels at %d Hz, expected 1 or more of each", index,
                       track->channels, track->sample_rate);
    }
    return SL_OK;
}

static void write_pasp(const struct sl_track *track, struct sl_writer *w)
{
    struct sl_rational sar;
    size_t box;
    if (!sl_rational_valid(track->sample_aspect)) {
        return;
    }
    sar = sl_rational_limit(track->sample_aspect, INT32_MAX);
    box = sl_box_begin(w, "pasp");
    sl_write_be32(w, (uint32_t)sar.num);
    sl_write_be32(w, (uint32_t)sar.den);
    sl_box_end(w, box);
}

/* 14496-12 12.1.5. Absent where nothing is stated: a box of "unspecified" says less than none. */
static void write_colr(const struct sl_colour *colour, struct sl_writer *w)
{
    size_t box;
    if (colour->primaries == 2 && colour->transfer == 2 && colour->matrix == 2 &&
        colour->range == SL_RANGE_UNSPECIFIED) {
        return;
    }
    box = sl_box_begin(w, "colr");
    sl_write_bytes(w, "nclx", 4);
    sl_write_be16(w, colour->primaries);
    sl_write_be16(w, colour->transfer);
    sl_write_be16(w, colour->matrix);
    sl_write_u8(w, colour->range == SL_RANGE_FULL ? 0x80 : 0);
    sl_box_end(w, box);
}

/* 14496-12 8.5.2.2 */
static void write_btrt(const struct sl_track *track, struct sl_writer *w)
{
    size_t box;
    if (track->bitrate <= 0) {
        return;
    }
    box = sl_box_begin(w, "btrt");
    sl_write_be32(w, 0); /* bufferSizeDB: not known */
    sl_write_be32(w, bitrate32(track));
    sl_write_be32(w, bitrate32(track));
    sl_box_end(w, box);
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

static void write_audio(const struct sl_track *track, struct sl_writer *w)
{
    sl_write_zeros(w, 8);
    sl_write_be16(w, (unsigned)track->channels);
    sl_write_be16(w, 16); /* samplesize, fixed by 14496-12 12.2.3 */
    sl_write_be32(w, 0);
    /* 16.16: rates that do not fit are left to the decoder configuration. */
    sl_write_be32(w, track->sample_rate <= UINT16_MAX ? (uint32_t)track->sample_rate << 16 : 0);
}

void sl_fmp4_entry_write(const struct sl_track *track, struct sl_writer *w)
{
    const struct entry *entry = find_entry(track->codec);
    size_t box = sl_box_begin(w, entry->type);
    sl_write_zeros(w, 6);
    sl_write_be16(w, 1); /* data_reference_index */
    if (track->kind == SL_KIND_VIDEO) {
        write_visual(track, w);
    } else {
        write_audio(track, w);
    }
    write_config(entry, track, w);
    if (track->kind == SL_KIND_VIDEO) {
        write_pasp(track, w);
        write_colr(&track->colour, w);
    }
    if (entry->config) { /* esds has the rates inside */
        write_btrt(track, w);
    }
    sl_box_end(w, box);
}
