/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a test keeps its registry: a file, or a PostgreSQL server that lives as long as the test.
 * And what tests put into it. */
#ifndef SL_TEST_REGISTRY_PLACE_H
#define SL_TEST_REGISTRY_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "registry/registry.h"
#include "scratch.h"
#include "unit.h"

struct place {
    bool postgres;
    struct scratch scratch;
    char where[256];
    pid_t server;
};
extern struct place place;

/* Starts the server, or says why there is none: false. */
bool place_begin(bool postgres);
void place_end(void);
int place_clear(void **state); /* cmocka: an empty registry */
void place_stop(void);         /* out of reach from now on */
void place_start(void);
/* One value, read with the engine's own client library. free() it. */
char *place_sql(const char *sql);

struct sl_registry *place_open(int wait_ms);

/* A CID that is none, the same each time for the same name and number. */
void fake_cid(char out[SL_REGISTRY_CID_MAX], const char *name, int64_t number);
struct sl_registry_segment fake_segment(const char *rendition, int64_t number);
/* Renditions "720p", "360p" and "sound". */
void set_three(struct sl_registry *r, const struct sl_registry_claim *claim);
struct sl_registry_claim claim_run(struct sl_registry *r, const char *run);
/* Announces one segment. */
enum sl_status announce_one(struct sl_registry *r, const struct sl_registry_claim *claim,
                            const char *rendition, int64_t number, struct sl_error *err);

#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        enum sl_status status_ = (call);                                                           \
        if (status_ != SL_OK)                                                                      \
            fail_msg("%s: status %d, %s: %s", #call, (int)status_, (err)->where, (err)->msg);      \
    } while (0)

extern const struct CMUnitTest registry_tests[], claim_tests[], watch_tests[], crash_tests[];
extern const size_t registry_test_count, claim_test_count, watch_test_count, crash_test_count;

#endif
