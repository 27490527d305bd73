/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/site.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "serve/assets.h"
#include "serve/gateway.h"
#include "serve/ladders.h"
#include "serve/media_route.h"
#include "serve/path.h"
#include "serve/runs.h"
#include "serve/site_file.h"
#include "serve/types.h"

#define OWN_PREFIX   "_sluice/"
#define MEDIA_PREFIX "media/"
#define METRICS_MAX  (1 << 20)

enum sl_status sl_site_open(struct sl_site *site, const char *root, int64_t segment_age,
                            const struct sl_log *log, struct sl_error *err)
{
    memset(site, 0, sizeof *site);
    site->root = -1;
    site->log = log;
    (void)snprintf(site->media_cache, sizeof site->media_cache, "no-cache");
    if (!root[0]) {
        return SL_OK;
    }
    site->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (site->root < 0) {
        return sl_fail_errno(err, errno, root, "cannot serve this directory");
    }
    site->have_openat2 = sl_path_have_openat2(site->root);
    if (!site->have_openat2) {
        sl_log_write(log, SL_LOG_INFO, "serve",
                     "this system has no openat2: symbolic links are not followed");
    }
    /* Names are used again when a run goes to the same directory, so nothing may be kept without
     * asking unless the owner says that this never happens. */
    if (segment_age > 0) {
        (void)snprintf(site->media_cache, sizeof site->media_cache,
                       "public, max-age=%" PRId64 ", immutable", segment_age);
    }
    return SL_OK;
}

void sl_site_close(struct sl_site *site)
{
    if (site->root >= 0) {
        (void)close(site->root);
    }
    site->root = -1;
}

static void answer_options(struct sl_reply *reply)
{
    reply->status = 204;
    reply->options = true;
}

static void answer_asset(const struct sl_request *r, int64_t now, const char *name,
                         struct sl_reply *reply)
{
    const struct sl_asset *asset = sl_assets;

    while (asset->name && strcmp(asset->name, name) != 0) {
        asset++;
    }
    if (!asset->name) {
        sl_reply_fail(reply, r, 404,
                      sl_assets[0].name ? NULL : "this build does not hold the page");
        return;
    }
    (void)snprintf(reply->validators.etag, sizeof reply->validators.etag, "%s", asset->etag);
    reply->cache = "no-cache";
    reply->page = strcmp(name, "index.html") == 0;
    reply->type = sl_media_type_of(name)->type;
    reply->size = (int64_t)asset->size;
    reply->text = asset->data;
    sl_reply_select(reply, r, now);
}

/* A text that was made for this answer alone. */
static void answer_text(const struct sl_request *r, int64_t now, const char *type,
                        struct sl_writer *out, struct sl_reply *reply)
{
    reply->type = type;
    reply->cache = "no-store";
    reply->size = (int64_t)out->size;
    reply->owned = out->data;
    sl_reply_compress(reply, r);
    sl_reply_select(reply, r, now);
}

static void answer_ladders(const struct sl_site *site, const struct sl_request *r, int64_t now,
                           struct sl_reply *reply)
{
    struct sl_error err = {0};
    struct sl_writer out;

    sl_writer_init(&out, SL_LADDERS_TEXT_MAX);
    if (sl_ladders_render(site, &out, &err) != SL_OK) {
        sl_log_write(site->log, SL_LOG_ERROR, "serve", "ladders.json: %s", err.msg);
        sl_writer_clear(&out);
        sl_reply_fail(reply, r, 500, NULL);
        return;
    }
    answer_text(r, now, "application/json", &out, reply);
}

static void answer_metrics(const struct sl_site *site, const struct sl_request *r, int64_t now,
                           struct sl_reply *reply)
{
    struct sl_writer out;

    sl_writer_init(&out, METRICS_MAX);
    sl_metrics_write(site->metrics, site->connections ? atomic_load(site->connections) : 0, &out);
    if (site->media) {
        sl_media_write_metrics(site->media, &out);
    }
    if (site->depot) {
        sl_depot_write_metrics(site->depot, &out);
    }
    if (sl_writer_finish(&out, NULL) != SL_OK) {
        sl_writer_clear(&out);
        sl_reply_fail(reply, r, 503, NULL);
        return;
    }
    answer_text(r, now, "text/plain; version=0.0.4; charset=utf-8", &out, reply);
}

/* For whoever distributes requests: 503 sends new ones elsewhere. */
static void answer_health(const struct sl_visit *visit, struct sl_reply *reply)
{
    static const char fine[] = "ok\n";

    if (visit->stopping) {
        sl_reply_fail(reply, visit->request, 503, "stopping");
        return;
    }
    reply->type = "text/plain; charset=utf-8";
    reply->cache = "no-store";
    reply->size = sizeof fine - 1;
    reply->text = fine;
    sl_reply_select(reply, visit->request, visit->now);
}

