/* SPDX-License-Identifier: BSD-2-Clause */
/* moov and trak, for fragments and for tables alike. No dates, no counters: the same bytes whenever
 * they are asked for. */
#include <string.h>

#include "base/rational.h"
#include "mux/language.h"
#include "mux/mp4_track.h"

/* 16.16 and, in the last column, 2.30 (8.3.2). */
static void write_matrix(struct sl_writer *w, const int32_t m[6])
{
    for (size_t row = 0; row < 3; row++) {
        sl_write_be32(w, (uint32_t)m[2 * row]);
        sl_write_be32(w, (uint32_t)m[2 * row + 1]);
        sl_write_be32(w, row == 2 ? 0x40000000 : 0);
    }
}

void sl_mp4_write_mvhd(size_t tracks, uint32_t timescale, uint64_t duration, struct sl_writer *w)
{
    static const int32_t unity[6] = {0x10000, 0, 0, 0x10000, 0, 0};
    size_t box = sl_box_begin_full(w, "mvhd", 1, 0);
    sl_write_be64(w, 0); /* creation, modification */
    sl_write_be64(w, 0);
    sl_write_be32(w, timescale);
    sl_write_be64(w, duration);
    sl_write_be32(w, 0x00010000);
    sl_write_be16(w, 0x0100);
    sl_write_zeros(w, 10);
    write_matrix(w, unity);
    sl_write_zeros(w, 24);
    sl_write_be32(w, (uint32_t)tracks + 1); /* next_track_ID */
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

static void write_tkhd(const struct sl_mp4_track *t, uint32_t id, uint64_t duration,
                       struct sl_writer *w)
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
    sl_write_be64(w, duration);
    sl_write_zeros(w, 8);
    sl_write_be16(w, 0); /* layer */
    sl_write_be16(w, 0); /* alternate_group */
    sl_write_be16(w, t->info.kind == SL_KIND_AUDIO ? 0x0100 : 0);
    sl_write_be16(w, 0);
    write_matrix(w, matrix);
    sl_write_be32(w, width);
    sl_write_be32(w, video ? (uint32_t)t->info.height << 16 : 0);
    sl_box_end(w, box);
}

static void write_edit(uint64_t duration, uint64_t media_time, struct sl_writer *w)
{
    sl_write_be64(w, duration);
    sl_write_be64(w, media_time);
    sl_write_be32(w, 0x00010000); /* rate 1 */
}

/* Media time starts at the first dts, so that tfdt and composition offsets are never negative;
 * presentation starts decode_delay later. Duration 0: to the end of all fragments (8.6.6). */
static void write_edts(const struct sl_mp4_track *t, const struct sl_mp4_times *times,
                       struct sl_writer *w)
{
    size_t edts, elst;
    if (t->info.decode_delay == 0 && times->empty == 0 && !times->cut) {
        return;
    }
    edts = sl_box_begin(w, "edts");
    elst = sl_box_begin_full(w, "elst", 1, 0);
    sl_write_be32(w, times->empty ? 2 : 1);
    if (times->empty) {
        write_edit(times->empty, UINT64_MAX, w); /* media_time -1: nothing is shown */
    }
    write_edit(times->shown, (uint64_t)(t->info.decode_delay * t->factor), w);
    sl_box_end(w, elst);
    sl_box_end(w, edts);
}

static void write_mdhd(const struct sl_mp4_track *t, uint64_t duration, struct sl_writer *w)
{
    char code[4];
    unsigned packed = 0;
    size_t box = sl_box_begin_full(w, "mdhd", 1, 0);
    sl_write_be64(w, 0);
    sl_write_be64(w, 0);
    sl_write_be32(w, t->timescale);
    sl_write_be64(w, duration);
    sl_language_iso639_2(t->info.language, code);
    for (unsigned i = 0; i < 3; i++) { /* five bits a letter (8.4.2.2) */
        packed = packed << 5 | (unsigned)(code[i] - 0x60);
    }
    sl_write_be16(w, packed);
    sl_write_be16(w, 0);
    sl_box_end(w, box);
}

/* elng holds what three letters cannot say: "pt-BR" (8.4.6). */
static void write_elng(const struct sl_mp4_track *t, struct sl_writer *w)
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

/* 14496-12 12.1.2, 12.2.2, 12.6.2: handlers and media headers; WebVTT is text with a null one. */
static const struct {
    const char *handler, *name, *header;
    uint32_t flags;
    size_t size; /* of zeros: graphicsmode copy, balance centre */
} kinds[] = {
    [SL_KIND_VIDEO] = {"vide", "VideoHandler", "vmhd", 1, 8},
    [SL_KIND_AUDIO] = {"soun", "SoundHandler", "smhd", 0, 4},
    [SL_KIND_SUBTITLE] = {"text", "SubtitleHandler", "nmhd", 0, 0},
};

static void write_hdlr(const struct sl_mp4_track *t, struct sl_writer *w)
{
    size_t box = sl_box_begin_full(w, "hdlr", 0, 0);
    sl_write_be32(w, 0);
    sl_write_text(w, kinds[t->info.kind].handler);
    sl_write_zeros(w, 12);
    sl_write_text(w, kinds[t->info.kind].name);
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

void sl_mp4_write_roll(const struct sl_mp4_track *t, struct sl_writer *w)
{
    int roll = sl_mp4_roll(&t->info);
    size_t box;
    if (roll == 0) {
        return;
    }
    box = sl_box_begin_full(w, "sgpd", 1, 0);
    sl_write_text(w, "roll");
    sl_write_be32(w, 2); /* default_length */
    sl_write_be32(w, 1);
    sl_write_be16(w, (unsigned)roll & 0xffff);
    sl_box_end(w, box);
}

void sl_mp4_write_roll_all(const struct sl_mp4_track *t, uint32_t samples, struct sl_writer *w)
{
    size_t box;
    if (sl_mp4_roll(&t->info) == 0) {
        return;
    }
    box = sl_box_begin_full(w, "sbgp", 0, 0);
    sl_write_text(w, "roll");
    sl_write_be32(w, 1);
    sl_write_be32(w, samples);
    sl_write_be32(w, 1); /* the group that stbl describes */
    sl_box_end(w, box);
}

void sl_mp4_write_trak(const struct sl_mp4_track *t, uint32_t id, const struct sl_mp4_times *times,
                       void (*tables)(const void *opaque, struct sl_writer *w), const void *opaque,
                       struct sl_writer *w)
{
    size_t trak = sl_box_begin(w, "trak");
    size_t mdia, minf, stbl, box;
    write_tkhd(t, id, times->empty + times->shown, w);
    write_edts(t, times, w);
    mdia = sl_box_begin(w, "mdia");
    write_mdhd(t, times->media, w);
    write_hdlr(t, w);
    write_elng(t, w);
    minf = sl_box_begin(w, "minf");
    box = sl_box_begin_full(w, kinds[t->info.kind].header, 0, kinds[t->info.kind].flags);
    sl_write_zeros(w, kinds[t->info.kind].size);
    sl_box_end(w, box);
    write_dinf(w);
    stbl = sl_box_begin(w, "stbl");
    box = sl_box_begin_full(w, "stsd", 0, 0);
    sl_write_be32(w, 1);
    sl_mp4_entry_write(&t->info, t->in_band, w);
    sl_box_end(w, box);
    tables(opaque, w);
    sl_box_end(w, stbl);
    sl_box_end(w, minf);
    sl_box_end(w, mdia);
    sl_box_end(w, trak);
}
