/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/ac3.h"

#include "base/bits.h"
#include "base/error.h"

#define SYNC_WORD      0x0b77
#define DEPENDENTS_MAX 8 /* substreamid has three bits */

static const uint32_t rates[3] = {48000, 44100, 32000};
static const uint8_t channel_counts[8] = {2, 1, 2, 3, 3, 4, 4, 5}; /* of acmod, table 4.3 */
/* Table 4.13, kbit/s */
static const uint16_t bit_rates[19] = {32,  40,  48,  56,  64,  80,  96,  112, 128, 160,
                                       192, 224, 256, 320, 384, 448, 512, 576, 640};

/* WAVEFORMATEXTENSIBLE places of acmod: L R C LFE, back left, back right, back centre */
enum {
    FL = 0x1,
    FR = 0x2,
    FC = 0x4,
    LFE = 0x8,
    BL = 0x10,
    BR = 0x20,
    FLC = 0x40,
    FRC = 0x80,
    BC = 0x100,
    SL = 0x200,
    SR = 0x400,
    TC = 0x800,
    TFL = 0x1000,
    TFC = 0x2000,
    TFR = 0x4000,
};
static const uint16_t layouts[8] = {FL | FR,           FC,
                                    FL | FR,           FL | FR | FC,
                                    FL | FR | BC,      FL | FR | FC | BC,
                                    FL | FR | SL | SR, FL | FR | FC | SL | SR};

/* 4.3.2, 4.4.2: bsi() as far as lfeon */
static enum sl_status parse_plain(struct sl_bit_reader *b, struct sl_ac3_frame *f,
                                  struct sl_error *err)
{
    const uint32_t shift = f->bsid > 8 ? f->bsid - 8u : 0; /* 9 and 10: half and a quarter */

    sl_bits_skip(b, 16); /* crc1 */
    f->fscod = (uint8_t)sl_bits_read(b, 2);
    const unsigned code = sl_bits_read(b, 6);
    if (f->fscod == 3 || code >= 38) {
        return sl_fail(err, SL_EDATA, NULL,
                       "AC-3 frame with fscod %u and frmsizecod %u (0 to 2, 0 to 37)", f->fscod,
                       code);
    }
    f->bit_rate_code = (uint8_t)(code >> 1);
    f->blocks = 6;
    sl_bits_skip(b, 5); /* bsid */
    f->bsmod = (uint8_t)sl_bits_read(b, 3);
    f->acmod = (uint8_t)sl_bits_read(b, 3);
    if ((f->acmod & 1) && f->acmod != 1) {
        sl_bits_skip(b, 2); /* cmixlev */
    }
    if (f->acmod & 4) {
        sl_bits_skip(b, 2); /* surmixlev */
    }
    if (f->acmod == 2) {
        sl_bits_skip(b, 2); /* dsurmod */
    }
    f->lfe = sl_bits_flag(b);
    const uint32_t rate = rates[f->fscod];
    const uint32_t kilobits = bit_rates[f->bit_rate_code];
    f->sample_rate = rate >> shift;
    f->bit_rate = (kilobits * 1000) >> shift;
    /* 1536 samples in words of 16 bits; at 44.1 kHz, where that is no whole number, an odd code
     * has one word more. */
    uint32_t words = kilobits * 1000 * 96 / rate;
    if (f->fscod == 1) {
        words += code & 1;
    }
    f->size = (size_t)words * 2;
    return SL_OK;
}

static void skip_if(struct sl_bit_reader *b, unsigned n)
{
    if (sl_bits_flag(b)) {
        sl_bits_skip(b, n);
    }
}

