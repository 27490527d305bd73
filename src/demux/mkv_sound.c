/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a frame of sound is: what gives each laced frame its time where the container states no
 * durations. Only headers are looked at. */
#include "base/bits.h"
#include "demux/mkv.h"
#include "media/aac.h"

/* ITU-R: AC-3 (ETSI TS 102 366 4.4.1) has six blocks of 256, E-AC-3 (E.1.3.1.5) one to six. */
static int32_t ac3_samples(const uint8_t *p, size_t size, bool enhanced)
{
    static const int32_t blocks[] = {256, 512, 768, 1536};
    if (!enhanced || size < 5) {
        return 1536;
    }
    return p[4] >> 6 == 3 ? 1536 : blocks[p[4] >> 4 & 3];
}

/* ISO/IEC 11172-3 2.4.2.3, 13818-3 */
static int32_t mpeg_samples(const uint8_t *p, size_t size)
{
    unsigned version = 0;
    unsigned layer = 0;

    if (size < 4 || p[0] != 0xff || (p[1] & 0xe0) != 0xe0) {
        return 0;
    }
    version = p[1] >> 3 & 3; /* 3: MPEG-1 */
    layer = p[1] >> 1 & 3;   /* 3: I, 2: II, 1: III */
    if (layer == 3) {
        return 384;
    }
    return layer == 1 && version != 3 ? 576 : 1152;
}

/* RFC 6716 3.1, at 48 kHz */
static int32_t opus_samples(const uint8_t *p, size_t size)
{
    static const int32_t silk[] = {480, 960, 1920, 2880};
    unsigned config = 0;
    int32_t frames = 1;
    int32_t each = 0;

    if (size < 1) {
        return 0;
    }
    config = p[0] >> 3;
    if (config < 12) {
        each = silk[config & 3];
    } else if (config < 16) {
        each = config & 1 ? 960 : 480;
    } else {
        each = 120 << (config & 3);
    }
    switch (p[0] & 3) {
    case 0:
        break;
    case 3:
        frames = size > 1 ? p[1] & 63 : 0;
        break;
    default:
        frames = 2;
        break;
    }
    return frames * each;
}

/* ETSI TS 102 114 5.3.1: NBLKS, seven bits after sync word, type and deficit */
static int32_t dts_samples(const uint8_t *p, size_t size)
{
    struct sl_bit_reader b;

    sl_bits_init(&b, p, size);
    if (sl_bits_read(&b, 32) != 0x7ffe8001) {
        return 0;
    }
    sl_bits_skip(&b, 7);
    int32_t blocks = (int32_t)sl_bits_read(&b, 7) + 1;
    return b.overrun ? 0 : blocks * 32;
}

/* RFC 9639 9.1.1 */
static int32_t flac_samples(const uint8_t *p, size_t size)
{
    unsigned code = 0;
    size_t at = 4;

    if (size < 5 || p[0] != 0xff || (p[1] & 0xfc) != 0xf8) {
        return 0;
    }
    code = p[2] >> 4;
    if (code == 1) {
        return 192;
    }
    if (code >= 2 && code <= 5) {
        return 144 << code;
    }
    if (code >= 8) {
        return 1 << code;
    }
    /* Behind the coded number, which is as long as its first byte has leading ones. */
    for (uint8_t first = p[4]; at < size && (first & 0x80); first = (uint8_t)(first << 1)) {
        at++;
    }
    at += p[4] & 0x80 ? 0 : 1;
    if (code == 6 && at < size) {
        return p[at] + 1;
    }
    if (code == 7 && at + 1 < size) {
        return (p[at] << 8 | p[at + 1]) + 1;
    }
    return 0;
}

static int32_t vorbis_samples(struct sl_mkv_sound *s, const uint8_t *p, size_t size)
{
    unsigned block = sl_vorbis_block(&s->vorbis, p, size);
    unsigned before = s->last_block;

    s->last_block = block > 0 ? block : before;
    return sl_vorbis_samples(before, block);
}

void sl_mkv_sound_init(struct sl_mkv_sound *s, const struct sl_track *t)
{
    struct sl_aac_config aac;

    s->rate = t->sample_rate;
    switch (t->codec) {
    case SL_CODEC_AAC:
        s->frame = 1024;
        if (sl_aac_parse_config(t->config, t->config_size, &aac, NULL) == SL_OK &&
            aac.sample_rate > 0) {
            s->frame = aac.frame_samples;
            s->rate = (int32_t)aac.sample_rate; /* before SBR */
        }
        break;
    case SL_CODEC_OPUS:
        s->rate = 48000;
        break;
    case SL_CODEC_TRUEHD:
        s->frame = t->sample_rate / 1200;
        break;
    case SL_CODEC_PCM:
        s->bytes = t->block_align;
        break;
    case SL_CODEC_VORBIS:
        (void)sl_vorbis_parse(t->config, t->config_size, &s->vorbis);
        break;
    default:
        break;
    }
}

int32_t sl_mkv_sound_samples(struct sl_mkv_sound *s, enum sl_codec codec, const uint8_t *head,
                             size_t size, int64_t frame_size)
{
    if (s->frame > 0) {
        return s->frame;
    }
    switch (codec) {
    case SL_CODEC_AC3:
    case SL_CODEC_EAC3:
        return ac3_samples(head, size, codec == SL_CODEC_EAC3);
    case SL_CODEC_MP3:
    case SL_CODEC_MP2:
        return mpeg_samples(head, size);
    case SL_CODEC_OPUS:
        return opus_samples(head, size);
    case SL_CODEC_DTS:
        return dts_samples(head, size);
    case SL_CODEC_FLAC:
        return flac_samples(head, size);
    case SL_CODEC_VORBIS:
        return vorbis_samples(s, head, size);
    case SL_CODEC_PCM:
        return s->bytes > 0 && frame_size / s->bytes <= INT32_MAX ? (int32_t)(frame_size / s->bytes)
                                                                  : 0;
    default:
        return 0;
    }
}
