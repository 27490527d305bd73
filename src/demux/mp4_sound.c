/* SPDX-License-Identifier: BSD-2-Clause */
/* Sample entries of sound: ISO/IEC 14496-12 12.2, QuickTime's versions 1 and 2 of them, and esds
 * (ISO/IEC 14496-1 7.2.6), which pictures have too. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/error.h"
#include "base/rational.h"
#include "demux/mp4.h"
#include "media/aac.h"
#include "media/track.h"

#define PCM_PACKET 1024 /* samples: sound of fixed size comes in packets of so many */

static const struct sl_mp4_codec sounds[] = {
    {"mp4a", SL_CODEC_AAC, NULL, "esds"},  {"ac-3", SL_CODEC_AC3, NULL, "dac3"},
    {"sac3", SL_CODEC_AC3, NULL, "dac3"},  {"ec-3", SL_CODEC_EAC3, NULL, "dec3"},
    {"Opus", SL_CODEC_OPUS, NULL, "dOps"}, {"fLaC", SL_CODEC_FLAC, NULL, "dfLa"},
    {"alac", SL_CODEC_ALAC, NULL, "alac"}, {".mp3", SL_CODEC_MP3, NULL, NULL},
    {"mp3 ", SL_CODEC_MP3, NULL, NULL},    {"ms\0U", SL_CODEC_MP3, NULL, NULL},
    {"dtsc", SL_CODEC_DTS, NULL, NULL},    {"dtsh", SL_CODEC_DTS, NULL, NULL},
    {"dtsl", SL_CODEC_DTS, NULL, NULL},    {"dtse", SL_CODEC_DTS, NULL, NULL},
    {"mlpa", SL_CODEC_TRUEHD, NULL, NULL},
};

/* Sound whose samples are of one size. bits: of one value, 0 where the entry says it; end: 'b' or
 * 'l'; kind: as in FFmpeg's names. */
static const struct {
    const char *type;
    uint8_t bits;
    char kind, end;
} plain[] = {
    {"twos", 0, 's', 'b'},  {"sowt", 0, 's', 'l'},  {"raw ", 0, 'u', 'b'},  {"NONE", 0, 'u', 'b'},
    {"in24", 24, 's', 'b'}, {"in32", 32, 's', 'b'}, {"fl32", 32, 'f', 'b'}, {"fl64", 64, 'f', 'b'},
    {"lpcm", 0, 's', 'b'},  {"ulaw", 8, 'm', 'b'},  {"alaw", 8, 'a', 'b'},
};

struct sound {
    struct sl_mp4 *d;
    struct sl_mp4_track *t;
    struct sl_track *track;
    const struct sl_mp4_codec *codec;
    unsigned version, bits;
    uint32_t samples_per_packet, bytes_per_frame; /* version 1 */
    uint32_t lpcm_flags;                          /* version 2 */
    size_t boxes;                                 /* where children begin */
    bool little_endian;
};

/* As libavcodec has them: mono, stereo, 3.0 or 2.1, 4.0, 5.0, 5.1, 6.1, 7.1. */
static uint64_t usual_layout(int32_t channels)
{
    static const uint64_t masks[] = {0, 0x4, 0x3, 0xb, 0x107, 0x37, 0x3f, 0x70f, 0x63f};
    return channels > 0 && channels <= 8 ? masks[channels] : 0;
}

/* ---- esds --------------------------------------------------------------------------------- */

/* 14496-1 8.3.3: tag, then a length of up to four bytes; at most what is left. */
static unsigned read_descriptor(struct sl_reader *r, size_t *size)
{
    unsigned tag = sl_read_u8(r);
    size_t n = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t b = sl_read_u8(r);
        n = n << 7 | (b & 0x7f);
        if (!(b & 0x80)) {
            break;
        }
    }
    *size = n < sl_reader_left(r) ? n : sl_reader_left(r);
    return r->overrun ? 0 : tag;
}

