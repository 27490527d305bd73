/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/encode_file.h"

#include <stddef.h>
#include <string.h>

#include "api/params.h"
#include "base/error.h"

#define AT(field)   offsetof(struct sl_encode_file_params, field)
#define ROOM(field) sizeof(((struct sl_encode_file_params *)0)->field)

/* "no", then enum sl_picture_format in order. */
static const char *const raw_formats[] = {"no",    "nv12",  "yuv420p", "yuv444p", "p010",
                                          "rgb24", "bgr24", "rgba",    "bgra",    NULL};

static const struct sl_option table[] = {
    {.key = "output",
     .type = SL_OPTION_STRING,
     .offset = AT(output),
     .capacity = ROOM(output),
     .metavar = "FILE",
     .help = "the stream to write, - for standard output (-o)"},
    {.key = "raw",
     .type = SL_OPTION_ENUM,
     .offset = AT(raw),
     .choices = raw_formats,
     .value_default = "no",
     .metavar = "FORMAT",
     .help = "frames without a header: nv12, yuv420p, yuv444p, p010, rgb24, bgr24, rgba, bgra; "
             "needs --size and --rate"},
    {.key = "stats",
     .type = SL_OPTION_STRING,
     .offset = AT(stats),
     .capacity = ROOM(stats),
     .metavar = "FILE",
     .help = "a line of JSON for the stream and one for each picture, - for standard output"},
    {.key = NULL},
};

const struct sl_option *sl_encode_file_options(void)
{
    return table;
}

enum sl_status sl_encode_file_params_default(struct sl_encode_file_params *params, uint32_t size,
                                             struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

static enum sl_status check(const struct sl_encode_file_params *p, struct sl_error *err)
{
    if (!p->input[0]) {
        return sl_fail(err, SL_EINVAL, "input", "no file is named");
    }
    if (!p->output[0]) {
        return sl_fail(err, SL_EINVAL, "output", "no file is named");
    }
    if (strcmp(p->output, p->stats) == 0) {
        return sl_fail(err, SL_EINVAL, "stats", "is the same file as --output");
    }
    if (p->raw < 0 || p->raw > SL_PICTURE_BGRA + 1) {
        return sl_fail(err, SL_EINVAL, "raw", "%d, expected 0 to %d", p->raw, SL_PICTURE_BGRA + 1);
    }
    if (!p->changes && p->change_count > 0) {
        return sl_fail(err, SL_EINVAL, "changes", "is NULL");
    }
    return SL_OK;
}

enum sl_status sl_encode_file_open(struct sl_encode_file **out,
                                   const struct sl_encode_file_params *params,
                                   const struct sl_encoder_params *encoder,
                                   const struct sl_encode_file_events *events,
                                   const struct sl_log *log, struct sl_error *err)
{
    if (!out) {
        return sl_fail(err, SL_EINVAL, "out", "is NULL");
    }
    *out = NULL;
    enum sl_status status =
        sl_params_check(params, sizeof *params, "sl_encode_file_params_default", err);
    if (status == SL_OK) {
        status = sl_params_check(encoder, sizeof *encoder, "sl_encoder_params_default", err);
    }
    if (status == SL_OK) {
        status = check(params, err);
    }
    return status == SL_OK ? sl_encode_file_create(out, params, encoder, events, log, err) : status;
}

enum sl_status sl_encode_file_run(struct sl_encode_file *encode, struct sl_error *err)
{
    return encode ? sl_encode_file_execute(encode, err)
                  : sl_fail(err, SL_EINVAL, "encode", "is NULL");
}

void sl_encode_file_stop(struct sl_encode_file *encode)
{
    if (encode) {
        sl_encode_file_request_stop(encode);
    }
}

void sl_encode_file_destroy(struct sl_encode_file **encode)
{
    sl_encode_file_free(encode);
}
