/* SPDX-License-Identifier: BSD-2-Clause */
/* Which backend serves: the one asked for, or the first that can; and who takes over from it. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "pipeline/encoder_run.h"

#define CODERS_MAX 64 /* bits of sl_encoder.failed */

/* Live pictures go to a device where there is one; software follows by what it costs at equal
 * quality (docs/bench-latency.md): openh264 before x264, where it can do what is asked. It has no
 * constant quality but a constant quantiser, and keeps no buffer. */
static const char *const live_order[] = {"nvenc", "videotoolbox", "openh264", "x264", "x265"};
static const char *const exact_order[] = {"nvenc", "videotoolbox", "x264", "openh264", "x265"};

/* Reasons one after the other, "x264: …; nvenc: …", as far as there is room. */
static void add_reason(char *text, size_t size, const char *name, const char *reason)
{
    size_t used = strlen(text);
    char *more = sl_format("%s%s: %s", used ? "; " : "", name, reason);
    size_t n = more ? strlen(more) : 0;
    n = n < size - used ? n : size - used - 1;
    if (more) {
        memcpy(text + used, more, n);
        text[used + n] = '\0';
    }
    sl_free(more);
}

static bool is_video_of(const struct sl_coder_ops *ops, enum sl_codec codec)
{
    return ops->kind == SL_KIND_VIDEO && ops->codec == codec && ops->caps;
}

static bool by_bitrate_alone(const struct sl_encode_params *p)
{
    return p->latency == SL_LATENCY_SYNC && p->rate == SL_RATE_VBR && p->maxrate == 0 &&
           p->buffer == 0;
}

static size_t rank(const struct sl_encoder *e, size_t index)
{
    const struct sl_coder_ops *ops = sl_coders()[index];
    const char *const *order = by_bitrate_alone(&e->encode) ? live_order : exact_order;
    size_t count = sizeof live_order / sizeof live_order[0];
    if (e->encode.latency == SL_LATENCY_LOOKAHEAD) {
        return (ops->caps->flags & SL_BACKEND_HARDWARE) != 0 ? count + index : index;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(order[i], ops->name) == 0) {
            return i;
        }
    }
    return count + index;
}

/* The next of the codec after the one of this rank; false: there is none. */
static bool next_of(const struct sl_encoder *e, size_t *last_rank, bool any, size_t *index)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; sl_coders()[i] && i < CODERS_MAX; i++) {
        if (!is_video_of(sl_coders()[i], e->codec)) {
            continue;
        }
        size_t r = rank(e, i);
        if ((any || r > *last_rank) && r < best) {
            best = r;
            *index = i;
        }
    }
    *last_rank = best;
    return best != SIZE_MAX;
}

/* What the static description already rules out. NULL: nothing. */
static const char *ruled_out(const struct sl_encoder *e, const struct sl_coder_ops *ops)
{
    uint32_t flags = ops->caps->flags;
    if (e->encode.latency == SL_LATENCY_LOOKAHEAD && !(flags & SL_BACKEND_LOOKAHEAD)) {
        return "has no look-ahead";
    }
    if (e->encode.intra_refresh && !(flags & SL_BACKEND_REFRESHES)) {
        return "has no intra refresh";
    }
    return NULL;
}

/* ---- opening ------------------------------------------------------------------------------ */

enum sl_status sl_encoder_describe(struct sl_encoder *e, struct sl_error *err)
{
    const struct sl_track *t = &e->coder->track;
    return sl_codec_string(t, e->codecs, err);
}

static enum sl_status black(const struct sl_encoder *e, const struct sl_coder *coder,
                            struct sl_frame **out, struct sl_error *err)
{
    enum sl_pixel_format format = (enum sl_pixel_format)coder->track.pixel_format;
    const struct sl_pixel_info *info = sl_pixel_info(format);
    enum sl_status status =
        sl_frame_create_video(out, format, e->encode.width, e->encode.height, NULL, err);
    if (status != SL_OK) {
        return status;
    }
    for (int i = 0; i < info->planes; i++) {
        int32_t rows = sl_plane_rows(format, i, e->encode.height);
        for (int32_t y = 0; y < rows; y++) {
            uint8_t *row = (*out)->plane[i] + y * (*out)->stride[i];
            int value = i > 0 ? 1 << (info->depth - 1) : 1 << (info->depth - 4);
            if (info->sample_bytes == 1) {
                memset(row, value, (size_t)sl_plane_bytes(format, i, e->encode.width));
                continue;
            }
            for (int64_t x = 0; x < sl_plane_bytes(format, i, e->encode.width) / 2; x++) {
                ((uint16_t *)(void *)row)[x] = (uint16_t)(value << info->shift);
            }
        }
    }
    (*out)->pts = 0;
    (*out)->duration = e->frame_ticks;
    (*out)->colour = e->encode.colour;
    return SL_OK;
}

