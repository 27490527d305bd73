/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/window.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Reading ahead: a demuxer that hops from block header to block header over payloads that nobody
 * looks at must not drag the payloads in, and one whose blocks are small should get hundreds of
 * them with one read. So in a plain file the size of a read follows what became of the bytes that
 * were read before: it grows while at least half of them are looked at, and shrinks while they are
 * hopped over. Copying a page costs about half of what a call does, so less than half a page is
 * never worth it. Other sources have latency to hide and always get the largest step. */
#define STEP_MIN   ((size_t)2 << 10)
#define STEP_FIRST ((size_t)4 << 10)
#define STEP_MAX   ((size_t)256 << 10)
/* What is held lies in a block that payloads handed out (sl_window_share) keep alive. Most blocks
 * have this size and come back from a pool: small enough to be let go of soon, large enough that
 * what is moved from one to the next does not count. */
#define BLOCK      STEP_MAX
#define BLOCKS_MAX 16 /* that wait for their next use */
/* Reads up to this size go through what is held, larger ones straight to the caller's memory. */
#define SMALL ((size_t)16 << 10)

/* After a jump, a larger block of memory is given back. */
#define KEPT_MAX ((size_t)4 << 20)

struct sl_window {
    struct sl_window_source source;
    char *name;
    struct sl_buf_pool *pool; /* of blocks, made when first one is shared */
    struct sl_buf *block;     /* NULL before the first byte */
    size_t start;             /* index in the block of the first byte held */
    size_t held;
    int64_t base;     /* offset in the source of the first byte held */
    int64_t released; /* bytes before this offset are of no more use (pushed, sequential) */
    int64_t asked;    /* the same, if room is needed: where the last request began */
    size_t step;
    int64_t cursor;       /* plain file: where the last request ended */
    size_t used, skipped; /* and how many of the bytes that were held were asked for since a read */
    bool ended;           /* base + held is the end */
    bool keep;            /* sequential: what is passed over, too */
};

static bool is_pushed(const struct sl_window *w)
{
    return !w->source.fill;
}

static int64_t held_end(const struct sl_window *w)
{
    return w->base + (int64_t)w->held;
}

enum sl_status sl_window_create(struct sl_window **out, const struct sl_window_source *source,
                                struct sl_error *err)
{
    struct sl_window *w = sl_alloc_zero(sizeof(*w));

    *out = NULL;
    if (w) {
        w->name = sl_strdup(source->name ? source->name : "input");
    }
    if (!w || !w->name) {
        sl_free(w);
        return sl_fail_memory(err);
    }
    w->source = *source;
    w->step = source->file ? STEP_FIRST : STEP_MAX;
    if (is_pushed(w)) {
        w->source.seekable = false;
    }
    if (source->file) {
        sl_file_ref(source->file);
    }
    *out = w;
    return SL_OK;
}

void sl_window_destroy(struct sl_window **window)
{
    struct sl_window *w;

    if (!window || !*window) {
        return;
    }
    w = *window;
    *window = NULL;
    sl_file_unref(&w->source.file);
    sl_buf_unref(&w->block);
    sl_buf_pool_destroy(&w->pool);
    sl_free(w->name);
    sl_free(w);
}

const char *sl_window_name(const struct sl_window *w)
{
    return w->name;
}

int64_t sl_window_size(const struct sl_window *w)
{
    if (w->source.size < 0 && w->ended) {
        return held_end(w);
    }
    return w->source.size;
}

bool sl_window_seekable(const struct sl_window *w)
{
    return w->source.seekable;
}

struct sl_file *sl_window_file(const struct sl_window *w)
{
    return w->source.file;
}

static size_t capacity_of(const struct sl_window *w)
{
    return w->block ? w->block->size : 0;
}

/* Somebody else looks into the block: what is in it has to stay where it is. */
static bool is_shared(const struct sl_window *w)
{
    return w->block && atomic_load_explicit(&w->block->refs, memory_order_acquire) > 1;
}

static void drop(struct sl_window *w, size_t n)
{
    /* An empty block is filled from its beginning, unless somebody looks at what was there. */
    w->start = n < w->held || is_shared(w) ? w->start + n : 0;
    w->held -= n;
    w->base += (int64_t)n;
}

static void drop_before(struct sl_window *w, int64_t offset)
{
    if (offset <= w->base) {
        return;
    }
    drop(w, offset < held_end(w) ? (size_t)(offset - w->base) : w->held);
}

/* Where bytes that are held begin. */
static uint8_t *first_byte(const struct sl_window *w)
{
    assert(w->block); /* made with the first byte */
    return w->block->data + w->start;
}

