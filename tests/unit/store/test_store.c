/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failing_alloc.h"
#include "store/dag.h"
#include "store/hash.h"
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

/* What came out, compared as it comes. */
struct expected {
    const uint8_t *data;
    size_t size, at;
};

static enum sl_status compare(void *opaque, const void *data, size_t size, struct sl_error *err)
{
    struct expected *e = opaque;

    (void)err;
    assert_true(e->at + size <= e->size);
    assert_memory_equal(e->data + e->at, data, size);
    e->at += size;
    return SL_OK;
}

static void expect_content(struct sl_cas *cas, const struct sl_cid *cid, const uint8_t *data,
                           size_t size)
{
    struct expected e = {data, size, 0};

    assert_int_equal(sl_cas_read_checked(cas, cid, compare, &e, NULL), SL_OK);
    assert_int_equal(e.at, size);
}

static void test_content(void **state)
{
    static const size_t sizes[] = {0, 1, 262144, 262145, 3 * MIB + 5};
    struct sl_cas *cas = open_store(&scratch, "s");
    static uint8_t data[3 * MIB + 5];

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        scratch_noise(data, sizes[i], (uint32_t)sizes[i]);
        for (int profile = 0; profile < 3; profile++) {
            struct sl_cas_info info = add_noise(cas, sizes[i], profile, NULL), found;
            struct sl_file *file = NULL;
            int64_t offset = -1;

            expect_content(cas, &info.cid, data, sizes[i]);
            assert_int_equal(sl_cas_open_file(cas, &info.cid, &file, &offset, &found, NULL), SL_OK);
            assert_int_equal(offset, 0);
            assert_int_equal(file->size, sizes[i]);
            assert_int_equal(found.size, sizes[i]);
            assert_int_equal(found.tsize, info.tsize);
            sl_file_unref(&file);
        }
    }
    sl_cas_close(&cas);
}

/* Each link of a file's node, as a block and as a file of its own. */
static void check_blocks(struct sl_cas *cas, const struct sl_cid *cid, const uint8_t *data,
                         size_t size, size_t *leaves)
{
    uint8_t digest[SL_CID_DIGEST_SIZE];
    struct sl_hasher hasher;
    struct sl_chain chain;
    struct sl_buf *block = NULL;
    struct sl_file *file = NULL;
    struct sl_cas_info info;
    int64_t offset;

    sl_chain_init(&chain);
    assert_int_equal(sl_cas_block(cas, cid, &chain, NULL), SL_OK);
    assert_int_equal(sl_chain_load(&chain, &block, NULL), SL_OK);
    sl_hasher_init(&hasher);
    sl_hasher_digest(&hasher, block->data, block->size, digest);
    sl_hasher_clear(&hasher);
    assert_memory_equal(digest, cid->digest, sizeof digest);
    expect_content(cas, cid, data, size);
    assert_int_equal(sl_cas_open_file(cas, cid, &file, &offset, &info, NULL), SL_OK);
    assert_int_equal(info.size, size);
    assert_int_equal(info.kind, SL_STORE_FILE);
    sl_file_unref(&file);
    if (cid->codec == SL_CODEC_DAG_PB) {
        struct sl_dag_node node;
        size_t at = 0;

        assert_int_equal(sl_dag_decode(&node, block->data, block->size, NULL), SL_OK);
        assert_int_equal(info.tsize, node.tsize);
        for (size_t i = 0; i < node.count; i++) {
            check_blocks(cas, &node.links[i].cid, data + at, (size_t)node.links[i].size, leaves);
            at += (size_t)node.links[i].size;
        }
        *leaves += node.count == 0;
        sl_dag_clear(&node);
    } else {
        ++*leaves;
    }
    sl_buf_unref(&block);
    sl_chain_clear(&chain);
}

static void test_blocks(void **state)
{
    /* More leaves than one node has links: inner nodes below the root. */
    const size_t size = 176 * 262144 - 7;
    uint8_t *data = malloc(size);
    struct sl_cas *cas = open_store(&scratch, "s");

    (void)state;
    assert_non_null(data);
    scratch_noise(data, size, (uint32_t)size);
    for (int profile = 0; profile < 3; profile++) {
        struct sl_cas_info info = add_noise(cas, size, profile, NULL);
        size_t leaves = 0;

        check_blocks(cas, &info.cid, data, size, &leaves);
        assert_int_equal(leaves, profile == 0 ? 44 : 176);
    }
    free(data);
    sl_cas_close(&cas);
}

