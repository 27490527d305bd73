/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures out of MP4 and Matroska up to the decoder: the index, what slice headers tell, the plan
 * of a request and its reads. The first byte chooses which pictures are asked for. What comes out
 * must hold together: every sample that a plan names lies in the file and is had in whole. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sluice/frames.h>

#include "pipeline/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool truth)
{
    if (!truth)
        abort();
}

/* A request of every step-th picture: how it is fetched, span by span. */
static void fetch_all(struct sl_frames *f, size_t step)
{
    size_t count = f->index.shown_count, n = 0;
    uint64_t *indexes = calloc(count / step + 1, sizeof *indexes);
    struct sl_error err = {0};
    enum sl_status status;
    if (!indexes)
        return;
    for (size_t i = 0; i < count; i += step)
        indexes[n++] = i;
    status = sl_frames_ask(f, indexes, n, &err);
    free(indexes);
    while (!status && !(status = sl_frames_plan_span(&f->plan, &err))) {
        must(f->plan.first < f->plan.end && f->plan.end <= f->index.count);
        for (f->at = f->plan.first; f->at < f->plan.end && !status;) {
            status = sl_frames_fetch(f, &err);
            for (size_t i = 0; i < f->item_count && !status; i++) {
                const struct sl_frames_item *item = &f->items[i];
                size_t bytes = f->index.samples[item->sample].size;
                must(item->offset <= item->buf->size && bytes <= item->buf->size - item->offset);
                (void)sl_frames_is_idr(f, item->buf->data + item->offset, bytes);
                (void)sl_frames_is_disposable(f, item->buf->data + item->offset, bytes);
            }
            sl_frames_drop_items(f);
        }
    }
    must(status == SL_EOF || err.status == status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_frames_params params;
    struct sl_frames_info info;
    struct sl_frames *f = NULL;
    struct sl_error err = {0};
    char path[64];
    int fd;
    if (size < 1 || (fd = memfd_create("input", MFD_CLOEXEC)) < 0)
        return 0;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, data + 1, size - 1) == (ssize_t)(size - 1) &&
        !sl_frames_params_default(&params, sizeof params, NULL)) {
        enum sl_status status = sl_frames_open(&f, path, &params, NULL, &err);
        must(status == err.status && status != SL_EINVAL);
        if (!status) {
            uint64_t index;
            sl_frames_get_info(f, &info);
            must(info.count > 0 && info.track->timebase.den > 0);
            (void)!sl_frames_find_time(f, (struct sl_rational){data[0], 10}, &index, NULL);
            fetch_all(f, 1u + data[0] % 8u);
            fetch_all(f, 1u + data[0] / 8u);
        }
        sl_frames_destroy(&f);
    }
    (void)close(fd);
    return 0;
}
