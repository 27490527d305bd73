/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation failing in turn, SQLite's own included. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "failing_alloc.h"
#include "registry/internal.h"
#include "unit.h"

/* ---- SQLite's memory is ours ------------------------------------------------------------- */

#define HEAD 16 /* in front of each block: its size */

static void *take(int size)
{
    unsigned char *p = malloc((size_t)size + HEAD);

    if (!p)
        return NULL;
    memcpy(p, &size, sizeof(size));
    return p + HEAD;
}

static void give(void *p)
{
    if (p)
        free((unsigned char *)p - HEAD);
}

static void *change(void *old, int size)
{
    unsigned char *p = realloc((unsigned char *)old - HEAD, (size_t)size + HEAD);

    if (!p)
        return NULL;
    memcpy(p, &size, sizeof(size));
    return p + HEAD;
}

static int size_of(void *p)
{
    int size;

    memcpy(&size, (unsigned char *)p - HEAD, sizeof(size));
    return size;
}

static int round_up(int size)
{
    return (size + 7) & ~7;
}

static int start(void *unused)
{
    (void)unused;
    return SQLITE_OK;
}

static void stop(void *unused)
{
    (void)unused;
}

static const sqlite3_mem_methods methods = {take,     give,  change, size_of,
                                            round_up, start, stop,   NULL};

/* ---- what is tried ----------------------------------------------------------------------- */

static enum sl_status everything(struct sl_registry *r, struct sl_error *err)
{
    const struct sl_registry_claim_params p = {.run = "a", .may_exist = true, .force = true};
    const struct sl_registry_rendition v = {.name = "v", .timebase = {1, 30}};
    const struct sl_registry_segment s = {
        .duration = 1, .program_time = SL_NO_TIME, .cid = "Qmx", .init_cid = "Qmi"};
    const struct sl_registry_item item = {
        .rendition = "v", .segments = &s, .segment_count = 1, .playlist_cid = "Qmp"};
    const struct sl_registry_upload upload = {
        .node = "http://node", .cid = "Qmone", .what = SL_UPLOAD_ADD};
    const struct sl_registry_announcement a = {
        .items = &item, .item_count = 1, .uploads = &upload, .upload_count = 1};
    const struct sl_registry_runs_query q = {.limit = 0};
    struct sl_registry_claim claim;
    struct sl_registry_run *runs = NULL, run;
    struct sl_registry_segment *segments = NULL;
    struct sl_registry_upload *uploads = NULL;
    struct sl_registry_upload_summary summary;
    struct sl_registry_take take = {.run = "a", .lease_ms = 1};
    char *json = NULL;
    size_t count = 0;
    enum sl_status status = sl_registry_claim(r, &p, &claim, err);

    if (status == SL_OK)
        status = sl_registry_set_renditions(r, &claim, &v, 1, err);
    if (status == SL_OK)
        status = sl_registry_announce(r, &claim, &a, NULL, err);
    if (status == SL_OK)
        status = sl_registry_runs(r, &q, &runs, &count, err);
    sl_registry_runs_free(&runs, count);
    if (status == SL_OK)
        status = sl_registry_segments(r,
                                      &(const struct sl_registry_segments_query){
                                          .run = "a", .rendition = "v", .first = 0, .limit = 0},
                                      &segments, &count, err);
    sl_free(segments);
    if (status == SL_OK)
        status = sl_registry_uploads(r, NULL, 0, 0, &uploads, &count, err);
    sl_free(uploads);
    uploads = NULL;
    if (status == SL_OK)
        status = sl_registry_take_uploads(r, &take, &uploads, &count, err);
    if (status == SL_OK && count > 0) /* it is soon due again */
        status = sl_registry_upload_hold(r, &uploads[0], 1, err);
    sl_free(uploads);
    if (status == SL_OK)
        status = sl_registry_hasten_uploads(r, NULL, "a", err);
    if (status == SL_OK)
        status = sl_registry_upload_summary(r, NULL, "a", &summary, err);
    if (status == SL_OK) {
        status = sl_registry_run(r, "a", true, &run, err);
        if (status == SL_OK)
            sl_registry_run_clear(&run);
    }
    if (status == SL_OK)
        status = sl_registry_run_json(r, "a", &json, err);
    sl_free(json);
    return status;
}

static enum sl_status body(void *arg)
{
    const struct sl_registry_params params = {.wait_ms = 0};
    struct sl_registry *r = NULL;
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = sl_registry_open_with(&r, &sl_db_sqlite, arg, &params, &err);

    if (status == SL_OK)
        status = everything(r, &err);
    sl_registry_close(&r);
    if (status != SL_OK)
        assert_int_equal(err.status, status);
    return status;
}

static void tell(void *opaque, const struct sl_registry_change *change_)
{
    (void)opaque;
    (void)change_;
}

static enum sl_status watch_body(void *arg)
{
    const struct sl_db_params params = {.where = arg, .name = arg, .wait_ms = 0};
    struct sl_db_watch *w = NULL;
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = sl_db_sqlite.watch_open(&w, &params, &err);

    if (status == SL_OK) {
        status = sl_db_sqlite.watch_read(w, tell, NULL, &err);
        sl_db_sqlite.watch_close(w);
    }
    return status;
}

static void test_memory(void **state)
{
    struct sl_registry *r = NULL;
    struct sl_error err = {.status = SL_OK};
    char path[96];

    (void)state;
    /* In memory, so that thousands of fsyncs cost nothing. */
    (void)snprintf(path, sizeof(path), "/dev/shm/sluice-test-%d.db", (int)getpid());
    assert_int_equal(sl_registry_open_with(&r, &sl_db_sqlite, path, NULL, &err), SL_OK);
    assert_int_equal(everything(r, &err), SL_OK);
    sl_registry_close(&r); /* SQLite keeps some of a file that is open twice */
    failing_alloc_run_long_lenient(body, path);
    failing_alloc_run_long_lenient(watch_body, path);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory)};

    (void)sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); /* or most of it comes from one block */
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) != SQLITE_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
