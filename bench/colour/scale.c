/* SPDX-License-Identifier: BSD-2-Clause */
/* Our scaler against libswscale, in alternation, on one thread: CPU time per 1080p frame and what
 * is left of the picture. An argument names a file of 1080p rgb24 frames to use instead of a
 * generated picture (PSNR depends on the picture, time hardly does). */
#include "filter/scale.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libswscale/swscale.h>

#define ROUNDS 15
#define FRAMES 20 /* a round; their pictures together are larger than the caches */

static const struct sl_colour bt709 = {1, 1, 1, SL_RANGE_LIMITED, 0};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "bench_scale: %s\n", what);
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

static struct sl_frame *new_frame(enum sl_pixel_format format, int32_t width, int32_t height)
{
    struct sl_frame *f = NULL;
    check(sl_frame_create_video(&f, format, width, height, NULL, NULL));
    f->colour = bt709;
    if (sl_pixel_info(format)->rgb) {
        f->colour.matrix = 0;
        f->colour.range = SL_RANGE_FULL;
    }
    return f;
}

/* ---- pictures ----------------------------------------------------------------------------- */

/* Soft shapes, fine texture, and hard coloured edges. */
static void generate(uint8_t *rgb, int32_t width, int32_t height)
{
    uint32_t seed = 1;
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            double r = hypot(x - width * 0.4, y - height * 0.5);
            for (int c = 0; c < 3; c++) {
                double v = 0.5 + 0.25 * sin(x / (31.0 + 9 * c)) * cos(y / (37.0 - 5 * c)) +
                           0.12 * cos(r * r / (2500.0 + 300 * c));
                seed = seed * 1664525u + 1013904223u;
                v += (double)(seed >> 24) / 256 * 0.04 - 0.02;
                if ((x / 60 + y / 60) % 11 == c) {
                    v = 0.9;
                }
                *rgb++ = (uint8_t)(v < 0 ? 0 : v > 1 ? 255 : v * 255);
            }
        }
    }
}

static struct sl_frame *source_picture(const char *path)
{
    struct sl_frame *f = new_frame(SL_PIX_RGB24, 1920, 1080);
    size_t row = (size_t)1920 * 3, size = row * 1080;
    uint8_t *rgb = malloc(size);
    if (!rgb) {
        die("out of memory");
    }
    generate(rgb, 1920, 1080);
    FILE *in = path ? fopen(path, "rb") : NULL;
    if (path && (!in || fread(rgb, size, 1, in) != 1)) {
        die("no 1920x1080 rgb24 frame in that file");
    }
    if (in) {
        (void)fclose(in);
    }
    for (int32_t y = 0; y < 1080; y++) {
        memcpy(f->plane[0] + y * f->stride[0], rgb + (size_t)y * row, row);
    }
    free(rgb);
    return f;
}

/* The same picture in another packed format. */
static struct sl_frame *repack(const struct sl_frame *rgb, enum sl_pixel_format format)
{
    struct sl_frame *f = new_frame(format, rgb->width, rgb->height);
    int step = sl_pixel_info(format)->interleave[0];
    bool reversed = format == SL_PIX_BGR24 || format == SL_PIX_BGRA;
    for (int32_t y = 0; y < f->height; y++) {
        for (int32_t x = 0; x < f->width; x++) {
            uint8_t *to = f->plane[0] + y * f->stride[0] + (ptrdiff_t)x * step;
            const uint8_t *from = rgb->plane[0] + y * rgb->stride[0] + (ptrdiff_t)x * 3;
            memset(to, 255, (size_t)step);
            for (int c = 0; c < 3; c++) {
                to[reversed ? 2 - c : c] = from[c];
            }
        }
    }
    return f;
}

/* The mean of the area from x0, y0 to x1, y1. */
static void area_mean(const struct sl_frame *rgb, const double x[2], const double y[2],
                      uint8_t out[3])
{
    double sum[3] = {0};
    for (int32_t v = (int32_t)y[0]; v < y[1] - 1e-9; v++) {
        double h = fmin(v + 1, y[1]) - fmax(v, y[0]);
        for (int32_t u = (int32_t)x[0]; u < x[1] - 1e-9; u++) {
            double w = fmin(u + 1, x[1]) - fmax(u, x[0]);
            const uint8_t *p = rgb->plane[0] + v * rgb->stride[0] + (ptrdiff_t)u * 3;
            for (int c = 0; c < 3; c++) {
                sum[c] += w * h * p[c];
            }
        }
    }
    for (int c = 0; c < 3; c++) {
        out[c] = (uint8_t)lrint(sum[c] / ((x[1] - x[0]) * (y[1] - y[0])));
    }
}

