/* SPDX-License-Identifier: BSD-2-Clause */
#include "place.h"

#include <fcntl.h>
#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

struct place place;

static char programs[128]; /* of PostgreSQL */

static void become(const struct passwd *user)
{
    if (user && (setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
        _exit(126);
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT);
}

/* PostgreSQL does not run as root. */
static const struct passwd *somebody(void)
{
    const struct passwd *user = NULL;

    if (geteuid() == 0) {
        user = getpwnam("postgres");
        if (!user)
            user = getpwnam("nobody");
    }
    return user;
}

static pid_t run(const char *const *argv)
{
    const struct passwd *user = somebody();
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        int out = open("server.log", O_WRONLY | O_CREAT | O_APPEND, 0600);

        become(user);
        (void)dup2(out, 1);
        (void)dup2(out, 2);
        (void)execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

static void show_log(void)
{
    size_t size;
    uint8_t *text = scratch_read(scratch_name(&place.scratch, "server.log"), &size);

    print_message("%s\n", (char *)text);
    free(text);
}

bool place_begin(bool postgres)
{
    char initdb[160], data[96];
    glob_t found;
    int status;

    place.postgres = postgres;
    scratch_make(&place.scratch);
    if (!postgres) {
        (void)snprintf(place.where, sizeof(place.where), "%s/runs.db", place.scratch.path);
        return true;
    }
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0) {
        scratch_remove(&place.scratch);
        return false;
    }
    (void)snprintf(programs, sizeof(programs), "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
    (void)snprintf(initdb, sizeof(initdb), "%.*sinitdb",
                   (int)(strrchr(programs, '/') + 1 - programs), programs);
    (void)snprintf(data, sizeof(data), "%s/data", place.scratch.path);
    (void)snprintf(place.where, sizeof(place.where), "postgres:///postgres?host=%s&user=sluice",
                   place.scratch.path);
    if (geteuid() == 0)
        assert_int_equal(chown(place.scratch.path, somebody()->pw_uid, somebody()->pw_gid), 0);
    assert_int_equal(chdir(place.scratch.path), 0);
    place.server = run((const char *[]){initdb, "-D", data, "-U", "sluice", "-A", "trust", "-N",
                                        "--no-locale", "-E", "UTF8", NULL});
    assert_int_equal(waitpid(place.server, &status, 0), place.server);
    if (status != 0)
        show_log();
    assert_int_equal(status, 0);
    place_start();
    return true;
}

void place_start(void)
{
    struct sl_registry *r;

    if (!place.postgres) {
        char away[300];

        (void)snprintf(away, sizeof(away), "%s.away", place.where);
        assert_int_equal(rename(away, place.where), 0);
        return;
    }
    char data[96];

    (void)snprintf(data, sizeof(data), "%s/data", place.scratch.path);
    /* fsync is on, as it is by itself. */
    place.server = run((const char *[]){programs, "-D", data, "-k", place.scratch.path, "-c",
                                        "listen_addresses=", "-c", "shared_buffers=16MB", NULL});
    r = place_open(60000);
    sl_registry_close(&r);
}

void place_stop(void)
{
    if (!place.postgres) {
        char away[300];

        (void)snprintf(away, sizeof(away), "%s.away", place.where);
        assert_int_equal(rename(place.where, away), 0);
        return;
    }
    assert_int_equal(kill(place.server, SIGQUIT), 0);
    assert_int_equal(waitpid(place.server, NULL, 0), place.server);
    place.server = 0;
}

void place_end(void)
{
    if (place.server > 0)
        place_stop();
    scratch_remove(&place.scratch);
}

int place_clear(void **state)
{
    (void)state;
    if (place.postgres) {
        free(place_sql("DROP SCHEMA public CASCADE"));
        free(place_sql("CREATE SCHEMA public"));
    } else {
        char name[300];

        (void)unlink(place.where);
        (void)snprintf(name, sizeof(name), "%s-wal", place.where);
        (void)unlink(name);
        (void)snprintf(name, sizeof(name), "%s-shm", place.where);
        (void)unlink(name);
    }
    return 0;
}

static char *sqlite_sql(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    char *out = NULL;

    assert_int_equal(sqlite3_open(place.where, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 10000);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0))
        out = strdup((const char *)sqlite3_column_text(statement, 0));
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(db);
    return out;
}

static void silent(void *opaque, const char *message)
{
    (void)opaque;
    (void)message;
}

char *place_sql(const char *sql)
{
    char *out = NULL;
    PGconn *conn;
    PGresult *result;

    if (!place.postgres)
        return sqlite_sql(sql);
    conn = PQconnectdb(place.where);
    (void)PQsetNoticeProcessor(conn, silent, NULL);
    result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0))
        out = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(conn);
    return out;
}

