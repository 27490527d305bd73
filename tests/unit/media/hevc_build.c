/* SPDX-License-Identifier: BSD-2-Clause */
#include "hevc_build.h"

#include "media/nal.h"
#include "random.h"

#define BIG (1u << 20)

static void put_random(struct sl_bit_writer *b, uint64_t *r, unsigned n)
{
    sl_put_bits(b, n, n < 32 ? random_next(r) & ((1u << n) - 1) : random_next(r));
}

static void put_profile(struct sl_bit_writer *b)
{
    sl_put_bits(b, 8, 0x21);        /* space 0, high tier, Main */
    sl_put_bits(b, 32, 0x60000000); /* compatible with 1 and 2 */
    sl_put_bits(b, 8, 0x90);
    sl_put_bits(b, 32, 0);
    sl_put_bits(b, 8, 0);
}

static void put_ptl(struct sl_bit_writer *b, const struct hevc_build *c, uint64_t *r)
{
    unsigned flags[8] = {0};

    put_profile(b);
    sl_put_bits(b, 8, 93);
    for (unsigned i = 0; i + 1 < c->sub_layers; i++) {
        flags[i] = random_below(r, 4);
        sl_put_bits(b, 2, flags[i]);
    }
    for (unsigned i = c->sub_layers - 1; i < 8 && c->sub_layers > 1; i++) {
        sl_put_bits(b, 2, 0);
    }
    for (unsigned i = 0; i + 1 < c->sub_layers; i++) {
        if (flags[i] & 2) {
            put_profile(b);
        }
        if (flags[i] & 1) {
            put_random(b, r, 8);
        }
    }
}

static void put_scaling(struct sl_bit_writer *b, uint64_t *r)
{
    for (unsigned size = 0; size < 4; size++) {
        for (unsigned matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
            const bool explicit_list = random_below(r, 2);
            sl_put_bits(b, 1, explicit_list);
            if (!explicit_list) {
                sl_put_ue(b, random_below(r, matrix / (size == 3 ? 3 : 1) + 1));
                continue;
            }
            if (size > 1) {
                sl_put_se(b, (int32_t)random_below(r, 255) - 7);
            }
            for (unsigned i = 0; i < (size == 0 ? 16u : 64u); i++) {
                sl_put_se(b, (int32_t)random_below(r, 256) - 128);
            }
        }
    }
}

/* Sets of references as sets: members are kept sorted as the standard lists them. */
static void put_rps(struct sl_bit_writer *b, const struct hevc_build *c, uint64_t *r)
{
    int delta[17];
    unsigned count = 0;

    for (unsigned set = 0; set < c->rps_count; set++) {
        int next[17];
        unsigned next_count = 0;
        const bool predicted = set > 0 && random_below(r, 3) != 0 && count < 14;
        if (set > 0) {
            sl_put_bits(b, 1, predicted);
        }
        if (predicted) {
            const int size = 1 + (int)random_below(r, 6);
            const int move = random_below(r, 2) ? -size : size;
            sl_put_bits(b, 1, move < 0);
            sl_put_ue(b, (uint32_t)size - 1);
            for (unsigned j = 0; j <= count; j++) {
                const int member = (j < count ? delta[j] : 0) + move;
                const unsigned used = random_below(r, 3);
                sl_put_bits(b, 1, used == 0);
                if (used != 0) {
                    sl_put_bits(b, 1, used == 1); /* use_delta_flag */
                }
                if (used < 2 && member != 0) {
                    next[next_count++] = member;
                }
            }
        } else {
            const unsigned negative = random_below(r, 5);
            const unsigned positive = random_below(r, 5);
            sl_put_ue(b, negative);
            sl_put_ue(b, positive);
            for (unsigned j = 0; j < negative + positive; j++) {
                const int step = 1 + (int)random_below(r, 3);
                const int last = j == 0 || j == negative ? 0 : next[next_count - 1];
                next[next_count++] = j < negative ? last - step : last + step;
                sl_put_ue(b, (uint32_t)step - 1);
                put_random(b, r, 1);
            }
        }
        /* -1, -2 … then 1, 2 … */
        count = 0;
        for (int d = -1; d > -1000; d--) {
            for (unsigned j = 0; j < next_count; j++) {
                if (next[j] == d) {
                    delta[count++] = d;
                }
            }
        }
        for (int d = 1; d < 1000; d++) {
            for (unsigned j = 0; j < next_count; j++) {
                if (next[j] == d) {
                    delta[count++] = d;
                }
            }
        }
    }
}

