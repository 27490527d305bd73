/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a plan: as few reads as there are places in the file. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/frames.h"

#define ITEMS_MAX   (1u << 20)
#define LOCAL_GAP   64   /* bytes that cost less than another call: a block's header */
#define REMOTE_GAP  1024 /* or another request */
#define BATCH_ITEMS 4096

void sl_frames_drop_items(struct sl_frames *f)
{
    for (size_t i = f->item_next; i < f->item_count; i++) {
        sl_buf_unref(&f->items[i].buf);
    }
    f->item_count = f->item_next = 0;
}

static enum sl_status collect(struct sl_frames *f, struct sl_error *err)
{
    const struct sl_frames_plan *p = &f->plan;
    size_t bytes = 0;
    sl_frames_drop_items(f);
    for (; f->at < p->end && f->item_count < BATCH_ITEMS; f->at++) {
        size_t size = f->index.samples[f->at].size;
        if (!p->needed[f->at - p->first]) {
            continue;
        }
        if (f->item_count > 0 && size > SL_FRAMES_BATCH - bytes) {
            break;
        }
        if (sl_grow(&f->items, &f->item_capacity, f->item_count, sizeof *f->items, ITEMS_MAX)) {
            return sl_fail_memory(err);
        }
        f->items[f->item_count++] = (struct sl_frames_item){.sample = (uint32_t)f->at};
        bytes = size < SL_FRAMES_BATCH - bytes ? bytes + size : SL_FRAMES_BATCH;
    }
    return SL_OK;
}

struct piece {
    int64_t offset, end;
    size_t item;
};

static int by_offset(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    if (x->offset != y->offset) {
        return x->offset < y->offset ? -1 : 1;
    }
    return x->item < y->item ? -1 : x->item > y->item;
}

/* pieces[0] to pieces[count - 1] with one read. */
static enum sl_status read_range(struct sl_frames *f, const struct piece *pieces, size_t count,
                                 int64_t end, struct sl_error *err)
{
    struct sl_buf *buf = NULL;
    int64_t start = pieces[0].offset;
    enum sl_status status = sl_buf_alloc(&buf, (size_t)(end - start), err);
    if (!status) {
        status = sl_frames_read(f, start, buf->data, buf->size, &f->stats.bytes_fetched, err);
    }
    f->stats.reads++;
    for (size_t i = 0; i < count && !status; i++) {
        struct sl_frames_item *item = &f->items[pieces[i].item];
        item->buf = sl_buf_ref(buf);
        item->offset = (size_t)(pieces[i].offset - start);
        f->stats.samples++;
    }
    sl_buf_unref(&buf);
    return status;
}

enum sl_status sl_frames_fetch(struct sl_frames *f, struct sl_error *err)
{
    int64_t gap = f->source->bytes.file ? LOCAL_GAP : REMOTE_GAP;
    struct piece *pieces = NULL;
    enum sl_status status = collect(f, err);
    if (status || f->item_count == 0) {
        return status;
    }
    pieces = sl_alloc_array(f->item_count, sizeof *pieces);
    if (!pieces) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < f->item_count; i++) {
        const struct sl_frames_sample *s = &f->index.samples[f->items[i].sample];
        pieces[i] = (struct piece){s->offset, s->offset + s->size, i};
    }
    qsort(pieces, f->item_count, sizeof *pieces, by_offset);
    for (size_t i = 0, n; i < f->item_count && !status; i += n) {
        int64_t end = pieces[i].end;
        for (n = 1; i + n < f->item_count && pieces[i + n].offset <= end + gap; n++) {
            end = pieces[i + n].end > end ? pieces[i + n].end : end;
        }
        status = read_range(f, &pieces[i], n, end, err);
    }
    sl_free(pieces);
    if (status) {
        sl_frames_drop_items(f);
    }
    return status;
}
