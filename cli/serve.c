/* SPDX-License-Identifier: BSD-2-Clause */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/cli.h"

struct serve_command {
    struct sl_serve_params params;
    const char *root;
};

static int handle(void *opaque, const char *key, const char *value)
{
    struct serve_command *c = opaque;

    (void)key; /* there are no own options */
    if (c->root) {
        (void)fprintf(stderr, "sluice: %s: one directory is enough\n", value);
        return CLI_USAGE;
    }
    if (strlen(value) >= sizeof c->params.root) {
        (void)fprintf(stderr, "sluice: %s: the name is too long\n", value);
        return CLI_USAGE;
    }
    c->root = value;
    return -1;
}

/* One line, one call: lines of several threads do not mix. */
static void write_access(void *opaque, const char *line)
{
    (void)opaque;
    printf("%s\n", line);
}

/* Each connection may need two descriptors, and the usual soft limit of 1024 is there for
 * select(), which nothing here uses. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Waits for the signals that every thread blocks: the first stops, the second stops at once. */
static void *watch_signals(void *opaque)
{
    sigset_t set;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigwait(&set, &number) == 0) {
        sl_server_stop(opaque);
    }
    if (sigwait(&set, &number) == 0) {
        _Exit(CLI_FAILED);
    }
    return NULL;
}

static void announce(const struct serve_command *c, unsigned port)
{
    const char *what = c->root              ? c->root
                       : c->params.media[0] ? c->params.media
                       : c->params.store[0] ? c->params.store
                                            : "sources on the web";
    const char *listen = c->params.listen;

    if (strncmp(listen, "unix:", 5) == 0) {
        printf("serving %s at %s\n", what, listen);
        return;
    }
    printf("serving %s at %s://", what, c->params.tls_cert[0] ? "https" : "http");
    printf(strchr(listen, ':') ? "[%s]:%u/\n" : "%s:%u/\n", listen, port);
}

static int serve(const struct serve_command *c)
{
    struct sl_error err = {0};
    struct sl_server *server = NULL;
    int status = CLI_OK, error;
    pthread_t watcher;
    sigset_t set;

    if (sl_server_open(&server, &c->params, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    error = pthread_create(&watcher, NULL, watch_signals, server);
    if (error != 0) {
        (void)fprintf(stderr, "sluice: cannot start a thread (error %d)\n", error);
        sl_server_destroy(&server);
        return CLI_FAILED;
    }
    announce(c, sl_server_port(server));
    (void)fflush(stdout); /* whoever started us may be waiting for the address */
    if (sl_server_run(server, &err) != SL_OK) {
        status = cli_report(&err);
    }
    (void)pthread_cancel(watcher);
    (void)pthread_join(watcher, NULL);
    sl_server_destroy(&server);
    return status;
}

int cmd_serve(int argc, char **argv)
{
    const struct cli_command command = {
        .name = "serve",
        .arguments = "[DIR]",
        .summary = "Serves DIR over HTTP. The page at / plays the ladders in it and in the two "
                   "levels of directories below. With --media, the media files below that "
                   "directory are streamed at /media/, converted where a browser needs it. With "
                   "--allow-source, so are files on the web, at /proxy/master.m3u8?src=URL.",
        .example = "sluice serve --media ~/films --port 8080",
        .table = sl_serve_options(),
    };
    struct serve_command c = {.root = NULL};
    struct sl_error err = {0};
    int status;

    if (sl_serve_params_default(&c.params, sizeof c.params, &err) != SL_OK) {
        return cli_report(&err);
    }
    status = cli_parse(&command, argc, argv, &c.params, handle, &c);
    if (status >= 0) {
        return status;
    }
    if (!c.root && !c.params.media[0] && !c.params.store[0] && c.params.allow_source_count == 0) {
        (void)fprintf(stderr, "sluice: no directory is named (see: sluice serve --help)\n");
        return CLI_USAGE;
    }
    (void)snprintf(c.params.root, sizeof c.params.root, "%s", c.root ? c.root : "");
    if (c.params.access_log) {
        c.params.access = write_access;
        (void)setvbuf(stdout, NULL, _IOLBF, 0);
    }
    raise_file_limit();
    return serve(&c);
}
