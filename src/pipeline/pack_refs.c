/* SPDX-License-Identifier: BSD-2-Clause */
/* What a picture refers to, out of its slice header. Scheduled streams write every list out
 * (ref_pic_list_modification for each entry), so it takes no decoder to know; where a stream leaves
 * an entry to the default order, the picture's references stay unknown. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bits.h"
#include "base/error.h"
#include "media/h264.h"
#include "pipeline/pack.h"

#define HEAD_FIRST 1024 /* of a sample: a slice begins there unless a long SEI is in front */
#define SLICE_HEAD 512  /* of a slice: more than a header with two full lists takes */
#define PPS_MAX    256

struct pps {
    bool present, bottom_field_order, redundant;
    uint8_t sps;
    uint32_t active[2]; /* num_ref_idx_default_active */
};

struct parser {
    struct sl_layered *l;
    struct sl_h264_sps *sps[32]; /* owned */
    struct pps pps[PPS_MAX];
    struct sl_writer rbsp;
    uint32_t *frame_nums; /* of each sample so far, and whether it is a reference */
    bool *is_reference;
    uint8_t length_size;
};

/* 7.3.2.2 */
static void read_pps(struct parser *p, const struct sl_nal *nal)
{
    struct sl_bit_reader b;
    struct pps pps = {.present = true};
    uint32_t id, sps;
    p->rbsp.size = 0;
    sl_nal_unescape(nal->data + 1, nal->size - 1, &p->rbsp);
    sl_bits_init(&b, p->rbsp.data, p->rbsp.size);
    id = sl_bits_ue(&b);
    sps = sl_bits_ue(&b);
    sl_bits_skip(&b, 1);
    pps.bottom_field_order = sl_bits_flag(&b);
    if (sl_bits_ue(&b) != 0) { /* slice groups: Baseline alone */
        return;
    }
    pps.active[0] = sl_bits_ue(&b) + 1;
    pps.active[1] = sl_bits_ue(&b) + 1;
    sl_bits_skip(&b, 3);
    (void)sl_bits_se(&b);
    (void)sl_bits_se(&b);
    (void)sl_bits_se(&b);
    sl_bits_skip(&b, 2);
    pps.redundant = sl_bits_flag(&b);
    if (!b.overrun && id < PPS_MAX && sps < 32) {
        pps.sps = (uint8_t)sps;
        p->pps[id] = pps;
    }
}

static enum sl_status read_sets(struct parser *p, struct sl_error *err)
{
    struct sl_nal_config config;
    enum sl_status status = sl_avcc_parse(p->l->config, p->l->config_size, &config, err);
    for (size_t i = 0; i < config.count && !status; i++) {
        const struct sl_nal *nal = &config.sets[i];
        if ((nal->data[0] & 31) == SL_H264_SPS) {
            struct sl_h264_sps *sps = sl_alloc_zero(sizeof *sps);
            status = sps ? sl_h264_parse_sps(nal, sps, err) : sl_fail_memory(err);
            if (status || sps->id >= 32) {
                sl_free(sps);
            } else {
                sl_free(p->sps[sps->id]);
                p->sps[sps->id] = sps;
            }
        } else if ((nal->data[0] & 31) == SL_H264_PPS) {
            read_pps(p, nal);
        }
    }
    if (!status && p->rbsp.status) {
        status = sl_fail_memory(err);
    }
    p->length_size = config.length_size;
    return status;
}

/* ---- slice headers, 7.3.3 ---------------------------------------------------------------- */

struct slice {
    uint32_t type; /* modulo 5: 0 P, 1 B, 2 I */
    uint32_t frame_num, max_frame_num;
    uint32_t refs[2 * SL_LAYERED_REFS_MAX]; /* frame_num */
    size_t ref_count;
    bool known;
};

/* 7.3.3.1 and 8.2.4.3.1: the entries that commands name; true: as many as the list has. */
static bool read_list(struct sl_bit_reader *b, struct slice *s, uint32_t active)
{
    uint32_t pred = s->frame_num, named = 0;
    if (!sl_bits_flag(b)) {
        return false;
    }
    for (unsigned n = 0; n < 66 && !b->overrun; n++) {
        uint32_t command = sl_bits_ue(b), step;
        if (command == 3) {
            break;
        }
        if (command > 3 || command == 2) { /* long-term pictures are never made */
            return false;
        }
        step = sl_bits_ue(b) + 1;
        pred = (command == 0 ? pred + s->max_frame_num - step : pred + step) % s->max_frame_num;
        if (named < active && s->ref_count < sizeof s->refs / sizeof s->refs[0]) {
            s->refs[s->ref_count++] = pred;
        }
        named++;
    }
    return !b->overrun && named >= active;
}

