/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipfs/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/module.h"
#include "base/url.h"

#define CONNECT_MS 10000

/* ---- opening ------------------------------------------------------------------------------- */

enum sl_status sl_ipfs_name_of(const char *url, char name[SL_IPFS_NAME_MAX], struct sl_error *err)
{
    struct sl_url parsed;
    const char *why = "it is too long", *rest;
    int n;

    name[0] = '\0';
    if (!sl_url_parse(url, &parsed, &why) || parsed.path[parsed.path_size]) {
        return sl_fail(err, SL_EINVAL, "ipfs",
                       "not the address of a node, as http://127.0.0.1:5001 is one: %s", why);
    }
    while (parsed.path_size > 0 && parsed.path[parsed.path_size - 1] == '/') {
        parsed.path_size--;
    }
    rest = parsed.user_size ? parsed.user + parsed.user_size + 1 : strstr(url, "//") + 2;
    n = snprintf(name, SL_IPFS_NAME_MAX, "%s://%.*s", parsed.tls ? "https" : "http",
                 (int)(parsed.path + parsed.path_size - rest), rest);
    return n > 0 && n < SL_IPFS_NAME_MAX
               ? SL_OK
               : sl_fail(err, SL_EINVAL, "ipfs", "the node's address has more than %d bytes",
                         SL_IPFS_NAME_MAX - 1);
}

void sl_ipfs_close(struct sl_ipfs **out)
{
    struct sl_ipfs *n = out ? *out : NULL;

    if (!n) {
        return;
    }
    *out = NULL;
    if (n->post) {
        n->ops->close(&n->post);
    }
    sl_writer_clear(&n->answer);
    sl_free(n);
}

static enum sl_status open_post(struct sl_ipfs *n, const struct sl_ipfs_params *params,
                                struct sl_error *err)
{
    const void *symbol = NULL;
    size_t length = strlen(params->url);
    struct sl_ipfs_post_params post = {
        .name = n->name,
        .connect_ms = params->timeout_ms < CONNECT_MS ? params->timeout_ms : CONNECT_MS,
        .stall_ms = params->timeout_ms,
        .cancel = params->cancel,
        .tick = params->tick,
        .tick_opaque = params->tick_opaque};
    enum sl_status status = sl_module_symbol(SL_IPFS_MODULE, SL_IPFS_SYMBOL, &symbol, err);
    char *url;

    if (status != SL_OK) {
        return status;
    }
    while (params->url[length - 1] == '/') {
        length--;
    }
    n->ops = symbol;
    url = sl_format("%.*s/api/v0/", (int)length, params->url);
    post.url = url;
    status = url ? n->ops->open(&n->post, &post, err) : sl_fail_memory(err);
    sl_free(url);
    return status;
}

enum sl_status sl_ipfs_open(struct sl_ipfs **out, const struct sl_ipfs_params *params,
                            struct sl_error *err)
{
    char name[SL_IPFS_NAME_MAX];
    struct sl_ipfs *n;
    enum sl_status status = sl_ipfs_name_of(params->url, name, err);

    *out = NULL;
    if (status != SL_OK) {
        return status;
    }
    n = sl_alloc_zero(sizeof *n);
    if (!n) {
        return sl_fail_memory(err);
    }
    memcpy(n->name, name, sizeof name);
    n->timeout_ms = params->timeout_ms;
    n->log = params->log;
    n->tick = params->tick;
    n->tick_opaque = params->tick_opaque;
    sl_writer_init(&n->answer, SL_IPFS_ANSWER_MAX);
    status = open_post(n, params, err);
    if (status != SL_OK) {
        sl_ipfs_close(&n);
    }
    *out = n;
    return status;
}

const char *sl_ipfs_name(const struct sl_ipfs *n)
{
    return n->name;
}

/* ---- calls --------------------------------------------------------------------------------- */