/* A device may open and then not encode: one picture tells. */
static enum sl_status test(const struct sl_encoder *e, const struct sl_coder_ops *ops,
                           struct sl_error *err)
{
    struct sl_coder *coder = NULL;
    struct sl_frame *frame = NULL;
    struct sl_packet *packet = NULL;
    enum sl_status status = ops->open(&coder, &e->encode, err);
    if (status == SL_OK) {
        status = black(e, coder, &frame, err);
    }
    if (status == SL_OK) {
        status = coder->ops->send(coder, frame, err);
    }
    if (status == SL_OK && e->encode.latency != SL_LATENCY_SYNC) {
        status = coder->ops->send(coder, NULL, err);
    }
    if (status == SL_OK) {
        status = coder->ops->receive(coder, &packet, err);
    }
    if (status == SL_EAGAIN || status == SL_EOF) {
        status = sl_fail(err, SL_EUNSUPPORTED, ops->name, "gave nothing for a test picture");
    }
    sl_packet_unref(&packet);
    sl_frame_unref(&frame);
    sl_encode_destroy(&coder);
    return status;
}

static enum sl_status open_with(struct sl_encoder *e, const struct sl_coder_ops *ops, bool tested,
                                struct sl_error *err)
{
    const char *out = ruled_out(e, ops);
    if (out) {
        return sl_fail(err, SL_EUNSUPPORTED, ops->name, "%s", out);
    }
    enum sl_status status = ops->probe ? ops->probe(err) : SL_OK;
    if (status == SL_OK && tested && (ops->caps->flags & SL_BACKEND_HARDWARE) != 0) {
        status = test(e, ops, err);
    }
    if (status == SL_OK) {
        status = ops->open(&e->coder, &e->encode, err);
    }
    if (status != SL_OK) {
        return status;
    }
    e->ops = ops;
    status = sl_encoder_describe(e, err);
    if (status != SL_OK) {
        sl_encode_destroy(&e->coder);
    }
    return status;
}

/* The first that has not failed and can. Says why in e->reason. */
static enum sl_status choose_any(struct sl_encoder *e, struct sl_error *err)
{
    char reasons[sizeof e->reason] = "";
    enum sl_status last = SL_EUNSUPPORTED;
    size_t at = 0, index = 0, tried = 0;
    for (bool any = true; next_of(e, &at, any, &index); any = false) {
        const struct sl_coder_ops *ops = sl_coders()[index];
        struct sl_error why = {0};
        if ((e->failed & UINT64_C(1) << index) != 0) {
            add_reason(reasons, sizeof reasons, ops->name, "has failed before");
            continue;
        }
        enum sl_status status = open_with(e, ops, true, &why);
        if (status == SL_OK) {
            (void)snprintf(e->reason, sizeof e->reason, "%s",
                           reasons[0] ? reasons : "the first that can");
            sl_log_write(e->log, SL_LOG_INFO, "encoder", "%s (%s)", ops->name, e->reason);
            return SL_OK;
        }
        if (status == SL_ENOMEM) {
            return sl_fail_memory(err);
        }
        last = status;
        tried++;
        add_reason(reasons, sizeof reasons, ops->name,
                   why.msg[0] ? why.msg : sl_status_name(status));
    }
    /* One candidate alone that finds fault with a setting: that is the caller's error. */
    return sl_fail(err, tried == 1 && last == SL_EINVAL ? SL_EINVAL : SL_EUNSUPPORTED, NULL,
                   "no %s encoder can serve (%s)", e->codec == SL_CODEC_HEVC ? "HEVC" : "H.264",
                   reasons[0] ? reasons : "none is built in");
}

static bool is_auto(const struct sl_encoder *e)
{
    return strcmp(e->params.backend, "auto") == 0;
}

