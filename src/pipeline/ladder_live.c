/* SPDX-License-Identifier: BSD-2-Clause */
/* A ladder that is published as a live run, and goes on with one that is there: docs/runs.md.
 *
 * With a source that can be read from its beginning nothing is lost: pictures are what they would
 * have been, each rendition goes on at its own first unpublished segment, and its encoder starts
 * there, for every cut begins a closed group. Pictures that come from a pipe or from a program are
 * gone: every rendition is brought to the same time, with gaps, and what comes follows a
 * discontinuity. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "pipeline/ladder.h"
#include "pipeline/ladder_run.h"

#define SOUND_RUN_IN 4    /* coded frames before the first that is used: docs/sound.md */
#define BACK_MS      3000 /* read before a cut: files interleave, and decoders of sound warm up */
#define WARM_UP_MS   500  /* decoders of sound, and the filter of another rate */
#define MICROSECONDS 1000000

static bool own_sound(const struct sl_ladder *l)
{
    return l->sound.present && l->params.format == SL_LADDER_FMP4;
}

/* ---- opening ------------------------------------------------------------------------------------
 */

static bool can_go_back(const struct sl_ladder *l)
{
    return !l->push && sl_window_seekable(l->input.window);
}

/* Where each rendition of an earlier life stands decides what has to be read. */
static enum sl_status look_back(struct sl_ladder *l, struct sl_error *err)
{
    struct sl_ladder_resume *r = &l->resume;
    int64_t most = 0, least = INT64_MAX;
    size_t pictures = 0;
    for (size_t i = 0; i < sl_live_count(l->live); i++) {
        const struct sl_playlist *p = sl_live_published(l->live, i);
        const struct sl_registry_rendition *info = sl_live_info(l->live, i);
        bool sound = !strcmp(info->kind, "audio");
        int64_t end = p->total_duration;
        r->active = r->active || p->count > 0;
        if (!sound && sl_rational_compare(p->timebase, l->clock.out) != 0) {
            return sl_fail(err, SL_EEXIST, l->params.run,
                           "%s has ticks of %lld/%lld s, this input's are %lld/%lld: it is another "
                           "one, or of another rate",
                           info->name, (long long)p->timebase.num, (long long)p->timebase.den,
                           (long long)l->clock.out.num, (long long)l->clock.out.den);
        }
        if (sound) { /* whole coded frames: up to one more than the pictures */
            int64_t frame = SL_AAC_FRAME_SAMPLES;
            end = sl_rescale(end > frame ? end - frame : 0, p->timebase, l->clock.out, SL_ROUND_UP);
        } else {
            r->cuts[pictures++] = end;
            least = end < least ? end : least;
        }
        most = end > most ? end : most;
    }
    r->exact = can_go_back(l);
    r->from = pictures && r->exact ? least : 0;
    r->base = r->exact ? 0 : most;
    r->cut_count = r->active && r->exact ? pictures : 0;
    l->clock.params.origin = r->base;
    return SL_OK;
}

