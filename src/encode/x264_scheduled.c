/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "encode/x264_scheduled.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "encode/backends.h"
#include "encode/h264_track.h"
#include "encode/x264_check.h"
#include "encode/x264_log.h"
#include "encode/x264_scheduled_params.h"
#include "media/h264.h"
#include "media/track.h"

#define NAME      "x264"
#define GROUP_MAX (SL_X264_BFRAMES_MAX + 1)

/* A picture on its way through x264. x264 counts pictures by themselves; a schedule names them by
 * their place in the source, where some may be left out. */
struct in_flight {
    struct sl_schedule_frame frame;
    int64_t duration;
    int index; /* x264's number */
    bool used;
};

/* A reference picture, remembered for as long as pictures that refer to it may come out. */
struct known {
    int64_t display;
    int index;
};

struct encoder {
    struct sl_coder base;
    x264_t *x264;
    struct sl_x264_log log;
    bool scheduled;
    int32_t reorder, bframes;

    struct in_flight *in_flight;
    size_t in_flight_count, next_slot;
    struct known *known; /* a ring of known_size, the newest at known_count - 1 */
    size_t known_size, known_count;
    size_t period; /* known_count when the last IDR was announced: nothing refers across it */

    /* The group announced, in display order. */
    struct sl_schedule_frame group[GROUP_MAX];
    size_t group_count, group_sent;
    int64_t announced; /* pictures in all */
    int64_t sent;      /* x264's number of the next one */
    int64_t last_pts;

    struct sl_packet *pending; /* encoded, not yet received */
    struct sl_coded_picture coming, last;
    bool have_last, first_out, flushing;
    enum sl_status broken; /* a call failed half way: nothing more can come */
};

static struct encoder *cast(struct sl_coder *e)
{
    return (struct encoder *)e;
}

/* ---- display numbers and x264's ----------------------------------------------------------- */

static void remember(struct encoder *e, int64_t display, int64_t index)
{
    e->known[e->known_count++ % e->known_size] = (struct known){display, (int)index};
}

static bool index_of(const struct encoder *e, int64_t display, int *index)
{
    size_t oldest = e->known_count > e->known_size ? e->known_count - e->known_size : 0;
    oldest = oldest > e->period ? oldest : e->period;
    for (size_t i = e->known_count; i-- > oldest;) {
        const struct known *k = &e->known[i % e->known_size];
        if (k->display == display) {
            *index = k->index;
            return true;
        }
    }
    return false;
}

static int64_t display_of(const struct encoder *e, int index)
{
    size_t oldest = e->known_count > e->known_size ? e->known_count - e->known_size : 0;
    for (size_t i = e->known_count; e->scheduled && i-- > oldest;) {
        const struct known *k = &e->known[i % e->known_size];
        if (k->index == index) {
            return k->display;
        }
    }
    return index;
}

/* ---- open --------------------------------------------------------------------------------- */

/* Our own parser's word on what x264 is going to write. */
static enum sl_status check_sps(const struct encoder *e, const struct sl_nal_config *sets,
                                const struct sl_x264_scheduled_params *p, struct sl_error *err)
{
    struct sl_h264_sps sps;
    enum sl_status status = sets->count > 0
                                ? sl_h264_parse_sps(&sets->sets[0], &sps, err)
                                : sl_fail(err, SL_EDATA, NAME, "no SPS in what x264 announces");
    if (status != SL_OK || !e->scheduled) {
        return status;
    }
    uint32_t dpb = (uint32_t)(p->schedule->dpb > 1 ? p->schedule->dpb : 1);
    if (!sps.gaps_in_frame_num_allowed || sps.poc_type != 0 || !sps.bitstream_restriction ||
        sps.max_num_reorder_frames != (uint32_t)p->schedule->reorder ||
        sps.max_num_ref_frames != dpb || sps.max_dec_frame_buffering != dpb) {
        return sl_fail(err, SL_EDATA, NAME,
                       "SPS says reorder %u, DPB %u, references %u, gaps %d; asked for %d, %u, %u, "
                       "1",
                       sps.max_num_reorder_frames, sps.max_dec_frame_buffering,
                       sps.max_num_ref_frames, sps.gaps_in_frame_num_allowed, p->schedule->reorder,
                       dpb, dpb);
    }
    return SL_OK;
}

