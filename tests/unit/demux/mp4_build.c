/* SPDX-License-Identifier: BSD-2-Clause */
#include "mp4_build.h"

#include <string.h>

#include "unit.h"

#define FILE_MAX (1U << 20)

static size_t begin(struct sl_writer *w, const char *type)
{
    size_t at = w->size;
    sl_write_be32(w, 0);
    sl_write_text(w, type);
    return at;
}

static size_t begin_full(struct sl_writer *w, const char *type, unsigned version, uint32_t flags)
{
    size_t at = begin(w, type);
    sl_write_u8(w, version);
    sl_write_be24(w, flags);
    return at;
}

static void end(struct sl_writer *w, size_t at)
{
    sl_writer_patch_be32(w, at, (uint32_t)(w->size - at));
}

/* A count, unless the test wants another one there. */
static void count(struct sl_writer *w, const struct build *b, const char *type, uint32_t n)
{
    sl_write_be32(w, b->lie && strcmp(b->lie, type) == 0 ? b->count : n);
}

static void odd(struct sl_writer *w, const struct build *b)
{
    static const char *const types[] = {"free", "skip", "wide", "uuid"};
    for (size_t i = 0; b->odd_boxes && i < 4; i++) {
        size_t at = begin(w, types[i]);
        sl_write_zeros(w, i * 8);
        end(w, at);
    }
}

static void matrix(struct sl_writer *w)
{
    static const uint32_t one[9] = {0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000};
    for (size_t i = 0; i < 9; i++) {
        sl_write_be32(w, one[i]);
    }
}

static void write_entry(struct sl_writer *w, const struct build *b, bool sound)
{
    size_t stsd = begin_full(w, "stsd", 0, 0);
    count(w, b, "stsd", 1);
    size_t entry = begin(w, sound ? "twos" : b->entry ? b->entry : "mp4v");
    sl_write_zeros(w, 6);
    sl_write_be16(w, 1);
    if (sound) {
        sl_write_zeros(w, 8);
        sl_write_be16(w, 1);
        sl_write_be16(w, 16);
        sl_write_zeros(w, 4);
        sl_write_be32(w, 8000U << 16);
    } else {
        sl_write_zeros(w, 16);
        sl_write_be16(w, 64);
        sl_write_be16(w, 48);
        sl_write_zeros(w, 50);
        size_t sinf = begin(w, "sinf");
        size_t schm = begin_full(w, "schm", 0, 0);
        sl_write_text(w, "cenc");
        sl_write_be32(w, 0x10000);
        end(w, schm);
        end(w, sinf);
    }
    end(w, entry);
    end(w, stsd);
}

/* Decoding order I P B B B B with two ticks of delay; sync again at 3. */
static int32_t offset_of(uint32_t n)
{
    static const int32_t offsets[BUILD_SAMPLES] = {20, 40, 0, 20, 40, 0};
    return offsets[n];
}

static void write_times(struct sl_writer *w, const struct build *b, bool sound)
{
    size_t at = begin_full(w, "stts", 0, 0);
    uint32_t n = b->fragments ? 0 : BUILD_SAMPLES;
    count(w, b, "stts", n > 0);
    if (n > 0) {
        sl_write_be32(w, n);
        sl_write_be32(w, 20);
    }
    end(w, at);
    if (sound || n == 0) {
        return;
    }
    at = begin_full(w, "ctts", b->negative ? 1 : 0, 0);
    count(w, b, "ctts", n);
    for (uint32_t i = 0; i < n; i++) {
        sl_write_be32(w, 1);
        sl_write_be32(w, (uint32_t)(offset_of(i) - (b->negative ? 20 : 0)));
    }
    end(w, at);
    if (!b->no_sync) {
        at = begin_full(w, "stss", 0, 0);
        count(w, b, "stss", 2);
        sl_write_be32(w, 1);
        sl_write_be32(w, 4);
        end(w, at);
    }
}

