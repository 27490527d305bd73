/* SPDX-License-Identifier: BSD-2-Clause */
/* Reference-counted memory, and pools that hand the same blocks out again. */
#ifndef SL_BASE_BUF_H
#define SL_BASE_BUF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#define SL_BUF_ALIGN   64 /* of data, enough for AVX-512 */
#define SL_BUF_PADDING 64 /* readable bytes after size (decoders read past the end) */

/* data and size may be changed only while there is one reference. */
struct sl_buf {
    atomic_uint refs;
    uint8_t *data;
    size_t size;
    void (*release)(void *opaque, uint8_t *data);
    void *opaque;
};

/* size bytes, not initialised, aligned and followed by zeroed padding. */
SL_NODISCARD enum sl_status sl_buf_alloc(struct sl_buf **out, size_t size, struct sl_error *err);
/* Somebody else's memory; release(opaque, data) is called when the last reference goes, and not at
 * all if this fails (the caller still owns data then). release may be NULL. As after every buffer,
 * SL_BUF_PADDING bytes after data + size must be readable where the buffer can reach a decoder. */
SL_NODISCARD enum sl_status sl_buf_wrap(struct sl_buf **out, uint8_t *data, size_t size,
                                        void (*release)(void *opaque, uint8_t *data), void *opaque,
                                        struct sl_error *err);
struct sl_buf *sl_buf_ref(struct sl_buf *buf); /* returns buf */
void sl_buf_unref(struct sl_buf **buf);        /* NULL and *NULL are fine; zeroes the pointer */

/* A pool of equal blocks. Thread-safe. Destroying it while blocks are out is fine: they go when
 * their last reference goes. At most max_idle unused blocks are kept. */
struct sl_buf_pool;
SL_NODISCARD enum sl_status sl_buf_pool_create(struct sl_buf_pool **out, size_t size,
                                               unsigned max_idle, struct sl_error *err);
SL_NODISCARD enum sl_status sl_buf_pool_get(struct sl_buf_pool *pool, struct sl_buf **out,
                                            struct sl_error *err);
void sl_buf_pool_destroy(struct sl_buf_pool **pool);

#endif
