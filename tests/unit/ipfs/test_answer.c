/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "ipfs/answer.h"
#include "ipfs/ipfs.h"
#include "unit.h"

#define CID   "bafkreiaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"

static struct sl_cid zero(void)
{
    return (struct sl_cid){.version = 1, .codec = SL_CODEC_RAW};
}

static struct sl_ipfs_answer said(long code, const char *text)
{
    return (struct sl_ipfs_answer){
        .name = "node", .code = code, .data = text, .size = strlen(text)};
}

static void test_check(void **state)
{
    static const struct {
        long code;
        const char *text;
        enum sl_status status;
        const char *message;
    } cases[] = {
        {200, "", SL_OK, ""},
        {200, "{\"Message\": \"only a name\"}", SL_OK, ""},
        {200, "{}\n{\"Message\":\"late\",\"Code\":0,\"Type\":\"error\"}", SL_EIO,
         "the node says: late"},
        {500, "{\"Message\":\"no\\u001b[31m\\nroom\",\"Code\":0,\"Type\":\"error\"}", SL_EIO,
         "status 500, the node says: no?[31m room"},
        {500, "", SL_EIO, "the node answers with status 500"},
        {403, "403 - Forbidden\n", SL_EIO, "the node answers with status 403"},
        {404, "404 page not found\n", SL_ENOTFOUND, "the node answers with status 404"},
        {503, "<html>", SL_EBUSY, "the node answers with status 503"},
        {429, "", SL_EBUSY, "the node answers with status 429"},
        {301, "", SL_EIO, "the node answers with status 301"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_ipfs_answer a = said(cases[i].code, cases[i].text);
        struct sl_error err = {0};

        assert_int_equal(sl_ipfs_answer_check(&a, &err), cases[i].status);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void test_import(void **state)
{
    static const struct {
        const char *text;
        enum sl_status status;
        const char *reason;
    } cases[] = {
        {"{\"Root\":{\"Cid\":{\"/\":\"" CID "\"},\"PinErrorMsg\":\"\"}}\n{\"Stats\":{}}", SL_OK,
         ""},
        {"{\"Root\":{\"Cid\":{\"/\":\"" CID "\"}}}", SL_OK, ""},
        {"{\"Root\":{\"Cid\":{\"/\":\"" CID "\"},\"PinErrorMsg\":\"no\\tblock\"}}", SL_OK,
         "no?block"},
        {"{\"Root\":{\"Cid\":{\"/\":\"" OTHER "\"},\"PinErrorMsg\":\"\"}}", SL_EDATA, ""},
        {"", SL_EDATA, ""},
        {"[]\n12\nnull", SL_EDATA, ""},
        {"{\"Root\":", SL_EDATA, ""},
    };
    const struct sl_cid cid = zero();

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_ipfs_answer a = said(200, cases[i].text);
        char reason[SL_IPFS_REASON_MAX];

        assert_int_equal(sl_ipfs_answer_import(&a, &cid, reason, NULL), cases[i].status);
        assert_string_equal(reason, cases[i].reason);
    }
}

static void test_added(void **state)
{
    static const struct {
        const char *text;
        enum sl_status status;
        int64_t size;
    } cases[] = {
        {"{\"Name\":\"file\",\"Bytes\":1}{\"Hash\":\"" CID "\",\"Size\":\"12\"}", SL_OK, 12},
        {"{\"Key\":\"" CID "\",\"Size\":12}", SL_OK, 12}, /* a number, or a text */
        {"{\"Key\":\"" CID "\"}", SL_OK, -1},
        {"{\"Key\":\"" CID "\",\"Size\":-3}", SL_OK, -1},
        {"{\"Key\":\"" CID "\",\"Size\":\"12x\"}", SL_OK, -1},
        {"{\"Key\":\"" CID "\",\"Size\":1.5}", SL_OK, -1},
        {"{\"Hash\":\"" CID "x\"}", SL_EDATA, -1},
        {"{\"Name\":\"file\",\"Bytes\":1}", SL_EDATA, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_ipfs_answer a = said(200, cases[i].text);
        const struct sl_cid cid = zero();
        struct sl_cid made;
        int64_t size;

        assert_int_equal(sl_ipfs_answer_added(&a, &made, &size, NULL), cases[i].status);
        assert_int_equal(size, cases[i].size);
        if (cases[i].status == SL_OK) {
            assert_true(sl_cid_same(&made, &cid));
        }
    }
}

static void test_pins(void **state)
{
    const struct sl_cid cid = zero();
    struct sl_ipfs_answer a = said(200, "{\"Progress\":3}\n{\"Pins\":[\"" OTHER "\",\"" CID "\"]}");
    bool pinned;

    (void)state;
    assert_int_equal(sl_ipfs_answer_pins(&a, &cid, NULL), SL_OK);
    a = said(200, "{\"Pins\":[\"" OTHER "\"]}");
    assert_int_equal(sl_ipfs_answer_pins(&a, &cid, NULL), SL_EDATA);
    a = said(200, "{\"Pins\":\"" CID "\"}");
    assert_int_equal(sl_ipfs_answer_pins(&a, &cid, NULL), SL_EDATA);
    a = said(200, "{\"Keys\":{\"" CID "\":{\"Type\":\"recursive\"}}}");
    assert_int_equal(sl_ipfs_answer_listed(&a, &cid, &pinned, NULL), SL_OK);
    assert_true(pinned);
    a = said(200, "{\"Cid\":\"" OTHER "\"}\n{\"Cid\":\"" CID "\",\"Type\":\"recursive\"}");
    assert_int_equal(sl_ipfs_answer_listed(&a, &cid, &pinned, NULL), SL_OK);
    assert_true(pinned);
    a = said(200, "{\"Keys\":{\"" OTHER "\":{}}}");
    assert_int_equal(sl_ipfs_answer_listed(&a, &cid, &pinned, NULL), SL_OK);
    assert_false(pinned);
}

static void test_name(void **state)
{
    static const struct {
        const char *url, *name; /* NULL: refused */
    } cases[] = {
        {"http://127.0.0.1:5001", "http://127.0.0.1:5001"},
        {"http://127.0.0.1:5001/", "http://127.0.0.1:5001"},
        {"https://me:secret@node.example/ipfs//", "https://node.example/ipfs"},
        {"http://[::1]:5001", "http://[::1]:5001"},
        {"/ip4/127.0.0.1/tcp/5001", NULL},
        {"127.0.0.1:5001", NULL},
        {"http://127.0.0.1:5001/?a=b", NULL},
        {"ftp://127.0.0.1", NULL},
        {"", NULL},
    };
    char name[SL_IPFS_NAME_MAX], url[400];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum sl_status status = sl_ipfs_name_of(cases[i].url, name, NULL);

        assert_int_equal(status, cases[i].name ? SL_OK : SL_EINVAL);
        if (cases[i].name) {
            assert_string_equal(name, cases[i].name);
        }
    }
    memset(url, 'a', sizeof url);
    memcpy(url, "http://127.0.0.1/", 17);
    url[sizeof url - 1] = '\0';
    assert_int_equal(sl_ipfs_name_of(url, name, NULL), SL_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check), cmocka_unit_test(test_import), cmocka_unit_test(test_added),
        cmocka_unit_test(test_pins),  cmocka_unit_test(test_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
