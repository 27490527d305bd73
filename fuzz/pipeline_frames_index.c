/* SPDX-License-Identifier: BSD-2-Clause */
/* The sidecars of packed files, JSON lines and binary, against an index of samples that is always
 * the same: groups of four, depth first. The checksum is put right, so that what is behind it is
 * read. What was accepted is then planned with. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "pipeline/frames.h"
#include "pipeline/frames_binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SAMPLES 11

static void make(struct sl_frames_index *x)
{
    static const struct {
        int64_t pts;
        uint8_t layer;
    } samples[SAMPLES] = {{0, 0}, {4, 0}, {2, 1}, {1, 2}, {3, 2}, {8, 0},
                          {6, 1}, {5, 2}, {7, 2}, {9, 0}, {13, 0}};
    for (size_t i = 0; i < SAMPLES; i++) {
        struct sl_frames_sample s = {.offset = (int64_t)i * 100,
                                     .size = 100,
                                     .pts = samples[i].pts,
                                     .layer = samples[i].layer,
                                     .flags = i == 0 || i == 9 ? SL_FRAMES_KEY : 0};
        if (sl_frames_index_add(x, &s, NULL) != SL_OK) {
            abort();
        }
    }
    if (sl_frames_index_finish(x, "fuzz", NULL) != SL_OK) {
        abort();
    }
    x->layered = true;
}

static void plan(struct sl_frames_index *x)
{
    struct sl_frames_plan p = {0};
    struct sl_frames_oracle none = {0};
    uint32_t *wanted = sl_alloc_array(2, sizeof *wanted);
    if (!wanted) {
        abort();
    }
    wanted[0] = 8;
    wanted[1] = 10;
    sl_frames_plan_begin(&p, x, &none, wanted, 2);
    while (sl_frames_plan_span(&p, NULL) == SL_OK) {
        if (p.end > SAMPLES || p.first >= p.end) {
            abort();
        }
    }
    sl_frames_plan_clear(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_frames_index x = {0};
    enum sl_status status;
    make(&x);
    if (sl_frames_is_binary(data, size) && size >= 12) {
        uint8_t *copy = malloc(size);
        uint32_t crc = (uint32_t)crc32_z(0, data, size - 4);
        if (!copy) {
            abort();
        }
        memcpy(copy, data, size);
        for (size_t i = 0; i < 4; i++) {
            copy[size - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
        }
        status = sl_frames_read_binary(&x, "fuzz", copy, size, NULL);
        free(copy);
    } else {
        status = sl_frames_read_sidecar(&x, "fuzz", data, size, NULL);
    }
    if (status == SL_OK) {
        if (!x.has_ids || sl_frames_index_ids(&x, NULL) != SL_OK) {
            abort();
        }
        plan(&x);
    }
    sl_frames_index_clear(&x);
    return 0;
}
