/* SPDX-License-Identifier: BSD-2-Clause */
/* The public remux: run, pull and push make the same bytes; any end comes cleanly. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/remux.h>

#include "scratch.h"
#include "unit.h"

static struct scratch home;
static char film[512], sound[512];

static void ffmpeg(const char *arguments, const char *to)
{
    char command[2048];
    (void)snprintf(command, sizeof command, "ffmpeg -v error -nostdin -y %s %s", arguments, to);
    if (system(command) != 0) {
        fail_msg("failed: %s", command);
    }
}

static int set_up(void **state)
{
    (void)state;
    scratch_make(&home);
    (void)snprintf(film, sizeof film, "%s", scratch_name(&home, "film.mkv"));
    ffmpeg("-f lavfi -i testsrc2=size=320x240:rate=30000/1001:duration=6 "
           "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=6 "
           "-c:v libx264 -preset veryfast -g 30 -pix_fmt yuv420p -c:a aac -cluster_time_limit 500",
           film);
    (void)snprintf(sound, sizeof sound, "%s", scratch_name(&home, "sound.mka"));
    ffmpeg("-f lavfi -i sine=frequency=440:sample_rate=44100:duration=3 -c:a libmp3lame", sound);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&home);
    return 0;
}

static struct sl_remux_params defaults(const char *input)
{
    struct sl_remux_params p;
    assert_int_equal(sl_remux_params_default(&p, sizeof p, NULL), SL_OK);
    (void)snprintf(p.input, sizeof p.input, "%s", input);
    return p;
}

static struct sl_remux *opened(const struct sl_remux_params *p)
{
    struct sl_remux *r = NULL;
    assert_int_equal(sl_remux_open(&r, p, NULL, NULL, NULL), SL_OK);
    return r;
}

struct bytes {
    uint8_t *data;
    size_t size;
    int pieces;
};

static void append(struct bytes *b, const uint8_t *data, size_t size)
{
    b->data = realloc(b->data, b->size + size + 1);
    assert_non_null(b->data);
    memcpy(b->data + b->size, data, size);
    b->size += size;
    b->pieces++;
}

/* Everything that can be read now. */
static enum sl_status read_all(struct sl_remux *r, struct bytes *b)
{
    const uint8_t *data;
    size_t size;
    enum sl_status st;
    while ((st = sl_remux_read(r, &data, &size, NULL)) == SL_OK) {
        assert_true(size > 0);
        append(b, data, size);
    }
    return st;
}

static struct bytes pulled(const struct sl_remux_params *p)
{
    struct bytes b = {NULL, 0, 0};
    struct sl_remux *r = opened(p);
    assert_int_equal(read_all(r, &b), SL_EOF);
    sl_remux_destroy(&r);
    assert_null(r);
    return b;
}

static void run_is_pull_is_push(void **state)
{
    struct sl_remux_params p = defaults(film);
    struct bytes whole = pulled(&p);
    size_t size, in_size;
    uint8_t *in = scratch_read(film, &in_size);
    (void)state;
    assert_true(whole.pieces > 4);

    (void)snprintf(p.output, sizeof p.output, "%s", scratch_name(&home, "run.mp4"));
    struct sl_remux *r = opened(&p);
    assert_int_equal(sl_remux_run(r, NULL), SL_OK);
    assert_string_equal(sl_remux_codecs(r), "avc1.64000d,mp4a.40.2");
    sl_remux_destroy(&r);
    uint8_t *written = scratch_read(p.output, &size);
    assert_int_equal(size, whole.size);
    assert_memory_equal(written, whole.data, size);
    free(written);

    static const size_t steps[] = {1, 1000, 65536, 100000000};
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        struct sl_remux_params push = defaults("");
        struct bytes b = {NULL, 0, 0};
        r = opened(&push);
        for (size_t at = 0; at < in_size;) {
            size_t n = in_size - at < steps[k] ? in_size - at : steps[k];
            assert_int_equal(sl_remux_push(r, in + at, n, NULL), SL_OK);
            at += n;
            /* The last bytes may be an index that nobody waits for. */
            enum sl_status st = read_all(r, &b);
            assert_true(st == SL_EAGAIN || (st == SL_EOF && in_size - at < 4096));
        }
        sl_remux_end(r);
        assert_int_equal(read_all(r, &b), SL_EOF);
        assert_int_equal(read_all(r, &b), SL_EOF);
        assert_int_equal(b.size, whole.size);
        assert_memory_equal(b.data, whole.data, b.size);
        sl_remux_destroy(&r);
        free(b.data);
    }
    free(in);
    free(whole.data);
}

