/* SPDX-License-Identifier: BSD-2-Clause */
/* zimg makes planar RGB of anything, a few lines at a time, and those are woven into pixels while
 * they are in the cache. NV12 out of 8-bit 4:2:0 is weaving alone: its samples are the decoder's.
 */
#include "filter/packed.h"

#include <string.h>
#include <zimg.h>

#include "base/alloc.h"
#include "base/error.h"
#include "filter/graph.h"
#include "filter/siting.h"
#include "filter/unpack.h"
#include "media/colour.h"

struct ring { /* lines of one plane */
    uint8_t *data;
    ptrdiff_t stride;
    unsigned mask;
};

struct sl_packer {
    enum sl_pixel_format format; /* of the output */

    bool ready;
    enum sl_pixel_format in_format;
    int32_t width, height;
    struct sl_colour colour; /* of the input, complete */

    /* RGB */
    zimg_filter_graph *zimg;
    void *work;
    uint8_t *lines; /* rings of input and output */
    struct sl_unpack unpack;
    struct ring out[3];
    uint8_t *dst;
    /* NV12 of what is not 8-bit 4:2:0 */
    struct sl_graph *graph;
    struct sl_frame *between;
};

enum sl_status sl_packer_create(struct sl_packer **out, enum sl_pixel_format format,
                                struct sl_error *err)
{
    struct sl_packer *p = sl_alloc_zero(sizeof *p);
    *out = NULL;
    if (!p) {
        return sl_fail_memory(err);
    }
    p->format = format;
    *out = p;
    return SL_OK;
}

static void forget(struct sl_packer *p)
{
    p->ready = false;
    zimg_filter_graph_free(p->zimg);
    p->zimg = NULL;
    sl_free(p->work);
    p->work = NULL;
    sl_free(p->lines);
    p->lines = NULL;
    sl_graph_destroy(&p->graph);
    sl_frame_unref(&p->between);
}

void sl_packer_destroy(struct sl_packer **p)
{
    if (p && *p) {
        forget(*p);
        sl_free(*p);
        *p = NULL;
    }
}

enum sl_status sl_packer_size(const struct sl_packer *p, int32_t width, int32_t height,
                              size_t *size, struct sl_error *err)
{
    size_t luma = (size_t)width * (size_t)height; /* sides are at most 16384 */
    if (p->format == SL_PIX_NV12 && (width % 2 != 0 || height % 2 != 0)) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL,
                       "nv12 of %dx%d: both sides must be even (rgb24 has any)", (int)width,
                       (int)height);
    }
    *size = p->format == SL_PIX_NV12 ? luma / 2 * 3 : luma * 3;
    return SL_OK;
}

struct sl_colour sl_packer_colour(const struct sl_packer *p, const struct sl_frame *in)
{
    bool rgb = sl_pixel_info(in->format)->rgb;
    struct sl_colour c = sl_colour_complete(in->colour, rgb, in->height);
    if (p->format == SL_PIX_RGB24) {
        c.matrix = 0;
        c.range = SL_RANGE_FULL;
        c.chroma_location = 0;
    } else if (rgb) {
        c.matrix = c.primaries == 9 ? 9 : 2;
        c.range = SL_RANGE_LIMITED;
        c = sl_colour_complete(c, false, in->height);
    }
    return c;
}

/* ---- RGB --------------------------------------------------------------------------------- */

static int32_t round_up(int32_t v, unsigned log)
{
    return (v + (1 << log) - 1) >> log << log;
}

