/* SPDX-License-Identifier: BSD-2-Clause */
#include <openssl/evp.h>

#include "serve/seal.h"

static EVP_CIPHER_CTX *begin(const uint8_t *key, const uint8_t *nonce, uint8_t version, int encrypt)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n = 0;

    /* GCM's own length of a nonce is SL_SEAL_NONCE. */
    if (c && (EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce, encrypt) != 1 ||
              EVP_CipherUpdate(c, NULL, &n, &version, 1) != 1)) {
        EVP_CIPHER_CTX_free(c);
        c = NULL;
    }
    return c;
}

static bool encrypt_text(const uint8_t *key, const uint8_t *nonce, uint8_t version,
                         const uint8_t *text, size_t size, uint8_t *cipher, uint8_t *tag)
{
    EVP_CIPHER_CTX *c = begin(key, nonce, version, 1);
    int n = 0;
    bool ok = c && EVP_CipherUpdate(c, cipher, &n, text, (int)size) == 1 && n == (int)size &&
              EVP_CipherFinal_ex(c, cipher + n, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SL_SEAL_TAG, tag) == 1;

    EVP_CIPHER_CTX_free(c);
    return ok;
}

static bool decrypt_text(const uint8_t *key, const uint8_t *nonce, uint8_t version,
                         const uint8_t *cipher, size_t size, const uint8_t *tag, uint8_t *text)
{
    EVP_CIPHER_CTX *c = begin(key, nonce, version, 0);
    int n = 0;
    bool ok = c && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SL_SEAL_TAG, (void *)tag) == 1 &&
              EVP_CipherUpdate(c, text, &n, cipher, (int)size) == 1 && n == (int)size &&
              EVP_CipherFinal_ex(c, text + n, &n) == 1;

    EVP_CIPHER_CTX_free(c);
    return ok;
}

extern SL_API const struct sl_seal_ops sl_serve_seal;
const struct sl_seal_ops sl_serve_seal = {.encrypt = encrypt_text, .decrypt = decrypt_text};
