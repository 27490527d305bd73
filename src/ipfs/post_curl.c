/* SPDX-License-Identifier: BSD-2-Clause */
/* Module ipfs-post. One connection, kept alive between calls. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "base/alloc.h"
#include "base/error.h"
#include "ipfs/post.h"

#define LOOK_MS     100
#define UPLOAD_SIZE 262144L /* asked of the body at once */
#define HEAD_MAX    ((size_t)64 << 10)

#define STREAM_ERROR "X-Stream-Error:"

struct sl_ipfs_post {
    struct sl_ipfs_post_params params;
    char *url, *name;
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    char reason[CURL_ERROR_SIZE];
    /* of the call at hand */
    struct sl_ipfs_post_call *call;
    size_t head;
    enum sl_status body_status;
    struct sl_error body_error;
};

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- what libcurl calls -------------------------------------------------------------------- */

static size_t on_body(char *dst, size_t one, size_t size, void *opaque)
{
    struct sl_ipfs_post *p = opaque;
    size_t got = 0;

    p->body_status = p->call->read(p->call->opaque, dst, one * size, &got, &p->body_error);
    return p->body_status == SL_OK ? got : CURL_READFUNC_ABORT;
}

static size_t on_answer(char *data, size_t one, size_t size, void *opaque)
{
    struct sl_ipfs_post *p = opaque;

    sl_write_bytes(p->call->answer, data, one * size);
    return p->call->answer->status == SL_OK ? one * size : 0;
}

static size_t on_header(char *line, size_t one, size_t size, void *opaque)
{
    struct sl_ipfs_post *p = opaque;

    size *= one;
    p->head += size;
    if (size > sizeof STREAM_ERROR &&
        strncasecmp(line, STREAM_ERROR, sizeof STREAM_ERROR - 1) == 0) {
        (void)snprintf(p->call->stream_error, sizeof p->call->stream_error, "%.*s",
                       (int)(size - (sizeof STREAM_ERROR - 1)), line + sizeof STREAM_ERROR - 1);
    }
    return p->head <= HEAD_MAX ? size : 0;
}

/* ---- a call -------------------------------------------------------------------------------- */

static enum sl_status add_file(struct sl_ipfs_post *p, curl_mime **mime, struct sl_error *err)
{
    curl_mimepart *part;

    *mime = curl_mime_init(p->easy);
    part = *mime ? curl_mime_addpart(*mime) : NULL;
    /* Of unknown size: sent in chunks (RFC 9112 7.1). */
    if (!part || curl_mime_name(part, "file") != CURLE_OK ||
        curl_mime_filename(part, "file") != CURLE_OK ||
        curl_mime_type(part, "application/octet-stream") != CURLE_OK ||
        curl_mime_data_cb(part, -1, on_body, NULL, NULL, p) != CURLE_OK ||
        curl_easy_setopt(p->easy, CURLOPT_MIMEPOST, *mime) != CURLE_OK) {
        return sl_fail_memory(err);
    }
    return SL_OK;
}

static enum sl_status set_up_call(struct sl_ipfs_post *p, curl_mime **mime, struct sl_error *err)
{
    struct sl_ipfs_post_call *call = p->call;
    char *url = sl_format("%s%s", p->url, call->path);
    CURLcode code;

    *mime = NULL;
    if (!url) {
        return sl_fail_memory(err);
    }
    code = curl_easy_setopt(p->easy, CURLOPT_URL, url);
    sl_free(url);
    if (code != CURLE_OK) {
        return sl_fail_memory(err);
    }
    (void)curl_easy_setopt(p->easy, CURLOPT_TIMEOUT_MS, (long)call->whole_ms);
    if (call->read) {
        return add_file(p, mime, err);
    }
    (void)curl_easy_setopt(p->easy, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, "");
    (void)curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE, 0L);
    return SL_OK;
}

static enum sl_status look(struct sl_ipfs_post *p, struct sl_error *err)
{
    if (sl_cancelled(p->params.cancel)) {
        return sl_fail(err, SL_ECANCELLED, p->name, "stopped");
    }
    if (p->params.tick) {
        p->params.tick(p->params.tick_opaque);
    }
    return SL_OK;
}

/* Until the transfer is over. */
static enum sl_status transfer(struct sl_ipfs_post *p, CURLcode *result, struct sl_error *err)
{
    int64_t looked = now_ms();

    for (;;) {
        int running = 0, left = 0;
        CURLMcode code = curl_multi_perform(p->multi, &running);
        CURLMsg *message;

        while (code == CURLM_OK && (message = curl_multi_info_read(p->multi, &left)) != NULL) {
            if (message->msg == CURLMSG_DONE) {
                *result = message->data.result;
                return SL_OK;
            }
        }
        if (code == CURLM_OK) {
            code = curl_multi_poll(p->multi, NULL, 0, LOOK_MS, NULL);
        }
        if (code != CURLM_OK) {
            return sl_fail(err, SL_EIO, p->name, "%s", curl_multi_strerror(code));
        }
        if (now_ms() - looked >= LOOK_MS || sl_cancelled(p->params.cancel)) {
            enum sl_status status = look(p, err);

            looked = now_ms();
            if (status != SL_OK) {
                return status;
            }
        }
    }
}

