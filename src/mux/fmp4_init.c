/* SPDX-License-Identifier: BSD-2-Clause */
/* The init segment: ftyp and moov, ISO/IEC 14496-12 with the limits of CMAF (23000-19 7.3). It is
 * a function of the tracks alone: no dates, no counters. */
#include <string.h>

#include "base/rational.h"
#include "mux/fmp4.h"
#include "mux/language.h"

#define MOVIE_TIMESCALE 1000 /* of mvhd and elst durations, which are all 0 here */

static void write_ftyp(const struct sl_fmp4 *m, struct sl_writer *w)
{
    size_t box = sl_box_begin(w, "ftyp");
    sl_write_text(w, "iso6"); /* default-base-is-moof, tfdt, styp */
    sl_write_be32(w, 0);
    sl_write_text(w, "iso6");
    if (m->count == 1) {
        sl_write_text(w, "cmfc"); /* a CMAF track is alone in its file (7.3.1) */
    }
    sl_write_text(w, "mp41");
    sl_box_end(w, box);
}

/* 16.16 and, in the last column, 2.30 (8.3.2). */
static void write_matrix(struct sl_writer *w, const int32_t m[6])
{
    for (size_t row = 0; row < 3; row++) {
        sl_write_be32(w, (uint32_t)m[2 * row]);
        sl_write_be32(w, (uint32_t)m[2 * row + 1]);
        sl_write_be32(w, row == 2 ? 0x40000000 : 0);
    }
}

static void write_mvhd(const struct sl_fmp4 *m, struct sl_writer *w)
{
    static const int32_t unity[6] = {0x10000, 0, 0, 0x10000, 0, 0};
    size_t box = sl_box_begin_full(w, "mvhd", 1, 0);
    sl_write_be64(w, 0); /* creation, modification: the same bytes whenever asked for */
    sl_write_be64(w, 0);
    sl_write_be32(w, MOVIE_TIMESCALE);
    sl_write_be64(w, 0); /* no samples in moov */
    sl_write_be32(w, 0x00010000);
    sl_write_be16(w, 0x0100);
    sl_write_zeros(w, 10);
    write_matrix(w, unity);
    sl_write_zeros(w, 24);
    sl_write_be32(w, (uint32_t)m->count + 1); /* next_track_ID */
    sl_box_end(w, box);
}

/* Width with the sample aspect applied, 16.16; what does not fit is held at the largest width. */
static uint32_t display_width(const struct sl_track *t)
{
    int64_t width = (int64_t)t->width << 16;
    if (sl_rational_valid(t->sample_aspect)) {
        width = sl_muldiv(width, t->sample_aspect.num, t->sample_aspect.den, SL_ROUND_NEAREST);
    }
    if (width < 0x10000) {
        return 0x10000;
    }
    return width > UINT32_MAX ? UINT32_MAX : (uint32_t)width;
}

/* Turns clockwise by the track's rotation, then mirrors, and moves the result to the origin:
 * x' = a x + c y + tx, y' = b x + d y + ty (8.3.2). */
static void display_matrix(const struct sl_track *t, uint32_t width, int32_t out[6])
{
    static const int32_t cosines[4] = {0x10000, 0, -0x10000, 0};
    int64_t w = width, h = (int64_t)t->height << 16;
    unsigned quarter = (unsigned)(t->rotation / 90) & 3;
    int32_t cos = cosines[quarter], sin = cosines[(quarter + 3) & 3];
    int64_t turned_w = quarter & 1 ? h : w;
    int64_t tx = (quarter == 1 ? h : 0) + (quarter == 2 ? w : 0);
    int64_t ty = (quarter == 2 ? h : 0) + (quarter == 3 ? w : 0);
    out[0] = cos;
    out[1] = sin;
    out[2] = -sin;
    out[3] = cos;
    if (t->flip) {
        out[0] = -out[0];
        out[2] = -out[2];
        tx = turned_w - tx;
    }
    out[4] = tx > INT32_MAX ? INT32_MAX : (int32_t)tx;
    out[5] = ty > INT32_MAX ? INT32_MAX : (int32_t)ty;
}

static void write_tkhd(const struct sl_fmp4_track *t, uint32_t id, struct sl_writer *w)
{
    int32_t matrix[6] = {0x10000, 0, 0, 0x10000, 0, 0};
    bool video = t->info.kind == SL_KIND_VIDEO;
    uint32_t width = video ? display_width(&t->info) : 0;
    size_t box = sl_box_begin_full(w, "tkhd", 1, 3); /* enabled, in movie */
    if (video) {
        display_matrix(&t->info, width, matrix);
    }
    sl_write_be64(w, 0);
    sl_write_be64(w, 0);
    sl_write_be32(w, id);
    sl_write_be32(w, 0);
    sl_write_be64(w, 0); /* duration: in fragments */
    sl_write_zeros(w, 8);
    sl_write_be16(w, 0); /* layer */
    sl_write_be16(w, 0); /* alternate_group */
    sl_write_be16(w, video ? 0 : 0x0100);
    sl_write_be16(w, 0);
    write_matrix(w, matrix);
    sl_write_be32(w, width);
    sl_write_be32(w, video ? (uint32_t)t->info.height << 16 : 0);
    sl_box_end(w, box);
}

/* Media time starts at the first dts, so that tfdt and composition offsets are never negative;
 * presentation starts decode_delay later. Duration 0: to the end of all fragments (8.6.6). */
