/* SPDX-License-Identifier: BSD-2-Clause */
/* Renditions of a run, and the pages of their segments. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "registry/internal.h"

/* ---- what is said of them ---------------------------------------------------------------- */

static enum sl_status check_rendition(const struct sl_registry_rendition *n, struct sl_error *err)
{
    enum sl_status status = sl_registry_check_name(n->name, err);

    if (status == SL_OK) {
        status = sl_registry_check_word("kind", n->kind, sizeof(n->kind), err);
    }
    if (status == SL_OK) {
        status = sl_registry_check_word("format", n->format, sizeof(n->format), err);
    }
    if (status == SL_OK) {
        status = sl_registry_check_word("codecs", n->codecs, sizeof(n->codecs), err);
    }
    if (status == SL_OK) {
        status = sl_registry_check_word("language", n->language, sizeof(n->language), err);
    }
    if (status == SL_OK &&
        (!sl_rational_valid(n->timebase) || n->frame_rate.num < 0 || n->frame_rate.den < 0 ||
         n->width < 0 || n->height < 0 || n->channels < 0 || n->sample_rate < 0 || n->bitrate < 0 ||
         n->average_bitrate < 0 || n->target_duration < 0 || n->window < 0)) {
        return sl_fail(err, SL_EINVAL, n->name,
                       "a number of the rendition is out of range (timebase above 0, others 0 or "
                       "more)");
    }
    return status;
}

struct setting {
    const struct sl_registry_claim *claim;
    const struct sl_registry_rendition *all;
    size_t count;
};

/* What stays as it is decides whether the row is updated. */
static enum sl_status set_one(struct sl_registry *r, const char *run, size_t place,
                              int64_t revision, const struct sl_registry_rendition *n,
                              struct sl_error *err)
{
    int64_t done = 0;
    bool found = false;
    enum sl_status status = sl_registry_integers(
        r,
        "INSERT INTO renditions (run, name, place, kind, format, codecs, language, width, height, "
        "channels, sample_rate, frame_rate_num, frame_rate_den, timebase_num, timebase_den, "
        "bitrate, average_bitrate, target_duration, live_window, first_number, next_number, "
        "end_ticks, bytes, revision, playlist_cid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 0, 0, 0, 0, $20, '') "
        "ON CONFLICT (run, name) DO UPDATE SET place = excluded.place, codecs = excluded.codecs, "
        "language = excluded.language, channels = excluded.channels, "
        "sample_rate = excluded.sample_rate, frame_rate_num = excluded.frame_rate_num, "
        "frame_rate_den = excluded.frame_rate_den, bitrate = excluded.bitrate, "
        "average_bitrate = excluded.average_bitrate, live_window = excluded.live_window, "
        "revision = excluded.revision "
        "WHERE renditions.kind = excluded.kind AND renditions.format = excluded.format AND "
        "renditions.width = excluded.width AND renditions.height = excluded.height AND "
        "renditions.timebase_num = excluded.timebase_num AND "
        "renditions.timebase_den = excluded.timebase_den AND "
        "renditions.target_duration = excluded.target_duration RETURNING 1",
        SL_ARGS(sl_db_text(run), sl_db_text(n->name), sl_db_integer((int64_t)place),
                sl_db_text(n->kind), sl_db_text(n->format), sl_db_text(n->codecs),
                sl_db_text(n->language), sl_db_integer(n->width), sl_db_integer(n->height),
                sl_db_integer(n->channels), sl_db_integer(n->sample_rate),
                sl_db_integer(n->frame_rate.num), sl_db_integer(n->frame_rate.den),
                sl_db_integer(n->timebase.num), sl_db_integer(n->timebase.den),
                sl_db_integer(n->bitrate), sl_db_integer(n->average_bitrate),
                sl_db_integer(n->target_duration), sl_db_integer(n->window),
                sl_db_integer(revision)),
        &done, 1, &found, err);

    if (status == SL_OK && !found) {
        return sl_fail(err, SL_EEXIST, r->name,
                       "rendition \"%s\" of run \"%s\" is there with another size, kind, format, "
                       "timebase or target duration, which cannot change",
                       n->name, run);
    }
    return status;
}

static enum sl_status set_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    const struct setting *s = arg;
    int64_t revision = 0, count = 0;
    enum sl_status status = sl_claim_hold(r, s->claim, &revision, err);

    for (size_t i = 0; status == SL_OK && i < s->count; i++) {
        status = set_one(r, s->claim->run, i, revision + 1, &s->all[i], err);
    }
    if (status == SL_OK) {
        status = sl_registry_integers(r, "SELECT count(*) FROM renditions WHERE run = $1",
                                      SL_ARGS(sl_db_text(s->claim->run)), &count, 1, NULL, err);
    }
    if (status == SL_OK && count > SL_REGISTRY_RENDITIONS_MAX) {
        status = sl_fail(err, SL_EINVAL, r->name, "a run has up to %d renditions",
                         SL_REGISTRY_RENDITIONS_MAX);
    }
    if (status == SL_OK) {
        status = sl_registry_exec(r, "UPDATE runs SET revision = $2, updated = $3 WHERE id = $1",
                                  SL_ARGS(sl_db_text(s->claim->run), sl_db_integer(revision + 1),
                                          sl_db_integer(r->ops->now(r->db))),
                                  err);
    }
    return status == SL_OK ? r->ops->changed(r->db, s->claim->run, revision + 1, err) : status;
}

