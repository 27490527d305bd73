/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/window.h"
#include "scratch.h"
#include "unit.h"

#define SIZE ((size_t)5 << 20)

/* A source that checks what it is asked for. */
struct source {
    const uint8_t *bytes;
    size_t size;
    size_t most; /* bytes given at once; 0: all that are asked for */
    bool sequential;
    int64_t next;    /* what a sequential source must be asked for */
    bool ended;      /* and it must not be asked again */
    int64_t fail_at; /* -1: never */
    unsigned again;  /* says SL_EAGAIN every so many calls */
    unsigned calls;
    size_t given;
};

static enum sl_status fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err)
{
    struct source *s = opaque;
    size_t left = offset < (int64_t)s->size ? s->size - (size_t)offset : 0;

    assert_true(size > 0);
    assert_true(offset >= 0);
    s->calls++;
    if (s->again && s->calls % s->again == 0)
        return SL_EAGAIN;
    if (s->sequential) {
        assert_int_equal(offset, s->next);
        assert_false(s->ended);
    }
    if (s->fail_at >= 0 && offset >= s->fail_at)
        return sl_fail_at(err, SL_EIO, "source", offset, "broken");
    *got = size < left ? size : left;
    if (s->most && *got > s->most)
        *got = s->most;
    if (*got)
        memcpy(dst, s->bytes + offset, *got);
    s->next = offset + (int64_t)*got;
    s->ended = *got == 0;
    s->given += *got;
    return SL_OK;
}

static uint8_t bytes[SIZE];

static int setup(void **state)
{
    (void)state;
    scratch_noise(bytes, SIZE, 5);
    return 0;
}

static struct sl_window *open_window(struct source *s, bool seekable)
{
    struct sl_window_source source = {
        .fill = fill, .opaque = s, .name = "noise", .size = -1, .seekable = seekable};
    struct sl_window *w;

    s->bytes = bytes;
    if (!s->size)
        s->size = SIZE;
    s->sequential = !seekable;
    s->fail_at = -1;
    assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
    return w;
}

static void assert_view(struct sl_window *w, int64_t offset, size_t size, size_t expected)
{
    const uint8_t *data;
    size_t got;

    assert_int_equal(sl_window_view(w, offset, size, &data, &got, NULL), SL_OK);
    assert_int_equal(got, expected);
    assert_non_null(data);
    assert_true(memcmp(data, bytes + (expected ? offset : 0), expected) == 0);
}

static void assert_read(struct sl_window *w, int64_t offset, size_t size, size_t expected)
{
    static uint8_t block[SIZE + 100];
    size_t got = 0;

    assert_int_equal(sl_window_read(w, offset, block, size, &got, NULL),
                     expected < size ? SL_EOF : SL_OK);
    assert_int_equal(got, expected);
    assert_true(memcmp(block, bytes + (expected ? offset : 0), expected) == 0);
}

static void test_facts(void **state)
{
    struct source s = {0};
    struct sl_window_source source = {.fill = fill, .opaque = &s, .size = 17, .seekable = true};
    struct sl_window *w;
    struct sl_file file = {.fd = -1};

    (void)state;
    atomic_init(&file.refs, 1);
    source.file = &file;
    assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
    assert_string_equal(sl_window_name(w), "input");
    assert_int_equal(sl_window_size(w), 17);
    assert_true(sl_window_seekable(w));
    assert_ptr_equal(sl_window_file(w), &file);
    assert_int_equal(file.refs, 2);
    sl_window_destroy(&w);
    assert_null(w);
    assert_int_equal(file.refs, 1);
    sl_window_destroy(&w);
    sl_window_destroy(NULL);

    source.fill = NULL; /* pushed: cannot be sought, whatever was said */
    source.file = NULL;
    source.name = "pipe";
    assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
    assert_false(sl_window_seekable(w));
    assert_null(sl_window_file(w));
    assert_string_equal(sl_window_name(w), "pipe");
    sl_window_destroy(&w);
}

