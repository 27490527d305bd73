/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request for a run waits for: a worker that asks the registry, or a run that goes on. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sha256.h"
#include "serve/decorate.h"
#include "serve/gzip.h"
#include "serve/query.h"
#include "serve/runs_core.h"
#include "serve/site.h"

#define MSN_AHEAD 2 /* 6.2.5.2: more than this beyond the last one is a mistake */

struct run_job {
    struct sl_job job; /* first */
    struct sl_playout *runs;
    struct sl_run_ask ask;
    /* Under the lock until the job is done. */
    int64_t deadline; /* 0: not set yet */
    int http;         /* what it comes to */
    const char *detail;
    struct sl_run_view *view;
    /* Of events. */
    bool streaming, counted, ended;
    int64_t sent; /* revision; -1: none yet */
};

static struct run_job *job_of(struct sl_job *j)
{
    return (struct run_job *)j;
}

/* ---- deciding, under the lock ---------------------------------------------------------------- */

#define HOLD 0

static int refuse(struct run_job *r, int http, const char *detail)
{
    r->detail = detail;
    return http;
}

static const struct sl_rendition_view *find(const struct sl_run_view *v, const char *name)
{
    for (size_t i = 0; i < v->count; i++) {
        if (strcmp(v->renditions[i].name, name) == 0) {
            return &v->renditions[i];
        }
    }
    return NULL;
}

static int decide_playlist(struct run_job *r, const struct sl_run_view *v)
{
    const struct sl_rendition_view *rendition = find(v, r->ask.rendition);
    bool running = v->state == SL_RUN_RUNNING;

    if (!rendition) {
        return running && v->count == 0 ? HOLD : refuse(r, 404, "there is no such rendition");
    }
    if (running && r->ask.msn > rendition->next - 1 + MSN_AHEAD) {
        return refuse(r, 400, "_HLS_msn is too far ahead");
    }
    if (!rendition->playlist.answer) {
        return running ? HOLD : refuse(r, 404, "nothing of this rendition was published");
    }
    return running && r->ask.msn >= rendition->next ? HOLD : 200;
}

/* Players never look again at a multivariant playlist, so it had better name all renditions. */
static int decide_master(struct run_job *r, const struct sl_run_view *v, bool late)
{
    bool running = v->state == SL_RUN_RUNNING;

    if (running && !late && !v->master_whole) {
        return HOLD;
    }
    if (v->master.answer) {
        return 200;
    }
    return running ? HOLD : refuse(r, 404, "the run has published nothing");
}

static void answer(struct run_job *r, int http, struct sl_run_view *view)
{
    r->http = http;
    r->view = view ? sl_run_view_ref(view) : NULL;
    sl_job_done_locked(&r->job, SL_OK, NULL, false);
}

static void look_at_events(struct run_job *r, struct sl_run_view *view, int64_t now)
{
    if (view && view->gone) {
        sl_job_done_locked(&r->job, SL_OK, NULL, true);
    } else if (view && view->revision != r->sent) {
        r->sent = view->revision;
        r->ended = view->state == SL_RUN_FINISHED; /* nothing follows that */
        sl_job_done_locked(&r->job, SL_OK, sl_answer_ref(view->event), false);
    } else if (now >= r->deadline) {
        sl_job_done_locked(&r->job, SL_OK, sl_answer_ref(r->runs->heartbeat), false);
    }
}

void sl_run_job_look(struct sl_job *j, struct sl_run_view *view, int64_t now)
{
    struct run_job *r = job_of(j);
    bool late;
    int http;

    if (r->streaming) {
        look_at_events(r, view, now);
        return;
    }
    if (view && r->deadline == 0) {
        r->deadline = now + view->hold;
    }
    late = r->deadline > 0 && now >= r->deadline;
    if (!view) {
        http = HOLD;
    } else if (view->gone) {
        http = refuse(r, 404, "there is no such run");
    } else if (r->ask.what == SL_RUN_MASTER) {
        http = decide_master(r, view, late);
    } else {
        http = r->ask.what == SL_RUN_PLAYLIST ? decide_playlist(r, view) : 200;
    }
    if (http == HOLD && late) {
        http = refuse(r, 503, "nothing new yet");
    }
    if (http != HOLD) {
        answer(r, http, view);
    }
}

