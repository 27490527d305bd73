/* SPDX-License-Identifier: BSD-2-Clause */
/* LISTEN on a connection of its own. One epoll descriptor stands for the socket, which changes from
 * connection to connection, and for the timer by which a silent server is found out and a lost one
 * is looked for again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/postgres.h"

#define RETRY_MS    500
#define CONNECT_MS  10000 /* for one attempt */
#define PING_MS     10000 /* after that long without a word the server is asked for one */
#define CHANGES_MAX 64    /* told at once */

enum state { DOWN, CONNECTING, LISTENING, READY };

struct sl_db_watch {
    PGconn *conn;
    struct sl_db_params params;
    char *where, *name; /* owned */
    int epoll, timer;
    enum state state;
    bool pinged;
    bool said; /* that it is out of reach */
};

static void arm(struct sl_db_watch *w, int ms)
{
    const struct itimerspec t = {.it_value = {ms / 1000, (long)(ms % 1000) * 1000000}};

    (void)timerfd_settime(w->timer, 0, &t, NULL);
}

/* While it connects libpq may go from one socket to the next. */
static enum sl_status want(struct sl_db_watch *w, uint32_t events, struct sl_error *err)
{
    const int fd = PQsocket(w->conn);
    struct epoll_event e = {.events = events, .data.fd = fd};

    if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, fd, &e) < 0 &&
        (errno != ENOENT || epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &e) < 0)) {
        return sl_fail_errno(err, errno, w->name, "epoll");
    }
    return SL_OK;
}

static void hang_up(struct sl_db_watch *w)
{
    PQfinish(w->conn); /* closing takes the socket out of epoll */
    w->conn = NULL;
    w->state = DOWN;
    w->pinged = false;
}

static enum sl_status out_of_reach(struct sl_db_watch *w, const char *text, struct sl_error *err)
{
    char line[160];

    sl_postgres_line(line, sizeof(line), text && text[0] ? text : "no answer");
    hang_up(w);
    arm(w, RETRY_MS);
    if (w->said) {
        return SL_OK;
    }
    w->said = true;
    return sl_fail(err, SL_EBUSY, w->name, "the connection to PostgreSQL is lost: %s", line);
}

/* ---- connecting -------------------------------------------------------------------------- */

static enum sl_status start(struct sl_db_watch *w, struct sl_error *err)
{
    w->conn = sl_postgres_start(&w->params);
    if (!w->conn) {
        arm(w, RETRY_MS);
        return sl_fail_memory(err);
    }
    if (PQstatus(w->conn) == CONNECTION_BAD) {
        return out_of_reach(w, PQerrorMessage(w->conn), err);
    }
    w->state = CONNECTING;
    arm(w, CONNECT_MS);
    return want(w, EPOLLOUT, err);
}

static enum sl_status go_on_connecting(struct sl_db_watch *w, struct sl_error *err)
{
    switch (PQconnectPoll(w->conn)) {
    case PGRES_POLLING_READING:
        return want(w, EPOLLIN, err);
    case PGRES_POLLING_WRITING:
        return want(w, EPOLLOUT, err);
    case PGRES_POLLING_OK:
        break;
    default:
        return out_of_reach(w, PQerrorMessage(w->conn), err);
    }
    if (PQsetnonblocking(w->conn, 1) < 0 || !PQsendQuery(w->conn, "LISTEN " SL_POSTGRES_CHANNEL)) {
        return out_of_reach(w, PQerrorMessage(w->conn), err);
    }
    w->state = LISTENING;
    return want(w, EPOLLIN, err);
}

/* ---- being told -------------------------------------------------------------------------- */

struct changes {
    struct sl_registry_change list[CHANGES_MAX];
    size_t count;
    void (*tell)(void *opaque, const struct sl_registry_change *change);
    void *opaque;
};

static void tell_all(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        c->tell(c->opaque, &c->list[i]);
    }
    c->count = 0;
}

/* "revision run"; whatever else is said on the channel is not for us. */
static void add(struct changes *c, const char *payload)
{
    struct sl_registry_change change;
    char *run;
    size_t i;

    change.revision = strtoll(payload, &run, 10);
    if (run == payload || *run != ' ' || !run[1] || strlen(run + 1) >= sizeof(change.run)) {
        return;
    }
    memcpy(change.run, run + 1, strlen(run + 1) + 1);
    for (i = 0; i < c->count && strcmp(c->list[i].run, change.run) != 0; i++) {
    }
    if (i == CHANGES_MAX) {
        tell_all(c);
        i = 0;
    }
    c->list[i] = change;
    c->count = i == c->count ? i + 1 : c->count;
}

static void take_notices(struct sl_db_watch *w, struct changes *c)
{
    for (PGnotify *n = PQnotifies(w->conn); n; n = PQnotifies(w->conn)) {
        if (!strcmp(n->relname, SL_POSTGRES_CHANNEL)) {
            add(c, n->extra);
        }
        PQfreemem(n);
    }
    tell_all(c);
}

