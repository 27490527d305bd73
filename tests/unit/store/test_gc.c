/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sha256.h"
#include "failing_alloc.h"
#include "store_support.h"

#define MIB (1u << 20)

static struct scratch scratch;

static int set_up(void **state)
{
    (void)state;
    scratch_make(&scratch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

static struct sl_cas_totals gc(struct sl_cas *cas)
{
    struct sl_cas_totals totals;

    assert_int_equal(sl_cas_gc(cas, false, &totals, NULL), SL_OK);
    return totals;
}

static void test_pins(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 10, 0, NULL), b = add_noise(cas, 2 * MIB, 0, "one");
    struct sl_cas_info pair = add_pair(cas, &a, &b, "two");
    struct sl_cas_totals totals;

    (void)state;
    sl_cas_release(cas);
    assert_int_equal(gc(cas).removed, 0); /* the directory keeps a */
    assert_int_equal(sl_cas_unpin(cas, &pair.cid, "one", NULL), SL_ENOTFOUND);
    assert_int_equal(sl_cas_pin(cas, &pair.cid, "three", NULL), SL_OK);
    assert_int_equal(sl_cas_pin(cas, &pair.cid, "three", NULL), SL_OK);
    assert_int_equal(sl_cas_unpin(cas, &pair.cid, "two", NULL), SL_OK);
    assert_int_equal(gc(cas).removed, 0); /* somebody else still pins it */
    assert_int_equal(sl_cas_unpin(cas, &pair.cid, "three", NULL), SL_OK);
    assert_int_equal(sl_cas_gc(cas, true, &totals, NULL), SL_OK);
    assert_int_equal(totals.removed, 2);
    assert_true(sl_cas_has(cas, &pair.cid));
    totals = gc(cas);
    assert_int_equal(totals.removed, 2);
    assert_int_equal(totals.objects, 1);
    assert_false(sl_cas_has(cas, &a.cid));
    assert_true(sl_cas_has(cas, &b.cid));
    assert_int_equal(sl_cas_pin(cas, &pair.cid, NULL, NULL), SL_ENOTFOUND);
    assert_int_equal(sl_cas_unpin(cas, &b.cid, "one", NULL), SL_OK);
    assert_int_equal(gc(cas).removed, 1);
    sl_cas_close(&cas);
}

/* A pin of v0 and one of v1 are of one object. */
static void test_versions(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, MIB, 2, "x");
    struct sl_cid v1 = sl_cid_v1(&a.cid);

    (void)state;
    sl_cas_release(cas);
    assert_int_equal(a.cid.version, 0);
    assert_int_equal(gc(cas).removed, 0);
    assert_int_equal(sl_cas_unpin(cas, &v1, "x", NULL), SL_OK);
    assert_int_equal(gc(cas).removed, 1);
    sl_cas_close(&cas);
}

/* What an open handle has added stays; once it is closed, or has released it, it may go. */
static void test_sessions(void **state)
{
    struct sl_cas *adder = open_store(&scratch, "s"), *other = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(adder, 10, 0, NULL), b = add_noise(adder, 3 * MIB, 0, NULL);
    struct sl_cas_writer *w = NULL;

    (void)state;
    assert_int_equal(gc(other).removed, 0);
    assert_int_equal(gc(adder).removed, 0);
    sl_cas_release(adder);
    assert_int_equal(gc(other).removed, 2);
    assert_false(sl_cas_has(adder, &a.cid));
    /* A file on its way in is not touched. */
    assert_int_equal(sl_cas_writer_open(&w, adder, SL_STORE_UNIXFS_V1, NULL), SL_OK);
    assert_int_equal(sl_cas_writer_write(w, "x", 1, NULL), SL_OK);
    assert_int_equal(gc(other).removed, 0);
    assert_int_equal(sl_cas_writer_commit(&w, NULL, &b, NULL), SL_OK);
    assert_int_equal(gc(other).removed, 0);
    sl_cas_close(&adder);
    assert_int_equal(gc(other).removed, 1);
    sl_cas_close(&other);
}

/* Two files share a block; the one that the index names goes. */
static void test_index(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 2 * MIB, 0, "a"), b, found;
    struct sl_cas_writer *w = NULL;
    struct sl_chain chain;
    struct sl_cid leaf = {.version = 1, .codec = SL_CODEC_RAW};
    static uint8_t data[2 * MIB];

    (void)state;
    /* The first MiB of a, and something else. */
    scratch_noise(data, sizeof data, 2 * MIB);
    sl_sha256(data, MIB, leaf.digest);
    data[2 * MIB - 1] ^= 1;
    assert_int_equal(sl_cas_writer_open(&w, cas, SL_STORE_UNIXFS_V1_2025, NULL), SL_OK);
    assert_int_equal(sl_cas_writer_write(w, data, sizeof data, NULL), SL_OK);
    assert_int_equal(sl_cas_writer_commit(&w, "b", &b, NULL), SL_OK);
    assert_int_equal(sl_cas_stat(cas, &leaf, &found, NULL), SL_OK);
    assert_int_equal(found.size, MIB);
    assert_int_equal(sl_cas_unpin(cas, &a.cid, "a", NULL), SL_OK);
    assert_int_equal(gc(cas).removed, 1);
    sl_chain_init(&chain);
    assert_int_equal(sl_cas_block(cas, &leaf, &chain, NULL), SL_OK);
    assert_int_equal(chain.size, MIB);
    sl_chain_clear(&chain);
    assert_int_equal(sl_cas_unpin(cas, &b.cid, "b", NULL), SL_OK);
    assert_int_equal(gc(cas).removed, 1);
    assert_int_equal(sl_cas_stat(cas, &leaf, &found, NULL), SL_ENOTFOUND);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/blocks")), 0);
    sl_cas_close(&cas);
}

