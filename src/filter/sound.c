/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything is counted in absolute sample indices, never in differences, so that nothing can add
 * up: input samples on the grid of the input rate, output samples on that of the output rate, both
 * starting at the line's zero. docs/sound.md explains. */
#include "filter/sound.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/module.h"
#include "base/rational.h"
#include "filter/mix.h"
#include "filter/resample.h"

#define CHUNK      2048              /* samples worked on at a time */
#define FIFO_MAX   ((size_t)1 << 24) /* samples of sound waiting: six minutes at 48 kHz */
#define SPANS_MAX  ((size_t)1 << 16)
#define RATE_MAX   768000
#define INDEX_MAX  ((int64_t)1 << 50) /* 700 years at 48 kHz: sums of such cannot overflow */
#define FILTER_TAP 32                 /* input samples that a resampler looks at on either side */

/* What waits to be received is a sequence of spans; sound has its samples in the FIFO. */
struct span {
    bool silent;
    int64_t count;
};

/* Input that follows on itself at one rate. */
struct run {
    bool active;
    int32_t rate;
    int64_t next;                   /* index of the next input sample */
    struct sl_resampler *resampler; /* NULL: the rates are the same */
    int64_t out_next;               /* index of the next sample that the resampler gives */
};

struct sl_sound {
    struct sl_sound_params params;
    uint64_t layout;
    const struct sl_resample_ops *resample; /* NULL until needed */

    struct run run;
    bool started;  /* something has been placed */
    bool anchored; /* params.anchor has had its say */
    struct sl_sound_anchor last;
    int64_t length;   /* of the line so far */
    int64_t position; /* of the next frame to receive */
    bool finished;
    int64_t end;

    struct span *spans;
    size_t span_count, span_capacity;
    float *fifo[SL_MIX_CHANNELS];
    size_t fifo_start, fifo_count, fifo_capacity;

    struct sl_mix mix;
    uint64_t mix_layout;                                        /* what mix was made for */
    float *mixed[SL_MIX_CHANNELS], *resampled[SL_MIX_CHANNELS]; /* CHUNK samples each */
};

enum sl_status sl_sound_create(struct sl_sound **out, const struct sl_sound_params *params,
                               struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct sl_sound *s = NULL;
    *out = NULL;
    if (!sl_rational_valid(params->timebase) || params->sample_rate < 1 ||
        params->sample_rate > RATE_MAX || params->channels < 1 ||
        params->channels > SL_MIX_CHANNELS || params->frame_samples < 1 ||
        params->frame_samples > 1 << 20 || params->tolerance < 0 || params->zero == SL_NO_TIME ||
        params->first < 0 || params->first > INDEX_MAX || params->anchor.index > INDEX_MAX ||
        params->anchor.index < -INDEX_MAX || params->first % params->frame_samples != 0) {
        return sl_fail(err, SL_EINVAL, NULL,
                       "sound of %d channels at %d Hz in frames of %d (1 to %d channels, to %d Hz)",
                       (int)params->channels, (int)params->sample_rate, (int)params->frame_samples,
                       SL_MIX_CHANNELS, RATE_MAX);
    }
    s = sl_alloc_zero(sizeof *s);
    if (!s) {
        return sl_fail_memory(err);
    }
    s->params = *params;
    if (s->params.tolerance == 0) {
        s->params.tolerance = SL_SOUND_JITTER(params->sample_rate);
    }
    s->layout = sl_mix_default_layout(params->channels);
    s->length = s->position = params->first;
    for (int i = 0; i < params->channels; i++) {
        s->mixed[i] = sl_alloc_array(CHUNK, sizeof(float));
        s->resampled[i] = sl_alloc_array(CHUNK, sizeof(float));
        if (!s->mixed[i] || !s->resampled[i]) {
            status = sl_fail_memory(err);
            goto out;
        }
    }
    *out = s;
    s = NULL;
out:
    sl_sound_destroy(&s);
    return status;
}

/* ---- what waits to be received ------------------------------------------------------------ */

