/* SPDX-License-Identifier: BSD-2-Clause */
#include "ipfs/answer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* ---- values, one after another ------------------------------------------------------------- */

struct values {
    const struct sl_ipfs_answer *answer;
    size_t at;
    json_t *value; /* the one at hand; owned */
};

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void values_end(struct values *v)
{
    json_decref(v->value);
    v->value = NULL;
}

/* SL_EOF after the last. */
static enum sl_status values_next(struct values *v, struct sl_error *err)
{
    const struct sl_ipfs_answer *a = v->answer;
    const char *text = a->data;
    json_error_t why;

    values_end(v);
    while (v->at < a->size && blank(text[v->at])) {
        v->at++;
    }
    if (v->at == a->size) {
        return SL_EOF;
    }
    v->value = json_loadb(text + v->at, a->size - v->at, JSON_DISABLE_EOF_CHECK, &why);
    if (!v->value) {
        char reason[SL_IPFS_REASON_MAX];

        sl_ipfs_reason(reason, why.text); /* it quotes */
        return json_error_code(&why) == json_error_out_of_memory
                   ? sl_fail_memory(err)
                   : sl_fail_at(err, SL_EDATA, a->name, (int64_t)v->at,
                                "the node's answer is no JSON: %.100s", reason);
    }
    v->at += (size_t)why.position;
    return SL_OK;
}

/* In no one's terminal, and in no log, more than printable text. */
void sl_ipfs_reason(char out[SL_IPFS_REASON_MAX], const char *text)
{
    size_t n = 0;

    while (blank(*text)) {
        text++;
    }
    for (; *text && n + 1 < SL_IPFS_REASON_MAX; text++) {
        out[n++] = *text >= ' ' && *text <= '~'     ? *text
                   : *text == '\r' || *text == '\n' ? ' '
                                                    : '?';
    }
    while (n > 0 && blank(out[n - 1])) {
        n--;
    }
    out[n] = '\0';
}

/* A CID as text, or as DAG-JSON has it: {"/": text}. */
static bool take_cid(const json_t *value, struct sl_cid *out)
{
    const char *text =
        json_string_value(json_is_object(value) ? json_object_get(value, "/") : value);

    return text && sl_cid_parse(out, text, strlen(text), NULL) == SL_OK;
}

static bool is_cid(const json_t *value, const struct sl_cid *cid)
{
    struct sl_cid said;

    return take_cid(value, &said) && sl_cid_same(&said, cid);
}

/* ---- errors -------------------------------------------------------------------------------- */

/* Returns whether value is an error, in the node's words. */
static bool is_error(const json_t *value, char reason[SL_IPFS_REASON_MAX])
{
    const char *message = json_string_value(json_object_get(value, "Message"));
    const char *type = json_string_value(json_object_get(value, "Type"));

    if (!message || (!json_object_get(value, "Code") && (!type || strcmp(type, "error") != 0))) {
        return false;
    }
    sl_ipfs_reason(reason, message);
    return true;
}

static enum sl_status status_of(long code)
{
    switch (code) {
    case 404:
        return SL_ENOTFOUND;
    case 429:
    case 502:
    case 503:
    case 504:
        return SL_EBUSY;
    default:
        return SL_EIO;
    }
}

enum sl_status sl_ipfs_answer_check(const struct sl_ipfs_answer *a, struct sl_error *err)
{
    struct values v = {.answer = a};
    char reason[SL_IPFS_REASON_MAX] = "";
    enum sl_status status;
    bool error = false;

    do { /* an error after the stream has begun comes with 200, as its last value */
        status = values_next(&v, NULL);
        error = status == SL_OK && is_error(v.value, reason);
    } while (status == SL_OK && !error);
    values_end(&v);
    if (status == SL_ENOMEM) {
        return sl_fail_memory(err);
    }
    if (a->code == 200) {
        return error ? sl_fail(err, SL_EIO, a->name, "the node says: %s", reason) : SL_OK;
    }
    return reason[0] ? sl_fail(err, status_of(a->code), a->name, "status %ld, the node says: %s",
                               a->code, reason)
                     : sl_fail(err, status_of(a->code), a->name, "the node answers with status %ld",
                               a->code);
}

