/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "failing_alloc.h"
#include "store/dag.h"
#include "store/hash.h"
#include "store/varint.h"
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

/* ---- CARs made by hand --------------------------------------------------------------------- */

static struct sl_cid block_cid(uint8_t codec, const void *data, size_t size)
{
    struct sl_cid cid = {.version = 1, .codec = codec};

    sl_sha256(data, size, cid.digest);
    return cid;
}

static void put_head(struct sl_writer *w, const struct sl_cid *root)
{
    static const uint8_t front[] = {0x3a, 0xa2, 0x65, 'r',  'o',  'o',  't',
                                    's',  0x81, 0xd8, 0x2a, 0x58, 0x25, 0x00};
    uint8_t cid[SL_CID_BYTES_MAX];

    sl_write_bytes(w, front, sizeof front);
    sl_write_bytes(w, cid, sl_cid_encode(root, cid));
    sl_write_bytes(w, "\x67version\x01", 9);
}

static void put_block(struct sl_writer *w, const struct sl_cid *cid, const void *data, size_t size)
{
    uint8_t bytes[SL_CID_BYTES_MAX];
    size_t cid_size = sl_cid_encode(cid, bytes);

    sl_write_varint(w, cid_size + size);
    sl_write_bytes(w, bytes, cid_size);
    sl_write_bytes(w, data, size);
}

static enum sl_status import_bytes(struct sl_cas *cas, const void *data, size_t size,
                                   struct sl_error *err)
{
    const struct sl_cas_import_params params = {
        .name = "test.car", .pin = "x", .max_bytes = 1 << 30};
    enum sl_status status;
    int fd;

    scratch_write(scratch_name(&scratch, "test.car"), data, size);
    fd = open(scratch_name(&scratch, "test.car"), O_RDONLY);
    assert_true(fd >= 0);
    status = sl_cas_import(cas, fd, &params, err);
    close(fd);
    return status;
}

static void expect_empty(const char *store)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s/objects", store);
    assert_int_equal(scratch_count(scratch_name(&scratch, name)), 0);
    (void)snprintf(name, sizeof name, "%s/pins", store);
    assert_int_equal(scratch_count(scratch_name(&scratch, name)), 0);
}

/* ---- there and back ------------------------------------------------------------------------ */

static void export_to(struct sl_cas *cas, const struct sl_cid *root, bool checked,
                      struct sl_chain *out)
{
    struct sl_cas_export *e = NULL;
    enum sl_status status;

    assert_int_equal(sl_cas_export_open(&e, cas, root, checked, NULL), SL_OK);
    do {
        status = sl_cas_export_next(e, out, NULL);
    } while (status == SL_OK);
    assert_int_equal(status, SL_EOF);
    sl_cas_export_close(&e);
}

static void test_round(void **state)
{
    struct sl_cas *from = open_store(&scratch, "from"), *to = open_store(&scratch, "to");

    (void)state;
    for (int profile = 0; profile < 3; profile++) {
        struct sl_cas_info a = add_noise(from, 0, profile, NULL);
        struct sl_cas_info b = add_noise(from, 3 * MIB + 1, profile, NULL);
        struct sl_cas_info pair = add_pair(from, &a, &b, NULL);
        struct sl_cas_info top = add_pair(from, &pair, &b, NULL), found;
        struct sl_chain plain, checked;
        struct sl_buf *x = NULL, *y = NULL;
        struct sl_cas_totals totals;

        sl_chain_init(&plain);
        sl_chain_init(&checked);
        export_to(from, &top.cid, false, &plain);
        export_to(from, &top.cid, true, &checked);
        assert_int_equal(sl_chain_load(&plain, &x, NULL), SL_OK);
        assert_int_equal(sl_chain_load(&checked, &y, NULL), SL_OK);
        assert_int_equal(x->size, y->size);
        assert_memory_equal(x->data, y->data, x->size);
        assert_true(x->size < 3 * MIB + 10000); /* b is in it once */
        assert_int_equal(import_bytes(to, x->data, x->size, NULL), SL_OK);
        assert_int_equal(sl_cas_stat(to, &top.cid, &found, NULL), SL_OK);
        assert_int_equal(found.tsize, top.tsize);
        assert_int_equal(sl_cas_stat(to, &b.cid, &found, NULL), SL_OK);
        assert_int_equal(found.tsize, b.tsize);
        assert_int_equal(found.size, b.size);
        assert_int_equal(sl_cas_verify(to, NULL, NULL, NULL, &totals, NULL), SL_OK);
        sl_buf_unref(&x);
        sl_buf_unref(&y);
        sl_chain_clear(&plain);
        sl_chain_clear(&checked);
    }
    sl_cas_close(&from);
    sl_cas_close(&to);
    assert_int_equal(scratch_count(scratch_name(&scratch, "to/temp")), 0);
}

