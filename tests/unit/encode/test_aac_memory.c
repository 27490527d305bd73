/* SPDX-License-Identifier: BSD-2-Clause */
/* The module's own code, linked in directly so that its allocations can be made to fail. */
#include "encode/backends.h"
#include "failing_alloc.h"
#include "unit.h"

struct job {
    const struct sl_coder_ops *ops;
    struct sl_frame *frames[3];
};

static enum sl_status short_run(void *arg)
{
    const struct job *job = arg;
    struct sl_frame *const *frames = job->frames;
    const struct sl_encode_params p = {.timebase = {1, 48000}, .sample_rate = 48000, .channels = 2};
    const struct sl_coder_ops *ops = job->ops;
    struct sl_error err = {0};
    struct sl_coder *e;
    size_t packets = 0;
    enum sl_status status = ops->open(&e, &p, &err);
    if (status != SL_OK) {
        assert_null(e);
        assert_int_equal(err.status, status);
        return status;
    }
    for (int i = 0; i <= 3 && status == SL_OK; i++) {
        status = ops->send(e, i < 3 ? frames[i] : NULL, &err);
        while (status == SL_OK) {
            struct sl_packet *packet;
            status = ops->receive(e, &packet, &err);
            packets += status == SL_OK;
            sl_packet_unref(&packet);
        }
        if (status == SL_EAGAIN) {
            status = SL_OK;
        }
    }
    ops->destroy(e);
    if (status != SL_EOF) {
        return status;
    }
    assert_int_equal(packets, 4);
    return SL_OK;
}

static void survives(const struct sl_coder_ops *ops, int32_t samples)
{
    struct job job = {.ops = ops};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sl_frame_create_audio(&job.frames[i], 2, 3, 48000, samples, NULL), SL_OK);
        job.frames[i]->pts = i * samples;
    }
    failing_alloc_run(short_run, &job);
    for (int i = 0; i < 3; i++) {
        sl_frame_unref(&job.frames[i]);
    }
}

static void aac_survives_failing_allocations(void **state)
{
    (void)state;
    survives(&sl_encode_aac_libav, 1024);
}

static void opus_survives_failing_allocations(void **state)
{
    (void)state;
    survives(&sl_encode_opus_libav, 960);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aac_survives_failing_allocations),
        cmocka_unit_test(opus_survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
