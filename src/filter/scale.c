/* SPDX-License-Identifier: BSD-2-Clause */
/* Which steps lead from an input picture to the output: nothing at all, packed RGB to 4:2:0 by our
 * own code, zimg, both, and then a turn. docs/colour.md has the reasons. */
#include "filter/scale.h"

#include "base/alloc.h"
#include "base/error.h"
#include "filter/graph.h"
#include "filter/rgb.h"
#include "filter/rotate.h"
#include "filter/siting.h"
#include "media/colour.h"

#define SIDE_MAX    16384
#define IDLE_FRAMES 8 /* what a queue to an encoder and its look-ahead of one or two hold */

/* What the steps depend on; a frame with another one has them rebuilt. */
struct input {
    enum sl_pixel_format format;
    int32_t width, height;   /* after cutting an odd row or column */
    struct sl_colour colour; /* complete */
};

struct sl_scaler {
    struct sl_scale_params params;
    int32_t width, height; /* of the output before it is turned */
    struct sl_buf_pool *pool;

    bool ready;
    struct input input;
    bool use_rgb;
    struct sl_rgb rgb;
    struct sl_frame *between; /* from RGB, on its way to zimg */
    struct sl_graph *graph;
    struct sl_frame *unturned;
};

static bool turns(const struct sl_scale_params *p)
{
    return p->rotation != 0 || p->flip != 0;
}

static bool is_sideways(int32_t rotation)
{
    return rotation == 90 || rotation == 270;
}

/* Where the input has its chroma. With neither side stating a place, both are taken as the middle:
 * nothing moves, as in everything that ignores siting. */
static struct sl_siting input_siting(const struct sl_scale_params *p,
                                     const struct sl_pixel_info *info, uint8_t location)
{
    bool stated = location != 0 || p->colour.chroma_location != 0;
    return stated ? sl_siting_of(info, location) : (struct sl_siting){0, 0};
}

/* Where the output shall have it, before it is turned. */
static struct sl_siting unturned_siting(const struct sl_scale_params *p, struct sl_siting input)
{
    if (p->colour.chroma_location == 0) {
        return input;
    }
    return sl_siting_unturn(sl_siting_from_location(p->colour.chroma_location), p->rotation,
                            p->flip != 0);
}

struct sl_colour sl_scale_colour(enum sl_pixel_format format, struct sl_colour colour,
                                 int32_t height, int32_t rotation, int32_t flip)
{
    const struct sl_pixel_info *info = sl_pixel_info(format);
    uint8_t location = 0;
    bool own = info && (info->chroma_w > 0 || info->chroma_h > 0);
    if (info && (!own || colour.chroma_location != 0)) {
        struct sl_siting s = sl_siting_of(info, colour.chroma_location);
        location = sl_siting_location(sl_siting_turn(s, rotation, flip != 0));
    }
    /* RGB has no matrix of its own: the one of its primaries, or of its height. */
    if (info && info->rgb) {
        colour.matrix = colour.primaries == 9 ? 9 : 2;
        colour.range = SL_RANGE_LIMITED;
    }
    colour = sl_colour_complete(colour, false, height);
    colour.chroma_location = location;
    return colour;
}

static enum sl_status check_params(const struct sl_scale_params *p, struct sl_error *err)
{
    if (p->width < 2 || p->height < 2 || p->width > SIDE_MAX || p->height > SIDE_MAX ||
        p->width % 2 != 0 || p->height % 2 != 0) {
        return sl_fail(err, SL_EINVAL, NULL, "output of %dx%d (even, 2 to %d a side)",
                       (int)p->width, (int)p->height, SIDE_MAX);
    }
    if (p->rotation < 0 || p->rotation > 270 || p->rotation % 90 != 0) {
        return sl_fail(err, SL_EINVAL, NULL, "rotation by %d degrees (0, 90, 180 or 270)",
                       (int)p->rotation);
    }
    if (p->colour.matrix == 0 || p->colour.matrix == 2 || p->colour.chroma_location > 6 ||
        (p->colour.range != SL_RANGE_LIMITED && p->colour.range != SL_RANGE_FULL)) {
        return sl_fail(err, SL_EINVAL, NULL,
                       "output colour with matrix %d, range %d, chroma location %d: they must be "
                       "stated, and the matrix be one of YCbCr",
                       p->colour.matrix, p->colour.range, p->colour.chroma_location);
    }
    return SL_OK;
}

enum sl_status sl_scaler_create(struct sl_scaler **out, const struct sl_scale_params *params,
                                struct sl_error *err)
{
    size_t size = 0;
    *out = NULL;
    enum sl_status status = check_params(params, err);
    if (status != SL_OK) {
        return status;
    }
    struct sl_scaler *s = sl_alloc_zero(sizeof *s);
    if (!s) {
        return sl_fail_memory(err);
    }
    s->params = *params;
    bool sideways = is_sideways(params->rotation);
    s->width = sideways ? params->height : params->width;
    s->height = sideways ? params->width : params->height;
    if (!sl_frame_video_size(SL_PIX_YUV420P, params->width, params->height, &size)) {
        status = sl_fail_memory(err);
        goto out;
    }
    status = sl_buf_pool_create(&s->pool, size,
                                params->idle_frames > 0 ? params->idle_frames : IDLE_FRAMES, err);
    if (status != SL_OK) {
        goto out;
    }
    *out = s;
    s = NULL;
out:
    sl_scaler_destroy(&s);
    return status;
}