static int compare_times(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

enum sl_status sl_ladder_live_open(struct sl_ladder *l, struct sl_error *err)
{
    char *options = sl_live_options(sl_ladder_options(), &l->params);
    struct sl_live_params params = {
        .run = l->params.run,
        .store = l->params.store,
        .registry = l->params.registry,
        .gateway = l->params.gateway,
        .options = options,
        .profile = (enum sl_store_profile)l->params.profile,
        .patience_s = l->params.patience,
        .ipfs = l->params.ipfs,
        .ipfs_wait_s = l->params.ipfs_wait,
        .ipfs_timeout_s = l->params.ipfs_timeout,
        .stop = &l->stop,
        .log = l->log,
    };
    l->resume.source = SL_NO_TIME;
    enum sl_status st = options ? sl_live_open(&l->live, &params, err) : sl_fail_memory(err);
    sl_free(options);
    if (st != SL_OK) {
        return st;
    }
    st = look_back(l, err);
    qsort(l->resume.cuts, l->resume.cut_count, sizeof l->resume.cuts[0], compare_times);
    return st;
}

/* ---- where to read from
 * --------------------------------------------------------------------------- */

/* Time of the source, ticks of the clock, from which sound is needed too. */
static int64_t needed_from(const struct sl_ladder *l)
{
    int64_t from = l->resume.from;
    for (size_t i = 0; i < sl_live_count(l->live); i++) {
        const struct sl_playlist *p = sl_live_published(l->live, i);
        if (!strcmp(sl_live_info(l->live, i)->kind, "audio")) {
            int64_t end = sl_rescale(p->total_duration, p->timebase, l->clock.out, SL_ROUND_DOWN);
            from = end < from ? end : from;
        }
    }
    return from;
}

/* Our own demuxers give each picture the same time wherever reading began. Others may not, and some
 * have no seek: then all is read again, and only the encoding is spared. */
static bool may_seek(const struct sl_ladder *l)
{
    const struct sl_demuxer *d = l->input.demuxer;
    return d->ops->seek && !d->may_jump &&
           (!strcmp(d->ops->name, "mkv") || !strcmp(d->ops->name, "mp4"));
}

/* Where sound lay that is heard shortly before the first sample that is made. */
static struct sl_sound_anchor sound_before(const struct sl_ladder *l)
{
    int64_t rate = l->params.audio_rate;
    int64_t at = sl_rescale(needed_from(l), l->clock.out, sl_rational(1, rate), SL_ROUND_DOWN);
    at -= (int64_t)SOUND_RUN_IN * SL_AAC_FRAME_SAMPLES + WARM_UP_MS * rate / 1000;
    if (!l->sound.present || l->sound.separate) {
        return (struct sl_sound_anchor){0};
    }
    return sl_live_find_sound(l->live, at, rate);
}

enum sl_status sl_ladder_live_seek(struct sl_ladder *l, struct sl_error *err)
{
    struct sl_ladder_resume *r = &l->resume;
    struct sl_live_cut cut;
    int64_t zero = SL_NO_TIME;
    if (!r->active || !r->exact || !may_seek(l) ||
        !sl_live_find_cut(l->live, needed_from(l), &zero, &cut) || zero == SL_NO_TIME ||
        cut.pts == 0) {
        return SL_OK;
    }
    struct sl_rational ms = sl_rational(1, 1000);
    int64_t to = cut.source - sl_rescale(BACK_MS, ms, l->video->timebase, SL_ROUND_UP);
    struct sl_sound_anchor sound = sound_before(l);
    if (sound.rate > 0) {
        int64_t at =
            sl_rescale(sound.pts, l->sound.track.timebase, l->video->timebase, SL_ROUND_DOWN);
        at -= sl_rescale(WARM_UP_MS, ms, l->video->timebase, SL_ROUND_UP);
        to = at < to ? at : to;
    }
    struct sl_error why = {0};
    enum sl_status st =
        l->input.demuxer->ops->seek(l->input.demuxer, (size_t)l->video_index, to, &why);
    if (st == SL_EUNSUPPORTED) {
        return SL_OK; /* nothing has moved */
    }
    if (st != SL_OK) {
        return sl_fail(err, st, l->params.input, "%s", why.msg);
    }
    r->source = cut.source;
    r->sound = sound;
    sl_clock_restore(&l->clock, zero, cut.grid_low, cut.grid_high);
    return SL_OK;
}

/* ---- where each rendition begins
 * ------------------------------------------------------------------- */

/* The limit that the encoder was given, and what the container adds. */
static int64_t promised(int64_t kbits)
{
    return kbits * 1050;
}

static void describe_rung(const struct sl_ladder *l, size_t i, struct sl_registry_rendition *out)
{
    const struct sl_rung *r = &l->rungs[i];
    bool muxed = l->sound.present && !own_sound(l);
    int64_t sound = muxed ? l->params.audio_bitrate : 0;
    struct sl_rational aspect = l->sample_aspect;
    *out = (struct sl_registry_rendition){
        .kind = "video",
        .width = (int32_t)r->plan.width,
        .height = (int32_t)r->plan.height,
        .frame_rate = sl_rational_valid(l->frame_rate) ? l->frame_rate : sl_rational(0, 1),
        .timebase = l->clock.out,
        .bitrate = promised(r->plan.maxrate + sound),
        .average_bitrate = promised(r->plan.bitrate + sound),
        .target_duration = (int32_t)l->target,
        .window = (int32_t)l->params.window,
    };
    if (sl_rational_valid(aspect) && aspect.num > aspect.den) {
        out->width = (int32_t)sl_muldiv(out->width, aspect.num, aspect.den, SL_ROUND_NEAREST);
    } else if (sl_rational_valid(aspect)) {
        out->height = (int32_t)sl_muldiv(out->height, aspect.den, aspect.num, SL_ROUND_NEAREST);
    }
    if (muxed) {
        out->channels = (int32_t)l->params.audio_channels;
        out->sample_rate = (int32_t)l->params.audio_rate;
    }
    (void)snprintf(out->name, sizeof out->name, "%s", r->plan.name);
    (void)snprintf(out->format, sizeof out->format, "%s",
                   l->params.format == SL_LADDER_TS ? "ts" : "fmp4");
    (void)snprintf(out->codecs, sizeof out->codecs, "%s%s%s", r->codecs, muxed ? "," : "",
                   muxed ? l->sound.codec : "");
}

static void describe_sound(const struct sl_ladder *l, struct sl_registry_rendition *out)
{
    *out = (struct sl_registry_rendition){
        .name = "audio",
        .kind = "audio",
        .channels = (int32_t)l->params.audio_channels,
        .sample_rate = (int32_t)l->params.audio_rate,
        .frame_rate = {0, 1},
        .timebase = {1, l->params.audio_rate},
        .bitrate = promised(l->params.audio_bitrate),
        .average_bitrate = promised(l->params.audio_bitrate),
        .target_duration = (int32_t)l->target,
        .window = (int32_t)l->params.window,
        .format = "fmp4",
    };
    (void)snprintf(out->codecs, sizeof out->codecs, "%s", l->sound.codec);
    (void)snprintf(out->language, sizeof out->language, "%s", l->sound.track.language);
}

/* The first coded frame of sound at or after time t of the clock. */
static int64_t sound_at(const struct sl_ladder *l, int64_t t)
{
    int64_t at = sl_rescale(t, l->clock.out, sl_rational(1, l->params.audio_rate), SL_ROUND_UP);
    return (at + SL_AAC_FRAME_SAMPLES - 1) / SL_AAC_FRAME_SAMPLES * SL_AAC_FRAME_SAMPLES;
}

/* Index of the first nominal cut of sound that lies at from or later. */
static int64_t next_cut(const struct sl_ladder *l, int64_t from)
{
    struct sl_rational seg = l->params.segment;
    int64_t k = sl_muldiv(from, seg.den, l->params.audio_rate * seg.num, SL_ROUND_DOWN);
    for (k = k > 0 ? k - 1 : 0;; k++) {
        int64_t at = sl_muldiv(k * seg.num, l->params.audio_rate, seg.den, SL_ROUND_UP);
        at = (at + SL_AAC_FRAME_SAMPLES - 1) / SL_AAC_FRAME_SAMPLES * SL_AAC_FRAME_SAMPLES;
        if (at >= from) {
            return k;
        }
    }
}

static void place_sound(struct sl_ladder *l)
{
    struct sl_ladder_sound *s = &l->sound;
    int64_t from = INT64_MAX, run_in = (int64_t)SOUND_RUN_IN * SL_AAC_FRAME_SAMPLES;
    if (own_sound(l)) {
        from = sl_live_published(l->live, l->rung_count)->total_duration;
    }
    for (size_t i = 0; i < l->rung_count && !own_sound(l); i++) {
        struct sl_rung *r = &l->rungs[i];
        r->sound_from = r->from > 0 ? sound_at(l, r->from) : SL_NO_TIME;
        int64_t at = r->from > 0 ? r->sound_from : 0;
        from = at < from ? at : from;
    }
    if (from > 0) {
        s->from = from;
        s->first = from > run_in ? from - run_in : 0;
        s->cuts = next_cut(l, from);
    }
    if (!s->separate) { /* the first picture is not at time 0 */
        s->zero -= sl_rescale(l->resume.base, l->clock.out, s->track.timebase, SL_ROUND_NEAREST);
    }
}

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * MICROSECONDS + t.tv_nsec / 1000;
}