static void write_edts(const struct sl_fmp4_track *t, struct sl_writer *w)
{
    size_t edts, elst;
    if (t->info.decode_delay == 0) {
        return;
    }
    edts = sl_box_begin(w, "edts");
    elst = sl_box_begin_full(w, "elst", 1, 0);
    sl_write_be32(w, 1);
    sl_write_be64(w, 0);
    sl_write_be64(w, (uint64_t)(t->info.decode_delay * t->factor));
    sl_write_be32(w, 0x00010000); /* rate 1 */
    sl_box_end(w, elst);
    sl_box_end(w, edts);
}

static void write_mdhd(const struct sl_fmp4_track *t, struct sl_writer *w)
{
    char code[4];
    unsigned packed = 0;
    size_t box = sl_box_begin_full(w, "mdhd", 1, 0);
    sl_write_be64(w, 0);
    sl_write_be64(w, 0);
    sl_write_be32(w, t->timescale);
    sl_write_be64(w, 0);
    sl_language_iso639_2(t->info.language, code);
    for (unsigned i = 0; i < 3; i++) { /* five bits a letter (8.4.2.2) */
        packed = packed << 5 | (unsigned)(code[i] - 0x60);
    }
    sl_write_be16(w, packed);
    sl_write_be16(w, 0);
    sl_box_end(w, box);
}

/* elng holds what three letters cannot say: "pt-BR" (8.4.6). */
static void write_elng(const struct sl_fmp4_track *t, struct sl_writer *w)
{
    char tag[16];
    size_t box;
    sl_language_bcp47(t->info.language, tag);
    if (!strchr(tag, '-')) {
        return;
    }
    box = sl_box_begin_full(w, "elng", 0, 0);
    sl_write_text(w, tag);
    sl_write_u8(w, 0);
    sl_box_end(w, box);
}

static void write_hdlr(const struct sl_fmp4_track *t, struct sl_writer *w)
{
    bool video = t->info.kind == SL_KIND_VIDEO;
    size_t box = sl_box_begin_full(w, "hdlr", 0, 0);
    sl_write_be32(w, 0);
    sl_write_text(w, video ? "vide" : "soun");
    sl_write_zeros(w, 12);
    sl_write_text(w, video ? "VideoHandler" : "SoundHandler");
    sl_write_u8(w, 0);
    sl_box_end(w, box);
}

static void write_dinf(struct sl_writer *w)
{
    size_t dinf = sl_box_begin(w, "dinf");
    size_t dref = sl_box_begin_full(w, "dref", 0, 0);
    size_t url;
    sl_write_be32(w, 1);
    url = sl_box_begin_full(w, "url ", 0, 1); /* in this file */
    sl_box_end(w, url);
    sl_box_end(w, dref);
    sl_box_end(w, dinf);
}

static void write_stbl(const struct sl_fmp4_track *t, struct sl_writer *w)
{
    static const char *const empty[] = {"stts", "stsc", "stsz", "stco"};
    size_t stbl = sl_box_begin(w, "stbl");
    size_t box = sl_box_begin_full(w, "stsd", 0, 0);
    sl_write_be32(w, 1);
    sl_fmp4_entry_write(&t->info, w);
    sl_box_end(w, box);
    for (unsigned i = 0; i < sizeof empty / sizeof *empty; i++) {
        box = sl_box_begin_full(w, empty[i], 0, 0);
        if (!strcmp(empty[i], "stsz")) {
            sl_write_be32(w, 0); /* sample_size */
        }
        sl_write_be32(w, 0);
        sl_box_end(w, box);
    }
    sl_box_end(w, stbl);
}

static void write_minf(const struct sl_fmp4_track *t, struct sl_writer *w)
{
    size_t minf = sl_box_begin(w, "minf");
    bool video = t->info.kind == SL_KIND_VIDEO;
    size_t box = video ? sl_box_begin_full(w, "vmhd", 0, 1) : sl_box_begin_full(w, "smhd", 0, 0);
    sl_write_zeros(w, video ? 8 : 4); /* graphicsmode copy; balance centre */
    sl_box_end(w, box);
    write_dinf(w);
    write_stbl(t, w);
    sl_box_end(w, minf);
}

static void write_trak(const struct sl_fmp4_track *t, uint32_t id, struct sl_writer *w)
{
    size_t trak = sl_box_begin(w, "trak");
    size_t mdia;
    write_tkhd(t, id, w);
    write_edts(t, w);
    mdia = sl_box_begin(w, "mdia");
    write_mdhd(t, w);
    write_hdlr(t, w);
    write_elng(t, w);
    write_minf(t, w);
    sl_box_end(w, mdia);
    sl_box_end(w, trak);
}

static void write_mvex(const struct sl_fmp4 *m, struct sl_writer *w)
{
    size_t mvex = sl_box_begin(w, "mvex");
    for (size_t i = 0; i < m->count; i++) {
        size_t trex = sl_box_begin_full(w, "trex", 0, 0);
        sl_write_be32(w, (uint32_t)i + 1);
        sl_write_be32(w, 1);   /* the only sample entry */
        sl_write_zeros(w, 12); /* fragments state durations, sizes and flags themselves */
        sl_box_end(w, trex);
    }
    sl_box_end(w, mvex);
}

void sl_fmp4_init_write(const struct sl_fmp4 *m, struct sl_writer *w)
{
    size_t moov;
    write_ftyp(m, w);
    moov = sl_box_begin(w, "moov");
    write_mvhd(m, w);
    for (size_t i = 0; i < m->count; i++) {
        write_trak(&m->tracks[i], (uint32_t)i + 1, w);
    }
    write_mvex(m, w);
    sl_box_end(w, moov);
}