struct sl_registry *place_open(int wait_ms)
{
    const struct sl_registry_params params = {.wait_ms = wait_ms, .create = true};
    struct sl_error err = {.status = SL_OK};
    struct sl_registry *r = NULL;

    assert_ok(sl_registry_open(&r, place.where, &params, &err), &err);
    return r;
}

/* ---- what is put into it ----------------------------------------------------------------- */

void fake_cid(char out[SL_REGISTRY_CID_MAX], const char *name, int64_t number)
{
    (void)snprintf(out, SL_REGISTRY_CID_MAX, "bafkreifake%s%lld", name, (long long)number);
}

struct sl_registry_segment fake_segment(const char *rendition, int64_t number)
{
    struct sl_registry_segment s = {.number = number,
                                    .start = number * 120,
                                    .duration = 120,
                                    .bytes = 1000 + number,
                                    .program_time = SL_NO_TIME};

    fake_cid(s.cid, rendition, number);
    fake_cid(s.init_cid, rendition, 0);
    return s;
}

void set_three(struct sl_registry *r, const struct sl_registry_claim *claim)
{
    const struct sl_registry_rendition three[] = {
        {.name = "720p",
         .kind = "video",
         .format = "fmp4",
         .codecs = "avc1.64001f",
         .width = 1280,
         .height = 720,
         .frame_rate = {30, 1},
         .timebase = {1, 30},
         .bitrate = 3000000,
         .target_duration = 4},
        {.name = "360p",
         .kind = "video",
         .format = "fmp4",
         .codecs = "avc1.64001e",
         .width = 640,
         .height = 360,
         .frame_rate = {30, 1},
         .timebase = {1, 30},
         .bitrate = 800000,
         .target_duration = 4},
        {.name = "sound",
         .kind = "audio",
         .format = "fmp4",
         .codecs = "mp4a.40.2",
         .language = "en",
         .channels = 2,
         .sample_rate = 48000,
         .frame_rate = {0, 1},
         .timebase = {1, 48000},
         .bitrate = 130000,
         .target_duration = 4},
    };
    struct sl_error err = {.status = SL_OK};

    assert_ok(sl_registry_set_renditions(r, claim, three, 3, &err), &err);
}

struct sl_registry_claim claim_run(struct sl_registry *r, const char *run)
{
    const struct sl_registry_claim_params params = {.run = run, .may_exist = true};
    struct sl_registry_claim claim;
    struct sl_error err = {.status = SL_OK};

    assert_ok(sl_registry_claim(r, &params, &claim, &err), &err);
    return claim;
}

enum sl_status announce_one(struct sl_registry *r, const struct sl_registry_claim *claim,
                            const char *rendition, int64_t number, struct sl_error *err)
{
    const struct sl_registry_segment segment = fake_segment(rendition, number);
    const struct sl_registry_item item = {
        .rendition = rendition, .segments = &segment, .segment_count = 1};
    const struct sl_registry_announcement a = {.items = &item, .item_count = 1};

    return sl_registry_announce(r, claim, &a, NULL, err);
}