static bool read_order(struct sl_bit_reader *b, const struct sl_h264_sps *sps,
                       const struct pps *pps)
{
    if (sps->poc_type == 0) {
        sl_bits_skip(b, sps->log2_max_poc_lsb);
        if (pps->bottom_field_order) {
            (void)sl_bits_se(b);
        }
    } else if (sps->poc_type == 1 && !sps->delta_pic_order_always_zero) {
        (void)sl_bits_se(b);
        if (pps->bottom_field_order) {
            (void)sl_bits_se(b);
        }
    }
    if (pps->redundant) {
        (void)sl_bits_ue(b);
    }
    return !b->overrun;
}

static bool read_slice(struct parser *p, const struct sl_nal *nal, struct slice *s)
{
    struct sl_bit_reader b;
    const struct sl_h264_sps *sps;
    const struct pps *pps;
    uint32_t id, active[2];
    *s = (struct slice){0};
    p->rbsp.size = 0;
    sl_nal_unescape(nal->data + 1, nal->size - 1 < SLICE_HEAD ? nal->size - 1 : SLICE_HEAD,
                    &p->rbsp);
    sl_bits_init(&b, p->rbsp.data, p->rbsp.size);
    (void)sl_bits_ue(&b);
    s->type = sl_bits_ue(&b) % 5;
    id = sl_bits_ue(&b);
    pps = id < PPS_MAX && p->pps[id].present ? &p->pps[id] : NULL;
    sps = pps ? p->sps[pps->sps] : NULL;
    if (!sps || b.overrun || s->type > 2) {
        return false;
    }
    if (sps->separate_colour_plane) {
        sl_bits_skip(&b, 2);
    }
    s->max_frame_num = UINT32_C(1) << sps->log2_max_frame_num;
    s->frame_num = sl_bits_read(&b, sps->log2_max_frame_num);
    if (!sps->frame_mbs_only && sl_bits_flag(&b)) {
        return false; /* fields */
    }
    if ((nal->data[0] & 31) == SL_H264_IDR) {
        (void)sl_bits_ue(&b);
    }
    if (!read_order(&b, sps, pps)) {
        return false;
    }
    if (s->type == 2) {
        s->known = true;
        return true;
    }
    if (s->type == 1) {
        sl_bits_skip(&b, 1);
    }
    active[0] = pps->active[0];
    active[1] = pps->active[1];
    if (sl_bits_flag(&b)) {
        active[0] = sl_bits_ue(&b) + 1;
        active[1] = s->type == 1 ? sl_bits_ue(&b) + 1 : 0;
    }
    s->known = read_list(&b, s, active[0]) && (s->type == 0 || read_list(&b, s, active[1]));
    return !b.overrun;
}

/* ---- samples ----------------------------------------------------------------------------- */

/* As sl_nal_next_length(), but the last one may go on past the bytes at hand. */
static bool next_length(struct sl_nal_walker *w, unsigned prefix, struct sl_nal *nal)
{
    uint64_t size = 0;
    if (w->size - w->pos <= prefix) {
        return false;
    }
    for (unsigned i = 0; i < prefix; i++) {
        size = size << 8 | w->data[w->pos++];
    }
    *nal = (struct sl_nal){w->data + w->pos, w->size - w->pos};
    nal->size = size < nal->size ? (size_t)size : nal->size;
    w->pos += nal->size;
    return true;
}

static bool first_slice(const struct parser *p, const uint8_t *data, size_t size,
                        struct sl_nal *nal)
{
    struct sl_nal_walker w = {.data = data, .size = size};
    while (p->l->lengths ? next_length(&w, p->length_size, nal) : sl_nal_next_annexb(&w, nal)) {
        unsigned type = nal->size ? nal->data[0] & 31u : 0;
        if (type == SL_H264_SLICE || type == SL_H264_IDR) {
            return true;
        }
    }
    return false;
}