static void write_places(struct sl_writer *w, const struct build *b, bool sound, uint64_t media)
{
    uint32_t n = b->fragments ? 0 : BUILD_SAMPLES;
    size_t at = begin_full(w, "stsc", 0, 0);
    count(w, b, "stsc", n > 0);
    if (n > 0) {
        sl_write_be32(w, 1);
        sl_write_be32(w, 3);
        sl_write_be32(w, 1);
    }
    end(w, at);
    at = begin_full(w, b->compact_sizes ? "stz2" : "stsz", 0, 0);
    sl_write_be32(w, b->compact_sizes ? 4 : 0);
    count(w, b, "stsz", n);
    for (uint32_t i = 0; i < n; i++) {
        if (!b->compact_sizes) {
            sl_write_be32(w, i + 1);
        } else if (i % 2 == 0) {
            sl_write_u8(w, (i + 1) << 4 | (i + 2 <= n ? i + 2 : 0));
        }
    }
    end(w, at);
    at = begin_full(w, b->large_sizes ? "co64" : "stco", 0, 0);
    count(w, b, "stco", n / 3);
    /* Chunks: pictures 1 2 3, sound 1 2 3, pictures 4 5 6, sound 4 5 6 bytes. */
    for (uint32_t i = 0; i < n / 3; i++) {
        uint64_t place = media + (i == 0 ? (sound ? 6U : 0U) : (sound ? 27U : 12U));
        if (b->large_sizes) {
            sl_write_be64(w, place);
        } else {
            sl_write_be32(w, (uint32_t)place);
        }
    }
    end(w, at);
}

static void write_edits(struct sl_writer *w, const struct build *b)
{
    if (!b->empty && !b->start && !b->duration) {
        return;
    }
    size_t edts = begin(w, "edts");
    size_t at = begin_full(w, "elst", 1, 0);
    count(w, b, "elst", 1U + (b->empty > 0) + (b->second > 0));
    if (b->empty) {
        sl_write_be64(w, b->empty);
        sl_write_be64(w, UINT64_MAX);
        sl_write_be32(w, 0x10000);
    }
    sl_write_be64(w, b->duration);
    sl_write_be64(w, b->start);
    sl_write_be32(w, 0x10000);
    if (b->second) {
        sl_write_be64(w, 40);
        sl_write_be64(w, b->second);
        sl_write_be32(w, 0x10000);
    }
    end(w, at);
    end(w, edts);
}

static void write_track(struct sl_writer *w, const struct build *b, bool sound, uint64_t media)
{
    size_t trak = begin(w, "trak");
    size_t at = begin_full(w, "tkhd", 0, 3);
    sl_write_zeros(w, 8);
    sl_write_be32(w, sound ? 2 : 1);
    sl_write_zeros(w, 4 + 4 + 8 + 8);
    matrix(w);
    sl_write_be32(w, sound ? 0 : 64U << 16);
    sl_write_be32(w, sound ? 0 : 48U << 16);
    end(w, at);
    if (!sound) {
        write_edits(w, b);
    }
    odd(w, b);
    size_t mdia = begin(w, "mdia");
    at = begin_full(w, "mdhd", 0, 0);
    sl_write_zeros(w, 8);
    sl_write_be32(w, 1000);
    sl_write_be32(w, b->fragments ? 0 : 20 * BUILD_SAMPLES);
    sl_write_be16(w, 0x10b5); /* "deu" */
    sl_write_be16(w, 0);
    end(w, at);
    at = begin_full(w, "hdlr", 0, 0);
    sl_write_be32(w, 0);
    sl_write_text(w, sound ? "soun" : "vide");
    sl_write_zeros(w, 13);
    end(w, at);
    size_t minf = begin(w, "minf");
    odd(w, b);
    size_t stbl = begin(w, "stbl");
    write_entry(w, b, sound);
    write_times(w, b, sound);
    write_places(w, b, sound, media);
    end(w, stbl);
    end(w, minf);
    end(w, mdia);
    end(w, trak);
}

static void write_moov(struct sl_writer *w, const struct build *b, uint64_t media)
{
    size_t moov = begin(w, "moov");
    size_t at = begin_full(w, "mvhd", 0, 0);
    sl_write_zeros(w, 8);
    sl_write_be32(w, 500);
    sl_write_be32(w, b->fragments ? 0 : 60);
    sl_write_zeros(w, 4 + 2 + 10);
    matrix(w);
    sl_write_zeros(w, 24 + 4);
    end(w, at);
    write_track(w, b, false, media);
    write_track(w, b, true, media);
    odd(w, b);
    if (b->fragments) {
        at = begin(w, "mvex");
        for (uint32_t id = 1; id <= 2; id++) {
            size_t trex = begin_full(w, "trex", 0, 0);
            sl_write_be32(w, id);
            sl_write_be32(w, 1);
            sl_write_be32(w, 20);
            sl_write_be32(w, 0);
            sl_write_be32(w, 0x1010000);
            end(w, trex);
        }
        end(w, at);
    }
    end(w, moov);
}

