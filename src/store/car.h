/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a CAR, version 1 (https://ipld.io/specs/transport/car/carv1/), block by block. */
#ifndef SL_STORE_CAR_H
#define SL_STORE_CAR_H

#include <stdbool.h>

#include "store/cid.h"

#define SL_CAR_HEAD_MAX  (64u << 10)
#define SL_CAR_ROOTS_MAX 1024

struct sl_car_reader {
    /* Up to size bytes; *got 0 at the end. Set by the owner, as opaque and name. */
    enum sl_status (*read)(void *opaque, void *dst, size_t size, size_t *got, struct sl_error *err);
    void *opaque;
    const char *name;
    uint8_t *buffer; /* owned */
    size_t start, end;
    int64_t at;           /* offset of buffer[start] */
    struct sl_cid *roots; /* owned */
    size_t root_count;
};

/* Reads the header. SL_EDATA with an offset where it is none; SL_EUNSUPPORTED: another version. */
SL_NODISCARD enum sl_status sl_car_head(struct sl_car_reader *r, struct sl_error *err);
/* The next block, valid until the next call, and not checked. SL_EOF after the last. */
SL_NODISCARD enum sl_status sl_car_next(struct sl_car_reader *r, struct sl_cid *cid,
                                        const uint8_t **block, size_t *size, struct sl_error *err);
void sl_car_clear(struct sl_car_reader *r);

#endif