static enum sl_status add_span(struct sl_sound *s, bool silent, int64_t count, struct sl_error *err)
{
    if (s->span_count > 0 && s->spans[s->span_count - 1].silent == silent) {
        s->spans[s->span_count - 1].count += count;
    } else {
        if (sl_grow(&s->spans, &s->span_capacity, s->span_count, sizeof *s->spans, SPANS_MAX) !=
            SL_OK) {
            return sl_fail_memory(err);
        }
        s->spans[s->span_count++] = (struct span){silent, count};
    }
    s->length += count;
    s->started = true;
    return SL_OK;
}

static enum sl_status reserve(struct sl_sound *s, size_t more, struct sl_error *err)
{
    if (s->fifo_start + s->fifo_count + more <= s->fifo_capacity) {
        return SL_OK;
    }
    for (int i = 0; i < s->params.channels && s->fifo_start > 0 && s->fifo_count > 0; i++) {
        memmove(s->fifo[i], s->fifo[i] + s->fifo_start, s->fifo_count * sizeof(float));
    }
    s->fifo_start = 0;
    size_t need = s->fifo_count + more;
    if (need <= s->fifo_capacity) {
        return SL_OK;
    }
    if (need > FIFO_MAX) {
        return sl_fail(err, SL_ENOMEM, NULL, "more than %zu samples of sound in one frame",
                       FIFO_MAX);
    }
    need = need < FIFO_MAX / 2 ? need * 2 : FIFO_MAX;
    for (int i = 0; i < s->params.channels; i++) {
        float *p = sl_realloc_array(s->fifo[i], need, sizeof *p);
        if (!p) {
            return sl_fail_memory(err);
        }
        s->fifo[i] = p;
    }
    s->fifo_capacity = need;
    return SL_OK;
}

/* Puts samples at index on the line. What the line already has is trimmed; there is no gap. */
static enum sl_status place(struct sl_sound *s, int64_t index, float *const *planes, int32_t count,
                            struct sl_error *err)
{
    int64_t known = s->length - index;
    int32_t skip = known > count ? count : known > 0 ? (int32_t)known : 0;
    size_t n = (size_t)(count - skip);
    if (n == 0) {
        return SL_OK;
    }
    enum sl_status status = reserve(s, n, err);
    if (status == SL_OK) {
        status = add_span(s, false, (int64_t)n, err);
    }
    if (status != SL_OK) {
        return status;
    }
    for (int i = 0; i < s->params.channels; i++) {
        memcpy(s->fifo[i] + s->fifo_start + s->fifo_count, planes[i] + skip, n * sizeof(float));
    }
    s->fifo_count += n;
    return SL_OK;
}

static enum sl_status silence_to(struct sl_sound *s, int64_t index, struct sl_error *err)
{
    return index > s->length ? add_span(s, true, index - s->length, err) : SL_OK;
}

/* ---- runs --------------------------------------------------------------------------------- */

static struct sl_rational sample_time(int32_t rate)
{
    return (struct sl_rational){1, rate};
}

/* The first output sample at or after an input sample. */
static int64_t out_index(const struct sl_sound *s, int64_t in)
{
    return sl_muldiv(in, s->params.sample_rate, s->run.rate, SL_ROUND_UP);
}

/* Feeds the resampler without counting; what it gives at or after limit is dropped. */
static enum sl_status resample(struct sl_sound *s, float *const *planes, int32_t count,
                               int64_t limit, struct sl_error *err)
{
    struct run *run = &s->run;
    int32_t got;
    do {
        enum sl_status status = s->resample->convert(run->resampler, (const float *const *)planes,
                                                     count, s->resampled, CHUNK, &got, err);
        if (status != SL_OK) {
            return status;
        }
        int32_t keep = got;
        if (run->out_next + keep > limit) {
            keep = limit > run->out_next ? (int32_t)(limit - run->out_next) : 0;
        }
        status = place(s, run->out_next, s->resampled, keep, err);
        if (status != SL_OK) {
            return status;
        }
        run->out_next += got;
        count = 0;
    } while (got == CHUNK);
    return SL_OK;
}

static enum sl_status resample_silence(struct sl_sound *s, int64_t count, int64_t limit,
                                       struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (int i = 0; i < s->params.channels; i++) {
        memset(s->mixed[i], 0, CHUNK * sizeof(float));
    }
    while (count > 0 && status == SL_OK) {
        int32_t n = count < CHUNK ? (int32_t)count : CHUNK;
        status = resample(s, s->mixed, n, limit, err);
        count -= n;
    }
    return status;
}

