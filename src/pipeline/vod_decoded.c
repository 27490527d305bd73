/* SPDX-License-Identifier: BSD-2-Clause */
/* What a track of sound decodes to: rate, channels, how long its frames are and where they lie. Its
 * first frames tell, since containers do not (implicit SBR), and its last ones where it ends. */
#include "base/error.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/registry.h"
#include "filter/sound.h"
#include "media/track.h"
#include "pipeline/vod_run.h"

#define AAC_FRAME 1024
#define LOOK      8 /* frames decoded to know how long they are */

/* As sl_remux converts: ISO/IEC 14496-3 table 1.18, as far as browsers play it. */
static int32_t rate_for(int32_t rate)
{
    static const int32_t rates[] = {48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        if (rates[i] == rate) {
            return rate;
        }
    }
    return rate == 88200 ? 44100 : 48000;
}

struct look {
    struct sl_frame *frames[LOOK];
    size_t count;
    int64_t times[LOOK]; /* of packets */
    size_t time_count;
};

/* Takes frames out of the decoder; NULL packet: drains. */
static enum sl_status look_at(struct sl_decoder *d, struct sl_packet *p, struct look *look,
                              struct sl_error *err)
{
    struct sl_error why = {0};
    enum sl_status st = d->ops->send(d, p, &why);
    if (st == SL_EDATA) {
        return SL_OK;
    }
    if (st != SL_OK && st != SL_EAGAIN) {
        return sl_fail(err, st, why.where, "%s", why.msg);
    }
    while (look->count < LOOK) {
        struct sl_frame *f = NULL;
        st = d->ops->receive(d, &f, err);
        if (st != SL_OK) {
            return st == SL_EAGAIN || st == SL_EOF ? SL_OK : st;
        }
        if (f->samples > 0) {
            look->frames[look->count++] = f;
        } else {
            sl_frame_unref(&f);
        }
    }
    return SL_OK;
}

/* Length and place of frames. The first may be cut short at its beginning (priming), the last at
 * its end; the others tell. */
static void learn(struct sl_vod *v, size_t track, const struct look *look, struct vod_decoded *d)
{
    const struct sl_frame *first = look->frames[0];
    struct sl_rational in = v->tracks[track].timebase;
    int64_t frame = look->count > 2 ? look->frames[1]->samples : first->samples;
    for (size_t i = 1; i + 1 < look->count; i++) {
        frame = look->frames[i]->samples == frame ? frame : 0;
    }
    /* two lengths, of which the first ones may all have the same */
    if (v->tracks[track].codec == SL_CODEC_VORBIS) {
        frame = 0;
        d->counted =
            sl_vorbis_parse(v->tracks[track].config, v->tracks[track].config_size, &d->vorbis);
    }
    d->rate = first->sample_rate;
    d->out_rate = rate_for(first->sample_rate);
    d->out_channels = first->channels < 2 ? 1 : 2;
    d->grid = (struct vod_grid){
        .in = in,
        .out = {1, d->rate},
        .zero = sl_rescale(v->zero, v->zero_base, in, SL_ROUND_NEAREST),
        .frame = frame,
        .slack = SL_SOUND_JITTER(d->rate),
    };
    /* Where the line puts the last of them: the first may stand apart. */
    int64_t next = SL_NO_TIME;
    for (size_t i = 0; i < look->count; i++) {
        const struct sl_frame *f = look->frames[i];
        int64_t at = next;
        if (f->pts != SL_NO_TIME) {
            at = sl_rescale(f->pts - d->grid.zero, in, d->grid.out, SL_ROUND_NEAREST);
            at = next != SL_NO_TIME && at - next <= d->grid.slack && next - at <= d->grid.slack
                     ? next
                     : at;
        }
        next = at == SL_NO_TIME ? at : at + f->samples;
    }
    d->grid.origin = next == SL_NO_TIME ? 0 : next;
}

