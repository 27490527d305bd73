/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sha256.h"

#include <string.h>

/* FIPS 180-4 4.2.2 */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* FIPS 180-4 6.2.2 */
static void take_block(uint32_t state[8], const uint8_t *p)
{
    uint32_t w[64], v[8];

    for (size_t i = 0; i < 16; i++) {
        w[i] = (uint32_t)p[i * 4] << 24 | (uint32_t)p[i * 4 + 1] << 16 |
               (uint32_t)p[i * 4 + 2] << 8 | p[i * 4 + 3];
    }
    for (size_t i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];

        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(v, state, sizeof v);
    for (size_t i = 0; i < 64; i++) {
        uint32_t e = v[4], a = v[0];
        uint32_t one = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                       ((e & v[5]) ^ (~e & v[6])) + constants[i] + w[i];
        uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
                       ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += one;
        v[0] = one + two;
    }
    for (size_t i = 0; i < 8; i++) {
        state[i] += v[i];
    }
}

void sl_sha256_init(struct sl_sha256 *h)
{
    /* FIPS 180-4 5.3.3 */
    static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    memcpy(h->state, start, sizeof h->state);
    h->length = 0;
}

void sl_sha256_update(struct sl_sha256 *h, const void *data, size_t size)
{
    const uint8_t *p = data;

    while (size > 0) {
        size_t have = h->length % 64, take = 64 - have < size ? 64 - have : size;

        memcpy(h->block + have, p, take);
        h->length += take;
        p += take;
        size -= take;
        if (h->length % 64 == 0) {
            take_block(h->state, h->block);
        }
    }
}

void sl_sha256_final(struct sl_sha256 *h, uint8_t out[SL_SHA256_SIZE])
{
    static const uint8_t padding[64] = {0x80};
    uint64_t bits = h->length * 8;
    uint8_t end[8];

    sl_sha256_update(h, padding, 1 + (119 - h->length % 64) % 64); /* FIPS 180-4 5.1.1 */
    for (size_t i = 0; i < 8; i++) {
        end[i] = (uint8_t)(bits >> (56 - i * 8));
    }
    sl_sha256_update(h, end, sizeof end);
    for (size_t i = 0; i < SL_SHA256_SIZE; i++) {
        out[i] = (uint8_t)(h->state[i / 4] >> (24 - i % 4 * 8));
    }
}

void sl_sha256(const void *data, size_t size, uint8_t out[SL_SHA256_SIZE])
{
    struct sl_sha256 h;

    sl_sha256_init(&h);
    sl_sha256_update(&h, data, size);
    sl_sha256_final(&h, out);
}

void sl_sha256_hex(const uint8_t *digest, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        *out++ = digits[digest[i] >> 4];
        *out++ = digits[digest[i] & 15];
    }
    *out = '\0';
}

void sl_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t out[SL_SHA256_SIZE])
{
    uint8_t block[64] = {0}, inner[SL_SHA256_SIZE];
    struct sl_sha256 h;

    if (key_size > sizeof block) {
        sl_sha256(key, key_size, block);
    } else if (key_size > 0) {
        memcpy(block, key, key_size);
    }
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x36;
    }
    sl_sha256_init(&h);
    sl_sha256_update(&h, block, sizeof block);
    sl_sha256_update(&h, data, size);
    sl_sha256_final(&h, inner);
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    sl_sha256_init(&h);
    sl_sha256_update(&h, block, sizeof block);
    sl_sha256_update(&h, inner, sizeof inner);
    sl_sha256_final(&h, out);
}

bool sl_equal_secret(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *x = a, *y = b;
    uint8_t different = 0;

    for (size_t i = 0; i < size; i++) {
        different = (uint8_t)(different | (x[i] ^ y[i]));
    }
    return different == 0;
}
