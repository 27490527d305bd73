/* SPDX-License-Identifier: BSD-2-Clause */
/* The init segment: ftyp and moov, ISO/IEC 14496-12 with the limits of CMAF (23000-19 7.3). It is
 * a function of the tracks alone. */
#include <string.h>

#include "mux/fmp4.h"

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
    sl_write_bytes(w, m->brands, m->brands_size);
    sl_box_end(w, box);
}

static void write_tables(const void *opaque, struct sl_writer *w)
{
    static const char *const empty[] = {"stts", "stsc", "stsz", "stco"};
    for (unsigned i = 0; i < sizeof empty / sizeof *empty; i++) {
        size_t box = sl_box_begin_full(w, empty[i], 0, 0);
        if (!strcmp(empty[i], "stsz")) {
            sl_write_be32(w, 0); /* sample_size */
        }
        sl_write_be32(w, 0);
        sl_box_end(w, box);
    }
    sl_mp4_write_roll(opaque, w);
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
    static const struct sl_mp4_times none = {0};
    size_t moov;
    write_ftyp(m, w);
    moov = sl_box_begin(w, "moov");
    sl_mp4_write_mvhd(m->count, MOVIE_TIMESCALE, 0, w);
    for (size_t i = 0; i < m->count; i++) {
        sl_mp4_write_trak(&m->tracks[i].t, (uint32_t)i + 1, &none, write_tables, &m->tracks[i].t,
                          w);
    }
    write_mvex(m, w);
    sl_box_end(w, moov);
}
