/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: windows over bytes in memory, in each way that bytes can come. */
#ifndef SL_TEST_FEEDING_H
#define SL_TEST_FEEDING_H

#include "base/window.h"

struct feed {
    const uint8_t *data;
    size_t size;
    size_t piece; /* most that one fill gives */
    size_t pushed;
    struct sl_window *window;
};

/* Fetched when asked for; size is told and any offset may be read where seekable. */
enum sl_status feed_open(struct feed *f, const void *data, size_t size, size_t piece, bool seekable,
                         struct sl_error *err);
/* Pushed by feed_push, bytes at a time. */
enum sl_status feed_open_pushed(struct feed *f, const void *data, size_t size,
                                struct sl_error *err);
/* The next n bytes, or the end: false when that had been said before. */
bool feed_push(struct feed *f, size_t n);
void feed_close(struct feed *f);

#endif
