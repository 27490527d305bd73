/* SPDX-License-Identifier: BSD-2-Clause */
/* The encoder with a schedule. What comes of whole streams is judged in tests/media. */
#include <string.h>

#include "encode/x264_scheduled.h"
#include "failing_alloc.h"
#include "judge.h"
#include "media/h264.h"

#define WIDTH  96
#define HEIGHT 64

/* A group of four in coded order: P, the middle, the two between; after an IDR at 0. */
#define GROUP 4
static const struct {
    enum sl_schedule_type type;
    uint8_t layer;
    int back; /* pictures before the anchor */
    int refs[2];
} shape[GROUP] = {
    {SL_SCHEDULE_P, 0, 0, {4, 4}},
    {SL_SCHEDULE_BREF, 1, 2, {4, 0}},
    {SL_SCHEDULE_B, 2, 3, {4, 2}},
    {SL_SCHEDULE_B, 2, 1, {2, 0}},
};

static const struct sl_schedule head = {
    .rate = {25, 1}, .gop = GROUP, .dpb = 4, .reorder = 2, .layers = 3};

/* Group n: 0 is the IDR. scale: display numbers are multiples of it. Returns how many. */
static size_t group(struct sl_schedule_frame out[GROUP], int n, int64_t scale)
{
    memset(out, 0, GROUP * sizeof *out);
    if (n == 0) {
        out[0].type = SL_SCHEDULE_IDR;
        return 1;
    }
    int anchor = n * GROUP;
    for (int i = 0; i < GROUP; i++) {
        struct sl_schedule_frame *f = &out[i];
        f->display = f->id = scale * (anchor - shape[i].back);
        f->decode = anchor - GROUP + 1 + i;
        f->type = shape[i].type;
        f->layer = shape[i].layer;
        f->max_ref_layer = shape[i].layer > 0 ? (uint8_t)(shape[i].layer - 1) : 0;
        f->disposable = f->type == SL_SCHEDULE_B;
        f->ref_count = i > 0 ? 2 : 1;
        for (size_t r = 0; r < f->ref_count; r++) {
            f->refs[r] = scale * (anchor - shape[i].refs[r]);
        }
    }
    return GROUP;
}

static struct sl_x264_scheduled_params settings(void)
{
    return (struct sl_x264_scheduled_params){
        .encode =
            {
                .timebase = {1, 25},
                .threads = 1,
                .width = WIDTH,
                .height = HEIGHT,
                .frame_rate = {25, 1},
                .colour = {2, 2, 2, SL_RANGE_LIMITED, 0},
                .preset = "veryfast",
            },
        .schedule = &head,
        .bframes = GROUP - 1,
    };
}

static enum sl_status picture(struct sl_frame **out, int64_t pts, struct sl_error *err)
{
    enum sl_status status = sl_frame_create_video(out, SL_PIX_YUV420P, WIDTH, HEIGHT, NULL, err);
    if (status != SL_OK) {
        return status;
    }
    (*out)->pts = pts;
    (*out)->duration = 1;
    for (int p = 0; p < 3; p++) {
        int w = p ? WIDTH / 2 : WIDTH, h = p ? HEIGHT / 2 : HEIGHT;
        for (int y = 0; y < h; y++) {
            for (int x = 0; x < w; x++) {
                (*out)->plane[p][y * (*out)->stride[p] + x] =
                    (uint8_t)((x + 2 * (int)pts) * 7 % 160 + y * 3 % 64);
            }
        }
    }
    return SL_OK;
}

