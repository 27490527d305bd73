/* SPDX-License-Identifier: BSD-2-Clause */
/* What a node answers (https://docs.ipfs.tech/reference/kubo/rpc/): one JSON value or several, one
 * after another. Nothing of it is believed: each CID is parsed and compared, unknown members are
 * passed over, numbers may be written as texts. */
#ifndef SL_IPFS_ANSWER_H
#define SL_IPFS_ANSWER_H

#include <stdbool.h>

#include "store/cid.h"

#define SL_IPFS_ANSWER_MAX ((size_t)1 << 20) /* bytes; what we ask for has a few hundred */
#define SL_IPFS_REASON_MAX 200

/* A text of the node's as it may be printed, without spaces around it. */
void sl_ipfs_reason(char out[SL_IPFS_REASON_MAX], const char *text);

struct sl_ipfs_answer {
    const char *name; /* of the node, for messages */
    long code;        /* HTTP status */
    const void *data;
    size_t size;
};

/* SL_OK where it is 200 and holds no {"Message", "Code", "Type"} of an error. Else in the node's
 * own words: SL_EBUSY (429, 502, 503, 504), SL_ENOTFOUND (404: there is no such call), SL_EIO. */
SL_NODISCARD enum sl_status sl_ipfs_answer_check(const struct sl_ipfs_answer *a,
                                                 struct sl_error *err);

/* dag/import: {"Root": {"Cid": {"/": cid}, "PinErrorMsg": text}}, {"Stats": …}. SL_EDATA where root
 * is not among the roots; not_pinned says why it is not pinned, "" where it is. */
SL_NODISCARD enum sl_status sl_ipfs_answer_import(const struct sl_ipfs_answer *a,
                                                  const struct sl_cid *root,
                                                  char not_pinned[SL_IPFS_REASON_MAX],
                                                  struct sl_error *err);
/* add: {"Name", "Hash", "Size"}, after any number of {"Name", "Bytes"}; block/put: {"Key", "Size"}.
 * What the node has made of it; *size -1: it does not say. */
SL_NODISCARD enum sl_status sl_ipfs_answer_added(const struct sl_ipfs_answer *a, struct sl_cid *out,
                                                 int64_t *size, struct sl_error *err);
/* pin/add, pin/rm: {"Pins": [cid]}, after any number of {"Progress"}. SL_EDATA: not of cid. */
SL_NODISCARD enum sl_status sl_ipfs_answer_pins(const struct sl_ipfs_answer *a,
                                                const struct sl_cid *cid, struct sl_error *err);
/* pin/ls: {"Keys": {cid: {"Type"}}}, or {"Cid", "Type"} for each. */
SL_NODISCARD enum sl_status sl_ipfs_answer_listed(const struct sl_ipfs_answer *a,
                                                  const struct sl_cid *cid, bool *pinned,
                                                  struct sl_error *err);

#endif
