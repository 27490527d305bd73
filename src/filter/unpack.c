/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/unpack.h"

#include <string.h>

static const uint8_t *packed_order(enum sl_pixel_format format)
{
    static const uint8_t forward[3] = {0, 1, 2}, reversed[3] = {2, 1, 0};
    return format == SL_PIX_BGR24 || format == SL_PIX_BGRA ? reversed : forward;
}

void sl_unpack_init(struct sl_unpack *u, enum sl_pixel_format format, int32_t width, int32_t height)
{
    static const uint8_t rgb_from_gbr[3] = {2, 0, 1}; /* media/pixel.h: stored G, B, R */
    const struct sl_pixel_info *info = sl_pixel_info(format);
    *u = (struct sl_unpack){.info = info, .width = width, .height = height};
    bool gray = !info->rgb && info->planes == 1;
    u->planes = gray ? 1 : 3;
    for (int i = 0; i < u->planes; i++) {
        struct sl_unpack_plane *p = &u->plane[i];
        p->step = 1;
        p->log_w = i > 0 ? info->chroma_w : 0;
        p->log_h = i > 0 ? info->chroma_h : 0;
        if (info->rgb && info->planes == 1) {
            p->offset = packed_order(format)[i];
            p->step = info->interleave[0];
        } else if (info->rgb) {
            p->from = rgb_from_gbr[i];
        } else if (info->planes == 2 && i > 0) {
            p->from = 1;
            p->offset = (uint8_t)(i - 1);
            p->step = 2;
        } else {
            p->from = (uint8_t)i;
        }
    }
}

bool sl_unpack_is_planar(const struct sl_unpack *u)
{
    for (int i = 0; i < u->planes; i++) {
        if (u->plane[i].step != 1) {
            return false;
        }
    }
    return u->info->shift == 0;
}

/* step is a constant wherever these are called, so that the loops can be vectorised. */
static inline void pick_bytes(uint8_t *out, const uint8_t *in, size_t count, size_t step)
{
    for (size_t i = 0; i < count; i++) {
        out[i] = in[i * step];
    }
}

static inline void pick_words(uint8_t *out, const uint8_t *in, size_t count, size_t step,
                              unsigned shift)
{
    for (size_t i = 0; i < count; i++) {
        uint16_t v;
        memcpy(&v, in + 2 * i * step, 2);
        v = (uint16_t)(v >> shift);
        memcpy(out + 2 * i, &v, 2);
    }
}

static void pick(uint8_t *out, const uint8_t *in, size_t count, const struct sl_unpack_plane *p,
                 const struct sl_pixel_info *info)
{
    size_t bytes = info->sample_bytes;
    in += p->offset * bytes;
    if (p->step == 1 && info->shift == 0) {
        memcpy(out, in, count * bytes);
    } else if (bytes == 2 && p->step == 1) {
        pick_words(out, in, count, 1, info->shift);
    } else if (bytes == 2) {
        pick_words(out, in, count, p->step, info->shift);
    } else if (p->step == 2) {
        pick_bytes(out, in, count, 2);
    } else if (p->step == 3) {
        pick_bytes(out, in, count, 3);
    } else {
        pick_bytes(out, in, count, p->step);
    }
}

static int32_t subsample(int32_t v, unsigned log)
{
    return (v + (1 << log) - 1) >> log;
}

static void load_line(const struct sl_unpack *u, const struct sl_unpack_plane *p, int32_t line,
                      int32_t left, int32_t right)
{
    int32_t width = subsample(u->width, p->log_w), height = subsample(u->height, p->log_h);
    size_t bytes = u->info->sample_bytes;
    uint8_t *out = p->data + (ptrdiff_t)((unsigned)line & p->mask) * p->stride;
    int32_t from = line < height ? line : height - 1;
    const uint8_t *in = u->in->plane[p->from] + from * u->in->stride[p->from];
    int32_t end = right < width ? right : width;
    if (left >= width) { /* only the repeated column is asked for */
        left = width - 1;
    }
    pick(out + (size_t)left * bytes, in + (size_t)left * p->step * bytes, (size_t)(end - left), p,
         u->info);
    for (; end < right; end++) {
        memcpy(out + (size_t)end * bytes, out + (size_t)(width - 1) * bytes, bytes);
    }
}

int sl_unpack_lines(void *unpack, unsigned i, unsigned left, unsigned right)
{
    const struct sl_unpack *u = unpack;
    for (int n = 0; n < u->planes; n++) {
        const struct sl_unpack_plane *p = &u->plane[n];
        int32_t l = (int32_t)(left >> p->log_w);
        int32_t r = subsample((int32_t)right, p->log_w);
        int32_t lines = 1 << (u->info->chroma_h - p->log_h);
        for (int32_t k = 0; k < lines; k++) {
            load_line(u, p, (int32_t)(i >> p->log_h) + k, l, r);
        }
    }
    return 0;
}
