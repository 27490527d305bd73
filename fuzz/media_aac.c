/* SPDX-License-Identifier: BSD-2-Clause */
/* AudioSpecificConfig and ADTS on the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "media/aac.h"
#include "media/codec_string.h"
#include "media/track.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
    if (!truth) {
        abort();
    }
}

static void config(const uint8_t *data, size_t size)
{
    struct sl_aac_config a;
    struct sl_aac_config b;
    struct sl_error err = {0};
    struct sl_writer w;

    const enum sl_status status = sl_aac_parse_config(data, size, &a, &err);
    require(status == err.status);
    require(status == SL_OK || status == SL_EDATA || status == SL_EUNSUPPORTED);
    if (status != SL_OK) {
        return;
    }
    require(a.sample_rate > 0 && a.output_rate > 0 && a.frame_samples > 0);
    /* What has no extension can be written, and is read the same. */
    if (a.object_type <= 4 && a.channel_config != 0) {
        sl_writer_init(&w, 64);
        sl_aac_write_config(&a, &w);
        require(sl_writer_finish(&w, NULL) == SL_OK);
        require(sl_aac_parse_config(w.data, w.size, &b, NULL) == SL_OK);
        require(b.object_type == a.object_type && b.sample_rate == a.sample_rate);
        require(b.channel_config == a.channel_config && b.channels == a.channels);
        require(b.frame_samples == a.frame_samples && !b.sbr && !b.ps);
        sl_writer_clear(&w);
    }
}

static void adts(const uint8_t *data, size_t size)
{
    struct sl_adts a;
    struct sl_adts b;
    uint8_t header[SL_ADTS_HEADER];

    if (sl_adts_parse(data, size, &a, NULL) != SL_OK) {
        return;
    }
    require(a.frame_size >= a.header_size && a.header_size >= SL_ADTS_HEADER);
    const struct sl_aac_config c = {.object_type = a.object_type,
                                    .sample_rate = a.sample_rate,
                                    .channel_config = a.channel_config};
    const size_t payload = (size_t)a.frame_size - SL_ADTS_HEADER;
    const enum sl_status status = sl_adts_write(&c, payload, header, NULL);
    require(status == (a.channel_config == 0 ? SL_EUNSUPPORTED : SL_OK));
    if (status == SL_OK) {
        require(sl_adts_parse(header, sizeof header, &b, NULL) == SL_OK);
        require(b.frame_size == a.frame_size && b.sample_rate == a.sample_rate);
        require(b.object_type == a.object_type && b.channel_config == a.channel_config);
    }
}

/* The other codecs' configurations are read in one place only. */
static void strings(const uint8_t *data, size_t size)
{
    struct sl_track t;
    char text[SL_CODEC_STRING_MAX];

    sl_track_init(&t);
    t.config = (uint8_t *)(uintptr_t)data; /* read only; taken away again below */
    t.config_size = size;
    for (int codec = 0; codec < SL_CODEC_COUNT; codec++) {
        t.codec = (enum sl_codec)codec;
        const enum sl_status status = sl_codec_string(&t, text, NULL);
        require(strlen(text) < SL_CODEC_STRING_MAX - 1);
        require((status == SL_OK) == (text[0] != '\0'));
    }
    t.config = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config(data, size);
    adts(data, size);
    strings(data, size);
    return 0;
}