/* ---- choosing the steps ------------------------------------------------------------------- */

static void forget_steps(struct sl_scaler *s)
{
    s->ready = false;
    s->use_rgb = false;
    sl_graph_destroy(&s->graph);
    sl_frame_unref(&s->between);
    sl_frame_unref(&s->unturned);
}

/* True where zimg would have nothing to do. */
static bool same_picture(const struct sl_scaler *s, const struct input *in, struct sl_siting in_at,
                         struct sl_siting out_at)
{
    const struct sl_colour *a = &in->colour, *b = &s->params.colour;
    bool same_matrix = a->matrix == b->matrix || (a->matrix == 5 && b->matrix == 6) ||
                       (a->matrix == 6 && b->matrix == 5);
    return in->format == SL_PIX_YUV420P && in->width == s->width && in->height == s->height &&
           same_matrix && a->range == b->range && sl_siting_equal(in_at, out_at);
}

/* Our own path takes packed RGB to 4:2:0 of the same size; zimg goes on from there where the
 * picture is to be smaller, which costs less than half of what zimg takes for RGB and shows no
 * loss. A larger picture wants its chroma at full resolution, an odd one wants its edges. */
static bool rgb_applies(const struct sl_scaler *s, const struct input *in, struct sl_siting at)
{
    return sl_rgb_handles(in->format) && at.v == 0 && in->width % 2 == 0 && in->height % 2 == 0 &&
           in->width >= s->width && in->height >= s->height;
}

bool sl_scale_rows(struct sl_rgb *out, const struct sl_scale_params *params,
                   enum sl_pixel_format format, struct sl_colour colour)
{
    const struct sl_scaler s = {
        .params = *params, .width = params->width, .height = params->height};
    const struct input in = {format, params->width, params->height,
                             sl_colour_complete(colour, true, params->height)};
    struct sl_siting at = unturned_siting(
        params, input_siting(params, sl_pixel_info(format), in.colour.chroma_location));
    return !turns(params) && rgb_applies(&s, &in, at) &&
           sl_rgb_init(out, format, in.colour.range, &params->colour, (enum sl_rgb_siting)at.h,
                       sl_rgb_best_cpu());
}

static enum sl_status make_graph(struct sl_scaler *s, const struct input *in,
                                 struct sl_siting in_at, struct sl_siting out_at,
                                 struct sl_error *err)
{
    struct sl_graph_params p = {
        .format = in->format,
        .out_format = SL_PIX_YUV420P,
        .in_width = in->width,
        .in_height = in->height,
        .out_width = s->width,
        .out_height = s->height,
        .in = in->colour,
        .out = s->params.colour,
        .in_siting = in_at,
        .out_siting = out_at,
    };
    return sl_graph_create(&s->graph, &p, err);
}

static enum sl_status choose_steps(struct sl_scaler *s, const struct input *in,
                                   struct sl_error *err)
{
    const struct sl_pixel_info *info = sl_pixel_info(in->format);
    struct sl_siting in_at = input_siting(&s->params, info, in->colour.chroma_location);
    struct sl_siting out_at = unturned_siting(&s->params, in_at);
    enum sl_status status = SL_OK;
    bool resized = in->width != s->width || in->height != s->height;

    forget_steps(s);
    if (resized || !sl_rgb_handles(in->format)) {
        out_at = sl_siting_codable(out_at); /* zimg knows no others */
    }
    if (rgb_applies(s, in, out_at) &&
        sl_rgb_init(&s->rgb, in->format, in->colour.range, &s->params.colour,
                    (enum sl_rgb_siting)out_at.h, sl_rgb_best_cpu())) {
        s->use_rgb = true;
        if (resized) {
            struct input flat = {SL_PIX_YUV420P, in->width, in->height, s->params.colour};
            status =
                sl_frame_create_video(&s->between, flat.format, flat.width, flat.height, NULL, err);
            if (status == SL_OK) {
                status = make_graph(s, &flat, out_at, out_at, err);
            }
        }
    } else if (!same_picture(s, in, in_at, out_at)) {
        status = make_graph(s, in, in_at, sl_siting_codable(out_at), err);
    }
    if (status == SL_OK && turns(&s->params) && (s->use_rgb || s->graph)) {
        status =
            sl_frame_create_video(&s->unturned, SL_PIX_YUV420P, s->width, s->height, NULL, err);
    }
    if (status != SL_OK) {
        forget_steps(s);
        return status;
    }
    s->input = *in;
    s->ready = true;
    return SL_OK;
}

