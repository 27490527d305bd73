/* SPDX-License-Identifier: BSD-2-Clause */
/* What is asked of HEVC streams beside the SPS itself, and the one change that is made to it. */
#include "media/hevc.h"

#include "base/error.h"
#include "media/parameter_set.h"

#define NAL_HEADER 2

static void copy_bits(struct sl_bit_writer *b, const uint8_t *data, size_t size, size_t from,
                      size_t to)
{
    struct sl_bit_reader r;

    sl_bits_init(&r, data, size);
    sl_bits_skip(&r, from);
    while (from < to) {
        const unsigned n = to - from < 32 ? (unsigned)(to - from) : 32;
        sl_put_bits(b, n, sl_bits_read(&r, n));
        from += n;
    }
}

/* Position of rbsp_stop_one_bit, or of the first bit where there is none. */
static size_t find_stop_bit(const uint8_t *rbsp, size_t size)
{
    size_t bit = size * 8;
    while (bit > 0) {
        bit--;
        if (rbsp[bit / 8] >> (7 - bit % 8) & 1) {
            break;
        }
    }
    return bit;
}

static void put_signal(struct sl_bit_writer *b, unsigned video_format, const struct sl_colour *c)
{
    const bool described = c->primaries != 2 || c->transfer != 2 || c->matrix != 2;
    const bool present = described || c->range != SL_RANGE_UNSPECIFIED || video_format != 5;

    sl_put_bits(b, 1, present);
    if (present) {
        sl_put_bits(b, 3, video_format);
        sl_put_bits(b, 1, c->range == SL_RANGE_FULL);
        sl_put_bits(b, 1, described);
    }
    if (described) {
        sl_put_bits(b, 8, c->primaries);
        sl_put_bits(b, 8, c->transfer);
        sl_put_bits(b, 8, c->matrix);
    }
}

enum sl_status sl_hevc_rewrite_colour(const struct sl_nal *nal, const struct sl_colour *colour,
                                      struct sl_writer *out, struct sl_error *err)
{
    struct sl_hevc_sps sps;
    struct sl_writer old;
    struct sl_writer rbsp;
    struct sl_bit_writer b;
    enum sl_status status = SL_OK;

    sl_writer_init(&old, SL_PARAMETER_SET_BYTES);
    sl_writer_init(&rbsp, SL_PARAMETER_SET_BYTES);
    status = sl_hevc_parse_sps(nal, &sps, err);
    if (status != SL_OK) {
        goto out;
    }
    sl_nal_unescape(nal->data + NAL_HEADER, nal->size - NAL_HEADER, &old);
    status = sl_writer_finish(&old, err);
    if (status != SL_OK) {
        goto out;
    }
    const size_t after = sps.vui_present ? sps.vui_signal_end : sps.vui_bit + 1;
    const size_t stop = find_stop_bit(old.data, old.size);
    if (stop < sps.end_bit) {
        status = sl_fail(err, SL_EDATA, NULL, "HEVC SPS without rbsp_trailing_bits");
        goto out;
    }
    sl_bit_writer_init(&b, &rbsp);
    if (sps.vui_present) {
        copy_bits(&b, old.data, old.size, 0, sps.vui_signal_bit);
        put_signal(&b, sps.video_format, colour);
    } else {
        copy_bits(&b, old.data, old.size, 0, sps.vui_bit);
        sl_put_bits(&b, 1, 1); /* vui_parameters_present_flag */
        sl_put_bits(&b, 2, 0); /* no aspect ratio, no overscan */
        put_signal(&b, sps.video_format, colour);
        /* no chroma location, neutral_chroma_indication, field_seq, frame_field_info, default
         * display window, timing, bitstream restriction */
        sl_put_bits(&b, 7, 0);
    }
    copy_bits(&b, old.data, old.size, after, stop);
    sl_put_trailing(&b);
    status = sl_writer_finish(&rbsp, err);
    if (status != SL_OK) {
        goto out;
    }
    sl_write_bytes(out, nal->data, NAL_HEADER);
    sl_nal_escape(rbsp.data, rbsp.size, out);
    status = sl_writer_finish(out, err);
out:
    sl_writer_clear(&old);
    sl_writer_clear(&rbsp);
    return status;
}

enum sl_status sl_hevc_describe(struct sl_track *track, struct sl_error *err)
{
    struct sl_nal_config config;
    struct sl_hevc_sps sps;
    size_t i = 0;

    enum sl_status status = sl_hvcc_parse(track->config, track->config_size, &config, err);
    if (status != SL_OK) {
        return status;
    }
    while (i < config.count && (config.sets[i].data[0] >> 1 & 0x3f) != SL_HEVC_SPS) {
        i++;
    }
    if (i == config.count) { /* "hev1": they come in band */
        track->profile = config.profile;
        track->level = config.level;
        return SL_OK;
    }
    status = sl_hevc_parse_sps(&config.sets[i], &sps, err);
    if (status != SL_OK) {
        return status;
    }
    track->width = sps.width;
    track->height = sps.height;
    if (sps.sample_aspect.num > 0) {
        track->sample_aspect = sps.sample_aspect;
    }
    sl_ps_merge_colour(&track->colour, &sps.colour);
    track->bit_depth = sps.bit_depth_luma;
    const enum sl_pixel_format format = sl_ps_pixel_format(
        sps.chroma_format_idc, sps.bit_depth_luma, sps.bit_depth_chroma, sps.colour.matrix == 0);
    if (format != SL_PIX_NONE) {
        track->pixel_format = (int32_t)format;
    }
    track->profile = sps.ptl.profile_idc;
    track->level = sps.ptl.level_idc;
    track->reorder = (int32_t)sps.max_num_reorder;
    return SL_OK;
}

/* True for slice segments (table 7-1: 0 to 31 are VCL). All of a picture have the same type
 * (7.4.2.2), so the first decides. */
static bool is_slice(uint8_t header, bool *irap)
{
    const unsigned type = header >> 1 & 0x3f;
    *irap = type >= SL_HEVC_BLA_W_LP && type <= 23; /* RSV_IRAP_VCL23 */
    return type < SL_HEVC_VPS;
}

bool sl_hevc_is_irap(const uint8_t *data, size_t size, unsigned prefix)
{
    bool irap = false;
    if (prefix == 0) {
        for (size_t at = 0; (at = sl_nal_find_annexb(data, size, at)) < size;) {
            if (is_slice(data[at], &irap)) {
                return irap;
            }
        }
        return false;
    }
    struct sl_nal_walker w = {.data = data, .size = size};
    struct sl_nal nal;
    while (sl_nal_next_length(&w, prefix, &nal, NULL) == SL_OK) {
        if (is_slice(nal.data[0], &irap)) {
            return irap;
        }
    }
    return false;
}