static void answer_file(const struct sl_site *site, const struct sl_visit *visit, const char *path,
                        struct sl_reply *reply)
{
    int fd = site->root < 0 ? -ENOENT : sl_path_open(site->root, path, false, site->have_openat2);

    if (fd < 0) {
        sl_site_fail_errno(site, visit->request, path, -fd, reply);
    } else {
        sl_site_answer_file(site, visit, path, fd, reply);
    }
}

/* path: below /media/. What is no route is the file itself. */
static void answer_media(const struct sl_site *site, const struct sl_visit *visit, const char *path,
                         struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    const char *detail = NULL;
    int status, root, fd;
    bool have_openat2;

    status = sl_media_route(site->media, path, sl_request_text(r, r->query), &reply->want, &detail);
    if (status > 0) {
        sl_reply_fail(reply, r, status, detail);
    }
    if (status >= 0) {
        return;
    }
    root = sl_media_root(site->media, &have_openat2);
    fd = root < 0 ? -ENOENT : sl_path_open(root, path, false, have_openat2);
    if (fd < 0) {
        sl_site_fail_errno(site, r, path, -fd, reply);
    } else {
        sl_site_answer_file(site, visit, path, fd, reply);
    }
}

static void answer_list(const struct sl_visit *visit, struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    int status = sl_media_route_list(sl_request_text(r, r->query), &reply->want);

    if (status > 0) {
        sl_reply_fail(reply, r, status, NULL);
    }
}

static bool is_proxied(const struct sl_site *site, const char *path)
{
    return site->proxy && strncmp(path, SL_PROXY_PREFIX, sizeof SL_PROXY_PREFIX - 1) == 0;
}

/* path: whole, without its leading slash. */
static void answer_proxy(const struct sl_site *site, const struct sl_visit *visit, const char *path,
                         struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    const struct sl_proxy_visit who = {.address = visit->client->text, .now = visit->now};
    const char *detail = NULL;
    int status = sl_proxy_route(site->proxy, sl_media_version(site->media), path,
                                sl_request_text(r, r->query), &who, &reply->want, &detail);

    if (status > 0) {
        sl_reply_fail(reply, r, status, detail);
    }
    if ((status == 403 || status == 410) && site->metrics) {
        atomic_fetch_add_explicit(&site->metrics->refused_signature, 1, memory_order_relaxed);
    }
}

static void answer_runs(const struct sl_site *site, const struct sl_visit *visit, const char *path,
                        struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    const char *detail = NULL;
    struct sl_run_ask ask;
    int status = sl_run_parse(path, &ask);

    if (status == 0) {
        status = sl_run_parse_request(r, &ask, &detail);
    }
    if (status == 0) {
        reply->job = sl_run_job(site->depot->runs, &ask);
        status = reply->job ? 0 : 503;
    }
    if (status != 0) {
        sl_reply_fail(reply, r, status, detail);
    }
}

/* What is everybody's: the page and its files, and whether the server is well. */
static bool is_open_to_all(const char *path)
{
    return path[0] == '\0' || strcmp(path, "healthz") == 0 || strcmp(path, "metrics") == 0 ||
           (strncmp(path, OWN_PREFIX, sizeof OWN_PREFIX - 1) == 0 &&
            strcmp(path, OWN_PREFIX "ladders.json") != 0);
}

/* 0, or the status to refuse with. path is decoded and has no slash in front. */
static int check_signature(const struct sl_site *site, const struct sl_visit *visit,
                           const char *path)
{
    char whole[SL_SERVE_PATH_MAX + 1];
    int status;

    /* Links to sources on the web are signed in another way: not the path decides, the source. */
    if (site->key.size == 0 || is_open_to_all(path) || is_proxied(site, path)) {
        return 0;
    }
    (void)snprintf(whole, sizeof whole, "/%s", path);
    status =
        sl_sign_check(&site->key, whole, sl_request_text(visit->request, visit->request->query),
                      visit->client->text, visit->now);
    if (status && site->metrics) {
        atomic_fetch_add_explicit(&site->metrics->refused_signature, 1, memory_order_relaxed);
    }
    return status;
}