/* Answers to LISTEN and pings. *bad: the server refused. */
static void take_results(struct sl_db_watch *w, bool *bad)
{
    while (!PQisBusy(w->conn)) {
        PGresult *result = PQgetResult(w->conn);
        ExecStatusType kind = PQresultStatus(result);

        if (!result) {
            return;
        }
        *bad = *bad ||
               (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK && kind != PGRES_EMPTY_QUERY);
        PQclear(result);
        w->pinged = false;
        if (w->state == LISTENING && !*bad) {
            w->state = READY;
        }
    }
}

static enum sl_status read_ready(struct sl_db_watch *w, struct changes *c, struct sl_error *err)
{
    const enum state before = w->state;
    const bool was_pinged = w->pinged;
    bool bad = false;

    if (PQflush(w->conn) < 0 || !PQconsumeInput(w->conn)) {
        return out_of_reach(w, PQerrorMessage(w->conn), err);
    }
    take_results(w, &bad);
    if (bad || PQstatus(w->conn) == CONNECTION_BAD) {
        return out_of_reach(w, PQerrorMessage(w->conn), err);
    }
    if (before == LISTENING && w->state == READY) {
        const struct sl_registry_change any = {.run = ""};

        w->said = false;
        arm(w, PING_MS);
        c->tell(c->opaque, &any);
    } else if (was_pinged && !w->pinged) {
        arm(w, PING_MS);
    }
    take_notices(w, c);
    return SL_OK;
}

/* The timer went off, or may have. */
static enum sl_status on_time(struct sl_db_watch *w, struct sl_error *err)
{
    if (w->state == DOWN) {
        return start(w, err);
    }
    if (w->state != READY || w->pinged) {
        return out_of_reach(w, "no answer in time", err);
    }
    if (!PQsendQuery(w->conn, "") || PQflush(w->conn) < 0) {
        return out_of_reach(w, PQerrorMessage(w->conn), err);
    }
    w->pinged = true;
    arm(w, PING_MS);
    return SL_OK;
}

enum sl_status sl_postgres_watch_read(struct sl_db_watch *w,
                                      void (*tell)(void *opaque,
                                                   const struct sl_registry_change *change),
                                      void *opaque, struct sl_error *err)
{
    struct changes c = {.count = 0, .tell = tell, .opaque = opaque};
    struct epoll_event events[2];
    uint64_t expirations;
    enum sl_status status = SL_OK;
    bool socket_ready = false;
    int n = epoll_wait(w->epoll, events, 2, 0);

    for (int i = 0; i < n; i++) {
        socket_ready = socket_ready || events[i].data.fd != w->timer;
    }
    /* What has arrived goes first: it may be what the timer would miss. */
    if (w->conn && socket_ready) {
        status = w->state == CONNECTING ? go_on_connecting(w, err) : read_ready(w, &c, err);
    } else if (w->state == READY) {
        status = read_ready(w, &c, err);
    }
    if (status == SL_OK && read(w->timer, &expirations, sizeof(expirations)) > 0) {
        status = on_time(w, err);
    }
    return status;
}

/* ---- opening ----------------------------------------------------------------------------- */

int sl_postgres_watch_fd(const struct sl_db_watch *w)
{
    return w->epoll;
}

/* The first connection is waited for, so that whoever opens the watch learns what is wrong. */
static enum sl_status connect_first(struct sl_db_watch *w, struct sl_error *err)
{
    struct sl_db *db = NULL;
    enum sl_status status = sl_postgres_connect(&db, &w->params, err);

    if (status == SL_OK) {
        status = sl_postgres_simple((struct sl_postgres *)db, "LISTEN " SL_POSTGRES_CHANNEL, err);
    }
    if (status == SL_OK) {
        w->conn = ((struct sl_postgres *)db)->conn;
        ((struct sl_postgres *)db)->conn = NULL;
        w->state = READY;
        arm(w, 1); /* what came together with the answer is in memory, not in the socket */
        status = want(w, EPOLLIN, err);
    }
    if (db) {
        sl_postgres_close(db);
    }
    return status;
}

enum sl_status sl_postgres_watch_open(struct sl_db_watch **out, const struct sl_db_params *params,
                                      struct sl_error *err)
{
    struct sl_db_watch *w = sl_alloc_zero(sizeof(*w));
    struct epoll_event e = {.events = EPOLLIN};
    enum sl_status status;

    *out = NULL;
    if (!w) {
        return sl_fail_memory(err);
    }
    w->epoll = w->timer = -1;
    w->where = sl_strdup(params->where);
    w->name = sl_strdup(params->name);
    if (!w->where || !w->name) {
        status = sl_fail_memory(err);
        goto out;
    }
    w->params = *params;
    w->params.where = w->where;
    w->params.name = w->name;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    e.data.fd = w->timer;
    if (w->epoll < 0 || w->timer < 0 || epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->timer, &e) < 0) {
        status = sl_fail_errno(err, errno, w->name, "epoll");
        goto out;
    }
    status = connect_first(w, err);
    if (status != SL_OK) {
        goto out;
    }
    *out = w;
    return SL_OK;
out:
    sl_postgres_watch_close(w);
    return status;
}

void sl_postgres_watch_close(struct sl_db_watch *w)
{
    PQfinish(w->conn);
    if (w->epoll >= 0) {
        (void)close(w->epoll);
    }
    if (w->timer >= 0) {
        (void)close(w->timer);
    }
    sl_free(w->where);
    sl_free(w->name);
    sl_free(w);
}
