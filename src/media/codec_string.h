/* SPDX-License-Identifier: BSD-2-Clause */
/* Codec strings as RFC 6381 and the codecs' own ISO bindings write them, from parameter sets. */
#ifndef SL_MEDIA_CODEC_STRING_H
#define SL_MEDIA_CODEC_STRING_H

#include <sluice/media.h>

#define SL_CODEC_STRING_MAX 64

/* "avc1.64001f", "hvc1.1.6.L93.B0", "mp4a.40.2", "mp4a.6B" (MP3), "ac-3", "ec-3", "Opus", "fLaC",
 * "vp09.00.31.08", "vp08.00…", "av01.0.04M.08", "wvtt". H.264 and HEVC may have their parameter
 * sets as Annex B instead of a record; AAC without a config is named by its profile, the audio
 * object type. Returns: SL_EUNSUPPORTED where the codec has no such string or the config needed for
 * it is absent; out is then empty. */
SL_NODISCARD enum sl_status sl_codec_string(const struct sl_track *track,
                                            char out[SL_CODEC_STRING_MAX], struct sl_error *err);
/* avc1 to avc3, hvc1 to hev1: for samples that hold their parameter sets. Others stay. */
void sl_codec_string_in_band(char *text);

#endif