static struct sl_frame *area_scale(const struct sl_frame *rgb, int32_t width, int32_t height)
{
    struct sl_frame *out = new_frame(SL_PIX_RGB24, width, height);
    double sx = (double)rgb->width / width, sy = (double)rgb->height / height;
    for (int32_t y = 0; y < height; y++) {
        for (int32_t x = 0; x < width; x++) {
            area_mean(rgb, (const double[]){x * sx, (x + 1) * sx},
                      (const double[]){y * sy, (y + 1) * sy},
                      out->plane[0] + y * out->stride[0] + (ptrdiff_t)x * 3);
        }
    }
    return out;
}

/* ---- libswscale --------------------------------------------------------------------------- */

static struct SwsContext *sws_open(const struct sl_frame *in, const struct sl_frame *out, int flags)
{
    static const struct {
        enum sl_pixel_format ours;
        enum AVPixelFormat theirs;
    } formats[] = {{SL_PIX_YUV420P, AV_PIX_FMT_YUV420P},
                   {SL_PIX_RGB24, AV_PIX_FMT_RGB24},
                   {SL_PIX_BGR24, AV_PIX_FMT_BGR24},
                   {SL_PIX_RGBA, AV_PIX_FMT_RGBA},
                   {SL_PIX_BGRA, AV_PIX_FMT_BGRA}};
    enum AVPixelFormat from = AV_PIX_FMT_NONE, to = AV_PIX_FMT_NONE;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        from = formats[i].ours == in->format ? formats[i].theirs : from;
        to = formats[i].ours == out->format ? formats[i].theirs : to;
    }
    struct SwsContext *sws = sws_getContext(in->width, in->height, from, out->width, out->height,
                                            to, flags, NULL, NULL, NULL);
    if (!sws) {
        die("libswscale cannot do this");
    }
    const int *matrix = sws_getCoefficients(SWS_CS_ITU709);
    (void)sws_setColorspaceDetails(sws, matrix, in->colour.range == SL_RANGE_FULL, matrix,
                                   out->colour.range == SL_RANGE_FULL, 0, 1 << 16, 1 << 16);
    return sws;
}

static void sws_run(struct SwsContext *sws, const struct sl_frame *in, struct sl_frame *out)
{
    const uint8_t *src[4] = {in->plane[0], in->plane[1], in->plane[2]};
    int src_stride[4] = {(int)in->stride[0], (int)in->stride[1], (int)in->stride[2]};
    uint8_t *dst[4] = {out->plane[0], out->plane[1], out->plane[2]};
    int dst_stride[4] = {(int)out->stride[0], (int)out->stride[1], (int)out->stride[2]};
    (void)sws_scale(sws, src, src_stride, 0, in->height, dst, dst_stride);
}

/* Decibels of a yuv420p picture, decoded to RGB with care, against an RGB one. */
static double psnr(const struct sl_frame *yuv, const struct sl_frame *rgb)
{
    struct sl_frame *decoded = new_frame(SL_PIX_RGB24, yuv->width, yuv->height);
    struct SwsContext *sws =
        sws_open(yuv, decoded, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT);
    double sum = 0;
    sws_run(sws, yuv, decoded);
    sws_freeContext(sws);
    for (int32_t y = 0; y < rgb->height; y++) {
        for (int32_t x = 0; x < rgb->width * 3; x++) {
            double d = rgb->plane[0][y * rgb->stride[0] + x] -
                       decoded->plane[0][y * decoded->stride[0] + x];
            sum += d * d;
        }
    }
    sl_frame_unref(&decoded);
    return 10 * log10(255.0 * 255.0 * 3 * rgb->width * rgb->height / sum);
}