enum sl_status sl_registry_set_renditions(struct sl_registry *r,
                                          const struct sl_registry_claim *claim,
                                          const struct sl_registry_rendition *all, size_t count,
                                          struct sl_error *err)
{
    struct setting s = {.claim = claim, .all = all, .count = count};
    enum sl_status status = sl_registry_check_id(claim->run, err);

    if (status == SL_OK && (count == 0 || count > SL_REGISTRY_RENDITIONS_MAX)) {
        status = sl_fail(err, SL_EINVAL, "registry", "%zu renditions (1 to %d)", count,
                         SL_REGISTRY_RENDITIONS_MAX);
    }
    for (size_t i = 0; status == SL_OK && i < count; i++) {
        status = check_rendition(&all[i], err);
        for (size_t k = 0; status == SL_OK && k < i; k++) {
            if (!strcmp(all[i].name, all[k].name)) {
                status = sl_fail(err, SL_EINVAL, "registry", "rendition \"%s\" is named twice",
                                 all[i].name);
            }
        }
    }
    return status == SL_OK ? sl_registry_transact(r, SL_DB_WRITE, set_body, &s, err) : status;
}

/* ---- reading them ------------------------------------------------------------------------ */

struct rows {
    const char *run, *rendition;
    int64_t first;
    size_t limit, each;
    bool last;
    void *items;
    size_t count, capacity;
};

/* Room for one more, zeroed; NULL: there is none. */
static void *one_more(struct rows *rows)
{
    unsigned char *item;

    if (sl_grow(&rows->items, &rows->capacity, rows->count, rows->each, rows->limit) != SL_OK) {
        return NULL;
    }
    item = (unsigned char *)rows->items + rows->count++ * rows->each;
    memset(item, 0, rows->each);
    return item;
}

static void start_again(struct rows *rows)
{
    rows->count = 0; /* the room stays */
}

#define RENDITION_COLUMNS                                                                          \
    "name, kind, format, codecs, language, playlist_cid, width, height, channels, sample_rate, "   \
    "frame_rate_num, frame_rate_den, timebase_num, timebase_den, bitrate, average_bitrate, "       \
    "target_duration, live_window, first_number, next_number, end_ticks, bytes, revision"
#define RENDITION_COLUMN_COUNT 23

static enum sl_status take_rendition(void *opaque, const struct sl_db_value *c,
                                     struct sl_error *err)
{
    struct sl_registry_rendition *n = one_more(opaque);

    if (!n) {
        return sl_fail_memory(err);
    }
    if (SL_TAKE_TEXT(n->name, &c[0], err) != SL_OK || SL_TAKE_TEXT(n->kind, &c[1], err) != SL_OK ||
        SL_TAKE_TEXT(n->format, &c[2], err) != SL_OK ||
        SL_TAKE_TEXT(n->codecs, &c[3], err) != SL_OK ||
        SL_TAKE_TEXT(n->language, &c[4], err) != SL_OK ||
        SL_TAKE_TEXT(n->playlist_cid, &c[5], err) != SL_OK) {
        return SL_EDATA;
    }
    n->width = (int32_t)c[6].integer;
    n->height = (int32_t)c[7].integer;
    n->channels = (int32_t)c[8].integer;
    n->sample_rate = (int32_t)c[9].integer;
    n->frame_rate = sl_rational(c[10].integer, c[11].integer);
    n->timebase = sl_rational(c[12].integer, c[13].integer);
    n->bitrate = c[14].integer;
    n->average_bitrate = c[15].integer;
    n->target_duration = (int32_t)c[16].integer;
    n->window = (int32_t)c[17].integer;
    n->first = c[18].integer;
    n->next = c[19].integer;
    n->end = c[20].integer;
    n->bytes = c[21].integer;
    n->revision = c[22].integer;
    return sl_rational_valid(n->timebase)
               ? SL_OK
               : sl_fail(err, SL_EDATA, n->name, "the rendition has no timebase");
}