/* E.1.2.2, mixmdate: mixing metadata */
static void skip_mixing(struct sl_bit_reader *b, const struct sl_ac3_frame *f)
{
    if (f->acmod > 2) {
        sl_bits_skip(b, 2); /* dmixmod */
    }
    if ((f->acmod & 1) && f->acmod > 2) {
        sl_bits_skip(b, 6); /* ltrtcmixlev, lorocmixlev */
    }
    if (f->acmod & 4) {
        sl_bits_skip(b, 6); /* ltrtsurmixlev, lorosurmixlev */
    }
    if (f->lfe) {
        skip_if(b, 5); /* lfemixlevcod */
    }
    if (f->stream_type != 0) {
        return;
    }
    skip_if(b, 6); /* pgmscl */
    if (f->acmod == 0) {
        skip_if(b, 6); /* pgmscl2 */
    }
    skip_if(b, 6);                /* extpgmscl */
    switch (sl_bits_read(b, 2)) { /* mixdef */
    case 1:
        sl_bits_skip(b, 5);
        break;
    case 2:
        sl_bits_skip(b, 12);
        break;
    case 3:
        sl_bits_skip(b, 8 * ((size_t)sl_bits_read(b, 5) + 2));
        break;
    default:
        break;
    }
    if (f->acmod < 2) {
        skip_if(b, 14); /* panmean, paninfo */
        if (f->acmod == 0) {
            skip_if(b, 14);
        }
    }
    if (sl_bits_flag(b)) { /* frmmixcfginfoe */
        if (f->blocks == 1) {
            sl_bits_skip(b, 5);
        } else {
            for (unsigned i = 0; i < f->blocks; i++) {
                skip_if(b, 5);
            }
        }
    }
}

/* E.1.2.2, infomdate: informational metadata */
static void read_information(struct sl_bit_reader *b, struct sl_ac3_frame *f)
{
    f->bsmod = (uint8_t)sl_bits_read(b, 3);
    sl_bits_skip(b, 2); /* copyrightb, origbs */
    if (f->acmod == 2) {
        sl_bits_skip(b, 4); /* dsurmod, dheadphonmod */
    }
    if (f->acmod >= 6) {
        sl_bits_skip(b, 2); /* dsurexmod */
    }
    skip_if(b, 8); /* mixlevel, roomtyp, adconvtyp */
    if (f->acmod == 0) {
        skip_if(b, 8);
    }
    if (f->fscod < 3) {
        sl_bits_skip(b, 1); /* sourcefscod */
    }
}

/* The part of bsi() behind dialnorm: only for what annex F asks, and only where it is there. */
static void read_rest(struct sl_bit_reader *b, struct sl_ac3_frame *f)
{
    skip_if(b, 8); /* compr */
    if (f->acmod == 0) {
        sl_bits_skip(b, 5); /* dialnorm2 */
        skip_if(b, 8);
    }
    if (f->stream_type == 1 && sl_bits_flag(b)) { /* chanmape */
        f->channel_map = (uint16_t)sl_bits_read(b, 16);
    }
    if (sl_bits_flag(b)) {
        skip_mixing(b, f);
    }
    if (sl_bits_flag(b)) {
        read_information(b, f);
    }
    if (f->stream_type == 0 && f->blocks != 6) {
        sl_bits_skip(b, 1); /* convsync */
    }
    if (f->stream_type == 2 && (f->blocks == 6 || sl_bits_flag(b))) {
        sl_bits_skip(b, 6); /* frmsizecod */
    }
    /* addbsi: TS 103 420 8.3 has its first byte end in flag_ec3_extension_type_a, and the index of
     * complexity behind. */
    if (sl_bits_flag(b) && sl_bits_read(b, 6) >= 1) {
        sl_bits_skip(b, 7);
        f->joc = sl_bits_flag(b);
        f->complexity = (uint8_t)sl_bits_read(b, 8);
    }
    if (b->overrun) {
        f->joc = false;
        f->bsmod = 0;
        f->channel_map = 0;
    }
    if (!f->joc) {
        f->complexity = 0;
    }
}

/* E.1.2.2 */
static enum sl_status parse_enhanced(struct sl_bit_reader *b, struct sl_ac3_frame *f,
                                     struct sl_error *err)
{
    static const uint8_t block_counts[4] = {1, 2, 3, 6};