/* As far as the filter reaches, in input samples: it widens when the rate goes down. */
static int64_t reach(const struct sl_sound *s)
{
    int32_t rate = s->run.rate > s->params.sample_rate ? s->run.rate : s->params.sample_rate;
    return sl_muldiv(FILTER_TAP, rate, s->params.sample_rate, SL_ROUND_UP);
}

/* The resampler is started where both grids meet (at 44.1 and 48 kHz 300 times a second), so that
 * its phase is that of the absolute index whenever it starts, and far enough ahead that its filter
 * has seen silence only. */
static enum sl_status open_resampler(struct sl_sound *s, int64_t index, struct sl_error *err)
{
    struct run *run = &s->run;
    const void *ops = s->resample;
    enum sl_status status = SL_OK;
    if (!ops) {
        status = sl_module_symbol(SL_RESAMPLE_MODULE, SL_RESAMPLE_SYMBOL, &ops, err);
    }
    if (status != SL_OK) {
        return status;
    }
    s->resample = ops;
    status = s->resample->open(&run->resampler, s->params.channels, run->rate,
                               s->params.sample_rate, err);
    if (status != SL_OK) {
        return status;
    }
    struct sl_rational ratio =
        sl_rational_reduce((struct sl_rational){s->params.sample_rate, run->rate});
    int64_t meeting = sl_muldiv(index - reach(s), 1, ratio.den, SL_ROUND_DOWN);
    run->out_next = meeting * ratio.num;
    return resample_silence(s, index - meeting * ratio.den, INT64_MAX, err);
}

static enum sl_status start_run(struct sl_sound *s, int32_t rate, int64_t index,
                                struct sl_error *err)
{
    s->run = (struct run){.active = true, .rate = rate, .next = index};
    enum sl_status status = silence_to(s, out_index(s, index), err);
    if (status == SL_OK && rate != s->params.sample_rate) {
        status = open_resampler(s, index, err);
    }
    return status;
}

static void close_run(struct sl_sound *s)
{
    if (s->run.resampler) {
        s->resample->destroy(s->run.resampler);
    }
    s->run = (struct run){0};
}

/* Every output sample before the end of the run's last input sample is placed. */
static enum sl_status end_run(struct sl_sound *s, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    if (s->run.active && s->run.resampler) {
        int64_t limit = out_index(s, s->run.next);
        status = resample_silence(s, 2 * reach(s), limit, err);
        if (status == SL_OK) {
            status = silence_to(s, limit, err);
        }
    }
    close_run(s);
    return status;
}

static enum sl_status feed(struct sl_sound *s, const struct sl_frame *f, int32_t from,
                           struct sl_error *err)
{
    const float *in[SL_MIX_CHANNELS];
    for (int i = 0; i < f->channels; i++) {
        in[i] = (const float *)(const void *)f->plane[i];
    }
    while (from < f->samples) {
        int32_t n = f->samples - from < CHUNK ? f->samples - from : CHUNK;
        sl_mix_run(&s->mix, in, from, n, s->mixed);
        enum sl_status status = s->run.resampler ? resample(s, s->mixed, n, INT64_MAX, err)
                                                 : place(s, s->run.next, s->mixed, n, err);
        if (status != SL_OK) {
            return status;
        }
        s->run.next += n;
        from += n;
    }
    return SL_OK;
}

/* ---- frames in ---------------------------------------------------------------------------- */

static enum sl_status check_frame(const struct sl_frame *f, struct sl_error *err)
{
    if (f->kind != SL_KIND_AUDIO || f->sample_format != SL_SAMPLE_F32P || f->samples < 0 ||
        f->channels < 1 || f->channels > SL_MIX_CHANNELS || f->sample_rate < 1 ||
        f->sample_rate > RATE_MAX) {
        return sl_fail(err, SL_EINVAL, NULL,
                       "sound of %d samples in %d channels at %d Hz, format %d (planar float, 1 to "
                       "%d channels, to %d Hz)",
                       (int)f->samples, (int)f->channels, (int)f->sample_rate,
                       (int)f->sample_format, SL_MIX_CHANNELS, RATE_MAX);
    }
    return SL_OK;
}