static void test_seekable(void **state)
{
    static const int64_t offsets[] = {0, 5, 100, 0, 2000000, 1999990, 40, SIZE - 10, SIZE - 700000};
    struct source s = {0};
    struct sl_window *w = open_window(&s, true);

    (void)state;
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        assert_view(w, offsets[i], 10, 10);
        assert_view(w, offsets[i], 0, 0);
        assert_read(w, offsets[i], 10, 10);
    }
    assert_view(w, SIZE - 700000, 700000, 700000);
    assert_read(w, SIZE - 700000, 700000, 700000);
    assert_view(w, SIZE - 10, 11, 10);
    assert_view(w, SIZE, 1, 0);
    assert_view(w, SIZE + 1000000, 1, 0);
    assert_read(w, SIZE + 1000000, 100, 0);
    assert_read(w, SIZE + 1000000, 100000, 0);
    assert_read(w, SIZE - 5, 100, 5);
    assert_read(w, SIZE - 5, 100000, 5);
    assert_view(w, 0, SIZE + 5, SIZE);
    for (int i = 0; i < 3; i++) { /* over more than is kept */
        assert_view(w, 0, SIZE, SIZE);
        assert_view(w, (int64_t)SIZE + 5000000, 10, 0);
    }
    sl_window_release(w, 1000); /* means nothing here */
    assert_view(w, 0, 100, 100);
    sl_window_destroy(&w);
}

/* Views close together cost one reading; payloads that nobody looks at cost nothing. */
static void test_reads_ahead(void **state)
{
    struct source s = {0};
    struct sl_window *w = open_window(&s, true);

    (void)state;
    for (int64_t at = 0; at < 200000; at += 100)
        assert_view(w, at, 100, 100);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.given, 256 << 10);
    s.calls = 0;
    s.given = 0;
    assert_read(w, 1000000, 1000000, 1000000);
    assert_int_equal(s.calls, 1);
    assert_int_equal(s.given, 1000000);
    assert_view(w, 1000, 10, 10); /* what was held still is */
    assert_int_equal(s.calls, 1);
    sl_window_destroy(&w);
}

/* In a plain file, hops from header to header stay small. */
static void test_hops(void **state)
{
    struct source s = {0};
    struct sl_file file = {.fd = -1};
    struct sl_window_source source = {
        .fill = fill, .opaque = &s, .size = SIZE, .seekable = true, .file = &file};
    struct sl_window *w;

    (void)state;
    atomic_init(&file.refs, 1);
    s = (struct source){.bytes = bytes, .size = SIZE, .fail_at = -1};
    assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
    for (int64_t at = 0; at < (int64_t)SIZE - 20; at += 50000)
        assert_view(w, at, 16, 16);
    assert_true(s.given < SIZE / 8);
    s.calls = 0;
    for (int64_t at = 0; at < (int64_t)SIZE - 100; at += 100)
        assert_view(w, at, 100, 100);
    assert_true(s.calls < 30);
    sl_window_destroy(&w);
}

static void test_sequential(void **state)
{
    struct source s = {.most = 5000};
    struct sl_window *w = open_window(&s, false);
    struct sl_error err = {0};
    const uint8_t *data;
    size_t got;

    (void)state;
    assert_view(w, 0, 12000, 12000);
    assert_view(w, 3, 12, 12); /* still held */
    sl_window_release(w, 100);
    assert_view(w, 100, 12, 12);
    assert_int_equal(sl_window_view(w, 99, 12, &data, &got, &err), SL_EIO);
    assert_null(data);
    assert_int_equal(err.offset, 99);
    assert_string_equal(err.where, "noise");
    assert_view(w, 50000, 10, 10); /* over what nobody wanted */
    assert_read(w, 50005, 100, 100);
    assert_read(w, 50005, 300000, 300000);
    assert_int_equal(sl_window_view(w, 60000, 12, &data, &got, NULL), SL_EIO);
    assert_view(w, 350005, 10, 10);
    assert_int_equal(sl_window_size(w), -1);
    assert_read(w, 2000000, 500000, 500000);
    sl_window_release(w, 2600000); /* not even read yet */
    assert_int_equal(sl_window_view(w, 2500000, 1, &data, &got, NULL), SL_EIO);
    assert_view(w, 2600000, 10, 10);
    assert_view(w, SIZE - 10, 100, 10);
    assert_view(w, SIZE, 100, 0);
    assert_view(w, SIZE + 100, 100, 0);
    assert_read(w, SIZE + 100, 100000, 0);
    assert_read(w, SIZE - 10, 10, 10);
    assert_int_equal(sl_window_size(w), SIZE);
    sl_window_destroy(&w);
}