/* ---- answers to each call ------------------------------------------------------------------ */

enum sl_status sl_ipfs_answer_import(const struct sl_ipfs_answer *a, const struct sl_cid *root,
                                     char not_pinned[SL_IPFS_REASON_MAX], struct sl_error *err)
{
    struct values v = {.answer = a};
    bool found = false;
    enum sl_status status = sl_ipfs_answer_check(a, err);

    not_pinned[0] = '\0';
    while (status == SL_OK && (status = values_next(&v, err)) == SL_OK) {
        const json_t *said = json_object_get(v.value, "Root");
        const char *why = json_string_value(json_object_get(said, "PinErrorMsg"));

        if (is_cid(json_object_get(said, "Cid"), root)) {
            found = true;
            sl_ipfs_reason(not_pinned, why ? why : "");
        }
    }
    values_end(&v);
    if (status != SL_EOF) {
        return status;
    }
    return found ? SL_OK
                 : sl_fail(err, SL_EDATA, a->name, "the node does not name the root it was sent");
}

/* A number, or one that is written as text. */
static int64_t take_size(const json_t *value)
{
    const char *text = json_string_value(value);
    char *end = NULL;
    long long n;

    if (json_is_integer(value)) {
        return json_integer_value(value) < 0 ? -1 : json_integer_value(value);
    }
    if (!text || text[0] < '0' || text[0] > '9') {
        return -1;
    }
    n = strtoll(text, &end, 10);
    return *end ? -1 : n;
}

enum sl_status sl_ipfs_answer_added(const struct sl_ipfs_answer *a, struct sl_cid *out,
                                    int64_t *size, struct sl_error *err)
{
    struct values v = {.answer = a};
    bool found = false;
    enum sl_status status = sl_ipfs_answer_check(a, err);

    *size = -1;
    while (status == SL_OK && (status = values_next(&v, err)) == SL_OK) {
        const json_t *key = json_object_get(v.value, "Key");

        if (take_cid(key ? key : json_object_get(v.value, "Hash"), out)) {
            found = true;
            *size = take_size(json_object_get(v.value, "Size"));
        }
    }
    values_end(&v);
    if (status != SL_EOF) {
        return status;
    }
    return found ? SL_OK : sl_fail(err, SL_EDATA, a->name, "the node names no CID it has added");
}

enum sl_status sl_ipfs_answer_pins(const struct sl_ipfs_answer *a, const struct sl_cid *cid,
                                   struct sl_error *err)
{
    struct values v = {.answer = a};
    bool found = false;
    enum sl_status status = sl_ipfs_answer_check(a, err);

    while (status == SL_OK && (status = values_next(&v, err)) == SL_OK) {
        const json_t *pins = json_object_get(v.value, "Pins");

        for (size_t i = 0; i < json_array_size(pins); i++) {
            found = found || is_cid(json_array_get(pins, i), cid);
        }
    }
    values_end(&v);
    if (status != SL_EOF) {
        return status;
    }
    return found ? SL_OK
                 : sl_fail(err, SL_EDATA, a->name, "the node does not say that it has done it");
}

enum sl_status sl_ipfs_answer_listed(const struct sl_ipfs_answer *a, const struct sl_cid *cid,
                                     bool *pinned, struct sl_error *err)
{
    struct values v = {.answer = a};
    enum sl_status status = sl_ipfs_answer_check(a, err);

    *pinned = false;
    while (status == SL_OK && (status = values_next(&v, err)) == SL_OK) {
        json_t *keys = json_object_get(v.value, "Keys"), *entry;
        const char *key;

        json_object_foreach(keys, key, entry)
        {
            struct sl_cid said;

            *pinned = *pinned || (sl_cid_parse(&said, key, strlen(key), NULL) == SL_OK &&
                                  sl_cid_same(&said, cid));
        }
        *pinned = *pinned || is_cid(json_object_get(v.value, "Cid"), cid);
    }
    values_end(&v);
    return status == SL_EOF ? SL_OK : status;
}
