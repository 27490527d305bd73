/* SPDX-License-Identifier: BSD-2-Clause */
#include "boxes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "unit.h"

/* Fields as "name:bits", with s for signed; "*" stands for children, after the fields. */
static const struct spec {
    const char *type, *fields;
} specs[] = {
    {"ftyp", "major:32t version:32"},
    {"styp", "major:32t version:32"},
    {"moov", "*"},
    {"mvhd", "version:8 flags:24 creation:64 modification:64 timescale:32 duration:64 rate:32x "
             "volume:16x"},
    {"trak", "*"},
    {"tkhd", "version:8 flags:24 creation:64 modification:64 id:32 _:32 duration:64 _:64 layer:16 "
             "group:16 volume:16x _:16 a:32s b:32s u:32s c:32s d:32s v:32s x:32s y:32s w:32s "
             "width:32f height:32f"},
    {"edts", "*"},
    {"elst", "version:8 flags:24 count:32 duration:64 media_time:64s rate:32x"},
    {"mdia", "*"},
    {"mdhd", "version:8 flags:24 creation:64 modification:64 timescale:32 duration:64 "
             "language:16l _:16"},
    {"hdlr", "version:8 flags:24 _:32 handler:32t"},
    {"minf", "*"},
    {"vmhd", "version:8 flags:24"},
    {"smhd", "version:8 flags:24"},
    {"dinf", "*"},
    {"dref", "version:8 flags:24 count:32 *"},
    {"url ", "version:8 flags:24"},
    {"stbl", "*"},
    {"stsd", "version:8 flags:24 count:32 *"},
    {"stts", "version:8 flags:24 count:32"},
    {"stsc", "version:8 flags:24 count:32"},
    {"stsz", "version:8 flags:24 each:32 count:32"},
    {"stco", "version:8 flags:24 count:32"},
    {"avc1", "_:48 reference:16 _:64 _:64 width:16 height:16 dpi_x:32f dpi_y:32f _:32 frames:16 "
             "_:64 _:64 _:64 _:64 depth:16 pre:16s *"},
    {"hvc1", "_:48 reference:16 _:64 _:64 width:16 height:16 dpi_x:32f dpi_y:32f _:32 frames:16 "
             "_:64 _:64 _:64 _:64 depth:16 pre:16s *"},
    {"mp4a", "_:48 reference:16 _:64 channels:16 bits:16 _:32 rate:32f *"},
    {"avc3", "_:48 reference:16 _:64 _:64 width:16 height:16 dpi_x:32f dpi_y:32f _:32 frames:16 "
             "_:64 _:64 _:64 _:64 depth:16 pre:16s *"},
    {"av01", "_:48 reference:16 _:64 _:64 width:16 height:16 dpi_x:32f dpi_y:32f _:32 frames:16 "
             "_:64 _:64 _:64 _:64 depth:16 pre:16s *"},
    {"vp09", "_:48 reference:16 _:64 _:64 width:16 height:16 dpi_x:32f dpi_y:32f _:32 frames:16 "
             "_:64 _:64 _:64 _:64 depth:16 pre:16s *"},
    {"vp08", "_:48 reference:16 _:64 _:64 width:16 height:16 dpi_x:32f dpi_y:32f _:32 frames:16 "
             "_:64 _:64 _:64 _:64 depth:16 pre:16s *"},
    {"ac-3", "_:48 reference:16 _:64 channels:16 bits:16 _:32 rate:32f *"},
    {"ec-3", "_:48 reference:16 _:64 channels:16 bits:16 _:32 rate:32f *"},
    {"Opus", "_:48 reference:16 _:64 channels:16 bits:16 _:32 rate:32f *"},
    {"fLaC", "_:48 reference:16 _:64 channels:16 bits:16 _:32 rate:32f *"},
    {"wvtt", "_:48 reference:16 *"},
    {"nmhd", "version:8 flags:24"},
    {"mdcv", "green_x:16 green_y:16 blue_x:16 blue_y:16 red_x:16 red_y:16 white_x:16 white_y:16 "
             "max:32 min:32"},
    {"clli", "cll:16 fall:16"},
    {"dOps", "version:8 channels:8 skip:16 rate:32 gain:16s family:8"},
    {"vpcC",
     "version:8 flags:24 profile:8 level:8 bits:8x primaries:8 transfer:8 matrix:8 init:16"},
    {"sgpd", "version:8 flags:24 type:32t length:32 count:32 roll:16s"},
    {"sbgp", "version:8 flags:24 type:32t count:32 samples:32 group:32"},
    {"sidx", "version:8 flags:24 id:32 timescale:32 earliest:64 offset:64 _:16 count:16 size:32 "
             "duration:32 sap:32x"},
    {"pasp", "h:32 v:32"},
    {"colr", "type:32t primaries:16 transfer:16 matrix:16 range:8x"},
    {"btrt", "buffer:32 max:32 average:32"},
    {"esds", "version:8 flags:24"},
    {"elng", "version:8 flags:24"},
    {"mvex", "*"},
    {"trex", "version:8 flags:24 id:32 entry:32 duration:32 size:32 sample_flags:32x"},
    {"moof", "*"},
    {"mfhd", "version:8 flags:24 sequence:32"},
    {"traf", "*"},
    {"tfhd", "version:8 flags:24x id:32"},
    {"tfdt", "version:8 flags:24 time:64"},
};

