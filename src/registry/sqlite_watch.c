/* SPDX-License-Identifier: BSD-2-Clause */
/* One watch for a process. inotify tells that somebody writes to the -wal file; a change of PRAGMA
 * data_version tells that it was committed; the table changes tells what it was.
 *
 * A transaction becomes visible a moment after its last write to the -wal file, when that is on the
 * disk: nothing can be waited for then, since the index in shared memory is changed without a call.
 * So each write is followed by looks at ever longer intervals (a look costs microseconds), until
 * a second has passed in which nobody wrote. Beside that one look each second finds what inotify
 * cannot tell: that the file is gone, or that the disk took longer than that. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/sqlite.h"

#define LOOK_FIRST_MS 1
#define LOOK_MAX_MS   32
#define QUIET_MS      1000
#define TICK_MS       1000

struct sl_db_watch {
    struct sl_sqlite *s; /* NULL: out of reach */
    struct sl_db_params params;
    char *where, *name; /* owned */
    int epoll, inotify, timer;
    int mark; /* inotify's, of the -wal file; -1: none */
    int64_t version, sequence;
    int64_t quiet; /* monotonic ms: until then we look often */
    int64_t tick;  /* when the file itself was looked at */
    int look_ms;
    bool said; /* that it is out of reach */
};

static int64_t monotonic_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void arm(struct sl_db_watch *w, int ms)
{
    const struct itimerspec t = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};

    (void)timerfd_settime(w->timer, 0, &t, NULL);
}

/* ---- looking ----------------------------------------------------------------------------- */

static enum sl_status take_integer(void *opaque, const struct sl_db_value *columns,
                                   struct sl_error *err)
{
    int64_t *out = opaque;

    (void)err;
    *out = columns[0].integer;
    return SL_OK;
}

static enum sl_status integer(struct sl_sqlite *s, const char *sql, int64_t arg, bool has_arg,
                              int64_t *out, struct sl_error *err)
{
    const struct sl_db_value value = sl_db_integer(arg);
    const struct sl_db_query q = {.sql = sql,
                                  .args = &value,
                                  .arg_count = has_arg,
                                  .row = take_integer,
                                  .opaque = out,
                                  .columns = 1};

    return sl_sqlite_query(&s->db, &q, err);
}

/* A -wal file that was made anew has another mark. */
static void follow_wal(struct sl_db_watch *w)
{
    if (w->mark < 0) {
        /* Beside the file that a symbolic link leads to: SQLite knows. */
        const char *wal = sqlite3_filename_wal(sqlite3_db_filename(w->s->handle, "main"));

        w->mark = inotify_add_watch(w->inotify, wal, IN_MODIFY | IN_DELETE_SELF | IN_MOVE_SELF);
        if (w->mark >= 0) {
            w->quiet = monotonic_ms() + QUIET_MS;
            w->look_ms = LOOK_FIRST_MS;
        }
    }
}

static void forget(struct sl_db_watch *w)
{
    if (w->s) {
        sl_sqlite_close(&w->s->db);
        w->s = NULL;
    }
    if (w->mark >= 0) {
        (void)inotify_rm_watch(w->inotify, w->mark);
        w->mark = -1;
    }
}

/* Connects and takes what is there as seen. */
static enum sl_status begin(struct sl_db_watch *w, struct sl_error *err)
{
    struct sl_db *db = NULL;
    enum sl_status status;

    /* Who may write also makes the -wal file, if none is there; others follow those who do. */
    w->params.read_only = access(w->where, W_OK) != 0;
    status = sl_sqlite_connect(&db, &w->params, err);
    if (status != SL_OK) {
        return status;
    }
    w->s = (struct sl_sqlite *)db;
    (void)sqlite3_busy_timeout(w->s->handle, 0); /* never waits */
    status = integer(w->s, "PRAGMA data_version", 0, false, &w->version, err);
    if (status == SL_OK) {
        status = integer(w->s, "SELECT coalesce(max(sequence), 0) FROM changes", 0, false,
                         &w->sequence, err);
    }
    if (status != SL_OK) {
        forget(w);
        return status;
    }
    w->params.again = true;
    w->tick = monotonic_ms();
    follow_wal(w);
    return SL_OK;
}

struct telling {
    struct sl_db_watch *w;
    void (*tell)(void *opaque, const struct sl_registry_change *change);
    void *opaque;
};

static enum sl_status tell_one(void *opaque, const struct sl_db_value *columns,
                               struct sl_error *err)
{
    const struct telling *t = opaque;
    struct sl_registry_change change = {.revision = columns[1].integer};

    (void)err;
    if (columns[0].type == SL_DB_TEXT && columns[0].size < sizeof(change.run)) {
        memcpy(change.run, columns[0].text, columns[0].size + 1);
        t->tell(t->opaque, &change);
    }
    t->w->sequence = columns[2].integer;
    return SL_OK;
}

static void tell_any(const struct telling *t)
{
    const struct sl_registry_change change = {.run = ""};

    t->tell(t->opaque, &change);
}

static enum sl_status look(struct sl_db_watch *w, const struct telling *t, struct sl_error *err)
{
    int64_t version = 0, first = 0;
    struct sl_db_value from = sl_db_integer(w->sequence);
    const struct sl_db_query changes = {
        .sql = "SELECT run, revision, sequence FROM changes WHERE sequence IN (SELECT "
               "max(sequence) FROM changes WHERE sequence > $1 GROUP BY run) ORDER BY sequence",
        .args = &from,
        .arg_count = 1,
        .row = tell_one,
        .opaque = (void *)t,
        .columns = 3};
    enum sl_status status = integer(w->s, "PRAGMA data_version", 0, false, &version, err);