/* A source that goes on for ever: what is held stays bounded although nothing is released. */
static enum sl_status zeros(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                            struct sl_error *err)
{
    (void)err;
    assert_int_equal(offset, *(int64_t *)opaque);
    memset(dst, (int)(offset >> 20), size);
    *got = size;
    *(int64_t *)opaque += (int64_t)size;
    return SL_OK;
}

static void test_sequential_is_bounded(void **state)
{
    int64_t next = 0;
    struct sl_window_source source = {.fill = zeros, .opaque = &next, .name = "zeros", .size = -1};
    struct sl_window *w;
    const uint8_t *data;
    size_t got;

    (void)state;
    assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
    for (int64_t at = 0; at < (int64_t)SL_WINDOW_MAX * 2; at += 1 << 20) {
        assert_int_equal(sl_window_view(w, at, 1000, &data, &got, NULL), SL_OK);
        assert_int_equal(got, 1000);
    }
    assert_int_equal(sl_window_view(w, 0, 1, &data, &got, NULL), SL_EIO);
    assert_int_equal(sl_window_view(w, next, SL_WINDOW_MAX, &data, &got, NULL), SL_OK);
    assert_int_equal(got, SL_WINDOW_MAX);
    assert_int_equal(sl_window_view(w, next, (size_t)SL_WINDOW_MAX + 1, &data, &got, NULL),
                     SL_ENOMEM);
    sl_window_destroy(&w);
}

static void test_fill_fails(void **state)
{
    struct source s = {.most = 1000};
    struct sl_window *w = open_window(&s, true);
    struct sl_error err = {0};
    const uint8_t *data;
    static uint8_t block[100000];
    size_t got = 0;

    (void)state;
    s.fail_at = 2000;
    assert_int_equal(sl_window_view(w, 0, 3000, &data, &got, &err), SL_EIO);
    assert_string_equal(err.msg, "broken");
    assert_view(w, 0, 2000, 2000);
    got = 0;
    assert_int_equal(sl_window_read(w, 0, block, 100000, &got, NULL), SL_EIO);
    assert_int_equal(got, 2000);
    s.fail_at = -1; /* and it goes on where it was */
    assert_int_equal(sl_window_read(w, 0, block, 100000, &got, NULL), SL_OK);
    assert_true(memcmp(block, bytes, 100000) == 0);
    assert_int_equal(sl_window_view(w, -1, 1, &data, &got, NULL), SL_EINVAL);
    sl_window_destroy(&w);
}

static enum sl_status too_much(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                               struct sl_error *err)
{
    (void)opaque;
    (void)offset;
    (void)err;
    memset(dst, 0, size);
    *got = size + 1;
    return SL_OK;
}

/* A source that claims to have given more than there was room for is not believed. */
static void test_fill_lies(void **state)
{
    struct sl_window_source source = {.fill = too_much, .name = "liar", .size = -1};
    struct sl_window *w;
    static uint8_t block[100000];
    const uint8_t *data;
    size_t got = 0;

    (void)state;
    assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
    assert_int_equal(sl_window_view(w, 0, 10, &data, &got, NULL), SL_EIO);
    got = 0;
    assert_int_equal(sl_window_read(w, 0, block, sizeof(block), &got, NULL), SL_EIO);
    assert_int_equal(got, 0);
    sl_window_destroy(&w);
}

