/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/remux_sound.h"

#include <string.h>

#include "base/bits.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/aac.h"

#define OPUS_RATE 48000 /* RFC 7845 3: whatever the original was */

static int64_t aac_samples(const struct sl_track *track)
{
    struct sl_aac_config config;
    if (track->config_size > 0 &&
        sl_aac_parse_config(track->config, track->config_size, &config, NULL) == SL_OK) {
        /* SBR doubles both, and the timebase is that of the track's rate. */
        bool doubled = config.sbr && config.output_rate == (uint32_t)track->sample_rate &&
                       config.output_rate == 2 * config.sample_rate;
        return (int64_t)config.frame_samples * (doubled ? 2 : 1);
    }
    return 1024;
}

/* ETSI TS 102 366 E.1.2.2: bsi of an E-AC-3 frame; fscod 3 is half a rate, always six blocks. */
static int64_t eac3_samples(const uint8_t *head, size_t size)
{
    static const uint8_t blocks[4] = {1, 2, 3, 6};
    struct sl_bit_reader b;
    sl_bits_init(&b, head, size);
    sl_bits_skip(&b, 16 + 2 + 3 + 11);
    uint32_t fscod = sl_bits_read(&b, 2);
    uint32_t code = sl_bits_read(&b, 2);
    return b.overrun ? 0 : 256 * (fscod == 3 ? 6 : blocks[code]);
}

/* ISO/IEC 11172-3 2.4.2.1, 13818-3: layer III has 1152 samples in MPEG-1, 576 below. */
static int64_t mp3_samples(const struct sl_track *track)
{
    return track->sample_rate >= 32000 ? 1152 : 576;
}

/* https://www.rfc-editor.org/rfc/rfc9639 8.2: equal smallest and largest block. */
static int64_t flac_samples(const struct sl_track *track)
{
    const uint8_t *c = track->config;
    size_t at = 0;
    if (track->config_size >= 8 && memcmp(c, "fLaC", 4) == 0) {
        at = 8;
    } else if (track->config_size == 38) { /* the block with its own header */
        at = 4;
    }
    if (track->config_size < at + 4) {
        return 0;
    }
    int64_t low = c[at] << 8 | c[at + 1], high = c[at + 2] << 8 | c[at + 3];
    return low == high ? low : 0;
}

/* RFC 6716 3.1: the TOC byte and, for code 3, the count after it. */
static int64_t opus_samples(const struct sl_chain *payload)
{
    static const uint16_t silk[4] = {480, 960, 1920, 2880};
    uint8_t head[2] = {0, 0};
    size_t n = payload->size < 2 ? (size_t)payload->size : 2;
    if (n == 0 || sl_chain_read(payload, 0, head, n, NULL) != SL_OK) {
        return 0;
    }
    unsigned config = head[0] >> 3, code = head[0] & 3u;
    int64_t frame = config < 12   ? silk[config & 3]
                    : config < 16 ? 480 << (config & 1)
                                  : 120 << (config & 3);
    return frame * (code == 0 ? 1 : code < 3 ? 2 : head[1] & 63);
}

int64_t sl_remux_frame_samples(const struct sl_track *track, const struct sl_chain *first)
{
    uint8_t head[8] = {0};
    size_t n = first && first->size < (int64_t)sizeof head ? (size_t)first->size : sizeof head;
    switch (track->codec) {
    case SL_CODEC_AAC:
        return aac_samples(track);
    case SL_CODEC_AC3:
        return 1536;
    case SL_CODEC_EAC3:
        return first && sl_chain_read(first, 0, head, n, NULL) == SL_OK ? eac3_samples(head, n) : 0;
    case SL_CODEC_MP3:
        return mp3_samples(track);
    case SL_CODEC_MP2:
        return 1152;
    case SL_CODEC_FLAC:
        return flac_samples(track);
    default:
        return 0;
    }
}

int64_t sl_remux_preroll(const struct sl_track *track)
{
    int64_t frame = sl_remux_frame_samples(track, NULL);
    if (track->seek_preroll > 0) {
        return track->seek_preroll;
    }
    if (track->codec == SL_CODEC_OPUS) {
        return OPUS_RATE * 80 / 1000; /* RFC 7845 4.6 */
    }
    /* A reservoir of up to 511 bytes may reach several frames back. */
    return frame * (track->codec == SL_CODEC_MP3 ? 4 : 1);
}

enum sl_status sl_remux_sound_init(struct sl_remux_sound *s, const struct sl_track *track,
                                   const struct sl_chain *first, struct sl_error *err)
{
    memset(s, 0, sizeof *s);
    s->codec = track->codec;
    s->next = SL_NO_TIME;
    s->in = sl_rational_reduce(track->timebase);
    int32_t rate = track->codec == SL_CODEC_OPUS ? OPUS_RATE : track->sample_rate;
    if (rate < 1) {
        return sl_fail(err, SL_EDATA, NULL, "sound track %lld states no sample rate",
                       (long long)track->id);
    }
    s->out = sl_rational(1, rate);
    s->frame = sl_remux_frame_samples(track, first);
    /* As fine as a sample: then durations come from tables, and a last frame may be short. */
    s->stated = sl_rational_compare(s->in, s->out) <= 0;
    s->delay = track->delay;
    int64_t half = sl_muldiv(s->in.num * rate, 1, 2 * s->in.den, SL_ROUND_DOWN);
    s->slack = half > 1 ? half : 1;
    return SL_OK;
}

