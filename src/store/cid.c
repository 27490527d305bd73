/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/cid.h"

#include <string.h>

#include "base/error.h"
#include "store/varint.h"

#define HASH_SHA256 0x12 /* multihash */
#define DECODED_MAX 96   /* bytes of SL_CID_PARSE_MAX letters of base58, and some */

static const char base58[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
static const char base36[] = "0123456789abcdefghijklmnopqrstuvwxyz";
static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648, lower case */
static const char base16[] = "0123456789abcdef";

/* ---- text to bytes ------------------------------------------------------------------------- */

/* The digit's value, or -1. upper: of the alphabet in capitals. */
static int digit_of(const char *alphabet, char c, bool upper)
{
    const char *at;

    if (upper) {
        if (c >= 'a' && c <= 'z') {
            return -1;
        }
        c = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* A base that is a power of two, RFC 4648 without padding: spare bits must be zero. */
static bool decode_bits(const char *alphabet, unsigned bits, bool upper, const char *text,
                        size_t size, uint8_t *out, size_t *got)
{
    uint32_t held = 0;
    unsigned have = 0;

    *got = 0;
    for (size_t i = 0; i < size; i++) {
        int digit = digit_of(alphabet, text[i], upper);

        if (digit < 0) {
            return false;
        }
        held = held << bits | (uint32_t)digit;
        have += bits;
        if (have >= 8) {
            have -= 8;
            out[(*got)++] = (uint8_t)(held >> have);
            held &= (1u << have) - 1;
        }
    }
    return held == 0 && have < bits;
}

/* A base that is none: one long number; zeros in front stand for themselves. */
static bool decode_number(const char *alphabet, bool upper, const char *text, size_t size,
                          uint8_t *out, size_t *got)
{
    uint32_t base = (uint32_t)strlen(alphabet);
    size_t zeros = 0, length = 0;
    uint8_t number[DECODED_MAX] = {0}; /* least significant byte first */

    while (zeros < size && text[zeros] == alphabet[0]) {
        zeros++;
    }
    for (size_t i = zeros; i < size; i++) {
        int digit = digit_of(alphabet, text[i], upper);
        uint32_t carry = (uint32_t)digit;

        if (digit < 0) {
            return false;
        }
        for (size_t k = 0; k < length || carry > 0; k++) {
            if (k == sizeof number) {
                return false;
            }
            carry += number[k] * base;
            number[k] = (uint8_t)carry;
            carry >>= 8;
            length = k >= length ? k + 1 : length;
        }
    }
    if (zeros + length > DECODED_MAX) {
        return false;
    }
    memset(out, 0, zeros);
    for (size_t k = 0; k < length; k++) {
        out[zeros + k] = number[length - 1 - k];
    }
    *got = zeros + length;
    return true;
}

static bool decode_text(const char *text, size_t size, uint8_t *out, size_t *got, bool *v0)
{
    *v0 = size == 46 && memcmp(text, "Qm", 2) == 0;
    if (*v0) {
        return decode_number(base58, false, text, size, out, got);
    }
    if (size < 2) {
        return false;
    }
    /* https://github.com/multiformats/multibase */
    switch (text[0]) {
    case 'b':
    case 'B':
        return decode_bits(base32, 5, text[0] == 'B', text + 1, size - 1, out, got);
    case 'f':
    case 'F':
        return decode_bits(base16, 4, text[0] == 'F', text + 1, size - 1, out, got);
    case 'z':
        return decode_number(base58, false, text + 1, size - 1, out, got);
    case 'k':
    case 'K':
        return decode_number(base36, text[0] == 'K', text + 1, size - 1, out, got);
    default:
        return false;
    }
}

enum sl_status sl_cid_parse(struct sl_cid *out, const char *text, size_t size, struct sl_error *err)
{
    uint8_t bytes[DECODED_MAX];
    size_t got = 0, used = 0;
    enum sl_status status;
    bool v0 = false;
    int shown = (int)(size < SL_CID_PARSE_MAX ? size : SL_CID_PARSE_MAX);

    if (size > SL_CID_PARSE_MAX || !decode_text(text, size, bytes, &got, &v0)) {
        return sl_fail(err, SL_EINVAL, NULL, "\"%.*s\" is not a CID", shown, text);
    }
    status = sl_cid_decode(out, bytes, got, &used, NULL);
    if (status == SL_EUNSUPPORTED) {
        return sl_fail(err, status, NULL,
                       "the CID \"%.*s\" is not of SHA-256 over raw bytes or dag-pb", shown, text);
    }
    /* A v0 has no multibase prefix, and a prefix needs a v1. */
    if (status != SL_OK || used != got || (out->version == 0) != v0) {
        return sl_fail(err, SL_EINVAL, NULL, "\"%.*s\" is not a CID", shown, text);
    }
    return SL_OK;
}

/* ---- bytes --------------------------------------------------------------------------------- */

enum sl_status sl_cid_decode(struct sl_cid *out, const uint8_t *data, size_t size, size_t *used,
                             struct sl_error *err)
{
    struct sl_reader r;
    uint64_t version, codec, hash, length;
    const uint8_t *digest;

    *out = (struct sl_cid){0};
    *used = 0;
    sl_reader_init(&r, data, size);
    if (size >= 34 && data[0] == HASH_SHA256 && data[1] == SL_CID_DIGEST_SIZE) {
        out->codec = SL_CODEC_DAG_PB; /* v0 is a multihash alone */
        memcpy(out->digest, data + 2, SL_CID_DIGEST_SIZE);
        *used = 34;
        return SL_OK;
    }
    version = sl_read_varint(&r);
    codec = sl_read_varint(&r);
    hash = sl_read_varint(&r);
    length = sl_read_varint(&r);
    digest = length <= 128 ? sl_read_bytes(&r, (size_t)length) : NULL;
    if (r.overrun || !digest || version != 1) {
        return sl_fail(err, SL_EDATA, NULL, "no CID (version 0 or 1) is there");
    }
    *used = r.pos;
    if (hash != HASH_SHA256 || length != SL_CID_DIGEST_SIZE ||
        (codec != SL_CODEC_RAW && codec != SL_CODEC_DAG_PB)) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL,
                       "hash 0x%x of %u bytes, codec 0x%x: SHA-256 and raw or dag-pb are expected",
                       (unsigned)hash, (unsigned)length, (unsigned)codec);
    }
    out->version = 1;
    out->codec = (uint8_t)codec;
    memcpy(out->digest, digest, SL_CID_DIGEST_SIZE);
    return SL_OK;
}

size_t sl_cid_encode(const struct sl_cid *cid, uint8_t out[SL_CID_BYTES_MAX])
{
    size_t n = 0;

    if (cid->version != 0) {
        out[n++] = 1;
        out[n++] = cid->codec;
    }
    out[n++] = HASH_SHA256;
    out[n++] = SL_CID_DIGEST_SIZE;
    memcpy(out + n, cid->digest, SL_CID_DIGEST_SIZE);
    return n + SL_CID_DIGEST_SIZE;
}

/* ---- bytes to text ------------------------------------------------------------------------- */

static void encode32(const uint8_t *data, size_t size, char *out)
{
    uint32_t held = 0;
    unsigned have = 0;

    for (size_t i = 0; i < size; i++) {
        held = held << 8 | data[i];
        have += 8;
        while (have >= 5) {
            have -= 5;
            *out++ = base32[held >> have & 31];
        }
        held &= (1u << have) - 1;
    }
    if (have > 0) {
        *out++ = base32[held << (5 - have) & 31];
    }
    *out = '\0';
}

static void encode58(const uint8_t *data, size_t size, char *out)
{
    uint8_t digits[SL_CID_TEXT_SIZE];
    size_t length = 0;

    /* The first byte of a multihash is never zero, so no zeros stand in front. */
    for (size_t i = 0; i < size; i++) {
        uint32_t carry = data[i];

        for (size_t k = 0; k < length || carry > 0; k++) {
            if (k >= length) {
                digits[length++] = 0;
            }
            carry += (uint32_t)digits[k] << 8;
            digits[k] = (uint8_t)(carry % 58);
            carry /= 58;
        }
    }
    for (size_t k = 0; k < length; k++) {
        out[k] = base58[digits[length - 1 - k]];
    }
    out[length] = '\0';
}

char *sl_cid_text(const struct sl_cid *cid, char out[SL_CID_TEXT_SIZE])
{
    uint8_t bytes[SL_CID_BYTES_MAX];
    size_t size = sl_cid_encode(cid, bytes);

    if (cid->version == 0) {
        encode58(bytes, size, out);
    } else {
        out[0] = 'b';
        encode32(bytes, size, out + 1);
    }
    return out;
}

bool sl_cid_same(const struct sl_cid *a, const struct sl_cid *b)
{
    return a->codec == b->codec && memcmp(a->digest, b->digest, SL_CID_DIGEST_SIZE) == 0;
}

struct sl_cid sl_cid_v1(const struct sl_cid *cid)
{
    struct sl_cid v1 = *cid;

    v1.version = 1;
    return v1;
}