/* How many bytes fit behind those that are held, without moving any. */
static size_t room_behind(const struct sl_window *w)
{
    return w->block ? w->block->size - w->start - w->held : 0;
}

static enum sl_status new_block(struct sl_window *w, size_t size, struct sl_buf **out,
                                struct sl_error *err)
{
    enum sl_status status = SL_OK;

    *out = NULL;
    if (size != BLOCK) {
        return sl_buf_alloc(out, size, err);
    }
    if (!w->pool) {
        status = sl_buf_pool_create(&w->pool, BLOCK, BLOCKS_MAX, err);
    }
    return status == SL_OK ? sl_buf_pool_get(w->pool, out, err) : status;
}

/* Room for more bytes after what is held; at most SL_WINDOW_MAX + STEP_MAX in all. */
static enum sl_status make_room(struct sl_window *w, size_t more, struct sl_error *err)
{
    size_t wanted, capacity;
    struct sl_buf *block;
    enum sl_status status;
    bool shared;

    if (w->block && room_behind(w) >= more) {
        return SL_OK;
    }
    shared = is_shared(w);
    if (shared && w->source.seekable) {
        drop_before(w, w->asked); /* it could be read again, and need not be copied */
    }
    wanted = w->held + more; /* both bounded by the callers */
    if (!shared && wanted <= capacity_of(w)) {
        if (w->block && w->held) {
            memmove(w->block->data, first_byte(w), w->held);
        }
        w->start = 0;
        return SL_OK;
    }
    /* Doubled where it is full, so that bytes that stay are copied a bounded number of times. */
    capacity = shared ? 2 * w->held : 2 * capacity_of(w);
    if (capacity > SL_WINDOW_MAX + STEP_MAX) {
        capacity = SL_WINDOW_MAX + STEP_MAX;
    }
    if (capacity < wanted) {
        capacity = wanted;
    }
    if (capacity < BLOCK) {
        capacity = BLOCK;
    }
    status = new_block(w, capacity, &block, err);
    if (status != SL_OK) {
        return status;
    }
    if (w->block && w->held) {
        memcpy(block->data, first_byte(w), w->held);
    }
    sl_buf_unref(&w->block);
    w->block = block;
    w->start = 0;
    return SL_OK;
}

static enum sl_status fill(struct sl_window *w, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err)
{
    enum sl_status status;

    *got = 0;
    status = w->source.fill(w->source.opaque, offset, dst, size, got, err);
    if (status == SL_OK && *got > size) {
        return sl_fail(err, SL_EIO, w->name, "%zu bytes came where %zu were asked for", *got, size);
    }
    return status;
}

/* Reads once, behind what is held, size bytes or less. */
static enum sl_status fetch(struct sl_window *w, size_t size, struct sl_error *err)
{
    enum sl_status status = make_room(w, size, err);
    size_t got;

    if (status != SL_OK) {
        return status;
    }
    status = fill(w, held_end(w), first_byte(w) + w->held, size, &got, err);
    if (status != SL_OK) {
        return status;
    }
    w->held += got;
    w->ended = got == 0;
    return SL_OK;
}

/* What a window is asked for, against what it can still give. */
static enum sl_status check_request(struct sl_window *w, int64_t offset, struct sl_error *err)
{
    int64_t first = w->released > w->base ? w->released : w->base;

    if (offset < 0) {
        return sl_fail(err, SL_EINVAL, w->name, "a negative offset was asked for");
    }
    if (offset < first && !w->source.seekable) {
        return sl_fail_at(err, SL_EIO, w->name, offset,
                          "cannot go back here: the input is not seekable and only bytes from "
                          "%" PRId64 " on are held",
                          first);
    }
    w->asked = offset;
    return SL_OK;
}

/* A source that may jump: makes base <= offset <= held_end. */
static void jump(struct sl_window *w, int64_t offset)
{
    if (offset >= w->base && offset <= held_end(w)) {
        return;
    }
    if (is_shared(w)) {
        w->start += w->held; /* behind what others look at */
    } else {
        w->start = 0;
    }
    if (capacity_of(w) > KEPT_MAX) { /* something large was looked at; it need not stay for ever */
        sl_buf_unref(&w->block);
        w->start = 0;
    }
    w->held = 0;
    w->base = offset;
    w->ended = false;
}

/* Decides how much is read at once, from what became of the bytes that were read. */
static void adapt_step(struct sl_window *w)
{
    if (w->skipped > w->used && w->step > STEP_MIN) {
        w->step /= 2;
    } else if (w->skipped < w->used && w->step < STEP_MAX) {
        w->step *= 2;
    }
    w->used = 0;
    w->skipped = 0;
}

