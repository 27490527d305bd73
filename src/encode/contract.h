/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stream of H.264 or HEVC owes its readers, whichever encoder made it (docs/encoder.md): one
 * set of parameter sets, in band at each IDR and nowhere else, that states size, colour, reorder
 * depth, level and profile truly. Backends hand what they get through here: it is read by our own
 * parsers, mended where a backend leaves something out, and refused where it is wrong. */
#ifndef SL_ENCODE_CONTRACT_H
#define SL_ENCODE_CONTRACT_H

#include "media/h264.h"
#include "media/stage.h"

#define SL_CONTRACT_SETS_MAX 4096 /* bytes of all parameter sets of a stream; some 50 are usual */

struct sl_contract {
    const char *name; /* of the backend, for errors */
    enum sl_codec codec;
    uint8_t *from, *to; /* parameter sets as Annex B: as the backend writes them, and mended */
    size_t from_size, to_size;
};

/* annexb: parameter sets as the backend announces them (other units are passed over). Fills track:
 * kind, codec, timebase, nominal rate, sizes, colour, config (avcC, hvcC), reorder. reorder: what
 * the backend is known to do, -1: as the stream says or, in sync and pipelined mode, 0.
 * SL_EDATA where the sets are not those of what was asked for and cannot be mended. */
SL_NODISCARD enum sl_status sl_contract_open(struct sl_contract *c, const char *name,
                                             enum sl_codec codec, const struct sl_encode_params *p,
                                             int32_t reorder, const uint8_t *annexb, size_t size,
                                             struct sl_track *track, struct sl_error *err);
/* One access unit of the backend, copied; what it has of parameter sets, delimiters and filler in
 * front is left out, the mended sets are put in front of an IDR. Flags are SL_PACKET_KEY where it
 * is an IDR, else 0; times are left to the caller. SL_EDATA where a parameter set differs from
 * those announced, or where there is no slice. */
SL_NODISCARD enum sl_status sl_contract_packet(const struct sl_contract *c, const uint8_t *data,
                                               size_t size, struct sl_packet **out,
                                               struct sl_error *err);
/* Zeroed is fine. */
void sl_contract_clear(struct sl_contract *c);

#endif
