/* SPDX-License-Identifier: BSD-2-Clause */
/* The compact sidecar, docs/layers.md: what its writer and its reader agree on. */
#ifndef SL_PIPELINE_FRAMES_BINARY_H
#define SL_PIPELINE_FRAMES_BINARY_H

#define SL_FRAMES_BINARY_MAGIC   "SLXINDEX" /* 8 bytes */
#define SL_FRAMES_BINARY_VERSION 1
#define SL_FRAMES_BINARY_HEAD    48 /* bytes before the first sample */
#define SL_FRAMES_BINARY_TAIL    4  /* CRC-32 of all before it */

enum { /* of a sample */
       SL_FRAMES_BINARY_LAYER = 0x07,
       SL_FRAMES_BINARY_KEY = 0x08,
       SL_FRAMES_BINARY_LINKED = 0x10, /* its references follow */
};

#endif