/* As filter/graph.c: matrix and range alone, on the coded values. Grey stays grey. */
static zimg_filter_graph *build(const struct sl_packer *p)
{
    const struct sl_pixel_info *info = p->unpack.info;
    struct sl_siting siting = sl_siting_codable(sl_siting_of(info, p->colour.chroma_location));
    zimg_image_format in, out;
    zimg_graph_builder_params params;
    zimg_image_format_default(&in, ZIMG_API_VERSION);
    zimg_image_format_default(&out, ZIMG_API_VERSION);
    in.width = (unsigned)round_up(p->width, info->chroma_w);
    in.height = (unsigned)round_up(p->height, info->chroma_h);
    in.active_region.width = p->width;
    in.active_region.height = p->height;
    in.pixel_type = info->sample_bytes == 2 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE;
    in.depth = info->depth;
    in.pixel_range = p->colour.range == SL_RANGE_FULL ? ZIMG_RANGE_FULL : ZIMG_RANGE_LIMITED;
    out.width = (unsigned)p->width;
    out.height = (unsigned)p->height;
    out.pixel_type = ZIMG_PIXEL_BYTE;
    out.depth = 8;
    out.pixel_range = ZIMG_RANGE_FULL;
    if (p->unpack.planes == 3) {
        in.color_family = info->rgb ? ZIMG_COLOR_RGB : ZIMG_COLOR_YUV;
        in.subsample_w = info->chroma_w;
        in.subsample_h = info->chroma_h;
        in.chroma_location = (zimg_chroma_location_e)(sl_siting_location(siting) - 1);
        in.matrix_coefficients =
            info->rgb ? ZIMG_MATRIX_RGB : (zimg_matrix_coefficients_e)p->colour.matrix;
        out.color_family = ZIMG_COLOR_RGB;
        out.matrix_coefficients = ZIMG_MATRIX_RGB;
    }
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter_uv = ZIMG_RESIZE_BILINEAR;
    params.dither_type = ZIMG_DITHER_NONE;
    params.cpu_type = ZIMG_CPU_AUTO_64B;
    return zimg_filter_graph_build(&in, &out, &params);
}

static enum sl_status zimg_failed(const struct sl_packer *p, struct sl_error *err)
{
    char text[160] = "";
    zimg_error_code_e code = zimg_get_last_error(text, sizeof text);
    zimg_clear_last_error();
    if (code == ZIMG_ERROR_OUT_OF_MEMORY) {
        return sl_fail_memory(err);
    }
    return sl_fail(err, SL_EUNSUPPORTED, NULL, "cannot convert %s of matrix %d to rgb24: %s",
                   p->unpack.info->name, p->colour.matrix, text);
}

static bool add_ring(size_t row, int32_t rows, unsigned mask, size_t *total, ptrdiff_t *stride,
                     size_t *offset)
{
    size_t lines = mask == ZIMG_BUFFER_MAX ? (size_t)rows : (size_t)mask + 1, bytes;
    row = (row + SL_BUF_ALIGN - 1) / SL_BUF_ALIGN * SL_BUF_ALIGN;
    *stride = (ptrdiff_t)row;
    *offset = *total;
    return sl_size_mul(row, lines, &bytes) && sl_size_add(*total, bytes, total);
}

static enum sl_status make_lines(struct sl_packer *p, struct sl_error *err)
{
    struct sl_unpack *u = &p->unpack;
    const struct sl_pixel_info *info = u->info;
    unsigned in_lines, out_lines, in_mask, out_mask;
    size_t total = 0, in_at[3] = {0}, out_at[3] = {0};
    bool good = true;
    if (zimg_filter_graph_get_input_buffering(p->zimg, &in_lines) ||
        zimg_filter_graph_get_output_buffering(p->zimg, &out_lines)) {
        return zimg_failed(p, err);
    }
    in_mask = zimg_select_buffer_mask(in_lines);
    out_mask = zimg_select_buffer_mask(out_lines);
    for (int i = 0; i < u->planes; i++) {
        struct sl_unpack_plane *r = &u->plane[i];
        int32_t columns = round_up(p->width, info->chroma_w) >> r->log_w;
        r->mask = in_mask == ZIMG_BUFFER_MAX ? in_mask : in_mask >> r->log_h;
        good &= add_ring((size_t)columns * info->sample_bytes,
                         round_up(p->height, info->chroma_h) >> r->log_h, r->mask, &total,
                         &r->stride, &in_at[i]);
        p->out[i].mask = out_mask;
        good &=
            add_ring((size_t)p->width, p->height, out_mask, &total, &p->out[i].stride, &out_at[i]);
    }
    p->lines = good ? sl_alloc_aligned(SL_BUF_ALIGN, total) : NULL;
    if (!p->lines) {
        return sl_fail_memory(err);
    }
    for (int i = 0; i < u->planes; i++) {
        u->plane[i].data = p->lines + in_at[i];
        p->out[i].data = p->lines + out_at[i];
    }
    return SL_OK;
}