enum sl_status sl_encoder_choose(struct sl_encoder *e, struct sl_error *err)
{
    if (is_auto(e)) {
        return choose_any(e, err);
    }
    const struct sl_coder_ops *ops = NULL;
    enum sl_status status = sl_encode_find(e->codec, e->params.backend, &ops, err);
    if (status == SL_OK && !ops->caps) {
        status = sl_fail(err, SL_EUNSUPPORTED, "backend", "\"%s\" takes schedules alone",
                         e->params.backend);
    }
    if (status != SL_OK) {
        return status;
    }
    (void)snprintf(e->reason, sizeof e->reason, "asked for");
    return open_with(e, ops, false, err);
}

enum sl_status sl_encoder_reopen(struct sl_encoder *e, struct sl_error *err)
{
    sl_encode_destroy(&e->coder);
    return open_with(e, e->ops, false, err);
}

bool sl_encoder_keeps(const struct sl_encoder *e)
{
    return is_auto(e) && e->encode.latency != SL_LATENCY_SYNC &&
           (e->ops->caps->flags & SL_BACKEND_HARDWARE) != 0;
}

enum sl_status sl_encoder_replace(struct sl_encoder *e, enum sl_status status, struct sl_error *err)
{
    const char *was = e->ops->name;
    struct sl_error why = {0};
    if (!is_auto(e) || status != SL_EIO) {
        return status;
    }
    for (size_t i = 0; sl_coders()[i] && i < CODERS_MAX; i++) {
        e->failed |= sl_coders()[i] == e->ops ? UINT64_C(1) << i : 0;
    }
    sl_encode_destroy(&e->coder);
    if (choose_any(e, &why) != SL_OK) {
        return status;
    }
    sl_log_write(e->log, SL_LOG_WARN, "encoder", "%s has lost its device (%s): %s goes on", was,
                 err ? err->msg : "", e->ops->name);
    if (err) {
        *err = (struct sl_error){.status = SL_OK};
    }
    e->stats.fallbacks++;
    return SL_OK;
}

/* ---- the list ----------------------------------------------------------------------------- */

enum sl_status sl_encoder_list(size_t index, struct sl_encoder_backend_info *info,
                               struct sl_error *err)
{
    static const enum sl_codec codecs[] = {SL_CODEC_H264, SL_CODEC_HEVC};
    for (size_t c = 0; c < sizeof codecs / sizeof codecs[0]; c++) {
        /* What rank() looks at. */
        struct sl_encoder e = {
            .codec = codecs[c],
            .encode = {.latency = SL_LATENCY_SYNC, .rate = SL_RATE_VBR},
        };
        size_t at = 0, i = 0;
        for (bool any = true; next_of(&e, &at, any, &i); any = false) {
            if (index-- > 0) {
                continue;
            }
            const struct sl_coder_ops *ops = sl_coders()[i];
            struct sl_error why = {0};
            enum sl_status status = ops->probe ? ops->probe(&why) : SL_OK;
            if (status == SL_ENOMEM) {
                return sl_fail_memory(err);
            }
            *info = (struct sl_encoder_backend_info){
                .name = ops->name,
                .codec = codecs[c] == SL_CODEC_HEVC ? SL_ENCODER_HEVC : SL_ENCODER_H264,
                .available = status == SL_OK,
                .flags = ops->caps->flags,
                .presets = ops->caps->presets,
                .tunes = ops->caps->tunes,
                .profiles = ops->caps->profiles,
                .version = ops->caps->version ? ops->caps->version() : NULL,
                .licence = ops->caps->licence,
            };
            (void)snprintf(info->reason, sizeof info->reason, "%s",
                           status == SL_OK ? ""
                           : why.msg[0]    ? why.msg
                                           : sl_status_name(status));
            return SL_OK;
        }
        const char *name = NULL, *reason = NULL;
        for (size_t k = 0; sl_encode_missing(codecs[c], k, &name, &reason); k++) {
            if (index-- == 0) {
                *info = (struct sl_encoder_backend_info){
                    .name = name,
                    .codec = codecs[c] == SL_CODEC_HEVC ? SL_ENCODER_HEVC : SL_ENCODER_H264,
                };
                (void)snprintf(info->reason, sizeof info->reason, "%s", reason);
                return SL_OK;
            }
        }
    }
    return SL_EOF;
}