static int64_t place(const struct sl_remux_sound *s, const struct sl_packet *p)
{
    return sl_rescale(p->pts, s->in, s->out, SL_ROUND_NEAREST);
}

/* Samples of this packet as the codec or the container has it; 0: only the next one's time tells.
 */
static int64_t samples(const struct sl_remux_sound *s, const struct sl_packet *p)
{
    if (s->stated && p->duration != SL_NO_TIME && p->duration > 0) {
        int64_t n = sl_rescale(p->duration, s->in, s->out, SL_ROUND_NEAREST);
        if (n > 0 && (s->frame == 0 || n < s->frame - s->slack || n > s->frame + s->slack)) {
            return n;
        }
    }
    if (s->codec == SL_CODEC_OPUS) {
        return opus_samples(&p->payload);
    }
    return s->frame;
}

/* Where the first frame goes so that as many as possible of those after it need not be moved. */
static int64_t origin(const struct sl_remux_sound *s)
{
    const struct sl_packet *first = s->ahead[s->ahead_first];
    int64_t start = place(s, first), low = start - s->slack, high = start + s->slack;
    int64_t offset = 0;
    for (size_t i = 0; i + 1 < s->ahead_count; i++) {
        const struct sl_packet *p = s->ahead[(s->ahead_first + i) % SL_REMUX_SOUND_AHEAD];
        const struct sl_packet *next = s->ahead[(s->ahead_first + i + 1) % SL_REMUX_SOUND_AHEAD];
        int64_t n = samples(s, p);
        if (n == 0 || next->pts == SL_NO_TIME) {
            break;
        }
        offset += n;
        int64_t at = place(s, next) - offset;
        if (at + s->slack < low || at - s->slack > high) {
            break;
        }
        low = at - s->slack > low ? at - s->slack : low;
        high = at + s->slack < high ? at + s->slack : high;
    }
    /* The priming of a stream from its very beginning is known to the sample. */
    if (s->delay > 0 && -s->delay >= low && -s->delay <= high) {
        return -s->delay;
    }
    return start < low ? low : start > high ? high : start;
}

void sl_remux_sound_push(struct sl_remux_sound *s, struct sl_packet *packet)
{
    s->ahead[(s->ahead_first + s->ahead_count++) % SL_REMUX_SOUND_AHEAD] = packet;
}

void sl_remux_sound_end(struct sl_remux_sound *s)
{
    s->ended = true;
}

/* pts in samples; false: it lies wholly within what came before. */
static bool put(struct sl_remux_sound *s, struct sl_packet *p)
{
    int64_t length = samples(s, p);
    if (s->next == SL_NO_TIME) {
        p->pts = p->pts == SL_NO_TIME ? 0 : origin(s);
    } else if (p->pts == SL_NO_TIME) {
        p->pts = s->next;
    } else {
        int64_t t = place(s, p);
        p->pts = s->next < t - s->slack   ? t - s->slack
                 : s->next > t + s->slack ? t + s->slack
                                          : s->next;
        /* Nothing tells how long the one before was. */
        if (s->held && s->length == 0) {
            p->pts = t;
        }
    }
    if (s->held && p->pts <= s->held->pts) {
        s->dropped++;
        return false;
    }
    p->dts = p->pts;
    if (length == 0 && p->duration != SL_NO_TIME && p->duration > 0 && s->ended) {
        length = sl_rescale(p->duration, s->in, s->out, SL_ROUND_NEAREST);
    }
    s->length = length;
    s->next = p->pts + length;
    return true;
}

struct sl_packet *sl_remux_sound_pop(struct sl_remux_sound *s)
{
    for (;;) {
        struct sl_packet *done = NULL;
        if (s->next == SL_NO_TIME && s->ahead_count < SL_REMUX_SOUND_AHEAD && !s->ended) {
            return NULL;
        }
        if (s->ahead_count == 0) {
            done = s->ended ? s->held : NULL;
            if (done) {
                int64_t length = s->length - (done->trim_end > 0 ? done->trim_end : 0);
                done->duration = length > 0 ? length : 1;
                s->held = NULL;
            }
            return done;
        }
        struct sl_packet *p = s->ahead[s->ahead_first];
        int64_t before = s->length;
        if (!put(s, p)) {
            s->length = before;
            sl_packet_unref(&p);
        } else {
            done = s->held;
            s->held = p;
            if (done) {
                done->duration = p->pts - done->pts;
            }
        }
        s->ahead_first = (s->ahead_first + 1) % SL_REMUX_SOUND_AHEAD;
        s->ahead_count--;
        if (done) {
            return done;
        }
    }
}

void sl_remux_sound_clear(struct sl_remux_sound *s)
{
    sl_packet_unref(&s->held);
    while (s->ahead_count > 0) {
        sl_packet_unref(&s->ahead[s->ahead_first]);
        s->ahead_first = (s->ahead_first + 1) % SL_REMUX_SOUND_AHEAD;
        s->ahead_count--;
    }
}