static enum sl_status prepare_rgb(struct sl_packer *p, struct sl_error *err)
{
    size_t work;
    enum sl_status status;
    sl_unpack_init(&p->unpack, p->in_format, p->width, p->height);
    p->zimg = build(p);
    if (!p->zimg || zimg_filter_graph_get_tmp_size(p->zimg, &work)) {
        return zimg_failed(p, err);
    }
    status = make_lines(p, err);
    if (!status) {
        p->work = sl_alloc_aligned(SL_BUF_ALIGN, work > 0 ? work : 1);
        status = p->work ? SL_OK : sl_fail_memory(err);
    }
    return status;
}

/* A zimg_filter_graph_callback: line i is there, from left to right. */
static int weave_rgb(void *packer, unsigned i, unsigned left, unsigned right)
{
    const struct sl_packer *p = packer;
    const uint8_t *line[3];
    uint8_t *to = p->dst + ((size_t)i * (size_t)p->width + left) * 3;
    for (int n = 0; n < 3; n++) {
        const struct ring *r = &p->out[p->unpack.planes == 3 ? n : 0];
        line[n] = r->data + (ptrdiff_t)(i & r->mask) * r->stride;
    }
    for (size_t x = left; x < right; x++, to += 3) {
        to[0] = line[0][x];
        to[1] = line[1][x];
        to[2] = line[2][x];
    }
    return 0;
}

static bool aligned(const struct sl_unpack *u, const struct sl_frame *in)
{
    bool good = sl_unpack_is_planar(u);
    for (int i = 0; i < u->planes; i++) {
        int p = u->plane[i].from;
        good &= (uintptr_t)in->plane[p] % SL_BUF_ALIGN == 0 && in->stride[p] % SL_BUF_ALIGN == 0;
    }
    return good && round_up(u->width, u->info->chroma_w) == u->width &&
           round_up(u->height, u->info->chroma_h) == u->height;
}

static enum sl_status run_rgb(struct sl_packer *p, const struct sl_frame *in, struct sl_error *err)
{
    struct sl_unpack *u = &p->unpack;
    zimg_image_buffer_const src = {.version = ZIMG_API_VERSION};
    zimg_image_buffer dst = {.version = ZIMG_API_VERSION};
    bool in_place = aligned(u, in);
    for (int i = 0; i < u->planes; i++) {
        const struct sl_unpack_plane *from = &u->plane[i];
        src.plane[i].data = in_place ? in->plane[from->from] : from->data;
        src.plane[i].stride = in_place ? in->stride[from->from] : from->stride;
        src.plane[i].mask = in_place ? ZIMG_BUFFER_MAX : from->mask;
        dst.plane[i].data = p->out[i].data;
        dst.plane[i].stride = p->out[i].stride;
        dst.plane[i].mask = p->out[i].mask;
    }
    u->in = in;
    if (zimg_filter_graph_process(p->zimg, &src, &dst, p->work, in_place ? NULL : sl_unpack_lines,
                                  u, weave_rgb, p)) {
        return zimg_failed(p, err);
    }
    return SL_OK;
}

/* ---- NV12 -------------------------------------------------------------------------------- */

