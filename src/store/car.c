/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/car.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/store.h"
#include "store/varint.h"

/* A whole block, its CID and its length; the rest of the room makes reads long. */
#define SECTION_MAX (SL_CAS_BLOCK_MAX + 256)
#define ROOM        (SECTION_MAX + (256u << 10))

static enum sl_status bad(const struct sl_car_reader *r, const char *what, struct sl_error *err)
{
    return sl_fail_at(err, SL_EDATA, r->name, r->at, "%s", what);
}

/* Makes size bytes visible from start on; *got < size only at the end. */
static enum sl_status fill(struct sl_car_reader *r, size_t size, size_t *got, struct sl_error *err)
{
    if (!r->buffer) {
        r->buffer = sl_alloc(ROOM);
        if (!r->buffer) {
            return sl_fail_memory(err);
        }
    }
    if (r->start + size > ROOM) {
        memmove(r->buffer, r->buffer + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    while (r->end - r->start < size) {
        size_t n = 0;
        enum sl_status status = r->read(r->opaque, r->buffer + r->end, ROOM - r->end, &n, err);

        if (status != SL_OK) {
            return status;
        }
        if (n == 0) {
            break;
        }
        r->end += n;
    }
    *got = r->end - r->start;
    return SL_OK;
}

/* The length in front of the header and of every block. SL_EOF where nothing follows. */
static enum sl_status read_length(struct sl_car_reader *r, size_t max, size_t *size,
                                  struct sl_error *err)
{
    struct sl_reader bytes;
    size_t got = 0;
    uint64_t length;
    enum sl_status status = fill(r, SL_VARINT_MAX, &got, err);

    if (status != SL_OK) {
        return status;
    }
    if (got == 0) {
        return SL_EOF;
    }
    sl_reader_init(&bytes, r->buffer + r->start, got < SL_VARINT_MAX ? got : SL_VARINT_MAX);
    length = sl_read_varint(&bytes);
    if (bytes.overrun || length == 0) {
        return bad(r, "a length is expected here", err);
    }
    if (length > max) {
        return sl_fail_at(err, SL_EDATA, r->name, r->at, "%llu bytes, at most %zu are allowed",
                          (unsigned long long)length, max);
    }
    *size = (size_t)length;
    status = fill(r, bytes.pos + *size, &got, err);
    if (status == SL_OK && got < bytes.pos + *size) {
        return bad(r, "the CAR ends in the middle of this", err);
    }
    r->start += bytes.pos;
    r->at += (int64_t)bytes.pos;
    return status;
}

static void pass(struct sl_car_reader *r, size_t size)
{
    r->start += size;
    r->at += (int64_t)size;
}

/* ---- header: DAG-CBOR (RFC 8949, with definite lengths only) -------------------------------- */

enum { CBOR_UINT = 0, CBOR_BYTES = 2, CBOR_TEXT = 3, CBOR_ARRAY = 4, CBOR_MAP = 5, CBOR_TAG = 6 };
#define TAG_CID 42

/* Initial byte and argument of an item of the kind that is expected. */
static uint64_t cbor(struct sl_reader *r, int kind)
{
    uint8_t first = sl_read_u8(r);
    unsigned low = first & 31;

    if (first >> 5 != kind || low > 27) {
        r->overrun = true;
        return 0;
    }
    return low < 24    ? low
           : low == 24 ? sl_read_u8(r)
           : low == 25 ? sl_read_be16(r)
           : low == 26 ? sl_read_be32(r)
                       : sl_read_be64(r);
}

static enum sl_status read_roots(struct sl_car_reader *car, struct sl_reader *r,
                                 struct sl_error *err)
{
    uint64_t count = cbor(r, CBOR_ARRAY);

    if (r->overrun || car->roots || count > SL_CAR_ROOTS_MAX) {
        return bad(car, "this is not the header of a CAR (its roots)", err);
    }
    car->roots = sl_alloc_array((size_t)count + 1, sizeof *car->roots);
    if (!car->roots) {
        return sl_fail_memory(err);
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t tag = cbor(r, CBOR_TAG), size = cbor(r, CBOR_BYTES);
        const uint8_t *cid = size <= sl_reader_left(r) ? sl_read_bytes(r, (size_t)size) : NULL;
        size_t used = 0;
        enum sl_status status;

        if (r->overrun || tag != TAG_CID || !cid || size < 2 || cid[0] != 0) {
            return bad(car, "this is not the header of a CAR (a root)", err);
        }
        status = sl_cid_decode(&car->roots[i], cid + 1, (size_t)size - 1, &used, err);
        if (status == SL_OK && used != size - 1) {
            status = bad(car, "bytes follow the CID of a root", err);
        }
        if (status != SL_OK) {
            return status;
        }
        car->root_count++;
    }
    return SL_OK;
}

enum sl_status sl_car_head(struct sl_car_reader *car, struct sl_error *err)
{
    uint64_t pairs, version = 0;
    struct sl_reader r;
    size_t size = 0;
    enum sl_status status = read_length(car, SL_CAR_HEAD_MAX, &size, err);

    if (status == SL_EOF) {
        return bad(car, "the header of a CAR is expected, there is nothing", err);
    }
    if (status != SL_OK) {
        return status;
    }
    sl_reader_init(&r, car->buffer + car->start, size);
    pairs = cbor(&r, CBOR_MAP);
    for (uint64_t i = 0; i < pairs && i < 3 && !r.overrun; i++) {
        uint64_t length = cbor(&r, CBOR_TEXT);
        const uint8_t *key = length < 8 ? sl_read_bytes(&r, (size_t)length) : NULL;

        if (key && length == 7 && memcmp(key, "version", 7) == 0) {
            version = cbor(&r, CBOR_UINT);
        } else if (key && length == 5 && memcmp(key, "roots", 5) == 0) {
            status = read_roots(car, &r, err);
            if (status != SL_OK) {
                return status;
            }
        } else {
            r.overrun = true;
        }
    }
    if (!r.overrun && version != 1 && version != 0) {
        return sl_fail_at(err, SL_EUNSUPPORTED, car->name, car->at,
                          "a CAR of version %llu, 1 is expected", (unsigned long long)version);
    }
    if (r.overrun || sl_reader_left(&r) > 0 || pairs != 2 || version != 1) {
        return bad(car, "this is not the header of a CAR", err);
    }
    if (car->root_count == 0) {
        return bad(car, "the CAR names no root", err);
    }
    pass(car, size);
    return SL_OK;
}

enum sl_status sl_car_next(struct sl_car_reader *r, struct sl_cid *cid, const uint8_t **block,
                           size_t *size, struct sl_error *err)
{
    struct sl_error own = {0};
    size_t whole = 0, used = 0;
    enum sl_status status = read_length(r, SECTION_MAX, &whole, err);

    if (status != SL_OK) {
        return status;
    }
    status = sl_cid_decode(cid, r->buffer + r->start, whole, &used, &own);
    if (status != SL_OK) {
        return sl_fail_at(err, status, r->name, r->at, "%s", own.msg);
    }
    if (whole - used > SL_CAS_BLOCK_MAX) {
        return bad(r, "the block is larger than a block may be", err);
    }
    *block = r->buffer + r->start + used;
    *size = whole - used;
    pass(r, whole);
    return SL_OK;
}

void sl_car_clear(struct sl_car_reader *r)
{
    sl_free(r->buffer);
    sl_free(r->roots);
    r->buffer = NULL;
    r->roots = NULL;
    r->root_count = 0;
    r->start = r->end = 0;
}
