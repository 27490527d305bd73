/* SPDX-License-Identifier: BSD-2-Clause */
/* A live run from its settings to its claim, and its end. See live.h. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "pipeline/live_run.h"

#define LEASE_PARTS     3 /* it is renewed this often */
#define WAIT_FIRST_MS   50
#define WAIT_MOST_MS    1000
#define WAIT_STOPPED_MS 3000 /* once the run is asked to end */
#define REGISTRY_WAIT   1000 /* ms inside of one call: a longer wait is seen from here */

static int64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* ---- waiting -------------------------------------------------------------------------------- */

enum sl_status sl_live_persist(struct sl_live *l, enum sl_live_what what,
                               enum sl_status (*step)(void *arg, struct sl_error *err), void *arg,
                               struct sl_error *err)
{
    int64_t start = now_ms(), delay = WAIT_FIRST_MS, last = start + l->patience_ms;
    bool waited = false, stopped = false;
    for (;;) {
        struct sl_error why = {0};
        enum sl_status status = step(arg, &why);
        int64_t now = now_ms();
        if (status == SL_OK) {
            if (waited) {
                sl_log_write(l->log, SL_LOG_WARN, "run", "%s: goes on after %lld s", l->run,
                             (long long)((now - start + 500) / 1000));
            }
            return SL_OK;
        }
        if (!stopped && sl_cancelled(l->stop)) {
            stopped = true;
            last = now + WAIT_STOPPED_MS < last ? now + WAIT_STOPPED_MS : last;
        }
        if ((status != SL_EBUSY && (status != SL_EIO || what != SL_LIVE_STORE)) || now >= last) {
            (void)sl_fail(err, status, why.where[0] ? why.where : l->run, "%s%s", why.msg,
                          waited ? "; waited for it in vain" : "");
            return status;
        }
        if (!waited) {
            sl_log_write(l->log, SL_LOG_WARN, "run", "%s: waiting: %s: %s", l->run, why.where,
                         why.msg);
        }
        waited = true;
        sleep_ms(delay < last - now ? delay : last - now);
        delay = 2 * delay < WAIT_MOST_MS ? 2 * delay : WAIT_MOST_MS;
    }
}

/* ---- the sign of life -------------------------------------------------------------------------
 */

/* What it comes to is told by the next announcement, which needs the claim too. */
static void touch(struct sl_live *l)
{
    pthread_mutex_lock(&l->lock);
    if (sl_registry_touch(l->registry, &l->claim, NULL) != SL_OK) {
        sl_log_write(l->log, SL_LOG_DEBUG, "run", "%s: the registry was not told that it is alive",
                     l->run);
    }
    pthread_mutex_unlock(&l->lock);
}

static void *beat(void *live)
{
    struct sl_live *l = live;
    int64_t every = l->claim.lease / LEASE_PARTS; /* microseconds */
    pthread_mutex_lock(&l->small);
    while (!l->ending) {
        struct timespec t;
        int waited = 0;
        (void)clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_sec += every / 1000000;
        t.tv_nsec += every % 1000000 * 1000;
        if (t.tv_nsec >= 1000000000) {
            t.tv_nsec -= 1000000000;
            t.tv_sec++;
        }
        while (!l->ending && waited != ETIMEDOUT) {
            waited = pthread_cond_timedwait(&l->ended, &l->small, &t);
        }
        if (!l->ending) {
            pthread_mutex_unlock(&l->small);
            touch(l);
            pthread_mutex_lock(&l->small);
        }
    }
    pthread_mutex_unlock(&l->small);
    return NULL;
}

static enum sl_status start_beat(struct sl_live *l, struct sl_error *err)
{
    int failed = pthread_create(&l->beat, NULL, beat, l);
    if (failed) {
        return sl_fail_errno(err, failed, l->run, "a thread could not be started");
    }
    l->beating = true;
    return SL_OK;
}

static void stop_beat(struct sl_live *l)
{
    if (!l->beating) {
        return;
    }
    pthread_mutex_lock(&l->small);
    l->ending = true;
    pthread_cond_broadcast(&l->ended);
    pthread_mutex_unlock(&l->small);
    pthread_join(l->beat, NULL);
    l->beating = false;
}

