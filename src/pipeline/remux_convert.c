/* SPDX-License-Identifier: BSD-2-Clause */
/* Sound that is converted: decode, one straight line of samples (filter/sound.h), encode.
 *
 * Rate and channels are those of the first decoded frame: containers state the core's rate for
 * HE-AAC whose SBR is implicit, and for some codecs nothing at all. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/registry.h"
#include "filter/sound.h"
#include "pipeline/remux_run.h"

#define AAC_FRAME  1024
#define OPUS_FRAME 960
#define RUN_IN_MS  250 /* decoded before zero and thrown away: more than any codec's memory */

struct sl_remux_convert {
    struct sl_decoder *decoder;
    struct sl_sound *line;
    struct sl_coder *encoder;
    int64_t zero, end;     /* ticks of the source track; end may be INT64_MAX */
    struct sl_rational in; /* its timebase */
    int64_t damaged;       /* packets */
};

static const char *name_of(const struct sl_remux *r)
{
    return sl_window_name(r->window);
}

static uint64_t layout_of(int32_t channels)
{
    return channels == 1 ? 0x4 : channels == 2 ? 0x3 : 0x3f;
}

/* ISO/IEC 14496-3 table 1.18, as far as browsers play it. */
static int32_t rate_for(const struct sl_remux *r, int32_t rate)
{
    static const int32_t rates[] = {48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        if (rates[i] == rate && r->params.audio != SL_REMUX_AUDIO_OPUS) {
            return rate;
        }
    }
    return rate == 88200 && r->params.audio != SL_REMUX_AUDIO_OPUS ? 44100 : 48000;
}

static int32_t channels_for(const struct sl_remux *r, int32_t channels)
{
    int32_t most = (int32_t)r->params.channels;
    return channels < most ? (channels < 2 ? 1 : 2) : most;
}

static enum sl_status create(struct sl_remux *r, struct sl_remux_track *t, struct sl_error *err)
{
    const struct sl_track *from = &r->demuxer->tracks[t->source];
    struct sl_decode_params decode = {.log = r->log, .threads = 1};
    struct sl_rational start = r->params.start, length = r->params.duration;
    struct sl_error why = {0};
    struct sl_remux_convert *c = sl_alloc_zero(sizeof *c);
    if (!c) {
        return sl_fail_memory(err);
    }
    t->convert = c;
    c->in = from->timebase;
    c->zero = sl_rescale(r->zero, r->zero_base, c->in, SL_ROUND_NEAREST) +
              sl_rescale(start.num, sl_rational(1, start.den), c->in, SL_ROUND_NEAREST);
    c->end = length.num == 0
                 ? INT64_MAX
                 : c->zero + sl_rescale(length.num, sl_rational(1, length.den), c->in, SL_ROUND_UP);
    enum sl_status st = sl_decode_open(&c->decoder, from, &decode, &why);
    return st == SL_OK
               ? SL_OK
               : sl_fail(err, st, name_of(r), "track %zu (%s): %s; --audio none leaves it out",
                         t->source, from->codec_name, why.msg);
}

/* The first frame says what comes out. */
static enum sl_status open_line(struct sl_remux *r, struct sl_remux_track *t,
                                const struct sl_frame *first, struct sl_error *err)
{
    struct sl_remux_convert *c = t->convert;
    const struct sl_track *from = &r->demuxer->tracks[t->source];
    bool opus = r->params.audio == SL_REMUX_AUDIO_OPUS;
    int32_t rate = rate_for(r, first->sample_rate);
    int32_t channels = channels_for(r, first->channels);
    struct sl_sound_params line = {
        .timebase = c->in,
        .zero = c->zero,
        .sample_rate = rate,
        .channels = channels,
        .frame_samples = opus ? OPUS_FRAME : AAC_FRAME,
    };
    struct sl_encode_params encode = {
        .log = r->log,
        .timebase = {1, rate},
        .threads = 1,
        .bitrate = r->params.audio_bitrate * 1000,
        .sample_rate = rate,
        .channels = channels,
        .channel_layout = layout_of(channels),
    };
    enum sl_status st = sl_sound_create(&c->line, &line, err);
    if (st == SL_OK) {
        st = sl_encode_open(&c->encoder, opus ? SL_CODEC_OPUS : SL_CODEC_AAC, NULL, &encode, err);
    }
    if (st == SL_OK) {
        sl_track_clear(&t->out);
        st = sl_track_copy(&t->out, &c->encoder->track, err);
    }
    if (st != SL_OK) {
        return st;
    }
    (void)snprintf(t->out.language, sizeof t->out.language, "%s", from->language);
    (void)snprintf(t->out.title, sizeof t->out.title, "%s", from->title);
    t->out.is_default = from->is_default;
    t->out.is_forced = from->is_forced;
    t->zero = 0;
    t->base = sl_remux_ticks(r->params.decode_time, t->out.timebase);
    t->complete = true;
    return SL_OK;
}