/* ---- running them ------------------------------------------------------------------------- */

static int32_t cut_odd(const struct sl_scaler *s, int32_t in, int32_t out)
{
    return s->params.crop_odd && in == out + 1 ? out : in;
}

static enum sl_status describe_input(const struct sl_scaler *s, const struct sl_frame *in,
                                     struct input *out, struct sl_error *err)
{
    const struct sl_pixel_info *info = sl_pixel_info(in->format);
    if (in->kind != SL_KIND_VIDEO || !info || in->width < 1 || in->height < 1 ||
        in->width > SIDE_MAX || in->height > SIDE_MAX) {
        return sl_fail(err, SL_EINVAL, NULL, "picture of %dx%d in format %d (1 to %d a side)",
                       (int)in->width, (int)in->height, (int)in->format, SIDE_MAX);
    }
    *out = (struct input){
        .format = in->format,
        .width = cut_odd(s, in->width, s->width),
        .height = cut_odd(s, in->height, s->height),
        .colour = sl_colour_complete(in->colour, info->rgb, in->height),
    };
    return SL_OK;
}

static bool same_input(const struct input *a, const struct input *b)
{
    return a->format == b->format && a->width == b->width && a->height == b->height &&
           a->colour.matrix == b->colour.matrix && a->colour.range == b->colour.range &&
           a->colour.chroma_location == b->colour.chroma_location;
}

static void turn(const struct sl_scaler *s, const struct sl_frame *in, struct sl_frame *out)
{
    for (int i = 0; i < 3; i++) {
        struct sl_plane_view from = {in->plane[i], in->stride[i]};
        struct sl_plane_view to = {out->plane[i], out->stride[i]};
        int log = i > 0;
        sl_rotate_plane(to, from, s->width >> log, s->height >> log, s->params.rotation,
                        s->params.flip != 0);
    }
}

static bool same_colour(const struct sl_colour *a, const struct sl_colour *b)
{
    return a->primaries == b->primaries && a->transfer == b->transfer && a->matrix == b->matrix &&
           a->range == b->range && a->chroma_location == b->chroma_location;
}

/* The input's own planes: itself where even its labels are right. */
static enum sl_status pass(const struct sl_scaler *s, struct sl_frame *in, struct sl_frame **out,
                           struct sl_error *err)
{
    if (in->width == s->width && in->height == s->height &&
        same_colour(&in->colour, &s->params.colour)) {
        *out = sl_frame_ref(in);
        return SL_OK;
    }
    enum sl_status status = sl_frame_share(out, in, err);
    if (status != SL_OK) {
        return status;
    }
    (*out)->width = s->width;
    (*out)->height = s->height;
    (*out)->colour = s->params.colour;
    return SL_OK;
}

static enum sl_status convert(struct sl_scaler *s, const struct sl_frame *in, struct sl_frame *out,
                              struct sl_error *err)
{
    struct sl_frame *flat = s->unturned ? s->unturned : out;
    const struct sl_frame *from = in;
    if (s->use_rgb) {
        struct sl_frame *to = s->between ? s->between : flat;
        sl_rgb_run(&s->rgb, in, to);
        from = to;
    }
    if (s->graph) {
        enum sl_status status = sl_graph_run(s->graph, from, flat, err);
        if (status != SL_OK) {
            return status;
        }
        from = flat;
    }
    if (turns(&s->params)) {
        turn(s, from, out);
    }
    return SL_OK;
}

enum sl_status sl_scaler_run(struct sl_scaler *s, struct sl_frame *in, struct sl_frame **out,
                             struct sl_error *err)
{
    struct input input;
    struct sl_frame *f = NULL;
    *out = NULL;
    enum sl_status status = describe_input(s, in, &input, err);
    if (status == SL_OK && !(s->ready && same_input(&s->input, &input))) {
        status = choose_steps(s, &input, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (!s->use_rgb && !s->graph && !turns(&s->params)) {
        return pass(s, in, out, err);
    }

    status =
        sl_frame_create_video(&f, SL_PIX_YUV420P, s->params.width, s->params.height, s->pool, err);
    if (status != SL_OK) {
        return status;
    }
    status = convert(s, in, f, err);
    if (status != SL_OK) {
        sl_frame_unref(&f);
        return status;
    }
    f->pts = in->pts;
    f->duration = in->duration;
    f->flags = in->flags;
    f->colour = s->params.colour;
    f->sample_aspect = in->sample_aspect;
    if (is_sideways(s->params.rotation) && in->sample_aspect.num > 0) {
        f->sample_aspect = (struct sl_rational){in->sample_aspect.den, in->sample_aspect.num};
    }
    *out = f;
    return SL_OK;
}

void sl_scaler_destroy(struct sl_scaler **s)
{
    if (!s || !*s) {
        return;
    }
    forget_steps(*s);
    sl_buf_pool_destroy(&(*s)->pool);
    sl_free(*s);
    *s = NULL;
}
