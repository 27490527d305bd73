/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/graph.h"

#include <string.h>
#include <zimg.h>

#include "base/alloc.h"
#include "base/error.h"
#include "filter/unpack.h"

struct sl_graph {
    zimg_filter_graph *zimg;
    void *work;     /* zimg's own */
    uint8_t *rings; /* lines for frames that cannot be read in place */
    struct sl_unpack unpack;
    enum sl_pixel_format out_format;
    bool in_place; /* aligned frames may be read where they are */
};

static int32_t round_up(int32_t v, unsigned log)
{
    return (v + (1 << log) - 1) >> log << log;
}

static zimg_chroma_location_e location(struct sl_siting s)
{
    return (zimg_chroma_location_e)(sl_siting_location(s) - 1);
}

static zimg_pixel_range_e range(const struct sl_colour *c)
{
    return c->range == SL_RANGE_FULL ? ZIMG_RANGE_FULL : ZIMG_RANGE_LIMITED;
}

/* 5 and 6 are the same matrix (H.273 table 4). */
static bool same_matrix(const struct sl_graph_params *p)
{
    uint8_t a = p->in.matrix == 5 ? 6 : p->in.matrix, b = p->out.matrix == 5 ? 6 : p->out.matrix;
    return a == b;
}

/* Transfer and primaries stay unstated: zimg then converts the matrix on the coded values, which
 * is what is wanted, and does not go through linear light. */
static void describe(const struct sl_graph_params *p, const struct sl_unpack *u,
                     zimg_image_format *in, zimg_image_format *out)
{
    const struct sl_pixel_info *info = u->info, *to = sl_pixel_info(p->out_format);
    zimg_image_format_default(in, ZIMG_API_VERSION);
    zimg_image_format_default(out, ZIMG_API_VERSION);

    in->width = (unsigned)round_up(p->in_width, info->chroma_w);
    in->height = (unsigned)round_up(p->in_height, info->chroma_h);
    in->active_region.left = 0;
    in->active_region.top = 0;
    in->active_region.width = p->in_width;
    in->active_region.height = p->in_height;
    in->pixel_type = info->sample_bytes == 2 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE;
    in->depth = info->depth;
    in->pixel_range = range(&p->in);

    out->width = (unsigned)p->out_width;
    out->height = (unsigned)p->out_height;
    out->pixel_type = to->sample_bytes == 2 ? ZIMG_PIXEL_WORD : ZIMG_PIXEL_BYTE;
    out->depth = to->depth;
    out->pixel_range = range(&p->out);

    if (u->planes == 1) {
        return; /* grey, both of them: that is the default */
    }
    in->color_family = info->rgb ? ZIMG_COLOR_RGB : ZIMG_COLOR_YUV;
    in->subsample_w = info->chroma_w;
    in->subsample_h = info->chroma_h;
    in->chroma_location = location(p->in_siting);
    out->color_family = ZIMG_COLOR_YUV;
    out->subsample_w = to->chroma_w;
    out->subsample_h = to->chroma_h;
    out->chroma_location = location(p->out_siting);
    if (info->rgb) {
        in->matrix_coefficients = ZIMG_MATRIX_RGB;
    } else if (!same_matrix(p)) {
        in->matrix_coefficients = (zimg_matrix_coefficients_e)p->in.matrix;
    }
    if (info->rgb || !same_matrix(p)) {
        out->matrix_coefficients = (zimg_matrix_coefficients_e)p->out.matrix;
    }
}

static enum sl_status zimg_failed(const struct sl_graph_params *p, struct sl_error *err)
{
    char text[160] = "";
    zimg_error_code_e code = zimg_get_last_error(text, sizeof text);
    zimg_clear_last_error();
    if (code == ZIMG_ERROR_OUT_OF_MEMORY) {
        return sl_fail_memory(err);
    }
    return sl_fail(err, SL_EUNSUPPORTED, NULL,
                   "cannot convert %s %dx%d of matrix %d to %s %dx%d of matrix %d: %s",
                   sl_pixel_info(p->format)->name, (int)p->in_width, (int)p->in_height,
                   p->in.matrix, sl_pixel_info(p->out_format)->name, (int)p->out_width,
                   (int)p->out_height, p->out.matrix, text);
}

/* Catmull-Rom: docs/colour.md has the comparison. No dither: it costs PSNR and bits. */
static zimg_filter_graph *build(const struct sl_graph_params *p, const struct sl_unpack *u)
{
    zimg_image_format in, out;
    zimg_graph_builder_params params;
    describe(p, u, &in, &out);
    zimg_graph_builder_params_default(&params, ZIMG_API_VERSION);
    params.resample_filter = ZIMG_RESIZE_BICUBIC;
    params.resample_filter_uv = ZIMG_RESIZE_BICUBIC;
    params.filter_param_a = params.filter_param_a_uv = 0;
    params.filter_param_b = params.filter_param_b_uv = 0.5;
    params.dither_type = ZIMG_DITHER_NONE;
    params.cpu_type = ZIMG_CPU_AUTO_64B;
    return zimg_filter_graph_build(&in, &out, &params);
}