static void test_same_twice(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s"), *other = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 3 * MIB, 0, "x"), b = add_noise(other, 3 * MIB, 0, "x");
    struct stat before, after;

    (void)state;
    assert_true(sl_cid_same(&a.cid, &b.cid));
    assert_int_equal(stat(object_path(&scratch, "s", &a.cid, ""), &before), 0);
    b = add_noise(other, 3 * MIB, 0, "y");
    assert_int_equal(stat(object_path(&scratch, "s", &a.cid, ""), &after), 0);
    assert_true(before.st_ino == after.st_ino);
    sl_cas_close(&other);
    sl_cas_close(&cas);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/temp")), 0);
}

static void test_abort(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_writer *w = NULL;
    static uint8_t data[2 * MIB];

    (void)state;
    assert_int_equal(sl_cas_writer_open(&w, cas, SL_STORE_UNIXFS_V1, NULL), SL_OK);
    assert_int_equal(sl_cas_writer_write(w, data, sizeof data, NULL), SL_OK);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/temp")), 2); /* lease, content */
    sl_cas_writer_abort(&w);
    assert_null(w);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/temp")), 1);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/objects")), 0);
    /* A name that no pin may have is told before anything is published. */
    assert_int_equal(sl_cas_writer_open(&w, cas, SL_STORE_UNIXFS_V1, NULL), SL_OK);
    assert_int_equal(sl_cas_writer_commit(&w, "a/b", NULL, NULL), SL_EINVAL);
    assert_null(w);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/objects")), 0);
    sl_cas_close(&cas);
}

