/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/png.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/alloc.h"
#include "base/error.h"

#define CHUNK 65536 /* bytes of image data in one IDAT */
#define LEVEL 3     /* photographs hardly become smaller beyond */

static void write_chunk(struct sl_writer *w, const char *type, const uint8_t *data, size_t size)
{
    uLong crc = crc32(crc32(0, (const Bytef *)type, 4), data, (uInt)size);
    sl_write_be32(w, (uint32_t)size);
    sl_write_text(w, type);
    sl_write_bytes(w, data, size);
    sl_write_be32(w, (uint32_t)crc);
}

static void write_header(struct sl_writer *w, int32_t width, int32_t height)
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t head[13] = {[8] = 8, [9] = 2}; /* bit depth, truecolour */
    for (int i = 0; i < 4; i++) {
        head[i] = (uint8_t)((uint32_t)width >> (24 - 8 * i));
        head[4 + i] = (uint8_t)((uint32_t)height >> (24 - 8 * i));
    }
    sl_write_bytes(w, signature, sizeof signature);
    write_chunk(w, "IHDR", head, sizeof head);
}

/* PNG third edition 11.3.2.6; readers without it take the pixels for sRGB. */
static void write_colour(struct sl_writer *w, const struct sl_colour *c)
{
    bool usual = (c->primaries == 1 || c->primaries == 5 || c->primaries == 6) &&
                 (c->transfer == 1 || c->transfer == 6 || c->transfer == 13);
    if (!usual && c->primaries != 2 && c->transfer != 2) {
        const uint8_t cicp[4] = {c->primaries, c->transfer, 0, 1};
        write_chunk(w, "cICP", cicp, sizeof cicp);
    }
}

/* 9.2, type 2: the difference to the row above. It is the one that costs nothing. */
static void filter_row(uint8_t *out, const uint8_t *row, const uint8_t *above, size_t size)
{
    out[0] = above ? 2 : 0;
    for (size_t i = 0; i < size; i++) {
        out[i + 1] = (uint8_t)(row[i] - (above ? above[i] : 0));
    }
}

static void *zlib_alloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return sl_alloc_array(count, size);
}

static void zlib_free(void *opaque, void *p)
{
    (void)opaque;
    sl_free(p);
}

enum sl_status sl_png_write(struct sl_writer *out, const uint8_t *pixels, int32_t width,
                            int32_t height, const struct sl_colour *colour, struct sl_error *err)
{
    size_t row = (size_t)width * 3;
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free};
    uint8_t *filtered = sl_alloc(row + 1), *chunk = sl_alloc(CHUNK);
    enum sl_status status = SL_OK;
    int code = Z_OK;
    if (!filtered || !chunk || deflateInit(&z, LEVEL) != Z_OK) {
        sl_free(filtered);
        sl_free(chunk);
        return sl_fail_memory(err);
    }
    write_header(out, width, height);
    write_colour(out, colour);
    z.next_out = chunk;
    z.avail_out = CHUNK;
    for (int32_t y = 0; y < height && code == Z_OK; y++) {
        const uint8_t *at = pixels + (size_t)y * row;
        int flush = y + 1 == height ? Z_FINISH : Z_NO_FLUSH;
        filter_row(filtered, at, y > 0 ? at - row : NULL, row);
        z.next_in = filtered;
        z.avail_in = (uInt)(row + 1);
        do {
            code = deflate(&z, flush);
            if (z.avail_out == 0 || code == Z_STREAM_END) {
                write_chunk(out, "IDAT", chunk, CHUNK - z.avail_out);
                z.next_out = chunk;
                z.avail_out = CHUNK;
            }
        } while (code == Z_OK && (z.avail_in > 0 || flush == Z_FINISH));
    }
    if (code != Z_STREAM_END) {
        status = sl_fail(err, SL_ENOMEM, NULL, "zlib could not pack a picture");
    }
    (void)deflateEnd(&z);
    write_chunk(out, "IEND", chunk, 0);
    sl_free(filtered);
    sl_free(chunk);
    return status ? status : sl_writer_finish(out, err);
}