static struct sl_coder *open_encoder(const struct sl_x264_scheduled_params *p)
{
    struct sl_error err = {0};
    struct sl_coder *e;
    if (sl_x264_scheduled_open(&e, p, &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
    return e;
}

static enum sl_status send(struct sl_coder *e, int64_t pts, struct sl_error *err)
{
    struct sl_frame *frame = NULL;
    enum sl_status status = picture(&frame, pts, err);
    if (status == SL_OK) {
        status = e->ops->send(e, frame, err);
    }
    sl_frame_unref(&frame);
    return status;
}

/* What came out so far, checked against the shape; decode counts on. */
static enum sl_status receive(struct sl_coder *e, int64_t scale, bool alone, int64_t *decode,
                              struct sl_error *err)
{
    struct sl_packet *packet;
    enum sl_status status;
    while ((status = e->ops->receive(e, &packet, err)) == SL_OK) {
        const struct sl_coded_picture *last = sl_x264_scheduled_last(e);
        struct sl_schedule_frame want[GROUP];
        int n = (int)((*decode + GROUP - 1) / GROUP);
        size_t at = n > 0 ? (size_t)((*decode - 1) % GROUP) : 0;
        (void)group(want, n, scale);
        assert_non_null(last);
        assert_int_equal(last->frame.decode, *decode);
        assert_int_equal(last->frame.display, want[at].display);
        assert_int_equal(last->frame.type, want[at].type);
        assert_int_equal(last->frame.layer, want[at].layer);
        assert_int_equal(last->frame.ref_count, want[at].ref_count);
        for (size_t i = 0; i < want[at].ref_count; i++) {
            /* list 0 first: the past, then the future */
            assert_int_equal(last->frame.refs[i], want[at].refs[i]);
        }
        assert_true((last->header_size > 0) == (*decode == 0));
        assert_int_equal(packet->pts, want[at].display);
        /* A stream shorter than its delay does not know how far apart pictures would be. */
        assert_int_equal(packet->dts, alone ? -head.reorder : scale * (*decode - head.reorder));
        assert_int_equal(packet->flags, *decode == 0 ? SL_PACKET_KEY : 0);
        (*decode)++;
        sl_packet_unref(&packet);
    }
    return status;
}

struct run {
    int groups;
    int64_t scale;
    struct sl_x264_scheduled_params params;
};

static enum sl_status whole(void *arg)
{
    const struct run *r = arg;
    struct sl_error err = {0};
    struct sl_coder *e = NULL;
    int64_t decode = 0;
    int64_t shown = 0;
    enum sl_status status = sl_x264_scheduled_open(&e, &r->params, &err);
    for (int n = 0; n < r->groups && status == SL_OK; n++) {
        struct sl_schedule_frame frames[GROUP];
        size_t count = group(frames, n, r->scale);
        status = sl_x264_scheduled_announce(e, frames, count, &err);
        for (size_t i = 0; i < count && status == SL_OK; i++) {
            status = send(e, r->scale * shown++, &err);
            if (status == SL_OK) {
                status = receive(e, r->scale, r->groups == 1, &decode, &err);
                status = status == SL_EAGAIN ? SL_OK : status;
            }
        }
    }
    if (status == SL_OK) {
        status = e->ops->send(e, NULL, &err);
    }
    if (status == SL_OK) {
        status = receive(e, r->scale, r->groups == 1, &decode, &err);
        status = status == SL_EOF ? SL_OK : status;
        assert_true(status != SL_OK || decode == shown);
    }
    assert_int_equal(status, err.status);
    if (e) {
        e->ops->destroy(e);
    }
    return status;
}

static void codes_what_is_announced(void **state)
{
    (void)state;
    const struct sl_x264_option lookahead = {"rc-lookahead", "60"};
    for (int groups = 1; groups < 8; groups += 2) {
        struct run r = {groups, 1, settings()};
        assert_int_equal(whole(&r), SL_OK);
        r.scale = 3;
        r.params.gaps = true;
        assert_int_equal(whole(&r), SL_OK);
        r.params.encode.threads = 4;
        r.params.options = &lookahead;
        r.params.option_count = 1;
        assert_int_equal(whole(&r), SL_OK);
    }
}

static void describes_itself(void **state)
{
    (void)state;
    struct sl_x264_scheduled_params p = settings();
    struct sl_coder *e = open_encoder(&p);
    struct sl_nal_config sets;
    struct sl_h264_sps sps;
    assert_int_equal(sl_avcc_parse(e->track.config, e->track.config_size, &sets, NULL), SL_OK);
    assert_int_equal(sl_h264_parse_sps(&sets.sets[0], &sps, NULL), SL_OK);
    assert_true(sps.gaps_in_frame_num_allowed);
    assert_int_equal(sps.poc_type, 0);
    assert_int_equal(sps.max_num_reorder_frames, 2);
    assert_int_equal(sps.max_dec_frame_buffering, 4);
    assert_true(sps.log2_max_frame_num >= 8);
    assert_int_equal(e->track.reorder, 2);
    assert_int_equal(e->track.width, WIDTH);
    e->ops->destroy(e);
    p.step = 3000;
    e = open_encoder(&p);
    assert_int_equal(sl_avcc_parse(e->track.config, e->track.config_size, &sets, NULL), SL_OK);
    assert_int_equal(sl_h264_parse_sps(&sets.sets[0], &sps, NULL), SL_OK);
    assert_true(1 << sps.log2_max_frame_num > 3000);
    assert_true(1 << sps.log2_max_poc_lsb > 4 * 3000);
    e->ops->destroy(e);
}

static void refuses_settings(void **state)
{
    (void)state;
    static const struct sl_x264_option bad[] = {
        {"keyint", "30"}, {"no-annexb", NULL}, {"me", "quick"}, {"never", "1"}, {"", "1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sl_x264_scheduled_params p = settings();
        struct sl_error err = {0};
        struct sl_coder *e;
        p.options = &bad[i];
        p.option_count = 1;
        assert_int_equal(sl_x264_scheduled_open(&e, &p, &err), SL_EINVAL);
        assert_null(e);
        assert_int_equal(sl_x264_scheduled_option(bad[i].key, bad[i].value, true, NULL), SL_EINVAL);
    }
    assert_int_equal(sl_x264_scheduled_option("keyint", "30", false, NULL), SL_OK);
    struct sl_schedule wrong[3] = {head, head, head};
    wrong[0].dpb = 17;
    wrong[1].reorder = GROUP;
    wrong[2].reorder = -1;
    for (size_t i = 0; i < 3; i++) {
        struct sl_x264_scheduled_params p = settings();
        struct sl_coder *e;
        p.schedule = &wrong[i];
        assert_int_equal(sl_x264_scheduled_open(&e, &p, NULL), SL_EUNSUPPORTED);
    }
    struct sl_x264_scheduled_params p = settings();
    struct sl_coder *e;
    p.bframes = SL_X264_BFRAMES_MAX + 1;
    assert_int_equal(sl_x264_scheduled_open(&e, &p, NULL), SL_EUNSUPPORTED);
    p = settings();
    p.encode.width = 33;
    assert_int_equal(sl_x264_scheduled_open(&e, &p, NULL), SL_EINVAL);
    p = settings();
    p.encode.profile = "baseline";
    assert_int_equal(sl_x264_scheduled_open(&e, &p, NULL), SL_EINVAL);
}

static void refuses_groups(void **state)
{
    (void)state;
    struct sl_x264_scheduled_params p = settings();
    struct sl_coder *e = open_encoder(&p);
    struct sl_schedule_frame f[GROUP];
    struct sl_error err = {0};
    assert_int_equal(send(e, 0, NULL), SL_EINVAL); /* nothing announced */
    size_t n = group(f, 1, 1);
    assert_int_equal(sl_x264_scheduled_announce(e, f, n, NULL), SL_EINVAL); /* no IDR first */
    n = group(f, 0, 1);
    assert_int_equal(sl_x264_scheduled_announce(e, f, 0, NULL), SL_EINVAL);
    assert_int_equal(sl_x264_scheduled_announce(e, f, n, &err), SL_OK);
    assert_int_equal(sl_x264_scheduled_announce(e, f, n, NULL), SL_EINVAL); /* not yet sent */
    assert_int_equal(e->ops->send(e, NULL, NULL), SL_EINVAL);               /* the same */
    assert_int_equal(send(e, 1, NULL), SL_EINVAL);                          /* another number */
    assert_int_equal(send(e, 0, &err), SL_OK);

    static const struct {
        size_t frame;
        int64_t display, decode;
        enum sl_schedule_type type;
    } wrong[] = {
        {1, 2, 7, SL_SCHEDULE_BREF}, /* not the next in coded order */
        {1, 5, 2, SL_SCHEDULE_BREF}, /* shown after its anchor */
        {1, 0, 2, SL_SCHEDULE_BREF}, /* shown before */
        {1, 2, 2, SL_SCHEDULE_P},    /* two anchors */
        {0, 4, 1, SL_SCHEDULE_IDR},  /* an IDR with B pictures */
        {3, 1, 4, SL_SCHEDULE_B},    /* twice the same */
        {0, 4, 1, SL_SCHEDULE_B},    /* no anchor */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        n = group(f, 1, 1);
        f[wrong[i].frame].display = wrong[i].display;
        f[wrong[i].frame].decode = wrong[i].decode;
        f[wrong[i].frame].type = wrong[i].type;
        assert_int_equal(sl_x264_scheduled_announce(e, f, n, NULL), SL_EINVAL);
    }
    /* What it refers to is not there: told when the picture comes. */
    n = group(f, 1, 1);
    f[2].refs[0] = 99;
    assert_int_equal(sl_x264_scheduled_announce(e, f, n, &err), SL_OK);
    assert_int_equal(send(e, 1, NULL), SL_EINVAL);
    assert_int_equal(err.status, SL_OK);
    e->ops->destroy(e);
}

/* x264 is told what the DPB does not hold. */
static void a_reference_that_has_left(void **state)
{
    (void)state;
    static const struct sl_schedule tight = {.gop = 1, .dpb = 1, .reorder = 0, .layers = 1};
    struct sl_x264_scheduled_params p = settings();
    p.schedule = &tight;
    p.bframes = 0;
    struct sl_coder *e = open_encoder(&p);
    struct sl_error err = {0};
    enum sl_status status = SL_OK;
    for (int i = 0; i < 6 && status == SL_OK; i++) {
        struct sl_schedule_frame f = {.display = i,
                                      .decode = i,
                                      .type = i > 0 ? SL_SCHEDULE_P : SL_SCHEDULE_IDR,
                                      .ref_count = i > 0,
                                      .refs = {i > 3 ? i - 3 : i - 1}};
        assert_int_equal(sl_x264_scheduled_announce(e, &f, 1, &err), SL_OK);
        status = send(e, i, &err);
        struct sl_packet *packet = NULL;
        if (status == SL_OK && e->ops->receive(e, &packet, &err) == SL_OK) {
            sl_packet_unref(&packet);
        }
    }
    if (status == SL_OK) {
        struct sl_packet *packet;
        assert_int_equal(e->ops->send(e, NULL, &err), SL_OK);
        while ((status = e->ops->receive(e, &packet, &err)) == SL_OK) {
            sl_packet_unref(&packet);
        }
    }
    assert_int_equal(status, SL_EDATA);
    assert_non_null(strstr(err.msg, "not in the DPB"));
    assert_int_equal(send(e, 6, NULL), SL_EDATA); /* dead for good */
    e->ops->destroy(e);
}

static void survives_failing_allocations(void **state)
{
    (void)state;
    struct run r = {3, 1, settings()};
    failing_alloc_run(whole, &r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_what_is_announced),   cmocka_unit_test(describes_itself),
        cmocka_unit_test(refuses_settings),          cmocka_unit_test(refuses_groups),
        cmocka_unit_test(a_reference_that_has_left), cmocka_unit_test(survives_failing_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
