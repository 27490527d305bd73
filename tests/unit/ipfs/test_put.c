/* SPDX-License-Identifier: BSD-2-Clause */
/* What is sent to a node, and what is made of its answers: a script of answers in place of libcurl.
 * A real node is in tests/services. */
#include "base/error.h"
#include "failing_alloc.h"
#include "ipfs/node.h"
#include "store/car.h"
#include "store_support.h"

/* ---- the script ---------------------------------------------------------------------------- */

struct line {
    const char *call;   /* its begin */
    long code;          /* 0: no connection */
    const char *answer; /* "%s": the root of the CAR that came, or the argument */
};

static const struct line *script;
static size_t script_count;
static char calls[8192];     /* the verbs, a line each */
static char last_call[1024]; /* with its query */
static size_t body_size;

struct pulled {
    struct sl_ipfs_post_call *call;
    size_t size;
};

static enum sl_status pull(void *opaque, void *dst, size_t size, size_t *got, struct sl_error *err)
{
    struct pulled *p = opaque;
    enum sl_status status = p->call->read(p->call->opaque, dst, size, got, err);

    p->size += *got;
    return status;
}

/* All of the body, as a CAR where it is one. */
static enum sl_status swallow(struct sl_ipfs_post_call *call, char root[SL_CID_TEXT_SIZE],
                              struct sl_error *err)
{
    struct pulled p = {.call = call};
    struct sl_car_reader car = {.read = pull, .opaque = &p, .name = "car"};
    uint8_t piece[1000];
    size_t got = 1;
    enum sl_status status = SL_OK;

    if (strncmp(call->path, "dag/import", 10) != 0) {
        while (status == SL_OK && got > 0) {
            status = pull(&p, piece, sizeof piece, &got, err);
        }
        body_size = p.size;
        return status;
    }
    status = sl_car_head(&car, err);
    if (status == SL_OK) {
        assert_int_equal(car.root_count, 1);
        (void)sl_cid_text(&car.roots[0], root);
    }
    while (status == SL_OK) {
        struct sl_cid cid;
        const uint8_t *block;
        size_t size;

        status = sl_car_next(&car, &cid, &block, &size, err);
    }
    sl_car_clear(&car);
    body_size = p.size;
    return status == SL_EOF ? SL_OK : status;
}

static enum sl_status fake_call(struct sl_ipfs_post *post, struct sl_ipfs_post_call *call,
                                struct sl_error *err)
{
    char subject[SL_CID_TEXT_SIZE] = "";
    const char *argument = strstr(call->path, "arg=");