void sl_run_job_fail(struct sl_job *j, enum sl_status status)
{
    struct run_job *r = job_of(j);

    (void)status; /* its reason is in the log */
    if (r->streaming) {
        sl_job_done_locked(j, SL_EBUSY, NULL, false);
    } else {
        (void)refuse(r, 503, "the registry cannot be asked");
        answer(r, 503, NULL);
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void wait_for_run(struct run_job *r)
{
    struct sl_run_mirror *m;
    int64_t now = sl_playout_now();

    (void)pthread_mutex_lock(&r->runs->later->lock);
    m = sl_playout_mirror(r->runs, r->ask.id);
    if (!m) {
        sl_run_job_fail(&r->job, SL_EBUSY);
        (void)pthread_mutex_unlock(&r->runs->later->lock);
        return;
    }
    sl_job_park(&r->job, &m->waiters);
    r->deadline = r->streaming ? now + SL_PLAYOUT_HEARTBEAT : 0;
    if (m->view && !m->dirty && !m->refreshing) {
        sl_run_job_look(&r->job, m->view, now);
        if (r->job.head && !r->streaming && !r->job.ready) {
            atomic_fetch_add_explicit(&r->runs->held, 1, memory_order_relaxed);
        }
    } else {
        sl_playout_refresh(m);
    }
    (void)pthread_mutex_unlock(&r->runs->later->lock);
}

static void step(struct sl_job *j)
{
    struct run_job *r = job_of(j);

    if (r->ask.what == SL_RUN_LIST || r->ask.what == SL_RUN_JSON) {
        sl_job_submit(j, &r->runs->pool);
    } else if (r->ended) {
        sl_job_done(j, SL_OK, NULL, true);
    } else {
        wait_for_run(r);
    }
}

static void hurry(struct sl_job *j)
{
    struct run_job *r = job_of(j);

    (void)pthread_mutex_lock(&r->runs->later->lock);
    if (j->waits && j->head && !j->ready) {
        if (r->streaming) {
            sl_job_done_locked(j, SL_OK, NULL, true);
        } else {
            (void)refuse(r, 503, "the server stops");
            answer(r, 503, NULL);
        }
    }
    (void)pthread_mutex_unlock(&r->runs->later->lock);
}

/* On a worker: what is asked of the registry as it stands. */
static void run(struct sl_job *j)
{
    struct run_job *r = job_of(j);
    struct sl_registry *registry = NULL;
    struct sl_answer *made = NULL;
    struct sl_error err = {0};
    char *json = NULL;
    enum sl_status status = sl_playout_take(r->runs, &registry, &err);

    if (status == SL_OK) {
        status = r->ask.what == SL_RUN_LIST
                     ? sl_registry_runs_json(registry, r->ask.state,
                                             r->ask.cursor[0] ? r->ask.cursor : NULL,
                                             (size_t)r->ask.limit, &json, &err)
                     : sl_registry_run_json(registry, r->ask.id, &json, &err);
        sl_playout_give(r->runs, registry, status);
    }
    if (status == SL_OK) {
        status = sl_answer_create(&made, &err);
    }
    if (status == SL_OK) {
        status = sl_chain_add_copy(&made->chain, json, strlen(json), &err);
    }
    sl_free(json);
    if (status != SL_OK) {
        sl_answer_unref(&made);
    }
    if (status != SL_OK && status != SL_ENOTFOUND && status != SL_EINVAL) {
        sl_log_write(r->runs->log, SL_LOG_WARN, "serve", "runs: %s", err.msg);
    }
    sl_job_done(j, status, made, false);
}

static void destroy(struct sl_job *j)
{
    struct run_job *r = job_of(j);

    if (r->counted) {
        (void)pthread_mutex_lock(&r->runs->later->lock);
        r->runs->events--;
        (void)pthread_mutex_unlock(&r->runs->later->lock);
    }
    sl_run_view_unref(&r->view);
    sl_free(r);
}

/* ---- answers, on the loop's thread ----------------------------------------------------------- */

static bool write_signed(struct run_job *r, const struct sl_site *site,
                         const struct sl_visit *visit, const char *carry,
                         const struct sl_answer *text, struct sl_reply *reply)
{
    struct sl_text query = sl_request_text(visit->request, visit->request->query);
    struct sl_buf *plain = NULL;
    struct sl_writer out;
    int64_t expires = 0;
    char ip[2];

    if (sl_query_number(query, "exp", &expires) < 0 ||
        sl_chain_load(&text->chain, &plain, NULL) != SL_OK) {
        return false;
    }
    sl_writer_init(&out, (size_t)2 * SL_PLAYOUT_TEXT_MAX);
    if (r->ask.what == SL_RUN_MASTER) {
        sl_decorate_playlist(plain->data, plain->size, carry, &out);
    } else {
        bool bound = sl_query_get(query, "ip", ip, sizeof ip) == 1;

        sl_run_sign_links(plain->data, plain->size, &site->key, expires,
                          bound ? visit->client->text : NULL, &out);
    }
    sl_buf_unref(&plain);
    if (out.status != SL_OK) {
        sl_writer_clear(&out);
        return false;
    }
    reply->owned = out.data;
    reply->size = (int64_t)out.size;
    return true;
}

/* A playlist whose links are signed, as the link to it was. */
static void reply_signed(struct run_job *r, const struct sl_site *site,
                         const struct sl_visit *visit, const struct sl_writer *carry,
                         const struct sl_answer *text, struct sl_reply *reply)
{
    uint8_t digest[SL_SHA256_SIZE];
    char mark[9];

    if (!write_signed(r, site, visit, (const char *)carry->data, text, reply)) {
        sl_reply_fail(reply, visit->request, 503, NULL);
        return;
    }
    sl_sha256(carry->data, carry->size, digest);
    sl_sha256_hex(digest, 4, mark);
    sl_reply_mark(reply, mark);
    sl_reply_compress(reply, visit->request);
    sl_reply_select(reply, visit->request, visit->now);
}

static void reply_plain(const struct sl_visit *visit, struct sl_answer *text,
                        struct sl_reply *reply)
{
    const struct sl_request *request = visit->request;
    struct sl_answer *packed = NULL;

    reply->varies = true;
    reply->ranges = true;
    if (text->gzip && sl_gzip_accepted(request) &&
        !sl_request_field(request, SL_FIELD_RANGE).data &&
        sl_answer_create(&packed, NULL) == SL_OK) {
        if (sl_chain_add_buf(&packed->chain, text->gzip, 0, text->gzip->size, NULL) == SL_OK) {
            reply->answer = packed;
            reply->gzip = true;
            reply->ranges = false;
            sl_reply_mark(reply, "gzip");
        } else {
            sl_answer_unref(&packed);
        }
    }
    if (!reply->answer) {
        reply->answer = sl_answer_ref(text);
    }
    reply->size = reply->answer->chain.size;
    sl_reply_select(reply, request, visit->now);
}

static void reply_playlist(struct run_job *r, const struct sl_site *site,
                           const struct sl_visit *visit, struct sl_reply *reply)
{
    const struct sl_rendition_view *rendition = find(r->view, r->ask.rendition);
    const struct sl_run_text *text =
        r->ask.what == SL_RUN_MASTER ? &r->view->master : &rendition->playlist;
    const struct sl_request *request = visit->request;
    struct sl_writer carry;

    reply->type = "application/vnd.apple.mpegurl";
    reply->class = SL_REPLY_PLAYLIST;
    reply->cache = "no-cache";
    (void)snprintf(reply->validators.etag, sizeof reply->validators.etag, "%s", text->etag);
    sl_writer_init(&carry, SL_SIGN_QUERY_MAX);
    if (site->key.size > 0) {
        sl_sign_carry(sl_request_text(request, request->query), &carry);
    }
    if (carry.size > 0) {
        sl_write_u8(&carry, '\0');
    }
    if (carry.status != SL_OK) {
        sl_reply_fail(reply, request, 503, NULL);
    } else if (carry.size > 0) {
        reply_signed(r, site, visit, &carry, text->answer, reply);
    } else {
        reply_plain(visit, text->answer, reply);
    }
    sl_writer_clear(&carry);
}

/* https://html.spec.whatwg.org/multipage/server-sent-events.html: 204 ends the client's attempts to
 * come back. */
static void reply_events(struct run_job *r, const struct sl_visit *visit, struct sl_reply *reply)
{
    bool room;

    reply->class = SL_REPLY_STREAM;
    if (r->view->state == SL_RUN_FINISHED && r->ask.seen >= r->view->revision) {
        reply->status = 204;
        reply->cache = "no-store";
        return;
    }
    (void)pthread_mutex_lock(&r->runs->later->lock);
    room = r->runs->events < SL_PLAYOUT_EVENTS_MAX;
    r->runs->events += room ? 1 : 0;
    (void)pthread_mutex_unlock(&r->runs->later->lock);
    r->counted = room;
    if (!room) {
        sl_reply_fail(reply, visit->request, 503, "too many streams of events");
        return;
    }
    r->streaming = true;
    r->sent = r->ask.seen == r->view->revision ? r->ask.seen : -1;
    reply->status = 200;
    reply->type = "text/event-stream";
    reply->cache = "no-store";
    reply->chunked = true;
    reply->size = reply->count = -1;
    reply->no_body = visit->request->method == SL_METHOD_HEAD;
    reply->extra = sl_strdup("X-Accel-Buffering: no\r\n"); /* nginx: do not wait for more */
}

static void reply_json(struct run_job *r, const struct sl_visit *visit, struct sl_reply *reply)
{
    static const struct {
        enum sl_status status;
        int http;
        const char *detail;
    } failures[] = {
        {SL_ENOTFOUND, 404, "there is no such run"},
        {SL_EINVAL, 400, "this is not a cursor of ours"},
        {SL_EBUSY, 503, "the registry cannot be asked"},
        {SL_EAGAIN, 503, "too much to do"},
        {SL_ENOMEM, 503, NULL},
        {SL_ECANCELLED, 503, "the server stops"},
    };
    struct sl_job *j = &r->job;
    size_t size;

    if (j->status != SL_OK) {
        size_t i = 0;

        while (i < sizeof failures / sizeof *failures && failures[i].status != j->status) {
            i++;
        }
        if (i < sizeof failures / sizeof *failures) {
            sl_reply_fail(reply, visit->request, failures[i].http, failures[i].detail);
        } else {
            sl_reply_fail(reply, visit->request, 500, NULL);
        }
        return;
    }
    size = (size_t)j->answer->chain.size;
    reply->type = "application/json";
    reply->cache = "no-cache";
    reply->owned = sl_alloc(size > 0 ? size : 1);
    if (!reply->owned || sl_chain_read(&j->answer->chain, 0, reply->owned, size, NULL) != SL_OK) {
        sl_reply_fail(reply, visit->request, 503, NULL);
        return;
    }
    reply->size = (int64_t)size;
    sl_reply_compress(reply, visit->request);
    sl_reply_select(reply, visit->request, visit->now);
}

static void reply(struct sl_job *j, const struct sl_site *site, const struct sl_visit *visit,
                  struct sl_reply *out)
{
    struct run_job *r = job_of(j);

    if (r->ask.what == SL_RUN_LIST || r->ask.what == SL_RUN_JSON) {
        reply_json(r, visit, out);
    } else if (j->status != SL_OK) {
        sl_reply_fail(out, visit->request, 503, NULL);
    } else if (r->http != 200) {
        int64_t seconds = r->view ? r->view->hold / 3000000 : 0;

        out->class = SL_REPLY_PLAYLIST;
        sl_reply_fail(out, visit->request, r->http, r->detail);
        out->retry = r->http == 503 && seconds > 0 ? seconds : out->retry;
    } else if (r->ask.what == SL_RUN_EVENTS) {
        reply_events(r, visit, out);
    } else {
        reply_playlist(r, site, visit, out);
    }
    sl_run_view_unref(&r->view);
}

static const struct sl_job_ops ops = {
    .step = step,
    .run = run,
    .reply = reply,
    .hurry = hurry,
    .destroy = destroy,
};

struct sl_job *sl_run_job(struct sl_playout *runs, const struct sl_run_ask *ask)
{
    struct run_job *r = sl_alloc_zero(sizeof *r);

    if (!r) {
        return NULL;
    }
    sl_job_init(&r->job, &ops, runs->later);
    r->runs = runs;
    r->ask = *ask;
    r->sent = -1;
    return &r->job;
}
