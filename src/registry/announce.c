/* SPDX-License-Identifier: BSD-2-Clause */
/* Publishing: segments, playlists, what to go on from, and what to upload, in one transaction with
 * the word to the readers. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/internal.h"

struct announcing {
    const struct sl_registry_claim *claim;
    const struct sl_registry_announcement *a;
    int64_t revision;
};

/* ---- segments ---------------------------------------------------------------------------- */

struct rendition {
    int64_t first, next, end, bytes;
};

struct published {
    const struct sl_registry_segment *segment;
    bool found, same;
    char cid[SL_REGISTRY_CID_MAX];
};

static enum sl_status compare(void *opaque, const struct sl_db_value *c, struct sl_error *err)
{
    struct published *p = opaque;
    const struct sl_registry_segment *s = p->segment;
    enum sl_status status = SL_TAKE_TEXT(p->cid, &c[0], err);

    p->found = true;
    p->same = status == SL_OK && !strcmp(p->cid, s->cid) && c[1].integer == s->start &&
              c[2].integer == s->duration && (c[3].integer != 0) == s->discontinuity &&
              (c[4].integer != 0) == s->gap && c[5].text && !strcmp(c[5].text, s->init_cid);
    return status;
}

/* Never a different segment under a number already published. */
static enum sl_status check_same(struct sl_registry *r, const char *run, const char *rendition,
                                 const struct sl_registry_segment *s, struct sl_error *err)
{
    struct published p = {.segment = s};
    const struct sl_db_query q = {
        .sql = "SELECT cid, start_ticks, duration_ticks, discontinuity, gap, init_cid "
               "FROM segments WHERE run = $1 AND rendition = $2 AND number = $3",
        .args = (const struct sl_db_value[]){sl_db_text(run), sl_db_text(rendition),
                                             sl_db_integer(s->number)},
        .arg_count = 3,
        .row = compare,
        .opaque = &p,
        .columns = 6};
    enum sl_status status = r->ops->query(r->db, &q, err);

    if (status != SL_OK || (p.found && p.same)) {
        return status;
    }
    return sl_fail(err, SL_EEXIST, r->name,
                   "segment %" PRId64 " of %s/%s is published already%s%s%s", s->number, run,
                   rendition, p.found ? " as another one (" : "", p.found ? p.cid : "",
                   p.found ? ")" : "");
}

static enum sl_status insert_segment(struct sl_registry *r, const char *run, const char *rendition,
                                     const struct sl_registry_segment *s, struct sl_error *err)
{
    return sl_registry_exec(
        r,
        "INSERT INTO segments (run, rendition, number, cid, init_cid, start_ticks, "
        "duration_ticks, bytes, init_bytes, program_time, discontinuity, gap) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        SL_ARGS(sl_db_text(run), sl_db_text(rendition), sl_db_integer(s->number),
                sl_db_text(s->cid), sl_db_text(s->init_cid), sl_db_integer(s->start),
                sl_db_integer(s->duration), sl_db_integer(s->bytes), sl_db_integer(s->init_bytes),
                sl_db_time(s->program_time), sl_db_integer(s->discontinuity),
                sl_db_integer(s->gap)),
        err);
}

static enum sl_status add_segment(struct sl_registry *r, const char *run,
                                  const struct sl_registry_item *item,
                                  const struct sl_registry_segment *s, struct rendition *n,
                                  struct sl_error *err)
{
    const bool none = n->next == 0;
    enum sl_status status;

    if (!none && s->number < n->next) {
        return check_same(r, run, item->rendition, s, err);
    }
    if (!none && s->number > n->next) {
        return sl_fail(err, SL_EINVAL, r->name,
                       "segment %" PRId64 " of %s/%s would leave a hole: %" PRId64 " comes next",
                       s->number, run, item->rendition, n->next);
    }
    status = insert_segment(r, run, item->rendition, s, err);
    if (none) {
        n->first = s->number;
    }
    n->next = s->number + 1;
    n->end = s->start + s->duration;
    n->bytes += s->bytes;
    return status;
}