/* Counts what was asked for, and what was hopped over although it had been read. */
static void count_use(struct sl_window *w, int64_t offset, size_t size)
{
    int64_t end = offset + (int64_t)size;
    int64_t held = held_end(w);

    if (!w->source.file || offset > INT64_MAX - SL_WINDOW_MAX) {
        return;
    }
    if (offset < w->cursor) {
        offset = end < w->cursor ? end : w->cursor;
    } else if (w->cursor >= w->base && w->cursor < held) {
        w->skipped += (size_t)((offset < held ? offset : held) - w->cursor);
    }
    w->used += (size_t)(end - offset);
    w->cursor = end;
}

/* A source that may not: reads and forgets until held_end >= offset or the end. */
static enum sl_status skip_to(struct sl_window *w, int64_t offset, struct sl_error *err)
{
    while (held_end(w) < offset && !w->ended) {
        int64_t left = offset - held_end(w);
        enum sl_status status;

        drop_before(w, held_end(w));
        status = fetch(w, left < (int64_t)STEP_MAX ? (size_t)left : STEP_MAX, err);
        if (status != SL_OK) {
            return status;
        }
    }
    return SL_OK;
}

/* Holds [offset, offset + size) or up to the end. */
static enum sl_status hold(struct sl_window *w, int64_t offset, size_t size, struct sl_error *err)
{
    enum sl_status status;

    count_use(w, offset, size);
    if (offset >= w->base && offset <= held_end(w) && (uint64_t)(held_end(w) - offset) >= size) {
        return SL_OK;
    }
    if (is_pushed(w)) {
        if (w->ended) {
            return SL_OK;
        }
        return SL_EAGAIN;
    }
    if (w->source.seekable) {
        jump(w, offset);
    } else {
        status = skip_to(w, w->keep && w->released < offset ? w->released : offset, err);
        if (status != SL_OK) {
            return status;
        }
        drop_before(w, w->released);
    }
    while (!w->ended || w->source.seekable) {
        int64_t end = held_end(w);
        size_t missing, want;

        if (end < offset) {
            if (!w->keep || w->source.seekable) { /* ended while skipping */
                break;
            }
            missing = offset - end > (int64_t)STEP_MAX ? STEP_MAX : (size_t)(offset - end);
        } else {
            missing = (size_t)(end - offset) < size ? size - (size_t)(end - offset) : 0;
        }
        if (missing == 0) {
            break;
        }
        if (w->source.file) {
            adapt_step(w);
        }
        want = missing < w->step ? w->step : missing;
        /* A large request is believed as bytes come: memory for what is not there is not taken. */
        if (want > STEP_MAX && want > w->held) {
            want = w->held > STEP_MAX ? w->held : STEP_MAX;
        }
        if (room_behind(w) >= missing && room_behind(w) < want && !w->source.file) {
            want = room_behind(w); /* a full block first: less to move */
        }
        /* What lies before offset stays while there is room, for those who look back. */
        if (w->held + want > (w->source.seekable ? STEP_MAX * 2 : SL_WINDOW_MAX)) {
            drop_before(w, offset < held_end(w) ? offset : held_end(w));
        }
        status = fetch(w, want, err);
        if (status != SL_OK) {
            return status;
        }
        if (w->ended) {
            break;
        }
    }
    return SL_OK;
}

enum sl_status sl_window_view(struct sl_window *w, int64_t offset, size_t size,
                              const uint8_t **data, size_t *got, struct sl_error *err)
{
    enum sl_status status = check_request(w, offset, err);
    int64_t end;

    *data = NULL;
    *got = 0;
    if (status != SL_OK) {
        return status;
    }
    if (size > SL_WINDOW_MAX) {
        return sl_fail_at(err, SL_ENOMEM, w->name, offset,
                          "%zu bytes would have to be held at once (at most %u)", size,
                          SL_WINDOW_MAX);
    }
    status = hold(w, offset, size, err);
    if (status != SL_OK) {
        return status;
    }
    end = held_end(w);
    if (offset < end) {
        *got = (uint64_t)(end - offset) < size ? (size_t)(end - offset) : size;
    }
    *data = *got > 0 ? first_byte(w) + (size_t)(offset - w->base) : (const uint8_t *)"";
    return SL_OK;
}

/* Copies what is held at offset. */
static size_t copy_held(const struct sl_window *w, int64_t offset, void *dst, size_t size)
{
    size_t n;

    if (offset < w->base || offset >= held_end(w)) {
        return 0;
    }
    n = (size_t)(held_end(w) - offset);
    if (n > size) {
        n = size;
    }
    memcpy(dst, first_byte(w) + (size_t)(offset - w->base), n);
    return n;
}

