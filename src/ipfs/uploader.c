/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipfs/uploader.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "ipfs/ipfs.h"
#include "ipfs/upload.h"

#define IDLE_MS       10000 /* others may queue something too */
#define REGISTRY_MS   1000  /* inside of one call */
#define PAUSE_LEAST   500   /* ms, while the node is away */
#define PAUSE_MOST    30000
#define FAILURES      3    /* in a row, and the node is given a rest */
#define DELAY_LEAST   1000 /* ms, of one object that failed */
#define DELAY_DOUBLED 8    /* at most so often: 256 s */
#define LOOK_MS       100

struct sl_uploader {
    char *url, *store, *registry_name, *run, *name;
    int64_t timeout_ms;
    const struct sl_log *log;
    pthread_t thread;
    struct sl_cancel cancel;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    int64_t asked;    /* how often somebody said that there is something */
    int64_t empty_at; /* what asked was when nothing was found */
    bool hurry;       /* no pause */

    struct sl_upload work; /* the thread's own */
    bool away;             /* the node cannot be had */
    int failures;          /* in a row */
};

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ms, give or take a quarter: what failed together must not come back together. */
static int64_t jitter(int64_t ms)
{
    uint32_t dice = 0;

    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != (ssize_t)sizeof dice) {
        dice = UINT32_MAX / 2;
    }
    return ms * 3 / 4 + (int64_t)((uint64_t)(ms / 2) * dice / UINT32_MAX);
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* With u->lock. */
static void wait_until(struct sl_uploader *u, int64_t when)
{
    struct timespec t = {.tv_sec = when / 1000, .tv_nsec = when % 1000 * 1000000};

    (void)pthread_cond_timedwait(&u->changed, &u->lock, &t);
}

/* Until something is asked for (unless only hurry counts), or ms have passed. */
static void rest(struct sl_uploader *u, int64_t ms, int64_t seen, bool only_hurry)
{
    int64_t end = now_ms() + ms;

    pthread_mutex_lock(&u->lock);
    while (!sl_cancelled(&u->cancel) && !u->hurry && (only_hurry || u->asked == seen) &&
           now_ms() < end) {
        wait_until(u, end);
    }
    u->hurry = false;
    pthread_mutex_unlock(&u->lock);
}

void sl_uploader_wake(struct sl_uploader *u)
{
    pthread_mutex_lock(&u->lock);
    u->asked++;
    pthread_cond_broadcast(&u->changed);
    pthread_mutex_unlock(&u->lock);
}

bool sl_uploader_drain(struct sl_uploader *u, int64_t wait_ms, const struct sl_cancel *stop)
{
    int64_t end = now_ms() + wait_ms, asked;
    bool empty;

    pthread_mutex_lock(&u->lock);
    asked = ++u->asked;
    u->hurry = true;
    pthread_cond_broadcast(&u->changed);
    while (u->empty_at < asked && now_ms() < end && !sl_cancelled(stop)) {
        int64_t look = now_ms() + LOOK_MS;

        wait_until(u, look < end ? look : end);
    }
    empty = u->empty_at >= asked;
    pthread_mutex_unlock(&u->lock);
    return empty;
}

/* ---- the thread ---------------------------------------------------------------------------- */

/* The node is away, or is there again: said once. */
static void note(struct sl_uploader *u, enum sl_status status, const struct sl_error *why)
{
    u->failures = status == SL_OK ? 0 : u->failures + 1;
    if (status == SL_EBUSY && !u->away) {
        sl_log_write(u->log, SL_LOG_WARN, "ipfs", "%s: uploads wait for it: %s", u->name, why->msg);
        u->away = true;
    }
    if (status == SL_OK && u->away) {
        sl_log_write(u->log, SL_LOG_INFO, "ipfs", "%s: uploads go on", u->name);
        u->away = false;
        /* What failed while it was away is due now. Where the registry does not listen: later. */
        (void)!sl_registry_hasten_uploads(u->work.registry, u->name, u->run, NULL);
    }
}

/* One object may be at fault; when several are, it is the node. */
static int64_t pause_of(const struct sl_uploader *u, enum sl_status status)
{
    int doubled = u->failures - 1;

    if (status != SL_EBUSY && u->failures < FAILURES) {
        return 0;
    }
    return jitter(doubled < 6 ? (int64_t)PAUSE_LEAST << doubled : PAUSE_MOST);
}

static int64_t delay_of(const struct sl_registry_upload *upload)
{
    int doubled = upload->attempts < DELAY_DOUBLED ? upload->attempts : DELAY_DOUBLED;

    return jitter((int64_t)DELAY_LEAST << doubled);
}

/* One upload from the queue and back. Returns how long to rest: 0, go on; -1: until there is more.
 */
