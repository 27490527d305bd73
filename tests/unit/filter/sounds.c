/* SPDX-License-Identifier: BSD-2-Clause */
#include "sounds.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

struct sl_sound_params sound_params(struct sl_rational timebase, int32_t rate, int32_t channels)
{
    return (struct sl_sound_params){
        .timebase = timebase, .sample_rate = rate, .channels = channels, .frame_samples = 1024};
}

void line_open(struct line *l, const struct sl_sound_params *params)
{
    struct sl_error err = {0};
    *l = (struct line){.first = params->first,
                       .channels = params->channels,
                       .frame_samples = params->frame_samples};
    if (sl_sound_create(&l->s, params, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
}

void line_close(struct line *l)
{
    sl_sound_destroy(&l->s);
    assert_null(l->s);
    for (int i = 0; i < l->channels; i++) {
        free(l->sample[i]);
    }
}

static void keep(struct line *l, const struct sl_frame *f)
{
    assert_int_equal(f->kind, SL_KIND_AUDIO);
    assert_int_equal(f->sample_format, SL_SAMPLE_F32P);
    assert_int_equal(f->channels, l->channels);
    assert_int_equal(f->samples, l->frame_samples);
    assert_int_equal(f->pts, l->first + l->count);
    assert_int_equal(l->meant, l->count); /* only the last may be padded */
    assert_in_range(f->duration, 1, l->frame_samples);
    if (l->count + f->samples > l->capacity) {
        l->capacity = 2 * (l->count + f->samples);
        for (int c = 0; c < l->channels; c++) {
            l->sample[c] = realloc(l->sample[c], (size_t)l->capacity * sizeof(float));
            assert_non_null(l->sample[c]);
        }
    }
    for (int c = 0; c < l->channels; c++) {
        memcpy(l->sample[c] + l->count, f->plane[c], (size_t)f->samples * sizeof(float));
    }
    l->count += f->samples;
    l->meant += f->duration;
}

void line_drain(struct line *l)
{
    struct sl_frame *f = NULL;
    struct sl_error err = {0};
    enum sl_status status;
    while ((status = sl_sound_receive(l->s, &f, &err)) == SL_OK) {
        keep(l, f);
        sl_frame_unref(&f);
    }
    assert_null(f);
    assert_true(status == SL_EAGAIN || status == SL_EOF);
}

void line_send(struct line *l, int64_t pts, int32_t rate, int32_t channels, uint64_t layout,
               sound_fill *fill, int64_t first, int32_t count)
{
    struct sl_frame *f = NULL;
    struct sl_error err = {0};
    assert_int_equal(sl_frame_create_audio(&f, channels, layout, rate, count, NULL), SL_OK);
    for (int c = 0; c < channels; c++) {
        float *to = (float *)(void *)f->plane[c];
        for (int32_t i = 0; i < count; i++) {
            to[i] = (float)fill(c, first + i);
        }
    }
    f->pts = pts;
    if (sl_sound_send(l->s, f, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    sl_frame_unref(&f);
    line_drain(l);
}

void line_finish(struct line *l, int64_t end)
{
    struct sl_frame *f = NULL;
    struct sl_error err = {0};
    if (sl_sound_finish(l->s, end, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    line_drain(l);
    assert_int_equal(sl_sound_receive(l->s, &f, NULL), SL_EOF);
}