static void answer_path(const struct sl_site *site, const struct sl_visit *visit, const char *path,
                        struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;

    if (path[0] == '\0') {
        answer_asset(r, visit->now, "index.html", reply);
    } else if (strcmp(path, OWN_PREFIX "ladders.json") == 0) {
        answer_ladders(site, r, visit->now, reply);
    } else if (strncmp(path, OWN_PREFIX, sizeof OWN_PREFIX - 1) == 0) {
        answer_asset(r, visit->now, path + sizeof OWN_PREFIX - 1, reply);
    } else if (strcmp(path, "healthz") == 0) {
        answer_health(visit, reply);
    } else if (site->metrics && strcmp(path, "metrics") == 0) {
        answer_metrics(site, r, visit->now, reply);
    } else if (site->library && strcmp(path, MEDIA_PREFIX) == 0) {
        answer_list(visit, reply);
    } else if (site->library && strncmp(path, MEDIA_PREFIX, sizeof MEDIA_PREFIX - 1) == 0) {
        answer_media(site, visit, path + sizeof MEDIA_PREFIX - 1, reply);
    } else if (is_proxied(site, path)) {
        answer_proxy(site, visit, path, reply);
    } else if (site->depot && site->depot->runs && strncmp(path, "runs", 4) == 0 &&
               (path[4] == '\0' || path[4] == '/')) {
        answer_runs(site, visit, path, reply);
    } else {
        answer_file(site, visit, path, reply);
    }
}

/* Names below /ipfs/ are whatever a directory of the store holds, hidden ones too, so they have
 * rules of their own. */
static void answer_gateway(const struct sl_site *site, const struct sl_visit *visit,
                           struct sl_text target, struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    char path[SL_SERVE_PATH_MAX];
    struct sl_gateway_ask ask;
    const char *detail = NULL;
    int status = sl_gateway_parse_path(target, &ask, &detail);

    if (status == 0) {
        sl_gateway_signed_path(&ask, path);
        status = check_signature(site, visit, path);
        detail = status == 0     ? NULL
                 : status == 410 ? "the link has expired"
                                 : "a signed link is needed";
    }
    if (status == 0) {
        status = sl_gateway_parse_request(r, &ask, &detail);
    }
    if (status != 0) {
        sl_reply_fail(reply, r, status, detail);
        return;
    }
    sl_gateway_answer(site, visit, &ask, reply);
}

void sl_site_answer(const struct sl_site *site, const struct sl_visit *visit,
                    struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    struct sl_text target = sl_request_text(r, r->path);
    char path[SL_SERVE_PATH_MAX];
    int status;

    if (r->asterisk) {
        answer_options(reply);
        return;
    }
    if (target.size == 0) { /* http://host without a path: RFC 9110 4.2.3 */
        target = (struct sl_text){"/", 1};
    }
    if (site->depot && sl_gateway_is(target)) {
        if (r->method == SL_METHOD_OPTIONS) {
            answer_options(reply);
        } else {
            answer_gateway(site, visit, target, reply);
        }
        return;
    }
    if (site->library && target.size == sizeof MEDIA_PREFIX &&
        memcmp(target.data, "/" MEDIA_PREFIX, target.size) == 0) {
        (void)snprintf(path, sizeof path, MEDIA_PREFIX); /* the one directory that answers */
        status = 0;
    } else {
        status = sl_path_decode(target.data, target.size, path);
    }
    if (status) {
        sl_reply_fail(reply, r, status, NULL);
        return;
    }
    if (r->method == SL_METHOD_OPTIONS) {
        answer_options(reply);
        return;
    }
    status = check_signature(site, visit, path);
    if (status) {
        sl_reply_fail(reply, r, status,
                      status == 410 ? "the link has expired" : "a signed link is needed");
        return;
    }
    answer_path(site, visit, path, reply);
    if (site->key.size > 0 && reply->cache && strncmp(reply->cache, "public", 6) == 0) {
        reply->cache = "private, no-cache"; /* what a link allows is not for everybody's cache */
    }
}

void sl_site_finish(const struct sl_site *site, const struct sl_visit *visit,
                    const struct sl_media_want *want, struct sl_waiter *w, struct sl_reply *reply)
{
    const struct sl_request *r = visit->request;
    struct sl_writer carry;

    sl_writer_init(&carry, SL_SIGN_QUERY_MAX); /* more than SL_PROXY_QUERY_MAX */
    if (want->url) {
        sl_proxy_carry(site->proxy, sl_request_text(r, r->query), &carry);
    } else if (site->key.size > 0) {
        sl_sign_carry(sl_request_text(r, r->query), &carry);
    }
    sl_write_u8(&carry, '\0');
    if (carry.status == SL_OK) {
        sl_media_reply(want, w, r, (const char *)carry.data, visit->now, reply);
    } else {
        sl_reply_fail(reply, r, 503, NULL);
    }
    if ((site->key.size > 0 || want->url) && reply->cache &&
        strncmp(reply->cache, "public", 6) == 0) {
        reply->cache = "private, max-age=31536000, immutable";
    }
    sl_writer_clear(&carry);
}
