/* SPDX-License-Identifier: BSD-2-Clause */
/* Boxes inside of sample entries. */
#include <string.h>

#include "base/rational.h"
#include "media/flac.h"
#include "media/opus.h"
#include "mux/mp4_track.h"

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

/* ISO/IEC 14496-1 table 5: MPEG-4 audio, or the parts of MPEG-1 and MPEG-2 that MP3 is from, which
 * are their own configuration. */
static unsigned object_type(const struct sl_track *track)
{
    if (track->codec == SL_CODEC_AAC) {
        return 0x40;
    }
    return track->sample_rate >= 32000 ? 0x6b : 0x69;
}

/* ISO/IEC 14496-14 5.6: ES_Descriptor with ES_ID 0, SLConfigDescriptor 2. */
void sl_mp4_write_esds(const struct sl_track *track, struct sl_writer *w)
{
    bool own = track->codec == SL_CODEC_AAC;
    size_t specific = own ? descriptor_size(track->config_size) : 0;
    size_t decoder = descriptor_size(13 + specific);
    size_t box = sl_box_begin_full(w, "esds", 0, 0);
    write_descriptor(w, 0x03, 3 + decoder + descriptor_size(1));
    sl_write_be16(w, 0); /* ES_ID */
    sl_write_u8(w, 0);   /* no dependence, URL or clock; priority 0 */
    write_descriptor(w, 0x04, 13 + specific);
    sl_write_u8(w, object_type(track));
    sl_write_u8(w, 0x15);               /* streamType 5 (audio), upStream 0, reserved 1 */
    sl_write_be24(w, 0);                /* bufferSizeDB: not known */
    sl_write_be32(w, bitrate32(track)); /* maxBitrate: no other figure is known */
    sl_write_be32(w, bitrate32(track));
    if (own) {
        write_descriptor(w, 0x05, track->config_size);
        sl_write_bytes(w, track->config, track->config_size);
    }
    write_descriptor(w, 0x06, 1);
    sl_write_u8(w, 2);
    sl_box_end(w, box);
}

/* The configurations of Opus and FLAC were read when the track was opened. */
void sl_mp4_write_dops(const struct sl_track *track, struct sl_writer *w)
{
    struct sl_opus_head head;
    size_t box = sl_box_begin(w, "dOps");
    if (!sl_opus_parse(track->config, track->config_size, &head, NULL)) {
        sl_opus_write_dops(&head, w);
    }
    sl_box_end(w, box);
}

void sl_mp4_write_dfla(const struct sl_track *track, struct sl_writer *w)
{
    struct sl_flac_info info;
    size_t box = sl_box_begin(w, "dfLa");
    if (!sl_flac_parse(track->config, track->config_size, &info, NULL)) {
        sl_flac_write_dfla(&info, w);
    }
    sl_box_end(w, box);
}

/* ISO/IEC 14496-30 7.5: what stands before the first cue in a WebVTT file. */
void sl_mp4_write_vttc(const struct sl_track *track, struct sl_writer *w)
{
    static const char signature[] = "WEBVTT";
    size_t box = sl_box_begin(w, "vttC");
    if (track->config_size >= sizeof signature - 1 &&
        !memcmp(track->config, signature, sizeof signature - 1)) {
        sl_write_bytes(w, track->config, track->config_size);
    } else {
        sl_write_text(w, signature);
    }
    sl_box_end(w, box);
}

void sl_mp4_write_pasp(const struct sl_track *track, struct sl_writer *w)
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
void sl_mp4_write_colr(const struct sl_colour *colour, struct sl_writer *w)
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

/* 14496-12 12.1.7 and 12.1.6 */
void sl_mp4_write_hdr(const struct sl_hdr *hdr, struct sl_writer *w)
{
    size_t box;
    if (hdr->has_mastering) {
        box = sl_box_begin(w, "mdcv");
        for (unsigned i = 0; i < 3; i++) {
            sl_write_be16(w, hdr->primary[i][0]);
            sl_write_be16(w, hdr->primary[i][1]);
        }
        sl_write_be16(w, hdr->white[0]);
        sl_write_be16(w, hdr->white[1]);
        sl_write_be32(w, hdr->luminance_max);
        sl_write_be32(w, hdr->luminance_min);
        sl_box_end(w, box);
    }
    if (hdr->has_light) {
        box = sl_box_begin(w, "clli");
        sl_write_be16(w, hdr->max_cll);
        sl_write_be16(w, hdr->max_fall);
        sl_box_end(w, box);
    }
}

/* 14496-12 12.2.4, version 0: the speaker of each channel in turn (ISO/IEC 23091-3 table 8). Our
 * masks are in the order of WAVEFORMATEXTENSIBLE, which is that of FLAC's channels; every other
 * codec states its layout itself, and FLAC only the usual one for each number of channels. */
void sl_mp4_write_chnl(const struct sl_track *track, struct sl_writer *w)
{
    static const uint8_t speakers[18] = {0,  1,  2,  3,  8,  9,  6,  7,  10,
                                         13, 14, 25, 17, 19, 18, 20, 22, 21};
    static const uint16_t usual[9] = {0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f};
    size_t box;
    int32_t named = 0;
    for (unsigned bit = 0; bit < 64; bit++) {
        named += (int32_t)(track->channel_layout >> bit & 1);
    }
    if (track->codec != SL_CODEC_FLAC || track->channels > 8 || named != track->channels ||
        track->channel_layout >> 18 || track->channel_layout == usual[track->channels]) {
        return;
    }
    box = sl_box_begin_full(w, "chnl", 0, 0);
    sl_write_u8(w, 1); /* channelStructured */
    sl_write_u8(w, 0); /* definedLayout: positions follow */
    for (unsigned bit = 0; bit < 18; bit++) {
        if (track->channel_layout >> bit & 1) {
            sl_write_u8(w, speakers[bit]);
        }
    }
    sl_box_end(w, box);
}

/* 14496-12 8.5.2.2 */
void sl_mp4_write_btrt(const struct sl_track *track, struct sl_writer *w)
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