/* Object type indications of the registration authority (mp4ra.org). */
static enum sl_codec codec_of(unsigned indication, enum sl_codec otherwise)
{
    switch (indication) {
    case 0x20:
        return SL_CODEC_MPEG4;
    case 0x21:
        return SL_CODEC_H264;
    case 0x23:
        return SL_CODEC_HEVC;
    case 0x40:
    case 0x66:
    case 0x67:
    case 0x68:
        return SL_CODEC_AAC;
    case 0x60:
    case 0x61:
    case 0x62:
    case 0x63:
    case 0x64:
    case 0x65:
        return SL_CODEC_MPEG2;
    case 0x69:
    case 0x6b:
        return SL_CODEC_MP3;
    case 0x6c:
        return SL_CODEC_MJPEG;
    case 0xa5:
        return SL_CODEC_AC3;
    case 0xa6:
        return SL_CODEC_EAC3;
    case 0xa9:
    case 0xaa:
    case 0xab:
    case 0xac:
        return SL_CODEC_DTS;
    case 0xad:
        return SL_CODEC_OPUS;
    case 0xdd:
        return SL_CODEC_VORBIS;
    default:
        return otherwise;
    }
}

enum sl_status sl_mp4_read_esds(struct sl_mp4 *d, const struct sl_mp4_box *esds,
                                struct sl_track *track, struct sl_error *err)
{
    struct sl_reader r;
    size_t size = 0;

    sl_reader_init(&r, esds->data, esds->size);
    sl_read_skip(&r, 4);
    unsigned tag = read_descriptor(&r, &size);
    if (tag == 0x03) { /* ES_Descriptor */
        sl_read_skip(&r, 2);
        unsigned flags = sl_read_u8(&r);
        sl_read_skip(&r, flags & 0x80 ? 2 : 0);
        if (flags & 0x40) {
            sl_read_skip(&r, sl_read_u8(&r));
        }
        sl_read_skip(&r, flags & 0x20 ? 2 : 0);
        tag = read_descriptor(&r, &size);
    }
    if (tag != 0x04 || size < 13) { /* DecoderConfigDescriptor */
        return sl_fail_at(err, SL_EDATA, d->name, esds->offset,
                          "box 'esds' of %zu bytes holds no decoder configuration", esds->size);
    }
    unsigned indication = sl_read_u8(&r);
    sl_read_skip(&r, 4);
    uint32_t most = sl_read_be32(&r);
    uint32_t average = sl_read_be32(&r);
    track->bitrate = average ? average : most;
    enum sl_codec codec = codec_of(indication, track->codec);
    sl_mp4_set_codec(track, codec, NULL);
    if (size > 13 && read_descriptor(&r, &size) == 0x05 && track->config_size == 0 && size > 0) {
        return sl_track_set_config(track, sl_read_bytes(&r, size), size, err);
    }
    return SL_OK;
}

/* ---- what the configurations say ---------------------------------------------------------- */

/* ISO/IEC 14496-3 table 1.19, with the places that FFmpeg gives to back channels. */
static uint64_t aac_layout(unsigned config)
{
    static const uint64_t masks[] = {0,    0x4, 0x3, 0x7, 0x107, 0x37, 0x3f,
                                     0xff, 0,   0,   0,   0x70f, 0x63f};
    return config < sizeof masks / sizeof *masks ? masks[config] : 0;
}

static void describe_aac(struct sl_track *track)
{
    struct sl_aac_config c;

    if (sl_aac_parse_config(track->config, track->config_size, &c, NULL) == SL_EDATA) {
        return;
    }
    track->profile = c.declared_type;
    if (c.object_type >= 32 || c.sample_rate == 0) {
        return; /* layers of another family: what the entry says stands */
    }
    track->sample_rate = (int32_t)(c.output_rate ? c.output_rate : c.sample_rate);
    if (c.channels > 0) {
        track->channels = c.ps && c.channels == 1 ? 2 : c.channels;
        track->channel_layout = c.ps && c.channels == 1 ? 0x3 : aac_layout(c.channel_config);
    }
}

/* ETSI TS 102 366 table 4.3: acmod */
static const uint64_t ac3_layouts[] = {0x3, 0x4, 0x3, 0x7, 0x103, 0x107, 0x603, 0x607};
static const uint8_t ac3_channels[] = {2, 1, 2, 3, 3, 4, 4, 5};
static const int32_t ac3_rates[] = {48000, 44100, 32000, 0};

