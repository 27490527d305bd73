/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/ladder.h"

#include <sluice/ladder.h>

#include "api/params.h"
#include "base/error.h"
#include "base/rational.h"
#include "pipeline/live.h"

enum sl_status sl_ladder_params_default(struct sl_ladder_params *params, uint32_t size,
                                        struct sl_error *err)
{
    return sl_params_default(sl_ladder_options(), params, size, sizeof *params, err);
}

enum sl_status sl_ladder_open(struct sl_ladder **out, const struct sl_ladder_params *params,
                              const struct sl_ladder_events *events, const struct sl_log *log,
                              struct sl_error *err)
{
    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_ladder_params_default", err);
    if (status != SL_OK) {
        return status;
    }
    *out = NULL;
    if (params->run[0] && (!params->store[0] || params->output[0])) {
        return sl_fail(err, SL_EINVAL, "run", "a run is kept in a store, not in a directory");
    }
    if (!params->run[0] &&
        (params->store[0] || params->registry[0] || params->gateway[0] || params->ipfs[0])) {
        return sl_fail(err, SL_EINVAL,
                       params->store[0]      ? "store"
                       : params->registry[0] ? "registry"
                       : params->gateway[0]  ? "gateway"
                                             : "ipfs",
                       "goes with a run (--run)");
    }
    if (!params->run[0] && !params->output[0]) {
        return sl_fail(err, SL_EINVAL, "output", "no output directory is named");
    }
    if (!sl_rational_valid(params->segment)) {
        return sl_fail(err, SL_EINVAL, "segment", "the length must be positive");
    }
    if (params->audio_channels != 1 && params->audio_channels != 2 && params->audio_channels != 6) {
        return sl_fail(err, SL_EINVAL, "audio-channels", "%lld is not allowed (1, 2 or 6)",
                       (long long)params->audio_channels);
    }
    if (params->rung_count < 0 || params->rung_count > SL_LADDER_RUNGS_MAX) {
        return sl_fail(err, SL_EINVAL, "rung", "%d rungs (0 to %d)", params->rung_count,
                       SL_LADDER_RUNGS_MAX);
    }
    if (params->no_audio && params->audio[0]) {
        return sl_fail(err, SL_EINVAL, "no-audio", "contradicts --audio");
    }
    return sl_ladder_create(out, params, events, log, err);
}

enum sl_status sl_ladder_run(struct sl_ladder *ladder, struct sl_error *err)
{
    if (!ladder) {
        return sl_fail(err, SL_EINVAL, "ladder", "NULL");
    }
    return sl_ladder_execute(ladder, err);
}

void sl_ladder_stop(struct sl_ladder *ladder)
{
    if (ladder) {
        sl_ladder_request_stop(ladder);
    }
}

void sl_ladder_destroy(struct sl_ladder **ladder)
{
    sl_ladder_free(ladder);
}

enum sl_status sl_ladder_write_frame(struct sl_ladder *ladder, const struct sl_picture *picture,
                                     struct sl_error *err)
{
    if (!ladder || !picture) {
        return sl_fail(err, SL_EINVAL, ladder ? "picture" : "ladder", "NULL");
    }
    return sl_ladder_push(ladder, picture, err);
}

enum sl_status sl_ladder_close(struct sl_ladder *ladder, struct sl_error *err)
{
    if (!ladder) {
        return sl_fail(err, SL_EINVAL, "ladder", "NULL");
    }
    return sl_ladder_push_close(ladder, err);
}

void sl_ladder_on_update(struct sl_ladder *ladder, sl_ladder_update_fn *update, void *opaque)
{
    if (ladder) {
        sl_ladder_tell(ladder, update, opaque);
    }
}

void sl_ladder_get_result(struct sl_ladder *ladder, struct sl_ladder_result *result)
{
    if (result) {
        *result = (struct sl_ladder_result){.master_cid = ""};
    }
    if (ladder && result) {
        sl_ladder_result_of(ladder, result);
    }
}

static enum sl_status check_run(const struct sl_ladder_params *params, struct sl_error *err)
{
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_ladder_params_default", err);
    if (status == SL_OK && (!params->run[0] || !params->store[0])) {
        status = sl_fail(err, SL_EINVAL, params->run[0] ? "store" : "run", "is not named");
    }
    return status;
}

enum sl_status sl_ladder_params_of_run(struct sl_ladder_params *params, const struct sl_log *log,
                                       struct sl_error *err)
{
    enum sl_status status = check_run(params, err);
    return status ? status : sl_live_params_of(params, sl_ladder_options(), log, err);
}

enum sl_status sl_ladder_finish_run(const struct sl_ladder_params *params,
                                    struct sl_ladder_result *result, const struct sl_log *log,
                                    struct sl_error *err)
{
    enum sl_status status = check_run(params, err);
    return status ? status : sl_live_finish_run(params, sl_ladder_options(), result, log, err);
}

enum sl_status sl_ladder_upload_run(const struct sl_ladder_params *params, const struct sl_log *log,
                                    struct sl_error *err)
{
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_ladder_params_default", err);
    if (status == SL_OK && !params->store[0]) {
        status = sl_fail(err, SL_EINVAL, "store", "is not named");
    }
    return status ? status : sl_live_upload_run(params, log, err);
}
