/* SPDX-License-Identifier: BSD-2-Clause */
/* The cheapest way: nothing, another layout of the same samples (weave.c), packed RGB to 4:2:0
 * (rgb.c), else zimg (graph.c), which makes planes, woven afterwards where the output wants that.
 */
#include "filter/convert.h"

#include "base/alloc.h"
#include "base/error.h"
#include "filter/graph.h"
#include "filter/rgb.h"
#include "filter/siting.h"
#include "filter/weave.h"
#include "media/colour.h"

#define SIDE_MAX    16384
#define IDLE_FRAMES 8 /* as in scale.c */

struct sl_converter {
    struct sl_convert_params params; /* colours complete */
    enum { PASS, RELAY, RGB, GRAPH } way;
    struct sl_rgb rgb;
    struct sl_graph *graph;
    struct sl_frame *between; /* GRAPH, and the output is not planar: Cb and Cr before weaving */
    struct sl_buf_pool *pool;
};

static enum sl_status unsupported(const struct sl_convert_params *p, const char *why,
                                  struct sl_error *err)
{
    return sl_fail(err, SL_EUNSUPPORTED, NULL, "cannot convert %s to %s: %s",
                   sl_pixel_info(p->in_format)->name, sl_pixel_info(p->out_format)->name, why);
}

static bool is_subsampled(const struct sl_pixel_info *info)
{
    return info->chroma_w > 0 || info->chroma_h > 0;
}

static enum sl_status check_params(const struct sl_convert_params *p, struct sl_error *err)
{
    const struct sl_pixel_info *in = sl_pixel_info(p->in_format);
    const struct sl_pixel_info *out = sl_pixel_info(p->out_format);
    if (!in || !out) {
        return sl_fail(err, SL_EINVAL, NULL, "formats %d and %d: one does not exist",
                       (int)p->in_format, (int)p->out_format);
    }
    if (p->width < 1 || p->height < 1 || p->width > SIDE_MAX || p->height > SIDE_MAX) {
        return sl_fail(err, SL_EINVAL, NULL, "pictures of %dx%d (1 to %d a side)", (int)p->width,
                       (int)p->height, SIDE_MAX);
    }
    if ((p->width % 2 != 0 || p->height % 2 != 0) && (is_subsampled(in) || is_subsampled(out))) {
        return sl_fail(err, SL_EINVAL, NULL, "%s to %s of %dx%d: both sides must be even", in->name,
                       out->name, (int)p->width, (int)p->height);
    }
    if ((p->out.range != SL_RANGE_LIMITED && p->out.range != SL_RANGE_FULL) ||
        (!out->rgb && (p->out.matrix == 0 || p->out.matrix == 2)) || p->out.chroma_location > 6) {
        return sl_fail(err, SL_EINVAL, NULL,
                       "output colour with matrix %d, range %d, chroma location %d: they must be "
                       "stated, and the matrix be one of YCbCr",
                       p->out.matrix, p->out.range, p->out.chroma_location);
    }
    return SL_OK;
}

/* ---- choosing the way --------------------------------------------------------------------- */

/* 5 and 6 are the same matrix (H.273 table 4). */
static bool same_samples(const struct sl_convert_params *p)
{
    uint8_t a = p->in.matrix == 5 ? 6 : p->in.matrix, b = p->out.matrix == 5 ? 6 : p->out.matrix;
    return (a == b || sl_pixel_info(p->out_format)->rgb) && p->in.range == p->out.range;
}

static struct sl_siting siting_of(enum sl_pixel_format format, uint8_t location)
{
    return location != 0 ? sl_siting_of(sl_pixel_info(format), location) : (struct sl_siting){0, 0};
}

/* Where chroma is and where it shall be: a side that says nothing follows the other one. What has
 * full resolution has it in the middle, and that is where it stays if nobody wants it elsewhere. */