    (void)post;
    (void)snprintf(last_call, sizeof last_call, "%s", call->path);
    assert_true(strlen(calls) + 20 < sizeof calls);
    (void)snprintf(calls + strlen(calls), 20, "%.*s ", (int)strcspn(call->path, "?"), call->path);
    assert_non_null(strstr(call->path, "timeout="));
    assert_true(call->whole_ms > 0);
    if (argument) {
        (void)snprintf(subject, sizeof subject, "%.*s", (int)strcspn(argument + 4, "&"),
                       argument + 4);
    }
    if (call->read) {
        enum sl_status status = swallow(call, subject, err);

        if (status != SL_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < script_count; i++) {
        if (!strncmp(call->path, script[i].call, strlen(script[i].call))) {
            const char *at = strstr(script[i].answer, "%s");

            if (script[i].code == 0) {
                return sl_fail(err, SL_EBUSY, "node", "%s", script[i].answer);
            }
            call->code = script[i].code;
            sl_write_bytes(call->answer, script[i].answer,
                           at ? (size_t)(at - script[i].answer) : strlen(script[i].answer));
            if (at) {
                sl_write_text(call->answer, subject);
                sl_write_text(call->answer, at + 2);
            }
            return call->answer->status == SL_OK ? SL_OK : sl_fail_memory(err);
        }
    }
    fail_msg("%s was not expected", call->path);
    return SL_OK;
}

static const struct sl_ipfs_post_ops fake = {.call = fake_call};

static void begin(struct sl_ipfs *n, const struct line *lines, size_t count)
{
    *n = (struct sl_ipfs){.name = "node", .ops = &fake, .timeout_ms = 60000};
    sl_writer_init(&n->answer, SL_IPFS_ANSWER_MAX);
    script = lines;
    script_count = count;
    calls[0] = '\0';
}

#define BEGIN(n, lines) begin(n, lines, sizeof(lines) / sizeof *(lines))

#define ROOT(text)  "{\"Root\":{\"Cid\":{\"/\":\"%s\"},\"PinErrorMsg\":\"" text "\"}}\n"
#define WRONG       "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
#define ERROR(text) "{\"Message\":\"" text "\",\"Code\":0,\"Type\":\"error\"}"
#define NO_IMPORT                                                                                  \
    {                                                                                              \
        "dag/import", 404, "404 page not found"                                                    \
    }
#define FULL ROOT("")
#define NOT_PINNED(x)                                                                              \
    {                                                                                              \
        "pin/ls", 500, ERROR("path '" x "' is not pinned")                                         \
    }

static const struct line good[] = {
    {"dag/import?timeout", 400, ERROR("file argument 'path' is required")},
    {"dag/import?pin-roots=true", 200, FULL},
    {"dag/import?pin-roots=false", 200, ""},
    NOT_PINNED("x"),
};

/* ---- files --------------------------------------------------------------------------------- */

static void test_file(void **state)
{
    struct scratch s;
    struct sl_cas *cas;
    struct sl_cas_info info;
    struct sl_ipfs n;
    struct sl_error err = {0};

    (void)state;
    scratch_make(&s);
    cas = open_store(&s, "st");
    info = add_noise(cas, 3 << 20, SL_STORE_UNIXFS_V1_2025, "user");
    BEGIN(&n, good);
    assert_int_equal(sl_ipfs_put(&n, cas, &info.cid, 0, NULL, &err), SL_OK);
    assert_int_equal(sl_ipfs_put(&n, cas, &info.cid, 0, NULL, &err), SL_OK);
    assert_string_equal(calls, "dag/import dag/import dag/import ");   /* asked once what it can */
    assert_non_null(strstr(last_call, "timeout=1223s&encoding=json")); /* 20 min and 24 s, less 1 */
    assert_true(body_size > (3 << 20) && body_size < (3 << 20) + 1000);
    sl_writer_clear(&n.answer);
    sl_cas_close(&cas);
    scratch_remove(&s);
}

static void test_file_fails(void **state)
{
    static const struct {
        struct line lines[3];
        enum sl_status status;
        const char *message;
    } cases[] = {
        {{{"dag/import?timeout", 0, "refused"}}, SL_EBUSY, "refused"},
        {{{"dag/import?timeout", 403, ""}}, SL_EIO, "status 403"},
        {{{"dag/import?timeout", 400, ""}, {"dag/import", 0, "cut"}}, SL_EBUSY, "cut"},
        {{{"dag/import?timeout", 400, ""}, {"dag/import", 500, ERROR("no room")}},
         SL_EIO,
         "status 500, the node says: no room"},
        {{{"dag/import?timeout", 400, ""}, {"dag/import", 200, ROOT("no room")}},
         SL_EIO,
         "the node has not pinned it: no room"},
        {{{"dag/import?timeout", 400, ""},
          {"dag/import", 200, "{\"Root\":{\"Cid\":{\"/\":\"" WRONG "\"}}}"}},
         SL_EDATA,
         "does not name the root"},
        {{NO_IMPORT,
          {"add", 200, "{\"Hash\":\"" WRONG "\"}"},
          {"pin/rm", 200, "{\"Pins\":[\"%s\"]}"}},
         SL_EDATA,
         "the node makes " WRONG},
    };
    struct scratch s;
    struct sl_cas *cas;
    struct sl_cas_info info;

    (void)state;
    scratch_make(&s);
    cas = open_store(&s, "st");
    info = add_noise(cas, 1000, SL_STORE_UNIXFS_V1_2025, "user");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_ipfs n;
        struct sl_error err = {0};

        begin(&n, cases[i].lines, cases[i].lines[2].call ? 3 : cases[i].lines[1].call ? 2 : 1);
        assert_int_equal(sl_ipfs_put(&n, cas, &info.cid, 0, NULL, &err), cases[i].status);
        assert_non_null(strstr(err.msg, cases[i].message));
        sl_writer_clear(&n.answer);
    }
    assert_non_null(
        strstr(last_call, "pin/rm?arg=" WRONG)); /* what it has made is not kept there */
    sl_cas_close(&cas);
    scratch_remove(&s);
}

