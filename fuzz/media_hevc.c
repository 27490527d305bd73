/* SPDX-License-Identifier: BSD-2-Clause */
/* HEVC headers. First byte even: an SPS, given another colour and then its own back; odd: an hvcC,
 * or Annex B to make one of. */
#include <stdlib.h>
#include <string.h>

#include "media/codec_string.h"
#include "media/hevc.h"
#include "media/track.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BYTES (1u << 24)

static void require(int truth)
{
    if (!truth) {
        abort();
    }
}

/* All but the colour and where it stands. */
static void same_rest(struct sl_hevc_sps a, struct sl_hevc_sps b)
{
    a.vui_signal_end = b.vui_signal_end;
    a.vui_signal_bit = b.vui_signal_bit;
    a.vui_present = b.vui_present;
    a.colour = b.colour;
    require(a.vui_bit == b.vui_bit && a.width == b.width && a.height == b.height);
    require(a.ptl.constraint_flags == b.ptl.constraint_flags);
    require(a.max_num_reorder == b.max_num_reorder && a.max_latency == b.max_latency);
    require(a.sample_aspect.num == b.sample_aspect.num);
    require(a.sample_aspect.den == b.sample_aspect.den);
    require(a.video_format == b.video_format && a.timing_present == b.timing_present);
    require(a.num_units_in_tick == b.num_units_in_tick && a.time_scale == b.time_scale);
    require(a.min_spatial_segmentation == b.min_spatial_segmentation);
}

static void sps(const uint8_t *data, size_t size)
{
    const struct sl_nal nal = {data, size};
    const struct sl_colour colour = {9, 16, 9, SL_RANGE_FULL, 0};
    struct sl_hevc_sps a;
    struct sl_hevc_sps b;
    struct sl_error err = {0};
    struct sl_writer there;
    struct sl_writer again;

    const enum sl_status status = sl_hevc_parse_sps(&nal, &a, &err);
    require(status == err.status);
    require(status == SL_OK || status == SL_EDATA || status == SL_EUNSUPPORTED);
    if (status != SL_OK) {
        return;
    }
    require(a.width > 0 && a.width <= 16384 && a.height > 0 && a.height <= 16384);
    require(a.max_num_reorder < 16);
    sl_writer_init(&there, MAX_BYTES);
    sl_writer_init(&again, MAX_BYTES);
    /* Refused where there is no stop bit, or where it has grown past 65535 bytes. */
    if (sl_hevc_rewrite_colour(&nal, &colour, &there, NULL) == SL_OK &&
        there.size <= UINT16_MAX - 32) {
        const struct sl_nal changed = {there.data, there.size};
        require(sl_hevc_parse_sps(&changed, &b, NULL) == SL_OK);
        require(b.colour.primaries == 9 && b.colour.transfer == 16 && b.colour.matrix == 9);
        require(b.colour.range == SL_RANGE_FULL);
        require(b.colour.chroma_location == a.colour.chroma_location);
        same_rest(a, b);
        require(sl_hevc_rewrite_colour(&changed, &colour, &again, NULL) == SL_OK);
        require(again.size == there.size && memcmp(again.data, there.data, again.size) == 0);
    }
    sl_writer_clear(&there);
    sl_writer_clear(&again);
}

/* An answer that bad input may get. */
static void answered(enum sl_status status)
{
    require(status == SL_OK || status == SL_EDATA || status == SL_EUNSUPPORTED);
}

static void config(const uint8_t *data, size_t size)
{
    struct sl_nal_config c;
    struct sl_track t;
    struct sl_writer w;
    char text[SL_CODEC_STRING_MAX];

    if (sl_hvcc_parse(data, size, &c, NULL) == SL_OK) {
        require(c.count <= SL_PARAMETER_SETS_MAX);
        require(c.length_size == 1 || c.length_size == 2 || c.length_size == 4);
        for (size_t i = 0; i < c.count; i++) {
            require(c.sets[i].size > 0 && c.sets[i].data >= data);
            require(c.sets[i].data + c.sets[i].size <= data + size);
        }
    }
    sl_track_init(&t);
    t.codec = SL_CODEC_HEVC;
    t.config = (uint8_t *)(uintptr_t)data; /* read only; taken away again below */
    t.config_size = size;
    answered(sl_hevc_describe(&t, NULL));
    answered(sl_codec_string(&t, text, NULL));
    t.config = NULL;

    sl_writer_init(&w, MAX_BYTES);
    if (sl_hvcc_from_annexb(data, size, &w, NULL) == SL_OK) {
        require(sl_hvcc_parse(w.data, w.size, &c, NULL) == SL_OK);
        require(c.count >= 3);
    }
    sl_writer_clear(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    if (data[0] % 2 == 0) {
        sps(data + 1, size - 1);
    } else {
        config(data + 1, size - 1);
    }
    return 0;
}