static void test_directories(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 10, 0, NULL), b = add_noise(cas, 2 * MIB, 0, NULL);
    struct sl_cas_info pair = add_pair(cas, &a, &b, NULL), top = add_pair(cas, &pair, &a, NULL);
    struct sl_cas_info found, gone = a;
    struct sl_cas_list list;
    struct sl_cas_dir *dir = NULL;
    char path[256], text[SL_CID_TEXT_SIZE];

    (void)state;
    assert_int_equal(sl_cas_list(cas, &pair.cid, &list, NULL), SL_OK);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.entries[0].name, "a");
    assert_true(sl_cid_same(&list.entries[1].cid, &b.cid));
    assert_int_equal(list.entries[1].tsize, b.tsize);
    sl_cas_list_clear(&list);
    (void)snprintf(path, sizeof path, "/ipfs/%s/a/b", sl_cid_text(&top.cid, text));
    assert_int_equal(sl_cas_resolve(cas, path, &found, NULL), SL_OK);
    assert_true(sl_cid_same(&found.cid, &b.cid));
    assert_int_equal(sl_cas_resolve(cas, path + 6, &found, NULL), SL_OK);
    (void)snprintf(path, sizeof path, "%s/a/", text);
    assert_int_equal(sl_cas_resolve(cas, path, &found, NULL), SL_OK);
    assert_int_equal(found.kind, SL_STORE_DIRECTORY);
    assert_int_equal(found.tsize, pair.tsize);
    (void)snprintf(path, sizeof path, "%s/a/c", text);
    assert_int_equal(sl_cas_resolve(cas, path, &found, NULL), SL_ENOTFOUND);
    (void)snprintf(path, sizeof path, "%s/b/x", text);
    assert_int_equal(sl_cas_resolve(cas, path, &found, NULL), SL_EUNSUPPORTED); /* b is a file */
    assert_int_equal(sl_cas_resolve(cas, "/ipfs/", &found, NULL), SL_EINVAL);
    assert_int_equal(sl_cas_list(cas, &a.cid, &list, NULL), SL_EUNSUPPORTED);

    /* What is not there cannot be named; names are those that a file can have, once. */
    assert_int_equal(sl_cas_dir_open(&dir, NULL), SL_OK);
    gone.cid.digest[0] ^= 1;
    assert_int_equal(sl_cas_dir_add(dir, "x", &gone, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_commit(&dir, cas, NULL, 1, NULL, &found, NULL), SL_ENOTFOUND);
    assert_int_equal(sl_cas_dir_open(&dir, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_add(dir, "..", &a, NULL), SL_EINVAL);
    assert_int_equal(sl_cas_dir_add(dir, "a/b", &a, NULL), SL_EINVAL);
    assert_int_equal(sl_cas_dir_add(dir, "x", &a, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_add(dir, "x", &b, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_commit(&dir, cas, NULL, 1, NULL, &found, NULL), SL_EINVAL);
    sl_cas_close(&cas);
}

static void test_large_directory(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 10, 0, NULL), made;
    struct sl_cas_dir *dir = NULL;
    enum sl_status status = SL_OK;
    char name[16];
    int count = 0;

    (void)state;
    assert_int_equal(sl_cas_dir_open(&dir, NULL), SL_OK);
    for (; status == SL_OK; count++) {
        (void)snprintf(name, sizeof name, "%06d.m4s", count);
        status = sl_cas_dir_add(dir, name, &a, NULL);
    }
    assert_int_equal(status, SL_EUNSUPPORTED);
    assert_int_equal(count - 1, SL_CAS_DIRECTORY_MAX / (10 + 36));
    assert_int_equal(sl_cas_dir_commit(&dir, cas, NULL, 1, NULL, &made, NULL), SL_OK);
    assert_true(made.size < SL_CAS_BLOCK_MAX);
    sl_cas_close(&cas);
}

static void damage(const char *path, off_t at)
{
    int fd = open(path, O_RDWR);
    char c;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c = (char)(c ^ 1);
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

static enum sl_status ignore(void *opaque, const void *data, size_t size, struct sl_error *err)
{
    (void)data;
    (void)err;
    *(size_t *)opaque += size;
    return SL_OK;
}

static void count_damaged(void *opaque, const struct sl_cid *cid, const struct sl_error *why)
{
    (void)cid;
    assert_true(why->msg[0] != '\0');
    ++*(int *)opaque;
}

static void test_damage(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 5 * MIB, 0, "x"), b = add_noise(cas, 100, 0, "x");
    struct sl_cas_info d = add_pair(cas, &a, &b, "x"), c = add_noise(cas, 3 * MIB, 2, NULL);
    struct sl_cas_totals totals;
    struct sl_cas_list list;
    struct sl_chain chain;
    size_t got = 0;
    int told = 0;

    (void)state;
    assert_int_equal(sl_cas_verify(cas, NULL, count_damaged, &told, &totals, NULL), SL_OK);
    assert_int_equal(totals.objects, 4);
    damage(object_path(&scratch, "s", &a.cid, ""), 2 * MIB + 1);
    /* Only the blocks that are good come out, and only a range that holds the bad one is refused.
     */
    assert_int_equal(sl_cas_read_checked(cas, &a.cid, ignore, &got, NULL), SL_EDATA);
    assert_int_equal(got, 2 * MIB);
    assert_int_equal(sl_cas_check(cas, &a.cid, 0, 2 * MIB, NULL), SL_OK);
    assert_int_equal(sl_cas_check(cas, &a.cid, 3 * MIB, 1, NULL), SL_OK);
    assert_int_equal(sl_cas_check(cas, &a.cid, 3 * MIB - 1, 1, NULL), SL_EDATA);
    damage(object_path(&scratch, "s", &d.cid, ".node"), 20);
    assert_int_equal(sl_cas_list(cas, &d.cid, &list, NULL), SL_EDATA);
    damage(object_path(&scratch, "s", &c.cid, ".dag"), 200);
    assert_int_not_equal(sl_cas_read_checked(cas, &c.cid, ignore, &got, NULL), SL_OK);
    damage(object_path(&scratch, "s", &b.cid, ""), 99);
    sl_chain_init(&chain);
    assert_int_equal(sl_cas_block(cas, &b.cid, &chain, NULL), SL_EDATA);
    assert_int_equal(chain.size, 0);

    assert_int_equal(sl_cas_verify(cas, NULL, count_damaged, &told, &totals, NULL), SL_EDATA);
    assert_int_equal(totals.damaged, 4);
    assert_int_equal(told, 4);
    assert_false(sl_cas_has(cas, &a.cid));
    assert_true(scratch_count(scratch_name(&scratch, "s/damaged")) >= 4);
    /* Pinned and not there any more is still told; adding mends. */
    assert_int_equal(sl_cas_verify(cas, NULL, NULL, NULL, &totals, NULL), SL_EDATA);
    assert_int_equal(totals.damaged, 3);
    a = add_noise(cas, 5 * MIB, 0, "x");
    b = add_noise(cas, 100, 0, "x");
    (void)add_pair(cas, &a, &b, "x");
    assert_int_equal(sl_cas_verify(cas, NULL, NULL, NULL, &totals, NULL), SL_OK);
    assert_int_equal(sl_cas_verify(cas, &d.cid, NULL, NULL, &totals, NULL), SL_OK);
    assert_int_equal(totals.objects, 3);
    sl_cas_close(&cas);
}

/* A file that is shorter or longer than its nodes say is damaged, whatever its bytes are. */
static void test_wrong_size(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_info a = add_noise(cas, 2 * MIB, 0, NULL), b = add_noise(cas, 50, 0, NULL);
    size_t got = 0;

    (void)state;
    assert_int_equal(truncate(object_path(&scratch, "s", &a.cid, ""), 2 * MIB + 1), 0);
    assert_int_equal(sl_cas_read_checked(cas, &a.cid, ignore, &got, NULL), SL_EDATA);
    assert_int_equal(truncate(object_path(&scratch, "s", &a.cid, ""), MIB), 0);
    assert_int_equal(sl_cas_read_checked(cas, &a.cid, ignore, &got, NULL), SL_EDATA);
    assert_int_equal(truncate(object_path(&scratch, "s", &b.cid, ""), 49), 0);
    assert_int_equal(sl_cas_read_checked(cas, &b.cid, ignore, &got, NULL), SL_EDATA);
    assert_int_equal(got, 0);
    /* Adding again replaces it. */
    b = add_noise(cas, 50, 0, NULL);
    assert_int_equal(sl_cas_check(cas, &b.cid, 0, -1, NULL), SL_OK);
    sl_cas_close(&cas);
}

static void test_open(void **state)
{
    struct sl_cas *cas = NULL;
    struct sl_error err = {0};

    (void)state;
    assert_int_equal(sl_cas_open(&cas, scratch_name(&scratch, "none"), 0, NULL, &err),
                     SL_ENOTFOUND);
    assert_int_equal(mkdir(scratch_name(&scratch, "home"), 0777), 0);
    scratch_write(scratch_name(&scratch, "home/letter"), "x", 1);
    assert_int_equal(sl_cas_open(&cas, scratch_name(&scratch, "home"), SL_CAS_CREATE, NULL, NULL),
                     SL_EUNSUPPORTED);
    assert_int_equal(scratch_count(scratch_name(&scratch, "home")), 1);
    cas = open_store(&scratch, "s");
    (void)add_noise(cas, 5, 0, "x");
    sl_cas_close(&cas);
    assert_int_equal(sl_cas_open(&cas, scratch_name(&scratch, "s"), SL_CAS_READ_ONLY, NULL, NULL),
                     SL_OK);
    assert_int_equal(sl_cas_writer_open(&(struct sl_cas_writer *){NULL}, cas, 0, NULL), SL_EINVAL);
    sl_cas_close(&cas);
    scratch_write(scratch_name(&scratch, "s/sluice-store"), "2\n", 2);
    assert_int_equal(sl_cas_open(&cas, scratch_name(&scratch, "s"), SL_CAS_CREATE, NULL, NULL),
                     SL_EUNSUPPORTED);
}

/* In a process of its own: the limit cannot be taken back. */
static void test_disk_full(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    int status;
    pid_t child;

    (void)state;
    sl_cas_close(&cas);
    child = fork();
    if (child == 0) {
        struct rlimit limit = {MIB, MIB};
        struct sl_cas_writer *w = NULL;
        struct sl_error err = {0};
        static uint8_t data[MIB];
        int bad = 0;

        signal(SIGXFSZ, SIG_IGN);
        bad |= sl_cas_open(&cas, scratch_name(&scratch, "s"), 0, NULL, NULL) != SL_OK;
        bad |= setrlimit(RLIMIT_FSIZE, &limit) != 0;
        bad |= sl_cas_writer_open(&w, cas, SL_STORE_UNIXFS_V1, NULL) != SL_OK;
        bad |= sl_cas_writer_write(w, data, sizeof data, NULL) != SL_OK;
        bad |= sl_cas_writer_write(w, data, sizeof data, &err) != SL_EIO || !err.msg[0];
        bad |= sl_cas_writer_commit(&w, "x", NULL, NULL) != SL_EIO || w;
        sl_cas_close(&cas);
        _exit(bad);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/temp")), 0);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/objects")), 0);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/pins")), 0);
}