static enum sl_status resolve(struct parser *p, size_t index, const struct slice *s,
                              struct sl_error *err)
{
    struct sl_layered_sample *to = &p->l->samples[index];
    for (size_t i = 0; i < s->ref_count; i++) {
        size_t at = index;
        bool listed = false;
        while (at > 0 && p->l->samples[at - 1].group == to->group &&
               !(p->is_reference[at - 1] && p->frame_nums[at - 1] == s->refs[i])) {
            at--;
        }
        if (at == 0 || p->l->samples[at - 1].group != to->group) {
            return sl_fail(err, SL_EDATA, p->l->name,
                           "sample %zu refers to frame_num %" PRIu32 ", which is not there", index,
                           s->refs[i]);
        }
        for (size_t k = 0; k < to->ref_count; k++) {
            listed |= to->refs[k] == at - 1;
        }
        if (p->l->samples[at - 1].layer > to->layer) {
            return sl_fail(err, SL_EDATA, p->l->name,
                           "sample %zu of layer %u refers to sample %zu of layer %u", index,
                           to->layer, at - 1, p->l->samples[at - 1].layer);
        }
        if (!listed && to->ref_count < SL_LAYERED_REFS_MAX) {
            to->refs[to->ref_count++] = (uint32_t)(at - 1);
        }
    }
    to->refs_known = true;
    return SL_OK;
}

static enum sl_status find(struct parser *p, size_t index, uint8_t **buffer, size_t *room,
                           struct sl_error *err)
{
    struct sl_layered_sample *s = &p->l->samples[index];
    struct sl_slice slice = {.file = p->l->file, .offset = s->offset, .size = s->size};
    size_t size = s->size < HEAD_FIRST ? s->size : HEAD_FIRST;
    struct sl_nal nal;
    struct slice head;
    for (;;) {
        enum sl_status status;
        if (size > *room) {
            uint8_t *grown = sl_realloc_array(*buffer, size, 1);
            if (!grown) {
                return sl_fail_memory(err);
            }
            *buffer = grown;
            *room = size;
        }
        status = sl_slice_read(&slice, 0, *buffer, size, err);
        if (status) {
            return status;
        }
        if (first_slice(p, *buffer, size, &nal)) {
            break;
        }
        if (size == s->size) {
            return sl_fail_at(err, SL_EDATA, p->l->name, s->offset, "sample %zu has no slice",
                              index);
        }
        size = s->size;
    }
    if (!read_slice(p, &nal, &head)) {
        if (p->rbsp.status) {
            return sl_fail_memory(err);
        }
        return sl_fail_at(err, SL_EDATA, p->l->name, s->offset,
                          "the slice header of sample %zu is damaged, or of fields", index);
    }
    p->frame_nums[index] = head.frame_num;
    p->is_reference[index] = (nal.data[0] >> 5 & 3) != 0;
    return !s->refs_known && head.known ? resolve(p, index, &head, err) : SL_OK;
}

enum sl_status sl_layered_find_refs(struct sl_layered *l, struct sl_error *err)
{
    struct parser *p;
    uint8_t *buffer = NULL;
    size_t room = 0, known = 0;
    enum sl_status status;
    for (size_t i = 0; i < l->count; i++) {
        known += l->samples[i].refs_known;
    }
    if (known == l->count) {
        return SL_OK;
    }
    p = sl_alloc_zero(sizeof *p);
    if (!p) {
        return sl_fail_memory(err);
    }
    p->l = l;
    sl_writer_init(&p->rbsp, 1 << 20);
    p->frame_nums = sl_alloc_array(l->count, sizeof *p->frame_nums);
    p->is_reference = sl_alloc_array(l->count, sizeof *p->is_reference);
    status = p->frame_nums && p->is_reference ? read_sets(p, err) : sl_fail_memory(err);
    for (size_t i = 0; i < l->count && !status; i++) {
        status = find(p, i, &buffer, &room, err);
    }
    for (size_t i = 0; i < 32; i++) {
        sl_free(p->sps[i]);
    }
    sl_writer_clear(&p->rbsp);
    sl_free(p->frame_nums);
    sl_free(p->is_reference);
    sl_free(p);
    sl_free(buffer);
    return status;
}