static void sitings(const struct sl_convert_params *p, struct sl_siting *in, struct sl_siting *out)
{
    const struct sl_pixel_info *info = sl_pixel_info(p->in_format);
    uint8_t from = p->in.chroma_location, to = p->out.chroma_location;
    *in = siting_of(p->in_format, from != 0 ? from : to);
    *out = siting_of(p->out_format, to != 0 || !is_subsampled(info) ? to : from);
}

static enum sl_status make_graph(struct sl_converter *c, struct sl_siting in, struct sl_siting out,
                                 struct sl_error *err)
{
    const struct sl_convert_params *p = &c->params;
    struct sl_graph_params params = {
        .format = p->in_format,
        .out_format = sl_weave_planar(p->out_format),
        .in_width = p->width,
        .in_height = p->height,
        .out_width = p->width,
        .out_height = p->height,
        .in = p->in,
        .out = p->out,
        .in_siting = sl_siting_codable(in),
        .out_siting = sl_siting_codable(out),
    };
    struct sl_error why = {0};
    enum sl_status status = sl_graph_create(&c->graph, &params, &why);
    if (status == SL_EUNSUPPORTED) {
        return unsupported(p, why.msg, err);
    }
    if (status != SL_OK) {
        return sl_fail(err, status, NULL, "%s", why.msg);
    }
    if (params.out_format != p->out_format) {
        /* zimg writes luma where it belongs: that plane of this frame is never touched. */
        status =
            sl_frame_create_video(&c->between, params.out_format, p->width, p->height, NULL, err);
    }
    c->way = GRAPH;
    return status;
}

static enum sl_status choose_way(struct sl_converter *c, struct sl_error *err)
{
    const struct sl_convert_params *p = &c->params;
    const struct sl_pixel_info *info = sl_pixel_info(p->out_format);
    struct sl_siting in, out;
    sitings(p, &in, &out);
    if (sl_weave_handles(p->in_format, p->out_format) && same_samples(p) &&
        sl_siting_equal(in, out)) {
        c->way = p->in_format == p->out_format && !p->copy ? PASS : RELAY;
        return SL_OK;
    }
    if (info->rgb) {
        return unsupported(p, p->in_format == p->out_format ? "not to another range" : "not to RGB",
                           err);
    }
    if (info->planes == 1) {
        return unsupported(p, "not to grey", err);
    }
    if ((p->out_format == SL_PIX_YUV420P || p->out_format == SL_PIX_NV12) && out.v == 0 &&
        sl_rgb_init(&c->rgb, p->in_format, p->in.range, &p->out, (enum sl_rgb_siting)out.h,
                    sl_rgb_best_cpu())) {
        c->way = RGB;
        return SL_OK;
    }
    return make_graph(c, in, out, err);
}

enum sl_status sl_converter_create(struct sl_converter **out,
                                   const struct sl_convert_params *params, struct sl_error *err)
{
    size_t size = 0;
    *out = NULL;
    enum sl_status status = check_params(params, err);
    if (status != SL_OK) {
        return status;
    }
    struct sl_converter *c = sl_alloc_zero(sizeof *c);
    if (!c) {
        return sl_fail_memory(err);
    }
    c->params = *params;
    c->params.in =
        sl_colour_complete(params->in, sl_pixel_info(params->in_format)->rgb, params->height);
    status = choose_way(c, err);
    if (status != SL_OK) {
        goto out;
    }
    if (!sl_frame_video_size(params->out_format, params->width, params->height, &size)) {
        status = sl_fail_memory(err);
        goto out;
    }
    status = sl_buf_pool_create(&c->pool, size,
                                params->idle_frames > 0 ? params->idle_frames : IDLE_FRAMES, err);
    if (status != SL_OK) {
        goto out;
    }
    *out = c;
    c = NULL;
out:
    sl_converter_destroy(&c);
    return status;
}

bool sl_converter_is_idle(const struct sl_converter *c)
{
    return c->way == PASS;
}

/* ---- running ------------------------------------------------------------------------------ */

