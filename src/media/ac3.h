/* SPDX-License-Identifier: BSD-2-Clause */
/* AC-3 and E-AC-3 sync frames, and what MP4 keeps of them: ETSI TS 102 366, chapter 4, annex E
 * (Enhanced AC-3) and annex F (dac3, dec3); ETSI TS 103 420 (joint object coding). */
#ifndef SL_MEDIA_AC3_H
#define SL_MEDIA_AC3_H

#include <stdbool.h>

#include "base/bytes.h"

#define SL_EAC3_SUBSTREAMS 8 /* independent ones */

struct sl_ac3_frame {
    bool enhanced; /* E-AC-3: bsid 11 to 16 */
    uint8_t bsid, bsmod, acmod;
    bool lfe;
    uint8_t fscod;         /* 3: fscod2 counts, E-AC-3 at half the rate */
    uint8_t stream_type;   /* E-AC-3: 0 independent, 1 dependent, 2 AC-3 transcoded; AC-3: 0 */
    uint8_t substream;     /* substreamid */
    uint8_t bit_rate_code; /* AC-3: frmsizecod / 2 */
    uint8_t blocks;        /* of 256 samples: 6, E-AC-3 1, 2, 3 or 6 */
    uint16_t channel_map;  /* chanmap of a dependent substream, 0: not stated */
    bool joc;              /* flag_ec3_extension_type_a: joint object coding (Atmos) */
    uint8_t complexity;    /* complexity_index_type_a, with joc */
    uint32_t sample_rate;
    uint32_t bit_rate; /* AC-3: bit/s as the header states it */
    uint8_t channels;  /* of this frame, LFE included */
    size_t size;       /* bytes of the whole frame */
};

/* SL_EDATA where the bytes are no sync frame. The header alone is enough, but for E-AC-3's
 * extensions: what they would say is false where the data ends before them. */
SL_NODISCARD enum sl_status sl_ac3_parse(const uint8_t *data, size_t size, struct sl_ac3_frame *out,
                                         struct sl_error *err);

/* One access unit: AC-3, or the independent substreams of E-AC-3, each with its dependent ones. */
struct sl_ac3_unit {
    struct sl_ac3_frame first;
    unsigned count; /* of independent substreams */
    struct {
        struct sl_ac3_frame frame;
        uint8_t dependents; /* num_dep_sub */
        uint16_t locations; /* chan_loc */
    } sub[SL_EAC3_SUBSTREAMS];
    bool joc; /* in the first program */
    uint8_t complexity;
    uint32_t bit_rate; /* of all substreams, bit/s */
    uint8_t channels;  /* of the first program, its dependent substreams included */
    uint64_t layout;   /* of the same, as a WAVEFORMATEXTENSIBLE mask; 0: has no such places */
};

/* Frames up to the end of data, or to where the first independent substream comes again. */
SL_NODISCARD enum sl_status sl_ac3_parse_unit(const uint8_t *data, size_t size,
                                              struct sl_ac3_unit *out, struct sl_error *err);
/* AC3SpecificBox (F.4) or EC3SpecificBox (F.6, TS 103 420 8.3), without the box header. */
void sl_ac3_write_config(const struct sl_ac3_unit *unit, struct sl_writer *out);

#endif