static void set_ac3(struct sl_track *track, unsigned rate, unsigned mode, bool lfe)
{
    if (ac3_rates[rate] > 0) {
        track->sample_rate = ac3_rates[rate];
    }
    track->channels = ac3_channels[mode] + (lfe ? 1 : 0);
    track->channel_layout = ac3_layouts[mode] | (lfe ? 0x8U : 0U);
}

/* TS 102 366 F.4 and F.6 */
static void describe_ac3(struct sl_track *track, bool enhanced)
{
    struct sl_bit_reader b;

    sl_bits_init(&b, track->config, track->config_size);
    sl_bits_skip(&b, enhanced ? 16 : 0); /* data_rate, num_ind_sub */
    unsigned rate = sl_bits_read(&b, 2);
    sl_bits_skip(&b, enhanced ? 7 : 5); /* bsid; reserved, asvc */
    sl_bits_skip(&b, 3);
    unsigned mode = sl_bits_read(&b, 3);
    bool lfe = sl_bits_flag(&b);
    if (b.overrun) {
        return;
    }
    set_ac3(track, rate, mode, lfe);
    if (enhanced) {
        sl_bits_skip(&b, 3);
        unsigned dependents = sl_bits_read(&b, 4);
        unsigned places = dependents > 0 ? sl_bits_read(&b, 9) : 0;
        if (!b.overrun && (places & 2) && mode == 7) { /* Lrs and Rrs: 7.1 */
            track->channels += 2;
            track->channel_layout |= 0x30;
        }
    }
}

/* "Encapsulation of Opus in ISO Base Media File Format" 4.3.2, turned into what the rest of the
 * world has for it: RFC 7845 5.1. */
static enum sl_status set_opus(struct sound *s, const struct sl_mp4_box *box, struct sl_error *err)
{
    struct sl_writer w;
    struct sl_reader r;
    struct sl_track *track = s->track;