/* Wall-clock time of time 0: as it was said before, unless time has passed in between. */
static void set_program_zero(struct sl_ladder *l)
{
    int64_t before = sl_live_program_zero(l->live);
    l->program_zero = before;
    if (before == SL_NO_TIME || !l->resume.exact) {
        l->program_zero = now_us() - sl_rescale(l->resume.base, l->clock.out,
                                                sl_rational(1, MICROSECONDS), SL_ROUND_NEAREST);
    }
}

static enum sl_status fill_gaps(struct sl_ladder *l, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    for (size_t i = 0; i < sl_live_count(l->live) && st == SL_OK; i++) {
        int64_t end = i < l->rung_count ? l->resume.base : sound_at(l, l->resume.base);
        st = sl_live_gap(l->live, i, end, l->params.segment, err);
    }
    return st;
}

enum sl_status sl_ladder_live_begin(struct sl_ladder *l, struct sl_error *err)
{
    struct sl_registry_rendition infos[SL_LADDER_RUNGS_MAX + 1];
    size_t count = l->rung_count + (own_sound(l) ? 1 : 0);
    for (size_t i = 0; i < l->rung_count; i++) {
        describe_rung(l, i, &infos[i]);
    }
    if (own_sound(l)) {
        describe_sound(l, &infos[l->rung_count]);
    }
    set_program_zero(l);
    enum sl_status st = sl_live_begin(l->live, infos, count, err);
    if (st == SL_OK && l->resume.active && !l->resume.exact) {
        st = fill_gaps(l, err);
    }
    if (st != SL_OK) {
        return st;
    }
    for (size_t i = 0; i < count; i++) {
        l->shared.listed[i] = sl_live_published(l->live, i)->count;
        if (i < l->rung_count) {
            l->rungs[i].from = sl_live_published(l->live, i)->total_duration;
        }
    }
    if (l->sound.present) {
        place_sound(l);
    }
    if (l->resume.active) {
        sl_log_write(l->log, SL_LOG_INFO, "run", "%s: goes on at %lld ms%s", l->params.run,
                     (long long)sl_rescale(l->resume.exact ? l->resume.from : l->resume.base,
                                           l->clock.out, sl_rational(1, 1000), SL_ROUND_DOWN),
                     l->resume.exact ? "" : ", after a discontinuity");
    }
    return SL_OK;
}