static enum sl_status look(struct vod_job *j, size_t track, struct vod_decoded *d,
                           struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    struct sl_decode_params params = {.log = v->log, .threads = 1};
    struct sl_decoder *decoder = NULL;
    struct look seen = {.count = 0};
    struct sl_rational in = v->tracks[track].timebase;
    int64_t zero = sl_rescale(v->zero, v->zero_base, in, SL_ROUND_NEAREST);
    int64_t early = zero - sl_rescale(VOD_DECODE_MS, sl_rational(1, 1000), in, SL_ROUND_UP);
    bool ended = false;
    enum sl_status st = sl_decode_open(&decoder, &v->tracks[track], &params, err);
    if (st == SL_OK) {
        st = sl_vod_seek(j, track, VOD_FIRST, UINT64_C(1) << track, err);
    }
    while (st == SL_OK && seen.count < LOOK && !ended) {
        struct sl_packet *p = NULL;
        st = sl_vod_read(j, &p, err);
        ended = st == SL_EOF;
        if (ended) {
            st = look_at(decoder, NULL, &seen, err);
        } else if (st == SL_OK && p->track == track && p->pts != SL_NO_TIME && p->pts >= early) {
            if (seen.time_count < LOOK) {
                seen.times[seen.time_count++] = p->pts;
            }
            st = look_at(decoder, p, &seen, err);
        }
        sl_packet_unref(&p);
    }
    if (st == SL_OK && seen.count == 0) {
        st = sl_fail(err, SL_EDATA, v->where, "track %zu: no sound could be decoded", track);
    }
    if (st == SL_OK) {
        learn(v, track, &seen, d);
        d->regular = true;
        for (size_t i = 1; i < seen.time_count; i++) { /* the first may stand apart */
            d->regular = d->regular && sl_vod_chain_regular(d, seen.times[i]);
        }
    }
    for (size_t i = 0; i < seen.count; i++) {
        sl_frame_unref(&seen.frames[i]);
    }
    sl_decode_destroy(&decoder);
    return st;
}

static enum sl_status learn_track(struct vod_job *j, void *arg, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    size_t track = *(size_t *)arg;
    struct vod_track *k = &v->known[track];
    struct vod_decoded *d = &k->decoded;
    struct sl_coder *encoder = NULL;
    int64_t line_end = SL_NO_TIME;
    enum sl_status st = look(j, track, d, err);
    if (st == SL_OK && d->counted) {
        st = sl_vod_mark_all(j, track, d, err);
        line_end = d->line_end;
        d->marking.state = st == SL_OK ? VOD_KNOWN : VOD_UNKNOWN;
    } else if (st == SL_OK && d->grid.frame > 0 && k->last != SL_NO_TIME) {
        st = sl_vod_chain_end(j, track, d, k->last, &line_end, err);
    }
    if (st == SL_OK) {
        st = sl_vod_open_aac(v, d, &encoder, err);
    }
    if (st == SL_OK) {
        sl_track_clear(&d->aac);
        st = sl_track_copy(&d->aac, &encoder->track, err);
    }
    sl_encode_destroy(&encoder);
    if (st != SL_OK) {
        return st;
    }
    /* Where the last frame ends; its samples that are cut off are counted at the container's rate.
     */
    int64_t length = d->grid.frame;
    if (length <= 0) {
        length = k->last_duration > 0
                     ? sl_rescale(k->last_duration, d->grid.in, d->grid.out, SL_ROUND_NEAREST)
                     : AAC_FRAME;
    }
    int32_t stated = v->tracks[track].sample_rate > 0 ? v->tracks[track].sample_rate : d->rate;
    int64_t cut = k->trim > 0 ? sl_muldiv(k->trim, d->rate, stated, SL_ROUND_NEAREST) : 0;
    length -= cut;
    int64_t end = k->last == SL_NO_TIME ? 0 : sl_vod_grid_place(&d->grid, k->last) + length;
    if (line_end != SL_NO_TIME) {
        end = line_end - (d->counted ? cut : d->grid.frame - length);
    }
    d->end = sl_muldiv(end, d->out_rate, d->rate, SL_ROUND_UP);
    return d->end > 0
               ? SL_OK
               : sl_fail(err, SL_EDATA, v->where, "track %zu has no sound after time zero", track);
}

enum sl_status sl_vod_need_decoded(struct sl_vod *v, size_t track, const struct sl_cancel *cancel,
                                   struct sl_error *err)
{
    return sl_vod_once(v, &v->known[track].decoding, learn_track, &track, cancel, err);
}