/* ---- opening ----------------------------------------------------------------------------------
 */

static enum sl_status copy_texts(struct sl_live *l, const struct sl_live_params *params,
                                 struct sl_error *err)
{
    size_t length = strlen(params->gateway);
    while (length > 0 && params->gateway[length - 1] == '/') {
        length--;
    }
    l->run = sl_strdup(params->run);
    l->store = sl_strdup(params->store);
    l->registry_name = sl_registry_of_store(params->store, params->registry);
    l->gateway = sl_format("%.*s", (int)length, params->gateway);
    l->pin = sl_format("run:%s", params->run);
    return l->run && l->store && l->registry_name && l->gateway && l->pin ? SL_OK
                                                                          : sl_fail_memory(err);
}

struct opening {
    struct sl_live *l;
    const struct sl_live_params *params;
};

static enum sl_status open_store(void *arg, struct sl_error *err)
{
    struct opening *o = arg;
    struct sl_live *l = o->l;
    enum sl_status status =
        sl_cas_open(&l->cas, l->store, o->params->must_exist ? 0 : SL_CAS_CREATE, l->log, err);
    return status ? status : sl_cas_open(&l->lazy, l->store, SL_CAS_NO_SYNC, l->log, err);
}

static enum sl_status open_registry(void *arg, struct sl_error *err)
{
    struct opening *o = arg;
    struct sl_registry_params registry = {
        .log = o->l->log, .wait_ms = REGISTRY_WAIT, .create = !o->params->must_exist};
    return sl_registry_open(&o->l->registry, o->l->registry_name, &registry, err);
}

/* A run that must be there must not be made by asking for it. */
static enum sl_status claim(void *arg, struct sl_error *err)
{
    struct opening *o = arg;
    struct sl_live *l = o->l;
    struct sl_registry_claim_params claim = {.run = l->run,
                                             .profile = sl_profile_get(l->profile)->name,
                                             .options = o->params->options,
                                             .may_exist = true};
    enum sl_status status = SL_OK;
    if (o->params->must_exist) {
        struct sl_registry_run run;
        status = sl_registry_run(l->registry, l->run, false, &run, err);
        if (status == SL_OK) {
            sl_registry_run_clear(&run);
        }
    }
    return status ? status : sl_registry_claim(l->registry, &claim, &l->claim, err);
}

static enum sl_status open_all(struct sl_live *l, const struct sl_live_params *params,
                               struct sl_error *err)
{
    struct opening o = {l, params};
    enum sl_status status = copy_texts(l, params, err);
    if (!status) {
        status = open_store(&o, err);
    }
    if (!status) {
        status = open_registry(&o, err);
    }
    if (!status) {
        status = claim(&o, err);
    }
    if (status) {
        return status;
    }
    l->claimed = true;
    status = sl_live_load(l, err);
    if (!status) {
        status = sl_live_uploads_begin(l, params, err);
    }
    return status ? status : start_beat(l, err);
}

enum sl_status sl_live_open(struct sl_live **out, const struct sl_live_params *params,
                            struct sl_error *err)
{
    struct sl_live *l = sl_alloc_zero(sizeof *l);
    pthread_condattr_t attributes;
    enum sl_status status;
    *out = NULL;
    if (!l) {
        return sl_fail_memory(err);
    }
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->small, NULL);
    pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&l->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    l->profile = params->profile;
    l->patience_ms = params->patience_s * 1000;
    l->options = params->options;
    l->stop = params->stop;
    l->log = params->log;
    l->zero = SL_NO_TIME;
    status = open_all(l, params, err);
    if (status) {
        sl_live_close(&l);
    }
    *out = l;
    return status;
}

