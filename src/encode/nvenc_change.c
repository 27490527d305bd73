/* SPDX-License-Identifier: BSD-2-Clause */
/* NVENC in mid-stream: other settings, and pictures that were lost. */
#include <string.h>

#include "base/error.h"
#include "encode/nvenc.h"
#include "media/track.h"

#define NAME SL_NVENC_NAME

static struct sl_nvenc *cast(struct sl_coder *e)
{
    return (struct sl_nvenc *)e;
}

/* ---- settings ------------------------------------------------------------------------------ */

static bool same_guid(const GUID *a, const GUID *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static enum sl_status check_change(struct sl_nvenc *e, const struct sl_nvenc_config *to,
                                   struct sl_error *err)
{
    const struct sl_nvenc_config *is = &e->config;
    if (!same_guid(&to->init.presetGUID, &is->init.presetGUID) ||
        !same_guid(&to->config.profileGUID, &is->config.profileGUID) ||
        to->init.tuningInfo != is->init.tuningInfo || to->coded != is->coded ||
        to->config.frameIntervalP != is->config.frameIntervalP ||
        to->config.gopLength != is->config.gopLength || to->delay != is->delay ||
        to->config.rcParams.rateControlMode != is->config.rcParams.rateControlMode) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "this cannot be changed in mid-stream");
    }
    if (!sl_nvenc_cap(&e->session, NV_ENC_CAPS_SUPPORT_DYN_BITRATE_CHANGE)) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "this device does not change its bitrate in mid-stream "
                       "(NV_ENC_CAPS_SUPPORT_DYN_BITRATE_CHANGE is 0)");
    }
    /* nvEncReconfigureEncoder: maxEncodeWidth and maxEncodeHeight are fixed at the start. */
    if (to->init.encodeWidth > is->init.maxEncodeWidth ||
        to->init.encodeHeight > is->init.maxEncodeHeight) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "size %ux%u, opened for at most %ux%u",
                       to->init.encodeWidth, to->init.encodeHeight, is->init.maxEncodeWidth,
                       is->init.maxEncodeHeight);
    }
    /* Pictures that wait for later ones keep what they have, and what they are described by. */
    return e->lookahead && e->sent > e->got
               ? sl_fail(err, SL_EUNSUPPORTED, NAME,
                         "nothing can be changed while pictures are looked ahead at")
               : SL_OK;
}

static NVENCSTATUS change_to(struct sl_nvenc *e, struct sl_nvenc_config *to, bool resize)
{
    NV_ENC_RECONFIGURE_PARAMS params = {
        .version = sl_nvenc_version(&e->session, NV_ENC_RECONFIGURE_PARAMS_VER),
        .reInitEncodeParams = to->init,
        /* Another size is another sequence: it begins with an IDR picture. */
        .resetEncoder = resize,
        .forceIDR = resize,
    };
    params.reInitEncodeParams.encodeConfig = &to->config;
    return e->session.driver.nvenc.nvEncReconfigureEncoder(e->session.encoder, &params);
}

static enum sl_status change(struct sl_nvenc *e, struct sl_nvenc_config *to,
                             const struct sl_encode_params *params, struct sl_error *err)
{
    struct sl_contract contract = {.name = NULL};
    struct sl_track track;
    enum sl_status status = SL_OK;
    /* Units on their way belong to the parameter sets that are. */
    while (status == SL_OK && e->got < e->sent) {
        struct sl_packet *packet;
        status = sl_nvenc_collect(e, &packet, err);
        if (status == SL_OK) {
            e->ready[e->ready_count++] = packet;
        }
    }
    if (status != SL_OK) {
        e->broken = status;
        return status;
    }
    bool resize = to->init.encodeWidth != e->config.init.encodeWidth ||
                  to->init.encodeHeight != e->config.init.encodeHeight;
    to->init.maxEncodeWidth = e->config.init.maxEncodeWidth;
    to->init.maxEncodeHeight = e->config.init.maxEncodeHeight;
    NVENCSTATUS answer = change_to(e, to, resize);
    if (answer != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(&e->session, "nvEncReconfigureEncoder", answer, err);
    }
    sl_track_init(&track);
    status = sl_nvenc_sets(e, params, &contract, &track, err);
    if (status == SL_OK) {
        sl_contract_clear(&e->contract);
        sl_track_clear(&e->base.track);
        e->contract = contract;
        e->base.track = track;
        e->config = *to;
        return SL_OK;
    }
    sl_track_clear(&track);
    sl_contract_clear(&contract);
    if (change_to(e, &e->config, resize) != NV_ENC_SUCCESS) {
        e->broken = SL_EIO;
    }
    return status;
}

enum sl_status sl_nvenc_reconfigure(struct sl_coder *base, const struct sl_encode_params *params,
                                    struct sl_error *err)
{
    struct sl_nvenc *e = cast(base);
    struct sl_nvenc_config to;
    if (e->broken || e->flushing) {
        return sl_fail(err, e->broken ? e->broken : SL_EINVAL, NAME, "%s",
                       e->broken ? "an earlier picture could not be encoded"
                                 : "a change after the end");
    }
    enum sl_status status = sl_nvenc_enter(&e->session, err);
    if (status != SL_OK) {
        return status;
    }
    status = sl_nvenc_params(&to, &e->session, e->base.ops->codec, params, err);
    if (status == SL_OK) {
        status = check_change(e, &to, err);
    }
    if (status == SL_OK) {
        status = change(e, &to, params, err);
    }
    sl_nvenc_leave(&e->session);
    return status;
}

/* ---- losses -------------------------------------------------------------------------------- */

/* Everything from pts on is lost: none of it may be referred to. Pictures older than those kept are
 * gone already; where nothing from before is kept, the best that NVENC could do is an intra
 * picture, and an IDR is the same and says more. */
static enum sl_status invalidate(struct sl_nvenc *e, int64_t pts, struct sl_error *err)
{
    uint64_t kept = (uint64_t)e->config.references, lost = 0;
    while (lost < e->sent && lost < kept &&
           e->history[(e->sent - 1 - lost) % SL_NVENC_HISTORY] >= pts) {
        lost++;
    }
    if (kept == 0 || lost >= kept || lost >= e->sent) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       kept == 0 ? "opened without loss recovery, or this device has none "
                                   "(NV_ENC_CAPS_SUPPORT_REF_PIC_INVALIDATION)"
                                 : "no picture from before the loss is kept");
    }
    for (; lost > 0; lost--) {
        NVENCSTATUS answer = e->session.driver.nvenc.nvEncInvalidateRefFrames(
            e->session.encoder, (uint64_t)e->history[(e->sent - lost) % SL_NVENC_HISTORY]);
        if (answer != NV_ENC_SUCCESS) {
            return sl_nvenc_fail(&e->session, "nvEncInvalidateRefFrames", answer, err);
        }
    }
    return SL_OK;
}

enum sl_status sl_nvenc_recover(struct sl_coder *base, int64_t pts, enum sl_encoder_recovery *how,
                                struct sl_error *err)
{
    struct sl_nvenc *e = cast(base);
    if (e->broken) {
        return sl_fail(err, e->broken, NAME, "an earlier picture could not be encoded");
    }
    if (e->config.refresh > 0) {
        e->refresh_now = true;
        *how = SL_RECOVERY_REFRESH;
        return SL_OK;
    }
    enum sl_status status = sl_nvenc_enter(&e->session, err);
    if (status == SL_OK) {
        status = invalidate(e, pts, err);
        sl_nvenc_leave(&e->session);
    }
    *how = SL_RECOVERY_REFERENCE;
    return status;
}