static enum sl_status fill_track(struct encoder *e, const struct sl_x264_scheduled_params *p,
                                 struct sl_error *err)
{
    struct sl_track *t = &e->base.track;
    x264_nal_t *nals;
    int count;
    int size = x264_encoder_headers(e->x264, &nals, &count);
    if (size <= 0) {
        return sl_x264_refused(&e->log, SL_EDATA, "no parameter sets", err);
    }
    struct sl_nal_config sets;
    /* The units of one call lie one after the other in memory (x264.h). */
    enum sl_status status =
        sl_h264_track_fill(t, &p->encode, nals[0].p_payload, (size_t)size, &sets, err);
    if (status == SL_OK) {
        status = sl_h264_describe(t, err);
    }
    return status == SL_OK ? check_sps(e, &sets, p, err) : status;
}

static void scheduled_destroy(struct sl_coder *base)
{
    struct encoder *e = cast(base);
    if (e->x264) {
        x264_encoder_close(e->x264);
    }
    sl_packet_unref(&e->pending);
    sl_free(e->in_flight);
    sl_free(e->known);
    sl_track_clear(&e->base.track);
    sl_free(e);
}

enum sl_status sl_x264_scheduled_open(struct sl_coder **out,
                                      const struct sl_x264_scheduled_params *params,
                                      struct sl_error *err)
{
    *out = NULL;
    struct encoder *e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return sl_fail_memory(err);
    }
    const struct sl_log *log = params->encode.log;
    e->base.ops = &sl_encode_x264_scheduled;
    sl_track_init(&e->base.track);
    e->log.log = log;
    e->last_pts = SL_NO_TIME;
    e->scheduled = params->schedule != NULL;
    e->reorder = e->scheduled ? params->schedule->reorder : 0;
    e->bframes = params->bframes;
    x264_param_t x;
    enum sl_status status = sl_x264_scheduled_fill(&x, params, err);
    if (status != SL_OK) {
        goto out;
    }
    x.pf_log = sl_x264_log;
    x.p_log_private = &e->log;
    x.i_log_level = log && log->level >= SL_LOG_DEBUG ? X264_LOG_INFO : X264_LOG_WARNING;
    e->x264 = x264_encoder_open(&x);
    x264_param_cleanup(&x);
    if (!e->x264) {
        status = sl_x264_refused(&e->log, SL_EINVAL, "cannot be opened", err);
        goto out;
    }
    status = fill_track(e, params, err);
    if (status != SL_OK) {
        goto out;
    }
    /* One more for the frame at hand. */
    e->in_flight_count = (size_t)x264_encoder_maximum_delayed_frames(e->x264) + 1;
    /* What can come out next was coded with references that were announced before it; behind those
     * in flight lies no more than a DPB. */
    e->known_size = e->in_flight_count + GROUP_MAX + SL_SCHEDULE_REFS_MAX;
    e->in_flight = sl_alloc_array(e->in_flight_count, sizeof *e->in_flight);
    e->known = sl_alloc_array(e->known_size, sizeof *e->known);
    if (!e->in_flight || !e->known) {
        status = sl_fail_memory(err);
    }
out:
    if (status == SL_OK) {
        *out = &e->base;
    } else {
        scheduled_destroy(&e->base);
    }
    return status;
}

static enum sl_status plain_open(struct sl_coder **out, const struct sl_encode_params *params,
                                 struct sl_error *err)
{
    struct sl_x264_scheduled_params plain = {.encode = *params};
    return sl_x264_scheduled_open(out, &plain, err);
}

/* ---- what comes next ---------------------------------------------------------------------- */

static bool is_b(const struct sl_schedule_frame *f)
{
    return f->type == SL_SCHEDULE_B || f->type == SL_SCHEDULE_BREF;
}