void sl_live_close(struct sl_live **live)
{
    struct sl_live *l = live ? *live : NULL;
    if (!l) {
        return;
    }
    *live = NULL;
    stop_beat(l);
    sl_uploader_close(&l->uploader);
    if (l->claimed && l->claim.created && l->count == 0) { /* it has never begun */
        (void)!sl_registry_delete_run(l->registry, l->run, true, NULL);
    } else if (l->claimed) {
        struct sl_registry_end end = {.state = SL_RUN_STOPPED};
        (void)!sl_registry_end_run(l->registry, &l->claim, &end, NULL);
    }
    for (size_t i = 0; i < l->count; i++) {
        sl_live_rendition_clear(&l->renditions[i]);
    }
    sl_registry_close(&l->registry);
    sl_cas_close(&l->lazy);
    sl_cas_close(&l->cas);
    pthread_cond_destroy(&l->ended);
    pthread_mutex_destroy(&l->small);
    pthread_mutex_destroy(&l->lock);
    sl_free(l->run);
    sl_free(l->store);
    sl_free(l->registry_name);
    sl_free(l->gateway);
    sl_free(l->pin);
    sl_free(l);
}

/* ---- what there is ------------------------------------------------------------------------------
 */

size_t sl_live_count(const struct sl_live *l)
{
    return l->count;
}

const struct sl_registry_rendition *sl_live_info(const struct sl_live *l, size_t index)
{
    return &l->renditions[index].info;
}

const struct sl_playlist *sl_live_published(const struct sl_live *l, size_t index)
{
    return &l->renditions[index].playlist;
}

void sl_live_cids(struct sl_live *l, char master[SL_STORE_CID_SIZE], char root[SL_STORE_CID_SIZE])
{
    pthread_mutex_lock(&l->small);
    memcpy(master, l->master, SL_STORE_CID_SIZE);
    memcpy(root, l->root, SL_STORE_CID_SIZE);
    pthread_mutex_unlock(&l->small);
}

void sl_live_on_update(struct sl_live *l, sl_ladder_update_fn *update, void *opaque)
{
    pthread_mutex_lock(&l->lock);
    l->update = update;
    l->update_opaque = opaque;
    pthread_mutex_unlock(&l->lock);
}

/* ---- the end
 * -------------------------------------------------------------------------------------- */

struct ending {
    struct sl_live *l;
    struct sl_registry_end end;
};

static enum sl_status end_run(void *arg, struct sl_error *err)
{
    struct ending *e = arg;
    return sl_registry_end_run(e->l->registry, &e->l->claim, &e->end, err);
}

enum sl_status sl_live_end(struct sl_live *l, enum sl_run_state state, const char *error,
                           struct sl_error *err)
{
    struct ending e = {l, {.state = state, .error = error}};
    char root[SL_STORE_CID_SIZE] = "", master[SL_STORE_CID_SIZE] = "";
    struct sl_registry_upload of_root;
    enum sl_status status = SL_OK;
    if (!l->claimed) {
        return SL_OK;
    }
    pthread_mutex_lock(&l->lock);
    if (state != SL_RUN_FINISHED && l->patience_ms > WAIT_STOPPED_MS) {
        l->patience_ms =
            WAIT_STOPPED_MS; /* without a word it counts as killed, which does no harm */
    }
    if (state == SL_RUN_FINISHED) {
        status = sl_live_finish(l, master, root, err);
        e.end.root_cid = root;
        e.end.master_cid = master;
        e.end.uploads = &of_root;
        if (!status) {
            struct sl_cid cid;
            status = sl_cid_parse(&cid, root, strlen(root), err);
            sl_live_upload(l, &of_root, &e.end.upload_count, SL_UPLOAD_ADD, &cid);
        }
    }
    if (!status) {
        status = sl_live_persist(l, SL_LIVE_REGISTRY, end_run, &e, err);
        l->claimed = false;
    }
    pthread_mutex_unlock(&l->lock);
    if (!status && state == SL_RUN_FINISHED) {
        pthread_mutex_lock(&l->small);
        memcpy(l->root, root, sizeof l->root);
        memcpy(l->master, master, sizeof l->master);
        pthread_mutex_unlock(&l->small);
    }
    stop_beat(l);
    if (!status) {
        sl_live_uploads_end(l);
    }
    return status;
}

