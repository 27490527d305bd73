/* SPDX-License-Identifier: BSD-2-Clause */
/* From the plan of a request through the decoder to one picture after the other.
 *
 * The decoder gives pictures in display order, so the next one of the request is always the one to
 * come: when a later one comes first, it is lost. That happens where a key is not one in full
 * (gradual refresh, a container that flags too much), and decoding begins again further back. */
#include "pipeline/frames.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "decode/registry.h"
#include "filter/packed.h"
#include "media/track.h"
#include "source/source.h"

void sl_frames_free(struct sl_frames **frames)
{
    struct sl_frames *f = frames ? *frames : NULL;
    if (!f) {
        return;
    }
    *frames = NULL;
    sl_frames_drop_items(f);
    sl_free(f->items);
    sl_frame_unref(&f->frame);
    sl_packer_destroy(&f->packer);
    sl_decode_destroy(&f->decoder);
    sl_frames_plan_clear(&f->plan);
    sl_free(f->wanted);
    sl_frames_index_clear(&f->index);
    for (size_t i = 0; i < f->config_count; i++) {
        sl_free(f->configs[i].data);
    }
    sl_free(f->configs);
    sl_buf_unref(&f->prefix);
    sl_track_clear(&f->track);
    sl_source_destroy(&f->source);
    sl_free(f->where);
    sl_free(f);
}

/* ---- requests ---------------------------------------------------------------------------- */

/* The decoder forgets what it was sent. */
static void begin_anew(struct sl_frames *f)
{
    if (f->decoder && (f->started || f->draining)) {
        if (f->decoder->ops->flush) {
            f->decoder->ops->flush(f->decoder);
        } else {
            sl_decode_destroy(&f->decoder);
        }
    }
    f->started = f->draining = false;
}

static void forget_request(struct sl_frames *f)
{
    begin_anew(f);
    sl_frames_drop_items(f);
    sl_frame_unref(&f->frame);
    sl_free(f->wanted);
    f->wanted = NULL;
    f->wanted_count = f->given = 0;
    f->planned = f->exhausted = false;
}

static int by_number(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

enum sl_status sl_frames_ask(struct sl_frames *f, const uint64_t *indexes, size_t count,
                             struct sl_error *err)
{
    struct sl_frames_oracle oracle = sl_frames_oracle(f);
    uint32_t *samples, *wanted;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (indexes[i] >= f->index.shown_count) {
            return sl_fail(err, SL_EINVAL, f->name, "picture %" PRIu64 " of %zu (from 0)",
                           indexes[i], f->index.shown_count);
        }
    }
    wanted = sl_alloc_array(count ? count : 1, sizeof *wanted);
    samples = sl_alloc_array(count ? count : 1, sizeof *samples);
    if (!wanted || !samples) {
        sl_free(wanted);
        sl_free(samples);
        return sl_fail_memory(err);
    }
    forget_request(f);
    for (size_t i = 0; i < count; i++) {
        wanted[i] = (uint32_t)indexes[i];
    }
    qsort(wanted, count, sizeof *wanted, by_number);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || wanted[i] != wanted[i - 1]) {
            samples[n] = f->index.shown[wanted[i]];
            wanted[n++] = wanted[i];
        }
    }
    f->wanted = wanted;
    f->wanted_count = n;
    sl_frames_plan_begin(&f->plan, &f->index, &oracle, samples, n);
    return SL_OK;
}

/* ---- decoding ---------------------------------------------------------------------------- */

static enum sl_status need_decoder(struct sl_frames *f, struct sl_error *err)
{
    struct sl_decode_params params = {.log = f->log, .threads = f->threads};
    if (f->decoder) {
        return SL_OK;
    }
    f->config = 0;
    return sl_decode_open(&f->decoder, &f->track, &params, err);
}