/* The anchor comes first and is shown last; everything else is a B picture. */
static enum sl_status check_group(const struct encoder *e, const struct sl_schedule_frame *frames,
                                  size_t count, struct sl_error *err)
{
    if (!e->scheduled || e->group_sent < e->group_count || count == 0 ||
        count > (size_t)e->bframes + 1 || is_b(&frames[0]) ||
        (frames[0].type == SL_SCHEDULE_IDR && count > 1) ||
        (e->announced == 0 && frames[0].type != SL_SCHEDULE_IDR)) {
        return sl_fail(err, SL_EINVAL, NAME,
                       "group of %zu pictures at display %lld, %zu of the last one not sent, "
                       "expected an anchor and up to %d B pictures",
                       count, count > 0 ? (long long)frames[0].display : 0,
                       e->group_count - e->group_sent, e->bframes);
    }
    for (size_t i = 0; i < count; i++) {
        const struct sl_schedule_frame *f = &frames[i];
        if (f->decode != e->announced + (int64_t)i || (i > 0 && !is_b(f)) ||
            (i > 0 && f->display >= frames[0].display) || f->display <= e->last_pts ||
            f->layer >= SL_SCHEDULE_LAYERS_MAX || f->ref_count > SL_SCHEDULE_REFS_MAX ||
            f->forget_count > SL_SCHEDULE_REFS_MAX || !isfinite(f->qp)) {
            return sl_fail(err, SL_EINVAL, NAME,
                           "picture %lld is number %lld in coded order, expected %lld and one of "
                           "its group",
                           (long long)f->display, (long long)f->decode,
                           (long long)(e->announced + (int64_t)i));
        }
    }
    return SL_OK;
}

enum sl_status sl_x264_scheduled_announce(struct sl_coder *base,
                                          const struct sl_schedule_frame *frames, size_t count,
                                          struct sl_error *err)
{
    struct encoder *e = cast(base);
    enum sl_status status = check_group(e, frames, count, err);
    if (status != SL_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        for (; at > 0 && e->group[at - 1].display > frames[i].display; at--) {
            e->group[at] = e->group[at - 1];
        }
        e->group[at] = frames[i];
        if (at > 0 && e->group[at - 1].display == frames[i].display) {
            return sl_fail(err, SL_EINVAL, NAME, "picture %lld is there twice",
                           (long long)frames[i].display);
        }
    }
    for (size_t i = 0; i < count; i++) {
        /* x264 asserts that no picture is shown before it can be decoded. */
        int64_t late = e->group[i].decode - (e->announced + (int64_t)i);
        if (late > e->reorder) {
            return sl_fail(err, SL_EINVAL, NAME,
                           "picture %lld is coded %lld pictures late, more than reorder %d",
                           (long long)e->group[i].display, (long long)late, e->reorder);
        }
    }
    if (frames[0].type == SL_SCHEDULE_IDR) {
        e->period = e->known_count;
    }
    for (size_t i = 0; i < count; i++) {
        if (!e->group[i].disposable) {
            remember(e, e->group[i].display, e->announced + (int64_t)i);
        }
    }
    e->announced += (int64_t)count;
    e->group_count = count;
    e->group_sent = 0;
    return SL_OK;
}

/* Of what x264 works with, numbers instead of display numbers. */
static enum sl_status translate(const struct encoder *e, const struct sl_schedule_frame *f,
                                x264_sched_t *out, struct sl_error *err)
{
    *out = (x264_sched_t){
        .i_coded = (int)f->decode,
        .i_layer = f->layer,
        .i_max_ref_layer = f->max_ref_layer,
        .b_disposable = f->type == SL_SCHEDULE_P && f->disposable,
        .b_qp = f->qp_kind == SL_SCHEDULE_QP_ABSOLUTE,
        .f_qp = f->qp_kind == SL_SCHEDULE_QP_NONE ? 0 : (float)f->qp,
        .i_ref = f->ref_count,
        .i_forget = f->forget_count,
    };
    for (size_t i = 0; i < f->ref_count; i++) {
        if (!index_of(e, f->refs[i], &out->ref[i])) {
            return sl_fail(err, SL_EINVAL, NAME, "picture %lld refers to %lld, which is not there",
                           (long long)f->display, (long long)f->refs[i]);
        }
    }
    for (size_t i = 0; i < f->forget_count; i++) {
        if (!index_of(e, f->forget[i], &out->forget[i])) {
            return sl_fail(err, SL_EINVAL, NAME, "picture %lld forgets %lld, which is not there",
                           (long long)f->display, (long long)f->forget[i]);
        }
    }
    return SL_OK;
}

