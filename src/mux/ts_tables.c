/* SPDX-License-Identifier: BSD-2-Clause */
/* Program association and program map, one section each: ISO/IEC 13818-1 2.4.4. */
#include <string.h>

#include "base/error.h"
#include "mux/language.h"
#include "mux/ts.h"

#define SECTION_MAX 1021

/* Annex A: polynomial 0x04c11db7, register all ones, no reflection. */
static uint32_t crc32_mpeg(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)data[i] << 24;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
        }
    }
    return crc;
}

static void begin_section(struct sl_writer *w, unsigned table, unsigned id)
{
    sl_write_u8(w, table);
    sl_write_be16(w, 0); /* section_length: set at the end */
    sl_write_be16(w, id);
    sl_write_u8(w, 0xc1); /* version 0, current */
    sl_write_u8(w, 0);    /* section 0 … */
    sl_write_u8(w, 0);    /* … of 0 */
}

/* Sets the length, adds the CRC and pads with 0xff to a whole packet (2.4.4). */
static enum sl_status put_section(struct sl_ts *m, uint16_t pid, uint8_t *counter,
                                  struct sl_writer *w, struct sl_error *err)
{
    static const uint8_t pointer_field = 0;
    uint8_t fill[SL_TS_PACKET];
    struct sl_ts_piece pieces[3] = {{&pointer_field, 1}};
    size_t used;
    enum sl_status status = sl_writer_finish(w, err);
    if (status) {
        return status;
    }
    w->data[1] = (uint8_t)(0xb0 | (w->size + 1) >> 8); /* from after this field to the CRC */
    w->data[2] = (uint8_t)(w->size + 1);
    sl_write_be32(w, crc32_mpeg(w->data, w->size));
    status = sl_writer_finish(w, err);
    if (status) {
        return status;
    }
    memset(fill, 0xff, sizeof fill);
    used = (1 + w->size) % (SL_TS_PACKET - 4);
    pieces[1] = (struct sl_ts_piece){w->data, w->size};
    pieces[2] = (struct sl_ts_piece){fill, used ? SL_TS_PACKET - 4 - used : 0};
    return sl_ts_put(&m->out, pid, counter, SL_TS_NO_ADAPTATION, pieces, 3, err);
}

static void write_pmt(const struct sl_ts *m, struct sl_writer *w)
{
    begin_section(w, 2, 1); /* program 1 */
    sl_write_be16(w, 0xe000u | m->tracks[m->pcr_track].pid);
    sl_write_be16(w, 0xf000); /* no descriptors of the program */
    for (size_t i = 0; i < m->count; i++) {
        const struct sl_ts_track *t = &m->tracks[i];
        char language[4] = "und";
        bool tagged;
        sl_language_iso639_2(t->info.language, language);
        tagged = t->info.kind == SL_KIND_AUDIO && strcmp(language, "und") != 0;
        sl_write_u8(w, t->codec->stream_type);
        sl_write_be16(w, 0xe000u | t->pid);
        sl_write_be16(w, 0xf000u | (tagged ? 6 : 0));
        if (tagged) { /* ISO_639_language_descriptor, 2.6.18 */
            sl_write_u8(w, 0x0a);
            sl_write_u8(w, 4);
            sl_write_bytes(w, language, 3);
            sl_write_u8(w, 0); /* audio_type: undefined */
        }
    }
}

enum sl_status sl_ts_put_tables(struct sl_ts *m, struct sl_error *err)
{
    struct sl_writer w;
    enum sl_status status;
    sl_writer_init(&w, SECTION_MAX + 3);
    begin_section(&w, 0, 1); /* transport stream 1 */
    sl_write_be16(&w, 1);    /* program 1 */
    sl_write_be16(&w, 0xe000u | SL_TS_PID_PMT);
    status = put_section(m, 0, &m->pat_counter, &w, err);
    if (!status) {
        sl_writer_clear(&w);
        write_pmt(m, &w);
        status = put_section(m, SL_TS_PID_PMT, &m->pmt_counter, &w, err);
    }
    sl_writer_clear(&w);
    return status;
}
