/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the VideoToolbox backend share (docs/videotoolbox.md). */
#ifndef SL_ENCODE_VIDEOTOOLBOX_H
#define SL_ENCODE_VIDEOTOOLBOX_H

#include <CoreFoundation/CoreFoundation.h>
#include <CoreMedia/CoreMedia.h>
#include <CoreVideo/CoreVideo.h>
#include <VideoToolbox/VideoToolbox.h>

#include "base/bytes.h"
#include "media/stage.h"

#define SL_VT_NAME      "videotoolbox"
#define SL_VT_DEPTH_MAX 31 /* pictures that may be on their way besides the one at hand */

/* ---- videotoolbox_error.c ---------------------------------------------------------------- */

/* "what: name (number)". running: frames have been given to the session already, so that a device
 * that is not there now is one that was lost. */
enum sl_status sl_vt_fail(struct sl_error *err, OSStatus code, bool running, const char *what);
#if defined(__clang_analyzer__) && !defined(SL_VT_FAIL_IS_DEFINED_HERE)
// NOLINTNEXTLINE(readability-identifier-naming): it never returns SL_OK (see base/error.h)
#define sl_vt_fail(...) ((void)sl_vt_fail(__VA_ARGS__), SL_EIO)
#endif

/* ---- videotoolbox_params.c --------------------------------------------------------------- */

/* A compression session, set up. */
struct sl_vt_session {
    const struct sl_log *log;
    VTCompressionSessionRef vt;
    CFDictionaryRef supported; /* properties by name; NULL: the encoder does not say */
    bool hardware, low_latency;
    bool refers; /* long-term references are on */
    int64_t standard_crf;
};

/* SL_EINVAL where a value is out of range or a name not known, SL_EUNSUPPORTED where VideoToolbox
 * has nothing like it. */
SL_NODISCARD enum sl_status sl_vt_check(enum sl_codec codec, const struct sl_encode_params *p,
                                        struct sl_error *err);
/* Pictures that the encoder may hold back. */
int sl_vt_depth(const struct sl_encode_params *p);
/* What is coded, and the pixel buffers that it is coded from. */
enum sl_pixel_format sl_vt_coded(const struct sl_encode_params *p);
OSType sl_vt_pixel_format(const struct sl_encode_params *p);
/* Creates and sets up. *s is to be closed in every case. */
SL_NODISCARD enum sl_status sl_vt_session_open(struct sl_vt_session *s, enum sl_codec codec,
                                               const struct sl_encode_params *p,
                                               VTCompressionOutputCallback output, void *refcon,
                                               struct sl_error *err);
/* Bitrate, its limits, quality, quantiser and frame rate alone. */
SL_NODISCARD enum sl_status
sl_vt_session_rate(struct sl_vt_session *s, const struct sl_encode_params *p, struct sl_error *err);
/* Waits for what is on its way; then no callback comes any more. Zeroed is fine. */
void sl_vt_session_close(struct sl_vt_session *s);

/* ---- videotoolbox_frame.c ---------------------------------------------------------------- */

/* A pixel buffer of what VideoToolbox is to read: the frame's own, or one of the session's pool
 * with the planes copied into it. *out is the caller's to release. */
SL_NODISCARD enum sl_status sl_vt_frame_image(const struct sl_vt_session *s,
                                              const struct sl_frame *f, OSType pixel_format,
                                              CVPixelBufferRef *out, struct sl_error *err);
/* A black one. */
SL_NODISCARD enum sl_status sl_vt_frame_black(const struct sl_vt_session *s, bool full_range,
                                              CVPixelBufferRef *out, struct sl_error *err);
/* SL_EINVAL where a frame of SL_MEMORY_CVPIXELBUFFER is not of this size and format. */
SL_NODISCARD enum sl_status sl_vt_frame_check(const struct sl_frame *f, int32_t width,
                                              int32_t height, OSType pixel_format,
                                              struct sl_error *err);

/* ---- videotoolbox_sample.c --------------------------------------------------------------- */

/* Appends the access unit as Annex B, with the parameter sets of its format description in front
 * where sets is true. */
SL_NODISCARD enum sl_status sl_vt_sample_annexb(CMSampleBufferRef sample, enum sl_codec codec,
                                                bool sets, struct sl_writer *out,
                                                struct sl_error *err);
/* Decoding can start here. */
bool sl_vt_sample_sync(CMSampleBufferRef sample);
/* True where the picture is kept for later reference; *token is what it is called then. */
bool sl_vt_sample_token(CMSampleBufferRef sample, int64_t *token);

#endif