static void test_tree(void **state)
{
    struct sl_cas *cas = open_store(&scratch, "s");
    struct sl_cas_tree_params params = {.recursive = true, .pin = "x"};
    struct sl_cas_info info, found;
    char path[256], text[SL_CID_TEXT_SIZE];

    (void)state;
    assert_int_equal(mkdir(scratch_name(&scratch, "d"), 0777), 0);
    assert_int_equal(mkdir(scratch_name(&scratch, "d/sub"), 0777), 0);
    assert_int_equal(mkdir(scratch_name(&scratch, "d/empty"), 0777), 0);
    scratch_write(scratch_name(&scratch, "d/sub/one"), "hello world\n", 12);
    scratch_write(scratch_name(&scratch, "d/.hidden"), "x", 1);
    assert_int_equal(sl_cas_add_tree(cas, scratch_name(&scratch, "d/"), &params, &info, NULL),
                     SL_OK);
    (void)snprintf(path, sizeof path, "%s/sub/one", sl_cid_text(&info.cid, text));
    assert_int_equal(sl_cas_resolve(cas, path, &found, NULL), SL_OK);
    assert_string_equal(sl_cid_text(&found.cid, text),
                        "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4");
    (void)snprintf(path, sizeof path, "%s/empty", sl_cid_text(&info.cid, text));
    assert_int_equal(sl_cas_resolve(cas, path, &found, NULL), SL_OK);
    assert_string_equal(sl_cid_text(&found.cid, text), /* the empty directory of CIDv1 */
                        "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354");
    (void)snprintf(path, sizeof path, "%s/.hidden", sl_cid_text(&info.cid, text));
    assert_int_equal(sl_cas_resolve(cas, path, &found, NULL), SL_ENOTFOUND);
    params.hidden = true;
    assert_int_equal(sl_cas_add_tree(cas, scratch_name(&scratch, "d"), &params, &info, NULL),
                     SL_OK);
    (void)snprintf(path, sizeof path, "%s/.hidden", sl_cid_text(&info.cid, text));
    assert_int_equal(sl_cas_resolve(cas, path, &found, NULL), SL_OK);
    assert_int_equal(symlink("sub", scratch_name(&scratch, "d/link")), 0);
    assert_int_equal(sl_cas_add_tree(cas, scratch_name(&scratch, "d"), &params, &info, NULL),
                     SL_EUNSUPPORTED);
    params.recursive = false;
    assert_int_equal(sl_cas_add_tree(cas, scratch_name(&scratch, "d"), &params, &info, NULL),
                     SL_EUNSUPPORTED);
    sl_cas_close(&cas);
}