enum sl_status sl_ipfs_call(struct sl_ipfs *n, const char *call, const struct sl_ipfs_body *body,
                            int64_t whole_ms, struct sl_ipfs_answer *out, struct sl_error *err)
{
    /* The node gives up first, and says why. A block that it has not got would else keep it looking
     * for ever. In which base it writes CIDs is its own choice: JavaScript's has no v0 in base32.
     */
    int64_t seconds = whole_ms > 2000 ? (whole_ms - 1000) / 1000 : 1;
    char *path = sl_format("%s%stimeout=%" PRId64 "s&encoding=json", call,
                           strchr(call, '?') ? "&" : "?", seconds);
    struct sl_ipfs_post_call post = {.path = path,
                                     .read = body ? body->read : NULL,
                                     .opaque = body ? body->opaque : NULL,
                                     .whole_ms = whole_ms,
                                     .answer = &n->answer};
    enum sl_status status;

    if (n->tick) { /* many short calls are one long one */
        n->tick(n->tick_opaque);
    }
    sl_writer_clear(&n->answer);
    status = path ? n->ops->call(n->post, &post, err) : sl_fail_memory(err);
    sl_free(path);
    *out = (struct sl_ipfs_answer){
        .name = n->name, .code = post.code, .data = n->answer.data, .size = n->answer.size};
    if (status == SL_OK && post.stream_error[0]) {
        char reason[SL_IPFS_REASON_MAX];

        sl_ipfs_reason(reason, post.stream_error);
        return sl_fail(err, SL_EIO, n->name, "the node says: %s", reason);
    }
    if (status == SL_EBUSY) {
        n->imports = SL_IPFS_UNKNOWN; /* another one may come back */
    }
    return status;
}

enum sl_status sl_ipfs_learn(struct sl_ipfs *n, struct sl_error *err)
{
    struct sl_ipfs_answer answer;
    enum sl_status status;

    if (n->imports != SL_IPFS_UNKNOWN) {
        return SL_OK;
    }
    /* Without a file it is an error; one that is 404 where there is no such call. To learn that
     * from a large request is not possible: the answer is lost when the node closes early. */
    status = sl_ipfs_call(n, "dag/import", NULL, n->timeout_ms, &answer, err);
    if (status != SL_OK) {
        return status;
    }
    if (answer.code == 401 || answer.code == 403 || answer.code == 429 ||
        (answer.code >= 502 && answer.code <= 504)) {
        return sl_ipfs_answer_check(&answer, err);
    }
    n->imports = answer.code == 404 ? SL_IPFS_ADDS : SL_IPFS_IMPORTS;
    return SL_OK;
}

/* ---- pins ---------------------------------------------------------------------------------- */

static enum sl_status about(struct sl_ipfs *n, const char *verb, const struct sl_cid *cid,
                            const char *more, struct sl_ipfs_answer *answer, struct sl_error *err)
{
    char text[SL_CID_TEXT_SIZE], call[160];

    (void)snprintf(call, sizeof call, "%s?arg=%s%s", verb, sl_cid_text(cid, text), more);
    return sl_ipfs_call(n, call, NULL, n->timeout_ms, answer, err);
}

enum sl_status sl_ipfs_pin(struct sl_ipfs *n, const struct sl_cid *cid, struct sl_error *err)
{
    struct sl_ipfs_answer answer;
    enum sl_status status = about(n, "pin/add", cid, "&recursive=true", &answer, err);

    return status == SL_OK ? sl_ipfs_answer_pins(&answer, cid, err) : status;
}

enum sl_status sl_ipfs_pinned(struct sl_ipfs *n, const struct sl_cid *cid, bool *pinned,
                              struct sl_error *err)
{
    struct sl_ipfs_answer answer;
    struct sl_error why = {0};
    enum sl_status status = about(n, "pin/ls", cid, "&type=recursive", &answer, err);

    *pinned = false;
    if (status != SL_OK) {
        return status;
    }
    status = sl_ipfs_answer_listed(&answer, cid, pinned, &why);
    /* Kubo: "path 'X' is not pinned", JavaScript's: "path 'X' is not pinned" too. */
    if (status == SL_EIO && strstr(why.msg, "not pinned")) {
        return SL_OK;
    }
    return status == SL_OK ? SL_OK : sl_fail(err, status, why.where, "%s", why.msg);
}

enum sl_status sl_ipfs_unpin(struct sl_ipfs *n, const struct sl_cid *cid, struct sl_error *err)
{
    struct sl_ipfs_answer answer;
    struct sl_error why = {0};
    bool pinned = true;
    enum sl_status status = about(n, "pin/rm", cid, "&recursive=true", &answer, err);

    if (status != SL_OK) {
        return status;
    }
    status = sl_ipfs_answer_pins(&answer, cid, &why);
    /* There is no code of its own for one that is not pinned. */
    if (status == SL_EIO && sl_ipfs_pinned(n, cid, &pinned, NULL) == SL_OK && !pinned) {
        return SL_OK;
    }
    return status == SL_OK ? SL_OK : sl_fail(err, status, why.where, "%s", why.msg);
}
