/* SPDX-License-Identifier: BSD-2-Clause */
/* Module store-hash: SHA-256 of OpenSSL's libcrypto. */
#include <stdlib.h>

#include <openssl/evp.h>

#include "store/hash.h"

static void *create(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    /* Chosen once: looking the algorithm up costs more than hashing a small block. */
    if (context && EVP_DigestInit_ex2(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        context = NULL;
    }
    return context;
}

static void destroy(void *context)
{
    EVP_MD_CTX_free(context);
}

/* SHA-256 of memory cannot fail once it was begun: a failure would be a broken libcrypto, and a
 * wrong digest must never become a name. */
static void must(int done)
{
    if (done != 1) {
        abort();
    }
}

static void start(void *context)
{
    must(EVP_DigestInit_ex2(context, NULL, NULL));
}

static void update(void *context, const void *data, size_t size)
{
    must(EVP_DigestUpdate(context, data, size));
}

static void finish(void *context, uint8_t digest[SL_CID_DIGEST_SIZE])
{
    must(EVP_DigestFinal_ex(context, digest, NULL));
}

__attribute__((visibility("default"))) const struct sl_hash_ops sl_store_hash = {
    .name = "openssl",
    .create = create,
    .destroy = destroy,
    .start = start,
    .update = update,
    .finish = finish,
};
