/* SPDX-License-Identifier: BSD-2-Clause */
/* Flights over addresses on the web: versions, faults of origins, addresses that change. The engine
 * is ours, and so are the origins. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "serve/media.h"
#include "unit.h"

/* What the origins do. */
static struct {
    atomic_int opens, closes, answers, revision, open_fault, waiting;
    atomic_bool hold, stale; /* opening waits; what was opened at "old…" fails */
} origin;

struct opened {
    char url[32], revision[16];
    atomic_int fault;
};

static enum sl_status engine_open(const void *opaque, const struct sl_media_input *input,
                                  void **source, const struct sl_cancel *cancel,
                                  struct sl_error *err)
{
    struct opened *o = NULL;

    (void)opaque;
    *source = NULL;
    assert_null(input->file);
    atomic_fetch_add(&origin.waiting, 1);
    while (atomic_load(&origin.hold) && !sl_cancelled(cancel)) {
        (void)usleep(1000);
    }
    atomic_fetch_sub(&origin.waiting, 1);
    if (sl_cancelled(cancel)) {
        return SL_ECANCELLED;
    }
    if (atomic_load(&origin.open_fault) ||
        (atomic_load(&origin.stale) && strncmp(input->url, "old", 3) == 0)) {
        *input->fault = atomic_load(&origin.open_fault) ? atomic_load(&origin.open_fault) : 502;
        return sl_fail(err, SL_EIO, input->name, "is not to be had");
    }
    o = sl_alloc_zero(sizeof *o);
    if (!o) {
        return sl_fail_memory(err);
    }
    (void)snprintf(o->url, sizeof o->url, "%s", input->url);
    (void)snprintf(o->revision, sizeof o->revision, "%d", atomic_load(&origin.revision));
    atomic_fetch_add(&origin.opens, 1);
    *source = o;
    return SL_OK;
}

static void engine_close(void *source)
{
    atomic_fetch_add(&origin.closes, 1);
    sl_free(source);
}

static const char *engine_revision(void *source)
{
    return ((const struct opened *)source)->revision;
}

static int engine_fault(void *source)
{
    return atomic_load(&((struct opened *)source)->fault);
}

static const char *engine_settings(void *source)
{
    (void)source;
    return "settings";
}

static bool engine_costly(void *source, const struct sl_media_ask *ask)
{
    (void)source;
    return strcmp(ask->rendition, "costly") == 0;
}

static enum sl_status engine_answer(void *source, const struct sl_media_ask *ask,
                                    struct sl_chain *out, const struct sl_cancel *cancel,
                                    struct sl_error *err)
{
    struct opened *o = source;
    char text[64];
    int n = snprintf(text, sizeof text, "%s %s", ask->rendition, o->revision);

    (void)cancel;
    atomic_fetch_add(&origin.answers, 1);
    if (atomic_load(&origin.stale) && strncmp(o->url, "old", 3) == 0) {
        atomic_store(&o->fault, 502);
        return sl_fail(err, SL_EIO, o->url, "is over");
    }
    if (strcmp(ask->rendition, "half") == 0) { /* made, but not of all there should have been */
        atomic_store(&o->fault, 504);
    }
    return sl_chain_add_copy(out, text, (size_t)n, err);
}

static enum sl_status engine_stream_open(void *source, const struct sl_media_ask *ask,
                                         void **stream, struct sl_error *err)
{
    (void)ask;
    (void)err;
    *stream = source;
    return SL_OK;
}

static enum sl_status engine_stream_next(void *stream, struct sl_chain *out,
                                         const struct sl_cancel *cancel, struct sl_error *err)
{
    struct opened *o = stream;

    (void)cancel;
    if (atomic_load(&origin.stale)) {
        atomic_store(&o->fault, 502);
        return SL_EOF; /* a demuxer that takes a failure for the end */
    }
    return sl_chain_add_copy(out, "chunk", 5, err);
}

static void engine_stream_cancel(void *stream)
{
    (void)stream;
}

static const struct sl_media_engine engine = {
    .version = "test",
    .open = engine_open,
    .close = engine_close,
    .revision = engine_revision,
    .fault = engine_fault,
    .settings = engine_settings,
    .costly = engine_costly,
    .answer = engine_answer,
    .stream_open = engine_stream_open,
    .stream_next = engine_stream_next,
    .stream_cancel = engine_stream_cancel,
    .stream_close = engine_stream_cancel,
};

/* ---- viewers ------------------------------------------------------------------------------- */

