/* SPDX-License-Identifier: BSD-2-Clause */
/* The sound's half of a ladder: decode, straighten, encode AAC; as a rendition of its own (fMP4) or
 * handed to every rung (TS). */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "decode/registry.h"
#include "encode/registry.h"
#include "media/track.h"
#include "mux/registry.h"
#include "pipeline/ladder_run.h"

static uint64_t layout_of(int64_t channels)
{
    return channels == 1 ? 0x4 : channels == 2 ? 0x3 : 0x3f;
}

static void drop_packet(void *item)
{
    struct sl_packet *packet = item;
    sl_packet_unref(&packet);
}

static const char *sound_name(const struct sl_ladder *l)
{
    return l->sound.separate ? l->params.audio : l->params.input;
}

enum sl_status sl_ladder_sound_prepare(struct sl_ladder *l, struct sl_error *err)
{
    struct sl_ladder_sound *s = &l->sound;
    struct sl_input *in = &l->input;
    s->ladder = l;
    if (l->params.no_audio) {
        return SL_OK;
    }
    if (l->params.audio[0]) {
        struct sl_demux_params params = {.log = l->log};
        enum sl_status st = sl_input_open(&s->input, l->params.audio, &params, err);
        if (st != SL_OK) {
            return st;
        }
        s->separate = true;
        in = &s->input;
    }
    enum sl_status st = sl_input_pick(in, SL_KIND_AUDIO, l->params.audio_track, &s->index, err);
    if (st != SL_OK) {
        return st;
    }
    if (s->index < 0) {
        return s->separate ? sl_fail(err, SL_EDATA, l->params.audio, "no sound track in this file")
                           : SL_OK;
    }
    s->present = true;
    sl_track_init(&s->track);
    if (s->separate && in->demuxer->ops->select) {
        in->demuxer->ops->select(in->demuxer, UINT64_C(1) << s->index);
    }
    return sl_track_copy(&s->track, &in->demuxer->tracks[s->index], err);
}

enum sl_status sl_ladder_sound_open(struct sl_ladder *l, int64_t zero, struct sl_rational timebase,
                                    struct sl_error *err)
{
    struct sl_ladder_sound *s = &l->sound;
    struct sl_error why = {0};
    /* A file of its own starts where it starts; sound of the source belongs to the picture. */
    s->zero = !s->separate ? sl_rescale(zero, timebase, s->track.timebase, SL_ROUND_NEAREST)
              : s->track.start != SL_NO_TIME ? s->track.start
                                             : 0;
    s->from = SL_NO_TIME;
    struct sl_decode_params decode = {.log = l->log, .threads = 1};
    enum sl_status st = sl_decode_open(&s->decoder, &s->track, &decode, &why);
    if (st != SL_OK) {
        return sl_fail(err, st, sound_name(l), "sound (%s): %s; --no-audio leaves it out",
                       s->track.codec_name, why.msg);
    }
    struct sl_encode_params encode = {
        .log = l->log,
        .timebase = {1, l->params.audio_rate},
        .threads = 1,
        .bitrate = l->params.audio_bitrate * 1000,
        .sample_rate = (int32_t)l->params.audio_rate,
        .channels = (int32_t)l->params.audio_channels,
        .channel_layout = layout_of(l->params.audio_channels),
    };
    st = sl_encode_open(&s->encoder, SL_CODEC_AAC, NULL, &encode, err);
    if (st == SL_OK) {
        st = sl_codec_string(&s->encoder->track, s->codec, err);
    }
    (void)snprintf(s->encoder->track.language, sizeof s->encoder->track.language, "%s",
                   s->track.language);
    return st;
}

