/* SPDX-License-Identifier: BSD-2-Clause */
/* SHA-256 (FIPS 180-4) and HMAC (RFC 2104) for short texts: signatures of links, names of cache
 * files. Plain C, so that a command which signs one link does not load a library of megabytes. */
#ifndef SL_BASE_SHA256_H
#define SL_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_SHA256_SIZE 32

struct sl_sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes taken */
    uint8_t block[64];
};

void sl_sha256_init(struct sl_sha256 *h);
void sl_sha256_update(struct sl_sha256 *h, const void *data, size_t size);
void sl_sha256_final(struct sl_sha256 *h, uint8_t out[SL_SHA256_SIZE]);
/* All three. */
void sl_sha256(const void *data, size_t size, uint8_t out[SL_SHA256_SIZE]);
/* Lower-case hexadecimal digits of the first size bytes, and a terminator. */
void sl_sha256_hex(const uint8_t *digest, size_t size, char *out);

void sl_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t out[SL_SHA256_SIZE]);
/* In time that does not depend on where they differ. */
bool sl_equal_secret(const void *a, const void *b, size_t size);

#endif
