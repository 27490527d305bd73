/* SPDX-License-Identifier: BSD-2-Clause */
#include "mux/framing.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "media/hevc.h"
#include "media/nal_form.h"

/* nal_unit_type to role: ITU-T H.264 table 7-1, ITU-T H.265 table 7-1. */
static const uint8_t h264_roles[32] = {
    [1] = SL_UNIT_SLICE,           [2] = SL_UNIT_SLICE,
    [3] = SL_UNIT_SLICE,           [4] = SL_UNIT_SLICE,
    [SL_H264_IDR] = SL_UNIT_SLICE, [SL_H264_SPS] = SL_UNIT_SETS,
    [SL_H264_PPS] = SL_UNIT_SETS,  [SL_H264_AUD] = SL_UNIT_DELIMITER,
    [12] = SL_UNIT_FILLER,
};

static enum sl_unit_role hevc_role(unsigned type)
{
    if (type < 32) { /* VCL units */
        return SL_UNIT_SLICE;
    }
    if (type >= SL_HEVC_VPS && type <= SL_HEVC_PPS) {
        return SL_UNIT_SETS;
    }
    if (type == SL_HEVC_AUD) {
        return SL_UNIT_DELIMITER;
    }
    return type == 38 ? SL_UNIT_FILLER : SL_UNIT_OTHER;
}

bool sl_framing_wanted(enum sl_codec codec)
{
    return codec == SL_CODEC_H264 || codec == SL_CODEC_HEVC;
}

enum sl_status sl_framing_init(struct sl_framing *f, const struct sl_track *track,
                               const char *where, size_t index, struct sl_error *err)
{
    memset(f, 0, sizeof *f);
    f->codec = track->codec;
    if (!track->config_size) {
        return sl_fail(err, SL_EINVAL, where, "track %zu: %s without its decoder configuration",
                       index, sl_codec_name(track->codec));
    }
    return track->codec == SL_CODEC_H264
               ? sl_avcc_parse(track->config, track->config_size, &f->config, err)
               : sl_hvcc_parse(track->config, track->config_size, &f->config, err);
}

unsigned sl_framing_type(const struct sl_framing *f, const struct sl_nal *nal)
{
    return f->codec == SL_CODEC_H264 ? nal->data[0] & 31u : nal->data[0] >> 1 & 63u;
}

enum sl_unit_role sl_framing_role(const struct sl_framing *f, const struct sl_nal *nal)
{
    unsigned type = sl_framing_type(f, nal);
    return f->codec == SL_CODEC_H264 ? (enum sl_unit_role)h264_roles[type] : hevc_role(type);
}

static size_t without_zeros(const struct sl_nal *nal)
{
    size_t n = nal->size;
    while (n && nal->data[n - 1] == 0) {
        n--;
    }
    return n;
}

bool sl_framing_set_known(const struct sl_framing *f, const struct sl_nal *nal)
{
    size_t size = without_zeros(nal);
    for (size_t i = 0; i < f->config.count; i++) {
        const struct sl_nal *set = &f->config.sets[i];
        if (without_zeros(set) == size && !memcmp(set->data, nal->data, size)) {
            return true;
        }
    }
    return false;
}

/* Whether looking would read from a file. */
static bool in_memory(const struct sl_chain *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->slices[i].file) {
            return false;
        }
    }
    return true;
}

enum sl_status sl_framing_is_annexb(struct sl_framing *f, const struct sl_chain *payload,
                                    bool *annexb, struct sl_error *err)
{
    const struct sl_slice *first = payload->slices;
    enum sl_nal_form form = SL_NAL_UNCLEAR;
    enum sl_status status = SL_OK;

    if (payload->count && first->buf && first->size >= 3 &&
        !sl_nal_may_be_annexb(first->buf->data + first->offset)) {
        form = SL_NAL_LENGTHS;
    } else if (!f->known || in_memory(payload)) {
        status = sl_nal_form_chain(payload, f->config.length_size, &form, err);
    }
    if (form != SL_NAL_UNCLEAR) {
        f->known = true;
        f->annexb = form == SL_NAL_ANNEXB;
    }
    *annexb = f->annexb;
    return status;
}

static enum sl_status add_unit(struct sl_units *units, const struct sl_nal *nal,
                               struct sl_error *err)
{
    if (sl_grow(&units->items, &units->capacity, units->count, sizeof *units->items,
                SL_UNITS_MAX)) {
        return sl_fail(err, SL_ENOMEM, NULL,
                       "no room for NAL unit %zu of an access unit (at most %d)", units->count,
                       SL_UNITS_MAX);
    }
    units->items[units->count++] = *nal;
    return SL_OK;
}

enum sl_status sl_units_split(struct sl_units *units, struct sl_framing *f,
                              const struct sl_chain *payload, struct sl_error *err)
{
    bool annexb;
    struct sl_nal nal;
    enum sl_status status = sl_framing_is_annexb(f, payload, &annexb, err);
    if (status) {
        return status;
    }
    sl_units_release(units);
    status = sl_chain_load(payload, &units->buf, err);
    if (status) {
        return status;
    }
    if (annexb) {
        struct sl_nal_walker walk = {.data = units->buf->data, .size = units->buf->size};
        while (!status && sl_nal_next_annexb(&walk, &nal)) {
            status = add_unit(units, &nal, err);
        }
    } else {
        struct sl_nal_walker walk = {.data = units->buf->data, .size = units->buf->size};
        while (!status) {
            status = sl_nal_next_length(&walk, f->config.length_size, &nal, err);
            if (!status && nal.size) {
                status = add_unit(units, &nal, err);
            }
        }
        if (status == SL_EOF) {
            status = SL_OK;
        }
    }
    if (status) {
        sl_units_release(units);
    }
    return status;
}

void sl_units_release(struct sl_units *units)
{
    sl_buf_unref(&units->buf);
    units->count = 0;
}

void sl_units_clear(struct sl_units *units)
{
    sl_units_release(units);
    sl_free(units->items);
    units->items = NULL;
    units->capacity = 0;
}
