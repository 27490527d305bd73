/* SPDX-License-Identifier: BSD-2-Clause */
/* Sound with any timestamps, lengths and channels: whatever comes, the line has neither gap nor
 * overlap, stays within the tolerance of the last timestamp, and ends where it is told to. */
#include <stdlib.h>

#include "base/bytes.h"
#include "filter/sound.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAMES_AT_ONCE = 64 };

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* As much as is ready, but no more than some: a gap may be hours long. False: stop here. */
static bool drain(struct sl_sound *s, int64_t *at, int64_t *meant)
{
    struct sl_frame *f = NULL;
    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        enum sl_status status = sl_sound_receive(s, &f, NULL);
        if (status != SL_OK) {
            require(status == SL_EAGAIN || status == SL_EOF);
            return true;
        }
        require(f->pts == *at && f->duration > 0 && f->duration <= f->samples);
        *at += f->samples;
        *meant += f->duration;
        sl_frame_unref(&f);
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_reader r;
    struct sl_sound *s = NULL;
    int64_t at = 0, meant = 0, pts = 0;
    sl_reader_init(&r, data, size);
    struct sl_sound_params params = {
        .timebase = {1, 1 + sl_read_be16(&r)},
        .zero = (int16_t)sl_read_be16(&r),
        .sample_rate = 8000,
        .channels = sl_read_u8(&r) % 9,
        .frame_samples = sl_read_be16(&r) % 2000,
        .tolerance = sl_read_u8(&r),
    };
    bool going = sl_sound_create(&s, &params, NULL) == SL_OK;
    while (going && sl_reader_left(&r) > 0) {
        struct sl_frame *f = NULL;
        uint8_t kind = sl_read_u8(&r);
        int32_t samples = 1 + sl_read_be16(&r) % 3000;
        pts += kind & 1 ? (int16_t)sl_read_be16(&r) : samples * params.timebase.den / 8000;
        require(sl_frame_create_audio(&f, 1 + (kind >> 1) % 8, kind & 16 ? sl_read_be16(&r) : 0,
                                      8000, samples, NULL) == SL_OK);
        f->pts = kind & 32 ? SL_NO_TIME : kind & 64 ? pts * ((int64_t)1 << 40) : pts;
        int64_t before = sl_sound_length(s);
        enum sl_status status = sl_sound_send(s, f, NULL);
        require(status == SL_OK || status == SL_EDATA);
        require(sl_sound_length(s) >= before);
        going = status == SL_OK && drain(s, &at, &meant);
        sl_frame_unref(&f);
    }
    if (going) {
        int64_t end = (int64_t)sl_read_be16(&r) + sl_sound_length(s) - 20000;
        int64_t length = sl_sound_length(s);
        require(sl_sound_finish(s, end, NULL) == SL_OK);
        if (drain(s, &at, &meant)) {
            int64_t want = end >= 0 ? end : length;
            require(meant == want || (meant > want && meant % params.frame_samples == 0));
        }
    }
    sl_sound_destroy(&s);
    return 0;
}