/* Cut anywhere: an error, and nothing appears. */
static void test_cut(void **state)
{
    struct sl_cas *from = open_store(&scratch, "from"), *to = open_store(&scratch, "to");
    struct sl_cas_info a = add_noise(from, 3, 0, NULL), b = add_noise(from, 9, 2, NULL);
    struct sl_cas_info pair = add_pair(from, &a, &b, NULL);
    struct sl_chain chain;
    struct sl_buf *car = NULL;

    (void)state;
    sl_chain_init(&chain);
    export_to(from, &pair.cid, false, &chain);
    assert_int_equal(sl_chain_load(&chain, &car, NULL), SL_OK);
    for (size_t cut = 0; cut < car->size; cut++) {
        struct sl_error err = {0};

        assert_int_equal(import_bytes(to, car->data, cut, &err), SL_EDATA);
        assert_string_equal(err.where, "test.car");
    }
    expect_empty("to");
    /* A bit of any byte turned over: never another object under a name. */
    for (size_t at = 0; at < car->size; at++) {
        struct sl_cas_totals totals;

        car->data[at] ^= 1;
        (void)import_bytes(to, car->data, car->size, NULL);
        assert_int_equal(sl_cas_verify(to, NULL, NULL, NULL, &totals, NULL), SL_OK);
        car->data[at] ^= 1;
    }
    assert_int_equal(import_bytes(to, car->data, car->size, NULL), SL_OK);
    sl_buf_unref(&car);
    sl_chain_clear(&chain);
    sl_cas_close(&from);
    sl_cas_close(&to);
}

/* ---- DAGs that we would not make ------------------------------------------------------------ */

/* A file whose root has content itself, a leaf of type raw, the same leaf twice, and its blocks in
 * the wrong order: what other builders make, or made once. */