static const struct spec *find_spec(const char *type)
{
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (!strcmp(specs[i].type, type))
            return &specs[i];
    return NULL;
}

bool box_next(struct sl_reader *r, struct box *box)
{
    uint64_t size;
    size_t header = 8;
    if (!sl_reader_left(r))
        return false;
    box->start = r->data + r->pos;
    size = sl_read_be32(r);
    memset(box->type, 0, sizeof box->type);
    const uint8_t *type = sl_read_bytes(r, 4);
    assert_non_null(type);
    memcpy(box->type, type, 4);
    if (size == 1) {
        size = sl_read_be64(r);
        header = 16;
    }
    assert_true(size >= header);
    box->size = (size_t)size - header;
    box->data = sl_read_bytes(r, box->size);
    assert_false(r->overrun);
    return true;
}

/* Bytes of the fixed fields before the children. */
static size_t fixed_size(const struct spec *spec)
{
    size_t bits = 0;
    for (const char *c = strchr(spec->fields, ':'); c; c = strchr(c + 1, ':'))
        bits += strtoul(c + 1, NULL, 10);
    return bits / 8;
}

static bool search(const uint8_t *data, size_t size, const char *path, size_t *index,
                   struct box *found)
{
    struct sl_reader r;
    struct box box;
    sl_reader_init(&r, data, size);
    while (box_next(&r, &box)) {
        if (strncmp(box.type, path, 4) != 0)
            continue;
        if (path[4] == '\0') {
            if ((*index)-- == 0) {
                *found = box;
                return true;
            }
            continue;
        }
        const struct spec *spec = find_spec(box.type);
        size_t skip = spec ? fixed_size(spec) : 0;
        assert_true(skip <= box.size);
        if (search(box.data + skip, box.size - skip, path + 5, index, found))
            return true;
    }
    return false;
}

struct box box_find(const uint8_t *data, size_t size, const char *path, size_t index)
{
    struct box box = {{0}, NULL, 0, NULL};
    if (!search(data, size, path, &index, &box))
        fail_msg("no box %s", path);
    return box;
}

size_t box_count(const uint8_t *data, size_t size, const char *path)
{
    struct box box;
    size_t index = SIZE_MAX;
    (void)search(data, size, path, &index, &box);
    return SIZE_MAX - index;
}

static void indent(struct sl_writer *out, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        sl_write_text(out, "  ");
}

static void dump_hex(struct sl_reader *r, unsigned depth, struct sl_writer *out)
{
    while (sl_reader_left(r)) {
        indent(out, depth);
        for (unsigned i = 0; i < 32 && sl_reader_left(r); i++)
            sl_write_format(out, "%s%02x", i && i % 4 == 0 ? " " : "", sl_read_u8(r));
        sl_write_text(out, "\n");
    }
}

