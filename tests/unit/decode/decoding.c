/* SPDX-License-Identifier: BSD-2-Clause */
#include "decoding.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/md5.h>
#include <libavutil/mem.h>

#include "base/rational.h"
#include "decode/registry.h"
#include "demux/demuxers.h"
#include "media_file.h"
#include "unit.h"

void listing_free(struct listing *l)
{
    free(l->frames);
    memset(l, 0, sizeof *l);
}

static struct listed *add(struct listing *l)
{
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 256;
        l->frames = realloc(l->frames, l->capacity * sizeof *l->frames);
        assert_non_null(l->frames);
    }
    memset(&l->frames[l->count], 0, sizeof *l->frames);
    return &l->frames[l->count++];
}

static void hash_picture(struct listed *to, struct AVMD5 *md5, const struct sl_frame *f)
{
    for (int i = 0; i < sl_pixel_info(f->format)->planes; i++) {
        size_t bytes = (size_t)sl_plane_bytes(f->format, i, f->width);
        for (int32_t y = 0; y < sl_plane_rows(f->format, i, f->height); y++) {
            av_md5_update(md5, f->plane[i] + (ptrdiff_t)y * f->stride[i], bytes);
            to->size += bytes;
        }
    }
}

static void hash_sound(struct listed *to, struct AVMD5 *md5, const struct sl_frame *f)
{
    assert_int_equal(f->sample_format, SL_SAMPLE_F32P);
    for (int32_t n = 0; n < f->samples; n++) {
        for (int32_t c = 0; c < f->channels; c++) {
            av_md5_update(md5, f->plane[c] + (size_t)n * sizeof(float), sizeof(float));
        }
    }
    to->size = (size_t)f->samples * (size_t)f->channels * sizeof(float);
}

static void list_frame(struct listing *l, const struct sl_frame *f)
{
    struct listed *to = add(l);
    struct AVMD5 *md5 = av_md5_alloc();
    uint8_t digest[16];

    assert_non_null(md5);
    av_md5_init(md5);
    to->pts = f->pts;
    if (f->kind == SL_KIND_VIDEO) {
        hash_picture(to, md5, f);
    } else {
        hash_sound(to, md5, f);
    }
    av_md5_final(md5, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        (void)snprintf(to->md5 + 2 * i, 3, "%02x", digest[i]);
    }
    av_free(md5);
}

bool receive_all(struct listing *l, struct sl_decoder *d, void (*inspect)(const struct sl_frame *f))
{
    for (;;) {
        struct sl_error err = {0};
        struct sl_frame *f = NULL;
        enum sl_status status = d->ops->receive(d, &f, &err);
        assert_true((status == SL_OK) == (f != NULL));
        if (status == SL_EAGAIN || status == SL_EOF) {
            assert_int_equal(err.status, SL_OK);
            return status == SL_EOF;
        }
        check_ok(status, &err);
        if (inspect) {
            inspect(f);
        }
        list_frame(l, f);
        sl_frame_unref(&f);
    }
}

/* One packet, or NULL for the end. */
static void send_one(struct listing *l, struct sl_decoder *d, struct sl_packet *p,
                     void (*inspect)(const struct sl_frame *f))
{
    for (;;) {
        struct sl_error err = {0};
        enum sl_status status = d->ops->send(d, p, &err);
        if (status != SL_EAGAIN) {
            l->damaged += status == SL_EDATA;
            assert_true(status == SL_OK || status == SL_EDATA);
            return;
        }
        assert_int_equal(err.status, SL_OK);
        (void)receive_all(l, d, inspect);
    }
}