/* A process that dies in the middle leaves nothing that anybody has to clean by hand. */
static void test_killed(void **state)
{
    struct sl_cas *cas;
    pid_t child = fork();
    int status;

    (void)state;
    if (child == 0) {
        struct sl_cas_writer *w = NULL;
        static uint8_t data[3 * MIB];

        cas = open_store(&scratch, "s");
        (void)add_noise(cas, 20, 0, NULL);
        (void)!sl_cas_writer_open(&w, cas, SL_STORE_UNIXFS_V1, NULL);
        (void)!sl_cas_writer_write(w, data, sizeof data, NULL);
        (void)kill(getpid(), SIGKILL);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/temp")), 2);
    cas = open_store(&scratch, "s");
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/temp")), 0);
    assert_int_equal(gc(cas).removed, 1);
    sl_cas_close(&cas);
}

/* Nothing goes while a directory that is kept cannot be read. */
static void test_damaged_directory(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 10, 0, NULL);
    struct sl_cas_info pair = add_pair(cas, &a, &a, "x");
    struct sl_cas_totals totals;

    (void)state;
    sl_cas_release(cas);
    assert_int_equal(truncate(object_path(&scratch, "s", &pair.cid, ".node"), 30), 0);
    assert_int_equal(sl_cas_gc(cas, false, &totals, NULL), SL_EDATA);
    assert_int_equal(totals.removed, 0);
    assert_true(sl_cas_has(cas, &a.cid));
    sl_cas_close(&cas);
}

struct listed {
    char text[512];
};

static void list_pin(void *opaque, const struct sl_cid *cid, const char *name)
{
    struct listed *l = opaque;
    size_t length = strlen(l->text);

    (void)snprintf(l->text + length, sizeof l->text - length, "%c%s ",
                   cid->version == 0 ? 'Q' : 'b', name);
}

static void test_names(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 10, 0, "run:1");
    struct sl_cas_info b = add_noise(cas, MIB, 2, "A-b_c.d");
    static const char *const bad[] = {"", "a b", "a/b", "ä", "a@b"};
    struct listed listed = {""};
    char longest[SL_CAS_PIN_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(sl_cas_pin(cas, &a.cid, bad[i], NULL), SL_EINVAL);
    }
    memset(longest, 'x', sizeof longest);
    longest[SL_CAS_PIN_NAME_MAX + 1] = '\0';
    assert_int_equal(sl_cas_pin(cas, &b.cid, longest, NULL), SL_EINVAL);
    longest[SL_CAS_PIN_NAME_MAX] = '\0';
    assert_int_equal(sl_cas_pin(cas, &b.cid, longest, NULL), SL_OK);
    assert_int_equal(sl_cas_unpin(cas, &b.cid, longest, NULL), SL_OK);
    assert_int_equal(sl_cas_pin(cas, &a.cid, NULL, NULL), SL_OK);
    assert_int_equal(sl_cas_pins(cas, list_pin, &listed, NULL), SL_OK);
    assert_string_equal(listed.text, "QA-b_c.d brun:1 buser ");
    sl_cas_close(&cas);
}

static enum sl_status collect(void *arg)
{
    struct sl_cas *cas = NULL;
    struct sl_cas_totals totals;
    enum sl_status status =
        sl_cas_open(&cas, scratch_name(&scratch, "s"), SL_CAS_NO_SYNC, NULL, NULL);

    (void)arg;
    if (status == SL_OK) {
        status = sl_cas_gc(cas, true, &totals, NULL);
    }
    if (status == SL_OK) {
        status = sl_cas_verify(cas, NULL, NULL, NULL, &totals, NULL);
    }
    sl_cas_close(&cas);
    return status;
}

static void test_memory(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 600000, 1, NULL);

    (void)state;
    (void)add_pair(cas, &a, &a, "x");
    sl_cas_close(&cas);
    failing_alloc_run_lenient(collect, NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_pins),   CASE(test_versions),          CASE(test_sessions), CASE(test_index),
        CASE(test_killed), CASE(test_damaged_directory), CASE(test_names),    CASE(test_memory),
    };

    return cmocka_run_group_tests_name("store/gc", tests, NULL, NULL);
}
