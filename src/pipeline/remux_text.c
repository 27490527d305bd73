/* SPDX-License-Identifier: BSD-2-Clause */
/* Text subtitles become cues of a "wvtt" track (mux/wvtt.h). They are few and far between, so
 * nobody waits for them: whatever has come when a fragment ends is in it. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "mux/wvtt.h"
#include "pipeline/remux_run.h"

#define ASS_FIELDS 8 /* in front of the text, as Matroska has it: ReadOrder, Layer, Style … */

struct sl_remux_text {
    struct sl_wvtt *cues;
    int64_t last; /* end of the cue that ends last, output ticks */
};

bool sl_remux_is_text(enum sl_codec codec)
{
    return codec == SL_CODEC_SRT || codec == SL_CODEC_ASS || codec == SL_CODEC_WEBVTT ||
           codec == SL_CODEC_MOV_TEXT;
}

enum sl_status sl_remux_text_open(struct sl_remux *r, struct sl_remux_track *t,
                                  struct sl_error *err)
{
    const struct sl_track *from = &r->demuxer->tracks[t->source];
    sl_track_clear(&t->out);
    t->out.kind = SL_KIND_SUBTITLE;
    t->out.codec = SL_CODEC_WEBVTT;
    (void)snprintf(t->out.codec_name, sizeof t->out.codec_name, "%s", "webvtt");
    (void)snprintf(t->out.language, sizeof t->out.language, "%s", from->language);
    (void)snprintf(t->out.title, sizeof t->out.title, "%s", from->title);
    t->out.is_default = from->is_default;
    t->out.is_forced = from->is_forced;
    t->out.timebase = sl_rational(1, 1000);
    t->base = t->start = sl_remux_ticks(r->params.decode_time, t->out.timebase);
    t->out.decode_delay = 0;
    t->begun = t->complete = true;
    t->text = sl_alloc_zero(sizeof *t->text);
    if (!t->text) {
        return sl_fail_memory(err);
    }
    t->text->last = t->start;
    return sl_wvtt_create(&t->text->cues, t->start, err);
}

/* ---- what stands in a packet --------------------------------------------------------------- */

static bool is_tag(const char *s, const char *name)
{
    size_t n = strlen(name);
    s += *s == '/';
    return strncasecmp(s, name, n) == 0 && (s[n] == '>' || s[n] == '\0');
}

/* SubRip has HTML's tags. WebVTT knows three of them; an ampersand or an angle that is none of
 * either is escaped (WebVTT 4.2.2). */
static void write_srt(const char *s, struct sl_writer *w)
{
    for (; *s; s++) {
        const char *end = *s == '<' ? strchr(s, '>') : NULL;
        if (end && (is_tag(s + 1, "b") || is_tag(s + 1, "i") || is_tag(s + 1, "u"))) {
            sl_write_bytes(w, s, (size_t)(end - s) + 1);
            s = end;
        } else if (end && (is_tag(s + 1, "font") || strncasecmp(s + 1, "font ", 5) == 0)) {
            s = end;
        } else if (*s == '{' && s[1] == '\\' && strchr(s, '}')) { /* ASS overrides seep in */
            s = strchr(s, '}');
        } else if (*s == '&') {
            sl_write_text(w, "&amp;");
        } else if (*s == '<') {
            sl_write_text(w, "&lt;");
        } else if (*s == '>') {
            sl_write_text(w, "&gt;");
        } else if (*s != '\r') {
            sl_write_u8(w, (unsigned char)*s);
        }
    }
}

static void write_ass(const char *s, struct sl_writer *w)
{
    for (int field = 0; field < ASS_FIELDS && s; field++) {
        s = strchr(s, ',');
        s = s ? s + 1 : NULL;
    }
    for (; s && *s; s++) {
        if (*s == '{' && strchr(s, '}')) {
            s = strchr(s, '}');
        } else if (*s == '\\' && (s[1] == 'N' || s[1] == 'n')) {
            sl_write_u8(w, '\n');
            s++;
        } else if (*s == '\\' && s[1] == 'h') {
            sl_write_text(w, "\xc2\xa0");
            s++;
        } else if (*s == '&') {
            sl_write_text(w, "&amp;");
        } else if (*s == '<') {
            sl_write_text(w, "&lt;");
        } else if (*s != '\r') {
            sl_write_u8(w, (unsigned char)*s);
        }
    }
}

/* Empty lines would end the cue; trailing ones are common. */
static void tidy(struct sl_writer *w)
{
    size_t to = 0;
    for (size_t i = 0; i < w->size; i++) {
        if (w->data[i] != '\n' || (to > 0 && w->data[to - 1] != '\n')) {
            w->data[to++] = w->data[i];
        }
    }
    while (to > 0 && w->data[to - 1] == '\n') {
        to--;
    }
    w->size = to;
}

