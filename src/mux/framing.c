/* SPDX-License-Identifier: BSD-2-Clause */
#include "mux/framing.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "media/hevc.h"

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

enum sl_unit_role sl_framing_role(const struct sl_framing *f, const struct sl_nal *nal)
{
    if (f->codec == SL_CODEC_H264) {
        return (enum sl_unit_role)h264_roles[nal->data[0] & 31];
    }
    return hevc_role(nal->data[0] >> 1 & 63);
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

/* Any number of zeros above one, then a one (B.1.1 allows leading_zero_8bits). */
static bool begins_with_start_code(const uint8_t *data, size_t size)
{
    size_t zeros = 0;
    while (zeros < size && data[zeros] == 0) {
        zeros++;
    }
    return zeros >= 2 && zeros < size && data[zeros] == 1;
}

static bool lengths_fit(const struct sl_framing *f, const uint8_t *data, size_t size)
{
    struct sl_reader r;
    sl_reader_init(&r, data, size);
    while (sl_reader_left(&r)) {
        uint32_t length = 0;
        for (unsigned i = 0; i < f->config.length_size; i++) {
            length = length << 8 | sl_read_u8(&r);
        }
        sl_read_skip(&r, length);
        if (r.overrun) {
            return false;
        }
    }
    return true;
}

/* The whole payload is needed only where it begins like a start code. */
static enum sl_status look_closely(struct sl_framing *f, const struct sl_chain *payload,
                                   struct sl_error *err)
{
    struct sl_buf *buf;
    enum sl_status status = sl_chain_load(payload, &buf, err);
    if (status) {
        return status;
    }
    if (!begins_with_start_code(buf->data, buf->size)) {
        f->known = true;
        f->annexb = false;
    } else if (!lengths_fit(f, buf->data, buf->size)) {
        f->known = true;
        f->annexb = true;
    }
    sl_buf_unref(&buf);
    return SL_OK;
}

enum sl_status sl_framing_is_annexb(struct sl_framing *f, const struct sl_chain *payload,
                                    bool *annexb, struct sl_error *err)
{
    uint8_t head[3];
    enum sl_status status = SL_OK;

    /* Looking into every range of a file would cost a system call a packet. */
    if (payload->size >= (int64_t)sizeof head && !(f->known && payload->slices[0].file)) {
        status = sl_chain_read(payload, 0, head, sizeof head, err);
        if (!status && head[0] == 0 && head[1] == 0 && head[2] <= 1) {
            status = look_closely(f, payload, err);
        } else if (!status) {
            f->known = true;
            f->annexb = false;
        }
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