    f->enhanced = true;
    f->stream_type = (uint8_t)sl_bits_read(b, 2);
    f->substream = (uint8_t)sl_bits_read(b, 3);
    f->size = ((size_t)sl_bits_read(b, 11) + 1) * 2;
    f->fscod = (uint8_t)sl_bits_read(b, 2);
    const unsigned second = sl_bits_read(b, 2); /* fscod2 or numblkscod */
    if (f->stream_type == 3 || (f->fscod == 3 && second == 3)) {
        return sl_fail(err, SL_EDATA, NULL,
                       "E-AC-3 frame with strmtyp %u, fscod %u and %u behind it", f->stream_type,
                       f->fscod, second);
    }
    f->blocks = f->fscod == 3 ? 6 : block_counts[second];
    f->sample_rate = f->fscod == 3 ? rates[second] / 2 : rates[f->fscod];
    f->acmod = (uint8_t)sl_bits_read(b, 3);
    f->lfe = sl_bits_flag(b);
    sl_bits_skip(b, 5 + 5); /* bsid, dialnorm */
    if (b->overrun) {
        return SL_OK; /* the caller tells */
    }
    struct sl_bit_reader rest = *b;
    read_rest(&rest, f);
    return SL_OK;
}

enum sl_status sl_ac3_parse(const uint8_t *data, size_t size, struct sl_ac3_frame *out,
                            struct sl_error *err)
{
    struct sl_bit_reader b;
    enum sl_status status;

    *out = (struct sl_ac3_frame){0};
    if (size < 7) {
        return sl_fail(err, SL_EDATA, NULL, "an AC-3 frame of %zu bytes (7 or more)", size);
    }
    sl_bits_init(&b, data, size);
    if (sl_bits_read(&b, 16) != SYNC_WORD) {
        return sl_fail(err, SL_EDATA, NULL, "AC-3 frame begins with %02x %02x (0b 77)", data[0],
                       data[1]);
    }
    out->bsid = data[5] >> 3; /* at the same place in both */
    if (out->bsid <= 10) {
        status = parse_plain(&b, out, err);
    } else if (out->bsid <= 16) {
        status = parse_enhanced(&b, out, err);
    } else {
        return sl_fail(err, SL_EDATA, NULL, "AC-3 frame with bsid %u (0 to 16)", out->bsid);
    }
    if (status != SL_OK) {
        return status;
    }
    if (b.overrun || out->size < 7) {
        return sl_fail(err, SL_EDATA, NULL, "an AC-3 frame of %zu bytes is cut short", out->size);
    }
    out->channels = (uint8_t)(channel_counts[out->acmod] + (out->lfe ? 1 : 0));
    return SL_OK;
}

/* chanmap (E.1.3.1.8) counts its 16 places from the most significant bit, chan_loc (F.6.2) its
 * nine from the least: Lc/Rc, Lrs/Rrs, Cs, Ts, Lsd/Rsd, Lw/Rw, Lvh/Rvh, Cvh, and LFE2. */
static uint16_t locations_of(uint16_t map)
{
    unsigned locations = 0;
    for (unsigned i = 0; i < 8; i++) {
        locations |= (unsigned)(map >> (15 - 5 - i) & 1) << i;
    }
    return (uint16_t)(locations | (unsigned)(map >> 1 & 1) << 8);
}

static void place_channels(struct sl_ac3_unit *u)
{
    static const struct {
        uint16_t places;
        uint8_t channels;
    } added[9] = {{FLC | FRC, 2}, {BL | BR, 2},   {BC, 1},  {TC, 1}, {0, 2},
                  {0, 2},         {TFL | TFR, 2}, {TFC, 1}, {0, 1}};
    const struct sl_ac3_frame *f = &u->first;
    unsigned channels = f->channels;
    uint64_t layout = layouts[f->acmod] | (f->lfe ? LFE : 0u);

    for (unsigned i = 0; i < 9; i++) {
        if (u->sub[0].locations >> i & 1) {
            channels += added[i].channels;
            layout = added[i].places && layout ? layout | added[i].places : 0;
        }
    }
    u->channels = (uint8_t)channels;
    /* "5.1" is written with back channels everywhere but where side ones exist besides. */
    u->layout = (layout & (SL | SR)) == (SL | SR) && !(layout & (BL | BR | BC))
                    ? (layout & ~(uint64_t)(SL | SR)) | BL | BR
                    : layout;
}