/* Rings of as many lines as zimg looks at together. */
static enum sl_status make_rings(struct sl_graph *g, const struct sl_graph_params *p,
                                 struct sl_error *err)
{
    struct sl_unpack *u = &g->unpack;
    unsigned lines;
    size_t offset[3], total = 0;
    if (zimg_filter_graph_get_input_buffering(g->zimg, &lines)) {
        return zimg_failed(p, err);
    }
    unsigned mask = zimg_select_buffer_mask(lines);
    for (int i = 0; i < u->planes; i++) {
        struct sl_unpack_plane *r = &u->plane[i];
        size_t row =
            (size_t)(round_up(p->in_width, u->info->chroma_w) >> r->log_w) * u->info->sample_bytes;
        size_t rows = (size_t)(round_up(p->in_height, u->info->chroma_h) >> r->log_h);
        size_t bytes;
        row = (row + SL_BUF_ALIGN - 1) / SL_BUF_ALIGN * SL_BUF_ALIGN;
        r->stride = (ptrdiff_t)row;
        r->mask = mask == ZIMG_BUFFER_MAX ? mask : mask >> r->log_h;
        if (r->mask != ZIMG_BUFFER_MAX) {
            rows = (size_t)r->mask + 1;
        }
        offset[i] = total;
        if (!sl_size_mul(row, rows, &bytes) || !sl_size_add(total, bytes, &total)) {
            return sl_fail_memory(err);
        }
    }
    g->rings = sl_alloc_aligned(SL_BUF_ALIGN, total);
    if (!g->rings) {
        return sl_fail_memory(err);
    }
    for (int i = 0; i < u->planes; i++) {
        u->plane[i].data = g->rings + offset[i];
    }
    return SL_OK;
}

enum sl_status sl_graph_create(struct sl_graph **out, const struct sl_graph_params *params,
                               struct sl_error *err)
{
    enum sl_status status;
    size_t work;
    struct sl_graph *g = sl_alloc_zero(sizeof *g);
    *out = NULL;
    if (!g) {
        return sl_fail_memory(err);
    }
    sl_unpack_init(&g->unpack, params->format, params->in_width, params->in_height);
    const struct sl_pixel_info *info = g->unpack.info;
    g->out_format = params->out_format;
    g->in_place = sl_unpack_is_planar(&g->unpack) &&
                  round_up(params->in_width, info->chroma_w) == params->in_width &&
                  round_up(params->in_height, info->chroma_h) == params->in_height;
    g->zimg = build(params, &g->unpack);
    if (!g->zimg || zimg_filter_graph_get_tmp_size(g->zimg, &work)) {
        status = zimg_failed(params, err);
        goto out;
    }
    status = make_rings(g, params, err);
    if (status != SL_OK) {
        goto out;
    }
    g->work = sl_alloc_aligned(SL_BUF_ALIGN, work > 0 ? work : 1);
    if (!g->work) {
        status = sl_fail_memory(err);
        goto out;
    }
    *out = g;
    g = NULL;
out:
    sl_graph_destroy(&g);
    return status;
}

/* zimg then reads whole multiples of the alignment: past the last pixel, but not past the page that
 * it lies in. */
static bool aligned(const struct sl_unpack *u, const struct sl_frame *in)
{
    for (int i = 0; i < u->planes; i++) {
        int p = u->plane[i].from;
        if ((uintptr_t)in->plane[p] % SL_BUF_ALIGN != 0 || in->stride[p] % SL_BUF_ALIGN != 0) {
            return false;
        }
    }
    return true;
}

/* Grey has none. */
static void fill_chroma(const struct sl_graph *g, struct sl_frame *out)
{
    const struct sl_pixel_info *info = sl_pixel_info(g->out_format);
    uint16_t middle = (uint16_t)(1 << (info->depth - 1));
    for (int p = 1; p < 3; p++) {
        size_t bytes = (size_t)sl_plane_bytes(g->out_format, p, out->width);
        for (int32_t y = 0; y < sl_plane_rows(g->out_format, p, out->height); y++) {
            uint8_t *row = out->plane[p] + y * out->stride[p];
            if (info->sample_bytes == 1) {
                memset(row, middle, bytes);
            }
            for (size_t x = 0; info->sample_bytes == 2 && x < bytes; x += 2) {
                memcpy(row + x, &middle, 2);
            }
        }
    }
}

enum sl_status sl_graph_run(struct sl_graph *g, const struct sl_frame *in, struct sl_frame *out,
                            struct sl_error *err)
{
    struct sl_unpack *u = &g->unpack;
    zimg_image_buffer_const src = {.version = ZIMG_API_VERSION};
    zimg_image_buffer dst = {.version = ZIMG_API_VERSION};
    bool in_place = g->in_place && aligned(u, in);
    for (int i = 0; i < u->planes; i++) {
        const struct sl_unpack_plane *p = &u->plane[i];
        src.plane[i].data = in_place ? in->plane[p->from] : p->data;
        src.plane[i].stride = in_place ? in->stride[p->from] : p->stride;
        src.plane[i].mask = in_place ? ZIMG_BUFFER_MAX : p->mask;
    }
    for (int i = 0; i < 3; i++) {
        dst.plane[i].data = out->plane[i];
        dst.plane[i].stride = out->stride[i];
        dst.plane[i].mask = ZIMG_BUFFER_MAX;
    }
    u->in = in;
    if (zimg_filter_graph_process(g->zimg, &src, &dst, g->work, in_place ? NULL : sl_unpack_lines,
                                  u, NULL, NULL)) {
        zimg_clear_last_error();
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "zimg refused a %s picture of %dx%d",
                       u->info->name, (int)u->width, (int)u->height);
    }
    if (u->planes == 1) {
        fill_chroma(g, out);
    }
    return SL_OK;
}

void sl_graph_destroy(struct sl_graph **g)
{
    if (!g || !*g) {
        return;
    }
    zimg_filter_graph_free((*g)->zimg);
    sl_free((*g)->work);
    sl_free((*g)->rings);
    sl_free(*g);
    *g = NULL;
}