static void write_samples(struct sl_writer *w, uint32_t chunk)
{
    for (uint32_t track = 0; track < 2; track++) {
        for (uint32_t n = 3 * chunk; n < 3 * chunk + 3; n++) {
            for (uint32_t i = 0; i <= n; i++) {
                sl_write_u8(w, 16 * track + n);
            }
        }
    }
}

static void write_fragment(struct sl_writer *w, const struct build *b, uint32_t chunk)
{
    size_t places[2] = {0, 0};
    size_t moof = begin(w, "moof");
    size_t at = begin_full(w, "mfhd", 0, 0);
    sl_write_be32(w, chunk + 1);
    end(w, at);
    for (uint32_t track = 0; track < 2; track++) {
        size_t traf = begin(w, "traf");
        at = begin_full(w, "tfhd", 0, b->old_base ? 0 : 0x20000);
        sl_write_be32(w, track + 1);
        end(w, at);
        at = begin_full(w, "tfdt", 1, 0);
        sl_write_be64(w, (uint64_t)chunk * 60);
        end(w, at);
        /* Where the base is the old one, the second track's data follow those of the first. */
        bool placed = track == 0 || !b->old_base;
        at = begin_full(w, "trun", 1, 0x204U | (track == 0 ? 0x800U : 0) | (placed ? 1U : 0));
        count(w, b, "trun", 3);
        places[track] = w->size;
        if (placed) {
            sl_write_be32(w, 0);
        }
        sl_write_be32(w, 0x2000000);
        for (uint32_t n = 3 * chunk; n < 3 * chunk + 3; n++) {
            sl_write_be32(w, n + 1);
            if (track == 0) {
                sl_write_be32(w, (uint32_t)(offset_of(n) - (b->negative ? 20 : 0)));
            }
        }
        end(w, at);
        end(w, traf);
    }
    end(w, moof);
    uint32_t data = (uint32_t)(w->size - moof) + 8;
    sl_writer_patch_be32(w, places[0], data);
    if (!b->old_base) {
        sl_writer_patch_be32(w, places[1], data + (chunk == 0 ? 6 : 15));
    }
    at = begin(w, "mdat");
    write_samples(w, chunk);
    end(w, at);
}

static void write_mdat(struct sl_writer *w, const struct build *b, bool last)
{
    size_t at = begin(w, "mdat");
    if (b->large_sizes) {
        sl_writer_patch_be32(w, at, 1);
        sl_write_be64(w, 16 + 42);
    }
    write_samples(w, 0);
    write_samples(w, 1);
    if (!b->large_sizes && !(last && b->open_end)) {
        end(w, at);
    }
}

void build_mp4(struct sl_writer *out, const struct build *b)
{
    sl_writer_init(out, FILE_MAX);
    size_t at = begin(out, "ftyp");
    sl_write_text(out, "isom");
    sl_write_be32(out, 0);
    sl_write_text(out, "isommp42");
    end(out, at);
    odd(out, b);
    size_t head = b->large_sizes ? 16 : 8;
    if (b->fragments) {
        write_moov(out, b, 0);
        odd(out, b);
        write_fragment(out, b, 0);
        write_fragment(out, b, 1);
    } else if (b->media_first) {
        uint64_t media = out->size + head;
        write_mdat(out, b, false);
        odd(out, b);
        size_t moov = out->size;
        write_moov(out, b, media);
        if (b->open_end) {
            sl_writer_patch_be32(out, moov, 0);
        }
    } else {
        struct sl_writer measured; /* what moov is long decides what is in it */
        sl_writer_init(&measured, FILE_MAX);
        write_moov(&measured, b, 0);
        write_moov(out, b, out->size + measured.size + head);
        sl_writer_clear(&measured);
        write_mdat(out, b, true);
    }
    assert_int_equal(sl_writer_finish(out, NULL), SL_OK);
}

size_t build_find(const struct sl_writer *file, const char *type)
{
    const uint8_t *at = memmem(file->data, file->size, type, 4);
    assert_non_null(at);
    return (size_t)(at - file->data) + 4;
}