static void put_hrd(struct sl_bit_writer *b, const struct hevc_build *c, uint64_t *r)
{
    const bool nal = random_below(r, 2);
    const bool vcl = random_below(r, 2);
    bool sub_pic = false;

    sl_put_bits(b, 1, nal);
    sl_put_bits(b, 1, vcl);
    if (nal || vcl) {
        sub_pic = random_below(r, 2);
        sl_put_bits(b, 1, sub_pic);
        if (sub_pic) {
            put_random(b, r, 19);
        }
        put_random(b, r, 8);
        if (sub_pic) {
            put_random(b, r, 4);
        }
        put_random(b, r, 15);
    }
    for (unsigned i = 0; i < c->sub_layers; i++) {
        const bool general = random_below(r, 2);
        const bool within = general || random_below(r, 2);
        bool low_delay = false;
        unsigned cpbs = 1;
        sl_put_bits(b, 1, general);
        if (!general) {
            sl_put_bits(b, 1, within);
        }
        if (within) {
            sl_put_ue(b, random_below(r, 2048));
        } else {
            low_delay = random_below(r, 2);
            sl_put_bits(b, 1, low_delay);
        }
        if (!low_delay) {
            cpbs = 1 + random_below(r, 32);
            sl_put_ue(b, cpbs - 1);
        }
        for (unsigned j = 0; j < cpbs * ((unsigned)nal + (unsigned)vcl); j++) {
            for (unsigned k = 0; k < (sub_pic ? 4u : 2u); k++) {
                sl_put_ue(b, k == 1 ? UINT32_MAX - 1 : random_below(r, 100000));
            }
            put_random(b, r, 1);
        }
    }
}

static void put_vui(struct sl_bit_writer *b, const struct hevc_build *c, uint64_t *r)
{
    const struct sl_colour *k = &c->colour;
    const bool described = k->primaries != 2 || k->transfer != 2 || k->matrix != 2;
    const bool signal = described || k->range != SL_RANGE_UNSPECIFIED || c->video_format != 5;

    sl_put_bits(b, 1, c->aspect);
    if (c->aspect) {
        sl_put_bits(b, 8, 255);
        sl_put_bits(b, 16, c->sar_w);
        sl_put_bits(b, 16, c->sar_h);
    }
    sl_put_bits(b, 1, c->overscan);
    if (c->overscan) {
        put_random(b, r, 1);
    }
    sl_put_bits(b, 1, signal);
    if (signal) {
        sl_put_bits(b, 3, c->video_format);
        sl_put_bits(b, 1, k->range == SL_RANGE_FULL);
        sl_put_bits(b, 1, described);
    }
    if (described) {
        sl_put_bits(b, 8, k->primaries);
        sl_put_bits(b, 8, k->transfer);
        sl_put_bits(b, 8, k->matrix);
    }
    sl_put_bits(b, 1, c->chroma_loc);
    if (c->chroma_loc) {
        sl_put_ue(b, k->chroma_location - 1u);
        sl_put_ue(b, k->chroma_location - 1u);
    }
    sl_put_bits(b, 3, c->overscan ? 5 : 0);
    sl_put_bits(b, 1, c->display_window);
    for (unsigned i = 0; i < 4 && c->display_window; i++) {
        sl_put_ue(b, random_below(r, 20));
    }
    sl_put_bits(b, 1, c->timing);
    if (c->timing) {
        sl_put_bits(b, 32, c->units);
        sl_put_bits(b, 32, c->scale);
        const bool proportional = random_below(r, 2);
        sl_put_bits(b, 1, proportional);
        if (proportional) {
            sl_put_ue(b, random_next(r) / 2);
        }
        sl_put_bits(b, 1, c->hrd);
        if (c->hrd) {
            put_hrd(b, c, r);
        }
    }
    sl_put_bits(b, 1, c->restriction);
    if (c->restriction) {
        put_random(b, r, 3);
        sl_put_ue(b, c->min_spatial);
        sl_put_ue(b, 2);
        sl_put_ue(b, 1);
        sl_put_ue(b, 15);
        sl_put_ue(b, 15);
    }
}

