/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "failing_alloc.h"
#include "store/dag.h"
#include "store/store.h"
#include "store/varint.h"
#include "unit.h"

static const uint8_t digest[SL_CID_DIGEST_SIZE] = {1, 2, 3};

static struct sl_dag_link link_to(const char *name, uint64_t size)
{
    struct sl_dag_link l = {
        .name = name, .name_size = strlen(name), .size = size, .tsize = size + 14};

    l.cid.version = 1;
    l.cid.codec = SL_CODEC_RAW;
    memcpy(l.cid.digest, digest, sizeof digest);
    return l;
}

static enum sl_status read_back(void *arg)
{
    struct sl_dag_link links[3] = {link_to("", 100), link_to("", 100), link_to("", 7)};
    struct sl_dag_node node = {0};
    struct sl_writer w;
    enum sl_status status;

    (void)arg;
    sl_writer_init(&w, SL_CAS_BLOCK_MAX);
    sl_dag_write_file(&w, links, 3);
    status = sl_writer_finish(&w, NULL);
    if (status == SL_OK) {
        status = sl_dag_decode(&node, w.data, w.size, NULL);
    }
    if (status == SL_OK) {
        assert_int_equal(node.count, 3);
        assert_int_equal(node.type, SL_UNIXFS_FILE);
        assert_int_equal(node.size, 207);
        assert_int_equal(node.tsize, w.size + 207 + 3 * 14);
        assert_int_equal(node.links[2].size, 7);
        assert_int_equal(node.data_size, 0);
        assert_true(sl_cid_same(&node.links[0].cid, &links[0].cid));
    }
    sl_dag_clear(&node);
    sl_writer_clear(&w);
    return status;
}

static void test_file(void **state)
{
    (void)state;
    failing_alloc_run(read_back, NULL);
}

/* The blocks that every node calls by the best-known CIDs. */
static void test_leaves(void **state)
{
    static const uint8_t empty[] = {0x0a, 0x04, 0x08, 0x02, 0x18, 0x00};
    struct sl_dag_frame f;

    (void)state;
    sl_dag_leaf_frame(&f, 0);
    assert_int_equal(f.head_size + f.tail_size, sizeof empty);
    assert_memory_equal(f.head, empty, f.head_size);
    assert_memory_equal(f.tail, empty + f.head_size, f.tail_size);
    sl_dag_leaf_frame(&f, 12);
    assert_memory_equal(f.head, "\x0a\x12\x08\x02\x12\x0c", 6);
    assert_memory_equal(f.tail, "\x18\x0c", 2);
    sl_dag_leaf_frame(&f, UINT64_MAX / 2);
    assert_true(f.head_size <= sizeof f.head && f.tail_size <= sizeof f.tail);
}

static void test_directory(void **state)
{
    static const uint8_t empty[] = {0x0a, 0x02, 0x08, 0x01};
    struct sl_dag_link links[3] = {link_to("a", 1), link_to("a.b", 2), link_to("ab", 3)};
    struct sl_dag_node node;
    struct sl_writer w;

    (void)state;
    sl_writer_init(&w, SL_CAS_BLOCK_MAX);
    sl_dag_write_directory(&w, NULL, 0);
    assert_int_equal(w.size, sizeof empty);
    assert_memory_equal(w.data, empty, sizeof empty);
    sl_writer_clear(&w);
    sl_writer_init(&w, SL_CAS_BLOCK_MAX);
    sl_dag_write_directory(&w, links, 3);
    assert_int_equal(sl_dag_decode(&node, w.data, w.size, NULL), SL_OK);
    assert_int_equal(node.type, SL_UNIXFS_DIRECTORY);
    assert_int_equal(node.links[1].name_size, 3);
    assert_memory_equal(node.links[1].name, "a.b", 3);
    sl_dag_clear(&node);
    /* Cut anywhere, it is damage or, between two parts, no directory any more. */
    for (size_t cut = 0; cut < w.size; cut++) {
        enum sl_status status = sl_dag_decode(&node, w.data, cut, NULL);

        assert_true(status == SL_EDATA || node.type == SL_UNIXFS_NONE);
        sl_dag_clear(&node);
    }
    sl_writer_clear(&w);
}

