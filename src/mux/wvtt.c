/* SPDX-License-Identifier: BSD-2-Clause */
#include "mux/wvtt.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "mux/box.h"

#define SAMPLE_MAX (64u << 20)

struct cue {
    int64_t start, end;
    struct sl_buf *box; /* vttc, whole */
};

struct sl_wvtt {
    struct cue *cues; /* in the order in which they came */
    size_t count, capacity;
    int64_t position; /* the end of the last sample */
    uint32_t ids;
};

enum sl_status sl_wvtt_create(struct sl_wvtt **out, int64_t start, struct sl_error *err)
{
    *out = sl_alloc_zero(sizeof **out);
    if (!*out) {
        return sl_fail_memory(err);
    }
    (*out)->position = start;
    return SL_OK;
}

void sl_wvtt_destroy(struct sl_wvtt **wvtt)
{
    struct sl_wvtt *w = wvtt ? *wvtt : NULL;
    if (!w) {
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        sl_buf_unref(&w->cues[i].box);
    }
    sl_free(w->cues);
    sl_free(w);
    *wvtt = NULL;
}

static void write_text(struct sl_writer *w, const char *type, const char *text)
{
    size_t box;
    if (!text || !*text) {
        return;
    }
    box = sl_box_begin(w, type);
    sl_write_text(w, text);
    sl_box_end(w, box);
}

/* 7.4.2. A cue that goes on in the next sample is there once more with the same vsid. */
static enum sl_status make_box(const struct sl_wvtt_cue *cue, uint32_t id, struct sl_buf **out,
                               struct sl_error *err)
{
    struct sl_writer w;
    size_t vttc, box;
    enum sl_status status;
    sl_writer_init(&w, SL_WVTT_TEXT_MAX);
    vttc = sl_box_begin(&w, "vttc");
    box = sl_box_begin(&w, "vsid");
    sl_write_be32(&w, id);
    sl_box_end(&w, box);
    write_text(&w, "iden", cue->id);
    write_text(&w, "sttg", cue->settings);
    box = sl_box_begin(&w, "payl");
    sl_write_text(&w, cue->text);
    sl_box_end(&w, box);
    sl_box_end(&w, vttc);
    status = sl_writer_finish(&w, err);
    if (!status) {
        status = sl_buf_alloc(out, w.size, err);
    }
    if (!status) {
        memcpy((*out)->data, w.data, w.size);
    }
    sl_writer_clear(&w);
    return status;
}

enum sl_status sl_wvtt_add(struct sl_wvtt *w, const struct sl_wvtt_cue *cue, struct sl_error *err)
{
    struct cue own = {cue->start > w->position ? cue->start : w->position, cue->end, NULL};
    enum sl_status status;
    if (own.end <= own.start) {
        return SL_OK;
    }
    if (sl_grow(&w->cues, &w->capacity, w->count, sizeof *w->cues, SL_WVTT_CUES_MAX)) {
        return sl_fail(err, SL_ENOMEM, "wvtt", "no room for cue %zu at one time (at most %d)",
                       w->count, SL_WVTT_CUES_MAX);
    }
    status = make_box(cue, w->ids, &own.box, err);
    if (!status) {
        w->ids = (w->ids + 1) & INT32_MAX;
        w->cues[w->count++] = own;
    }
    return status;
}

static void drop_past(struct sl_wvtt *w)
{
    size_t kept = 0;
    for (size_t i = 0; i < w->count; i++) {
        if (w->cues[i].end > w->position) {
            w->cues[kept++] = w->cues[i];
        } else {
            sl_buf_unref(&w->cues[i].box);
        }
    }
    w->count = kept;
}

/* Where what is shown changes next. */
static int64_t next_change(const struct sl_wvtt *w)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < w->count; i++) {
        const struct cue *c = &w->cues[i];
        int64_t change = c->start > w->position ? c->start : c->end;
        next = change < next ? change : next;
    }
    return next;
}

static enum sl_status fill(const struct sl_wvtt *w, struct sl_packet *p, struct sl_error *err)
{
    static const uint8_t nothing[8] = {0, 0, 0, 8, 'v', 't', 't', 'e'};
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < w->count && !status; i++) {
        const struct cue *c = &w->cues[i];
        if (c->start > w->position) {
            continue;
        }
        if (p->payload.size > SAMPLE_MAX) {
            return sl_fail(err, SL_ENOMEM, "wvtt", "more than %u bytes of text at one time",
                           SAMPLE_MAX);
        }
        status = sl_chain_add_buf(&p->payload, c->box, 0, c->box->size, err);
    }
    if (!status && p->payload.size == 0) {
        status = sl_chain_add_copy(&p->payload, nothing, sizeof nothing, err);
    }
    return status;
}

enum sl_status sl_wvtt_take(struct sl_wvtt *w, int64_t until, bool cut, struct sl_packet **out,
                            struct sl_error *err)
{
    struct sl_packet *p;
    int64_t end = next_change(w);
    enum sl_status status;
    *out = NULL;
    if (end > until && (!cut || w->position >= until)) {
        return SL_EAGAIN;
    }
    end = end < until ? end : until;
    status = sl_packet_create(&p, err);
    if (status) {
        return status;
    }
    p->pts = p->dts = w->position;
    p->duration = end - w->position;
    p->flags = SL_PACKET_KEY;
    status = fill(w, p, err);
    if (status) {
        sl_packet_unref(&p);
        return status;
    }
    w->position = end;
    drop_past(w);
    *out = p;
    return SL_OK;
}