enum sl_status sl_ladder_live_rendition(struct sl_ladder *l, size_t index,
                                        struct sl_rendition_params *params,
                                        struct sl_rendition_resume *resume, struct sl_chain *last,
                                        struct sl_error *err)
{
    bool sound = index == l->rung_count;
    const struct sl_playlist *published = sl_live_published(l->live, index);
    *resume = (struct sl_rendition_resume){
        .published = published,
        .discontinuity = l->resume.active && !l->resume.exact,
    };
    if (sound) {
        int64_t from = l->sound.from;
        resume->start[0] = from == SL_NO_TIME ? 0 : from + params->tracks[0]->decode_delay;
    } else {
        int64_t from = l->rungs[index].sound_from;
        resume->start[0] = l->rungs[index].from;
        if (params->tracks[1] && from != SL_NO_TIME) {
            resume->start[1] = from + params->tracks[1]->decode_delay;
        }
    }
    params->program_zero = l->program_zero;
    params->resume = published->count ? resume : NULL;
    if (l->params.format == SL_LADDER_TS && published->count && l->resume.exact) {
        enum sl_status st = sl_live_last(l->live, index, last, err);
        if (st != SL_OK) {
            return st;
        }
        resume->last = last;
    }
    return sl_live_output(&params->output, l->live, index, err);
}

/* ---- pictures
 * --------------------------------------------------------------------------------------- */

/* A segment begins here whatever the clock says, and begins where the one before ended: a picture
 * that was cut off by a stop is shown until the next one. */
static void force_cut(struct sl_ladder *l, struct sl_frame *frame)
{
    struct sl_ladder_resume *r = &l->resume;
    while (r->cuts_made < r->cut_count && r->cuts[r->cuts_made] <= frame->pts) {
        int64_t at = r->cuts[r->cuts_made++];
        frame->duration += frame->pts - at;
        frame->pts = at;
        frame->flags |= SL_FRAME_CUT | SL_FRAME_KEY;
    }
}

bool sl_ladder_live_picture(struct sl_ladder *l, struct sl_frame *frame)
{
    if (l->resume.exact && frame->pts < l->resume.from) {
        return false;
    }
    if ((frame->flags & SL_FRAME_CUT) && l->clock.emitting != SL_NO_TIME) {
        struct sl_live_cut cut = {.pts = frame->pts,
                                  .source = l->clock.emitting,
                                  .grid_low = l->clock.grid_low,
                                  .grid_high = l->clock.grid_high};
        sl_live_note_cut(l->live, l->clock.zero, &cut);
    }
    force_cut(l, frame);
    return true;
}

/* ---- the end
 * ------------------------------------------------------------------------------------------ */

enum sl_status sl_ladder_live_end(struct sl_ladder *l, enum sl_status st, struct sl_error *err)
{
    enum sl_run_state state = st != SL_OK              ? SL_RUN_FAILED
                              : sl_cancelled(&l->stop) ? SL_RUN_STOPPED
                                                       : SL_RUN_FINISHED;
    char text[SL_REGISTRY_ERROR_MAX] = "";
    if (st != SL_OK && err) {
        (void)sl_error_format(err, text, sizeof text);
    }
    struct sl_error why = {0};
    enum sl_status ended = sl_live_end(l->live, state, text[0] ? text : NULL, &why);
    if (ended != SL_OK && st == SL_OK) {
        (void)sl_fail(err, ended, why.where, "%s", why.msg);
        return ended;
    }
    return st;
}

void sl_ladder_tell(struct sl_ladder *l, sl_ladder_update_fn *update, void *opaque)
{
    if (l->live) {
        sl_live_on_update(l->live, update, opaque);
    }
}

void sl_ladder_result_of(struct sl_ladder *l, struct sl_ladder_result *result)
{
    if (l->live) {
        sl_live_cids(l->live, result->master_cid, result->root_cid);
    }
}