static void test_foreign(void **state)
{
    static const char leaf[] = "\x0a\x0a\x08\x00\x12\x04leaf\x18\x04"; /* type 0 */
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cid leaf_cid = block_cid(SL_CODEC_DAG_PB, leaf, sizeof(leaf) - 1);
    struct sl_cid raw_cid = block_cid(SL_CODEC_RAW, "raw!", 4), root_cid, found;
    struct sl_writer root, car;
    struct sl_cas_info info;
    struct sl_chain chain;
    struct sl_buf *buf = NULL;
    uint8_t bytes[SL_CID_BYTES_MAX];
    size_t size;

    (void)state;
    sl_writer_init(&root, 1000);
    for (int i = 0; i < 3; i++) {
        const struct sl_cid *cid = i == 1 ? &raw_cid : &leaf_cid;

        sl_write_bytes(&root, "\x12\x28\x0a\x24", 4);
        sl_write_bytes(&root, bytes, sl_cid_encode(cid, bytes));
        sl_write_bytes(&root, "\x12\x00", 2);
    }
    sl_write_bytes(&root, "\x0a\x0f\x08\x02\x12\x03own\x18\x0f\x20\x04\x20\x04\x20\x04", 17);
    root_cid = block_cid(SL_CODEC_DAG_PB, root.data, root.size);
    sl_writer_init(&car, 10000);
    put_head(&car, &root_cid);
    put_block(&car, &raw_cid, "raw!", 4);
    put_block(&car, &root_cid, root.data, root.size);
    put_block(&car, &leaf_cid, leaf, sizeof(leaf) - 1);
    put_block(&car, &raw_cid, "raw!", 4);
    assert_int_equal(import_bytes(cas, car.data, car.size, NULL), SL_OK);
    assert_int_equal(sl_cas_stat(cas, &root_cid, &info, NULL), SL_OK);
    assert_int_equal(info.size, 15);
    {
        uint8_t *content = scratch_read(object_path(&scratch, "s", &root_cid, ""), &size);

        assert_int_equal(size, 15);
        assert_memory_equal(content, "ownleafraw!leaf", 15);
        free(content);
    }
    assert_int_equal(sl_cas_check(cas, &root_cid, 0, -1, NULL), SL_OK);
    /* The block of each comes out as it was. */
    sl_chain_init(&chain);
    assert_int_equal(sl_cas_block(cas, &leaf_cid, &chain, NULL), SL_OK);
    assert_int_equal(sl_chain_load(&chain, &buf, NULL), SL_OK);
    found = block_cid(SL_CODEC_DAG_PB, buf->data, buf->size);
    assert_true(sl_cid_same(&found, &leaf_cid));
    sl_buf_unref(&buf);
    sl_chain_clear(&chain);
    sl_writer_clear(&root);
    sl_writer_clear(&car);
    sl_cas_close(&cas);
}

/* A CAR of a file of one link, with what the parent says about it. */
static enum sl_status import_parent(struct sl_cas *cas, uint64_t stated, bool with_leaf,
                                    bool wrong_hash)
{
    struct sl_dag_link link = {.name = "", .size = stated, .tsize = 4};
    struct sl_writer node, car;
    struct sl_cid root;
    enum sl_status status;

    link.cid = block_cid(SL_CODEC_RAW, "leaf", 4);
    sl_writer_init(&node, 1000);
    sl_writer_init(&car, 10000);
    sl_dag_write_file(&node, &link, 1);
    root = block_cid(SL_CODEC_DAG_PB, node.data, node.size);
    put_head(&car, &root);
    put_block(&car, &root, node.data, node.size);
    if (with_leaf) {
        put_block(&car, &link.cid, wrong_hash ? "Leaf" : "leaf", 4);
    }
    status = import_bytes(cas, car.data, car.size, NULL);
    sl_writer_clear(&node);
    sl_writer_clear(&car);
    return status;
}

static void test_refused(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");

    (void)state;
    assert_int_equal(import_parent(cas, 5, true, false), SL_EDATA);  /* size is another */
    assert_int_equal(import_parent(cas, 4, false, false), SL_EDATA); /* missing */
    assert_int_equal(import_parent(cas, 4, true, true), SL_EDATA);   /* hash is another */
    expect_empty("s");
    assert_int_equal(import_bytes(cas, "\x0a\xa1\x67version\x02", 11, NULL), SL_EUNSUPPORTED);
    assert_int_equal(import_bytes(cas, "", 0, NULL), SL_EDATA);
    assert_int_equal(import_bytes(cas, "RIFF....AVI LIST", 16, NULL), SL_EDATA);
    expect_empty("s");
    assert_int_equal(import_parent(cas, 4, true, false), SL_OK);
    /* What the store has, a CAR need not bring again. */
    assert_int_equal(import_parent(cas, 4, false, false), SL_OK);
    sl_cas_close(&cas);
}