    if (status != SL_OK || version == w->version) {
        return status;
    }
    status = integer(w->s, "SELECT coalesce(min(sequence), 0) FROM changes WHERE sequence > $1",
                     w->sequence, true, &first, err);
    if (status == SL_OK && first > w->sequence + 1) { /* more than the table holds */
        tell_any(t);
    }
    if (status == SL_OK) {
        status = sl_sqlite_query(&w->s->db, &changes, err);
    }
    if (status == SL_OK) {
        w->version = version;
    }
    return status;
}

/* ---- what the descriptor is for ---------------------------------------------------------- */

static void drain(struct sl_db_watch *w)
{
    _Alignas(struct inotify_event) char buffer[4096];
    uint64_t expirations;
    ssize_t n;

    (void)!read(w->timer, &expirations, sizeof(expirations));
    while ((n = read(w->inotify, buffer, sizeof(buffer))) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(buffer + at);

            if (e->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED) && e->wd == w->mark) {
                w->mark = -1;
            }
            at += (ssize_t)(sizeof(*e) + e->len);
        }
        w->quiet = monotonic_ms() + QUIET_MS;
        w->look_ms = LOOK_FIRST_MS;
    }
}

static enum sl_status out_of_reach(struct sl_db_watch *w, const struct sl_error *why,
                                   struct sl_error *err)
{
    forget(w);
    arm(w, TICK_MS);
    if (w->said) {
        return SL_OK;
    }
    w->said = true;
    return sl_fail(err, SL_EBUSY, w->name, "%s", why->msg);
}

enum sl_status sl_sqlite_watch_read(struct sl_db_watch *w,
                                    void (*tell)(void *opaque,
                                                 const struct sl_registry_change *change),
                                    void *opaque, struct sl_error *err)
{
    const struct telling t = {w, tell, opaque};
    struct sl_error now = {.status = SL_OK};
    enum sl_status status = SL_OK;
    int64_t at;

    drain(w);
    at = monotonic_ms();
    if (!w->s) {
        status = begin(w, &now);
        if (status == SL_OK) {
            w->said = false;
            tell_any(&t);
        }
    } else if (at - w->tick >= TICK_MS) {
        w->tick = at;
        if (sl_sqlite_has_moved(w->s)) {
            status = sl_fail(&now, SL_EBUSY, w->name, "the database file is gone, or was replaced");
        }
        follow_wal(w);
    }
    if (status == SL_OK) {
        status = look(w, &t, &now);
        if (status == SL_EBUSY && !w->s->db.lost) { /* locked for a moment: looked at again */
            w->quiet = at + QUIET_MS;
            status = SL_OK;
        }
    }
    if (status == SL_ENOMEM) {
        arm(w, LOOK_MAX_MS);
        return sl_fail_memory(err);
    }
    if (status != SL_OK) {
        return out_of_reach(w, &now, err);
    }
    if (at < w->quiet) {
        arm(w, w->look_ms);
        w->look_ms = w->look_ms * 2 < LOOK_MAX_MS ? w->look_ms * 2 : LOOK_MAX_MS;
    } else {
        arm(w, TICK_MS);
    }
    return SL_OK;
}

int sl_sqlite_watch_fd(const struct sl_db_watch *w)
{
    return w->epoll;
}

static enum sl_status open_descriptors(struct sl_db_watch *w, struct sl_error *err)
{
    struct epoll_event e = {.events = EPOLLIN};

    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->epoll < 0 || w->inotify < 0 || w->timer < 0 ||
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->inotify, &e) < 0 ||
        epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->timer, &e) < 0) {
        return sl_fail_errno(err, errno, w->name, "inotify");
    }
    return SL_OK;
}

enum sl_status sl_sqlite_watch_open(struct sl_db_watch **out, const struct sl_db_params *params,
                                    struct sl_error *err)
{
    struct sl_db_watch *w = sl_alloc_zero(sizeof(*w));
    enum sl_status status;

    *out = NULL;
    if (!w) {
        return sl_fail_memory(err);
    }
    w->epoll = w->inotify = w->timer = w->mark = -1;
    w->where = sl_strdup(params->where);
    w->name = sl_strdup(params->name);
    if (!w->where || !w->name) {
        status = sl_fail_memory(err);
        goto out;
    }
    w->params = *params;
    w->params.where = w->where;
    w->params.name = w->name;
    status = open_descriptors(w, err);
    if (status == SL_OK) {
        status = begin(w, err);
    }
    if (status != SL_OK) {
        goto out;
    }
    arm(w, LOOK_FIRST_MS);
    *out = w;
    return SL_OK;
out:
    sl_sqlite_watch_close(w);
    return status;
}

void sl_sqlite_watch_close(struct sl_db_watch *w)
{
    forget(w);
    if (w->epoll >= 0) {
        (void)close(w->epoll);
    }
    if (w->inotify >= 0) {
        (void)close(w->inotify);
    }
    if (w->timer >= 0) {
        (void)close(w->timer);
    }
    sl_free(w->where);
    sl_free(w->name);
    sl_free(w);
}
