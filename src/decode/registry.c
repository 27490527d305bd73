/* SPDX-License-Identifier: BSD-2-Clause */
#include "decode/registry.h"

#include "base/error.h"
#include "decode/decoders.h"

static const struct sl_decoder_ops *const decoders[] = {
    &sl_decode_raw,
    &sl_decode_libav_module,
};

enum sl_status sl_decode_open(struct sl_decoder **out, const struct sl_track *track,
                              const struct sl_decode_params *params, struct sl_error *err)
{
    static const struct sl_decode_params none;
    const struct sl_decoder_ops *ops = NULL;
    int best = 0;

    *out = NULL;
    for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++) {
        int score = decoders[i]->probe(track);
        if (score > best) {
            best = score;
            ops = decoders[i];
        }
    }
    if (!ops) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "no decoder for %s (%s)", track->codec_name,
                       sl_kind_name(track->kind));
    }
    return ops->open(out, track, params ? params : &none, err);
}

void sl_decode_destroy(struct sl_decoder **d)
{
    if (d && *d) {
        (*d)->ops->destroy(*d);
        *d = NULL;
    }
}
