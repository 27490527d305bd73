/* SPDX-License-Identifier: BSD-2-Clause */
/* The sidecar index of a packed MP4: see docs/layers.md. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/publish.h"
#include "pipeline/pack.h"

#define LINES_MAX (64u << 20)
#define HAND_ON   (64u << 10)

static const char *const layouts[] = {"gop", "file", "coded"};

struct range {
    int64_t offset, size;
};

struct ranging {
    const struct sl_layered *l;
    uint32_t *seen;  /* of each sample: the last picture whose closure it was in, + 1 */
    uint32_t *stack; /* the closure, as far as it is known */
    struct range *ranges;
    size_t count;
};

static void visit(struct ranging *r, size_t sample, size_t of)
{
    if (r->seen[sample] != (uint32_t)of + 1) {
        r->seen[sample] = (uint32_t)of + 1;
        r->stack[r->count++] = (uint32_t)sample;
    }
}

/* All that decoding it takes, itself included. Where references are not known: every picture of
 * its period that it could refer to. */
static void close_over(struct ranging *r, size_t of)
{
    r->count = 0;
    visit(r, of, of);
    for (size_t at = 0; at < r->count; at++) {
        size_t sample = r->stack[at];
        const struct sl_layered_sample *s = &r->l->samples[sample];
        for (size_t i = 0; i < s->ref_count; i++) {
            visit(r, s->refs[i], of);
        }
        for (size_t i = sample; !s->refs_known && i-- > 0 && r->l->samples[i].group == s->group;) {
            if (r->l->samples[i].layer <= s->max_ref_layer && r->l->samples[i].type != 5) {
                visit(r, i, of);
            }
        }
    }
}

static int by_offset(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void write_ranges(struct ranging *r, struct sl_writer *w)
{
    size_t merged = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct sl_layered_sample *s = &r->l->samples[r->stack[i]];
        r->ranges[i] = (struct range){s->out_offset, s->out_size};
    }
    qsort(r->ranges, r->count, sizeof *r->ranges, by_offset);
    for (size_t i = 1; i < r->count; i++) {
        struct range *last = &r->ranges[merged];
        if (last->offset + last->size == r->ranges[i].offset) {
            last->size += r->ranges[i].size;
        } else {
            r->ranges[++merged] = r->ranges[i];
        }
    }
    for (size_t i = 0; i <= merged; i++) {
        sl_write_format(w, "%s[%" PRId64 ",%" PRId64 "]", i ? "," : "", r->ranges[i].offset,
                        r->ranges[i].size);
    }
}

static void write_picture(struct ranging *r, size_t index, struct sl_writer *w)
{
    const struct sl_layered_sample *s = &r->l->samples[index];
    sl_write_format(w,
                    "{\"type\":\"frame\",\"display_frame\":%" PRId64 ",\"frame_id\":%" PRId64
                    ",\"pts\":%" PRId64 ",\"duration\":%" PRId64
                    ",\"sample_index\":%zu,\"byte_offset\":%" PRId64 ",\"byte_len\":%" PRIu32
                    ",\"temporal_layer\":%u",
                    s->display, s->id, s->pts, s->duration, index, s->out_offset, s->out_size,
                    s->layer);
    if (s->refs_known) {
        sl_write_text(w, ",\"refs\":[");
        for (size_t i = 0; i < s->ref_count; i++) {
            sl_write_format(w, "%s%" PRIu32, i ? "," : "", s->refs[i]);
        }
        sl_write_text(w, "]");
    }
    close_over(r, index);
    sl_write_format(w, ",\"pictures\":%zu,\"ranges\":[", r->count);
    write_ranges(r, w);
    sl_write_text(w, "]}\n");
}

static enum sl_status write_lines(struct ranging *r, const uint32_t *shown, int layout,
                                  struct sl_publish *out, struct sl_error *err)
{
    const struct sl_layered *l = r->l;
    struct sl_writer w;
    enum sl_status status = SL_OK;
    sl_writer_init(&w, LINES_MAX);
    sl_write_format(
        &w,
        "{\"type\":\"index\",\"version\":1,\"width\":%d,\"height\":%d,\"fps_num\":%" PRId64
        ",\"fps_den\":%" PRId64 ",\"layers\":%d,\"layout\":\"%s\",\"frames\":%zu}\n",
        (int)l->width, (int)l->height, l->timebase.den, l->timebase.num, l->layers, layouts[layout],
        l->count);
    for (size_t i = 0; i < l->count && !status; i++) {
        write_picture(r, shown[i], &w);
        status = sl_writer_finish(&w, err);
        if (!status && w.size >= HAND_ON) {
            status = sl_publish_write(out, w.data, w.size, err);
            w.size = 0;
        }
    }
    if (!status && w.size) {
        status = sl_publish_write(out, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    return status;
}

enum sl_status sl_layered_write_ranges(const struct sl_layered *l, int layout, const char *output,
                                       struct sl_error *err)
{
    struct ranging r = {.l = l};
    struct sl_publish *out = NULL;
    uint32_t *shown = sl_layered_display_order(l);
    enum sl_status status = SL_OK;
    r.seen = sl_alloc_array(l->count, sizeof *r.seen);
    r.stack = sl_alloc_array(l->count, sizeof *r.stack);
    r.ranges = sl_alloc_array(l->count, sizeof *r.ranges);
    if (!shown || !r.seen || !r.stack || !r.ranges) {
        status = sl_fail_memory(err);
        goto out;
    }
    status = sl_publish_open(&out, output, err);
    if (!status) {
        status = write_lines(&r, shown, layout, out, err);
    }
    if (!status) {
        status = sl_publish_commit(&out, err);
    }
out:
    sl_publish_abort(&out);
    sl_free(shown);
    sl_free(r.seen);
    sl_free(r.stack);
    sl_free(r.ranges);
    return status;
}
