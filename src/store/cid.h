/* SPDX-License-Identifier: BSD-2-Clause */
/* Content identifiers (https://github.com/multiformats/cid): what a block is called. Ours are those
 * of SHA-256 over raw bytes or dag-pb nodes, which is all that UnixFS makes. */
#ifndef SL_STORE_CID_H
#define SL_STORE_CID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#define SL_CID_DIGEST_SIZE 32
#define SL_CID_TEXT_SIZE   64  /* v1 has 59 letters, v0 has 46; and a terminator */
#define SL_CID_BYTES_MAX   36  /* v1; v0 has 34 */
#define SL_CID_PARSE_MAX   128 /* longest text that is looked at */

enum { /* multicodec */
       SL_CODEC_RAW = 0x55,
       SL_CODEC_DAG_PB = 0x70,
};

struct sl_cid {
    uint8_t version; /* 0 or 1: how it is written. 0 is always dag-pb */
    uint8_t codec;   /* SL_CODEC_… */
    uint8_t digest[SL_CID_DIGEST_SIZE];
};

/* The text of size letters: "Qm…" (v0), or v1 in multibase b B (base32), z (base58btc), f F
 * (base16), k K (base36). SL_EINVAL where it is no CID; SL_EUNSUPPORTED where it is one, but of
 * another hash or codec. */
SL_NODISCARD enum sl_status sl_cid_parse(struct sl_cid *out, const char *text, size_t size,
                                         struct sl_error *err);
/* v0 as base58btc, v1 as lower-case base32: the form that everybody uses. Returns out. */
char *sl_cid_text(const struct sl_cid *cid, char out[SL_CID_TEXT_SIZE]);

/* The binary form at the start of data; *used says how long it is. SL_EDATA where it is none,
 * SL_EUNSUPPORTED as above. */
SL_NODISCARD enum sl_status sl_cid_decode(struct sl_cid *out, const uint8_t *data, size_t size,
                                          size_t *used, struct sl_error *err);
/* Returns the size. */
size_t sl_cid_encode(const struct sl_cid *cid, uint8_t out[SL_CID_BYTES_MAX]);

/* Whether they name the same bytes: v0 and v1 of one dag-pb node are the same. */
bool sl_cid_same(const struct sl_cid *a, const struct sl_cid *b);
/* The name as v1, whatever it was: what objects are filed under. */
struct sl_cid sl_cid_v1(const struct sl_cid *cid);

#endif
