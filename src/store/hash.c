/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/hash.h"

#include <pthread.h>

#include "base/module.h"

static const struct sl_hash_ops *module_ops;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void look(void)
{
    const void *symbol = NULL;

    if (sl_module_symbol(SL_STORE_HASH_MODULE, SL_STORE_HASH_SYMBOL, &symbol, NULL) == SL_OK) {
        module_ops = symbol;
    }
}

void sl_hasher_init(struct sl_hasher *h)
{
    (void)pthread_once(&once, look);
    h->context = module_ops ? module_ops->create() : NULL;
    h->ops = h->context ? module_ops : NULL;
    sl_sha256_init(&h->plain);
}

void sl_hasher_clear(struct sl_hasher *h)
{
    if (h->ops) {
        h->ops->destroy(h->context);
    }
    h->ops = NULL;
    h->context = NULL;
}

void sl_hasher_start(struct sl_hasher *h)
{
    if (h->ops) {
        h->ops->start(h->context);
    } else {
        sl_sha256_init(&h->plain);
    }
}

void sl_hasher_update(struct sl_hasher *h, const void *data, size_t size)
{
    if (size == 0) {
        return;
    }
    if (h->ops) {
        h->ops->update(h->context, data, size);
    } else {
        sl_sha256_update(&h->plain, data, size);
    }
}

void sl_hasher_finish(struct sl_hasher *h, uint8_t digest[SL_CID_DIGEST_SIZE])
{
    if (h->ops) {
        h->ops->finish(h->context, digest);
    } else {
        sl_sha256_final(&h->plain, digest);
    }
}

void sl_hasher_digest(struct sl_hasher *h, const void *data, size_t size,
                      uint8_t digest[SL_CID_DIGEST_SIZE])
{
    sl_hasher_start(h);
    sl_hasher_update(h, data, size);
    sl_hasher_finish(h, digest);
}
