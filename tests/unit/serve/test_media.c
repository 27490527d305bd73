/* SPDX-License-Identifier: BSD-2-Clause */
/* Flights, sources, caches and streams, with an engine whose answers can be held back. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "failing_alloc.h"
#include "scratch.h"
#include "serve/media.h"
#include "unit.h"

static struct scratch scratch;

/* What the engine does, and how often it did. */
static struct {
    atomic_int opens, closes, answers, cancelled, streams, stream_closes;
    atomic_bool hold; /* answers called "slow…" wait */
    atomic_bool stream_cancel;
    atomic_int waiting; /* such answers */
} engine_state;

static enum sl_status engine_open(const void *opaque, const struct sl_media_input *input,
                                  void **source, const struct sl_cancel *cancel,
                                  struct sl_error *err)
{
    (void)opaque;
    (void)cancel;
    atomic_fetch_add(&engine_state.opens, 1);
    *source = NULL;
    if (strcmp(input->name, "damaged") == 0) {
        return sl_fail(err, SL_EDATA, input->name, "is damaged");
    }
    *source = sl_file_ref(input->file);
    return SL_OK;
}

static void engine_close(void *source)
{
    struct sl_file *file = source;

    atomic_fetch_add(&engine_state.closes, 1);
    sl_file_unref(&file);
}

static const char *engine_settings(void *source)
{
    (void)source;
    return "settings 1";
}

static bool engine_costly(void *source, const struct sl_media_ask *ask)
{
    (void)source;
    return strncmp(ask->rendition, "slow", 4) == 0 || strncmp(ask->rendition, "costly", 6) == 0;
}

static enum sl_status wait_held(const struct sl_cancel *cancel)
{
    atomic_fetch_add(&engine_state.waiting, 1);
    while (atomic_load(&engine_state.hold) && !sl_cancelled(cancel)) {
        (void)usleep(1000);
    }
    atomic_fetch_sub(&engine_state.waiting, 1);
    return sl_cancelled(cancel) ? SL_ECANCELLED : SL_OK;
}

static enum sl_status engine_answer(void *source, const struct sl_media_ask *ask,
                                    struct sl_chain *out, const struct sl_cancel *cancel,
                                    struct sl_error *err)
{
    struct sl_file *file = source;
    char text[64];
    int n = snprintf(text, sizeof text, "%s %llu", ask->rendition, (unsigned long long)ask->number);

    atomic_fetch_add(&engine_state.answers, 1);
    if (strncmp(ask->rendition, "slow", 4) == 0 && wait_held(cancel) != SL_OK) {
        atomic_fetch_add(&engine_state.cancelled, 1);
        return SL_ECANCELLED;
    }
    if (strcmp(ask->rendition, "bad") == 0) {
        return sl_fail(err, SL_EDATA, "bad", "cannot be decoded");
    }
    if (strcmp(ask->rendition, "empty") == 0) {
        return SL_OK;
    }
    if (ask->what == SL_MEDIA_PLAYLIST) {
        return sl_chain_add_copy(out, "#EXTM3U\n1.m4s\n", 14, err);
    }
    if (strcmp(ask->rendition, "file") == 0) {
        return sl_chain_add_file(out, file, 1, 3, err);
    }
    return sl_chain_add_copy(out, text, (size_t)n, err);
}

static enum sl_status engine_stream_open(void *source, const struct sl_media_ask *ask,
                                         void **stream, struct sl_error *err)
{
    (void)source;
    (void)ask;
    *stream = sl_alloc_zero(sizeof(int));
    atomic_fetch_add(&engine_state.streams, *stream ? 1 : 0);
    return *stream ? SL_OK : sl_fail_memory(err);
}

static enum sl_status engine_stream_next(void *stream, struct sl_chain *out,
                                         const struct sl_cancel *cancel, struct sl_error *err)
{
    int *count = stream;

    if (++*count > 3) {
        while (atomic_load(&engine_state.hold) && !atomic_load(&engine_state.stream_cancel)) {
            (void)usleep(1000);
        }
        return sl_cancelled(cancel) ? SL_ECANCELLED : SL_EOF;
    }
    /* Nothing at all the second time: never seen by the viewer. */
    return *count == 2 ? SL_OK : sl_chain_add_copy(out, "chunk", 5, err);
}

static void engine_stream_cancel(void *stream)
{
    (void)stream;
    atomic_store(&engine_state.stream_cancel, true);
}

static void engine_stream_close(void *stream)
{
    atomic_fetch_add(&engine_state.stream_closes, 1);
    sl_free(stream);
}