static void put_body(struct sl_bit_writer *b, const struct hevc_build *c, uint64_t *r)
{
    sl_put_ue(b, 3); /* sps_seq_parameter_set_id */
    sl_put_ue(b, c->chroma_format);
    if (c->chroma_format == 3) {
        sl_put_bits(b, 1, 0);
    }
    sl_put_ue(b, c->width);
    sl_put_ue(b, c->height);
    const bool crop = c->crop[0] || c->crop[1] || c->crop[2] || c->crop[3];
    sl_put_bits(b, 1, crop);
    for (unsigned i = 0; i < 4 && crop; i++) {
        sl_put_ue(b, c->crop[i]);
    }
    sl_put_ue(b, c->depth_luma - 8);
    sl_put_ue(b, c->depth_chroma - 8);
    sl_put_ue(b, 4); /* log2_max_pic_order_cnt_lsb_minus4 */
    const bool each = random_below(r, 2);
    sl_put_bits(b, 1, each);
    for (unsigned i = each ? 0 : c->sub_layers - 1; i < c->sub_layers; i++) {
        const bool highest = i + 1 == c->sub_layers;
        sl_put_ue(b, (highest ? c->buffering : 1) - 1);
        sl_put_ue(b, highest ? c->reorder : 0);
        sl_put_ue(b, highest ? UINT32_MAX - 1 : 0);
    }
    sl_put_ue(b, 0);
    sl_put_ue(b, 3);
    sl_put_ue(b, 0);
    sl_put_ue(b, 3);
    sl_put_ue(b, 1);
    sl_put_ue(b, 1);
    sl_put_bits(b, 1, c->scaling);
    if (c->scaling) {
        const bool data = random_below(r, 3) != 0;
        sl_put_bits(b, 1, data);
        if (data) {
            put_scaling(b, r);
        }
    }
    put_random(b, r, 2);
    sl_put_bits(b, 1, c->pcm);
    if (c->pcm) {
        sl_put_bits(b, 8, 0x76);
        sl_put_ue(b, 0);
        sl_put_ue(b, 2);
        put_random(b, r, 1);
    }
    sl_put_ue(b, c->rps_count);
    put_rps(b, c, r);
    sl_put_bits(b, 1, c->long_term);
    if (c->long_term) {
        const unsigned count = random_below(r, 33);
        sl_put_ue(b, count);
        for (unsigned i = 0; i < count; i++) {
            put_random(b, r, 8 + 1); /* log2_max_poc_lsb is 8 */
        }
    }
    put_random(b, r, 2);
}

void hevc_build(const struct hevc_build *c, struct sl_writer *w)
{
    struct sl_writer rbsp;
    struct sl_bit_writer b;
    uint64_t r = c->seed;

    sl_writer_init(&rbsp, BIG);
    sl_bit_writer_init(&b, &rbsp);
    sl_put_bits(&b, 4, 0);
    sl_put_bits(&b, 3, c->sub_layers - 1);
    sl_put_bits(&b, 1, 1);
    put_ptl(&b, c, &r);
    put_body(&b, c, &r);
    sl_put_bits(&b, 1, c->vui);
    if (c->vui) {
        put_vui(&b, c, &r);
    }
    sl_put_bits(&b, 1, c->extension);
    if (c->extension) {
        sl_put_bits(&b, 8, 0x80); /* the range extension, with its nine flags */
        put_random(&b, &r, 9);
    }
    sl_put_trailing(&b);
    sl_write_u8(w, 0x42);
    sl_write_u8(w, 0x01);
    sl_nal_escape(rbsp.data, rbsp.size, w);
    sl_writer_clear(&rbsp);
}

void hevc_build_random(struct hevc_build *c, uint64_t *r)
{
    *c = (struct hevc_build){
        .seed = 1 + random_next(r),
        .sub_layers = 1 + random_below(r, 7),
        .chroma_format = random_below(r, 4),
        .width = 8 * (2 + random_below(r, 2047)),
        .height = 8 * (2 + random_below(r, 2047)),
        .depth_luma = 8 + random_below(r, 9),
        .depth_chroma = 8 + random_below(r, 9),
        .buffering = 1 + random_below(r, 16),
        .scaling = random_below(r, 2),
        .pcm = random_below(r, 2),
        .long_term = random_below(r, 2),
        .extension = random_below(r, 2),
        .rps_count = random_below(r, 2) ? random_below(r, 65) : 0,
        .vui = random_below(r, 4) != 0,
        .video_format = 5,
        .colour = {2, 2, 2, 0, 0},
    };
    c->reorder = random_below(r, c->buffering);
    for (unsigned i = 0; i < 4 && random_below(r, 2); i++) {
        c->crop[i] = random_below(r, 4);
    }
    if (!c->vui) {
        return;
    }
    c->aspect = random_below(r, 2);
    c->sar_w = 1 + random_below(r, 65535);
    c->sar_h = 1 + random_below(r, 65535);
    c->overscan = random_below(r, 2);
    c->video_format = random_below(r, 6);
    if (random_below(r, 2)) {
        c->colour.range = (uint8_t)(1 + random_below(r, 2));
    } else {
        c->video_format = 5;
    }
    if (c->colour.range != SL_RANGE_UNSPECIFIED && random_below(r, 2)) {
        c->colour.primaries = (uint8_t)random_below(r, 256);
        c->colour.transfer = (uint8_t)random_below(r, 256);
        c->colour.matrix = (uint8_t)random_below(r, 256);
    }
    c->chroma_loc = random_below(r, 2);
    c->colour.chroma_location = c->chroma_loc ? (uint8_t)(1 + random_below(r, 6)) : 0;
    c->display_window = random_below(r, 2);
    c->timing = random_below(r, 2);
    c->units = 1 + random_below(r, 3);
    c->scale = 1 + random_next(r) / 2;
    c->hrd = random_below(r, 2);
    c->restriction = random_below(r, 2);
    c->min_spatial = random_below(r, 4096);
}
