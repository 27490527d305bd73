/* SPDX-License-Identifier: BSD-2-Clause */
/* H.264 headers. First byte even: an SPS, which written and read again must be the same; odd: an
 * avcC, or Annex B to make one of. */
#include <stdlib.h>
#include <string.h>

#include "media/codec_string.h"
#include "media/h264.h"
#include "media/track.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BYTES (1u << 24)

static void require(int truth)
{
    if (!truth) {
        abort();
    }
}

static void sps(const uint8_t *data, size_t size)
{
    const struct sl_nal nal = {data, size};
    struct sl_h264_sps a;
    struct sl_h264_sps b;
    struct sl_h264_pps pps;
    struct sl_error err = {0};
    struct sl_writer w;

    if (sl_h264_parse_pps(&nal, &pps, NULL) == SL_OK) {
        require(pps.sps_id < 32);
    }
    const enum sl_status status = sl_h264_parse_sps(&nal, &a, &err);
    require(status == err.status && (status == SL_OK || status == SL_EDATA));
    if (status != SL_OK) {
        return;
    }
    require(a.width > 0 && a.width <= 16384 && a.height > 0 && a.height <= 16384);
    require(sl_h264_reorder(&a) >= 0 && sl_h264_reorder(&a) <= 16);
    sl_writer_init(&w, MAX_BYTES);
    sl_h264_write_sps(&a, &w);
    require(sl_writer_finish(&w, NULL) == SL_OK);
    const struct sl_nal again = {w.data, w.size};
    require(sl_h264_parse_sps(&again, &b, NULL) == SL_OK);
    require(memcmp(&a, &b, sizeof a) == 0);
    sl_writer_clear(&w);
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

    if (sl_avcc_parse(data, size, &c, NULL) == SL_OK) {
        require(c.count <= SL_PARAMETER_SETS_MAX);
        require(c.length_size == 1 || c.length_size == 2 || c.length_size == 4);
        for (size_t i = 0; i < c.count; i++) {
            require(c.sets[i].size > 0 && c.sets[i].data >= data);
            require(c.sets[i].data + c.sets[i].size <= data + size);
        }
    }
    sl_track_init(&t);
    t.codec = SL_CODEC_H264;
    t.config = (uint8_t *)(uintptr_t)data; /* read only; taken away again below */
    t.config_size = size;
    answered(sl_h264_describe(&t, NULL));
    answered(sl_codec_string(&t, text, NULL));
    t.config = NULL;

    sl_writer_init(&w, MAX_BYTES);
    if (sl_avcc_from_annexb(data, size, &w, NULL) == SL_OK) {
        require(sl_avcc_parse(w.data, w.size, &c, NULL) == SL_OK);
        require(c.count >= 2);
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