static enum sl_status read_small(struct sl_window *w, int64_t offset, void *dst, size_t size,
                                 size_t *got, struct sl_error *err)
{
    enum sl_status status = hold(w, offset, size, err);

    /* SL_EAGAIN: the part that is there is taken, so that its place gets free. */
    if (status != SL_OK && status != SL_EAGAIN) {
        return status;
    }
    *got += copy_held(w, offset, dst, size);
    w->asked = offset + (int64_t)*got;
    return status;
}

/* Nothing of [offset, …) is held. */
static enum sl_status read_direct(struct sl_window *w, int64_t offset, uint8_t *dst, size_t size,
                                  size_t *got, struct sl_error *err)
{
    enum sl_status status;
    size_t n;

    if (!w->source.seekable) {
        status = skip_to(w, offset, err);
        if (status != SL_OK) {
            return status;
        }
        if (w->ended) {
            return SL_OK;
        }
        drop_before(w, held_end(w));
    }
    while (size > 0) {
        status = fill(w, offset, dst, size, &n, err);
        if (status != SL_OK) {
            return status;
        }
        if (!w->source.seekable) {
            w->base += (int64_t)n;
            w->ended = n == 0;
        }
        if (n == 0) {
            break;
        }
        *got += n;
        dst += n;
        offset += (int64_t)n;
        size -= n;
    }
    return SL_OK;
}

enum sl_status sl_window_read(struct sl_window *w, int64_t offset, void *dst, size_t size,
                              size_t *got, struct sl_error *err)
{
    uint8_t *to = (uint8_t *)dst + *got;
    int64_t at = offset + (int64_t)*got;
    size_t left = size - *got, part = 0;
    enum sl_status status = check_request(w, at, err);

    if (status != SL_OK) {
        return status;
    }
    if (is_pushed(w) || left <= SMALL) {
        status = read_small(w, at, to, left, &part, err);
    } else {
        part = copy_held(w, at, to, left);
        if (part < left) {
            status = read_direct(w, at + (int64_t)part, to + part, left - part, &part, err);
        }
    }
    *got += part;
    if (status == SL_OK && *got < size) {
        return SL_EOF;
    }
    return status;
}

enum sl_status sl_window_share(struct sl_window *w, int64_t offset, size_t size,
                               struct sl_chain *chain, size_t *got, struct sl_error *err)
{
    const uint8_t *data;
    enum sl_status status = sl_window_view(w, offset, size, &data, got, err);

    if (status != SL_OK || *got == 0) {
        return status;
    }
    return sl_chain_add_buf(chain, w->block, (size_t)(data - w->block->data), *got, err);
}

size_t sl_window_held(const struct sl_window *w, int64_t offset)
{
    return offset >= w->base && offset < held_end(w) ? (size_t)(held_end(w) - offset) : 0;
}

bool sl_window_pushed(const struct sl_window *w)
{
    return is_pushed(w);
}

enum sl_status sl_window_push(struct sl_window *w, const void *data, size_t size,
                              struct sl_error *err)
{
    const uint8_t *from = data;
    int64_t end = held_end(w), skip;
    enum sl_status status;

    if (!is_pushed(w) || w->ended) {
        return sl_fail(err, SL_EINVAL, w->name, "bytes were pushed into a window that takes none");
    }
    /* Bytes that were released before they came. */
    skip = w->released - end;
    if (skip > 0) {
        size_t n = (uint64_t)skip < size ? (size_t)skip : size;

        drop_before(w, end);
        w->base += (int64_t)n;
        from += n;
        size -= n;
    }
    if (size == 0) {
        return SL_OK;
    }
    if (size > SL_WINDOW_MAX - w->held) {
        drop_before(w, w->asked);
    }
    if (size > SL_WINDOW_MAX - w->held) {
        return sl_fail(err, SL_ENOMEM, w->name,
                       "%zu bytes are held and %zu more came (at most %u are held)", w->held, size,
                       SL_WINDOW_MAX);
    }
    status = make_room(w, size, err);
    if (status != SL_OK) {
        return status;
    }
    memcpy(first_byte(w) + w->held, from, size);
    w->held += size;
    return SL_OK;
}

void sl_window_end(struct sl_window *w)
{
    if (is_pushed(w)) {
        w->ended = true;
    }
}

void sl_window_keep(struct sl_window *w, bool keep)
{
    w->keep = keep;
}

void sl_window_release(struct sl_window *w, int64_t offset)
{
    if (w->source.seekable || offset <= w->released) {
        return;
    }
    w->released = offset;
    drop_before(w, offset);
}