/* ---- encode ------------------------------------------------------------------------------- */

static size_t header_size(const x264_nal_t *nals, int count)
{
    size_t size = 0;
    for (int i = 0; i < count && nals[i].i_type != NAL_SLICE && nals[i].i_type != NAL_SLICE_IDR;
         i++) {
        size += (size_t)nals[i].i_payload;
    }
    return size;
}

/* in: NULL to flush. e->pending stays NULL where nothing came out yet. */
static enum sl_status encode(struct encoder *e, x264_picture_t *in, struct sl_error *err)
{
    x264_nal_t *nals;
    int count;
    x264_picture_t pic;
    int size = x264_encoder_encode(e->x264, &nals, &count, in, &pic);
    if (size < 0) {
        return sl_x264_refused(&e->log, SL_EDATA, "encoding failed", err);
    }
    if (size == 0) {
        return SL_OK;
    }
    uint8_t *data;
    enum sl_status status = sl_packet_create_data(&e->pending, (size_t)size, &data, err);
    if (status != SL_OK) {
        return status;
    }
    memcpy(data, nals[0].p_payload, (size_t)size);
    struct in_flight *slot = pic.opaque;
    slot->used = false;
    e->pending->pts = pic.i_pts;
    e->pending->dts = pic.i_dts;
    e->pending->duration = slot->duration;
    e->pending->flags = pic.b_keyframe ? SL_PACKET_KEY : 0u;

    struct sl_coded_picture *c = &e->coming;
    c->frame = slot->frame;
    c->frame.type = (enum sl_schedule_type)pic.i_type;
    c->qp = pic.i_qpplus1 - 1;
    c->header_size = e->first_out ? 0 : header_size(nals, count);
    c->frame.ref_count = (uint8_t)pic.sched.i_ref;
    for (int i = 0; i < pic.sched.i_ref; i++) {
        c->frame.refs[i] = display_of(e, pic.sched.ref[i]);
    }
    if (!e->scheduled) {
        c->frame.decode = e->first_out ? e->last.frame.decode + 1 : 0;
        c->frame.disposable = pic.i_type == X264_TYPE_B;
    }
    e->first_out = true;
    return SL_OK;
}

static enum sl_status check_frame(const struct encoder *e, const struct sl_frame *f,
                                  struct sl_error *err)
{
    enum sl_status status = sl_h264_track_check(&e->base.track, f, NULL, NAME, err);
    if (status != SL_OK) {
        return status;
    }
    if (e->sent >= INT32_MAX / 2) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "more than %d pictures", INT32_MAX / 2);
    }
    bool none = e->scheduled && e->group_sent == e->group_count;
    int64_t want = !e->scheduled ? e->sent : none ? -1 : e->group[e->group_sent].display;
    if (none || f->pts != want) {
        return sl_fail(err, SL_EINVAL, NAME, "frame pts %lld, expected %lld", (long long)f->pts,
                       (long long)want);
    }
    return SL_OK;
}

static struct in_flight *free_slot(struct encoder *e)
{
    for (size_t i = 0; i < e->in_flight_count; i++) {
        size_t at = (e->next_slot + i) % e->in_flight_count;
        if (!e->in_flight[at].used) {
            e->next_slot = (at + 1) % e->in_flight_count;
            return &e->in_flight[at];
        }
    }
    return NULL;
}

