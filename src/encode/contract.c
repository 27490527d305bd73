/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/contract.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "encode/contract_sets.h"
#include "media/hevc.h"

static const uint8_t start_code[] = {0, 0, 0, 1};

static unsigned type_of(const struct sl_contract *c, const struct sl_nal *nal)
{
    return c->codec == SL_CODEC_HEVC ? nal->data[0] >> 1 & 0x3f : nal->data[0] & 0x1f;
}

static bool is_set(const struct sl_contract *c, unsigned type)
{
    return c->codec == SL_CODEC_HEVC ? type >= SL_HEVC_VPS && type <= SL_HEVC_PPS
                                     : type == SL_H264_SPS || type == SL_H264_PPS;
}

static bool is_slice(const struct sl_contract *c, unsigned type)
{
    return c->codec == SL_CODEC_HEVC ? type < SL_HEVC_VPS
                                     : type >= SL_H264_SLICE && type <= SL_H264_IDR;
}

static bool is_idr(const struct sl_contract *c, unsigned type)
{
    return c->codec == SL_CODEC_HEVC ? type == SL_HEVC_IDR_W_RADL || type == SL_HEVC_IDR_N_LP
                                     : type == SL_H264_IDR;
}

/* Units in front of a picture that say nothing to a reader of ours. */
static bool is_left_out(const struct sl_contract *c, unsigned type)
{
    enum { H264_FILLER = 12, HEVC_FILLER = 38 };
    return c->codec == SL_CODEC_HEVC ? type == SL_HEVC_AUD || type == HEVC_FILLER
                                     : type == SL_H264_AUD || type == H264_FILLER;
}

/* NOLINTNEXTLINE(readability-function-size): nine things that each backend says once */
enum sl_status sl_contract_open(struct sl_contract *c, const char *name, enum sl_codec codec,
                                const struct sl_encode_params *p, int32_t reorder,
                                const uint8_t *annexb, size_t size, struct sl_track *track,
                                struct sl_error *err)
{
    const struct sl_contract_asked asked = {
        .name = name, .codec = codec, .reorder = reorder, .p = p};
    struct sl_nal_walker w = {.data = annexb, .size = size};
    struct sl_writer from, to;
    struct sl_nal nal;
    enum sl_status status = SL_OK;
    *c = (struct sl_contract){.name = name, .codec = codec};
    sl_writer_init(&from, SL_CONTRACT_SETS_MAX);
    sl_writer_init(&to, SL_CONTRACT_SETS_MAX);
    while (status == SL_OK && sl_nal_next_annexb(&w, &nal)) {
        unsigned type = type_of(c, &nal);
        if (!is_set(c, type)) {
            continue;
        }
        sl_write_bytes(&from, start_code, sizeof start_code);
        sl_write_bytes(&from, nal.data, nal.size);
        sl_write_bytes(&to, start_code, sizeof start_code);
        status = sl_contract_mend(&asked, &nal, type, &to, err);
    }
    if (status == SL_OK) {
        status = sl_writer_finish(&from, err);
    }
    if (status == SL_OK) {
        status = sl_writer_finish(&to, err);
    }
    if (status == SL_OK) {
        status = sl_contract_describe(name, codec, p, to.data, to.size, track, err);
    }
    if (status == SL_OK) {
        c->from = from.data, c->from_size = from.size;
        c->to = to.data, c->to_size = to.size;
        return SL_OK;
    }
    sl_writer_clear(&from);
    sl_writer_clear(&to);
    return status;
}

static bool announced(const struct sl_contract *c, const struct sl_nal *nal)
{
    struct sl_nal_walker w = {.data = c->from, .size = c->from_size};
    struct sl_nal known;
    while (sl_nal_next_annexb(&w, &known)) {
        if (known.size == nal->size && memcmp(known.data, nal->data, nal->size) == 0) {
            return true;
        }
    }
    return false;
}

/* Where the start code of a unit begins: its zero_byte, if it has one, is part of it (B.1.1). */
static size_t start_of(const uint8_t *data, const struct sl_nal *nal)
{
    size_t at = (size_t)(nal->data - data) - 3;
    return at > 0 && data[at - 1] == 0 ? at - 1 : at;
}

enum sl_status sl_contract_packet(const struct sl_contract *c, const uint8_t *data, size_t size,
                                  struct sl_packet **out, struct sl_error *err)
{
    /* Everything that may have to go stands before the first slice (H.264 7.4.1.2.3). */
    struct {
        size_t at, size;
    } kept[16];
    size_t count = 0, first = 0, total, pos = 0;
    bool idr = false, slice = false;
    *out = NULL;
    while (!slice && (pos = sl_nal_find_annexb(data, size, pos)) < size) {
        size_t next = sl_nal_find_annexb(data, size, pos);
        struct sl_nal nal = {.data = data + pos, .size = 0};
        unsigned type = type_of(c, &nal);
        if (is_slice(c, type)) {
            slice = true;
            idr = is_idr(c, type);
            first = start_of(data, &nal);
            break;
        }
        size_t end = next < size ? start_of(data, &(struct sl_nal){.data = data + next}) : size;
        nal.size = end - pos;
        while (nal.size > 0 && nal.data[nal.size - 1] == 0) {
            nal.size--; /* trailing_zero_8bits */
        }
        if (is_set(c, type)) {
            if (!announced(c, &nal)) {
                return sl_fail(err, SL_EDATA, c->name,
                               "parameter set of type %u in band differs from the one announced",
                               type);
            }
        } else if (!is_left_out(c, type)) {
            if (count == sizeof kept / sizeof kept[0]) {
                return sl_fail(err, SL_EDATA, c->name,
                               "more than %zu units in front of the first slice", count);
            }
            size_t at = start_of(data, &nal);
            kept[count].at = at;
            kept[count++].size = end - at;
        }
    }
    if (!slice) {
        return sl_fail(err, SL_EDATA, c->name, "access unit of %zu bytes without a slice", size);
    }
    total = (idr ? c->to_size : 0) + (size - first);
    for (size_t i = 0; i < count; i++) {
        total += kept[i].size;
    }
    uint8_t *to;
    enum sl_status status = sl_packet_create_data(out, total, &to, err);
    if (status != SL_OK) {
        return status;
    }
    if (idr) {
        memcpy(to, c->to, c->to_size);
        to += c->to_size;
        (*out)->flags = SL_PACKET_KEY;
    }
    for (size_t i = 0; i < count; i++) {
        memcpy(to, data + kept[i].at, kept[i].size);
        to += kept[i].size;
    }
    memcpy(to, data + first, size - first);
    return SL_OK;
}

void sl_contract_clear(struct sl_contract *c)
{
    sl_free(c->from);
    sl_free(c->to);
    *c = (struct sl_contract){.name = NULL};
}