enum sl_status sl_ac3_parse_unit(const uint8_t *data, size_t size, struct sl_ac3_unit *out,
                                 struct sl_error *err)
{
    size_t at = 0, bytes = 0;
    bool dependent_first = false;

    *out = (struct sl_ac3_unit){0};
    while (size - at >= 7) {
        struct sl_ac3_frame f;
        enum sl_status status = sl_ac3_parse(data + at, size - at, &f, out->count ? NULL : err);
        if (status != SL_OK) {
            if (out->count > 0) {
                break; /* what is behind the frames is not ours to judge */
            }
            return status;
        }
        if (f.stream_type == 1 && out->count == 0) {
            dependent_first = true;
        } else if (f.stream_type == 1) {
            if (out->sub[out->count - 1].dependents < DEPENDENTS_MAX) {
                out->sub[out->count - 1].dependents++;
            }
            out->sub[out->count - 1].locations |= locations_of(f.channel_map);
            bytes += f.size;
        } else if (out->count > 0 && f.substream <= out->sub[out->count - 1].frame.substream) {
            break; /* the next access unit */
        } else {
            out->sub[out->count++].frame = f;
            bytes += f.size;
        }
        if (f.joc && out->count == 1) {
            out->joc = true;
            out->complexity = f.complexity;
        }
        if (!f.enhanced || f.size > size - at) {
            break;
        }
        at += f.size;
    }
    if (out->count == 0) {
        return sl_fail(err, SL_EDATA, NULL, "E-AC-3 %s",
                       dependent_first ? "of dependent substreams alone" : "without a frame");
    }
    out->first = out->sub[0].frame;
    out->bit_rate = out->first.bit_rate;
    if (out->first.enhanced) {
        out->bit_rate = (uint32_t)((uint64_t)bytes * 8 * out->first.sample_rate /
                                   ((uint64_t)out->first.blocks * 256));
    }
    place_channels(out);
    return SL_OK;
}

void sl_ac3_write_config(const struct sl_ac3_unit *u, struct sl_writer *out)
{
    const struct sl_ac3_frame *f = &u->first;
    struct sl_bit_writer b;

    sl_bit_writer_init(&b, out);
    if (!f->enhanced) { /* F.4 */
        sl_put_bits(&b, 2, f->fscod);
        sl_put_bits(&b, 5, f->bsid);
        sl_put_bits(&b, 3, f->bsmod);
        sl_put_bits(&b, 3, f->acmod);
        sl_put_bits(&b, 1, f->lfe);
        sl_put_bits(&b, 5, f->bit_rate_code);
        sl_put_bits(&b, 5, 0);
        return;
    }
    const uint32_t kilobits = u->bit_rate / 1000;
    sl_put_bits(&b, 13, kilobits < 0x1fff ? kilobits : 0x1fff); /* F.6 */
    sl_put_bits(&b, 3, u->count - 1);
    for (unsigned i = 0; i < u->count; i++) {
        f = &u->sub[i].frame;
        sl_put_bits(&b, 2, f->fscod);
        sl_put_bits(&b, 5, f->bsid);
        sl_put_bits(&b, 2, 0); /* reserved, asvc */
        sl_put_bits(&b, 3, f->bsmod);
        sl_put_bits(&b, 3, f->acmod);
        sl_put_bits(&b, 1, f->lfe);
        sl_put_bits(&b, 3, 0);
        sl_put_bits(&b, 4, u->sub[i].dependents);
        if (u->sub[i].dependents > 0) {
            sl_put_bits(&b, 9, u->sub[i].locations);
        } else {
            sl_put_bits(&b, 1, 0);
        }
    }
    if (u->joc) { /* TS 103 420 8.3.2; decoders that do not know it stop before */
        sl_put_bits(&b, 7, 0);
        sl_put_bits(&b, 1, 1);
        sl_put_bits(&b, 8, u->complexity);
    }
}