void listing_ours(struct listing *l, const char *path, size_t track,
                  void (*inspect)(const struct sl_frame *f))
{
    struct sl_decode_params params = {.threads = (int)l->threads};
    struct media_file m;
    struct sl_decoder *d = NULL;
    struct sl_packet *p = NULL;
    struct sl_error err = {0};

    /* Where an edit begins within a picture ffmpeg hides that one and moves the rest: decoders are
     * judged here, so its own demuxer may do the same. */
    check_ok(media_file_try_with(&m, path, strstr(path, "editlist") ? &sl_demux_libav_module : NULL,
                                 &err),
             &err);
    assert_true(track < m.demuxer->track_count);
    if (m.demuxer->ops->select) {
        m.demuxer->ops->select(m.demuxer, UINT64_C(1) << track);
    }
    l->timebase = m.demuxer->tracks[track].timebase;
    check_ok(sl_decode_open(&d, &m.demuxer->tracks[track], &params, &err), &err);
    while ((l->limit == 0 || l->count < l->limit) &&
           m.demuxer->ops->read(m.demuxer, &p, &err) == SL_OK) {
        if (strcmp(m.demuxer->format, "mov") == 0) {
            p->trim_end = 0; /* the judge does not cut sound where an edit ends */
        }
        send_one(l, d, p, inspect);
        sl_packet_unref(&p);
        (void)receive_all(l, d, inspect);
    }
    send_one(l, d, NULL, inspect);
    assert_true(receive_all(l, d, inspect));
    assert_true(receive_all(l, d, inspect)); /* and stays there */
    if (l->limit > 0 && l->count > l->limit) {
        l->count = l->limit;
    }
    sl_decode_destroy(&d);
    media_file_close(&m);
}

void listing_ffmpeg(struct listing *l, const char *path, size_t track, const char *options,
                    const char *output_options)
{
    char command[2048];
    char line[1024];
    FILE *pipe = NULL;

    (void)snprintf(command, sizeof command,
                   "ffmpeg -v quiet -nostdin -noautorotate -copyts %s -i '%s' -map 0:%zu "
                   "-fps_mode passthrough -enc_time_base -1 %s -f framemd5 -",
                   options, path, track, output_options);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe)) {
        struct listed f = {0};
        if (sscanf(line, "#tb 0: %" SCNd64 "/%" SCNd64, &l->timebase.num, &l->timebase.den) == 2) {
            continue;
        }
        if (sscanf(line, "%*d, %*d, %" SCNd64 ", %*d, %zu, %32s", &f.pts, &f.size, f.md5) == 3) {
            *add(l) = f;
        }
    }
    (void)pclose(pipe); /* damaged input makes it fail after it has told all frames */
}

static void compare(const char *path, size_t track, const struct listing *ours,
                    const struct listing *theirs, int64_t tolerance)
{
    if (ours->count != theirs->count || theirs->count == 0) {
        fail_msg("%s, track %zu: %zu frames, ffmpeg has %zu", path, track, ours->count,
                 theirs->count);
    }
    for (size_t i = 0; i < ours->count; i++) {
        const struct listed *a = &ours->frames[i];
        const struct listed *b = &theirs->frames[i];
        int64_t pts = sl_rescale(a->pts, ours->timebase, theirs->timebase, SL_ROUND_NEAREST);
        int64_t off = pts > b->pts ? pts - b->pts : b->pts - pts;
        if (strcmp(a->md5, b->md5) != 0 || a->size != b->size || off > tolerance) {
            fail_msg("%s, track %zu, frame %zu: at %" PRId64 ", %zu bytes, %s; ffmpeg has %" PRId64
                     ", %zu, %s",
                     path, track, i, pts, a->size, a->md5, b->pts, b->size, b->md5);
        }
    }
    assert_int_equal(ours->damaged, 0);
}

void compare_pictures(const char *path, size_t track, const char *output_options, size_t limit)
{
    struct listing ours = {.limit = limit};
    struct listing theirs = {0};
    char options[512];
    int n = limit ? snprintf(options, sizeof options, "-frames:v %zu ", limit) : 0;
    (void)snprintf(options + n, sizeof options - (size_t)n, "%s", output_options);
    listing_ours(&ours, path, track, NULL);
    listing_ffmpeg(&theirs, path, track, "", options);
    compare(path, track, &ours, &theirs, 0);
    listing_free(&ours);
    listing_free(&theirs);
}

void compare_sound(const char *path, size_t track)
{
    struct listing ours = {0};
    struct listing theirs = {0};
    listing_ours(&ours, path, track, NULL);
    listing_ffmpeg(&theirs, path, track, "", "-c:a pcm_f32le");
    compare(path, track, &ours, &theirs, 1);
    listing_free(&ours);
    listing_free(&theirs);
}
