/* SPDX-License-Identifier: BSD-2-Clause */
/* The NAL units of a video packet, whichever way they are framed: start codes (ISO/IEC 14496-10
 * Annex B, what encoders give) or lengths (ISO/IEC 14496-15, what containers hold).
 *
 * media/nal_form.h tells how they are told apart. */
#ifndef SL_MUX_FRAMING_H
#define SL_MUX_FRAMING_H

#include <sluice/media.h>

#include "base/slice.h"
#include "media/h264.h"

#define SL_UNITS_MAX 65536 /* NAL units in one access unit */

/* What a container cares about in a unit. */
enum sl_unit_role {
    SL_UNIT_OTHER = 0,
    SL_UNIT_SLICE,
    SL_UNIT_SETS,      /* SPS, PPS, VPS: out of band in avc1 and hvc1 */
    SL_UNIT_DELIMITER, /* access unit delimiter */
    SL_UNIT_FILLER,
};

struct sl_framing {
    enum sl_codec codec;
    struct sl_nal_config config; /* points into the track's config */
    bool known, annexb;          /* of the last payload that could be only one of the two */
};

bool sl_framing_wanted(enum sl_codec codec); /* the codec consists of NAL units */
/* The track's config must outlive the framing. SL_EINVAL where it is absent, SL_EDATA where it is
 * no avcC or hvcC. */
SL_NODISCARD enum sl_status sl_framing_init(struct sl_framing *f, const struct sl_track *track,
                                            const char *where, size_t index, struct sl_error *err);
/* nal_unit_type */
unsigned sl_framing_type(const struct sl_framing *f, const struct sl_nal *nal);
enum sl_unit_role sl_framing_role(const struct sl_framing *f, const struct sl_nal *nal);
/* The unit is one of the config's parameter sets, byte for byte (trailing zeros aside). */
bool sl_framing_set_known(const struct sl_framing *f, const struct sl_nal *nal);
/* Memory is looked at in place, packet by packet; ranges of files only until it is known (a system
 * call a packet would cost more than all else), and again never. */
SL_NODISCARD enum sl_status sl_framing_is_annexb(struct sl_framing *f,
                                                 const struct sl_chain *payload, bool *annexb,
                                                 struct sl_error *err);

/* One access unit, split. Zero-initialise; the list is kept from one access unit to the next. */
struct sl_units {
    struct sl_buf *buf; /* the whole payload; the units point into it */
    struct sl_nal *items;
    size_t count, capacity;
};

SL_NODISCARD enum sl_status sl_units_split(struct sl_units *units, struct sl_framing *f,
                                           const struct sl_chain *payload, struct sl_error *err);
void sl_units_release(struct sl_units *units); /* the payload; the list is kept */
void sl_units_clear(struct sl_units *units);

#endif
