/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema, as a list of migrations. What stands here once is never changed: another version is
 * another entry. Words with @ are the engine's (struct sl_db_word); docs/registry.md tells what the
 * columns hold. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "registry/internal.h"

#define SCRIPT_MAX ((size_t)64 << 10)

static const char version_1[] =
    "CREATE TABLE runs ("
    "id @key NOT NULL PRIMARY KEY,"
    "state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'stopped', 'failed')),"
    "created @int NOT NULL,"
    "updated @int NOT NULL,"
    "ended @int,"
    "revision @int NOT NULL,"
    "profile TEXT NOT NULL,"
    "options TEXT NOT NULL,"
    "error TEXT NOT NULL,"
    "master_cid TEXT NOT NULL,"
    "root_cid TEXT NOT NULL,"
    "quality_playlists @json NOT NULL,"
    "resume TEXT,"
    "epoch @int NOT NULL,"
    "writer TEXT NOT NULL,"
    "heard @int NOT NULL,"
    "lease @int NOT NULL"
    ")@strict;"
    "CREATE INDEX runs_created ON runs (created, id);"
    "CREATE TABLE renditions ("
    "run @key NOT NULL REFERENCES runs (id) ON DELETE CASCADE,"
    "name @key NOT NULL,"
    "place @int NOT NULL,"
    "kind TEXT NOT NULL,"
    "format TEXT NOT NULL,"
    "codecs TEXT NOT NULL,"
    "language TEXT NOT NULL,"
    "width @int NOT NULL,"
    "height @int NOT NULL,"
    "channels @int NOT NULL,"
    "sample_rate @int NOT NULL,"
    "frame_rate_num @int NOT NULL,"
    "frame_rate_den @int NOT NULL,"
    "timebase_num @int NOT NULL,"
    "timebase_den @int NOT NULL,"
    "bitrate @int NOT NULL,"
    "average_bitrate @int NOT NULL,"
    "target_duration @int NOT NULL,"
    "live_window @int NOT NULL,"
    "first_number @int NOT NULL,"
    "next_number @int NOT NULL,"
    "end_ticks @int NOT NULL,"
    "bytes @int NOT NULL,"
    "revision @int NOT NULL,"
    "playlist_cid TEXT NOT NULL,"
    "PRIMARY KEY (run, name)"
    ")@rows;"
    "CREATE TABLE segments ("
    "run @key NOT NULL,"
    "rendition @key NOT NULL,"
    "number @int NOT NULL,"
    "cid TEXT NOT NULL,"
    "init_cid TEXT NOT NULL,"
    "start_ticks @int NOT NULL,"
    "duration_ticks @int NOT NULL,"
    "bytes @int NOT NULL,"
    "init_bytes @int NOT NULL,"
    "program_time @int,"
    "discontinuity @int NOT NULL,"
    "gap @int NOT NULL,"
    "PRIMARY KEY (run, rendition, number),"
    "FOREIGN KEY (run, rendition) REFERENCES renditions (run, name) ON DELETE CASCADE"
    ")@rows;"
    "@changes";

static const char version_2[] = "CREATE TABLE uploads ("
                                "id @identity,"
                                "node @key NOT NULL,"
                                "cid @key NOT NULL,"
                                "run @key NOT NULL,"
                                "action TEXT NOT NULL CHECK (action IN ('add', 'unpin')),"
                                "attempts @int NOT NULL,"
                                "next_time @int NOT NULL,"
                                "queued @int NOT NULL,"
                                "error TEXT NOT NULL,"
                                "UNIQUE (node, cid)"
                                ")@strict;"
                                "CREATE INDEX uploads_due ON uploads (next_time, id);"
                                "CREATE INDEX uploads_run ON uploads (run, id);";

static const char *const migrations[SL_SCHEMA_VERSION] = {version_1, version_2};

/* Puts the engine's words in. */
static enum sl_status expand(const struct sl_db_word *words, const char *sql, struct sl_writer *out)
{
    while (*sql) {
        const struct sl_db_word *w = words;
        while (w->word && strncmp(sql, w->word, strlen(w->word)) != 0) {
            w++;
        }
        if (*sql == '@' && w->word) {
            sl_write_text(out, w->text);
            sql += strlen(w->word);
        } else {
            sl_write_u8(out, (unsigned char)*sql++);
        }
    }
    sl_write_u8(out, 0);
    return sl_writer_finish(out, NULL);
}

static enum sl_status apply(struct sl_registry *r, int version, struct sl_error *err)
{
    struct sl_writer script;
    enum sl_status status;

    sl_writer_init(&script, SCRIPT_MAX);
    status = expand(r->ops->words, migrations[version - 1], &script);
    if (status != SL_OK) {
        (void)sl_fail_memory(err);
    } else {
        status = r->ops->script(r->db, (const char *)script.data, err);
    }
    sl_writer_clear(&script);
    if (status != SL_OK) {
        return status;
    }
    return sl_registry_exec(r, "INSERT INTO sluice_schema (version, applied) VALUES ($1, $2)",
                            SL_ARGS(sl_db_integer(version), sl_db_integer(r->ops->now(r->db))),
                            err);
}

/* 0: nothing of ours is there. */
static enum sl_status find_version(struct sl_registry *r, int64_t *version, struct sl_error *err)
{
    bool found = false;
    enum sl_status status =
        sl_registry_integers(r, "SELECT coalesce(max(version), 0) FROM sluice_schema", SL_NO_ARGS,
                             version, 1, &found, err);

    if (status == SL_OK && *version > SL_SCHEMA_VERSION) {
        return sl_fail(err, SL_EUNSUPPORTED, r->name,
                       "was written by a newer Sluice: schema version %" PRId64
                       ", this one knows up to %d",
                       *version, SL_SCHEMA_VERSION);
    }
    return status;
}

enum sl_status sl_schema_migrate(struct sl_registry *r, int version, bool *done,
                                 struct sl_error *err)
{
    static const char table[] = "CREATE TABLE IF NOT EXISTS sluice_schema ("
                                "version @int NOT NULL PRIMARY KEY, applied @int NOT NULL)@strict;";
    struct sl_writer script;
    int64_t have = 0;
    enum sl_status status;

    *done = false;
    sl_writer_init(&script, SCRIPT_MAX);
    status = expand(r->ops->words, table, &script);
    if (status != SL_OK) {
        (void)sl_fail_memory(err);
    } else {
        status = r->ops->script(r->db, (const char *)script.data, err);
    }
    sl_writer_clear(&script);
    if (status == SL_OK) {
        status = find_version(r, &have, err);
    }
    for (int64_t v = have + 1; status == SL_OK && v <= version; v++) {
        status = apply(r, (int)v, err);
        *done = true;
    }
    return status;
}

enum sl_status sl_schema_check(struct sl_registry *r, struct sl_error *err)
{
    int64_t have = 0, tables = 0;
    enum sl_status status =
        sl_registry_integers(r, r->ops->has_schema, SL_NO_ARGS, &tables, 1, NULL, err);

    if (status == SL_OK && tables) {
        status = find_version(r, &have, err);
    }
    return status == SL_OK && have < SL_SCHEMA_VERSION ? SL_EAGAIN : status;
}
