/* SPDX-License-Identifier: BSD-2-Clause */
/* A window over the bytes of a source. Demuxers look through it and never do I/O themselves, so
 * the same demuxer serves a file, a pipe, an HTTP range, bytes pushed in by a caller and a fuzzer.
 *
 * Whoever makes the window decides where bytes come from:
 *  - fill set: bytes are fetched when they are asked for (may block);
 *  - fill NULL: the owner pushes bytes with sl_window_push; asking for more than is there gives
 *    SL_EAGAIN, and the demuxer's read returns that to its caller unchanged. */
#ifndef SL_BASE_WINDOW_H
#define SL_BASE_WINDOW_H

#include <stdbool.h>

#include "base/slice.h"

#define SL_WINDOW_MAX (64u << 20) /* largest span sl_window_view can hold at once */

struct sl_window_source {
    /* Reads up to size bytes at offset; *got == 0 means the end. A sequential source is only ever
     * asked for the offset that follows the last byte it gave. */
    enum sl_status (*fill)(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err);
    void *opaque;
    const char *name;     /* for messages; must outlive the window */
    int64_t size;         /* -1: not known */
    bool seekable;        /* any offset may be asked for */
    struct sl_file *file; /* set where the bytes are a plain file: payloads can stay ranges of it */
};

struct sl_window;

SL_NODISCARD enum sl_status sl_window_create(struct sl_window **out,
                                             const struct sl_window_source *source,
                                             struct sl_error *err);
void sl_window_destroy(struct sl_window **w);
const char *sl_window_name(const struct sl_window *w);
int64_t sl_window_size(const struct sl_window *w); /* -1: not known (yet) */
bool sl_window_seekable(const struct sl_window *w);
struct sl_file *sl_window_file(const struct sl_window *w); /* NULL, or a borrowed reference */

/* Makes [offset, offset + size) visible at *data, valid until the next call on this window.
 * *got < size only at the end of the source. Going back before what is still held is SL_EIO on a
 * sequential source. */
SL_NODISCARD enum sl_status sl_window_view(struct sl_window *w, int64_t offset, size_t size,
                                           const uint8_t **data, size_t *got, struct sl_error *err);
/* The same bytes as a slice of memory, appended to chain without copying them: the window's block
 * stays as long as the slice does. Meant for payloads of up to some hundred kilobytes: one that is
 * kept keeps at least 256 KiB alive. Where *got < size at the end of the source, what is there was
 * appended. */
SL_NODISCARD enum sl_status sl_window_share(struct sl_window *w, int64_t offset, size_t size,
                                            struct sl_chain *chain, size_t *got,
                                            struct sl_error *err);
/* How many bytes from offset on are there without asking the source. */
size_t sl_window_held(const struct sl_window *w, int64_t offset);
bool sl_window_pushed(const struct sl_window *w); /* bytes come by sl_window_push alone */
/* Copies into dst, straight from the source where nothing is held: for payloads. Continues after
 * SL_EAGAIN: *got counts what is there so far and is both read and written. SL_EOF if the source
 * ends before size bytes (then *got says how many there were). */
SL_NODISCARD enum sl_status sl_window_read(struct sl_window *w, int64_t offset, void *dst,
                                           size_t size, size_t *got, struct sl_error *err);
/* For pushed windows: appends bytes; sl_window_end says that there will be no more. At most
 * SL_WINDOW_MAX bytes are held; SL_ENOMEM beyond. */
SL_NODISCARD enum sl_status sl_window_push(struct sl_window *w, const void *data, size_t size,
                                           struct sl_error *err);
void sl_window_end(struct sl_window *w);
/* A sequential source: whether bytes that are passed over stay, up to SL_WINDOW_MAX from what was
 * released on, so that one can look ahead and come back. Not at first. */
void sl_window_keep(struct sl_window *w, bool keep);
/* Bytes before offset will not be asked for again (a pushed or sequential window drops them). */
void sl_window_release(struct sl_window *w, int64_t offset);

#endif