static enum sl_status prepare_nv12(struct sl_packer *p, const struct sl_frame *in,
                                   struct sl_error *err)
{
    const struct sl_pixel_info *info = sl_pixel_info(p->in_format);
    struct sl_graph_params params = {.format = p->in_format,
                                     .out_format = SL_PIX_YUV420P,
                                     .in_width = p->width,
                                     .in_height = p->height,
                                     .out_width = p->width,
                                     .out_height = p->height,
                                     .in = p->colour,
                                     .out = sl_packer_colour(p, in)};
    enum sl_status status;
    if (p->in_format == SL_PIX_YUV420P || p->in_format == SL_PIX_NV12) {
        return SL_OK;
    }
    params.in_siting = sl_siting_codable(sl_siting_of(info, p->colour.chroma_location));
    params.out_siting = sl_siting_from_location(p->colour.chroma_location);
    status = sl_frame_create_video(&p->between, SL_PIX_YUV420P, p->width, p->height, NULL, err);
    return status ? status : sl_graph_create(&p->graph, &params, err);
}

static void copy_rows(uint8_t *dst, const uint8_t *src, ptrdiff_t stride, size_t row, int32_t rows)
{
    for (int32_t y = 0; y < rows; y++) {
        memcpy(dst + (size_t)y * row, src + y * stride, row);
    }
}

static enum sl_status run_nv12(struct sl_packer *p, const struct sl_frame *in, struct sl_error *err)
{
    size_t width = (size_t)p->width;
    uint8_t *chroma = p->dst + width * (size_t)p->height;
    if (p->graph) {
        enum sl_status status = sl_graph_run(p->graph, in, p->between, err);
        if (status) {
            return status;
        }
        in = p->between;
    }
    copy_rows(p->dst, in->plane[0], in->stride[0], width, p->height);
    if (in->format == SL_PIX_NV12) {
        copy_rows(chroma, in->plane[1], in->stride[1], width, p->height / 2);
        return SL_OK;
    }
    for (int32_t y = 0; y < p->height / 2; y++, chroma += width) {
        const uint8_t *u = in->plane[1] + y * in->stride[1], *v = in->plane[2] + y * in->stride[2];
        for (size_t x = 0; x < width / 2; x++) {
            chroma[2 * x] = u[x];
            chroma[2 * x + 1] = v[x];
        }
    }
    return SL_OK;
}

/* ---- both -------------------------------------------------------------------------------- */

static bool same_colour(const struct sl_colour *a, const struct sl_colour *b)
{
    return a->matrix == b->matrix && a->range == b->range &&
           a->chroma_location == b->chroma_location && a->primaries == b->primaries;
}

static enum sl_status prepare(struct sl_packer *p, const struct sl_frame *in, struct sl_error *err)
{
    bool rgb = sl_pixel_info(in->format)->rgb;
    struct sl_colour colour = sl_colour_complete(in->colour, rgb, in->height);
    enum sl_status status;
    if (p->ready && p->in_format == in->format && p->width == in->width &&
        p->height == in->height && same_colour(&p->colour, &colour)) {
        return SL_OK;
    }
    forget(p);
    p->in_format = in->format;
    p->width = in->width;
    p->height = in->height;
    p->colour = colour;
    status = p->format == SL_PIX_NV12 ? prepare_nv12(p, in, err) : prepare_rgb(p, err);
    if (status) {
        forget(p);
    }
    p->ready = status == SL_OK;
    return status;
}

enum sl_status sl_packer_run(struct sl_packer *p, const struct sl_frame *in, uint8_t *dst,
                             struct sl_error *err)
{
    size_t size;
    enum sl_status status = sl_packer_size(p, in->width, in->height, &size, err);
    if (!status) {
        status = prepare(p, in, err);
    }
    if (status) {
        return status;
    }
    p->dst = dst;
    if (p->format == SL_PIX_RGB24 && in->format == SL_PIX_RGB24) {
        copy_rows(dst, in->plane[0], in->stride[0], (size_t)in->width * 3, in->height);
        return SL_OK;
    }
    return p->format == SL_PIX_NV12 ? run_nv12(p, in, err) : run_rgb(p, in, err);
}