/* SL_EAGAIN from a source goes through unchanged, and nothing is lost by it. */
static void again(bool seekable)
{
    struct source s = {.most = 700, .again = 3};
    struct sl_window *w = open_window(&s, seekable);
    static uint8_t block[50000];
    const uint8_t *data;
    enum sl_status status;
    size_t got = 0;
    int waits = 0;

    while ((status = sl_window_view(w, 0, 9000, &data, &got, NULL)) == SL_EAGAIN)
        waits++;
    assert_int_equal(status, SL_OK);
    assert_true(memcmp(data, bytes, 9000) == 0);
    got = 0;
    while ((status = sl_window_read(w, 10000, block, 50000, &got, NULL)) == SL_EAGAIN)
        waits++;
    assert_int_equal(status, SL_OK);
    assert_true(memcmp(block, bytes + 10000, 50000) == 0);
    got = 0;
    while ((status = sl_window_read(w, 60100, block, 5000, &got, NULL)) == SL_EAGAIN)
        waits++;
    assert_int_equal(status, SL_OK);
    assert_true(memcmp(block, bytes + 60100, 5000) == 0);
    assert_true(waits > 10);
    sl_window_destroy(&w);
}

static void test_again(void **state)
{
    (void)state;
    again(true);
    again(false);
}

static struct sl_window *open_pushed(void)
{
    struct sl_window_source source = {.name = "pushed", .size = -1};
    struct sl_window *w;

    assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
    return w;
}

static void test_pushed(void **state)
{
    struct sl_window *w = open_pushed();
    const uint8_t *data;
    static uint8_t block[1000];
    size_t got = 5;

    (void)state;
    assert_int_equal(sl_window_view(w, 0, 1, &data, &got, NULL), SL_EAGAIN);
    assert_int_equal(got, 0);
    assert_int_equal(sl_window_push(w, bytes, 100, NULL), SL_OK);
    assert_int_equal(sl_window_push(w, NULL, 0, NULL), SL_OK);
    assert_view(w, 0, 100, 100);
    assert_view(w, 90, 10, 10);
    assert_int_equal(sl_window_view(w, 90, 11, &data, &got, NULL), SL_EAGAIN);
    got = 0;
    assert_int_equal(sl_window_read(w, 50, block, 1000, &got, NULL), SL_EAGAIN);
    assert_int_equal(got, 50);
    assert_int_equal(sl_window_read(w, 50, block, 1000, &got, NULL), SL_EAGAIN);
    assert_int_equal(got, 50);
    assert_int_equal(sl_window_push(w, bytes + 100, 500, NULL), SL_OK);
    assert_int_equal(sl_window_read(w, 50, block, 1000, &got, NULL), SL_EAGAIN);
    assert_int_equal(got, 550);
    sl_window_release(w, 600);
    assert_int_equal(sl_window_view(w, 50, 10, &data, &got, NULL), SL_EIO);
    got = 550;
    assert_int_equal(sl_window_push(w, bytes + 600, 1000, NULL), SL_OK);
    assert_int_equal(sl_window_read(w, 50, block, 1000, &got, NULL), SL_OK);
    assert_true(memcmp(block, bytes + 50, 1000) == 0);
    /* Released before it came: dropped as it comes. */
    sl_window_release(w, 2000);
    assert_int_equal(sl_window_push(w, bytes + 1600, 300, NULL), SL_OK);
    assert_int_equal(sl_window_push(w, bytes + 1900, 300, NULL), SL_OK);
    assert_int_equal(sl_window_view(w, 1999, 1, &data, &got, NULL), SL_EIO);
    assert_view(w, 2000, 200, 200);
    assert_int_equal(sl_window_size(w), -1);
    sl_window_end(w);
    assert_int_equal(sl_window_size(w), 2200);
    assert_view(w, 2100, 200, 100);
    assert_view(w, 5000, 200, 0);
    assert_read(w, 2190, 100, 10);
    assert_int_equal(sl_window_push(w, bytes, 1, NULL), SL_EINVAL);
    sl_window_destroy(&w);
}