static enum sl_status decode_directory(const struct sl_dag_link *links, size_t count)
{
    struct sl_dag_node node;
    struct sl_writer w;
    enum sl_status status;

    sl_writer_init(&w, SL_CAS_BLOCK_MAX);
    sl_dag_write_directory(&w, links, count);
    status = sl_dag_decode(&node, w.data, w.size, NULL);
    sl_dag_clear(&node);
    sl_writer_clear(&w);
    return status;
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a/b", "/", "../x"};
    static const char *const good[] = {"...", ".a", "a b", "é", "a\\b", "\n"};
    struct sl_dag_link two[2] = {link_to("b", 1), link_to("a", 1)};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct sl_dag_link one = link_to(bad[i], 1);

        assert_int_equal(decode_directory(&one, 1), SL_EDATA);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct sl_dag_link one = link_to(good[i], 1);

        assert_int_equal(decode_directory(&one, 1), SL_OK);
    }
    assert_int_equal(decode_directory(two, 2), SL_EDATA); /* not in order */
    two[0] = two[1];
    assert_int_equal(decode_directory(two, 2), SL_EDATA); /* twice */
    two[0] = link_to("a\0b", 1);
    two[0].name_size = 3;
    assert_int_equal(decode_directory(two, 1), SL_EDATA);
}

static enum sl_status decode(const char *bytes, size_t size, enum sl_unixfs_type *type)
{
    struct sl_dag_node node;
    enum sl_status status = sl_dag_decode(&node, (const uint8_t *)bytes, size, NULL);

    *type = node.type;
    sl_dag_clear(&node);
    return status;
}

static void test_strict(void **state)
{
#define CASE(text, status, kind)                                                                   \
    {                                                                                              \
        text, sizeof(text) - 1, status, kind                                                       \
    }
    static const struct {
        const char *bytes;
        size_t size;
        enum sl_status status;
        enum sl_unixfs_type type;
    } cases[] = {
        CASE("", SL_OK, SL_UNIXFS_NONE),
        CASE("\x0a\x02\x08\x01", SL_OK, SL_UNIXFS_DIRECTORY),
        CASE("\x0a\x02\x08\x01\x0a\x02\x08\x01", SL_EDATA, SL_UNIXFS_NONE), /* Data twice */
        CASE("\x1a\x02\x08\x01", SL_EDATA, SL_UNIXFS_NONE),                 /* field 3 */
        CASE("\x08\x01", SL_EDATA, SL_UNIXFS_NONE),                         /* a number */
        CASE("\x12\x00", SL_EDATA, SL_UNIXFS_NONE),                         /* no Hash */
        CASE("\x0a\x04\x08\x02\x18\x05", SL_EDATA, SL_UNIXFS_NONE),         /* size without bytes */
        CASE("\x0a\x07\x08\x02\x12\x01x\x18\x01", SL_OK, SL_UNIXFS_FILE),
        CASE("\x0a\x07\x08\x02\x12\x01x\x18\x02", SL_EDATA, SL_UNIXFS_NONE),
        CASE("\x0a\x09\x08\x02\x12\x01x\x18\x02\x20\x01", SL_EDATA, SL_UNIXFS_NONE), /* no link */
        CASE("\x0a\x02\x08\x04", SL_OK, SL_UNIXFS_SYMLINK),
        CASE("\x0a\x02\x08\x09", SL_OK, SL_UNIXFS_NONE),        /* a type of tomorrow */
        CASE("\x0a\x02hi", SL_OK, SL_UNIXFS_NONE),              /* dag-pb, and not UnixFS */
        CASE("\x0a\x83\x00\x08\x01", SL_EDATA, SL_UNIXFS_NONE), /* a length that is longer */
    };
    enum sl_unixfs_type type;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum sl_status status = decode(cases[i].bytes, cases[i].size, &type);

        if (status != cases[i].status || type != cases[i].type) {
            fail_msg("case %zu: status %d, type %d", i, (int)status, (int)type);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),      cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_directory), cmocka_unit_test(test_names),
        cmocka_unit_test(test_strict),
    };

    return cmocka_run_group_tests_name("store/dag", tests, NULL, NULL);
}
