/* SPDX-License-Identifier: BSD-2-Clause */
/* The head of a request, and everything that is done with its text before a file is opened. The
 * first byte says how the rest is cut; the outcome must not depend on it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/access.h"
#include "serve/condition.h"
#include "serve/path.h"
#include "serve/reply.h"
#include "serve/request.h"

#define NOW 1795000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static enum sl_request_result feed(struct sl_request *r, const uint8_t *data, size_t size,
                                   size_t piece, size_t *taken)
{
    enum sl_request_result result = SL_REQUEST_MORE;

    for (*taken = 0; *taken < size && result == SL_REQUEST_MORE;) {
        size_t left = size - *taken, used;

        result = sl_request_feed(r, data + *taken, left < piece ? left : piece, &used);
        require(used <= left && (used > 0 || result == SL_REQUEST_BAD));
        require(result != SL_REQUEST_MORE || used == (left < piece ? left : piece));
        *taken += used;
    }
    return result;
}

static void check_path(const struct sl_request *r)
{
    struct sl_text target = sl_request_text(r, r->path);
    char out[SL_SERVE_PATH_MAX];

    if (target.size == 0 || sl_path_decode(target.data, target.size, out) != 0) {
        return;
    }
    /* Whatever comes out stays below, and names nothing hidden or unfinished. */
    require(strlen(out) < sizeof out && out[0] != '/');
    for (const char *p = out; *p;) {
        size_t length = strcspn(p, "/");

        require(length > 0 && p[0] != '.' && sl_path_name_served(p, length));
        require(!memchr(p, '\\', length));
        p += length;
        if (*p == '/') {
            require(*++p != '\0');
        }
    }
}

static void check_answers(const struct sl_request *r)
{
    const struct sl_validators v = {"\"a-b-c.d\"", 784111777};
    static const int64_t sizes[] = {0, 1, 1000, INT64_MAX};
    struct sl_access access = {.request = r, .status = 200, .whole = true, .now = NOW};
    const struct sl_client client = {.text = "-"};
    struct sl_reply reply;
    struct sl_writer out;
    int status = sl_condition_check(r, &v, NOW);

    require(status == 0 || status == 304 || status == 412);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t first = -1, count = -1;

        if (sl_range_check(r, &v, NOW, sizes[i], &first, &count) == SL_RANGE_PART) {
            require(first >= 0 && count > 0 && first <= sizes[i] - count);
        }
    }
    sl_reply_init(&reply);
    sl_reply_fail(&reply, r, r->status ? r->status : 404, r->reason);
    sl_writer_init(&out, SL_REPLY_HEAD_MAX);
    sl_reply_head(&reply, r, true, NOW, &out);
    require(out.size > 4 && memcmp(out.data + out.size - 4, "\r\n\r\n", 4) == 0);
    sl_writer_clear(&out);
    sl_reply_clear(&reply);

    access.client = &client;
    for (int format = SL_ACCESS_PLAIN; format <= SL_ACCESS_JSON; format++) {
        sl_access_line(&access, (enum sl_access_format)format, &out);
    }
    for (size_t i = 0; i < out.size; i++) { /* nothing that could forge a line of the log */
        require(out.data[i] >= 0x20 && out.data[i] < 0x7f);
    }
    sl_writer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_request whole, cut;
    enum sl_request_result a, b;
    size_t taken_a, taken_b;

    if (size == 0) {
        return 0;
    }
    sl_request_init(&whole);
    sl_request_init(&cut);
    a = feed(&whole, data + 1, size - 1, size, &taken_a);
    b = feed(&cut, data + 1, size - 1, (size_t)data[0] % 32 + 1, &taken_b);
    require(a == b && whole.status == cut.status && whole.reason == cut.reason);
    require((a == SL_REQUEST_BAD) == (whole.status != 0));
    require(a == SL_REQUEST_BAD || taken_a == taken_b);
    require(whole.field_count == cut.field_count && whole.keep_alive == cut.keep_alive);
    if (a == SL_REQUEST_DONE) {
        require(whole.method <= SL_METHOD_OPTIONS);
        require(whole.head.size == cut.head.size &&
                memcmp(whole.head.data, cut.head.data, whole.head.size) == 0);
        require(!sl_request_field(&whole, SL_FIELD_TRANSFER_ENCODING).data);
        check_path(&whole);
    }
    check_answers(&cut);
    sl_request_clear(&whole);
    sl_request_clear(&cut);
    return 0;
}