/* Encodes one frame (NULL: drains) and hands on what comes out. */
static enum sl_status encode(struct sl_remux *r, struct sl_remux_track *t, struct sl_frame *frame,
                             struct sl_error *err)
{
    struct sl_coder *e = t->convert->encoder;
    for (;;) {
        enum sl_status st = e->ops->send(e, frame, err);
        bool sent = st == SL_OK;
        struct sl_packet *packet = NULL;
        if (st != SL_OK && st != SL_EAGAIN) {
            return st;
        }
        while ((st = e->ops->receive(e, &packet, err)) == SL_OK) {
            st = sl_remux_deliver(r, t, packet, err);
            if (st != SL_OK) {
                return st;
            }
        }
        if (st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return st;
        }
    }
}

/* Everything that the line has ready. */
static enum sl_status drain_line(struct sl_remux *r, struct sl_remux_track *t, struct sl_error *err)
{
    for (;;) {
        struct sl_frame *frame = NULL;
        enum sl_status st = sl_sound_receive(t->convert->line, &frame, err);
        if (st != SL_OK) {
            return st == SL_EAGAIN || st == SL_EOF ? SL_OK : st;
        }
        st = encode(r, t, frame, err);
        sl_frame_unref(&frame);
        if (st != SL_OK) {
            return st;
        }
    }
}

static enum sl_status take_frame(struct sl_remux *r, struct sl_remux_track *t,
                                 const struct sl_frame *frame, struct sl_error *err)
{
    enum sl_status st = t->convert->line ? SL_OK : open_line(r, t, frame, err);
    if (st != SL_OK) {
        return st;
    }
    while ((st = sl_sound_send(t->convert->line, frame, err)) == SL_EAGAIN) {
        st = drain_line(r, t, err);
        if (st != SL_OK) {
            return st;
        }
    }
    return st == SL_OK ? drain_line(r, t, err) : st;
}

/* Decodes one packet (NULL: drains). Damage is told once and passed over. */
static enum sl_status decode(struct sl_remux *r, struct sl_remux_track *t, struct sl_packet *packet,
                             struct sl_error *err)
{
    struct sl_remux_convert *c = t->convert;
    for (bool sent = false;;) {
        struct sl_error why = {0};
        enum sl_status st = SL_OK;
        if (!sent) {
            st = c->decoder->ops->send(c->decoder, packet, &why);
        }
        if (st == SL_EDATA && !r->params.strict) {
            sl_log_write(r->log, c->damaged++ == 0 ? SL_LOG_WARN : SL_LOG_DEBUG, "remux",
                         "%s: damaged sound: %s", name_of(r), why.msg);
            return SL_OK;
        }
        if (st != SL_OK && st != SL_EAGAIN) {
            return sl_fail(err, st, name_of(r), "sound: %s", why.msg);
        }
        sent = sent || st == SL_OK;
        struct sl_frame *frame = NULL;
        while ((st = c->decoder->ops->receive(c->decoder, &frame, err)) == SL_OK) {
            st = take_frame(r, t, frame, err);
            sl_frame_unref(&frame);
            if (st != SL_OK) {
                return st;
            }
        }
        if (st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return st;
        }
    }
}

static enum sl_status finish(struct sl_remux *r, struct sl_remux_track *t, struct sl_error *err)
{
    struct sl_remux_convert *c = t->convert;
    enum sl_status st = decode(r, t, NULL, err);
    if (st != SL_OK || !c->line) {
        return st;
    }
    int64_t end = -1;
    if (r->params.duration.num > 0) {
        end = sl_remux_ticks(r->params.duration, t->out.timebase);
        end = end < sl_sound_length(c->line) ? end : -1;
    }
    st = sl_sound_finish(c->line, end, err);
    if (st == SL_OK) {
        st = drain_line(r, t, err);
    }
    return st == SL_OK ? encode(r, t, NULL, err) : st;
}

enum sl_status sl_remux_convert_put(struct sl_remux *r, struct sl_remux_track *t,
                                    struct sl_packet *packet, struct sl_error *err)
{
    enum sl_status st = t->convert ? SL_OK : create(r, t, err);
    struct sl_remux_convert *c = t->convert;
    if (st == SL_OK && !packet) {
        return finish(r, t, err);
    }
    if (st == SL_OK && packet->pts != SL_NO_TIME) {
        int64_t run_in = sl_rescale(RUN_IN_MS, sl_rational(1, 1000), c->in, SL_ROUND_UP);
        if (packet->pts < c->zero - run_in) {
            goto out;
        }
        if (packet->pts >= c->end) {
            sl_packet_unref(&packet);
            return sl_remux_put_end(r, t, err);
        }
    }
    if (st == SL_OK) {
        st = decode(r, t, packet, err);
    }
out:
    sl_packet_unref(&packet);
    return st;
}

void sl_remux_convert_free(struct sl_remux_convert **convert)
{
    struct sl_remux_convert *c = *convert;
    if (!c) {
        return;
    }
    *convert = NULL;
    sl_decode_destroy(&c->decoder);
    sl_sound_destroy(&c->line);
    sl_encode_destroy(&c->encoder);
    sl_free(c);
}