/* *changed: something of it was not there before. */
static enum sl_status put_item(struct sl_registry *r, const char *run, int64_t revision,
                               const struct sl_registry_item *item, bool *changed,
                               struct sl_error *err)
{
    int64_t columns[5] = {0}; /* first, next, end, bytes, playlist is the same */
    struct rendition n;
    bool found = false;
    enum sl_status status = sl_registry_integers(
        r,
        "SELECT first_number, next_number, end_ticks, bytes, "
        "CASE WHEN playlist_cid = coalesce($3, playlist_cid) THEN 1 ELSE 0 END "
        "FROM renditions WHERE run = $1 AND name = $2",
        SL_ARGS(sl_db_text(run), sl_db_text(item->rendition), sl_db_text(item->playlist_cid)),
        columns, 5, &found, err);

    if (status == SL_OK && !found) {
        return sl_fail(err, SL_EINVAL, r->name, "run \"%s\" has no rendition \"%s\"", run,
                       item->rendition);
    }
    n = (struct rendition){columns[0], columns[1], columns[2], columns[3]};
    for (size_t i = 0; status == SL_OK && i < item->segment_count; i++) {
        status = add_segment(r, run, item, &item->segments[i], &n, err);
    }
    if (status != SL_OK || (n.next == columns[1] && columns[4])) {
        return status;
    }
    *changed = true;
    return sl_registry_exec(
        r,
        "UPDATE renditions SET first_number = $3, next_number = $4, end_ticks = $5, bytes = $6, "
        "revision = $7, playlist_cid = coalesce($8, playlist_cid) WHERE run = $1 AND name = $2",
        SL_ARGS(sl_db_text(run), sl_db_text(item->rendition), sl_db_integer(n.first),
                sl_db_integer(n.next), sl_db_integer(n.end), sl_db_integer(n.bytes),
                sl_db_integer(revision), sl_db_text(item->playlist_cid)),
        err);
}

/* ---- the run ----------------------------------------------------------------------------- */

static enum sl_status add_quality(void *opaque, const struct sl_db_value *c, struct sl_error *err)
{
    json_t *one =
        json_pack("{s:s?, s:I, s:I, s:I}", "cid", c[1].text, "width", (json_int_t)c[2].integer,
                  "height", (json_int_t)c[3].integer, "bitrate", (json_int_t)c[4].integer);

    if (!one || !c[0].text || json_object_set_new(opaque, c[0].text, one) < 0) {
        return sl_fail_memory(err);
    }
    return SL_OK;
}

/* For those who read with SQL: {name: {cid, width, height, bitrate}}. NULL: err says why. */
static char *quality_playlists(struct sl_registry *r, const char *run, enum sl_status *status,
                               struct sl_error *err)
{
    json_t *all = json_object();
    const struct sl_db_query q = {
        .sql = "SELECT name, playlist_cid, width, height, bitrate FROM renditions "
               "WHERE run = $1 AND playlist_cid <> '' ORDER BY place, name",
        .args = (const struct sl_db_value[]){sl_db_text(run)},
        .arg_count = 1,
        .row = add_quality,
        .opaque = all,
        .columns = 5};
    char *text = NULL;

    *status = all ? r->ops->query(r->db, &q, err) : sl_fail_memory(err);
    if (*status == SL_OK) {
        text = json_dumps(all, JSON_COMPACT);
        if (!text) {
            *status = sl_fail_memory(err);
        }
    }
    json_decref(all);
    return text;
}

static enum sl_status update_run(struct sl_registry *r, const struct announcing *n,
                                 int64_t revision, struct sl_error *err)
{
    const char *run = n->claim->run;
    enum sl_status status = SL_OK;
    char *qualities = quality_playlists(r, run, &status, err);

    if (status == SL_OK) {
        status = sl_registry_exec(
            r,
            "UPDATE runs SET revision = $2, updated = $3, quality_playlists = $4, "
            "master_cid = coalesce($5, master_cid), resume = coalesce($6, resume) WHERE id = $1",
            SL_ARGS(sl_db_text(run), sl_db_integer(revision), sl_db_integer(r->ops->now(r->db)),
                    sl_db_text(qualities), sl_db_text(n->a->master_cid), sl_db_text(n->a->resume)),
            err);
    }
    free(qualities); /* jansson's */
    return status == SL_OK ? r->ops->changed(r->db, run, revision, err) : status;
}