enum sl_status sl_ladder_sound_begin(struct sl_ladder *l, struct sl_error *err)
{
    struct sl_ladder_sound *s = &l->sound;
    struct sl_rendition_resume resume;
    char *directory = NULL;
    struct sl_sound_params line = {
        .timebase = s->track.timebase,
        .zero = s->zero,
        .sample_rate = (int32_t)l->params.audio_rate,
        .channels = (int32_t)l->params.audio_channels,
        .frame_samples = SL_AAC_FRAME_SAMPLES,
        .first = s->first,
        .anchor = l->resume.sound,
    };
    enum sl_status st = sl_sound_create(&s->line, &line, err);
    s->encoded = s->first;
    if (st == SL_OK && !s->separate) {
        st = sl_queue_create(&s->inbox, SL_LADDER_SOUND_QUEUE, drop_packet, err);
    }
    if (st != SL_OK || l->params.format == SL_LADDER_TS) {
        return st;
    }
    directory = l->live ? sl_strdup("audio") : sl_format("%s/audio", l->params.output);
    if (!directory) {
        return sl_fail_memory(err);
    }
    struct sl_rendition_params params = {
        .directory = directory,
        .muxer = &sl_mux_fmp4,
        .tracks = {&s->encoder->track, NULL},
        .target = l->target,
        .log = l->log,
    };
    if (l->live) {
        st = sl_ladder_live_rendition(l, l->rung_count, &params, &resume, NULL, err);
    }
    if (st == SL_OK) {
        st = sl_rendition_open(&s->rendition, &params, err);
    }
    sl_free(directory);
    return st;
}

/* One coded frame into the rendition of its own. Consumes. */
static enum sl_status write_packet(struct sl_ladder_sound *s, struct sl_packet *packet,
                                   struct sl_error *err)
{
    enum sl_status st = sl_rendition_write(s->rendition, packet, err);
    if (st != SL_OK) {
        sl_packet_unref(&packet);
        return st;
    }
    return sl_ladder_listed(s->ladder, s->ladder->rung_count, sl_rendition_playlist(s->rendition),
                            err);
}

/* What was held back: the start of a segment, or (at the end) the rest of the one before. */
static enum sl_status release_held(struct sl_ladder_sound *s, bool cut, struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (cut) {
        s->held[0]->flags |= SL_PACKET_CUT;
        s->cuts++;
    }
    for (size_t i = 0; i < s->held_count; i++) {
        if (st == SL_OK) {
            st = write_packet(s, s->held[i], err);
        } else {
            sl_packet_unref(&s->held[i]);
        }
    }
    s->held_count = 0;
    return st;
}

/* One coded frame to where it belongs. Consumes.
 *
 * Sound is cut at the first coded frame at or after each nominal cut; the encoder's priming belongs
 * to the first segment. A cut is made only once SL_LADDER_SOUND_TAIL_MS of sound have followed it:
 * a last segment of one or two frames, where the picture has none, makes hls.js wait for ever. */
static enum sl_status deliver(struct sl_ladder_sound *s, struct sl_packet *packet,
                              struct sl_error *err)
{
    struct sl_ladder *l = s->ladder;
    int64_t rate = l->params.audio_rate;
    enum sl_status st = SL_OK;
    if (s->from != SL_NO_TIME && packet->pts < s->from) { /* the encoder's run-in */
        sl_packet_unref(&packet);
        return SL_OK;
    }
    if (!s->rendition) {
        packet->track = 1;
        for (size_t i = 0; i < l->rung_count && st == SL_OK; i++) {
            struct sl_rung *r = &l->rungs[i];
            if (r->sound_from == SL_NO_TIME || packet->pts >= r->sound_from) {
                st = sl_rung_push(r, NULL, packet, err);
            }
        }
        sl_packet_unref(&packet);
        return st;
    }
    packet->track = 0;
    struct sl_rational seg = l->params.segment;
    int64_t cut = sl_muldiv(s->cuts * seg.num, rate, seg.den, SL_ROUND_UP);
    if (s->cuts == 0) {
        packet->flags |= SL_PACKET_CUT;
        s->cuts++;
        return write_packet(s, packet, err);
    }
    if (s->held_count == 0 && packet->pts < cut) {
        return write_packet(s, packet, err);
    }
    s->held[s->held_count++] = packet;
    if (s->held_count == SL_LADDER_SOUND_HELD ||
        (int64_t)s->held_count * SL_AAC_FRAME_SAMPLES * 1000 >= SL_LADDER_SOUND_TAIL_MS * rate) {
        st = release_held(s, true, err);
    }
    return st;
}

