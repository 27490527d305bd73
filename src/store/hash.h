/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 of what is stored: by OpenSSL, which uses what the processor has (SHA-NI, AVX2, ARMv8).
 * Its library is a module, opened with the first block; where it cannot be had, base/sha256.h
 * gives the same at a fifth of the speed. */
#ifndef SL_STORE_HASH_H
#define SL_STORE_HASH_H

#include "base/sha256.h"
#include "store/cid.h"

#define SL_STORE_HASH_MODULE "store-hash"
#define SL_STORE_HASH_SYMBOL "sl_store_hash"

/* What the module exports. A context is used again and again; each has one owner. */
struct sl_hash_ops {
    const char *name;
    void *(*create)(void); /* NULL: out of memory, or not to be had */
    void (*destroy)(void *context);
    void (*start)(void *context);
    void (*update)(void *context, const void *data, size_t size);
    void (*finish)(void *context, uint8_t digest[SL_CID_DIGEST_SIZE]);
};
extern SL_API const struct sl_hash_ops sl_store_hash;

struct sl_hasher {
    const struct sl_hash_ops *ops; /* NULL: plain is used */
    void *context;
    struct sl_sha256 plain;
};

void sl_hasher_init(struct sl_hasher *h);
void sl_hasher_clear(struct sl_hasher *h); /* a zeroed one is fine */
void sl_hasher_start(struct sl_hasher *h);
void sl_hasher_update(struct sl_hasher *h, const void *data, size_t size);
void sl_hasher_finish(struct sl_hasher *h, uint8_t digest[SL_CID_DIGEST_SIZE]);
/* All three. */
void sl_hasher_digest(struct sl_hasher *h, const void *data, size_t size,
                      uint8_t digest[SL_CID_DIGEST_SIZE]);

#endif
