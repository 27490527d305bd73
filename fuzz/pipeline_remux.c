/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole remux of Matroska and MP4, passed through. The first three bytes choose settings. What a
 * file holds must never break the contract between our own stages: SL_EINVAL is for callers. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/remux.h>

#include "pipeline/remux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *data;
    size_t size;
};

static enum sl_status read_input(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                                 struct sl_error *err)
{
    const struct input *in = opaque;
    size_t left = offset < (int64_t)in->size ? in->size - (size_t)offset : 0;
    (void)err;
    *got = left < size ? left : size;
    if (*got > 0) {
        memcpy(dst, in->data + offset, *got);
    }
    return SL_OK;
}

static void check(enum sl_status st, const struct sl_error *err)
{
    if (st == SL_EINVAL && strcmp(err->where, "start") != 0) {
        fprintf(stderr, "SL_EINVAL: %s: %s\n", err->where, err->msg);
        abort();
    }
}

static void run(struct sl_remux *r, const struct input *in, size_t step)
{
    size_t at = 0;
    bool ended = false;
    for (;;) {
        struct sl_error err = {0};
        struct sl_chain piece;
        sl_chain_init(&piece);
        enum sl_status st = sl_remux_next(r, &piece, &err);
        sl_chain_clear(&piece);
        check(st, &err);
        if (st == SL_EAGAIN) {
            if (ended) {
                abort(); /* all was given, and it asks for more */
            }
            size_t n = in->size - at < step ? in->size - at : step;
            if (n == 0) {
                sl_remux_feed_end(r);
                ended = true;
            } else if (sl_remux_feed(r, in->data + at, n, NULL) != SL_OK) {
                return;
            }
            at += n;
        } else if (st != SL_OK) {
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sl_remux_params p;
    struct sl_remux *r = NULL;
    /* Other formats would go to libavformat, which has fuzzers of its own. */
    static const uint8_t ebml[4] = {0x1a, 0x45, 0xdf, 0xa3};
    if (size < 3 + 12) {
        return 0;
    }
    struct input in = {data + 3, size - 3};
    if (memcmp(in.data, ebml, 4) != 0 && memcmp(in.data + 4, "ftyp", 4) != 0) {
        return 0;
    }
    memset(&p, 0, sizeof p);
    p.video = SL_REMUX_VIDEO_COPY;
    p.audio = SL_REMUX_AUDIO_COPY;
    p.subtitles = SL_REMUX_SUBTITLES_AUTO;
    p.keep_going = 1;
    p.channels = 2;
    p.strict = data[0] >> 1 & 1;
    p.styp = data[0] >> 2 & 1;
    p.sidx = data[0] >> 3 & 1;
    p.no_init = data[0] >> 4 & 1;
    p.faststart = data[0] >> 5 & 1;
    (void)snprintf(p.audio_track, sizeof p.audio_track, "%s", data[0] & 64 ? "all" : "");
    p.start = (struct sl_rational){data[1], 16};
    p.duration = (struct sl_rational){data[2] & 15, 8};
    p.fragment = (struct sl_rational){data[2] >> 4, 4};
    p.decode_time = (struct sl_rational){data[0] >> 7, 3};
    const struct sl_remux_source source = {
        .read = read_input, .opaque = &in, .size = (int64_t)in.size, .seekable = 1};
    if (sl_remux_create(&r, &p, data[0] & 1 ? &source : NULL, NULL, NULL, NULL) == SL_OK) {
        run(r, &in, 1 + (size_t)data[1] * 16);
    }
    sl_remux_free(&r);
    return 0;
}
