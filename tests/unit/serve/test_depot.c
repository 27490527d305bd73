/* SPDX-License-Identifier: BSD-2-Clause */
/* The store and the registry behind the server, with memory that runs out: tests/http asks the same
 * from outside. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "failing_alloc.h"
#include "registry/registry.h"
#include "scratch.h"
#include "serve/runs.h"
#include "serve/site.h"
#include "unit.h"

#define SIZE 3000000

static struct scratch scratch;
static char store[128], registry[128], root[SL_CID_TEXT_SIZE], file[SL_CID_TEXT_SIZE];

static void fill_store(void)
{
    static uint8_t noise[SIZE];
    struct sl_cas_info info, small;
    struct sl_chain chain = {0};
    struct sl_cas_dir *dir;
    struct sl_cas *cas;

    scratch_noise(noise, SIZE, 1);
    assert_int_equal(sl_cas_open(&cas, store, SL_CAS_CREATE | SL_CAS_NO_SYNC, NULL, NULL), SL_OK);
    assert_int_equal(sl_chain_add_copy(&chain, noise, SIZE, NULL), SL_OK);
    assert_int_equal(sl_cas_add_chain(cas, SL_STORE_UNIXFS_V1_2025, &chain, "t", &info, NULL),
                     SL_OK);
    sl_chain_clear(&chain);
    assert_int_equal(sl_chain_add_copy(&chain, noise, 100, NULL), SL_OK);
    assert_int_equal(sl_cas_add_chain(cas, SL_STORE_UNIXFS_V1_2025, &chain, "t", &small, NULL),
                     SL_OK);
    sl_chain_clear(&chain);
    (void)sl_cid_text(&info.cid, file);
    assert_int_equal(sl_cas_dir_open(&dir, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_add(dir, "big.mp4", &info, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_add(dir, "small.txt", &small, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_commit(&dir, cas, NULL, 1, "t", &info, NULL), SL_OK);
    (void)sl_cid_text(&info.cid, root);
    sl_cas_close(&cas);
}

static void fill_registry(void)
{
    const struct sl_registry_claim_params params = {.run = "r", .may_exist = true, .force = true};
    struct sl_registry_rendition v = {.name = "v",
                                      .kind = "video",
                                      .codecs = "avc1.42c01f",
                                      .width = 16,
                                      .height = 16,
                                      .frame_rate = {25, 1},
                                      .timebase = {1, 90000},
                                      .bitrate = 1000,
                                      .target_duration = 2,
                                      .format = "ts"};
    struct sl_registry_segment segment = {.duration = 180000, .bytes = 1, .program_time = 0};
    const struct sl_registry_item item = {
        .rendition = "v", .segments = &segment, .segment_count = 1};
    const struct sl_registry_announcement a = {.items = &item, .item_count = 1};
    struct sl_registry_claim claim;
    struct sl_registry *r;

    (void)snprintf(segment.cid, sizeof segment.cid, "%s", file);
    assert_int_equal(sl_registry_open(&r, registry, NULL, NULL), SL_OK);
    assert_int_equal(sl_registry_claim(r, &params, &claim, NULL), SL_OK);
    assert_int_equal(sl_registry_set_renditions(r, &claim, &v, 1, NULL), SL_OK);
    assert_int_equal(sl_registry_announce(r, &claim, &a, NULL, NULL), SL_OK);
    sl_registry_close(&r);
}

static int set_up(void **state)
{
    (void)state;
    scratch_make(&scratch);
    (void)snprintf(store, sizeof store, "%s", scratch_name(&scratch, "store"));
    (void)snprintf(registry, sizeof registry, "%s", scratch_name(&scratch, "registry.sqlite"));
    fill_store();
    fill_registry();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

/* One request, to its last chunk. Returns the status, or 503 where a stream broke off. */
struct outcome {
    int status;
    int64_t size; /* of the body */
    bool over;
};

static void on_done(struct sl_job *j)
{
    *(bool *)j->opaque = true;
}

static void wait_for(struct sl_later_port *port, const bool *done)
{
    struct pollfd p = {.fd = port->fd, .events = POLLIN};

    while (!*done) {
        assert_true(poll(&p, 1, 30000) == 1);
        sl_later_deliver(port);
    }
}