static enum sl_status announce_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct announcing *n = arg;
    const struct sl_registry_announcement *a = n->a;
    int64_t revision = 0, same = 1;
    bool changed = false;
    enum sl_status status = sl_claim_hold(r, n->claim, &revision, err);

    for (size_t i = 0; status == SL_OK && i < a->item_count; i++) {
        status = put_item(r, n->claim->run, revision + 1, &a->items[i], &changed, err);
    }
    if (status == SL_OK && a->upload_count) {
        status = sl_uploads_insert(r, a->uploads, a->upload_count, n->claim->run, err);
    }
    if (status == SL_OK && !changed && (a->master_cid || a->resume)) {
        status = sl_registry_integers(
            r,
            "SELECT CASE WHEN master_cid = coalesce($2, master_cid) AND "
            "coalesce(resume, '') = coalesce($3, resume, '') THEN 1 ELSE 0 END FROM runs "
            "WHERE id = $1",
            SL_ARGS(sl_db_text(n->claim->run), sl_db_text(a->master_cid), sl_db_text(a->resume)),
            &same, 1, NULL, err);
        changed = !same;
    }
    if (status == SL_OK && changed) {
        status = update_run(r, n, ++revision, err);
    }
    n->revision = revision;
    return status;
}

/* ---- what may be announced --------------------------------------------------------------- */

static enum sl_status check_segment(const struct sl_registry_segment *s, struct sl_error *err)
{
    if (s->number < 0 || s->number >= SL_REGISTRY_SEGMENTS_MAX) {
        return sl_fail(err, SL_EINVAL, "registry", "segment %" PRId64 " is out of range (0 to %d)",
                       s->number, SL_REGISTRY_SEGMENTS_MAX - 1);
    }
    if (s->duration <= 0 || s->start == SL_NO_TIME || s->start > INT64_MAX - s->duration ||
        s->bytes < 0 || s->init_bytes < 0) {
        return sl_fail(err, SL_EINVAL, "registry",
                       "segment %" PRId64 ": duration must be above 0, bytes 0 or more", s->number);
    }
    if (s->gap != !s->cid[0]) {
        return sl_fail(err, SL_EINVAL, "registry",
                       "segment %" PRId64 ": a gap has no CID, all others have one", s->number);
    }
    if (s->init_cid[0] && sl_registry_check_cid(s->init_cid, err) != SL_OK) {
        return SL_EINVAL;
    }
    return s->gap ? SL_OK : sl_registry_check_cid(s->cid, err);
}

static enum sl_status check_announcement(const struct sl_registry_announcement *a,
                                         struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (a->item_count > SL_REGISTRY_RENDITIONS_MAX) {
        return sl_fail(err, SL_EINVAL, "registry", "%zu items (up to %d)", a->item_count,
                       SL_REGISTRY_RENDITIONS_MAX);
    }
    for (size_t i = 0; status == SL_OK && i < a->item_count; i++) {
        const struct sl_registry_item *item = &a->items[i];

        status = sl_registry_check_name(item->rendition, err);
        if (status == SL_OK && item->playlist_cid) {
            status = sl_registry_check_cid(item->playlist_cid, err);
        }
        if (status == SL_OK && item->segment_count > SL_REGISTRY_PAGE_MAX) {
            status = sl_fail(err, SL_EINVAL, "registry", "%zu segments at once (up to %d)",
                             item->segment_count, SL_REGISTRY_PAGE_MAX);
        }
        for (size_t k = 0; status == SL_OK && k < item->segment_count; k++) {
            status = check_segment(&item->segments[k], err);
        }
    }
    if (status == SL_OK && a->master_cid) {
        status = sl_registry_check_cid(a->master_cid, err);
    }
    if (status == SL_OK && a->resume) {
        status = sl_registry_check_json("resume", a->resume, SL_REGISTRY_RESUME_MAX, err);
    }
    return status == SL_OK ? sl_uploads_check(a->uploads, a->upload_count, err) : status;
}

enum sl_status sl_registry_announce(struct sl_registry *r, const struct sl_registry_claim *claim,
                                    const struct sl_registry_announcement *a, int64_t *revision,
                                    struct sl_error *err)
{
    struct announcing n = {.claim = claim, .a = a};
    enum sl_status status = sl_registry_check_id(claim->run, err);

    if (status == SL_OK) {
        status = check_announcement(a, err);
    }
    if (status == SL_OK) {
        status = sl_registry_transact(r, SL_DB_WRITE, announce_body, &n, err);
    }
    if (status == SL_OK && revision) {
        *revision = n.revision;
    }
    return status;
}
