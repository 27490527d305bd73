/* SPDX-License-Identifier: BSD-2-Clause */
/* What bench/convert measures: packed RGB to NV12 and to planar 4:2:0 of the same size by our code,
 * libswscale and zimg, in turn, on one thread. Prints a line for each measurement: height, place,
 * input, output, contender, CPU milliseconds per picture. */
#include "filter/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libswscale/swscale.h>

#include "filter/graph.h"
#include "filter/rgb.h"
#include "filter/weave.h"

#define RING_BYTES ((size_t)192 << 20) /* of pictures: more than any cache of the time */
#define RING_MAX   64

static const struct sl_colour bt709 = {1, 1, 1, SL_RANGE_LIMITED, 0};
static const struct sl_colour rgb_colour = {1, 1, 0, SL_RANGE_FULL, 0};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_convert: %s\n", what);
    exit(1); /* NOLINT(concurrency-mt-unsafe): there is one thread */
}

static void check(enum sl_status status)
{
    if (status != SL_OK) {
        die(sl_status_name(status));
    }
}

static double cpu_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- pictures ----------------------------------------------------------------------------- */

/* Pictures in turn: as many as do not fit into the cache, or one. */
struct ring {
    int count;
    struct sl_frame *in[RING_MAX], *planar_in[RING_MAX], *out[RING_MAX];
};

static struct sl_frame *new_frame(enum sl_pixel_format format, int32_t width, int32_t height,
                                  uint32_t seed)
{
    struct sl_frame *f = NULL;
    check(sl_frame_create_video(&f, format, width, height, NULL, NULL));
    for (size_t i = 0; i < f->buf[0]->size; i++) { /* times do not depend on what is there */
        seed = seed * 1664525u + 1013904223u;
        f->buf[0]->data[i] = (uint8_t)(seed >> 24);
    }
    f->colour = sl_pixel_info(format)->rgb ? rgb_colour : bt709;
    return f;
}

static void fill_ring(struct ring *r, enum sl_pixel_format from, enum sl_pixel_format to,
                      int32_t width, int32_t height, bool memory)
{
    size_t each = (size_t)width * (size_t)height * 9 / 2; /* three bytes of RGB, 1.5 of 4:2:0 */
    size_t count = memory ? RING_BYTES / each : 1;
    r->count = (int)(count > RING_MAX ? RING_MAX : count);
    for (int i = 0; i < r->count; i++) {
        r->in[i] = new_frame(from, width, height, (uint32_t)i);
        r->planar_in[i] = new_frame(SL_PIX_GBRP, width, height, (uint32_t)i);
        r->out[i] = new_frame(to, width, height, (uint32_t)i);
    }
}

static void drop_ring(struct ring *r)
{
    for (int i = 0; i < r->count; i++) {
        sl_frame_unref(&r->in[i]);
        sl_frame_unref(&r->planar_in[i]);
        sl_frame_unref(&r->out[i]);
    }
}

/* ---- contenders --------------------------------------------------------------------------- */

struct contender {
    const char *name;
    void (*run)(struct contender *c, struct ring *r, int i);
    struct sl_converter *converter;
    struct sl_frame *held[RING_MAX]; /* the converter's frames, so that they go round as well */
    struct sl_rgb rgb;
    struct SwsContext *sws;
    struct sl_graph *graph;
    struct sl_frame *between;
};

static void run_converter(struct contender *c, struct ring *r, int i)
{
    sl_frame_unref(&c->held[i]);
    check(sl_converter_run(c->converter, r->in[i], &c->held[i], NULL));
}

static void run_rgb(struct contender *c, struct ring *r, int i)
{
    sl_rgb_run(&c->rgb, r->in[i], r->out[i]);
}

static void run_sws(struct contender *c, struct ring *r, int i)
{
    const struct sl_frame *in = r->in[i], *out = r->out[i];
    const uint8_t *src[4] = {in->plane[0]};
    int src_stride[4] = {(int)in->stride[0]};
    uint8_t *dst[4] = {out->plane[0], out->plane[1], out->plane[2]};
    int dst_stride[4] = {(int)out->stride[0], (int)out->stride[1], (int)out->stride[2]};
    (void)sws_scale(c->sws, src, src_stride, 0, in->height, dst, dst_stride);
}

static void run_zimg_on(struct contender *c, const struct sl_frame *in, struct sl_frame *out)
{
    if (!c->between) {
        check(sl_graph_run(c->graph, in, out, NULL));
        return;
    }
    struct sl_frame planes = *c->between; /* luma goes where it belongs */
    planes.plane[0] = out->plane[0];
    planes.stride[0] = out->stride[0];
    check(sl_graph_run(c->graph, in, &planes, NULL));
    sl_weave(&planes, out);
}

static void run_zimg(struct contender *c, struct ring *r, int i)
{
    run_zimg_on(c, r->in[i], r->out[i]);
}

static void run_zimg_planar(struct contender *c, struct ring *r, int i)
{
    run_zimg_on(c, r->planar_in[i], r->out[i]);
}

static void open_converter(struct contender *c, const struct ring *r)
{
    const struct sl_frame *in = r->in[0], *out = r->out[0];
    struct sl_convert_params p = {.in_format = in->format,
                                  .out_format = out->format,
                                  .width = in->width,
                                  .height = in->height,
                                  .in = in->colour,
                                  .out = out->colour};
    check(sl_converter_create(&c->converter, &p, NULL));
    c->name = "sluice";
    c->run = run_converter;
}