static void dump_field(struct sl_reader *r, const char *field, struct sl_writer *out)
{
    int name = (int)strcspn(field, ":");
    char *format;
    unsigned long bits = strtoul(field + name + 1, &format, 10);
    uint64_t v = 0;
    for (unsigned long i = 0; i < bits; i += 8)
        v = v << 8 | sl_read_u8(r);
    if (field[0] == '_')
        return; /* reserved: that they are zero is checked by nobody's eyes, but by ffprobe's */
    sl_write_format(out, " %.*s=", name, field);
    if (*format == 'x')
        sl_write_format(out, "0x%" PRIx64, v);
    else if (*format == 'f')
        sl_write_format(out, "%" PRIu64 ".%05" PRIu64, v >> 16, (v & 0xffff) * 100000 / 65536);
    else if (*format == 's')
        sl_write_format(out, "%" PRId64, (int64_t)(v << (64 - bits)) >> (64 - bits));
    else if (*format == 't')
        sl_write_format(out, "%c%c%c%c", (int)(v >> 24), (int)(v >> 16 & 255), (int)(v >> 8 & 255),
                        (int)(v & 255));
    else if (*format == 'l')
        sl_write_format(out, "%c%c%c", (int)(v >> 10 & 31) + 0x60, (int)(v >> 5 & 31) + 0x60,
                        (int)(v & 31) + 0x60);
    else
        sl_write_format(out, "%" PRIu64, v);
}

/* 14496-12 8.8.8 */
static void dump_trun(struct sl_reader *r, unsigned depth, struct sl_writer *out)
{
    static const char *const names[] = {"duration", "size", "flags", "offset"};
    uint32_t version = sl_read_u8(r), flags = sl_read_be24(r), count = sl_read_be32(r);
    sl_write_format(out, " version=%u flags=0x%06x count=%u", version, flags, count);
    if (flags & 1)
        sl_write_format(out, " data_offset=%d", (int32_t)sl_read_be32(r));
    if (flags & 4)
        sl_write_format(out, " first_flags=0x%08x", sl_read_be32(r));
    sl_write_text(out, "\n");
    for (uint32_t i = 0; i < count && flags & 0xf00; i++) {
        indent(out, depth + 1);
        for (unsigned f = 0; f < 4; f++)
            if (flags & 0x100u << f)
                sl_write_format(out, f == 2 ? " %s=0x%08x" : " %s=%u", names[f], sl_read_be32(r));
        sl_write_text(out, "\n");
    }
}

/* 8.8.7: the optional fields in the order of their flags */
static void dump_tfhd(struct sl_reader *r, struct sl_writer *out)
{
    static const struct {
        uint32_t flag;
        const char *name;
    } fields[] = {{1, "base"}, {2, "entry"}, {8, "duration"}, {16, "size"}, {32, "sample_flags"}};
    uint32_t flags = sl_read_be32(r);
    sl_write_format(out, " flags=0x%06x id=%u", flags, sl_read_be32(r));
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        if (flags & fields[i].flag)
            sl_write_format(out, " %s=0x%x", fields[i].name, sl_read_be32(r));
    sl_write_text(out, "\n");
}

static void dump(const uint8_t *data, size_t size, unsigned depth, struct sl_writer *out)
{
    struct sl_reader all, r;
    struct box box;
    sl_reader_init(&all, data, size);
    while (box_next(&all, &box)) {
        const struct spec *spec = find_spec(box.type);
        const char *field = spec ? spec->fields : "";
        sl_reader_init(&r, box.data, box.size);
        indent(out, depth);
        sl_write_format(out, "%s %zu", box.type, box.size);
        if (!strcmp(box.type, "mdat") || !strcmp(box.type, "free")) {
            sl_write_text(out, "\n");
            continue;
        }
        if (!strcmp(box.type, "trun")) {
            dump_trun(&r, depth, out);
        } else if (!strcmp(box.type, "tfhd")) {
            dump_tfhd(&r, out);
        } else {
            for (; *field && *field != '*'; field += strspn(field, " ")) {
                dump_field(&r, field, out);
                field += strcspn(field, " ");
            }
            sl_write_text(out, "\n");
        }
        assert_false(r.overrun);
        if (*field == '*')
            dump(r.data + r.pos, sl_reader_left(&r), depth + 1, out);
        else
            dump_hex(&r, depth + 1, out);
    }
}

void boxes_dump(const uint8_t *data, size_t size, struct sl_writer *out)
{
    dump(data, size, 0, out);
}

void golden_check(const char *directory, const char *name, const struct sl_writer *text)
{
    char path[512];
    uint8_t *expected;
    size_t size;
    assert_int_equal(text->status, SL_OK);
    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    if (getenv("SL_UPDATE_GOLDEN")) {
        scratch_write(path, text->data, text->size);
        return;
    }
    expected = scratch_read(path, &size);
    if (size != text->size || memcmp(expected, text->data, size) != 0) {
        (void)fwrite(text->data, 1, text->size, stderr);
        free(expected);
        fail_msg("differs from %s; SL_UPDATE_GOLDEN=1 writes what is above", path);
    }
    free(expected);
}