struct viewer {
    struct sl_waiter waiter;
    bool done;
};

static struct sl_media *media;
static struct sl_media_port port;
static const uint8_t key[32] = "0123456789abcdef0123456789abcdef";

static void on_done(struct sl_waiter *w)
{
    ((struct viewer *)w->opaque)->done = true;
}

static void open_all(bool alias)
{
    const struct sl_media_params params = {
        .engine = &engine,
        .memory = 1 << 20,
        .workers = 1,
        .transcodes = 1,
        .waiting = 0,
        .streams = 1,
        .sources = 2,
        .remote = true,
        .alias_key = alias ? key : NULL,
    };

    memset(&origin, 0, sizeof origin);
    assert_int_equal(sl_media_create(&media, &params, NULL, NULL), SL_OK);
    assert_int_equal(sl_media_port_open(&port, media, NULL), SL_OK);
}

static void close_all(void)
{
    sl_media_port_close(&port);
    sl_media_destroy(&media);
    assert_int_equal(origin.opens, origin.closes);
}

/* id NULL: the address is the identity. */
static void ask(struct viewer *v, const char *url, const char *id, enum sl_media_what what,
                const char *rendition, const char *version)
{
    struct sl_media_want want = {.ask = {.what = what, .time = {0, 1}}, .pinned = version != NULL};

    memset(v, 0, sizeof *v);
    v->waiter = (struct sl_waiter){.port = &port, .done = on_done, .opaque = v};
    (void)snprintf(want.ask.rendition, sizeof want.ask.rendition, "%s", rendition);
    (void)snprintf(want.address, sizeof want.address, "%-16.16s", url);
    (void)snprintf(want.id, sizeof want.id, "%-16.16s", id ? id : url);
    (void)snprintf(want.version, sizeof want.version, "%s", version ? version : "");
    want.opaque = id != NULL;
    want.url = sl_strdup(url);
    want.name = sl_strdup(url);
    v->done = sl_media_request(media, &want, false, &v->waiter);
    sl_free(want.name);
    sl_free(want.url);
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

static void segment(struct viewer *v, const char *url, const char *rendition, const char *version)
{
    ask(v, url, NULL, SL_MEDIA_SEGMENT, rendition, version);
}

/* ---- the tests ----------------------------------------------------------------------------- */

static void test_versions(void **state)
{
    char first[17], second[17];
    struct viewer v;

    (void)state;
    open_all(false);
    segment(&v, "a", "quick", NULL);
    expect(&v, 200, "quick 0");
    memcpy(first, v.waiter.version, sizeof first);
    assert_int_equal(strlen(first), 16);
    segment(&v, "a", "quick", NULL);
    assert_true(v.done); /* from memory: the version is known */
    expect(&v, 200, "quick 0");
    segment(&v, "a", "quick", first);
    expect(&v, 200, "quick 0");
    segment(&v, "a", "quick", "0123456789abcdef");
    expect(&v, 404, NULL);
    assert_string_equal(v.waiter.detail, "the source has changed");
    assert_int_equal(origin.opens, 1);

    atomic_store(&origin.revision, 1); /* nobody notices, until something fails */
    segment(&v, "a", "quick", NULL);
    expect(&v, 200, "quick 0");
    segment(&v, "a", "half", NULL);
    expect(&v, 504, NULL);
    segment(&v, "a", "quick", NULL);
    expect(&v, 200, "quick 1");
    memcpy(second, v.waiter.version, sizeof second);
    assert_string_not_equal(first, second);
    segment(&v, "a", "quick", first);
    expect(&v, 404, NULL);
    assert_int_equal(origin.opens, 2);

    atomic_store(&origin.revision, 0); /* as it was: what was kept is good again */
    segment(&v, "a", "half", NULL);
    expect(&v, 504, NULL);
    ask(&v, "a", NULL, SL_MEDIA_SEGMENT, "quick", first);
    expect(&v, 200, "quick 0");
    assert_int_equal(origin.answers, 4);
    close_all();
}

static void test_aliases(void **state)
{
    struct viewer v;
    char shown[17];

    (void)state;
    open_all(true);
    ask(&v, "a", "0123456789abcdef", SL_MEDIA_SEGMENT, "quick", NULL);
    expect(&v, 200, "quick 0");
    memcpy(shown, v.waiter.version, sizeof shown);
    assert_string_not_equal(shown, "0123456789abcdef"); /* of which it would tell */
    ask(&v, "a", "0123456789abcdef", SL_MEDIA_SEGMENT, "quick", shown);
    expect(&v, 200, "quick 0");
    ask(&v, "a", "0123456789abcdef", SL_MEDIA_SEGMENT, "quick", "0123456789abcdef");
    expect(&v, 404, NULL);
    close_all();
}

static void test_faults(void **state)
{
    static const int faults[] = {403, 404, 502, 504};
    struct viewer v[3];

    (void)state;
    open_all(false);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        atomic_store(&origin.open_fault, faults[i]);
        atomic_store(&origin.hold, true);
        segment(&v[0], "a", "quick", NULL);
        segment(&v[1], "a", "quick", NULL); /* joins */
        segment(&v[2], "a", "other", NULL); /* waits for the same source */
        (void)usleep(20000);
        atomic_store(&origin.hold, false);
        for (size_t k = 0; k < 3; k++) {
            expect(&v[k], faults[i], NULL);
            assert_true(v[k].waiter.detail[0]);
            assert_null(strchr(v[k].waiter.detail, ':'));
        }
    }
    atomic_store(&origin.open_fault, 0);
    segment(&v[0], "a", "quick", NULL);
    expect(&v[0], 200, "quick 0");
    close_all();
}

