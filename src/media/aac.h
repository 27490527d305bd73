/* SPDX-License-Identifier: BSD-2-Clause */
/* AudioSpecificConfig, ISO/IEC 14496-3 1.6.2.1, and ADTS, 1.A.3. */
#ifndef SL_MEDIA_AAC_H
#define SL_MEDIA_AAC_H

#include <sluice/media.h>

#include "base/bytes.h"

struct sl_aac_config {
    uint8_t object_type;    /* of the core: 2 where LC is extended by SBR or PS */
    uint8_t declared_type;  /* what the config begins with: 5 or 29 where SBR or PS is signalled
                               explicitly, else object_type */
    uint32_t sample_rate;   /* Hz of the core */
    uint8_t channel_config; /* table 1.19; 0: in a program config element */
    uint8_t channels;       /* of the core; 0: not known */
    bool sbr, ps;           /* signalled, explicitly or backward-compatibly */
    uint32_t output_rate;   /* Hz after SBR */
    uint16_t frame_samples; /* 1024 or 960, of the core; 512 or 480 for the low-delay types */
};

/* SL_EUNSUPPORTED where the object type is none of the general audio ones (and ELD); its number and
 * what the common header says are filled in all the same. */
SL_NODISCARD enum sl_status sl_aac_parse_config(const uint8_t *data, size_t size,
                                                struct sl_aac_config *out, struct sl_error *err);
/* Two bytes (five with an escape rate): the core alone, without extension. */
void sl_aac_write_config(const struct sl_aac_config *config, struct sl_writer *out);

struct sl_adts {
    uint8_t object_type, channel_config;
    uint32_t sample_rate;
    uint16_t frame_size; /* header included */
    uint8_t header_size; /* 7; with CRC 9, and 2 more for each block after the first */
    uint8_t blocks;      /* raw data blocks, 1 to 4 */
};
#define SL_ADTS_HEADER 7
/* SL_EDATA where the bytes are no ADTS header. */
SL_NODISCARD enum sl_status sl_adts_parse(const uint8_t *data, size_t size, struct sl_adts *out,
                                          struct sl_error *err);
/* Header for one raw frame of payload bytes. SL_EUNSUPPORTED where ADTS cannot say it (escape
 * rates, object types above 4, channel configuration 0, over 8184 bytes). */
SL_NODISCARD enum sl_status sl_adts_write(const struct sl_aac_config *config, size_t payload,
                                          uint8_t out[SL_ADTS_HEADER], struct sl_error *err);

#endif