/* Where the line ends now, on the grid of an input rate; down, so that no sample is left out. */
static int64_t end_of_line(const struct sl_sound *s, int32_t rate)
{
    return sl_muldiv(s->length, rate, s->params.sample_rate, SL_ROUND_DOWN);
}

/* The index of a frame's first sample on the grid of its own rate, as its timestamp has it. */
static enum sl_status index_of(const struct sl_sound *s, const struct sl_frame *f, int64_t *index,
                               struct sl_error *err)
{
    const struct sl_sound_params *p = &s->params;
    if (f->pts == SL_NO_TIME) {
        *index = s->run.active ? s->run.next : end_of_line(s, f->sample_rate);
        return SL_OK;
    }
    bool fits = p->zero < 0 ? f->pts <= INT64_MAX + p->zero : f->pts >= INT64_MIN + p->zero;
    if (fits) {
        *index = sl_rescale(f->pts - p->zero, p->timebase, sample_time(f->sample_rate),
                            SL_ROUND_NEAREST);
    }
    int64_t out =
        fits ? sl_muldiv(*index, p->sample_rate, f->sample_rate, SL_ROUND_NEAREST) : INT64_MAX;
    if (!fits || *index > INDEX_MAX || *index < -INDEX_MAX || out > INDEX_MAX || out < -INDEX_MAX) {
        return sl_fail(err, SL_EDATA, NULL,
                       "sound at %lld ticks of %lld/%lld s is out of any reasonable range",
                       (long long)f->pts, (long long)p->timebase.num, (long long)p->timebase.den);
    }
    return SL_OK;
}

/* A frame of an earlier line is looked for, and what begins with it lies where that one had it.
 * True if the frame is settled: left out, or placed. */
static bool anchor(struct sl_sound *s, const struct sl_frame *f, int64_t *drop,
                   enum sl_status *status, struct sl_error *err)
{
    const struct sl_sound_anchor *a = &s->params.anchor;
    if (s->anchored || a->rate != f->sample_rate || s->run.active || s->started) {
        s->anchored = true;
        return false;
    }
    if (f->pts == SL_NO_TIME || f->pts < a->pts) {
        *drop = f->samples;
        return true;
    }
    s->anchored = true;
    int64_t after = sl_rescale(f->pts - a->pts, s->params.timebase, sample_time(f->sample_rate),
                               SL_ROUND_NEAREST);
    if (after > INDEX_MAX - a->index) {
        return false;
    }
    *status = start_run(s, f->sample_rate, a->index + after, err);
    return true;
}

/* Decides where the frame goes: drop says how many of its samples the line has already. */
static enum sl_status join(struct sl_sound *s, const struct sl_frame *f, int64_t *drop,
                           struct sl_error *err)
{
    int64_t index = 0;
    enum sl_status status = SL_OK;
    *drop = 0;
    if (anchor(s, f, drop, &status, err)) {
        return status;
    }
    if (s->run.active && s->run.rate != f->sample_rate) {
        status = end_run(s, err);
    }
    if (status == SL_OK) {
        status = index_of(s, f, &index, err);
    }
    if (status != SL_OK) {
        return status;
    }
    int64_t jitter =
        sl_muldiv(s->params.tolerance, f->sample_rate, s->params.sample_rate, SL_ROUND_UP);
    if (s->run.active) {
        int64_t late = index - s->run.next;
        if (late >= -jitter && late <= jitter) {
            return SL_OK;
        }
        if (late < 0) {
            *drop = -late;
            return SL_OK;
        }
        status = end_run(s, err);
    } else if (s->started) {
        int64_t expected = end_of_line(s, f->sample_rate);
        int64_t late = index - expected;
        if (late >= -jitter && late <= jitter) {
            index = expected;
        }
    }
    return status == SL_OK ? start_run(s, f->sample_rate, index, err) : status;
}