/* ---- runs that are there
 * ----------------------------------------------------------------------------- */

static enum sl_status read_run(const char *where, const char *id, const struct sl_log *log,
                               struct sl_registry_run *run, struct sl_error *err)
{
    struct sl_registry_params params = {
        .log = log, .wait_ms = SL_REGISTRY_WAIT_MS, .read_only = true};
    struct sl_registry *registry = NULL;
    enum sl_status status = sl_registry_open(&registry, where, &params, err);
    if (!status) {
        status = sl_registry_run(registry, id, false, run, err);
    }
    sl_registry_close(&registry);
    return status;
}

enum sl_status sl_live_params_of(struct sl_ladder_params *params, const struct sl_option *table,
                                 const struct sl_log *log, struct sl_error *err)
{
    struct sl_registry_run run;
    char node[sizeof params->ipfs];
    char *where = sl_registry_of_store(params->store, params->registry);
    enum sl_status status =
        where ? read_run(where, params->run, log, &run, err) : sl_fail_memory(err);
    sl_free(where);
    if (status) {
        return status;
    }
    memcpy(node, params->ipfs, sizeof node);
    if (run.state == SL_RUN_FINISHED) {
        status = sl_fail(err, SL_EINVAL, params->run, "the run is finished");
    }
    if (!status) {
        status = sl_live_options_read(table, run.options ? run.options : "{}", params, err);
    }
    if (node[0]) {
        memcpy(params->ipfs, node, sizeof node);
    }
    if (!status && (!params->input[0] || !strcmp(params->input, "-"))) {
        status = sl_fail(err, SL_EUNSUPPORTED, params->run,
                         "its pictures came from %s, which has to go on with it itself; "
                         "\"sluice runs finish\" ends it",
                         params->input[0] ? "a pipe" : "a program");
    }
    sl_registry_run_clear(&run);
    return status;
}

/* Its links stay what they were, and its node too, unless the caller names others. */
static enum sl_status choose_places(struct sl_ladder_params *params, const struct sl_option *table,
                                    const struct sl_log *log, struct sl_error *err)
{
    char own[sizeof params->gateway], node[sizeof params->ipfs];
    struct sl_registry_run run;
    char *where = sl_registry_of_store(params->store, params->registry);
    enum sl_status status =
        where ? read_run(where, params->run, log, &run, err) : sl_fail_memory(err);
    sl_free(where);
    if (status) {
        return status;
    }
    memcpy(own, params->gateway, sizeof own);
    memcpy(node, params->ipfs, sizeof node);
    status = sl_live_options_read(table, run.options ? run.options : "{}", params, err);
    if (own[0]) {
        memcpy(params->gateway, own, sizeof own);
    }
    if (node[0]) {
        memcpy(params->ipfs, node, sizeof node);
    }
    sl_registry_run_clear(&run);
    return status;
}

enum sl_status sl_live_finish_run(const struct sl_ladder_params *params,
                                  const struct sl_option *table, struct sl_ladder_result *result,
                                  const struct sl_log *log, struct sl_error *err)
{
    struct sl_live *l = NULL;
    struct sl_ladder_params *of_run = sl_alloc(sizeof *of_run);
    if (!of_run) {
        return sl_fail_memory(err);
    }
    *of_run = *params;
    enum sl_status status = choose_places(of_run, table, log, err);
    struct sl_live_params live = {
        .run = params->run,
        .store = params->store,
        .registry = params->registry,
        .gateway = of_run->gateway,
        .ipfs = of_run->ipfs,
        .ipfs_wait_s = params->ipfs_wait,
        .ipfs_timeout_s = params->ipfs_timeout,
        .patience_s = params->patience,
        .must_exist = true,
        .log = log,
    };
    if (!status) {
        status = sl_live_open(&l, &live, err);
    }
    if (!status) {
        status = sl_live_end(l, SL_RUN_FINISHED, NULL, err);
    }
    if (!status && result) {
        sl_live_cids(l, result->master_cid, result->root_cid);
    }
    sl_live_close(&l);
    sl_free(of_run);
    return status;
}