static void test_pushed_is_bounded(void **state)
{
    struct sl_window *w = open_pushed();
    struct sl_error err = {0};
    const uint8_t *data;
    size_t got;

    (void)state;
    for (size_t i = 0; i < SL_WINDOW_MAX >> 20; i++)
        assert_int_equal(sl_window_push(w, bytes, (size_t)1 << 20, NULL), SL_OK);
    assert_int_equal(sl_window_push(w, bytes, 1, &err), SL_ENOMEM);
    assert_int_equal(err.status, SL_ENOMEM);
    assert_int_equal(sl_window_view(w, 1000, 10, &data, &got, NULL), SL_OK);
    assert_int_equal(sl_window_push(w, bytes, 1000, NULL), SL_OK); /* what is behind us can go */
    assert_int_equal(sl_window_push(w, bytes, 1, NULL), SL_ENOMEM);
    sl_window_release(w, 5000);
    assert_int_equal(sl_window_push(w, bytes, 4000, NULL), SL_OK);
    assert_int_equal(sl_window_push(w, bytes, SIZE_MAX, NULL), SL_ENOMEM);
    sl_window_destroy(&w);
}

static void assert_shared(struct sl_window *w, struct sl_chain *c, int64_t offset, size_t size)
{
    size_t got = 0;

    assert_int_equal(sl_window_share(w, offset, size, c, &got, NULL), SL_OK);
    assert_int_equal(got, size);
}

/* Slices stay what they were, whatever happens to the window that they came from. */
static void test_share(void **state)
{
    enum { COUNT = 3000 };
    static struct sl_chain chains[COUNT];
    static int64_t offsets[COUNT];
    static uint8_t block[5000];

    (void)state;
    for (int way = 0; way < 3; way++) { /* seekable, sequential, pushed */
        struct source s = {.most = way == 1 ? 5000 : 0};
        struct sl_window *w = way == 2 ? open_pushed() : open_window(&s, way == 0);
        size_t pushed = 0;
        int64_t at = 0;

        for (int i = 0; i < COUNT; i++) {
            size_t size = 1 + (size_t)i * 7 % 3000;

            if (way == 0 && i % 50 == 49)
                at = (int64_t)i * 1000003 % (int64_t)(SIZE - 5000); /* a jump */
            while (way == 2 && pushed < (size_t)at + size) {
                assert_int_equal(sl_window_push(w, bytes + pushed, 1700, NULL), SL_OK);
                pushed += 1700;
            }
            sl_chain_init(&chains[i]);
            assert_shared(w, &chains[i], at, size);
            assert_non_null(chains[i].slices[0].buf);
            offsets[i] = at;
            at += (int64_t)size + 20;
            if (way > 0) {
                at = at < (int64_t)SIZE - 5000 ? at : at - 20;
                sl_window_release(w, at);
            }
            if (at > (int64_t)SIZE - 5000) {
                if (way > 0)
                    break;
                at = 0;
            }
        }
        sl_window_destroy(&w);
        for (int i = 0; i < COUNT; i++) {
            if (!chains[i].slices)
                continue;
            assert_int_equal(sl_chain_read(&chains[i], 0, block, (size_t)chains[i].size, NULL),
                             SL_OK);
            assert_memory_equal(block, bytes + offsets[i], (size_t)chains[i].size);
            sl_chain_clear(&chains[i]);
            chains[i].slices = NULL;
        }
    }
}

static void test_share_at_the_end(void **state)
{
    struct source s = {0};
    struct sl_window *w = open_window(&s, true);
    struct sl_chain c = {0};
    size_t got = 1;

    (void)state;
    assert_int_equal(sl_window_share(w, SIZE - 10, 100, &c, &got, NULL), SL_OK);
    assert_int_equal(got, 10);
    assert_int_equal(c.size, 10);
    assert_int_equal(sl_window_share(w, SIZE, 100, &c, &got, NULL), SL_OK);
    assert_int_equal(got, 0);
    assert_int_equal(c.size, 10);
    assert_int_equal(sl_window_held(w, SIZE - 10), 10);
    assert_int_equal(sl_window_held(w, SIZE), 0);
    assert_false(sl_window_pushed(w));
    sl_chain_clear(&c);
    sl_window_destroy(&w);
    w = open_pushed();
    assert_true(sl_window_pushed(w));
    assert_int_equal(sl_window_share(w, 0, 1, &c, &got, NULL), SL_EAGAIN);
    sl_window_destroy(&w);
}