/* The configuration that holds for a sample, where it is another than the decoder has. */
static enum sl_status set_config(struct sl_frames *f, size_t sample, struct sl_packet *p,
                                 struct sl_error *err)
{
    size_t config = 0;
    const uint8_t *data = f->track.config;
    size_t size = f->track.config_size;
    while (config < f->config_count && f->configs[config].sample <= sample) {
        config++;
    }
    if (config == f->config) {
        return SL_OK;
    }
    if (config > 0) {
        data = f->configs[config - 1].data;
        size = f->configs[config - 1].size;
    }
    f->config = config;
    if (size == 0) {
        return SL_OK;
    }
    p->config = sl_alloc(size);
    if (!p->config) {
        return sl_fail_memory(err);
    }
    memcpy(p->config, data, size);
    p->config_size = size;
    return SL_OK;
}

static bool is_wanted(const struct sl_frames *f, uint32_t sample)
{
    const struct sl_frames_sample *s = &f->index.samples[sample];
    return !(s->flags & SL_FRAMES_HIDDEN) && f->wanted_count > 0 &&
           bsearch(&s->shown, f->wanted, f->wanted_count, sizeof *f->wanted, by_number);
}

/* Times are numbers of samples: what comes out of the decoder then says which one it was, whatever
 * the container's times are like. */
static enum sl_status make_packet(struct sl_frames *f, const struct sl_frames_item *item,
                                  struct sl_packet **out, struct sl_error *err)
{
    const struct sl_frames_sample *s = &f->index.samples[item->sample];
    struct sl_packet *p = NULL;
    enum sl_status status = sl_packet_create(&p, err);
    if (!status) {
        p->pts = item->sample;
        p->flags = s->flags & SL_FRAMES_KEY ? SL_PACKET_KEY : 0;
        p->position = s->offset;
        status = set_config(f, item->sample, p, err);
    }
    if (!status && f->prefix) {
        status = sl_chain_add_buf(&p->payload, f->prefix, 0, f->prefix->size, err);
    }
    if (!status) {
        status = sl_chain_add_buf(&p->payload, item->buf, item->offset, s->size, err);
    }
    if (status) {
        sl_packet_unref(&p);
    }
    *out = p;
    return status;
}

static enum sl_status send_item(struct sl_frames *f, struct sl_error *err)
{
    struct sl_frames_item *item = &f->items[f->item_next];
    struct sl_frames_sample *s = &f->index.samples[item->sample];
    const uint8_t *data = item->buf->data + item->offset;
    struct sl_packet *p = NULL;
    struct sl_error why = {0};
    enum sl_status status;
    if (!(s->flags & SL_FRAMES_LOOKED)) {
        s->flags |= sl_frames_is_disposable(f, data, s->size) ? SL_FRAMES_DISPOSABLE : 0;
        s->flags |= SL_FRAMES_LOOKED;
    }
    if (s->flags & SL_FRAMES_DISPOSABLE && !is_wanted(f, item->sample)) {
        sl_buf_unref(&item->buf); /* only known now that it is here */
        f->item_next++;
        return SL_OK;
    }
    status = need_decoder(f, err);
    if (!status) {
        status = make_packet(f, item, &p, err);
    }
    if (status) {
        return status;
    }
    status = f->decoder->ops->send(f->decoder, p, &why);
    sl_packet_unref(&p);
    if (status == SL_EAGAIN) {
        return sl_fail(err, SL_EDATA, f->name, "the decoder takes no more and gives nothing");
    }
    f->started = true;
    f->stats.decoded++;
    sl_buf_unref(&item->buf);
    f->item_next++;
    if (status == SL_EDATA) { /* if anything is lost by it, that will show */
        sl_log_write(f->log, SL_LOG_INFO, "frames", "%s: sample %" PRIu32 ": %s", f->name,
                     item->sample, why.msg);
        status = SL_OK;
    } else if (status && err && err->status == SL_OK) {
        *err = why;
    }
    return status;
}

static enum sl_status drain(struct sl_frames *f, struct sl_error *err)
{
    enum sl_status status = f->decoder->ops->send(f->decoder, NULL, err);
    f->draining = true;
    return status;
}