static enum sl_status renditions_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct rows *rows = arg;
    const struct sl_db_query q = {
        .sql = "SELECT " RENDITION_COLUMNS " FROM renditions WHERE run = $1 ORDER BY place, name "
               "LIMIT $2",
        .args = (const struct sl_db_value[]){sl_db_text(rows->run),
                                             sl_db_integer((int64_t)rows->limit)},
        .arg_count = 2,
        .row = take_rendition,
        .opaque = rows,
        .columns = RENDITION_COLUMN_COUNT};
    int64_t there;
    bool found = false;
    enum sl_status status;

    start_again(rows);
    status = sl_registry_integers(r, "SELECT 1 FROM runs WHERE id = $1",
                                  SL_ARGS(sl_db_text(rows->run)), &there, 1, &found, err);
    if (status == SL_OK && !found) {
        return sl_registry_not_found(r, rows->run, err);
    }
    return status == SL_OK ? r->ops->query(r->db, &q, err) : status;
}

/* Runs the body and hands its items over. */
static enum sl_status read_rows(struct sl_registry *r, struct rows *rows,
                                enum sl_status (*body)(struct sl_registry *r, void *arg,
                                                       struct sl_error *err),
                                size_t *count, struct sl_error *err)
{
    enum sl_status status = sl_registry_check_id(rows->run, err);

    *count = 0;
    if (status == SL_OK && rows->rendition) {
        status = sl_registry_check_name(rows->rendition, err);
    }
    if (status == SL_OK) {
        status = sl_registry_transact(r, SL_DB_READ, body, rows, err);
    }
    if (status != SL_OK) {
        sl_free(rows->items);
        rows->items = NULL;
        return status;
    }
    *count = rows->count;
    return SL_OK;
}

enum sl_status sl_registry_renditions(struct sl_registry *r, const char *run,
                                      struct sl_registry_rendition **out, size_t *count,
                                      struct sl_error *err)
{
    struct rows rows = {.run = run, .limit = SL_REGISTRY_RENDITIONS_MAX, .each = sizeof(**out)};
    enum sl_status status = read_rows(r, &rows, renditions_body, count, err);

    *out = rows.items;
    return status;
}

/* ---- segments ---------------------------------------------------------------------------- */

static enum sl_status take_segment(void *opaque, const struct sl_db_value *c, struct sl_error *err)
{
    struct sl_registry_segment *s = one_more(opaque);

    if (!s) {
        return sl_fail_memory(err);
    }
    s->number = c[0].integer;
    s->start = c[3].integer;
    s->duration = c[4].integer;
    s->bytes = c[5].integer;
    s->init_bytes = c[6].integer;
    s->program_time = c[7].type == SL_DB_NULL ? SL_NO_TIME : c[7].integer;
    s->discontinuity = c[8].integer != 0;
    s->gap = c[9].integer != 0;
    return SL_TAKE_TEXT(s->cid, &c[1], err) == SL_OK ? SL_TAKE_TEXT(s->init_cid, &c[2], err)
                                                     : SL_EDATA;
}

static enum sl_status segments_body(struct sl_registry *r, void *arg, struct sl_error *err)
{
    struct rows *rows = arg;
    int64_t numbers[2] = {0, 0}; /* first, next */
    bool found = false;
    enum sl_status status = sl_registry_integers(
        r, "SELECT first_number, next_number FROM renditions WHERE run = $1 AND name = $2",
        SL_ARGS(sl_db_text(rows->run), sl_db_text(rows->rendition)), numbers, 2, &found, err);

    if (status != SL_OK) {
        return status;
    }
    if (!found) {
        return sl_fail(err, SL_ENOTFOUND, r->name, "run \"%s\" has no rendition \"%s\"", rows->run,
                       rows->rendition);
    }
    start_again(rows);
    const struct sl_db_query q = {
        .sql = "SELECT number, cid, init_cid, start_ticks, duration_ticks, bytes, init_bytes, "
               "program_time, discontinuity, gap FROM segments WHERE run = $1 AND rendition = $2 "
               "AND number >= $3 ORDER BY number LIMIT $4",
        .args =
            (const struct sl_db_value[]){
                sl_db_text(rows->run), sl_db_text(rows->rendition),
                sl_db_integer(rows->last ? numbers[1] - (int64_t)rows->limit : rows->first),
                sl_db_integer((int64_t)rows->limit)},
        .arg_count = 4,
        .row = take_segment,
        .opaque = rows,
        .columns = 10};
    return r->ops->query(r->db, &q, err);
}

enum sl_status sl_registry_segments(struct sl_registry *r,
                                    const struct sl_registry_segments_query *query,
                                    struct sl_registry_segment **out, size_t *count,
                                    struct sl_error *err)
{
    struct rows rows = {.run = query->run,
                        .rendition = query->rendition ? query->rendition : "",
                        .first = query->first,
                        .last = query->last,
                        .limit = query->limit,
                        .each = sizeof(**out)};
    enum sl_status status;

    if (rows.limit == 0 || rows.limit > SL_REGISTRY_PAGE_MAX) {
        rows.limit = SL_REGISTRY_PAGE_MAX;
    }
    status = read_rows(r, &rows, segments_body, count, err);
    *out = rows.items;
    return status;
}
