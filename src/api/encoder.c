/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/encoder.h"

#include "api/params.h"
#include "base/buf.h"
#include "base/error.h"

enum sl_status sl_encoder_params_default(struct sl_encoder_params *params, uint32_t size,
                                         struct sl_error *err)
{
    return sl_params_default(sl_encoder_options(), params, size, sizeof *params, err);
}

static enum sl_status check(const void *e, struct sl_error *err)
{
    return e ? SL_OK : sl_fail(err, SL_EINVAL, "encoder", "is NULL");
}

static enum sl_status check_out(const void *e, const void *out, const char *name,
                                struct sl_error *err)
{
    enum sl_status status = check(e, err);
    return status != SL_OK || out ? status : sl_fail(err, SL_EINVAL, name, "is NULL");
}

enum sl_status sl_encoder_open(struct sl_encoder **out, const struct sl_encoder_params *params,
                               const struct sl_log *log, struct sl_error *err)
{
    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    *out = NULL;
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_encoder_params_default", err);
    return status == SL_OK ? sl_encoder_create(out, params, log, err) : status;
}

enum sl_status sl_encoder_send(struct sl_encoder *e, const struct sl_picture *picture,
                               struct sl_error *err)
{
    enum sl_status status = check_out(e, picture, "picture", err);
    return status == SL_OK ? sl_encoder_push(e, picture, err) : status;
}

enum sl_status sl_encoder_receive(struct sl_encoder *e, struct sl_access_unit *unit,
                                  struct sl_error *err)
{
    enum sl_status status = check_out(e, unit, "unit", err);
    return status == SL_OK ? sl_encoder_pull(e, unit, err) : status;
}

enum sl_status sl_encoder_encode(struct sl_encoder *e, const struct sl_picture *picture,
                                 struct sl_access_unit *unit, struct sl_error *err)
{
    enum sl_status status = check_out(e, picture, "picture", err);
    if (status == SL_OK) {
        status = check_out(e, unit, "unit", err);
    }
    if (status == SL_OK && !sl_encoder_is_sync(e)) {
        status = sl_fail(err, SL_EINVAL, "latency", "sl_encoder_encode() is for sync mode");
    }
    if (status == SL_OK) {
        status = sl_encoder_push(e, picture, err);
    }
    if (status == SL_EAGAIN) {
        status = sl_fail(err, SL_EINVAL, "encoder",
                         "a unit waits: sl_encoder_send() was not followed by a receive");
    }
    return status == SL_OK ? sl_encoder_pull(e, unit, err) : status;
}

enum sl_status sl_encoder_drain(struct sl_encoder *e, struct sl_error *err)
{
    enum sl_status status = check(e, err);
    return status == SL_OK ? sl_encoder_finish(e, err) : status;
}

enum sl_status sl_encoder_reconfigure(struct sl_encoder *e, const struct sl_encoder_params *params,
                                      int *idr, struct sl_error *err)
{
    enum sl_status status = check(e, err);
    if (status == SL_OK) {
        status = sl_params_check(params, sizeof *params, "sl_encoder_params_default", err);
    }
    return status == SL_OK ? sl_encoder_change(e, params, idr, err) : status;
}

enum sl_status sl_encoder_recover(struct sl_encoder *e, uint64_t token,
                                  enum sl_encoder_recovery *how, struct sl_error *err)
{
    enum sl_status status = check(e, err);
    return status == SL_OK ? sl_encoder_lost(e, token, how, err) : status;
}

const char *sl_encoder_codec_string(const struct sl_encoder *e)
{
    return e ? sl_encoder_codecs(e) : "";
}

enum sl_status sl_encoder_get_info(const struct sl_encoder *e, struct sl_encoder_info *info,
                                   struct sl_error *err)
{
    enum sl_status status = check_out(e, info, "info", err);
    return status == SL_OK ? sl_encoder_look(e, info, err) : status;
}

void sl_encoder_get_stats(const struct sl_encoder *e, struct sl_encoder_stats *stats)
{
    *stats = (struct sl_encoder_stats){0};
    if (e) {
        sl_encoder_count(e, stats);
    }
}

void sl_encoder_close(struct sl_encoder *e)
{
    if (e) {
        sl_encoder_shut(e);
    }
}

void sl_encoder_destroy(struct sl_encoder **e)
{
    if (e) {
        sl_encoder_free(e);
    }
}

void sl_access_unit_clear(struct sl_access_unit *unit)
{
    if (unit) {
        struct sl_buf *buf = unit->owner;
        sl_buf_unref(&buf);
        *unit = (struct sl_access_unit){.qp = -1};
    }
}

enum sl_status sl_encoder_backend(size_t index, struct sl_encoder_backend_info *info,
                                  struct sl_error *err)
{
    return info ? sl_encoder_list(index, info, err) : sl_fail(err, SL_EINVAL, "info", "is NULL");
}
