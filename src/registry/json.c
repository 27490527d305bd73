/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of runs as JSON. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/internal.h"

/* All of them set a member; -1 where memory runs out, so that one check at the end is enough. */
static int set_text(json_t *o, const char *key, const char *text)
{
    return text[0] ? json_object_set_new(o, key, json_string(text)) : 0;
}

static int set_integer(json_t *o, const char *key, int64_t v)
{
    return json_object_set_new(o, key, json_integer(v));
}

static json_t *run_object(const struct sl_registry_run *run)
{
    json_t *o = json_object();
    json_t *options = json_loads(run->options, 0, NULL);
    int bad = set_text(o, "id", run->id);

    bad |= set_text(o, "state", sl_run_state_name(run->state));
    if (run->state == SL_RUN_RUNNING) {
        bad |= json_object_set_new(o, "alive", json_boolean(run->alive));
    }
    bad |= set_integer(o, "created", run->created);
    bad |= set_integer(o, "updated", run->updated);
    if (run->ended != SL_NO_TIME) {
        bad |= set_integer(o, "ended", run->ended);
    }
    bad |= set_integer(o, "revision", run->revision);
    bad |= set_text(o, "profile", run->profile);
    bad |= set_text(o, "master_cid", run->master_cid);
    bad |= set_text(o, "root_cid", run->root_cid);
    bad |= set_text(o, "error", run->error);
    bad |= json_object_set_new(o, "options", options ? options : json_null());
    if (bad) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *rendition_object(const struct sl_registry_rendition *n)
{
    json_t *o = json_object();
    int bad = set_text(o, "name", n->name);

    bad |= set_text(o, "kind", n->kind);
    bad |= set_text(o, "format", n->format);
    bad |= set_text(o, "codecs", n->codecs);
    bad |= set_text(o, "language", n->language);
    if (n->width) {
        bad |= set_integer(o, "width", n->width);
        bad |= set_integer(o, "height", n->height);
    }
    if (n->frame_rate.num) {
        bad |= json_object_set_new(o, "frame_rate",
                                   json_sprintf("%" PRId64 "/%" PRId64, (int64_t)n->frame_rate.num,
                                                (int64_t)n->frame_rate.den));
    }
    if (n->channels) {
        bad |= set_integer(o, "channels", n->channels);
        bad |= set_integer(o, "sample_rate", n->sample_rate);
    }
    bad |= set_integer(o, "bitrate", n->bitrate);
    if (n->average_bitrate) {
        bad |= set_integer(o, "average_bitrate", n->average_bitrate);
    }
    bad |= set_integer(o, "target_duration", n->target_duration);
    bad |= json_object_set_new(
        o, "timebase",
        json_sprintf("%" PRId64 "/%" PRId64, (int64_t)n->timebase.num, (int64_t)n->timebase.den));
    bad |= set_integer(o, "first", n->first);
    bad |= set_integer(o, "segments", n->next - n->first);
    bad |= set_integer(o, "end", n->end);
    bad |= set_integer(o, "bytes", n->bytes);
    bad |= set_text(o, "playlist_cid", n->playlist_cid);
    if (bad) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* Takes root, NULL: memory ran out on the way. */
static enum sl_status dump(json_t *root, char **out, struct sl_error *err)
{
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;

    *out = text ? sl_strdup(text) : NULL;
    free(text); /* jansson's */
    json_decref(root);
    return *out ? SL_OK : sl_fail_memory(err);
}

enum sl_status sl_registry_run_json(struct sl_registry *r, const char *id, char **out,
                                    struct sl_error *err)
{
    struct sl_registry_run run;
    struct sl_registry_rendition *renditions = NULL;
    json_t *root = NULL, *list = NULL;
    size_t count = 0;
    struct sl_registry_upload_summary uploads;
    int bad;
    enum sl_status status;

    *out = NULL;
    /* The run first: what it says is there is there when the rest is read. */
    status = sl_registry_run(r, id, false, &run, err);
    if (status == SL_OK) {
        status = sl_registry_renditions(r, id, &renditions, &count, err);
    }
    if (status == SL_OK) {
        status = sl_registry_upload_summary(r, NULL, id, &uploads, err);
    }
    if (status != SL_OK) {
        goto out;
    }
    root = run_object(&run);
    list = json_array();
    bad = root && list ? 0 : -1;
    for (size_t i = 0; !bad && i < count; i++) {
        bad |= json_array_append_new(list, rendition_object(&renditions[i]));
    }
    if (root) {
        bad |= json_object_set_new(root, "renditions", list);
        bad |= set_integer(root, "uploads", uploads.count);
        bad |= set_integer(root, "upload_attempts", uploads.attempts);
        bad |= set_text(root, "upload_error", uploads.error);
    } else {
        json_decref(list);
    }
    if (bad) {
        json_decref(root);
        root = NULL;
    }
    status = dump(root, out, err);
out:
    sl_registry_run_clear(&run);
    sl_free(renditions);
    return status;
}

/* ---- pages ------------------------------------------------------------------------------- */

/* "created-id". */
void sl_registry_cursor_write(char out[SL_REGISTRY_CURSOR_MAX], const struct sl_registry_run *last)
{
    (void)snprintf(out, SL_REGISTRY_CURSOR_MAX, "%" PRId64 "-%s", last->created, last->id);
}

enum sl_status sl_registry_cursor_read(const char *cursor, struct sl_registry_runs_query *out,
                                       struct sl_error *err)
{
    char *end;

    if (cursor[0] < '0' || cursor[0] > '9' || strlen(cursor) >= SL_REGISTRY_CURSOR_MAX) {
        return sl_fail(err, SL_EINVAL, "registry", "\"%.40s\" is not a place in the list", cursor);
    }
    out->after = true;
    out->after_created = strtoll(cursor, &end, 10);
    if (*end != '-' || sl_registry_check_id(end + 1, NULL) != SL_OK) {
        return sl_fail(err, SL_EINVAL, "registry", "\"%.40s\" is not a place in the list", cursor);
    }
    memcpy(out->after_id, end + 1, strlen(end + 1) + 1);
    return SL_OK;
}

enum sl_status sl_registry_runs_json(struct sl_registry *r, enum sl_run_state state,
                                     const char *cursor, size_t limit, char **out,
                                     struct sl_error *err)
{
    struct sl_registry_runs_query q = {.state = state, .limit = limit};
    struct sl_registry_run *runs = NULL;
    json_t *root = NULL, *list = NULL, *next = NULL;
    char place[SL_REGISTRY_CURSOR_MAX] = "";
    size_t count = 0;
    int bad = 0;
    enum sl_status status = SL_OK;

    *out = NULL;
    if (q.limit == 0 || q.limit > SL_REGISTRY_PAGE_MAX) {
        q.limit = SL_REGISTRY_PAGE_MAX;
    }
    if (cursor) {
        status = sl_registry_cursor_read(cursor, &q, err);
    }
    if (status == SL_OK) {
        status = sl_registry_runs(r, &q, &runs, &count, err);
    }
    if (status != SL_OK) {
        return status;
    }
    list = json_array();
    for (size_t i = 0; list && !bad && i < count; i++) {
        bad |= json_array_append_new(list, run_object(&runs[i]));
    }
    if (count == q.limit) {
        sl_registry_cursor_write(place, &runs[count - 1]);
    }
    next = place[0] ? json_string(place) : json_null();
    sl_registry_runs_free(&runs, count);
    root = bad ? NULL : json_pack("{s:o, s:o}", "runs", list, "next", next);
    if (bad) {
        json_decref(list);
        json_decref(next);
    }
    return dump(root, out, err);
}