    sl_reader_init(&r, box->data, box->size);
    unsigned version = sl_read_u8(&r);
    unsigned channels = sl_read_u8(&r);
    unsigned skip = sl_read_be16(&r);
    uint32_t rate = sl_read_be32(&r);
    unsigned gain = sl_read_be16(&r);
    unsigned family = sl_read_u8(&r);
    size_t rest = family > 0 ? 2 + (size_t)channels : 0;
    if (r.overrun || version != 0 || channels == 0 || rest > sl_reader_left(&r)) {
        return sl_fail_at(err, SL_EDATA, s->d->name, box->offset,
                          "box 'dOps' of %zu bytes: version %u, %u channels", box->size, version,
                          channels);
    }
    sl_writer_init(&w, 19 + 2 + 255);
    sl_write_text(&w, "OpusHead");
    sl_write_u8(&w, 1);
    sl_write_u8(&w, channels);
    sl_write_le16(&w, skip);
    sl_write_le32(&w, rate);
    sl_write_le16(&w, gain);
    sl_write_u8(&w, family);
    sl_write_bytes(&w, sl_read_bytes(&r, rest), rest);
    enum sl_status status = sl_writer_finish(&w, err);
    if (status == SL_OK) {
        status = sl_track_set_config(track, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    /* RFC 7845 5.1.1.2: the order of Vorbis; as masks, 5.1 is with back channels there. */
    static const uint64_t masks[] = {0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f};
    track->channels = (int32_t)channels;
    track->channel_layout = family <= 1 && channels <= 8 ? masks[channels] : 0;
    track->sample_rate = 48000;
    track->delay = (int32_t)skip;
    track->seek_preroll = 3840; /* RFC 7845 4.6: 80 ms */
    return status;
}

/* RFC 9639 8.2, in dfLa (a full box of metadata blocks, STREAMINFO first). */
static enum sl_status set_flac(struct sound *s, const struct sl_mp4_box *box, struct sl_error *err)
{
    static const uint64_t masks[] = {0, 0x4, 0x3, 0x7, 0x33, 0x37, 0x3f, 0x70f, 0x63f};
    struct sl_bit_reader b;

    if (box->size < 42 || (box->data[4] & 0x7f) != 0) {
        return sl_fail_at(err, SL_EDATA, s->d->name, box->offset,
                          "box 'dfLa' of %zu bytes does not begin with STREAMINFO", box->size);
    }
    sl_bits_init(&b, box->data + 8, 34);
    sl_bits_skip(&b, 80);
    s->track->sample_rate = (int32_t)sl_bits_read(&b, 20);
    s->track->channels = (int32_t)sl_bits_read(&b, 3) + 1;
    s->track->bit_depth = (int32_t)sl_bits_read(&b, 5) + 1;
    s->track->channel_layout = masks[s->track->channels];
    return sl_track_set_config(s->track, box->data + 8, 34, err);
}

/* The box as it is, with its header: what decoders of ALAC take. */
static enum sl_status set_alac(struct sound *s, const struct sl_mp4_box *box, struct sl_error *err)
{
    struct sl_reader r;
    struct sl_writer w;

    sl_reader_init(&r, box->data, box->size);
    sl_read_skip(&r, 9);
    unsigned depth = sl_read_u8(&r);
    sl_read_skip(&r, 3);
    unsigned channels = sl_read_u8(&r);
    sl_read_skip(&r, 10);
    uint32_t rate = sl_read_be32(&r);
    if (r.overrun) {
        return SL_OK; /* another box of this name: QuickTime repeats the entry within wave */
    }
    s->track->bit_depth = (int32_t)depth;
    s->track->channels = channels > 0 ? (int32_t)channels : s->track->channels;
    s->track->channel_layout = usual_layout(s->track->channels);
    s->track->sample_rate = rate > 0 && rate <= INT32_MAX ? (int32_t)rate : s->track->sample_rate;
    sl_writer_init(&w, box->size + 8);
    sl_write_be32(&w, (uint32_t)(box->size + 8));
    sl_write_text(&w, "alac");
    sl_write_bytes(&w, box->data, box->size);
    enum sl_status status = sl_writer_finish(&w, err);
    if (status == SL_OK) {
        status = sl_track_set_config(s->track, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    return status;
}

static enum sl_status set_config(struct sound *s, const struct sl_mp4_box *box,
                                 struct sl_error *err)
{
    switch (s->track->codec) {
    case SL_CODEC_OPUS:
        return set_opus(s, box, err);
    case SL_CODEC_FLAC:
        return set_flac(s, box, err);
    case SL_CODEC_ALAC:
        return set_alac(s, box, err);
    default:
        return sl_track_set_config(s->track, box->data, box->size, err);
    }
}

/* QuickTime keeps the boxes of a codec within 'wave'. */
static enum sl_status read_boxes(struct sound *s, const struct sl_mp4_box *parent, size_t skip,
                                 unsigned depth, struct sl_error *err)
{
    struct sl_mp4_walk w;
    struct sl_mp4_box box;
    enum sl_status status = SL_OK;

    sl_mp4_walk_init(&w, s->d->name, parent, skip);
    while ((status = sl_mp4_walk_next(&w, &box, err)) == SL_OK) {
        if (sl_mp4_is(&box, "esds")) {
            status = sl_mp4_read_esds(s->d, &box, s->track, err);
        } else if (s->codec && s->codec->config && sl_mp4_is(&box, s->codec->config) &&
                   s->track->config_size == 0) {
            status = set_config(s, &box, err);
        } else if (sl_mp4_is(&box, "wave") && depth == 0) {
            status = read_boxes(s, &box, 0, 1, err);
        } else if (sl_mp4_is(&box, "enda") && box.size >= 2) {
            s->little_endian = box.data[1] == 1;
        } else if (sl_mp4_is(&box, "srat") && box.size >= 8) { /* 14496-12 12.2.4 */
            struct sl_reader r;
            sl_reader_init(&r, box.data, box.size);
            sl_read_skip(&r, 4);
            uint32_t rate = sl_read_be32(&r);
            s->track->sample_rate = rate <= INT32_MAX ? (int32_t)rate : s->track->sample_rate;
        } else if (sl_mp4_is(&box, "btrt") && box.size >= 12 && s->track->bitrate == 0) {
            struct sl_reader r;
            sl_reader_init(&r, box.data, box.size);
            sl_read_skip(&r, 8);
            s->track->bitrate = sl_read_be32(&r);
        }
        if (status != SL_OK) {
            return status;
        }
    }
    return status == SL_EOF ? SL_OK : status;
}

/* ---- the entry itself --------------------------------------------------------------------- */

static int32_t from_double(uint64_t bits)
{
    double v = 0;
    memcpy(&v, &bits, sizeof v);
    return v >= 1 && v <= INT32_MAX ? (int32_t)(v + 0.5) : 0;
}

static enum sl_status read_fields(struct sound *s, const struct sl_mp4_box *entry,
                                  struct sl_error *err)
{
    struct sl_reader r;
    struct sl_track *track = s->track;
    /* 14496-12 12.2.3: in a 'stsd' of version 1 an entry of version 1 is ISO's, not QuickTime's. */
    bool iso = s->t->stsd.size > 0 && s->t->stsd.data[0] == 1 && !s->d->quicktime;

    sl_reader_init(&r, entry->data, entry->size);
    sl_read_skip(&r, 8);
    s->version = sl_read_be16(&r);
    sl_read_skip(&r, 6);
    track->channels = sl_read_be16(&r);
    s->bits = sl_read_be16(&r);
    sl_read_skip(&r, 4);
    track->sample_rate = (int32_t)(sl_read_be32(&r) >> 16);
    if (s->version == 1 && !iso) {
        s->samples_per_packet = sl_read_be32(&r);
        sl_read_skip(&r, 4);
        s->bytes_per_frame = sl_read_be32(&r);
        sl_read_skip(&r, 4);
    } else if (s->version == 2 && !iso) {
        sl_read_skip(&r, 4);
        track->sample_rate = from_double(sl_read_be64(&r));
        uint32_t channels = sl_read_be32(&r);
        track->channels = channels <= UINT16_MAX ? (int32_t)channels : 0;
        sl_read_skip(&r, 4);
        s->bits = sl_read_be32(&r) & 0xffff;
        s->lpcm_flags = sl_read_be32(&r);
        s->bytes_per_frame = sl_read_be32(&r);
        s->samples_per_packet = sl_read_be32(&r);
    }
    s->boxes = r.pos;
    return r.overrun ? sl_fail_at(err, SL_EDATA, s->d->name, entry->offset,
                                  "sample entry '%s' of version %u and %zu bytes, at least %d were "
                                  "expected",
                                  entry->type, s->version, entry->size,
                                  s->version == 2   ? 64
                                  : s->version == 1 ? 44
                                                    : 28)
                     : SL_OK;
}

/* Packets of more than one sample of the tables: where all are of one size and last one tick. */
static void set_packing(struct sound *s, uint32_t sample_bytes)
{
    struct sl_mp4_track *t = s->t;
    struct sl_reader r;

    sl_reader_init(&r, t->stts.data, (size_t)t->stts.count * 8);
    sl_read_skip(&r, 4);
    if (t->stts.count != 1 || sl_read_be32(&r) != 1 || t->ctts.count > 0 || t->has_stss ||
        t->fixed_size == 0 || sample_bytes == 0) {
        return;
    }
    uint32_t n = s->version == 1 && s->samples_per_packet > 1 ? s->samples_per_packet : 1;
    if (n > 1 && (s->bytes_per_frame == 0 || n > (1U << 20) || s->bytes_per_frame > (1U << 24))) {
        return;
    }
    t->pack_samples = n;
    t->pack_bytes = n > 1 ? s->bytes_per_frame : sample_bytes;
    t->pack = n >= 160 ? n : PCM_PACKET / n * n;
}

static bool describe_plain(struct sound *s, const struct sl_mp4_box *entry)
{
    char name[16];
    size_t i = 0;
    size_t known = sizeof plain / sizeof *plain;

    while (i < known && SL_MP4_FOURCC(plain[i].type) != entry->code) {
        i++;
    }
    if (i == known) {
        return false;
    }
    unsigned bits = plain[i].bits ? plain[i].bits : s->bits;
    char kind = plain[i].kind;
    char end = plain[i].end;
    if (sl_mp4_is(entry, "lpcm") && s->version == 2) {
        kind = s->lpcm_flags & 1 ? 'f' : s->lpcm_flags & 4 ? 's' : 'u';
        end = s->lpcm_flags & 2 ? 'b' : 'l';
    } else if (plain[i].bits >= 24 && s->little_endian) {
        end = 'l';
    }
    if (kind == 'u' && bits > 8 && !sl_mp4_is(entry, "lpcm")) {
        kind = 's'; /* QuickTime: 'raw ' of 16 bits is big-endian two's complement */
    }
    if (kind == 's' && bits == 8 && plain[i].bits == 0) {
        end = 'b';
    }
    if (kind == 'm' || kind == 'a') {
        (void)snprintf(name, sizeof name, "pcm_%slaw", kind == 'm' ? "mu" : "a");
    } else if (bits == 8) {
        (void)snprintf(name, sizeof name, "pcm_%c8", kind);
    } else if (bits == 16 || bits == 24 || bits == 32 || (bits == 64 && kind != 'u')) {
        (void)snprintf(name, sizeof name, "pcm_%c%u%ce", kind, bits, end);
    } else {
        return false;
    }
    sl_mp4_set_codec(s->track, SL_CODEC_PCM, name);
    s->track->bit_depth = (int32_t)bits;
    set_packing(s, bits / 8 * (uint32_t)s->track->channels);
    return true;
}

/* sgpd and sbgp 'roll' (14496-12 10.1): so many samples before. */
static void set_preroll(struct sound *s)
{
    struct sl_reader r;
    if (s->t->roll >= 0 || s->track->seek_preroll > 0 || s->t->stts.count == 0) {
        return;
    }
    sl_reader_init(&r, s->t->stts.data, 8);
    sl_read_skip(&r, 4);
    int64_t ticks = (int64_t)sl_read_be32(&r) * -s->t->roll;
    int64_t n = sl_rescale(ticks, sl_rational(1, s->t->timescale),
                           sl_rational(1, s->track->sample_rate > 0 ? s->track->sample_rate : 1),
                           SL_ROUND_UP);
    s->track->seek_preroll = n < INT32_MAX ? (int32_t)n : INT32_MAX;
}

enum sl_status sl_mp4_describe_sound(struct sl_mp4 *d, struct sl_mp4_track *t,
                                     const struct sl_mp4_box *entry, struct sl_track *track,
                                     struct sl_error *err)
{
    struct sound s = {.d = d, .t = t, .track = track};
    enum sl_status status = read_fields(&s, entry, err);

    if (status != SL_OK) {
        return status;
    }
    for (size_t i = 0; i < sizeof sounds / sizeof *sounds; i++) {
        if (SL_MP4_FOURCC(sounds[i].type) == entry->code) {
            s.codec = &sounds[i];
        }
    }
    if (s.codec) {
        sl_mp4_set_codec(track, s.codec->codec, s.codec->name);
    }
    status = read_boxes(&s, entry, s.boxes, 0, err);
    if (status != SL_OK) {
        return status;
    }
    if (!s.codec && !describe_plain(&s, entry)) {
        return sl_fail_at(err, SL_ENOTFOUND, d->name, entry->offset,
                          "track %" PRIu32 ": sound of kind '%s' is not known here", t->id,
                          entry->type);
    }
    if (track->codec == SL_CODEC_AAC) {
        describe_aac(track);
    } else if (track->codec == SL_CODEC_AC3 && track->config_size > 0) {
        describe_ac3(track, false);
    } else if (track->codec == SL_CODEC_EAC3 && track->config_size > 0) {
        describe_ac3(track, true);
    }
    if (track->channel_layout == 0) {
        track->channel_layout = usual_layout(track->channels);
    }
    set_preroll(&s);
    return SL_OK;
}
