/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures of any format, size, colour and turn through one scaler: eight bytes each, then samples.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "filter/scale.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PICTURES = 4, SIDE = 80 };

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void release(void *opaque, uint8_t *data)
{
    (void)opaque;
    free(data);
}

/* Rows without padding, in a block of exactly their size, filled with what comes next. */
static struct sl_frame *read_picture(struct sl_reader *r)
{
    struct sl_frame *f = NULL;
    enum sl_pixel_format format = (enum sl_pixel_format)(1 + sl_read_u8(r) % (SL_PIX_COUNT - 1));
    require(sl_frame_create(&f, SL_KIND_VIDEO, NULL) == SL_OK);
    f->format = format;
    f->width = 1 + sl_read_u8(r) % SIDE;
    f->height = 1 + sl_read_u8(r) % SIDE;
    f->colour = (struct sl_colour){.primaries = 1,
                                   .transfer = 1,
                                   .matrix = sl_read_u8(r) % 16,
                                   .range = sl_read_u8(r) % 3,
                                   .chroma_location = sl_read_u8(r) % 8};
    for (int p = 0; p < sl_pixel_info(format)->planes; p++) {
        size_t row = (size_t)sl_plane_bytes(format, p, f->width);
        size_t rows = (size_t)sl_plane_rows(format, p, f->height);
        uint8_t *block = malloc(row * rows);
        require(block != NULL);
        for (size_t i = 0; i < row * rows; i++) {
            block[i] = sl_read_u8(r);
        }
        require(sl_buf_wrap(&f->buf[p], block, row * rows, release, NULL, NULL) == SL_OK);
        f->plane[p] = block;
        f->stride[p] = (ptrdiff_t)row;
    }
    return f;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_reader r;
    struct sl_scaler *s = NULL;
    sl_reader_init(&r, data, size);
    struct sl_scale_params params = {
        .width = sl_read_u8(&r) % SIDE,
        .height = sl_read_u8(&r) % SIDE,
        .colour = {1, 1, sl_read_u8(&r) % 16, sl_read_u8(&r) % 3, sl_read_u8(&r) % 8},
        .rotation = sl_read_u8(&r) % 4 * 90,
        .flip = sl_read_u8(&r) % 2,
        .crop_odd = sl_read_u8(&r) % 2 != 0,
    };
    if (sl_scaler_create(&s, &params, NULL) != SL_OK) {
        return 0;
    }
    for (int i = 0; i < PICTURES && sl_reader_left(&r) > 0; i++) {
        struct sl_frame *in = read_picture(&r), *out = NULL;
        enum sl_status status = sl_scaler_run(s, in, &out, NULL);
        require((status == SL_OK) == (out != NULL));
        require(status == SL_OK || status == SL_EUNSUPPORTED);
        if (out) {
            require(out->width == params.width && out->height == params.height);
            require(out->format == SL_PIX_YUV420P);
        }
        sl_frame_unref(&out);
        sl_frame_unref(&in);
    }
    sl_scaler_destroy(&s);
    return 0;
}
