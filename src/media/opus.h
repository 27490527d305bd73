/* SPDX-License-Identifier: BSD-2-Clause */
/* Opus identification headers, RFC 7845 5.1, and packets, RFC 6716 3.1. */
#ifndef SL_MEDIA_OPUS_H
#define SL_MEDIA_OPUS_H

#include "base/bytes.h"

#define SL_OPUS_RATE        48000 /* whatever the input's rate was */
#define SL_OPUS_SAMPLES_MAX 5760  /* 120 ms in one packet */

struct sl_opus_head {
    uint8_t channels;
    uint16_t pre_skip; /* samples */
    uint32_t input_rate;
    uint16_t gain; /* Q7.8, two's complement */
    uint8_t family;
    uint8_t streams, coupled; /* family > 0 */
    uint8_t mapping[255];     /* of channels; family > 0 */
};

/* "OpusHead" (Ogg, Matroska, WebM), or the payload of a dOps box, which has no name in front, is
 * of version 0 and of the other byte order. */
SL_NODISCARD enum sl_status sl_opus_parse(const uint8_t *data, size_t size,
                                          struct sl_opus_head *out, struct sl_error *err);
/* Payload of dOps: "Encapsulation of Opus in ISO Base Media File Format" 4.3.2. */
void sl_opus_write_dops(const struct sl_opus_head *head, struct sl_writer *out);
/* "OpusHead". */
void sl_opus_write_head(const struct sl_opus_head *head, struct sl_writer *out);
/* Samples at 48 kHz in a packet, from its first two bytes; 0: damaged. */
unsigned sl_opus_samples(const uint8_t *data, size_t size);

#endif