static void open_rgb(struct contender *c, const struct ring *r, const char *name,
                     enum sl_rgb_cpu cpu)
{
    if (!sl_rgb_init(&c->rgb, r->in[0]->format, SL_RANGE_FULL, &bt709, SL_RGB_CENTRE, cpu)) {
        die("our code cannot do this");
    }
    c->name = name;
    c->run = run_rgb;
}

static void open_sws(struct contender *c, const struct ring *r, const char *name, int flags)
{
    static const enum AVPixelFormat formats[SL_PIX_COUNT] = {
        [SL_PIX_YUV420P] = AV_PIX_FMT_YUV420P, [SL_PIX_NV12] = AV_PIX_FMT_NV12,
        [SL_PIX_RGB24] = AV_PIX_FMT_RGB24,     [SL_PIX_BGR24] = AV_PIX_FMT_BGR24,
        [SL_PIX_RGBA] = AV_PIX_FMT_RGBA,       [SL_PIX_BGRA] = AV_PIX_FMT_BGRA,
    };
    const struct sl_frame *in = r->in[0], *out = r->out[0];
    const int *matrix = sws_getCoefficients(SWS_CS_ITU709);
    c->sws = sws_getContext(in->width, in->height, formats[in->format], out->width, out->height,
                            formats[out->format], flags, NULL, NULL, NULL);
    if (!c->sws) {
        die("libswscale cannot do this");
    }
    (void)sws_setColorspaceDetails(c->sws, matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
    c->name = name;
    c->run = run_sws;
}

static void open_zimg(struct contender *c, const struct ring *r, bool planar)
{
    const struct sl_frame *in = planar ? r->planar_in[0] : r->in[0], *out = r->out[0];
    struct sl_graph_params p = {.format = in->format,
                                .out_format = SL_PIX_YUV420P,
                                .in_width = in->width,
                                .in_height = in->height,
                                .out_width = in->width,
                                .out_height = in->height,
                                .in = in->colour,
                                .out = out->colour};
    check(sl_graph_create(&c->graph, &p, NULL));
    if (out->format != p.out_format) {
        c->between = new_frame(p.out_format, in->width, in->height, 0);
    }
    c->name = planar ? "zimg, planar input" : "zimg";
    c->run = planar ? run_zimg_planar : run_zimg;
}

static void close_contender(struct contender *c)
{
    for (int i = 0; i < RING_MAX; i++) {
        sl_frame_unref(&c->held[i]);
    }
    sl_converter_destroy(&c->converter);
    sws_freeContext(c->sws);
    sl_graph_destroy(&c->graph);
    sl_frame_unref(&c->between);
}

static int open_all(struct contender *c, const struct ring *r)
{
    enum sl_rgb_cpu best = sl_rgb_best_cpu();
    int n = 0;
    open_converter(&c[n++], r);
    if (best > SL_RGB_CPU_AVX2) {
        open_rgb(&c[n++], r, "sluice, AVX2", SL_RGB_CPU_AVX2);
    }
    if (best > SL_RGB_CPU_SSSE3) {
        open_rgb(&c[n++], r, "sluice, SSSE3", SL_RGB_CPU_SSSE3);
    }
    open_sws(&c[n++], r, "swscale", SWS_BICUBIC);
    open_sws(&c[n++], r, "swscale, point", SWS_POINT);
    open_sws(&c[n++], r, "swscale, accurate",
             SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP);
    open_zimg(&c[n++], r, false);
    open_zimg(&c[n++], r, true);
    return n;
}

#define CONTENDERS 8

/* ---- the contest -------------------------------------------------------------------------- */

static void contest(enum sl_pixel_format from, enum sl_pixel_format to, int32_t height, bool memory,
                    int rounds)
{
    struct ring ring = {0};
    struct contender c[CONTENDERS] = {0};
    fill_ring(&ring, from, to, height * 16 / 9, height, memory);
    int n = open_all(c, &ring), pictures = memory ? ring.count : 20;
    for (int round = -1; round < rounds; round++) { /* -1: to warm up */
        for (int k = 0; k < n; k++) {
            struct contender *one = &c[(k + round + n) % n]; /* nobody is always first */
            double start = cpu_ms();
            for (int i = 0; i < pictures; i++) {
                one->run(one, &ring, i % ring.count);
            }
            double each = (cpu_ms() - start) / pictures;
            if (round >= 0) {
                printf("%d\t%s\t%s\t%s\t%s\t%.4f\n", (int)height, memory ? "memory" : "cache",
                       sl_pixel_info(from)->name, sl_pixel_info(to)->name, one->name, each);
            }
        }
    }
    (void)fflush(stdout);
    for (int k = 0; k < n; k++) {
        close_contender(&c[k]);
    }
    drop_ring(&ring);
}

int main(int argc, char **argv)
{
    static const enum sl_pixel_format outputs[] = {SL_PIX_NV12, SL_PIX_YUV420P};
    int rounds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 7;
    for (int32_t height = 1080; height >= 720; height -= 360) {
        for (int memory = 1; memory >= 0; memory--) {
            for (int o = 0; o < 2; o++) {
                contest(SL_PIX_RGB24, outputs[o], height, memory, rounds);
            }
        }
    }
    contest(SL_PIX_BGR24, SL_PIX_NV12, 1080, true, rounds);
    contest(SL_PIX_BGRA, SL_PIX_NV12, 1080, true, rounds);
    return 0;
}