static void drain(struct sl_later_port *port, struct sl_reply *reply, struct outcome *out)
{
    struct sl_job *j = reply->job;
    bool done = false;

    reply->job = NULL;
    out->size = 0;
    sl_job_step(j, port, on_done, &done);
    for (;;) {
        wait_for(port, &done);
        if (!j->answer) {
            break;
        }
        out->size += j->answer->chain.size;
        sl_answer_unref(&j->answer);
        done = false;
        sl_job_next(j);
    }
    out->status = j->last ? 200 : 503;
    sl_job_leave(&j);
}

static struct outcome ask(const struct sl_site *site, struct sl_later_port *port,
                          const char *target)
{
    const struct sl_client client = {.text = "127.0.0.1"};
    struct outcome out = {0};
    struct sl_request r;
    struct sl_reply reply;
    char head[512];
    size_t used;
    int n = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target);
    const struct sl_visit visit = {.request = &r, .client = &client, .now = 2000000000};

    sl_request_init(&r);
    sl_reply_init(&reply);
    if (sl_request_feed(&r, head, (size_t)n, &used) != SL_REQUEST_DONE) {
        sl_request_clear(&r);
        out.status = 503;
        return out;
    }
    sl_site_answer(site, &visit, &reply);
    if (reply.job && reply.status == 0) {
        struct sl_job *j = reply.job;
        bool done = false;

        reply.job = NULL;
        sl_job_step(j, port, on_done, &done);
        wait_for(port, &done);
        j->ops->reply(j, site, &visit, &reply);
        sl_job_leave(&j);
    }
    out.status = reply.status;
    out.size = reply.count;
    if (reply.status == 200 && reply.job) {
        drain(port, &reply, &out);
    }
    sl_reply_clear(&reply);
    sl_request_clear(&r);
    return out;
}

struct case_of {
    const char *what;
    const char *format; /* of the target; one CID goes in */
    const char *cid;
    int64_t size; /* -1: any */
    bool runs;
};

static enum sl_status body(void *arg)
{
    const struct case_of *c = arg;
    const struct sl_depot_params params = {.store = store, .registry = c->runs ? registry : ""};
    struct sl_site site = {.root = -1};
    struct sl_later_port port = {.fd = -1};
    struct sl_error err = {0};
    struct outcome out = {0};
    char target[256];
    enum sl_status status = sl_depot_open(&site.depot, &params, NULL, &err);

    if (status == SL_OK) {
        status = sl_later_port_open(&port, &site.depot->later, &err);
    }
    if (status == SL_OK) {
        (void)snprintf(target, sizeof target, c->format, c->cid);
        out = ask(&site, &port, target);
        status = out.status == 503 || out.status == 500 ? SL_ENOMEM
                 : out.status == 200                    ? SL_OK
                                                        : SL_EIO;
        if (status == SL_OK && c->size >= 0) {
            assert_true(out.size == c->size);
        }
    }
    sl_later_port_close(&port);
    sl_depot_close(&site.depot);
    return status;
}

static void test_no_memory(void **state)
{
    const struct case_of cases[] = {
        {"file", "/ipfs/%s", file, SIZE, false},
        {"file in a directory", "/ipfs/%s/small.txt?download=true&filename=a", root, 100, false},
        {"page", "/ipfs/%s/", root, -1, false},
        {"block", "/ipfs/%s?format=raw", root, -1, false},
        {"car", "/ipfs/%s/big.mp4?format=car", root, -1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct case_of c = cases[i];

        failing_alloc_run_lenient(body, &c);
    }
}

static void test_no_memory_for_runs(void **state)
{
    const struct case_of cases[] = {
        {"list", "/runs?limit=%.1s", "5", -1, true},
        {"run", "/runs/%s", "r", -1, true},
        {"multivariant", "/runs/%s/master.m3u8", "r", -1, true},
        {"playlist", "/runs/%s/quality/v/playlist.m3u8", "r", -1, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct case_of c = cases[i];

        failing_alloc_run_long(body, &c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_memory_for_runs),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