static void choose_mix(struct sl_sound *s, const struct sl_frame *f)
{
    if (s->mix.in_channels == f->channels && s->mix_layout == f->channel_layout) {
        return;
    }
    sl_mix_init(&s->mix, f->channels, f->channel_layout, s->params.channels, s->layout);
    s->mix_layout = f->channel_layout;
}

enum sl_status sl_sound_send(struct sl_sound *s, const struct sl_frame *frame, struct sl_error *err)
{
    int64_t drop = 0;
    enum sl_status status = check_frame(frame, err);
    if (status != SL_OK) {
        return status;
    }
    if (s->finished) {
        return sl_fail(err, SL_EINVAL, NULL, "sound sent after the end was stated");
    }
    if (s->length - s->position >= s->params.frame_samples) {
        return SL_EAGAIN;
    }
    if (frame->samples == 0) {
        return SL_OK;
    }
    status = join(s, frame, &drop, err);
    if (status != SL_OK || drop >= frame->samples) {
        return status;
    }
    if (drop == 0 && frame->pts != SL_NO_TIME) {
        s->last = (struct sl_sound_anchor){frame->pts, s->run.next, frame->sample_rate};
    }
    choose_mix(s, frame);
    return feed(s, frame, (int32_t)drop, err);
}

enum sl_status sl_sound_finish(struct sl_sound *s, int64_t end, struct sl_error *err)
{
    if (s->finished) {
        return sl_fail(err, SL_EINVAL, NULL, "the end was stated twice");
    }
    enum sl_status status = end_run(s, err);
    if (status == SL_OK && end > s->length) {
        status = silence_to(s, end, err);
    }
    if (status != SL_OK) {
        return status;
    }
    s->end = end >= 0 ? end : s->length;
    s->finished = true;
    return SL_OK;
}

/* ---- frames out --------------------------------------------------------------------------- */

/* Moves count samples from the front of what waits into a frame that is silent so far. */
static void take(struct sl_sound *s, struct sl_frame *f, int32_t count)
{
    int32_t at = 0;
    size_t used = 0;
    while (at < count) {
        struct span *span = &s->spans[used];
        int32_t n = span->count < count - at ? (int32_t)span->count : count - at;
        if (!span->silent) {
            for (int i = 0; i < s->params.channels; i++) {
                memcpy(f->plane[i] + (size_t)at * sizeof(float), s->fifo[i] + s->fifo_start,
                       (size_t)n * sizeof(float));
            }
            s->fifo_start += (size_t)n;
            s->fifo_count -= (size_t)n;
        }
        at += n;
        span->count -= n;
        if (span->count == 0) {
            used++;
        }
    }
    s->span_count -= used;
    memmove(s->spans, s->spans + used, s->span_count * sizeof *s->spans);
}

enum sl_status sl_sound_receive(struct sl_sound *s, struct sl_frame **out, struct sl_error *err)
{
    int32_t count = s->params.frame_samples;
    struct sl_frame *f = NULL;
    *out = NULL;
    if (s->finished) {
        if (s->position >= s->end) {
            return SL_EOF;
        }
        if (s->end - s->position < count) {
            count = (int32_t)(s->end - s->position);
        }
    } else if (s->length - s->position < count) {
        return SL_EAGAIN;
    }
    enum sl_status status = sl_frame_create_audio(
        &f, s->params.channels, s->layout, s->params.sample_rate, s->params.frame_samples, err);
    if (status != SL_OK) {
        return status;
    }
    take(s, f, count);
    f->pts = s->position;
    f->duration = count;
    s->position += s->params.frame_samples;
    *out = f;
    return SL_OK;
}

bool sl_sound_anchor(const struct sl_sound *s, struct sl_sound_anchor *out)
{
    *out = s->last;
    return s->last.rate > 0;
}

int64_t sl_sound_length(const struct sl_sound *s)
{
    return s->length;
}

void sl_sound_destroy(struct sl_sound **sound)
{
    struct sl_sound *s = sound ? *sound : NULL;
    if (!s) {
        return;
    }
    *sound = NULL;
    close_run(s);
    for (int i = 0; i < SL_MIX_CHANNELS; i++) {
        sl_free(s->fifo[i]);
        sl_free(s->mixed[i]);
        sl_free(s->resampled[i]);
    }
    sl_free(s->spans);
    sl_free(s);
}
