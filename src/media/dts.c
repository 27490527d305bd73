/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/dts.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"

/* Times beyond this are not times; below it no sum or difference here can overflow. */
#define TIME_MAX (INT64_MAX / 8)

static int compare_times(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a;
    const int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool in_range(int64_t t)
{
    return t >= -TIME_MAX && t <= TIME_MAX;
}

/* Checks what the contract asks of pts and fills sorted with them, ascending. */
static enum sl_status sort_times(struct sl_packet *const *packets, size_t count, int64_t end,
                                 int64_t *sorted, struct sl_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const int64_t pts = packets[i]->pts;
        if (!in_range(pts)) {
            return sl_fail(err, SL_EDATA, NULL, "packet %zu of a group has no usable pts", i);
        }
        if (pts < packets[0]->pts) {
            return sl_fail(err, SL_EDATA, NULL,
                           "packet %zu of a group has pts %" PRId64
                           ", before the first packet's %" PRId64,
                           i, pts, packets[0]->pts);
        }
        if (pts >= end) {
            return sl_fail(err, SL_EDATA, NULL,
                           "packet %zu of a group has pts %" PRId64
                           ", not before the group's end at %" PRId64,
                           i, pts, end);
        }
        sorted[i] = pts;
    }
    qsort(sorted, count, sizeof *sorted, compare_times);
    for (size_t i = 1; i < count; i++) {
        if (sorted[i] == sorted[i - 1]) {
            return sl_fail(err, SL_EDATA, NULL, "two packets of a group have pts %" PRId64,
                           sorted[i]);
        }
    }
    return SL_OK;
}

enum sl_status sl_dts_assign(struct sl_packet *const *packets, size_t count, int64_t end,
                             int64_t delay, struct sl_error *err)
{
    int64_t *sorted = NULL; /* then the decoding times */
    enum sl_status status = SL_OK;

    if (count == 0) {
        return SL_OK;
    }
    if (delay < 0 || delay > TIME_MAX || !in_range(end)) {
        return sl_fail(err, SL_EINVAL, NULL, "delay %" PRId64 " or end %" PRId64 " out of range",
                       delay, end);
    }
    sorted = sl_alloc_array(count, sizeof *sorted);
    if (!sorted) {
        return sl_fail_memory(err);
    }
    status = sort_times(packets, count, end, sorted, err);
    if (status != SL_OK) {
        goto out;
    }
    const int64_t start = sorted[0] - delay;

    /* latest: the last moment at which packet i can be decoded so that neither it nor any that
     * follows is late, one tick each. Taking the lesser of two strictly rising rows gives a
     * strictly rising row, so no further pass is needed. */
    int64_t latest = INT64_MAX;
    size_t tightest = count - 1;
    for (size_t i = count; i-- > 0;) {
        if (i == count - 1 || packets[i]->pts < latest - 1) {
            latest = packets[i]->pts;
            tightest = i;
        } else {
            latest--;
        }
        if (sorted[i] - delay > latest) {
            sorted[i] = latest;
        } else {
            sorted[i] -= delay;
        }
    }
    if (sorted[0] != start) {
        status = sl_fail(err, SL_EDATA, NULL,
                         "packet %zu of a group has pts %" PRId64
                         ", which comes too early for its place with a delay of %" PRId64 " ticks",
                         tightest, packets[tightest]->pts, delay);
        goto out;
    }
    /* sorted[count - 1] <= the last pts - delay < end - delay: the last duration is positive. */
    for (size_t i = 0; i < count; i++) {
        const int64_t next = i + 1 < count ? sorted[i + 1] : end - delay;
        packets[i]->dts = sorted[i];
        packets[i]->duration = next - sorted[i];
    }
out:
    sl_free(sorted);
    return status;
}
