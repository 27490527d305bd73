/* SPDX-License-Identifier: BSD-2-Clause */
/* Text of one segment as WebVTT (RFC 8216bis 3.1.4): each cue that is shown in it, whole, so that
 * one that spans segments is in all of them. */
#include <inttypes.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/rational.h"
#include "mux/wvtt.h"
#include "pipeline/vod_run.h"

#define TEXT_MAX   (4u << 20) /* bytes of one segment */
#define TS_START   900000     /* what the TS muxer calls presentation time 0 (mux/ts.h) */
#define LONGEST_MS 10000      /* of a cue, sought before the segment: overlapping ones */

static void write_time(struct sl_writer *w, int64_t ms)
{
    sl_write_format(w, "%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, ms / 3600000,
                    ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static enum sl_status write_cue(struct sl_writer *w, enum sl_codec codec, const struct sl_packet *p,
                                int64_t start, int64_t end, struct sl_error *err)
{
    struct sl_writer text;
    sl_writer_init(&text, (size_t)SL_WVTT_TEXT_MAX * 8);
    enum sl_status st = sl_remux_text_read(codec, p, &text, err);
    if (st == SL_OK && text.size > 1) {
        sl_write_text(w, "\n");
        write_time(w, start);
        sl_write_text(w, " --> ");
        write_time(w, end);
        sl_write_text(w, "\n");
        sl_write_text(w, (const char *)text.data);
        sl_write_text(w, "\n");
    }
    sl_writer_clear(&text);
    return st;
}

static enum sl_status write_cues(struct vod_job *j, size_t track, int64_t from, int64_t to,
                                 struct sl_writer *w, struct sl_error *err)
{
    struct sl_vod *v = j->vod;
    const struct sl_rational ms = {1, 1000};
    struct sl_rational in = v->tracks[track].timebase;
    int64_t zero = sl_rescale(v->zero, v->zero_base, ms, SL_ROUND_NEAREST);
    enum sl_status st =
        sl_vod_seek(j, track, sl_rescale(from + zero - LONGEST_MS, ms, in, SL_ROUND_DOWN),
                    UINT64_C(1) << track, err);
    while (st == SL_OK) {
        struct sl_packet *p = NULL;
        bool done = false;
        st = sl_vod_read(j, &p, err);
        if (st == SL_OK && p->track == track && p->pts != SL_NO_TIME && p->duration > 0) {
            int64_t start = sl_rescale(p->pts, in, ms, SL_ROUND_NEAREST) - zero;
            int64_t end = sl_rescale(p->pts + p->duration, in, ms, SL_ROUND_NEAREST) - zero;
            done = start >= to;
            start = start < 0 ? 0 : start;
            if (!done && end > from && end > start) {
                st = write_cue(w, v->tracks[track].codec, p, start, end, err);
            }
        }
        sl_packet_unref(&p);
        if (done) {
            return st;
        }
    }
    return st == SL_EOF ? SL_OK : st;
}

enum sl_status sl_vod_text(struct vod_job *j, size_t track, int64_t from, int64_t to,
                           enum sl_vod_format format, struct sl_chain *out, struct sl_error *err)
{
    struct sl_writer w;
    sl_writer_init(&w, TEXT_MAX);
    /* RFC 8216bis 3.1.4: what LOCAL means on the clock of the media segments */
    sl_write_format(&w, "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:%d,LOCAL:00:00:00.000\n",
                    format == SL_VOD_TS ? TS_START : 0);
    enum sl_status st = write_cues(j, track, from, to, &w, err);
    if (st == SL_OK) {
        st = sl_writer_finish(&w, err);
    }
    if (st == SL_OK) {
        st = sl_chain_add_copy(out, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    return st;
}
