/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request asks of the store: the input is the head of a request without its first words.
 * What comes out must be what a directory can hold, and what is written back must stay within its
 * line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "serve/gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void check_ask(const struct sl_gateway_ask *ask)
{
    size_t length = strlen(ask->path);
    const char *name = ask->path + ask->below;
    struct sl_writer out;

    require(length < sizeof ask->path && ask->below <= length);
    require(ask->path[length - 1] != '/' && strncmp(ask->path, "ipfs", 4) == 0);
    while (*name) {
        size_t n = strcspn(name, "/");

        require(n > 0 && !(n == 1 && name[0] == '.') && !(n == 2 && memcmp(name, "..", 2) == 0));
        name += n + (name[n] == '/');
    }
    sl_writer_init(&out, 1 << 16);
    sl_gateway_disposition(&out, ask->download, ask->filename);
    require(out.status == SL_OK && out.size > 2);
    for (size_t i = 0; i < out.size - 2; i++) {
        require(out.data[i] >= 0x20 && out.data[i] < 0x7f);
    }
    sl_writer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char first[] = "GET /ipfs";
    struct sl_gateway_ask ask;
    const char *detail;
    struct sl_request r;
    size_t used;

    (void)sl_gateway_sniff(data, size);
    sl_request_init(&r);
    if (sl_request_feed(&r, first, sizeof first - 1, &used) == SL_REQUEST_MORE &&
        sl_request_feed(&r, data, size, &used) == SL_REQUEST_DONE) {
        struct sl_text path = sl_request_text(&r, r.path);

        if (sl_gateway_is(path) && sl_gateway_parse_path(path, &ask, &detail) == 0 &&
            sl_gateway_parse_request(&r, &ask, &detail) == 0) {
            check_ask(&ask);
        }
    }
    sl_request_clear(&r);
    return 0;
}