static enum sl_status check_input(const struct sl_convert_params *p, const struct sl_frame *in,
                                  struct sl_error *err)
{
    const struct sl_pixel_info *info = sl_pixel_info(p->in_format);
    if (in->kind != SL_KIND_VIDEO || in->format != p->in_format || in->width != p->width ||
        in->height != p->height || in->memory != SL_MEMORY_HOST) {
        const struct sl_pixel_info *is = sl_pixel_info(in->format);
        return sl_fail(err, SL_EINVAL, NULL,
                       "picture of %s %dx%d in memory %d where %s %dx%d in the host's was promised",
                       is ? is->name : "no format", (int)in->width, (int)in->height,
                       (int)in->memory, info->name, (int)p->width, (int)p->height);
    }
    for (int i = 0; i < info->planes; i++) {
        int64_t bytes = sl_plane_bytes(in->format, i, in->width), stride = in->stride[i];
        if (!in->plane[i]) {
            return sl_fail(err, SL_EINVAL, NULL, "plane %d of %s is missing", i, info->name);
        }
        if ((stride < 0 ? -stride : stride) < bytes) {
            return sl_fail(err, SL_EINVAL, NULL,
                           "plane %d of %s %dx%d with a stride of %lld: its rows have %lld bytes",
                           i, info->name, (int)in->width, (int)in->height, (long long)stride,
                           (long long)bytes);
        }
    }
    return SL_OK;
}

static bool same_colour(const struct sl_colour *a, const struct sl_colour *b)
{
    return a->primaries == b->primaries && a->transfer == b->transfer && a->matrix == b->matrix &&
           a->range == b->range && a->chroma_location == b->chroma_location;
}

static enum sl_status pass(const struct sl_converter *c, struct sl_frame *in, struct sl_frame **out,
                           struct sl_error *err)
{
    if (same_colour(&in->colour, &c->params.out)) {
        *out = sl_frame_ref(in);
        return SL_OK;
    }
    enum sl_status status = sl_frame_share(out, in, err);
    if (status == SL_OK) {
        (*out)->colour = c->params.out;
    }
    return status;
}

static enum sl_status run_graph(const struct sl_converter *c, const struct sl_frame *in,
                                struct sl_frame *out, struct sl_error *err)
{
    if (!c->between) {
        return sl_graph_run(c->graph, in, out, err);
    }
    struct sl_frame planes = {
        .format = c->between->format,
        .width = out->width,
        .height = out->height,
        .plane = {out->plane[0], c->between->plane[1], c->between->plane[2]},
        .stride = {out->stride[0], c->between->stride[1], c->between->stride[2]}};
    enum sl_status status = sl_graph_run(c->graph, in, &planes, err);
    if (status == SL_OK) {
        sl_weave(&planes, out);
    }
    return status;
}

enum sl_status sl_converter_run(struct sl_converter *c, struct sl_frame *in, struct sl_frame **out,
                                struct sl_error *err)
{
    const struct sl_convert_params *p = &c->params;
    struct sl_frame *f = NULL;
    *out = NULL;
    enum sl_status status = check_input(p, in, err);
    if (status != SL_OK) {
        return status;
    }
    if (c->way == PASS) {
        return pass(c, in, out, err);
    }
    status = sl_frame_create_video(&f, p->out_format, p->width, p->height, c->pool, err);
    if (status != SL_OK) {
        return status;
    }
    if (c->way == RELAY) {
        sl_weave(in, f);
    } else if (c->way == RGB) {
        sl_rgb_run(&c->rgb, in, f);
    } else {
        status = run_graph(c, in, f, err);
    }
    if (status != SL_OK) {
        sl_frame_unref(&f);
        return status;
    }
    f->pts = in->pts;
    f->duration = in->duration;
    f->flags = in->flags;
    f->colour = p->out;
    f->sample_aspect = in->sample_aspect;
    *out = f;
    return SL_OK;
}

void sl_converter_destroy(struct sl_converter **c)
{
    if (!c || !*c) {
        return;
    }
    sl_graph_destroy(&(*c)->graph);
    sl_frame_unref(&(*c)->between);
    sl_buf_pool_destroy(&(*c)->pool);
    sl_free(*c);
    *c = NULL;
}
