/* SPDX-License-Identifier: BSD-2-Clause */
/* What a node answers: the first byte is the call, the second the status. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ipfs/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long codes[] = {200, 500, 404, 503};
    struct sl_error err = {0};
    struct sl_ipfs_answer answer = {.name = "node"};
    struct sl_cid cid = {.version = 1, .codec = SL_CODEC_RAW}, made;
    char reason[SL_IPFS_REASON_MAX];
    int64_t bytes = 0;
    bool pinned = false;
    enum sl_status status;

    if (size < 2) {
        return 0;
    }
    answer.code = codes[data[1] % 4];
    answer.data = data + 2;
    answer.size = size - 2;
    switch (data[0] % 4) {
    case 0:
        status = sl_ipfs_answer_import(&answer, &cid, reason, &err);
        require(strlen(reason) < sizeof reason);
        break;
    case 1:
        status = sl_ipfs_answer_added(&answer, &made, &bytes, &err);
        require(status != SL_OK || (bytes >= -1 && made.version <= 1));
        break;
    case 2:
        status = sl_ipfs_answer_pins(&answer, &cid, &err);
        break;
    default:
        status = sl_ipfs_answer_listed(&answer, &cid, &pinned, &err);
        break;
    }
    require((status == SL_OK) == (err.status == SL_OK) && status != SL_EOF);
    require(status != SL_OK || answer.code == 200);
    for (const char *c = err.msg; *c; c++) {
        require(*c >= ' ' && *c <= '~');
    }
    return 0;
}
