/* SPDX-License-Identifier: BSD-2-Clause */
/* The codec headers of passthrough on the same bytes: each parser, what it writes read again, and a
 * track of each codec completed from them as its first access unit. */
#include <stdlib.h>
#include <string.h>

#include "media/ac3.h"
#include "media/adts.h"
#include "media/av1.h"
#include "media/codec_string.h"
#include "media/complete.h"
#include "media/flac.h"
#include "media/mpeg_audio.h"
#include "media/nal_form.h"
#include "media/opus.h"
#include "media/track.h"
#include "media/vp9.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

static void sound(const uint8_t *data, size_t size)
{
    struct sl_ac3_unit unit;
    struct sl_mpeg_audio audio;
    struct sl_opus_head head, again;
    struct sl_flac_info flac;
    struct sl_writer w;
    sl_writer_init(&w, 4096);
    if (!sl_ac3_parse_unit(data, size, &unit, NULL)) {
        must(unit.first.sample_rate > 0 && unit.channels > 0 && unit.count > 0);
        sl_ac3_write_config(&unit, &w);
        must(w.size == 3 || (unit.first.enhanced && w.size >= 5));
        sl_writer_clear(&w);
    }
    if (!sl_mpeg_audio_parse(data, size, &audio, NULL))
        must(audio.sample_rate > 0 && audio.samples > 0 && audio.channels > 0);
    if (!sl_opus_parse(data, size, &head, NULL)) {
        sl_opus_write_dops(&head, &w);
        must(!sl_opus_parse(w.data, w.size, &again, NULL));
        must(!memcmp(&head, &again, sizeof head));
        sl_writer_clear(&w);
        sl_opus_write_head(&head, &w);
        must(!sl_opus_parse(w.data, w.size, &again, NULL));
        must(!memcmp(&head, &again, sizeof head));
        sl_writer_clear(&w);
    }
    must(sl_opus_samples(data, size) <= SL_OPUS_SAMPLES_MAX);
    if (!sl_flac_parse(data, size, &flac, NULL)) {
        struct sl_flac_info second;
        sl_flac_write_dfla(&flac, &w);
        must(!sl_flac_parse(w.data, w.size, &second, NULL));
        must(second.sample_rate == flac.sample_rate && second.samples == flac.samples);
        sl_writer_clear(&w);
    }
}

static void pictures(const uint8_t *data, size_t size)
{
    struct sl_av1_sequence s, again;
    struct sl_vp_frame frame;
    struct sl_vpcc vp;
    const uint8_t *obu;
    size_t obu_size;
    struct sl_writer w;
    sl_writer_init(&w, 1 << 20);
    if (sl_av1_find_sequence(data, size, &obu, &obu_size) &&
        !sl_av1_parse_sequence(obu, obu_size, &s, NULL)) {
        sl_av1_write_config(&s, obu, obu_size, &w);
        must(!sl_av1_parse_config(w.data, w.size, &again, NULL));
        must(s.width == again.width && s.level == again.level && s.bit_depth == again.bit_depth);
        sl_writer_clear(&w);
    }
    (void)!sl_vp8_parse(data, size, &frame, NULL);
    if (!sl_vp9_parse(data, size, &frame, NULL) && frame.key)
        must(frame.width > 0 && frame.bit_depth >= 8);
    if (sl_vpcc_parse(data, size, &vp)) {
        struct sl_vpcc second;
        sl_vpcc_write(&vp, &w);
        must(sl_vpcc_parse(w.data, w.size, &second));
        must(second.profile == vp.profile && second.chroma == vp.chroma);
        sl_writer_clear(&w);
    }
}

/* In one piece and in two it must be the same. */
static void forms(const uint8_t *data, size_t size, size_t cut)
{
    struct sl_chain chain = {0};
    for (unsigned prefix = 1; prefix <= 4; prefix *= 2) {
        enum sl_nal_form whole = sl_nal_form(data, size, prefix), form;
        if (sl_chain_add_copy(&chain, data, cut, NULL) ||
            sl_chain_add_copy(&chain, data + cut, size - cut, NULL))
            break;
        must(!sl_nal_form_chain(&chain, prefix, &form, NULL));
        must(form == whole || size > 64); /* more zeros in front than it looks at */
        sl_chain_clear(&chain);
    }
    sl_chain_clear(&chain);
}

static void complete(const uint8_t *data, size_t size, size_t cut)
{
    struct sl_chain payload = {0};
    char text[SL_CODEC_STRING_MAX];
    if (sl_chain_add_copy(&payload, data + cut, size - cut, NULL))
        return;
    for (int codec = 0; codec < SL_CODEC_COUNT; codec++) {
        for (unsigned with = 0; with < 2; with++) {
            struct sl_error err = {0};
            struct sl_payload_form form;
            struct sl_track t;
            sl_track_init(&t);
            t.codec = (enum sl_codec)codec;
            if (with && sl_track_set_config(&t, data, cut, NULL))
                continue;
            enum sl_status status = sl_track_complete(&t, &payload, &form, &err);
            must(err.status == (status == SL_EAGAIN ? SL_OK : status));
            if (!status)
                (void)!sl_codec_string(&t, text, NULL);
            sl_track_clear(&t);
        }
    }
    sl_chain_clear(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t cut = data[0];
    data++, size--;
    cut = cut < size ? cut : size;
    sound(data, size);
    sound(data + cut, size - cut);
    pictures(data, size);
    pictures(data + cut, size - cut);
    forms(data, size, cut);
    complete(data, size, cut);
    struct sl_packet *p;
    uint8_t *to;
    if (size > 0 && !sl_packet_create_data(&p, size, &to, NULL)) {
        memcpy(to, data, size);
        (void)!sl_adts_unwrap(p, NULL);
        sl_packet_unref(&p);
    }
    return 0;
}