enum sl_status sl_remux_text_read(enum sl_codec codec, const struct sl_packet *p,
                                  struct sl_writer *w, struct sl_error *err)
{
    struct sl_buf *buf = NULL;
    enum sl_status st =
        p->payload.size > SL_WVTT_TEXT_MAX
            ? sl_fail(err, SL_EDATA, NULL, "a subtitle of %lld bytes", (long long)p->payload.size)
            : sl_chain_load(&p->payload, &buf, err);
    char *text = st == SL_OK ? sl_format("%.*s", (int)buf->size, (const char *)buf->data) : NULL;
    if (st == SL_OK && codec == SL_CODEC_MOV_TEXT) { /* 3GPP TS 26.245 5.17: a length, then text */
        size_t n = buf->size >= 2 ? (size_t)buf->data[0] << 8 | buf->data[1] : 0;
        n = n > buf->size - (buf->size >= 2 ? 2 : buf->size) ? 0 : n;
        sl_free(text);
        text = sl_format("%.*s", (int)n, n > 0 ? (const char *)buf->data + 2 : "");
    }
    sl_buf_unref(&buf);
    if (st != SL_OK || !text) {
        sl_free(text);
        return st != SL_OK ? st : sl_fail_memory(err);
    }
    if (codec == SL_CODEC_ASS) {
        write_ass(text, w);
    } else if (codec == SL_CODEC_WEBVTT) {
        sl_write_text(w, text);
    } else {
        write_srt(text, w);
    }
    sl_free(text);
    tidy(w);
    sl_write_u8(w, 0);
    return sl_writer_finish(w, err);
}

/* ---- cues ---------------------------------------------------------------------------------- */

enum sl_status sl_remux_text_put(struct sl_remux *r, struct sl_remux_track *t, struct sl_packet *p,
                                 struct sl_error *err)
{
    const struct sl_track *from = &r->demuxer->tracks[t->source];
    struct sl_rational start = r->params.start, tb = t->out.timebase;
    struct sl_wvtt_cue cue = {.start = 0};
    struct sl_writer w;
    enum sl_status st = SL_OK;
    sl_writer_init(&w, (size_t)SL_WVTT_TEXT_MAX * 8);
    if (p->pts == SL_NO_TIME || p->duration == SL_NO_TIME || p->duration <= 0) {
        goto out;
    }
    /* Exact in the source's ticks first: where these are milliseconds, nothing is rounded twice. */
    int64_t zero = sl_rescale(r->zero, r->zero_base, tb, SL_ROUND_NEAREST) +
                   sl_remux_ticks(start, tb) - t->base;
    cue.start = sl_rescale(p->pts, from->timebase, tb, SL_ROUND_NEAREST) - zero;
    cue.end = sl_rescale(p->pts + p->duration, from->timebase, tb, SL_ROUND_NEAREST) - zero;
    if (r->params.duration.num > 0) {
        int64_t end = t->base + sl_remux_ticks(r->params.duration, tb);
        cue.end = cue.end < end ? cue.end : end;
    }
    if (cue.end <= cue.start || cue.end <= t->start) {
        goto out;
    }
    st = sl_remux_text_read(from->codec, p, &w, err);
    if (st == SL_OK && w.size > 1) {
        cue.text = (const char *)w.data;
        st = sl_wvtt_add(t->text->cues, &cue, err);
        t->text->last = cue.end > t->text->last ? cue.end : t->text->last;
    }
out:
    sl_writer_clear(&w);
    sl_packet_unref(&p);
    return st;
}

enum sl_status sl_remux_text_cut(struct sl_remux *r, struct sl_remux_track *t, int64_t until,
                                 struct sl_error *err)
{
    enum sl_status st = SL_OK;
    while (st == SL_OK) {
        struct sl_packet *p = NULL;
        st = sl_wvtt_take(t->text->cues, until, true, &p, err);
        if (st == SL_OK) {
            p->track = t->index;
            st = r->muxer->ops->write(r->muxer, p, err);
            if (st != SL_OK) {
                sl_packet_unref(&p);
                return st == SL_EAGAIN ? sl_fail(err, SL_EDATA, NULL, "the muxer took no text")
                                       : st;
            }
        }
    }
    return st == SL_EAGAIN ? SL_OK : st;
}

int64_t sl_remux_text_end(const struct sl_remux_track *t)
{
    return t->text->last;
}

void sl_remux_text_free(struct sl_remux_text **text)
{
    if (*text) {
        sl_wvtt_destroy(&(*text)->cues);
        sl_free(*text);
        *text = NULL;
    }
}