/* Encodes one frame (NULL: drains) and delivers what comes out. */
static enum sl_status encode(struct sl_ladder_sound *s, struct sl_frame *frame,
                             struct sl_error *err)
{
    for (;;) {
        enum sl_status st = s->encoder->ops->send(s->encoder, frame, err);
        if (st != SL_OK && st != SL_EAGAIN) {
            return st;
        }
        bool sent = st == SL_OK;
        struct sl_packet *packet = NULL;
        while ((st = s->encoder->ops->receive(s->encoder, &packet, err)) == SL_OK) {
            st = deliver(s, packet, err);
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

static void told(struct sl_ladder_sound *s, bool ended)
{
    struct sl_ladder_shared *shared = &s->ladder->shared;
    pthread_mutex_lock(&shared->lock);
    shared->sound_samples = sl_sound_length(s->line);
    shared->sound_ended = ended;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

/* Separate sound is encoded no further than the picture has come, for the run ends with the shorter
 * of the two and what is published stays. It may decode ahead, which is how the picture learns that
 * there is more. SL_EOF: the end has been decided. */
static enum sl_status keep_pace(struct sl_ladder_sound *s)
{
    struct sl_ladder_shared *shared = &s->ladder->shared;
    int64_t length = sl_sound_length(s->line);
    enum sl_status st = SL_OK;
    told(s, false);
    pthread_mutex_lock(&shared->lock);
    while (shared->error.status == SL_OK && shared->end_samples < 0 &&
           length > shared->picture_samples &&
           s->encoded + SL_AAC_FRAME_SAMPLES > shared->picture_samples) {
        pthread_cond_wait(&shared->changed, &shared->lock);
    }
    if (shared->error.status != SL_OK) {
        st = SL_ECANCELLED;
    } else if (shared->end_samples >= 0) {
        st = SL_EOF;
    }
    pthread_mutex_unlock(&shared->lock);
    return st;
}

/* Encodes every frame that the line has ready. SL_OK: none are left for now; SL_EOF: for good. */
static enum sl_status drain_line(struct sl_ladder_sound *s, struct sl_error *err)
{
    for (;;) {
        struct sl_frame *frame = NULL;
        enum sl_status st = s->separate && !s->finished ? keep_pace(s) : SL_OK;
        if (st != SL_OK) {
            return st;
        }
        st = sl_sound_receive(s->line, &frame, err);
        if (st != SL_OK) {
            return st == SL_EAGAIN ? SL_OK : st;
        }
        s->encoded += SL_AAC_FRAME_SAMPLES;
        st = encode(s, frame, err);
        sl_frame_unref(&frame);
        if (st != SL_OK) {
            return st;
        }
    }
}

/* A later life of the run puts the sound where it is now. */
static void mark_place(struct sl_ladder_sound *s)
{
    struct sl_ladder *l = s->ladder;
    struct sl_sound_anchor mark;
    if (l->live && !s->separate && sl_sound_length(s->line) >= s->marked &&
        sl_sound_anchor(s->line, &mark)) {
        sl_live_note_sound(l->live, &mark);
        s->marked = sl_sound_length(s->line) + l->params.audio_rate;
    }
}

/* Decodes one packet (NULL: drains). Damage is reported once and passed over. */
static enum sl_status decode(struct sl_ladder_sound *s, struct sl_packet *packet,
                             struct sl_error *err)
{
    for (bool sent = false;;) {
        struct sl_error why = {0};
        enum sl_status st;
        if (!sent) {
            st = s->decoder->ops->send(s->decoder, packet, &why);
            if (st == SL_EDATA) {
                sl_log_write(s->ladder->log, SL_LOG_WARN, "ladder", "%s: damaged sound: %s",
                             sound_name(s->ladder), why.msg);
                return SL_OK;
            }
            if (st != SL_OK && st != SL_EAGAIN) {
                return sl_fail(err, st, sound_name(s->ladder), "sound: %s", why.msg);
            }
            sent = st == SL_OK;
        }
        struct sl_frame *frame = NULL;
        while ((st = s->decoder->ops->receive(s->decoder, &frame, err)) == SL_OK) {
            while ((st = sl_sound_send(s->line, frame, err)) == SL_EAGAIN) {
                st = drain_line(s, err);
                if (st != SL_OK) {
                    break;
                }
            }
            sl_frame_unref(&frame);
            if (st == SL_OK) {
                mark_place(s);
                st = drain_line(s, err);
            }
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

/* Next packet of the sound track. */
static enum sl_status next_packet(struct sl_ladder_sound *s, struct sl_packet **out,
                                  struct sl_error *err)
{
    if (!s->separate) {
        void *item = NULL;
        enum sl_status st = sl_queue_pop(s->inbox, &item);
        *out = item;
        return st;
    }
    for (;;) {
        enum sl_status st = sl_input_read(&s->input, out, err);
        if (st != SL_OK || (*out)->track == (uint32_t)s->index) {
            return st;
        }
        sl_packet_unref(out);
    }
}

static enum sl_status wait_for_end(struct sl_ladder_sound *s, int64_t *end)
{
    struct sl_ladder_shared *shared = &s->ladder->shared;
    pthread_mutex_lock(&shared->lock);
    while (shared->error.status == SL_OK && shared->end_samples < 0) {
        pthread_cond_wait(&shared->changed, &shared->lock);
    }
    *end = shared->end_samples;
    enum sl_status st = shared->error.status != SL_OK ? SL_ECANCELLED : SL_OK;
    pthread_mutex_unlock(&shared->lock);
    return st;
}

static enum sl_status run(struct sl_ladder_sound *s, struct sl_error *err)
{
    struct sl_ladder *l = s->ladder;
    enum sl_status st = SL_OK;
    while (st == SL_OK) {
        struct sl_packet *packet = NULL;
        st = next_packet(s, &packet, err);
        if (st == SL_OK) {
            st = decode(s, packet, err);
            sl_packet_unref(&packet);
            told(s, false);
        }
    }
    if (st != SL_EOF) {
        return st;
    }
    /* SL_EOF here: the end was decided while the decoder still had something. */
    st = decode(s, NULL, err);
    if (st != SL_OK && st != SL_EOF) {
        return st;
    }
    told(s, true);
    st = wait_for_end(s, &s->end);
    s->finished = true;
    if (st == SL_OK) {
        st = sl_sound_finish(s->line, s->end, err);
    }
    if (st == SL_OK) {
        st = drain_line(s, err);
    }
    if (st != SL_EOF) {
        return st;
    }
    if (s->encoded > s->first) {
        st = encode(s, NULL, err);
    } else {
        st = SL_OK; /* an earlier life of the run has come as far */
    }
    if (st == SL_OK) {
        st = release_held(s, false, err);
    }
    if (st == SL_OK && s->rendition) {
        st = sl_rendition_finish(s->rendition, s->end, err);
        return st != SL_OK
                   ? st
                   : sl_ladder_listed(l, l->rung_count, sl_rendition_playlist(s->rendition), err);
    }
    for (size_t i = 0; st == SL_OK && i < l->rung_count; i++) {
        st = sl_rung_push(&l->rungs[i], NULL, NULL, err);
    }
    return st;
}

static void *sound_thread(void *sound)
{
    struct sl_ladder_sound *s = sound;
    struct sl_error err = {0};
    enum sl_status st = run(s, &err);
    if (st != SL_OK && st != SL_ECANCELLED) {
        (void)sl_fail(&err, st, sound_name(s->ladder), "the sound could not be made");
        sl_ladder_fail(s->ladder, &err);
    }
    return NULL;
}

enum sl_status sl_ladder_sound_start(struct sl_ladder *l, struct sl_error *err)
{
    struct sl_ladder_sound *s = &l->sound;
    enum sl_status st = sl_ladder_thread(&s->thread, sound_thread, s, err);
    s->started = st == SL_OK;
    while (st == SL_OK && s->preroll_count > 0) {
        struct sl_packet *packet = s->preroll[s->preroll_first];
        s->preroll_first = (s->preroll_first + 1) % SL_LADDER_PREROLL;
        s->preroll_count--;
        st = sl_ladder_sound_put(l, packet, err);
    }
    return st;
}

enum sl_status sl_ladder_sound_put(struct sl_ladder *l, struct sl_packet *packet,
                                   struct sl_error *err)
{
    struct sl_ladder_sound *s = &l->sound;
    if (s->started) {
        enum sl_status st = sl_queue_push(s->inbox, packet);
        if (st != SL_OK) {
            sl_packet_unref(&packet);
        }
        return st;
    }
    if (!s->preroll) {
        s->preroll = sl_alloc_array(SL_LADDER_PREROLL, sizeof(struct sl_packet *));
        if (!s->preroll) {
            sl_packet_unref(&packet);
            return sl_fail_memory(err);
        }
    }
    if (s->preroll_count == SL_LADDER_PREROLL) {
        /* Minutes of sound and still no picture: the oldest lies before it and is not heard. */
        sl_packet_unref(&s->preroll[s->preroll_first]);
        s->preroll_first = (s->preroll_first + 1) % SL_LADDER_PREROLL;
        s->preroll_count--;
    }
    s->preroll[(s->preroll_first + s->preroll_count++) % SL_LADDER_PREROLL] = packet;
    return SL_OK;
}

enum sl_status sl_ladder_sound_reach(struct sl_ladder *l, int64_t t, bool *over,
                                     struct sl_error *err)
{
    struct sl_ladder_shared *shared = &l->shared;
    int64_t at = sl_rescale(t, l->clock.out, sl_rational(1, l->params.audio_rate), SL_ROUND_UP);
    (void)err;
    pthread_mutex_lock(&shared->lock);
    shared->picture_samples = at;
    pthread_cond_broadcast(&shared->changed);
    while (shared->error.status == SL_OK && !shared->sound_ended && shared->sound_samples <= at) {
        pthread_cond_wait(&shared->changed, &shared->lock);
    }
    *over = shared->sound_ended && shared->sound_samples <= at;
    enum sl_status st = shared->error.status != SL_OK ? SL_ECANCELLED : SL_OK;
    pthread_mutex_unlock(&shared->lock);
    return st;
}

void sl_ladder_sound_close(struct sl_ladder *l)
{
    struct sl_ladder_sound *s = &l->sound;
    while (s->preroll_count > 0) {
        sl_packet_unref(&s->preroll[s->preroll_first]);
        s->preroll_first = (s->preroll_first + 1) % SL_LADDER_PREROLL;
        s->preroll_count--;
    }
    sl_free(s->preroll);
    s->preroll = NULL;
    while (s->held_count > 0) {
        sl_packet_unref(&s->held[--s->held_count]);
    }
    sl_rendition_destroy(&s->rendition);
    sl_encode_destroy(&s->encoder);
    sl_sound_destroy(&s->line);
    sl_decode_destroy(&s->decoder);
    sl_queue_destroy(&s->inbox);
    sl_input_close(&s->input);
    if (s->present) {
        sl_track_clear(&s->track);
    }
}
