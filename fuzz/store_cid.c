/* SPDX-License-Identifier: BSD-2-Clause */
/* CIDs as text and as bytes: what is read is written again, and reads the same. */
#include <stdlib.h>
#include <string.h>

#include "store/cid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void again(const struct sl_cid *cid)
{
    uint8_t bytes[SL_CID_BYTES_MAX];
    char text[SL_CID_TEXT_SIZE];
    struct sl_cid other;
    size_t used, length;

    require(cid->version <= 1 && (cid->version == 1 || cid->codec == SL_CODEC_DAG_PB));
    length = strlen(sl_cid_text(cid, text));
    require(length == (cid->version == 0 ? 46 : 59));
    require(sl_cid_parse(&other, text, length, NULL) == SL_OK);
    require(other.version == cid->version && sl_cid_same(&other, cid));
    length = sl_cid_encode(cid, bytes);
    require(sl_cid_decode(&other, bytes, length, &used, NULL) == SL_OK);
    require(used == length && other.version == cid->version && sl_cid_same(&other, cid));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_error err = {0};
    struct sl_cid cid;
    size_t used;

    if (sl_cid_parse(&cid, (const char *)data, size, &err) == SL_OK) {
        again(&cid);
    } else {
        require(err.status == SL_EINVAL || err.status == SL_EUNSUPPORTED);
    }
    if (sl_cid_decode(&cid, data, size, &used, NULL) == SL_OK) {
        require(used <= size && (used == 34 || used == 36));
        again(&cid);
    }
    return 0;
}
