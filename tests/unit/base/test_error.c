/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors, and the log beside them. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "unit.h"

static void test_format(void **state)
{
    struct sl_error err = {0};
    char text[600], tiny[8];

    (void)state;
    assert_int_equal(
        sl_fail_at(&err, SL_EDATA, "in.mkv", 4711, "EBML size %d is not allowed (1 to 8)", 9),
        SL_EDATA);
    assert_ptr_equal(sl_error_format(&err, text, sizeof(text)), text);
    assert_string_equal(text, "in.mkv: offset 4711: EBML size 9 is not allowed (1 to 8)");
    sl_error_format(&err, tiny, sizeof(tiny));
    assert_string_equal(tiny, "in.mkv:");
    tiny[0] = '#';
    sl_error_format(&err, tiny, 0);
    assert_int_equal(tiny[0], '#');

    err = (struct sl_error){0};
    (void)sl_fail(&err, SL_EIO, NULL, "no room");
    assert_string_equal(sl_error_format(&err, text, sizeof(text)), "no room");
    err = (struct sl_error){.status = SL_ECANCELLED};
    assert_string_equal(sl_error_format(&err, text, sizeof(text)), "cancelled");
}

static void test_first_wins(void **state)
{
    struct sl_error err = {0};

    (void)state;
    (void)sl_fail(&err, SL_EDATA, "a", "first");
    assert_int_equal(sl_fail_at(&err, SL_EIO, "b", 3, "second"), SL_EIO);
    assert_int_equal(sl_fail_memory(&err), SL_ENOMEM);
    assert_int_equal(err.status, SL_EDATA);
    assert_string_equal(err.msg, "first");
    assert_string_equal(err.where, "a");
    assert_false(err.has_offset);
    assert_int_equal(sl_fail(NULL, SL_EINVAL, "a", "nobody listens"), SL_EINVAL);
}

static void test_long(void **state)
{
    struct sl_error err = {0};
    char where[400], msg[400], text[600];

    (void)state;
    memset(where, 'w', sizeof(where));
    memcpy(where + sizeof(where) - 9, "/end.mkv", 9);
    memset(msg, 'm', sizeof(msg));
    msg[sizeof(msg) - 1] = 0;
    (void)sl_fail(&err, SL_EIO, where, "%s", msg);
    assert_int_equal(strlen(err.where), sizeof(err.where) - 1);
    assert_memory_equal(err.where, "...w", 4);
    assert_string_equal(err.where + strlen(err.where) - 8, "/end.mkv");
    assert_int_equal(strlen(err.msg), sizeof(err.msg) - 1);
    sl_error_format(&err, text, sizeof(text));

    /* Exactly what fits is not cut. */
    memset(&err, 0, sizeof(err));
    where[sizeof(err.where) - 1] = 0;
    (void)sl_fail(&err, SL_EIO, where, "x");
    assert_string_equal(err.where, where);
}

static void test_errno(void **state)
{
    static const struct {
        int errnum;
        enum sl_status status;
    } cases[] = {
        {ENOMEM, SL_ENOMEM}, {ENOENT, SL_ENOTFOUND}, {EEXIST, SL_EEXIST},
        {EACCES, SL_EIO},    {99999, SL_EIO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sl_error err = {0};

        assert_int_equal(sl_fail_errno(&err, cases[i].errnum, "f", "open"), cases[i].status);
        assert_int_equal(err.status, cases[i].status);
        assert_memory_equal(err.msg, "open: ", 6);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (int i = SL_OK; i <= SL_EBUSY; i++)
        assert_string_not_equal(sl_status_name((enum sl_status)i), "unknown status");
    assert_string_equal(sl_status_name((enum sl_status)(SL_EBUSY + 1)), "unknown status");
    assert_string_equal(sl_status_name((enum sl_status)1000), "unknown status");
    assert_string_equal(sl_status_name(SL_ENOMEM), "out of memory");
}

struct heard {
    int count;
    enum sl_log_level level;
    char component[32];
    char text[2000];
};

static void hear(void *opaque, enum sl_log_level level, const char *component, const char *text)
{
    struct heard *h = opaque;

    h->count++;
    h->level = level;
    (void)strncpy(h->component, component, sizeof(h->component) - 1);
    (void)strncpy(h->text, text, sizeof(h->text) - 1);
}

static void test_log(void **state)
{
    struct heard heard = {0};
    struct sl_log log = {.level = SL_LOG_WARN, .write = hear, .opaque = &heard};
    char big[3000];

    (void)state;
    sl_log_write(NULL, SL_LOG_ERROR, "demux", "x");
    sl_log_write(&(struct sl_log){.level = SL_LOG_DEBUG}, SL_LOG_ERROR, "demux", "x");
    sl_log_write(&log, SL_LOG_INFO, "demux", "too much");
    assert_int_equal(heard.count, 0);
    sl_log_write(&log, SL_LOG_WARN, "demux", "block %d\n", 7);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.level, SL_LOG_WARN);
    assert_string_equal(heard.component, "demux");
    assert_string_equal(heard.text, "block 7");
    /* A title from a file cannot start a line or an escape sequence of its own. */
    sl_log_write(&log, SL_LOG_ERROR, "demux", "title \"%s\"", "a\nerror: b\r\x1b[31m\x7f");
    assert_string_equal(heard.text, "title \"a error: b  [31m \"");
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    sl_log_write(&log, SL_LOG_ERROR, "demux", "%s", big);
    assert_int_equal(strlen(heard.text), 1023);
    assert_string_equal(heard.text + 1019, "x...");
    sl_log_write(&log, SL_LOG_ERROR, "demux", "%s", "");
    assert_string_equal(heard.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format), cmocka_unit_test(test_first_wins),
        cmocka_unit_test(test_long),   cmocka_unit_test(test_errno),
        cmocka_unit_test(test_names),  cmocka_unit_test(test_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
