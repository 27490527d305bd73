/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/seal.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/module.h"

#define VERSION 1
#define STEP    64
#define OVER    (1 + SL_SEAL_NONCE + SL_SEAL_TAG) /* bytes of a token that are no text */

/* RFC 4648 5 */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum sl_status sl_seal_init(struct sl_seal *seal, const struct sl_sign_key *key,
                            struct sl_error *err)
{
    static const char purpose[] = "sluice seal 1";
    const void *symbol = NULL;
    enum sl_status status = sl_module_symbol(SL_SEAL_MODULE, SL_SEAL_SYMBOL, &symbol, err);

    if (status == SL_OK) {
        seal->ops = symbol;
        sl_hmac_sha256(key->bytes, key->size, purpose, sizeof purpose - 1, seal->key);
    }
    return status;
}

static void encode(const uint8_t *bytes, size_t size, struct sl_writer *out)
{
    for (size_t i = 0; i < size; i += 3) {
        size_t n = size - i < 3 ? size - i : 3;
        uint32_t v = (uint32_t)bytes[i] << 16 | (n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                     (n > 2 ? bytes[i + 2] : 0);

        for (size_t k = 0; k <= n; k++) {
            sl_write_u8(out, (unsigned char)digits[v >> (18 - 6 * k) & 63]);
        }
    }
}

/* One spelling alone for each token: bits that are left over are zero. */
static bool decode(const char *text, uint8_t *out, size_t room, size_t *size)
{
    uint32_t bits = 0;
    unsigned held = 0;

    *size = 0;
    for (; *text; text++) {
        const char *digit = strchr(digits, *text);

        if (!digit || *size >= room) {
            return false;
        }
        bits = bits << 6 | (uint32_t)(digit - digits);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[(*size)++] = (uint8_t)(bits >> held);
            bits &= (1u << held) - 1;
        }
    }
    return held < 6 && bits == 0;
}

enum sl_status sl_seal_text(const struct sl_seal *seal, const char *text, struct sl_writer *out,
                            struct sl_error *err)
{
    size_t length = strlen(text), size = (length + STEP - 1) / STEP * STEP;
    uint8_t plain[SL_SEAL_TEXT_MAX], token[OVER + SL_SEAL_TEXT_MAX];
    uint8_t *cipher = token + 1 + SL_SEAL_NONCE;

    if (size == 0 || size > sizeof plain) {
        return sl_fail(err, SL_EINVAL, NULL, "%zu bytes, 1 to %d are expected", length,
                       SL_SEAL_TEXT_MAX);
    }
    /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): its size goes along */
    memcpy(plain, text, length);
    memset(plain + length, '&', size - length);
    token[0] = VERSION;
    if (getrandom(token + 1, SL_SEAL_NONCE, 0) != SL_SEAL_NONCE) {
        return sl_fail_errno(err, errno, NULL, "no random bytes");
    }
    if (!seal->ops->encrypt(seal->key, token + 1, VERSION, plain, size, cipher, cipher + size)) {
        return sl_fail(err, SL_EIO, NULL, "OpenSSL does not encrypt");
    }
    encode(token, OVER + size, out);
    return SL_OK;
}

bool sl_seal_open(const struct sl_seal *seal, const char *token, char text[SL_SEAL_TEXT_MAX + 1])
{
    uint8_t bytes[OVER + SL_SEAL_TEXT_MAX];
    const uint8_t *cipher = bytes + 1 + SL_SEAL_NONCE;
    size_t size, length;

    if (!decode(token, bytes, sizeof bytes, &size) || size <= OVER || bytes[0] != VERSION) {
        return false;
    }
    length = size - OVER;
    if (!seal->ops->decrypt(seal->key, bytes + 1, VERSION, cipher, length, cipher + length,
                            (uint8_t *)text)) {
        return false;
    }
    text[length] = '\0';
    return strlen(text) == length;
}

void sl_seal_alias(const uint8_t key[SL_SHA256_SIZE], const char *text, char alias[17])
{
    uint8_t digest[SL_SHA256_SIZE];

    sl_hmac_sha256(key, SL_SHA256_SIZE, text, strlen(text), digest);
    sl_sha256_hex(digest, 8, alias);
}
