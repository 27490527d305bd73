/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/probe.h"

#include <sluice/probe.h>

#include "base/error.h"
#include "media/pixel.h"

enum sl_status sl_probe_open(struct sl_probe **out, const char *input, const struct sl_log *log,
                             struct sl_error *err)
{
    if (!out || !input || !input[0]) {
        return sl_fail(err, SL_EINVAL, "input", "no input is named");
    }
    return sl_probe_run(out, input, log, err);
}

const char *sl_probe_format(const struct sl_probe *probe)
{
    return probe->format;
}

int64_t sl_probe_duration(const struct sl_probe *probe)
{
    return probe->duration;
}

size_t sl_probe_track_count(const struct sl_probe *probe)
{
    return probe->count;
}

const struct sl_track *sl_probe_track(const struct sl_probe *probe, size_t index)
{
    return index < probe->count ? &probe->tracks[index] : NULL;
}

const char *sl_probe_codec_string(const struct sl_probe *probe, size_t index)
{
    return index < probe->count ? probe->codecs[index] : "";
}

const char *sl_pixel_format_name(int32_t pixel_format)
{
    const struct sl_pixel_info *info = pixel_format > 0 && pixel_format < SL_PIX_COUNT
                                           ? sl_pixel_info((enum sl_pixel_format)pixel_format)
                                           : NULL;
    return info ? info->name : "";
}

void sl_probe_destroy(struct sl_probe **probe)
{
    sl_probe_free(probe);
}
