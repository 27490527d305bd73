/* SPDX-License-Identifier: BSD-2-Clause */
/* What BANDWIDTH and AVERAGE-BANDWIDTH say: no run of segments may take more (RFC 8216bis 4.4.6.2),
 * so what the format puts around pictures and sound is counted too. */
#include "base/error.h"
#include "base/rational.h"
#include "package/playlist.h"
#include "pipeline/vod_run.h"

#define AAC_FRAME  1024
#define AAC_RATE   160000 /* where the coder chooses: more than it takes for two channels */
#define SOUND_RATE 768000 /* of passed-through sound that nothing is known of */
#define PICTURES   60     /* a second, where the rate is not known */
#define SOUNDS     100    /* frames a second, the same */

/* Bytes around a sample: its row of trun, at most; or PES header, delimiter, clock and what fills
 * the last packet up, which is not always a whole one. Around a segment: styp and the boxes of
 * one fragment; or tables and parameter sets. */
#define ROW_PICTURE 16
#define ROW_SOUND   12
#define BOXES       256
#define PES_PICTURE 216
#define PES_PART    46
#define PES_SOUND   40 /* of frames in packets of 90 ms, each with an ADTS header of 7 */
#define TABLES      1024
#define TS_BYTES    188
#define TS_PAYLOAD  184

/* Rates of segments count where those are half a target long, and they are a target long in the
 * mean. */
static int64_t of_segments(const struct sl_vod *v, int64_t bytes)
{
    return sl_muldiv(bytes * 16, v->target.den, v->target.num, SL_ROUND_UP);
}

static int64_t picture_rate(const struct sl_vod_rendition *r)
{
    return r->frame_rate.num > 0 && r->frame_rate.den > 0
               ? sl_muldiv(1, r->frame_rate.num, r->frame_rate.den, SL_ROUND_UP)
               : PICTURES;
}

static int64_t sound_frames(const struct sl_vod *v, const struct sl_vod_rendition *r)
{
    const struct vod_grid *g = &v->known[r->track].grid;
    if (!r->copy) {
        return 48000 / AAC_FRAME + 1;
    }
    return g->frame > 0 && g->out.num > 0 && g->out.den > 0
               ? sl_muldiv(g->out.den, 1, g->frame * g->out.num, SL_ROUND_UP)
               : SOUNDS;
}

static void wrap(const struct sl_vod *v, struct vod_rates *x, enum sl_vod_format format,
                 int64_t samples, bool pictures)
{
    int64_t peak = x->peak, average = x->average;
    if (format == SL_VOD_FMP4) {
        int64_t rows = samples * 8 * (pictures ? ROW_PICTURE : ROW_SOUND);
        peak += rows + of_segments(v, BOXES);
        average += rows + of_segments(v, BOXES) / 2;
    } else {
        peak += samples * 8 * (pictures ? PES_PICTURE : PES_SOUND);
        average += samples * 8 * (pictures ? PES_PICTURE - PES_PART : PES_SOUND);
        peak = sl_muldiv(peak, TS_BYTES, TS_PAYLOAD, SL_ROUND_UP);
        average = sl_muldiv(average, TS_BYTES, TS_PAYLOAD, SL_ROUND_UP);
        peak += pictures ? of_segments(v, TABLES) : 0;
        average += pictures ? of_segments(v, TABLES) / 2 : 0;
    }
    x->wrapping = peak - x->peak;
    x->average = x->average > 0 ? average : 0;
    x->peak = peak;
}

/* The container's size over its length, where no index has sizes. */
static int64_t overall(const struct sl_vod *v)
{
    return v->size > 0 && v->info.duration > 0
               ? sl_muldiv(v->size, 8000000, v->info.duration, SL_ROUND_UP)
               : 0;
}

static enum sl_status source_rates(const struct sl_vod *v, const struct sl_vod_rendition *r,
                                   struct vod_rates *out, struct sl_error *err)
{
    struct sl_playlist p;
    enum sl_status st = SL_OK;
    /* Where groups are open, or an edit hides the first pictures, EXTINF is less than from cut to
     * cut; by how much is known to who looks at each cut, which is not worth it here. */
    int64_t picture = sl_rescale(1, sl_rational(1, picture_rate(r)), v->real.timebase, SL_ROUND_UP);
    sl_playlist_init(&p);
    p.timebase = v->real.timebase;
    p.target = sl_cuts_target(&v->real);
    for (size_t i = 0; i < v->real.count && st == SL_OK; i++) {
        int64_t bytes = v->bytes[i];
        /* What an index had behind the last picture. */
        for (size_t k = i + 1; i + 1 == v->real.count && k < v->cuts.count; k++) {
            bytes += v->bytes[k];
        }
        int64_t length = sl_cuts_end(&v->real, i) - v->real.at[i];
        length -= length > 2 * picture ? picture : 0;
        st = sl_playlist_add(&p, length, bytes, err);
    }
    *out = (struct vod_rates){.peak = sl_playlist_peak(&p),
                              .average = sl_playlist_average(&p),
                              .of_all = v->bytes_of_all};
    sl_playlist_clear(&p);
    if (st == SL_OK && out->average <= 0) {
        int64_t all = overall(v);
        *out = (struct vod_rates){.peak = 2 * all, .average = all, .of_all = true};
    }
    return st;
}

enum sl_status sl_vod_video_rates(const struct sl_vod *v, const struct sl_vod_rendition *r,
                                  enum sl_vod_format format, struct vod_rates *out,
                                  struct sl_error *err)
{
    enum sl_status st = SL_OK;
    if (r->copy) {
        st = source_rates(v, r, out, err);
    } else {
        /* The encoder keeps to maxrate over its buffer. */
        const struct vod_rung *rung = sl_vod_rung_of(v, r);
        *out =
            (struct vod_rates){.peak = rung->maxrate + rung->buffer / 4, .average = rung->bitrate};
    }
    if (st == SL_OK) {
        wrap(v, out, format, picture_rate(r), true);
    }
    return st;
}

struct vod_rates sl_vod_sound_rates(const struct sl_vod *v, const struct sl_vod_rendition *r,
                                    enum sl_vod_format format)
{
    int64_t rate = !r->copy ? v->audio_bitrate > 0 ? v->audio_bitrate : AAC_RATE
                   : v->known[r->track].bitrate > 0 ? v->known[r->track].bitrate
                                                    : SOUND_RATE;
    rate = sl_muldiv(rate, 11, 10, SL_ROUND_UP);
    struct vod_rates x = {.peak = rate, .average = rate};
    wrap(v, &x, format, sound_frames(v, r), false);
    return x;
}