static void test_changing_addresses(void **state)
{
    static const char *const renditions[] = {"quick", "costly", "costly"};
    char id[17] = "0123456789abcde0";
    struct viewer v, w;

    (void)state;
    open_all(false);
    for (size_t i = 0; i < sizeof renditions / sizeof *renditions; i++) {
        int opens = atomic_load(&origin.opens);

        id[15] = (char)('0' + i);
        atomic_store(&origin.stale, false);
        ask(&v, "old", id, SL_MEDIA_SEGMENT, "first", NULL);
        expect(&v, 200, "first 0");
        atomic_store(&origin.stale, true);
        atomic_store(&origin.revision, 1); /* what an id stands for does not change */
        ask(&v, "new", id, SL_MEDIA_SEGMENT, "first", NULL);
        expect(&v, 200, "first 0");
        assert_int_equal(origin.opens, opens + 1);
        ask(&v, "new", id, SL_MEDIA_SEGMENT, renditions[i], NULL);
        expect(&v, 200, renditions[i][0] == 'q' ? "quick 1" : "costly 1");
        assert_int_equal(origin.opens, opens + 2);
        ask(&v, "old", id, SL_MEDIA_SEGMENT, "then", NULL); /* it is open by the new one */
        expect(&v, 200, "then 1");
        atomic_store(&origin.revision, 0);
    }
    /* Who waits for the opening at an address that is over tries its own. */
    atomic_store(&origin.hold, true);
    ask(&v, "old", "another", SL_MEDIA_SEGMENT, "quick", NULL);
    while (atomic_load(&origin.waiting) == 0) {
        (void)usleep(1000);
    }
    ask(&w, "new", "another", SL_MEDIA_SEGMENT, "other", NULL);
    (void)usleep(20000);
    atomic_store(&origin.hold, false);
    expect(&v, 502, NULL);
    expect(&w, 200, "other 0");
    close_all();
}

static void test_streams(void **state)
{
    struct sl_media_stream *s;
    struct viewer v;

    (void)state;
    open_all(false);
    ask(&v, "a", NULL, SL_MEDIA_STREAM, "", NULL);
    deliver(&v);
    assert_int_equal(v.waiter.status, 200);
    s = sl_media_stream_take(&v.waiter);
    assert_non_null(s);
    sl_media_leave(&v.waiter);
    atomic_store(&origin.stale, true);
    v.done = false;
    sl_media_stream_next(s, &v.waiter);
    deliver(&v);
    assert_int_equal(v.waiter.status, 502);
    assert_false(v.waiter.last); /* broken off, not over */
    sl_media_leave(&v.waiter);
    sl_media_stream_close(&s);
    close_all();
}

static void test_shutdown(void **state)
{
    struct viewer v[20];
    char url[17];

    (void)state;
    open_all(false);
    atomic_store(&origin.hold, true);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        (void)snprintf(url, sizeof url, "url%zu", i % 18);
        segment(&v[i], url, i % 2 ? "costly" : "quick", NULL);
    }
    (void)usleep(20000);
    sl_media_cancel(media);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        expect(&v[i], 503, NULL);
    }
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions), cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_faults),   cmocka_unit_test(test_changing_addresses),
        cmocka_unit_test(test_streams),  cmocka_unit_test(test_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
