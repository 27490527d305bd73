/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Probe: what is inside a file.
 */
#ifndef SLUICE_PROBE_H
#define SLUICE_PROBE_H

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/media.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_probe;

/**
 * Opens @p input (a path, or "-" for standard input), reads its headers and closes it again.
 * Ownership: *out is the caller's, to be given to sl_probe_destroy().
 * Returns: SL_ENOTFOUND, SL_EDATA (not media), SL_EUNSUPPORTED (a module is missing), SL_EIO.
 * Thread-safety: reentrant.
 */
SL_NODISCARD SL_API enum sl_status sl_probe_open(struct sl_probe **out, const char *input,
                                                 const struct sl_log *log, struct sl_error *err);
/** Name of the container: "matroska", "mov", "y4m". Lifetime: that of the probe. */
SL_API const char *sl_probe_format(const struct sl_probe *probe);
/** Duration in microseconds, for printing; -1: not known. */
SL_API int64_t sl_probe_duration(const struct sl_probe *probe);
SL_API size_t sl_probe_track_count(const struct sl_probe *probe);
/** Track @p index. NULL where out of range. Lifetime: that of the probe. */
SL_API const struct sl_track *sl_probe_track(const struct sl_probe *probe, size_t index);
/** RFC 6381 codec string of a track, "" where it has none. Lifetime: that of the probe. */
SL_API const char *sl_probe_codec_string(const struct sl_probe *probe, size_t index);
/** "yuv420p10", "nv12" …; "" where not known. Static storage. */
SL_API const char *sl_pixel_format_name(int32_t pixel_format);
SL_API void sl_probe_destroy(struct sl_probe **probe);

#ifdef __cplusplus
}
#endif
#endif