static const struct sl_media_engine engine = {
    .version = "test",
    .open = engine_open,
    .close = engine_close,
    .settings = engine_settings,
    .costly = engine_costly,
    .answer = engine_answer,
    .stream_open = engine_stream_open,
    .stream_next = engine_stream_next,
    .stream_cancel = engine_stream_cancel,
    .stream_close = engine_stream_close,
};

/* ---- one viewer or several ----------------------------------------------------------------- */

struct viewer {
    struct sl_waiter waiter;
    bool done;
};

static struct sl_media *media;
static struct sl_media_port port;
static char cache[256];

static void on_done(struct sl_waiter *w)
{
    ((struct viewer *)w->opaque)->done = true;
}

static void open_with(unsigned transcodes, unsigned waiting, unsigned sources)
{
    const struct sl_media_params params = {
        .engine = &engine,
        .root = scratch.path,
        .cache = cache,
        .cache_size = 1 << 20,
        .memory = 1 << 20,
        .workers = 2,
        .transcodes = transcodes,
        .waiting = waiting,
        .streams = 1,
        .sources = sources,
    };

    memset(&engine_state, 0, sizeof engine_state);
    assert_int_equal(sl_media_create(&media, &params, NULL, NULL), SL_OK);
    assert_int_equal(sl_media_port_open(&port, media, NULL), SL_OK);
}

static void close_all(void)
{
    sl_media_port_close(&port);
    sl_media_destroy(&media);
    assert_int_equal(engine_state.opens, engine_state.closes);
    assert_int_equal(engine_state.streams, engine_state.stream_closes);
}

static void ask_what(struct viewer *v, const char *name, enum sl_media_what what,
                     const char *rendition, uint64_t number)
{
    struct sl_media_want want = {.ask = {.what = what, .number = number, .time = {0, 1}}};
    char path[512];

    memset(v, 0, sizeof *v);
    v->waiter = (struct sl_waiter){.port = &port, .done = on_done, .opaque = v};
    (void)snprintf(want.ask.rendition, sizeof want.ask.rendition, "%s", rendition);
    (void)snprintf(want.id, sizeof want.id, "%-16.16s", name);
    (void)snprintf(path, sizeof path, "%s/%s", scratch.path, name);
    want.name = sl_strdup(name);
    assert_int_equal(sl_file_open(&want.file, path, NULL), SL_OK);
    v->done = sl_media_request(media, &want, false, &v->waiter);
    sl_file_unref(&want.file);
    sl_free(want.name);
}

static void ask(struct viewer *v, const char *name, const char *rendition, uint64_t number)
{
    ask_what(v, name, SL_MEDIA_SEGMENT, rendition, number);
}

static void deliver(struct viewer *v)
{
    for (int i = 0; !v->done && i < 1000; i++) {
        struct pollfd p = {.fd = port.fd, .events = POLLIN};

        if (poll(&p, 1, 100) > 0) {
            sl_media_deliver(&port);
        }
    }
    assert_true(v->done);
}

static void expect(struct viewer *v, int status, const char *text)
{
    struct sl_buf *buf = NULL;

    deliver(v);
    assert_int_equal(v->waiter.status, status);
    assert_int_equal(v->waiter.answer != NULL, text != NULL);
    if (text) {
        assert_int_equal(sl_chain_load(&v->waiter.answer->chain, &buf, NULL), SL_OK);
        assert_int_equal(buf->size, strlen(text));
        assert_memory_equal(buf->data, text, buf->size);
        sl_buf_unref(&buf);
    }
    sl_media_leave(&v->waiter);
}

static void await(atomic_int *value, int least)
{
    for (int i = 0; atomic_load(value) < least && i < 10000; i++) {
        (void)usleep(1000);
    }
    assert_true(atomic_load(value) >= least);
}