/* ---- out of memory ------------------------------------------------------------------------- */

static enum sl_status everything(void *arg)
{
    static uint8_t data[600000];
    struct sl_cas *cas = NULL;
    struct sl_cas_writer *w = NULL;
    struct sl_cas_dir *dir = NULL;
    struct sl_cas_info info, pair;
    struct sl_cas_list list = {0};
    struct sl_chain chain;
    struct sl_error err = {0};
    char text[SL_CID_TEXT_SIZE];
    size_t got = 0;
    enum sl_status status;

    (void)arg;
    sl_chain_init(&chain);
    status =
        sl_cas_open(&cas, scratch_name(&scratch, "s"), SL_CAS_CREATE | SL_CAS_NO_SYNC, NULL, &err);
    if (status == SL_OK) {
        status = sl_cas_writer_open(&w, cas, SL_STORE_UNIXFS_V1, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_writer_write(w, data, sizeof data, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_writer_commit(&w, "x", &info, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_dir_open(&dir, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_dir_add(dir, "a", &info, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_dir_commit(&dir, cas, NULL, 1, NULL, &pair, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_list(cas, &pair.cid, &list, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_resolve(cas, sl_cid_text(&pair.cid, text), &info, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_read_checked(cas, &list.entries[0].cid, ignore, &got, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_block(cas, &pair.cid, &chain, &err);
    }
    if (status == SL_OK) {
        status = sl_cas_pin(cas, &pair.cid, "y", &err);
    }
    sl_chain_clear(&chain);
    sl_cas_list_clear(&list);
    sl_cas_writer_abort(&w);
    sl_cas_dir_abort(&dir);
    sl_cas_close(&cas);
    return status;
}

static void test_memory(void **state)
{
    (void)state;
    /* Lenient: the index of blocks does without. */
    failing_alloc_run_lenient(everything, NULL);
    assert_int_equal(scratch_count(scratch_name(&scratch, "s/temp")), 0);
}

/* Both ways of hashing, on all lengths around a block of SHA-256. */
static void test_hash(void **state)
{
    struct sl_hasher fast;
    uint8_t data[300], a[SL_CID_DIGEST_SIZE], b[SL_CID_DIGEST_SIZE];

    (void)state;
    scratch_noise(data, sizeof data, 1);
    sl_hasher_init(&fast);
    assert_non_null(fast.ops); /* the module is there in every test run */
    for (size_t n = 0; n <= sizeof data; n++) {
        sl_hasher_digest(&fast, data, n, a);
        sl_sha256(data, n, b);
        assert_memory_equal(a, b, sizeof a);
    }
    sl_hasher_clear(&fast);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_content),   CASE(test_blocks),      CASE(test_same_twice),
        CASE(test_abort),     CASE(test_directories), CASE(test_large_directory),
        CASE(test_damage),    CASE(test_wrong_size),  CASE(test_open),
        CASE(test_disk_full), CASE(test_tree),        CASE(test_memory),
        CASE(test_hash),
    };

    return cmocka_run_group_tests_name("store/store", tests, NULL, NULL);
}