/* One that keeps lets one look ahead and come back, as far as it was not told to release. */
static void test_keep(void **state)
{
    struct source s = {.most = 5000};
    struct sl_window *w = open_window(&s, false);
    const uint8_t *data;
    size_t got;

    (void)state;
    sl_window_keep(w, true);
    assert_view(w, 1000, 10, 10);
    assert_view(w, 2000000, 10, 10);
    assert_view(w, 1000, 10, 10);
    sl_window_release(w, 3000000);
    assert_view(w, 3000005, 10, 10);
    assert_int_equal(sl_window_view(w, 2999999, 1, &data, &got, NULL), SL_EIO);
    sl_window_keep(w, false);
    assert_view(w, 4000000, 10, 10);
    assert_int_equal(sl_window_view(w, 3000005, 1, &data, &got, NULL), SL_EIO);
    sl_window_keep(w, true);
    assert_view(w, SIZE + 100, 10, 0);
    assert_view(w, SIZE - 10, 20, 10);
    sl_window_destroy(&w);
}

/* In a plain file small blocks that are all looked at come hundreds at a time; where payloads are
 * hopped over, reads stay small. */
static void test_adapts(void **state)
{
    struct source s = {.bytes = bytes, .size = SIZE, .fail_at = -1};
    struct sl_file file = {.fd = -1};
    struct sl_window_source source = {
        .fill = fill, .opaque = &s, .size = SIZE, .seekable = true, .file = &file};
    struct sl_window *w;

    (void)state;
    atomic_init(&file.refs, 1);
    assert_int_equal(sl_window_create(&w, &source, NULL), SL_OK);
    for (int64_t at = 0; at < (int64_t)SIZE - 20; at += 20000)
        assert_view(w, at, 16, 16);
    assert_true(s.given <= (SIZE / 20000 + 3) * 2048 + 8192);
    s.calls = 0;
    s.given = 0;
    for (int64_t at = 0; at < (int64_t)SIZE - 500; at += 500)
        assert_view(w, at, 400, 400);
    assert_true(s.calls < 40);
    sl_window_destroy(&w);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Thousands of requests in random order and size, against the bytes. */
static void random_requests(bool seekable, size_t most, uint32_t seed)
{
    struct source s = {.most = most};
    struct sl_window *w = open_window(&s, seekable);
    int64_t at = 0;

    for (int i = 0; i < 3000; i++) {
        size_t size = next_random(&seed) % (next_random(&seed) % 8 == 0 ? 400000 : 3000);
        size_t left;

        if (seekable && next_random(&seed) % 4 == 0)
            at = next_random(&seed) % (SIZE + 1000);
        else
            at += next_random(&seed) % 2000;
        left = at < (int64_t)SIZE ? SIZE - (size_t)at : 0;
        if (next_random(&seed) % 2)
            assert_view(w, at, size, size < left ? size : left);
        else
            assert_read(w, at, size, size < left ? size : left);
        if (!seekable) {
            /* A direct read takes the bytes with it. */
            at += (int64_t)(size < left ? size : left);
            if (next_random(&seed) % 3 == 0)
                sl_window_release(w, at);
        }
    }
    sl_window_destroy(&w);
}

static void test_random(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 4; seed++) {
        random_requests(true, 0, seed);
        random_requests(true, 1000, seed);
        random_requests(false, 0, seed);
        random_requests(false, 1000, seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_seekable),
        cmocka_unit_test(test_reads_ahead),
        cmocka_unit_test(test_hops),
        cmocka_unit_test(test_sequential),
        cmocka_unit_test(test_sequential_is_bounded),
        cmocka_unit_test(test_fill_fails),
        cmocka_unit_test(test_fill_lies),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_pushed),
        cmocka_unit_test(test_pushed_is_bounded),
        cmocka_unit_test(test_share),
        cmocka_unit_test(test_share_at_the_end),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_adapts),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