static int set_up(void **state)
{
    (void)state;
    scratch_make(&scratch);
    scratch_write(scratch_name(&scratch, "a"), "abcdef", 6);
    scratch_write(scratch_name(&scratch, "b"), "bcdefg", 6);
    scratch_write(scratch_name(&scratch, "damaged"), "?", 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static void test_answers(void **state)
{
    struct viewer v;

    (void)state;
    cache[0] = '\0';
    open_with(1, 1, 4);
    ask(&v, "a", "quick", 7);
    expect(&v, 200, "quick 7");
    assert_int_equal(v.waiter.settings[0], '-');
    ask(&v, "a", "quick", 7);
    assert_true(v.done); /* from memory, at once */
    expect(&v, 200, "quick 7");
    ask(&v, "a", "file", 0);
    expect(&v, 200, "bcd");
    ask(&v, "a", "costly", 1);
    expect(&v, 200, "costly 1");
    assert_int_equal(v.waiter.settings[0], 'c');
    ask(&v, "a", "bad", 0);
    expect(&v, 500, NULL);
    assert_string_equal(v.waiter.detail, "the source is damaged");
    ask(&v, "a", "empty", 0);
    expect(&v, 500, NULL);
    ask(&v, "damaged", "quick", 0);
    expect(&v, 500, NULL);
    ask_what(&v, "a", SL_MEDIA_PLAYLIST, "quick", 0);
    deliver(&v);
    assert_int_equal(v.waiter.status, 200);
    assert_true(v.waiter.answer->chain.size > 14 + 19); /* "?v=" and the version */
    sl_media_leave(&v.waiter);
    assert_int_equal(engine_state.answers, 6);
    engine_state.closes++; /* the damaged one was never open */
    close_all();
}

static void test_single_flight(void **state)
{
    struct viewer v[20];

    (void)state;
    open_with(2, 2, 4);
    engine_state.hold = true;
    for (size_t i = 0; i < 20; i++) {
        ask(&v[i], "a", "slow", 1);
        assert_false(v[i].done);
        assert_true(sl_media_waits(&v[i].waiter));
    }
    await(&engine_state.waiting, 1);
    sl_media_leave(&v[3].waiter); /* one who leaves does not disturb the others */
    engine_state.hold = false;
    for (size_t i = 0; i < 20; i++) {
        if (i != 3) {
            expect(&v[i], 200, "slow 1");
        }
    }
    assert_false(v[3].done);
    assert_int_equal(engine_state.answers, 1);
    close_all();
}

static void test_all_leave(void **state)
{
    struct viewer a, b;

    (void)state;
    open_with(1, 4, 4);
    engine_state.hold = true;
    ask(&a, "a", "slow", 1);
    ask(&b, "a", "slow", 1);
    await(&engine_state.waiting, 1);
    sl_media_leave(&a.waiter);
    (void)usleep(20000);
    assert_int_equal(engine_state.cancelled, 0);
    sl_media_leave(&b.waiter);
    await(&engine_state.cancelled, 1);
    engine_state.hold = false;
    ask(&a, "a", "slow", 1); /* anew: what was cancelled is nobody's answer */
    expect(&a, 200, "slow 1");
    assert_int_equal(engine_state.answers, 2);
    sl_media_leave(&a.waiter); /* fine at any time */
    close_all();
}

static void test_limit(void **state)
{
    struct viewer v[4];

    (void)state;
    open_with(1, 1, 4);
    engine_state.hold = true;
    ask(&v[0], "a", "slow", 0);
    await(&engine_state.waiting, 1);
    ask(&v[1], "a", "slow", 1);
    /* Whoever comes first takes the one place to wait in; wait until the pool has decided. */
    (void)usleep(100000);
    ask(&v[2], "a", "slow", 2);
    expect(&v[2], 503, NULL);
    assert_string_equal(v[2].waiter.detail, "too many transcodes");
    ask(&v[3], "a", "quick", 2); /* what is no coding still passes */
    expect(&v[3], 200, "quick 2");
    engine_state.hold = false;
    expect(&v[0], 200, "slow 0");
    expect(&v[1], 200, "slow 1");
    close_all();
}

static void test_sources(void **state)
{
    struct viewer v;

    (void)state;
    open_with(1, 1, 1);
    ask(&v, "a", "file", 0);
    expect(&v, 200, "bcd");
    (void)usleep(50000); /* the answer comes before its source is let go */
    ask(&v, "b", "file", 0);
    expect(&v, 200, "cde");
    await(&engine_state.closes, 1);
    ask(&v, "a", "file", 0); /* what held the file open was forgotten with its source */
    assert_false(v.done);
    expect(&v, 200, "bcd");
    assert_int_equal(engine_state.opens, 3);
    close_all();
}

static void test_ahead(void **state)
{
    struct viewer v, next;
    struct sl_media_want want = {
        .ask = {.what = SL_MEDIA_SEGMENT, .rendition = "slow", .time = {0, 1}}};
    char path[512];

    (void)state;
    open_with(1, 1, 4);
    ask(&v, "a", "costly", 1);
    expect(&v, 200, "costly 1");
    (void)snprintf(want.id, sizeof want.id, "%-16.16s", "a");
    (void)snprintf(path, sizeof path, "%s/a", scratch.path);
    want.name = path;
    assert_int_equal(sl_file_open(&want.file, path, NULL), SL_OK);
    engine_state.hold = true;
    memset(&next, 0, sizeof next);
    next.waiter =
        (struct sl_waiter){.port = &port, .done = on_done, .opaque = &next, .ahead = true};
    sl_media_ahead(media, &want, &next.waiter);
    await(&engine_state.waiting, 1);
    /* The viewer asks for it, and leaves the work that was done ahead: it goes on. */
    ask(&v, "a", "slow", 1);
    assert_false(v.done);
    sl_media_leave(&next.waiter);
    (void)usleep(20000);
    assert_int_equal(engine_state.cancelled, 0);
    engine_state.hold = false;
    expect(&v, 200, "slow 1");
    assert_int_equal(engine_state.answers, 2);
    /* And one that nobody asks for ends with the viewer. */
    engine_state.hold = true;
    want.ask.number = 1;
    sl_media_ahead(media, &want, &next.waiter);
    await(&engine_state.waiting, 1);
    sl_media_leave(&next.waiter);
    await(&engine_state.cancelled, 1);
    sl_file_unref(&want.file);
    close_all();
}

static void test_disk(void **state)
{
    struct viewer v;

    (void)state;
    (void)snprintf(cache, sizeof cache, "%s/cache", scratch.path);
    open_with(1, 1, 4);
    ask(&v, "a", "costly", 5);
    expect(&v, 200, "costly 5");
    close_all();
    open_with(1, 1, 4); /* a restart */
    ask(&v, "a", "costly", 5);
    expect(&v, 200, "costly 5");
    assert_int_equal(engine_state.answers, 0);
    close_all();
    cache[0] = '\0';
}

static void test_stream(void **state)
{
    struct viewer v, other;
    struct sl_media_stream *s;

    (void)state;
    open_with(1, 1, 4);
    ask_what(&v, "a", SL_MEDIA_STREAM, "", 0);
    deliver(&v);
    assert_int_equal(v.waiter.status, 200);
    s = sl_media_stream_take(&v.waiter);
    assert_non_null(s);
    ask_what(&other, "a", SL_MEDIA_STREAM, "", 0); /* one at a time here */
    expect(&other, 503, NULL);
    sl_answer_unref(&v.waiter.answer);
    v.done = false;
    sl_media_stream_next(s, &v.waiter);
    expect(&v, 200, "chunk");
    v.done = false;
    sl_media_stream_next(s, &v.waiter);
    deliver(&v);
    assert_true(v.waiter.last);
    assert_null(v.waiter.answer);
    sl_media_stream_close(&s);
    await(&engine_state.stream_closes, 1);

    /* A viewer who leaves in the middle of a chunk. */
    ask_what(&v, "a", SL_MEDIA_STREAM, "", 0);
    deliver(&v);
    s = sl_media_stream_take(&v.waiter);
    sl_answer_unref(&v.waiter.answer);
    v.done = false;
    sl_media_stream_next(s, &v.waiter);
    expect(&v, 200, "chunk");
    engine_state.hold = true;
    sl_media_stream_next(s, &v.waiter);
    sl_media_leave(&v.waiter);
    sl_media_stream_close(&s);
    await(&engine_state.stream_closes, 2);
    engine_state.hold = false;
    close_all();
}

static void test_shutdown(void **state)
{
    struct viewer v[6];

    (void)state;
    open_with(1, 4, 4);
    engine_state.hold = true;
    for (size_t i = 0; i < 4; i++) {
        ask(&v[i], "a", "slow", i);
    }
    ask(&v[4], "b", "slow", 0);
    await(&engine_state.waiting, 1);
    sl_media_cancel(media);
    ask(&v[5], "a", "quick", 0);
    expect(&v[5], 503, NULL);
    for (size_t i = 0; i < 5; i++) {
        deliver(&v[i]);
        assert_int_equal(v[i].waiter.status, 503);
    }
    close_all();
}

static enum sl_status create_once(void *arg)
{
    const struct sl_media_params params = {.engine = &engine,
                                           .root = scratch.path,
                                           .memory = 1 << 20,
                                           .workers = 1,
                                           .transcodes = 1,
                                           .streams = 1,
                                           .sources = 1};
    struct sl_media *m = NULL;
    enum sl_status status = sl_media_create(&m, &params, NULL, NULL);

    (void)arg;
    assert_true((status == SL_OK) == (m != NULL));
    sl_media_destroy(&m);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    failing_alloc_run(create_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),   cmocka_unit_test(test_single_flight),
        cmocka_unit_test(test_all_leave), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_sources),   cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_disk),      cmocka_unit_test(test_stream),
        cmocka_unit_test(test_shutdown),  cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