static enum sl_status lost(struct sl_frames *f, struct sl_error *err)
{
    uint32_t sample = f->index.shown[f->wanted[f->given]];
    begin_anew(f);
    sl_frames_drop_items(f);
    f->planned = f->exhausted = false;
    if (sl_frames_plan_retry(&f->plan, sample)) {
        return SL_OK;
    }
    f->exhausted = true;
    return sl_fail_at(err, SL_EDATA, f->name, f->index.samples[sample].offset,
                      "picture %" PRIu32 " (sample %" PRIu32 ") is damaged: no decoder shows it",
                      f->wanted[f->given], sample);
}

/* A picture came out. SL_EAGAIN: not one that is to be handed out. */
static enum sl_status take(struct sl_frames *f, struct sl_frame **frame, struct sl_error *err)
{
    const struct sl_frames_sample *s;
    uint32_t next = f->wanted[f->given];
    enum sl_status status = SL_EAGAIN;
    if ((*frame)->pts >= 0 && (uint64_t)(*frame)->pts < f->index.count) {
        s = &f->index.samples[(*frame)->pts];
        if (!(s->flags & SL_FRAMES_HIDDEN) && s->shown == next) {
            f->frame = *frame;
            *frame = NULL;
            f->given++;
            f->stats.given++;
            return SL_OK;
        }
        if (!(s->flags & SL_FRAMES_HIDDEN) && s->shown > next) {
            status = lost(f, err);
            status = status ? status : SL_EAGAIN;
        }
    }
    sl_frame_unref(frame);
    return status;
}

/* SL_EAGAIN: to be fed. */
static enum sl_status receive(struct sl_frames *f, struct sl_error *err)
{
    enum sl_status status = SL_EAGAIN;
    while (status == SL_EAGAIN && f->started) {
        struct sl_frame *frame = NULL;
        status = f->decoder->ops->receive(f->decoder, &frame, err);
        if (status != SL_OK) {
            break;
        }
        status = take(f, &frame, err);
    }
    return status;
}

/* The next span, if there is one. */
static enum sl_status next_span(struct sl_frames *f, struct sl_error *err)
{
    enum sl_status status = sl_frames_plan_span(&f->plan, err);
    if (status == SL_EOF) {
        f->exhausted = true;
        return SL_OK;
    }
    f->planned = status == SL_OK;
    f->at = f->plan.first;
    f->fresh = f->plan.fresh;
    return status;
}

/* What is at hand begins anew: true where the decoder need not be told. */
static bool begins_by_itself(const struct sl_frames *f)
{
    const struct sl_frames_item *item = &f->items[f->item_next];
    return sl_frames_is_idr(f, item->buf->data + item->offset, f->index.samples[item->sample].size);
}

/* One step on the way to the decoder. */
static enum sl_status feed(struct sl_frames *f, struct sl_error *err)
{
    if (f->item_next < f->item_count) {
        if (f->fresh && f->started && !begins_by_itself(f)) {
            return drain(f, err);
        }
        f->fresh = false;
        return send_item(f, err);
    }
    if (f->planned && f->at < f->plan.end) {
        return sl_frames_fetch(f, err);
    }
    if (!f->exhausted) {
        return next_span(f, err);
    }
    return f->started ? drain(f, err) : lost(f, err);
}

enum sl_status sl_frames_advance(struct sl_frames *f, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    sl_frame_unref(&f->frame);
    while (!status) {
        if (f->given == f->wanted_count) {
            forget_request(f);
            return SL_EOF;
        }
        if (atomic_exchange(&f->stop, false)) {
            status = sl_fail(err, SL_ECANCELLED, f->name, "stopped on request");
            break;
        }
        status = SL_EAGAIN;
        if (f->started) {
            status = receive(f, err);
            if (status == SL_OK) {
                return SL_OK;
            }
        }
        if (status == SL_EOF) { /* drained */
            begin_anew(f);
            status = f->exhausted ? lost(f, err) : SL_OK;
        } else if (status == SL_EAGAIN) {
            status = feed(f, err);
        }
    }
    forget_request(f);
    return status;
}