struct memory {
    const uint8_t *data;
    size_t size;
    bool broken;
};

static enum sl_status read_memory(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                                  struct sl_error *err)
{
    const struct memory *m = opaque;
    (void)err;
    if (m->broken && offset > (int64_t)m->size / 2) {
        return SL_EIO;
    }
    size_t left = (size_t)offset < m->size ? m->size - (size_t)offset : 0;
    *got = left < size ? left : size;
    memcpy(dst, m->data + offset, *got);
    return SL_OK;
}

static void from_a_function_into_memory(void **state)
{
    struct sl_remux_params p = defaults(film);
    struct bytes whole = pulled(&p);
    struct memory m = {NULL, 0, false};
    uint8_t *in = scratch_read(film, &m.size);
    (void)state;
    m.data = in;
    p = defaults("");
    for (int round = 0; round < 3; round++) {
        struct sl_remux_source source = {.read = read_memory,
                                         .opaque = &m,
                                         .size = round ? (int64_t)m.size : -1,
                                         .seekable = round > 0};
        struct bytes b = {NULL, 0, 0};
        uint8_t block[10007];
        struct sl_remux *r = NULL;
        enum sl_status st;
        size_t got;
        m.broken = round == 2;
        assert_int_equal(sl_remux_open_source(&r, &p, &source, NULL, NULL, NULL), SL_OK);
        while ((st = sl_remux_read_into(r, block, sizeof block, &got, NULL)) == SL_OK) {
            append(&b, block, got);
        }
        assert_int_equal(st, round == 2 ? SL_EIO : SL_EOF);
        if (round < 2) {
            assert_int_equal(b.size, whole.size);
            assert_memory_equal(b.data, whole.data, b.size);
        }
        assert_int_equal(sl_remux_push(r, "x", 1, NULL), SL_EINVAL);
        sl_remux_destroy(&r);
        free(b.data);
    }
    free(in);
    free(whole.data);
}

/* The file's first bytes, then clusters from its middle. */
static void header_and_clusters_from_the_middle(void **state)
{
    static const uint8_t cluster[4] = {0x1f, 0x43, 0xb6, 0x75};
    size_t size, first = 0, middle = 0;
    uint8_t *in = scratch_read(film, &size);
    struct sl_remux_params p = defaults("");
    struct bytes b = {NULL, 0, 0};
    (void)state;
    for (size_t i = 0; i + 4 < size; i++) {
        if (memcmp(in + i, cluster, 4) == 0) {
            first = first ? first : i;
            middle = middle || i < size / 2 ? middle : i;
        }
    }
    assert_true(first > 0 && middle > first);
    p.decode_time = (struct sl_rational){3, 1};
    struct sl_remux *r = opened(&p);
    assert_int_equal(sl_remux_push(r, in, first, NULL), SL_OK);
    assert_int_equal(sl_remux_push(r, in + middle, size - middle, NULL), SL_OK);
    sl_remux_end(r);
    assert_int_equal(read_all(r, &b), SL_EOF);
    assert_true(b.pieces >= 2);
    /* tfdt, version 1, of the first track of the first fragment: three seconds of 1/30000 */
    static const uint8_t tfdt[] = {'t', 'f', 'd', 't', 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x5f, 0x90};
    bool found = false;
    for (size_t i = 0; i + sizeof tfdt < b.size && !found; i++) {
        found = memcmp(b.data + i, tfdt, sizeof tfdt) == 0;
    }
    assert_true(found);
    sl_remux_destroy(&r);
    free(b.data);
    free(in);
}

static void without_init_the_rest_is_the_same(void **state)
{
    struct sl_remux_params p = defaults(film);
    struct bytes whole = pulled(&p);
    p.no_init = 1;
    struct bytes rest = pulled(&p);
    (void)state;
    assert_true(rest.size < whole.size);
    assert_memory_equal(rest.data, whole.data + (whole.size - rest.size), rest.size);
    assert_memory_equal(rest.data + 4, "moof", 4);
    free(whole.data);
    free(rest.data);
}

static void sound_alone(void **state)
{
    struct sl_remux_params p = defaults(sound);
    struct bytes b = pulled(&p);
    (void)state;
    assert_true(b.pieces >= 3); /* by time */
    free(b.data);
}