/* Nothing that is damaged leaves the store. */
static void test_damaged(void **state)
{
    struct scratch s;
    struct sl_cas *cas;
    struct sl_cas_info info;
    struct sl_ipfs n;
    struct sl_error err = {0};

    (void)state;
    scratch_make(&s);
    cas = open_store(&s, "st");
    info = add_noise(cas, 1000, SL_STORE_UNIXFS_V1_2025, "user");
    scratch_write(object_path(&s, "st", &info.cid, ""), "x", 1);
    BEGIN(&n, good);
    assert_int_not_equal(sl_ipfs_put(&n, cas, &info.cid, 0, NULL, &err), SL_OK);
    assert_int_not_equal(err.status, SL_EBUSY);
    sl_writer_clear(&n.answer);
    sl_cas_close(&cas);
    scratch_remove(&s);
}

static void test_add(void **state)
{
    static const char *const wanted[] = {"cid-version=1&raw-leaves=true&chunker=size-1048576&"
                                         "max-file-links=1024",
                                         "cid-version=1&raw-leaves=true&chunker=size-262144&"
                                         "max-file-links=174",
                                         "cid-version=0&raw-leaves=false&chunker=size-262144&"
                                         "max-file-links=174"};
    struct scratch s;
    struct sl_cas *cas;

    (void)state;
    scratch_make(&s);
    cas = open_store(&s, "st");
    for (int profile = 0; profile < 3; profile++) {
        struct sl_cas_info info = add_noise(cas, 300000, profile, "user");
        char cid[SL_CID_TEXT_SIZE], answer[160];
        const struct line lines[] = {NO_IMPORT, {"add", 200, answer}};
        struct sl_ipfs n;
        struct sl_error err = {0};

        (void)snprintf(answer, sizeof answer, "{\"Name\":\"file\",\"Hash\":\"%s\",\"Size\":\"1\"}",
                       sl_cid_text(&info.cid, cid));
        BEGIN(&n, lines);
        assert_int_equal(
            sl_ipfs_put(&n, cas, &info.cid, (enum sl_store_profile)profile, NULL, &err), SL_OK);
        assert_non_null(strstr(last_call, wanted[profile]));
        assert_non_null(strstr(last_call, "&hash=sha2-256&trickle=false&inline=false"));
        assert_non_null(strstr(last_call, "&pin=true"));
        assert_int_equal(body_size, 300000);
        sl_writer_clear(&n.answer);
    }
    sl_cas_close(&cas);
    scratch_remove(&s);
}

/* ---- directories --------------------------------------------------------------------------- */

static void test_directory(void **state)
{
    static const struct line missing[] = {
        {"dag/import?timeout", 400, ""},
        {"dag/import?pin-roots=true", 200, ROOT("could not find it")},
        {"dag/import?pin-roots=false", 200, ""},
        NOT_PINNED("x"),
    };
    static const struct line old[] = {
        NO_IMPORT,
        {"pin/ls", 200, "{\"Keys\":{\"%s\":{\"Type\":\"recursive\"}}}"},
        {"block/put", 200, "{\"Key\":\"" WRONG "\",\"Size\":1}"}};
    struct sl_cid_set there = {.max = 10};
    struct sl_cid_entry *entry;
    struct scratch s;
    struct sl_cas *cas;
    struct sl_cas_info a, b, top, below;
    struct sl_ipfs n;
    struct sl_error err = {0};
    bool added;

    (void)state;
    scratch_make(&s);
    cas = open_store(&s, "st");
    a = add_noise(cas, 1000, SL_STORE_UNIXFS_V1_2025, NULL);
    b = add_noise(cas, 2000, SL_STORE_UNIXFS_V1_2025, NULL);
    below = add_pair(cas, &a, &b, NULL);
    top = add_pair(cas, &below, &a, "user");

    BEGIN(&n, good); /* a, b, their directory; a; the root */
    assert_int_equal(sl_ipfs_put(&n, cas, &top.cid, 0, NULL, &err), SL_OK);
    assert_string_equal(
        calls, "dag/import pin/ls dag/import pin/ls dag/import dag/import pin/ls dag/import "
               "dag/import ");
    sl_writer_clear(&n.answer);

    assert_int_equal(sl_cid_set_add(&there, &a.cid, &entry, &added, NULL), SL_OK);
    assert_int_equal(sl_cid_set_add(&there, &b.cid, &entry, &added, NULL), SL_OK);
    BEGIN(&n, good);
    assert_int_equal(sl_ipfs_put(&n, cas, &top.cid, 0, &there, &err), SL_OK);
    assert_string_equal(calls, "dag/import dag/import dag/import ");
    sl_writer_clear(&n.answer);

    BEGIN(&n, missing); /* they are not there after all */
    assert_int_equal(sl_ipfs_put(&n, cas, &top.cid, 0, &there, &err), SL_EIO);
    assert_non_null(strstr(err.msg, "could not find it"));
    assert_string_equal(calls,
                        "dag/import dag/import dag/import pin/ls dag/import pin/ls dag/import "
                        "dag/import pin/ls dag/import dag/import ");
    sl_writer_clear(&n.answer);

    err = (struct sl_error){0};
    BEGIN(&n, old);
    assert_int_equal(sl_ipfs_put(&n, cas, &top.cid, 0, NULL, &err), SL_EDATA);
    assert_string_equal(calls, "dag/import pin/ls pin/ls block/put ");
    sl_writer_clear(&n.answer);
    sl_cid_set_clear(&there);
    sl_cas_close(&cas);
    scratch_remove(&s);
}

