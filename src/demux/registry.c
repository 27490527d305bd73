/* SPDX-License-Identifier: BSD-2-Clause */
#include "demux/registry.h"

#include "base/error.h"
#include "demux/demuxers.h"

#define HEAD_SIZE 4096

static const struct sl_demuxer_ops *const demuxers[] = {
    &sl_demux_mkv, &sl_demux_y4m, &sl_demux_raw, &sl_demux_mp4, &sl_demux_libav_module, NULL,
};

const struct sl_demuxer_ops *const *sl_demuxers(void)
{
    return demuxers;
}

static enum sl_status choose(const struct sl_demuxer_ops **out, struct sl_window *w,
                             struct sl_error *err)
{
    const uint8_t *head = NULL;
    size_t size = 0;
    int best = 0;
    enum sl_status status = sl_window_view(w, 0, HEAD_SIZE, &head, &size, err);

    if (status != SL_OK) {
        return status;
    }
    if (size == 0) {
        return sl_fail(err, SL_EDATA, sl_window_name(w), "is empty, a media file was expected");
    }
    for (size_t i = 0; demuxers[i]; i++) {
        int score = demuxers[i]->probe(head, size);
        if (score > best) {
            best = score;
            *out = demuxers[i];
        }
    }
    return best > 0 ? SL_OK
                    : sl_fail(err, SL_EDATA, sl_window_name(w),
                              "is not a media file that is known here");
}

/* SL_ENOTFOUND of a demuxer of ours: the container is known, but not something in it (a codec of
 * QuickTime's early days), so that libavformat is asked, which knows more. What it says counts only
 * where it can: its words on this would be vaguer. */
static enum sl_status open_or_pass_on(const struct sl_demuxer_ops *ops, struct sl_demuxer **out,
                                      struct sl_window *w, const struct sl_demux_params *params,
                                      struct sl_error *err)
{
    struct sl_error first = {0};
    enum sl_status status = ops->open(out, w, params, &first);

    if (status == SL_ENOTFOUND) {
        status = sl_demux_libav_module.open(out, w, params, NULL);
        if (status != SL_OK && status != SL_EAGAIN) {
            status = first.status = SL_EUNSUPPORTED;
        }
    }
    if (status != SL_OK && status != SL_EAGAIN && err && err->status == SL_OK) {
        *err = first;
    }
    return status;
}

enum sl_status sl_demux_open(struct sl_demuxer **out, struct sl_window *w,
                             const struct sl_demux_params *params, struct sl_error *err)
{
    static const struct sl_demux_params none;
    const struct sl_demuxer_ops *ops = &sl_demux_raw;
    enum sl_status status = SL_OK;

    *out = NULL;
    if (!params) {
        params = &none;
    }
    if (params->raw_format == SL_PIX_NONE) {
        status = choose(&ops, w, err);
    }
    return status == SL_OK ? open_or_pass_on(ops, out, w, params, err) : status;
}

void sl_demux_destroy(struct sl_demuxer **d)
{
    if (d && *d) {
        (*d)->ops->destroy(*d);
        *d = NULL;
    }
}