static void cancelled_at_any_point(void **state)
{
    struct sl_remux_params p = defaults(film);
    const uint8_t *data;
    size_t size;
    (void)state;
    (void)snprintf(p.output, sizeof p.output, "%s", scratch_name(&home, "never.mp4"));
    size_t before = scratch_count(home.path);
    for (int after = 0; after < 4; after++) {
        struct sl_remux *r = opened(&p);
        for (int i = 0; i < after; i++) {
            assert_int_equal(sl_remux_read(r, &data, &size, NULL), SL_OK);
        }
        sl_remux_cancel(r);
        assert_int_equal(sl_remux_run(r, NULL), SL_ECANCELLED);
        assert_int_equal(sl_remux_read(r, &data, &size, NULL), SL_ECANCELLED);
        sl_remux_destroy(&r);
    }
    assert_int_equal(scratch_count(home.path), before);
}

static void a_failure_leaves_no_file(void **state)
{
    struct sl_remux_params p = defaults(film);
    struct sl_error err = {0};
    (void)state;
    (void)snprintf(p.output, sizeof p.output, "%s", scratch_name(&home, "never.mp4"));
    size_t before = scratch_count(home.path);
    p.start = (struct sl_rational){100, 1};
    struct sl_remux *r = opened(&p);
    assert_int_equal(sl_remux_run(r, &err), SL_EINVAL);
    assert_string_equal(err.where, "start");
    sl_remux_destroy(&r);
    p = defaults("/dev/null");
    (void)snprintf(p.output, sizeof p.output, "%s", scratch_name(&home, "never.mp4"));
    r = opened(&p);
    assert_true(sl_remux_run(r, NULL) != SL_OK);
    sl_remux_destroy(&r);
    assert_int_equal(scratch_count(home.path), before);
}

static void to_a_descriptor(void **state)
{
    struct sl_remux_params p = defaults(film);
    struct bytes whole = pulled(&p);
    const char *path = scratch_name(&home, "fd.mp4");
    size_t size;
    (void)state;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    struct sl_remux *r = opened(&p);
    assert_int_equal(sl_remux_run_fd(r, fd, NULL), SL_OK);
    sl_remux_destroy(&r);
    assert_int_equal(close(fd), 0);
    uint8_t *written = scratch_read(path, &size);
    assert_int_equal(size, whole.size);
    free(written);
    free(whole.data);
}

static void wrong_use_is_refused(void **state)
{
    struct sl_remux_params p = defaults(film);
    struct sl_remux *r = NULL;
    const uint8_t *data;
    size_t size;
    (void)state;
    assert_int_equal(sl_remux_params_default(&p, 12, NULL), SL_EINVAL);
    p.struct_size = 1;
    assert_int_equal(sl_remux_open(&r, &p, NULL, NULL, NULL), SL_EINVAL);
    p = defaults(film);
    p.channels = 3;
    assert_int_equal(sl_remux_open(&r, &p, NULL, NULL, NULL), SL_EINVAL);
    p = defaults(film);
    p.start = (struct sl_rational){-1, 1};
    assert_int_equal(sl_remux_open(&r, &p, NULL, NULL, NULL), SL_EINVAL);
    p = defaults(film);
    p.faststart = p.no_init = 1;
    assert_int_equal(sl_remux_open(&r, &p, NULL, NULL, NULL), SL_EINVAL);
    p = defaults(film);
    p.faststart = 1;
    r = opened(&p);
    assert_int_equal(sl_remux_read(r, &data, &size, NULL), SL_EINVAL);
    assert_int_equal(sl_remux_read_into(r, &size, sizeof size, &size, NULL), SL_EINVAL);
    sl_remux_destroy(&r);
    p = defaults(film);
    r = opened(&p);
    assert_int_equal(sl_remux_push(r, "x", 1, NULL), SL_EINVAL);
    sl_remux_destroy(&r);
    sl_remux_destroy(&r);
    sl_remux_destroy(NULL);
    sl_remux_cancel(NULL);
    sl_remux_end(NULL);
    assert_string_equal(sl_remux_codecs(NULL), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_is_pull_is_push),
        cmocka_unit_test(from_a_function_into_memory),
        cmocka_unit_test(header_and_clusters_from_the_middle),
        cmocka_unit_test(without_init_the_rest_is_the_same),
        cmocka_unit_test(sound_alone),
        cmocka_unit_test(cancelled_at_any_point),
        cmocka_unit_test(a_failure_leaves_no_file),
        cmocka_unit_test(to_a_descriptor),
        cmocka_unit_test(wrong_use_is_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