static enum sl_status judge(struct sl_ipfs_post *p, CURLcode result, struct sl_error *err)
{
    const char *why = p->reason[0] ? p->reason : curl_easy_strerror(result);

    (void)curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &p->call->code);
    if (p->body_status != SL_OK) {
        return sl_fail(err, p->body_status, p->body_error.where, "%s", p->body_error.msg);
    }
    if (p->call->answer->status != SL_OK) {
        return sl_fail(err, SL_EDATA, p->name, "the answer has more than %zu bytes",
                       p->call->answer->max);
    }
    switch (result) {
    case CURLE_OK:
        return SL_OK;
    case CURLE_OUT_OF_MEMORY:
        return sl_fail_memory(err);
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
        return sl_fail(err, SL_EIO, p->name, "%s", why);
    default:
        return sl_fail(err, SL_EBUSY, p->name, "%s", why);
    }
}

static enum sl_status post_call(struct sl_ipfs_post *p, struct sl_ipfs_post_call *call,
                                struct sl_error *err)
{
    curl_mime *mime = NULL;
    CURLcode result = CURLE_OK;
    enum sl_status status;

    p->call = call;
    p->head = 0;
    p->reason[0] = '\0';
    p->body_status = SL_OK;
    p->body_error = (struct sl_error){0};
    call->code = 0;
    call->stream_error[0] = '\0';
    status = sl_cancelled(p->params.cancel) ? sl_fail(err, SL_ECANCELLED, p->name, "stopped")
                                            : set_up_call(p, &mime, err);
    if (status == SL_OK && curl_multi_add_handle(p->multi, p->easy) != CURLM_OK) {
        status = sl_fail_memory(err);
    } else if (status == SL_OK) {
        status = transfer(p, &result, err);
        (void)curl_multi_remove_handle(p->multi, p->easy); /* one that is not over is cut */
    }
    if (status == SL_OK) {
        status = judge(p, result, err);
    }
    (void)curl_easy_setopt(p->easy, CURLOPT_MIMEPOST, NULL);
    curl_mime_free(mime);
    p->call = NULL;
    return status;
}

/* ---- opening ------------------------------------------------------------------------------- */

static void post_close(struct sl_ipfs_post **out)
{
    struct sl_ipfs_post *p = out ? *out : NULL;

    if (!p) {
        return;
    }
    *out = NULL;
    curl_easy_cleanup(p->easy);
    if (p->multi) {
        (void)curl_multi_cleanup(p->multi);
    }
    curl_slist_free_all(p->headers);
    sl_free(p->url);
    sl_free(p->name);
    sl_free(p);
}

static enum sl_status set_up(struct sl_ipfs_post *p, struct sl_error *err)
{
    CURL *c = p->easy = curl_easy_init();
    long stall_s = (long)((p->params.stall_ms + 999) / 1000);

    p->multi = curl_multi_init();
    /* Nobody waits for "100 Continue": a node that refuses answers while it is sent to. */
    p->headers = curl_slist_append(NULL, "Expect:");
    if (!c || !p->multi || !p->headers) {
        return sl_fail_memory(err);
    }
    (void)curl_easy_setopt(c, CURLOPT_ERRORBUFFER, p->reason);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice");
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); /* rights are given to one address */
    (void)curl_easy_setopt(c, CURLOPT_PROXY, "");          /* and are nobody else's to see */
    (void)curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(c, CURLOPT_HTTPHEADER, p->headers);
    (void)curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_SIZE);
    (void)curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)p->params.connect_ms);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, stall_s > 0 ? stall_s : 1L);
    (void)curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(c, CURLOPT_HEADERDATA, p);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer);
    (void)curl_easy_setopt(c, CURLOPT_WRITEDATA, p);
    return SL_OK;
}

static enum sl_status post_open(struct sl_ipfs_post **out, const struct sl_ipfs_post_params *params,
                                struct sl_error *err)
{
    struct sl_ipfs_post *p = sl_alloc_zero(sizeof *p);
    enum sl_status status;

    *out = NULL;
    if (!p) {
        return sl_fail_memory(err);
    }
    p->params = *params;
    p->url = sl_strdup(params->url);
    p->name = sl_strdup(params->name);
    status = p->url && p->name ? set_up(p, err) : sl_fail_memory(err);
    if (status != SL_OK) {
        post_close(&p);
    }
    *out = p;
    return status;
}

const struct sl_ipfs_post_ops sl_ipfs_post = {
    .open = post_open, .call = post_call, .close = post_close};
