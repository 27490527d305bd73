/* SPDX-License-Identifier: BSD-2-Clause */
/* Texts that pass through the hands of those who are not to read or change them: where a remote
 * source is, and what opens it, within the links of its playlists. AES-256-GCM (NIST SP 800-38D),
 * by OpenSSL in a module (base/module.h), since only who signs links to remote sources needs it.
 *
 *   token = base64url(0x01, nonce of 12 bytes, ciphertext, tag of 16 bytes), without padding
 *   key   = HMAC-SHA256(the sign key, "sluice seal 1")
 *
 * The first byte is authenticated too. Nonces are random. */
#ifndef SL_SERVE_SEAL_H
#define SL_SERVE_SEAL_H

#include "base/bytes.h"
#include "base/sha256.h"
#include "serve/sign.h"

#define SL_SEAL_MODULE "serve-seal"
#define SL_SEAL_SYMBOL "sl_serve_seal"

#define SL_SEAL_NONCE     12
#define SL_SEAL_TAG       16
#define SL_SEAL_TEXT_MAX  4416
#define SL_SEAL_TOKEN_MAX ((1 + SL_SEAL_NONCE + SL_SEAL_TEXT_MAX + SL_SEAL_TAG + 2) / 3 * 4)

/* What the module exports. */
struct sl_seal_ops {
    bool (*encrypt)(const uint8_t key[SL_SHA256_SIZE], const uint8_t nonce[SL_SEAL_NONCE],
                    uint8_t version, const uint8_t *text, size_t size, uint8_t *cipher,
                    uint8_t tag[SL_SEAL_TAG]);
    /* false: somebody else's, or changed; text is then worth nothing. */
    bool (*decrypt)(const uint8_t key[SL_SHA256_SIZE], const uint8_t nonce[SL_SEAL_NONCE],
                    uint8_t version, const uint8_t *cipher, size_t size,
                    const uint8_t tag[SL_SEAL_TAG], uint8_t *text);
};

struct sl_seal {
    const struct sl_seal_ops *ops; /* NULL: nothing is sealed */
    uint8_t key[SL_SHA256_SIZE];
};

/* Opens the module, and derives the key. */
SL_NODISCARD enum sl_status sl_seal_init(struct sl_seal *seal, const struct sl_sign_key *key,
                                         struct sl_error *err);
/* Appends the token. text: a query; it is made longer by "&", which change nothing in a query, to a
 * multiple of 64 bytes, so that its length says less. SL_EINVAL: it is longer than
 * SL_SEAL_TEXT_MAX. */
SL_NODISCARD enum sl_status sl_seal_text(const struct sl_seal *seal, const char *text,
                                         struct sl_writer *out, struct sl_error *err);
/* false: this key made no such token. */
bool sl_seal_open(const struct sl_seal *seal, const char *token, char text[SL_SEAL_TEXT_MAX + 1]);
/* What stands for a text, and tells nothing about it: 16 hexadecimal digits. */
void sl_seal_alias(const uint8_t key[SL_SHA256_SIZE], const char *text, char alias[17]);

#endif
