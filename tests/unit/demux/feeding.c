/* SPDX-License-Identifier: BSD-2-Clause */
#include "feeding.h"

#include <string.h>

static enum sl_status fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err)
{
    const struct feed *f = opaque;
    size_t left = (uint64_t)offset < f->size ? f->size - (size_t)offset : 0;
    (void)err;
    *got = size < left ? size : left;
    *got = *got < f->piece ? *got : f->piece;
    if (*got > 0) {
        memcpy(dst, f->data + offset, *got);
    }
    return SL_OK;
}

enum sl_status feed_open(struct feed *f, const void *data, size_t size, size_t piece, bool seekable,
                         struct sl_error *err)
{
    struct sl_window_source source = {.fill = fill,
                                      .opaque = f,
                                      .name = "clip",
                                      .size = seekable ? (int64_t)size : -1,
                                      .seekable = seekable};
    *f = (struct feed){.data = data, .size = size, .piece = piece};
    return sl_window_create(&f->window, &source, err);
}

enum sl_status feed_open_pushed(struct feed *f, const void *data, size_t size, struct sl_error *err)
{
    struct sl_window_source source = {.name = "clip", .size = -1};
    *f = (struct feed){.data = data, .size = size};
    return sl_window_create(&f->window, &source, err);
}

bool feed_push(struct feed *f, size_t n)
{
    size_t left = f->size - f->pushed;
    if (f->pushed > f->size) {
        return false;
    }
    if (left == 0) {
        sl_window_end(f->window);
        f->pushed = f->size + 1;
        return true;
    }
    n = n < left ? n : left;
    if (sl_window_push(f->window, f->data + f->pushed, n, NULL) != SL_OK) {
        return false;
    }
    f->pushed += n;
    return true;
}

void feed_close(struct feed *f)
{
    sl_window_destroy(&f->window);
}