static int64_t step(struct sl_uploader *u, bool *empty, struct sl_error *err)
{
    struct sl_registry_take take = {
        .node = u->name, .run = u->run, .limit = 1, .lease_ms = SL_UPLOAD_LEASE_MS};
    struct sl_registry_upload *upload = NULL;
    struct sl_error why = {0};
    size_t count = 0;
    int64_t ms = 0;
    enum sl_status status = sl_upload_open(&u->work, err);

    if (status == SL_OK) {
        status = sl_registry_take_uploads(u->work.registry, &take, &upload, &count, err);
    }
    if (status != SL_OK) {
        return PAUSE_LEAST;
    }
    if (count == 0) {
        int64_t left = take.next == SL_NO_TIME
                           ? IDLE_MS
                           : (take.next - sl_registry_now(u->work.registry)) / 1000 + 1;

        *empty = take.next == SL_NO_TIME;
        return left < 1 ? 1 : left < IDLE_MS ? left : IDLE_MS;
    }
    status = sl_upload_perform(&u->work, upload, &why);
    if (status == SL_ECANCELLED || status == SL_EAGAIN) { /* whoever comes next may have it */
        (void)!sl_registry_upload_hold(u->work.registry, upload,
                                       status == SL_EAGAIN ? SL_UPLOAD_LATER_MS : 1, NULL);
        sl_free(upload);
        return 0;
    }
    note(u, status, &why);
    if (status == SL_OK) {
        status = sl_registry_upload_done(u->work.registry, upload, err);
    } else {
        int64_t next = sl_registry_now(u->work.registry) + delay_of(upload) * 1000;

        sl_log_write(u->log, status == SL_EBUSY ? SL_LOG_DEBUG : SL_LOG_WARN, "ipfs",
                     "%s: %s of %s, attempt %d: %s", u->name,
                     upload->what == SL_UPLOAD_UNPIN ? "unpinning" : "upload", upload->cid,
                     (int)upload->attempts + 1, why.msg);
        ms = pause_of(u, status);
        status = sl_registry_upload_failed(u->work.registry, upload, next, why.msg, err);
    }
    sl_free(upload);
    return status == SL_OK ? ms : PAUSE_LEAST; /* its lease ends by itself */
}

static void *work(void *opaque)
{
    struct sl_uploader *u = opaque;
    bool told = false;

    while (!sl_cancelled(&u->cancel)) {
        struct sl_error err = {0};
        bool empty = false;
        int64_t seen, ms;

        pthread_mutex_lock(&u->lock);
        seen = u->asked;
        pthread_mutex_unlock(&u->lock);
        ms = step(u, &empty, &err);
        if (err.status != SL_OK && !told) {
            sl_log_write(u->log, SL_LOG_WARN, "ipfs", "uploads wait: %s: %s", err.where, err.msg);
        }
        told = err.status != SL_OK;
        pthread_mutex_lock(&u->lock);
        if (empty && u->empty_at < seen) {
            u->empty_at = seen;
            pthread_cond_broadcast(&u->changed);
        }
        pthread_mutex_unlock(&u->lock);
        if (ms > 0) {
            rest(u, ms, seen, err.status != SL_OK || u->failures > 0);
        }
    }
    sl_upload_close(&u->work);
    return NULL;
}

/* ---- opening ------------------------------------------------------------------------------- */

static void destroy(struct sl_uploader *u)
{
    pthread_cond_destroy(&u->changed);
    pthread_mutex_destroy(&u->lock);
    sl_ipfs_close(&u->work.node);
    sl_free(u->url);
    sl_free(u->store);
    sl_free(u->registry_name);
    sl_free(u->run);
    sl_free(u->name);
    sl_free(u);
}

void sl_uploader_close(struct sl_uploader **out)
{
    struct sl_uploader *u = out ? *out : NULL;

    if (!u) {
        return;
    }
    *out = NULL;
    sl_cancel_set(&u->cancel);
    sl_uploader_wake(u);
    pthread_join(u->thread, NULL);
    destroy(u);
}

static enum sl_status copy_texts(struct sl_uploader *u, const struct sl_uploader_params *params,
                                 struct sl_error *err)
{
    char name[SL_IPFS_NAME_MAX];
    enum sl_status status = sl_ipfs_name_of(params->url, name, err);

    if (status != SL_OK) {
        return status;
    }
    u->url = sl_strdup(params->url);
    u->store = sl_strdup(params->store);
    u->registry_name = sl_strdup(params->registry);
    u->run = params->run ? sl_strdup(params->run) : NULL;
    u->name = sl_strdup(name);
    return u->url && u->store && u->registry_name && u->name && (u->run || !params->run)
               ? SL_OK
               : sl_fail_memory(err);
}

static enum sl_status start(struct sl_uploader *u, const struct sl_uploader_params *params,
                            struct sl_error *err)
{
    struct sl_ipfs_params node = {.timeout_ms = params->timeout_ms,
                                  .cancel = &u->cancel,
                                  .tick = sl_upload_tick,
                                  .tick_opaque = &u->work,
                                  .log = params->log};
    enum sl_status status = copy_texts(u, params, err);
    int failed;

    if (status != SL_OK) {
        return status;
    }
    node.url = u->url;
    u->work = (struct sl_upload){.store_name = u->store,
                                 .registry_name = u->registry_name,
                                 .wait_ms = REGISTRY_MS,
                                 .log = params->log};
    status = sl_ipfs_open(&u->work.node, &node, err);
    if (status != SL_OK) {
        return status;
    }
    failed = pthread_create(&u->thread, NULL, work, u);
    return failed ? sl_fail_errno(err, failed, u->name, "a thread could not be started") : SL_OK;
}

enum sl_status sl_uploader_open(struct sl_uploader **out, const struct sl_uploader_params *params,
                                struct sl_error *err)
{
    struct sl_uploader *u = sl_alloc_zero(sizeof *u);
    pthread_condattr_t attributes;
    enum sl_status status;

    *out = NULL;
    if (!u) {
        return sl_fail_memory(err);
    }
    u->log = params->log;
    u->empty_at = -1;
    pthread_mutex_init(&u->lock, NULL);
    pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&u->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    status = start(u, params, err);
    if (status != SL_OK) {
        destroy(u);
        return status;
    }
    *out = u;
    return SL_OK;
}
