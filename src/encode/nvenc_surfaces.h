/* SPDX-License-Identifier: BSD-2-Clause */
/* What pictures go into and units come out of. A picture in the host's memory is copied into an
 * input buffer of NVENC's; one in the device's is registered where it lies and read there. Calls
 * stand between sl_nvenc_enter and sl_nvenc_leave. */
#ifndef SL_ENCODE_NVENC_SURFACES_H
#define SL_ENCODE_NVENC_SURFACES_H

#include "encode/nvenc_driver.h"
#include "encode/nvenc_nvtx.h"
#include "media/frame.h"

/* Registered resources that are kept, least recently used first to go; more only where more
 * pictures can be on their way at once. */
#define SL_NVENC_RESOURCES 16

/* Device memory as NVENC knows it. */
struct sl_nvenc_resource {
    CUdeviceptr pointer;
    unsigned long long allocation; /* two at the same address, one after the other, differ in it */
    uint32_t pitch, width, height;
    NV_ENC_BUFFER_FORMAT format;
    NV_ENC_REGISTERED_PTR registered; /* NULL: free */
    NV_ENC_INPUT_PTR mapped;          /* while users > 0 */
    unsigned users;                   /* surfaces on their way that read it */
    uint64_t used;                    /* when last */
};

/* One picture and the unit that it becomes. */
struct sl_nvenc_surface {
    NV_ENC_OUTPUT_PTR output;
    /* what is kept for later pictures, made at first need */
    NV_ENC_INPUT_PTR host;
    NV_ENC_BUFFER_FORMAT host_format;
    uint32_t host_width, host_height;
    CUdeviceptr copy;
    size_t copy_pitch, copy_bytes, copy_rows;
    /* of the picture at hand */
    NV_ENC_INPUT_PTR input;
    NV_ENC_BUFFER_FORMAT format;
    uint32_t pitch;
    struct sl_nvenc_resource *resource; /* NULL: input is host */
    struct sl_frame *frame;             /* held while it is read in place */
};

struct sl_nvenc_surfaces {
    struct sl_nvenc_session *session;
    const struct sl_nvtx *nvtx;
    struct sl_nvenc_surface *surface;
    size_t count;
    struct sl_nvenc_resource *resource;
    size_t resource_count;
    uint64_t clock;
};

SL_NODISCARD enum sl_status sl_nvenc_surfaces_open(struct sl_nvenc_surfaces *s,
                                                   struct sl_nvenc_session *session,
                                                   const struct sl_nvtx *nvtx, size_t count,
                                                   struct sl_error *err);
/* Nothing may be on its way any more. Zeroed is fine. */
void sl_nvenc_surfaces_close(struct sl_nvenc_surfaces *s);

/* Makes input, format and pitch of a surface that is not on its way. SL_EUNSUPPORTED for a picture
 * that cannot be read (upside down in the device's memory); nothing is held on failure. */
SL_NODISCARD enum sl_status sl_nvenc_load(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *to,
                                          struct sl_frame *frame, struct sl_error *err);
/* The picture has been read: unmaps it and lets go of the frame. */
void sl_nvenc_unload(struct sl_nvenc_surfaces *s, struct sl_nvenc_surface *from);

#endif
