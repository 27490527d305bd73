/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of the test double of libnvidia-encode.so.1 (standin.h): what really encodes. */
#ifndef SL_TEST_STANDIN_CODER_H
#define SL_TEST_STANDIN_CODER_H

#include <ffnvcodec/nvEncodeAPI.h>

#include "standin.h"

/* A picture as x264 and x265 take it: planar, 4:2:0 or 4:4:4, 8 bits or 10 in 16. */
struct standin_picture {
    uint8_t *plane[3];
    size_t stride[3];
    uint8_t *data;
};

/* Takes a picture over from what lies at data in NVENC's layout; data is whole (standin_bytes). */
void standin_picture_read(struct standin_picture *out, const uint8_t *data, uint32_t pitch,
                          uint32_t width, uint32_t height, NV_ENC_BUFFER_FORMAT format, bool is_444,
                          uint32_t matrix, bool full_range);
void standin_picture_clear(struct standin_picture *p);
/* Bytes of a picture in NVENC's layout; 0 where the format is not known. */
size_t standin_bytes(uint32_t pitch, uint32_t height, NV_ENC_BUFFER_FORMAT format);
/* Bytes of a row of the first plane. */
size_t standin_row(uint32_t width, NV_ENC_BUFFER_FORMAT format);

struct standin_unit {
    uint8_t *data;
    size_t size;
    uint64_t timestamp;
    NV_ENC_PIC_TYPE type;
    uint32_t qp;
};

struct standin_coder;

/* NULL where the settings are refused. */
struct standin_coder *standin_coder_open(const NV_ENC_INITIALIZE_PARAMS *init,
                                         const NV_ENC_CONFIG *config);
void standin_coder_close(struct standin_coder *c);
/* false where it cannot change so; nothing has changed then. */
bool standin_coder_change(struct standin_coder *c, const NV_ENC_INITIALIZE_PARAMS *init,
                          const NV_ENC_CONFIG *config);
/* Parameter sets, Annex B. */
size_t standin_coder_sets(struct standin_coder *c, uint8_t *out, size_t room);
/* NULL: the end. refresh: pictures of a cycle of intra blocks that begins here. true: a unit is in
 * *out, data allocated. */
bool standin_coder_encode(struct standin_coder *c, const struct standin_picture *picture,
                          uint64_t timestamp, bool idr, bool refresh, struct standin_unit *out);
bool standin_coder_invalidate(struct standin_coder *c, uint64_t timestamp);

#endif
