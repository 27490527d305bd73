/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/registry.h"

#include "config.h"

#include <string.h>

#include "base/error.h"
#include "encode/backends.h"

/* In order of preference within a codec. */
static const struct sl_coder_ops *const encoders[] = {
#if SL_HAVE_X264
    &sl_encode_x264,
#endif
#if SL_HAVE_OPENH264
    &sl_encode_openh264,
#endif
#if SL_HAVE_X264_SCHED
    &sl_encode_x264_scheduled,
#endif
#if SL_HAVE_X265
    &sl_encode_x265,
#endif
#if SL_HAVE_VIDEOTOOLBOX
    &sl_encode_videotoolbox_h264,
    &sl_encode_videotoolbox_hevc,
#endif
    &sl_encode_nvenc_h264, /* after software: asked for by name, or where there is nothing else */
    &sl_encode_nvenc_hevc, /* the same */
    &sl_encode_aac,
    &sl_encode_opus,
    NULL,
};

/* What a build without one of them is told: the name alone would look like a typing error. */
static const struct {
    enum sl_codec codec;
    const char *name, *reason;
} left_out[] = {
#if !SL_HAVE_X264
    {SL_CODEC_H264, "x264", "built with -Dgpl=disabled"},
#endif
#if SL_HAVE_X264 && !SL_HAVE_X264_SCHED
    {SL_CODEC_H264, "x264-scheduled", SL_X264_SCHED_MISSING},
#endif
#if !SL_HAVE_OPENH264
    {SL_CODEC_H264, "openh264", "not there when this was built"},
#endif
#if !SL_HAVE_X265
    {SL_CODEC_HEVC, "x265", SL_X265_MISSING},
#endif
#if !SL_HAVE_VIDEOTOOLBOX
    {SL_CODEC_H264, "videotoolbox", "only on macOS"},
    {SL_CODEC_HEVC, "videotoolbox", "only on macOS"},
#endif
    {SL_CODEC_UNKNOWN, NULL, NULL},
};

/* Reasons one after the other, "x264: …; nvenc: …", as far as a message holds. */
struct reasons {
    char text[sizeof(((struct sl_error *)0)->msg)];
    size_t used;
};

static void add_text(struct reasons *r, const char *text)
{
    size_t room = sizeof r->text - 1 - r->used;
    size_t n = strlen(text);
    if (n > room) {
        n = room;
    }
    memcpy(r->text + r->used, text, n);
    r->used += n;
    r->text[r->used] = '\0';
}

static void add_reason(struct reasons *r, const char *name, const char *reason)
{
    if (r->used > 0) {
        add_text(r, "; ");
    }
    add_text(r, name);
    add_text(r, ": ");
    add_text(r, reason);
}

const struct sl_coder_ops *const *sl_coders(void)
{
    return encoders;
}

bool sl_encode_missing(enum sl_codec codec, size_t index, const char **name, const char **reason)
{
    for (size_t i = 0; left_out[i].name; i++) {
        if (left_out[i].codec == codec && index-- == 0) {
            *name = left_out[i].name;
            *reason = left_out[i].reason;
            return true;
        }
    }
    return false;
}

/* ahead: one that looks ahead, unless it was asked for by name. */
static enum sl_status find(enum sl_codec codec, const char *name, bool ahead,
                           const struct sl_coder_ops **out, struct sl_error *err)
{
    *out = NULL;
    struct reasons reasons = {.used = 0};
    for (size_t i = 0; encoders[i]; i++) {
        const struct sl_coder_ops *ops = encoders[i];
        if (ops->codec != codec || (name && strcmp(ops->name, name) != 0)) {
            continue;
        }
        if (ahead && !name && ops->caps && !(ops->caps->flags & SL_BACKEND_LOOKAHEAD)) {
            add_reason(&reasons, ops->name, "does not look ahead");
            continue;
        }
        struct sl_error why = {0};
        enum sl_status status = ops->probe ? ops->probe(&why) : SL_OK;
        if (status == SL_OK) {
            *out = ops;
            return SL_OK;
        }
        if (status == SL_ENOMEM) {
            return sl_fail_memory(err);
        }
        add_reason(&reasons, ops->name, why.msg[0] ? why.msg : sl_status_name(status));
    }
    for (size_t i = 0; left_out[i].name; i++) {
        if (left_out[i].codec == codec && (!name || strcmp(left_out[i].name, name) == 0)) {
            add_reason(&reasons, left_out[i].name, left_out[i].reason);
        }
    }
    /* In messages codecs stand as people write them. */
    const char *codec_name = codec == SL_CODEC_H264   ? "H.264"
                             : codec == SL_CODEC_HEVC ? "HEVC"
                             : codec == SL_CODEC_AAC  ? "AAC"
                                                      : sl_codec_name(codec);
    if (reasons.used > 0) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "no %s encoder in this build (%s)", codec_name,
                       reasons.text);
    }
    if (name) {
        return sl_fail(err, SL_EUNSUPPORTED, NULL, "no %s encoder is called \"%s\"", codec_name,
                       name);
    }
    return sl_fail(err, SL_EUNSUPPORTED, NULL, "no %s encoder in this build", codec_name);
}

enum sl_status sl_encode_find(enum sl_codec codec, const char *name,
                              const struct sl_coder_ops **out, struct sl_error *err)
{
    return find(codec, name, false, out, err);
}

enum sl_status sl_encode_open(struct sl_coder **out, enum sl_codec codec, const char *name,
                              const struct sl_encode_params *params, struct sl_error *err)
{
    *out = NULL;
    const struct sl_coder_ops *ops;
    bool ahead = params->latency == SL_LATENCY_LOOKAHEAD;
    enum sl_status status = find(codec, name, ahead, &ops, err);
    if (status != SL_OK) {
        return status;
    }
    return ops->open(out, params, err);
}

void sl_encode_destroy(struct sl_coder **e)
{
    if (!e || !*e) {
        return;
    }
    (*e)->ops->destroy(*e);
    *e = NULL;
}