static enum sl_status send_frame(struct encoder *e, struct sl_frame *frame, struct sl_error *err)
{
    enum sl_status status = check_frame(e, frame, err);
    if (status != SL_OK) {
        return status;
    }
    x264_picture_t pic;
    x264_picture_init(&pic);
    struct in_flight *slot = free_slot(e);
    if (!slot) {
        return sl_fail(err, SL_EDATA, NAME, "more than the %zu frames announced are in flight",
                       e->in_flight_count);
    }
    if (e->scheduled) {
        const struct sl_schedule_frame *f = &e->group[e->group_sent];
        status = translate(e, f, &pic.sched, err);
        if (status != SL_OK) {
            return status;
        }
        slot->frame = *f;
        pic.i_type = (int)f->type; /* media/schedule.h numbers them as x264 does */
    } else {
        slot->frame = (struct sl_schedule_frame){.display = frame->pts, .id = frame->pts};
        /* CUT implies KEY (media/frame.h). */
        bool key = (frame->flags & (SL_FRAME_KEY | SL_FRAME_CUT)) != 0;
        pic.i_type = key ? X264_TYPE_IDR : X264_TYPE_AUTO;
    }
    slot->duration = frame->duration;
    slot->index = (int)e->sent;
    slot->used = true;
    pic.i_pts = frame->pts;
    pic.opaque = slot;
    pic.img.i_csp = X264_CSP_I420;
    pic.img.i_plane = 3;
    for (int i = 0; i < 3; i++) {
        pic.img.plane[i] = frame->plane[i];
        pic.img.i_stride[i] = (int)frame->stride[i];
    }
    e->last_pts = frame->pts;
    e->sent++;
    e->group_sent += e->scheduled;
    /* x264 copies the picture into a frame of its own, so no reference needs to be kept. */
    e->broken = encode(e, &pic, err);
    return e->broken;
}

static enum sl_status scheduled_send(struct sl_coder *base, struct sl_frame *frame,
                                     struct sl_error *err)
{
    struct encoder *e = cast(base);
    if (e->broken) {
        return sl_fail(err, e->broken, NAME, "an earlier frame could not be encoded");
    }
    if (e->flushing) {
        return frame ? sl_fail(err, SL_EINVAL, NAME, "frame after the end") : SL_OK;
    }
    if (e->pending) {
        return SL_EAGAIN;
    }
    if (frame) {
        return send_frame(e, frame, err);
    }
    if (e->group_sent < e->group_count) {
        return sl_fail(err, SL_EINVAL, NAME, "the end within a group, %zu pictures are missing",
                       e->group_count - e->group_sent);
    }
    e->flushing = true;
    return SL_OK;
}

static enum sl_status scheduled_receive(struct sl_coder *base, struct sl_packet **out,
                                        struct sl_error *err)
{
    struct encoder *e = cast(base);
    *out = NULL;
    if (e->broken) {
        return sl_fail(err, e->broken, NAME, "an earlier frame could not be encoded");
    }
    while (!e->pending && e->flushing && x264_encoder_delayed_frames(e->x264) > 0) {
        e->broken = encode(e, NULL, err);
        if (e->broken) {
            return e->broken;
        }
    }
    if (!e->pending) {
        return e->flushing ? SL_EOF : SL_EAGAIN;
    }
    *out = e->pending;
    e->pending = NULL;
    e->last = e->coming;
    e->have_last = true;
    return SL_OK;
}

const struct sl_coded_picture *sl_x264_scheduled_last(const struct sl_coder *base)
{
    const struct encoder *e = (const struct encoder *)base;
    return e->have_last ? &e->last : NULL;
}

const struct sl_coder_ops sl_encode_x264_scheduled = {
    .name = "x264-scheduled",
    .kind = SL_KIND_VIDEO,
    .codec = SL_CODEC_H264,
    .open = plain_open,
    .send = scheduled_send,
    .receive = scheduled_receive,
    .destroy = scheduled_destroy,
};