/* ---- pins ---------------------------------------------------------------------------------- */

static void test_unpin(void **state)
{
    static const struct line pinned[] = {{"pin/rm", 200, "{\"Pins\":[\"%s\"]}"}};
    static const struct line loose[] = {{"pin/rm", 500, ERROR("not pinned or pinned indirectly")},
                                        NOT_PINNED("x")};
    static const struct line refused[] = {{"pin/rm", 500, ERROR("locked")},
                                          {"pin/ls", 200, "{\"Keys\":{\"%s\":{}}}"}};
    const struct sl_cid cid = {.version = 1, .codec = SL_CODEC_RAW};
    struct sl_ipfs n;
    struct sl_error err = {0};

    (void)state;
    BEGIN(&n, pinned);
    assert_int_equal(sl_ipfs_unpin(&n, &cid, &err), SL_OK);
    sl_writer_clear(&n.answer);
    BEGIN(&n, loose);
    assert_int_equal(sl_ipfs_unpin(&n, &cid, &err), SL_OK);
    sl_writer_clear(&n.answer);
    BEGIN(&n, refused);
    assert_int_equal(sl_ipfs_unpin(&n, &cid, &err), SL_EIO);
    assert_non_null(strstr(err.msg, "locked"));
    sl_writer_clear(&n.answer);
}

/* ---- memory -------------------------------------------------------------------------------- */

struct memory {
    struct sl_cas *cas;
    const struct sl_cas_info *info;
};

static enum sl_status put_once(void *arg)
{
    const struct memory *m = arg;
    struct sl_ipfs n;
    struct sl_error err = {0};
    enum sl_status status;

    BEGIN(&n, good);
    status = sl_ipfs_put(&n, m->cas, &m->info->cid, SL_STORE_UNIXFS_V1_2025, NULL, &err);
    assert_int_equal(status, err.status);
    sl_writer_clear(&n.answer);
    return status;
}

static void test_memory(void **state)
{
    struct scratch s;
    struct memory m;
    struct sl_cas_info file, directory;

    (void)state;
    scratch_make(&s);
    m.cas = open_store(&s, "st");
    file = add_noise(m.cas, 1100000, SL_STORE_UNIXFS_V1_2025, "user");
    directory = add_pair(m.cas, &file, &file, "user");
    m.info = &file;
    assert_int_equal(put_once(&m), SL_OK); /* what the store opens once */
    failing_alloc_run_lenient(put_once, &m);
    m.info = &directory;
    failing_alloc_run_lenient(put_once, &m);
    sl_cas_close(&m.cas);
    scratch_remove(&s);
}

static enum sl_status open_once(void *arg)
{
    const struct sl_ipfs_params params = {.url = "http://127.0.0.1:5001", .timeout_ms = 1000};
    struct sl_ipfs *n = NULL;
    enum sl_status status = sl_ipfs_open(&n, &params, NULL);

    (void)arg;
    assert_true((status == SL_OK) == (n != NULL));
    sl_ipfs_close(&n);
    return status == SL_EUNSUPPORTED ? SL_ENOMEM : status; /* the module's name could not be made */
}

static void test_open_memory(void **state)
{
    (void)state;
    assert_int_equal(open_once(NULL), SL_OK); /* the module stays */
    failing_alloc_run_lenient(open_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),      cmocka_unit_test(test_file_fails),
        cmocka_unit_test(test_damaged),   cmocka_unit_test(test_add),
        cmocka_unit_test(test_directory), cmocka_unit_test(test_unpin),
        cmocka_unit_test(test_memory),    cmocka_unit_test(test_open_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
