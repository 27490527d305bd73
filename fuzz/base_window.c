/* SPDX-License-Identifier: BSD-2-Clause */
/* Any order of views, reads, releases and pushes on the three kinds of window, against the bytes
 * themselves. The first byte chooses the kind and how much a fill gives; then four a step. */
#include <stdlib.h>
#include <string.h>

#include "base/window.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOURCE_SIZE ((size_t)700000)

static uint8_t bytes[SOURCE_SIZE];

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

struct source {
    size_t most;
    bool sequential;
    int64_t next;
};

static enum sl_status fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err)
{
    struct source *s = opaque;
    size_t left = offset < (int64_t)SOURCE_SIZE ? SOURCE_SIZE - (size_t)offset : 0;

    (void)err;
    require(!s->sequential || offset == s->next);
    *got = size < left ? size : left;
    *got = *got < s->most ? *got : s->most;
    if (*got > 0) {
        memcpy(dst, bytes + offset, *got);
    }
    s->next = offset + (int64_t)*got;
    return SL_OK;
}

static void compare(const uint8_t *data, size_t offset, size_t size)
{
    require(size == 0 || (offset <= SOURCE_SIZE && size <= SOURCE_SIZE - offset));
    require(size == 0 || memcmp(data, bytes + offset, size) == 0);
}

static void view(struct sl_window *w, size_t offset, size_t size, bool pushed)
{
    size_t left = offset < SOURCE_SIZE ? SOURCE_SIZE - offset : 0, got;
    const uint8_t *data;
    enum sl_status status = sl_window_view(w, (int64_t)offset, size, &data, &got, NULL);

    require(status == SL_OK || (!sl_window_seekable(w) && status == SL_EIO) ||
            (pushed && status == SL_EAGAIN));
    if (status == SL_OK) {
        require(pushed ? got <= size : got == (size < left ? size : left));
        compare(data, offset, got);
    }
}

static void read_bytes(struct sl_window *w, size_t offset, size_t size, bool pushed)
{
    size_t got = 0;
    uint8_t *block = malloc(size + 1);
    enum sl_status status;

    require(block != NULL);
    status = sl_window_read(w, (int64_t)offset, block, size, &got, NULL);
    require(status == SL_OK || status == SL_EOF || (!sl_window_seekable(w) && status == SL_EIO) ||
            (pushed && status == SL_EAGAIN));
    require(got <= size && (status != SL_OK || got == size));
    compare(block, offset, got);
    free(block);
}

static void push(struct sl_window *w, size_t *pushed, size_t size)
{
    size = size < SOURCE_SIZE - *pushed ? size : SOURCE_SIZE - *pushed;
    require(sl_window_push(w, bytes + *pushed, size, NULL) == SL_OK);
    *pushed += size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct source s = {.most = SOURCE_SIZE};
    struct sl_window_source source = {.opaque = &s, .name = "fuzz", .size = -1};
    struct sl_window *w;
    size_t at = 0, pushed = 0;
    bool is_pushed;

    if (size == 0) {
        return 0;
    }
    for (uint32_t i = 0, seed = 1; bytes[SOURCE_SIZE - 1] == 0 && i < SOURCE_SIZE; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24 | 1);
    }
    is_pushed = data[0] % 3 == 2;
    source.seekable = data[0] % 3 == 1;
    source.fill = is_pushed ? NULL : fill;
    s.sequential = !source.seekable;
    s.most = data[0] & 0x80 ? 1000 : SOURCE_SIZE;
    require(sl_window_create(&w, &source, NULL) == SL_OK);
    for (size_t i = 1; i + 4 <= size && i < 400; i += 4) {
        size_t length = (size_t)data[i + 2] << (data[i + 3] & 15);

        at = data[i] & 0x40 ? ((size_t)data[i + 1] << 12) : at + data[i + 1];
        switch (data[i] & 3) {
        case 0:
            view(w, at, length, is_pushed);
            break;
        case 1:
            read_bytes(w, at, length, is_pushed);
            break;
        case 2:
            sl_window_release(w, (int64_t)at);
            break;
        default:
            if (is_pushed) {
                push(w, &pushed, length);
            }
            break;
        }
    }
    sl_window_destroy(&w);
    return 0;
}