/* A few kilobytes that stand for an absurd number of bytes. */
static void bomb(size_t leaf_size, const char *told)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_dag_link links[200] = {{.name = ""}};
    struct sl_writer car, node;
    static const uint8_t leaf[1024];
    struct sl_error err = {0};
    struct sl_cid cids[7];
    uint64_t size = leaf_size;

    sl_writer_init(&car, MIB);
    cids[0] = block_cid(SL_CODEC_RAW, leaf, leaf_size);
    put_head(&car, &cids[0]); /* its place: the root is known later */
    put_block(&car, &cids[0], leaf, leaf_size);
    for (int level = 1; level < 5; level++) {
        for (size_t i = 0; i < 200; i++) {
            links[i] = (struct sl_dag_link){.cid = cids[level - 1], .name = "", .size = size};
        }
        sl_writer_init(&node, MIB);
        sl_dag_write_file(&node, links, 200);
        assert_int_equal(node.status, SL_OK);
        size *= 200;
        cids[level] = block_cid(SL_CODEC_DAG_PB, node.data, node.size);
        put_block(&car, &cids[level], node.data, node.size);
        sl_writer_clear(&node);
    }
    (void)sl_cid_encode(&cids[4], car.data + 14);
    assert_int_equal(import_bytes(cas, car.data, car.size, &err), SL_EDATA);
    assert_non_null(strstr(err.msg, told));
    expect_empty("s");
    sl_writer_clear(&car);
    sl_cas_close(&cas);
}

static void test_bombs(void **state)
{
    (void)state;
    bomb(1024, "there is room for");
    bomb(0, "more links than");
}

/* ---- out of memory ------------------------------------------------------------------------- */

static struct sl_buf *memory_car;

static enum sl_status import_once(void *arg)
{
    const struct sl_cas_import_params params = {.name = "m", .pin = "x"};
    struct sl_cas *cas = NULL;
    struct sl_error err = {0};
    enum sl_status status =
        sl_cas_open(&cas, scratch_name(&scratch, "to"), SL_CAS_CREATE | SL_CAS_NO_SYNC, NULL, &err);
    int fd = open(scratch_name(&scratch, "test.car"), O_RDONLY);

    (void)arg;
    assert_true(fd >= 0);
    if (status == SL_OK) {
        status = sl_cas_import(cas, fd, &params, &err);
    }
    close(fd);
    sl_cas_close(&cas);
    return status;
}

static enum sl_status export_once(void *arg)
{
    struct sl_cas *cas = NULL;
    struct sl_cas_export *e = NULL;
    struct sl_chain chain;
    enum sl_status status =
        sl_cas_open(&cas, scratch_name(&scratch, "from"), SL_CAS_READ_ONLY, NULL, NULL);

    sl_chain_init(&chain);
    if (status == SL_OK) {
        status = sl_cas_export_open(&e, cas, arg, true, NULL);
    }
    while (status == SL_OK) {
        status = sl_cas_export_next(e, &chain, NULL);
    }
    sl_cas_export_close(&e);
    sl_chain_clear(&chain);
    sl_cas_close(&cas);
    return status == SL_EOF ? SL_OK : status;
}

static void test_memory(void **state)
{
    struct sl_cas *from = open_store(&scratch, "from");
    struct sl_cas_info a = add_noise(from, 3, 0, NULL), b = add_noise(from, 300000, 1, NULL);
    struct sl_cas_info pair = add_pair(from, &a, &b, NULL);
    struct sl_chain chain;

    (void)state;
    sl_chain_init(&chain);
    export_to(from, &pair.cid, false, &chain);
    assert_int_equal(sl_chain_load(&chain, &memory_car, NULL), SL_OK);
    scratch_write(scratch_name(&scratch, "test.car"), memory_car->data, memory_car->size);
    sl_buf_unref(&memory_car);
    sl_chain_clear(&chain);
    failing_alloc_run_lenient(import_once, NULL);
    failing_alloc_run(export_once, &pair.cid);
    sl_cas_close(&from);
    assert_int_equal(scratch_count(scratch_name(&scratch, "to/temp")), 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_round),   CASE(test_cut),   CASE(test_foreign),
        CASE(test_refused), CASE(test_bombs), CASE(test_memory),
    };

    return cmocka_run_group_tests_name("store/car", tests, NULL, NULL);
}
