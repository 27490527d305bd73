/* SPDX-License-Identifier: BSD-2-Clause */
/* The parameter sets' half of the contract. */
#ifndef SL_ENCODE_CONTRACT_SETS_H
#define SL_ENCODE_CONTRACT_SETS_H

#include "encode/contract.h"

/* What was asked for, and of whom. */
struct sl_contract_asked {
    const char *name; /* of the backend */
    enum sl_codec codec;
    int32_t reorder; /* as for sl_contract_open */
    const struct sl_encode_params *p;
};

/* Appends the unit, of this nal_unit_type, as it ought to be, without a start code. */
SL_NODISCARD enum sl_status sl_contract_mend(const struct sl_contract_asked *asked,
                                             const struct sl_nal *nal, unsigned type,
                                             struct sl_writer *out, struct sl_error *err);
/* Fills the track from mended sets (Annex B). */
SL_NODISCARD enum sl_status sl_contract_describe(const char *name, enum sl_codec codec,
                                                 const struct sl_encode_params *p,
                                                 const uint8_t *annexb, size_t size,
                                                 struct sl_track *track, struct sl_error *err);
/* profile_idc that a name asks for; 0: none was asked for, or it is not known. */
int sl_contract_profile(enum sl_codec codec, const char *profile);

#endif