/* ---- the contest -------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return v[n / 2];
}

/* One conversion, both ways; *result is ours. flags: what libswscale is asked for. */
static void contest(const char *what, struct sl_frame *const in[FRAMES], int32_t width,
                    int32_t height, int flags, const struct sl_frame *rgb, struct sl_frame **result)
{
    double ours[ROUNDS], theirs[ROUNDS], ratio[ROUNDS];
    struct sl_scale_params params = {.width = width, .height = height, .colour = bt709};
    struct sl_scaler *scaler = NULL;
    struct sl_frame *out = NULL, *their_out[FRAMES];
    check(sl_scaler_create(&scaler, &params, NULL));
    for (int i = 0; i < FRAMES; i++) {
        their_out[i] = new_frame(SL_PIX_YUV420P, width, height);
    }
    struct SwsContext *sws = sws_open(in[0], their_out[0], flags);
    for (int round = -1; round < ROUNDS; round++) { /* -1: to warm up */
        double start = cpu_ms();
        for (int i = 0; i < FRAMES; i++) {
            sl_frame_unref(&out);
            check(sl_scaler_run(scaler, in[i], &out, NULL));
        }
        double middle = cpu_ms();
        for (int i = 0; i < FRAMES; i++) {
            sws_run(sws, in[i], their_out[i]);
        }
        double end = cpu_ms();
        if (round >= 0) {
            ours[round] = (middle - start) / FRAMES;
            theirs[round] = (end - middle) / FRAMES;
            ratio[round] = theirs[round] / ours[round];
        }
    }
    printf("%-24s %6.2f ms %6.2f ms %5.1f x   %6.2f dB %6.2f dB\n", what, median(ours, ROUNDS),
           median(theirs, ROUNDS), median(ratio, ROUNDS), psnr(out, rgb), psnr(their_out[0], rgb));
    sws_freeContext(sws);
    for (int i = 0; i < FRAMES; i++) {
        sl_frame_unref(&their_out[i]);
    }
    sl_scaler_destroy(&scaler);
    *result = out;
}

static void copies(struct sl_frame *f, struct sl_frame *out[FRAMES])
{
    for (int i = 0; i < FRAMES; i++) {
        out[i] = new_frame(f->format, f->width, f->height);
        memcpy(out[i]->buf[0]->data, f->buf[0]->data, f->buf[0]->size);
    }
    sl_frame_unref(&f);
}

static void drop(struct sl_frame *frames[FRAMES])
{
    for (int i = 0; i < FRAMES; i++) {
        sl_frame_unref(&frames[i]);
    }
}

int main(int argc, char **argv)
{
    struct sl_frame *rgb = source_picture(argc > 1 ? argv[1] : NULL);
    struct sl_frame *rgb720 = area_scale(rgb, 1280, 720), *rgb360 = area_scale(rgb, 640, 360);
    struct sl_frame *in[FRAMES], *out = NULL, *base = NULL;
    static const enum sl_pixel_format formats[] = {SL_PIX_BGRA, SL_PIX_RGBA, SL_PIX_BGR24,
                                                   SL_PIX_RGB24};
    printf("CPU per frame             ours   swscale    less    PSNR: ours   swscale\n");
    for (int i = 0; i < 4; i++) {
        char what[64];
        (void)snprintf(what, sizeof what, "%s to yuv420p", sl_pixel_info(formats[i])->name);
        copies(repack(rgb, formats[i]), in);
        sl_frame_unref(&base);
        contest(what, in, 1920, 1080, SWS_BICUBIC, rgb, &base);
        drop(in);
    }
    copies(repack(rgb, SL_PIX_RGB24), in);
    contest("rgb24 to 720p, bicubic", in, 1280, 720, SWS_BICUBIC, rgb720, &out);
    sl_frame_unref(&out);
    contest("rgb24 to 720p, lanczos", in, 1280, 720, SWS_LANCZOS, rgb720, &out);
    sl_frame_unref(&out);
    contest("rgb24 to 360p, lanczos", in, 640, 360, SWS_LANCZOS, rgb360, &out);
    sl_frame_unref(&out);
    drop(in);
    copies(base, in);
    contest("1080p to 720p, bicubic", in, 1280, 720, SWS_BICUBIC, rgb720, &out);
    sl_frame_unref(&out);
    contest("1080p to 720p, lanczos", in, 1280, 720, SWS_LANCZOS, rgb720, &out);
    drop(in);
    copies(out, in);
    contest("720p to 360p, bicubic", in, 640, 360, SWS_BICUBIC, rgb360, &out);
    sl_frame_unref(&out);
    contest("720p to 360p, lanczos", in, 640, 360, SWS_LANCZOS, rgb360, &out);
    sl_frame_unref(&out);
    drop(in);
    sl_frame_unref(&rgb);
    sl_frame_unref(&rgb720);
    sl_frame_unref(&rgb360);
    return 0;
}
