/* SPDX-License-Identifier: BSD-2-Clause */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define NS_PER_S INT64_C(1000000000)

enum progress_style { PROGRESS_AUTO, PROGRESS_LINE, PROGRESS_JSON, PROGRESS_NONE };

struct remux_command {
    struct sl_remux_params params;
    enum progress_style style;
    bool have_input, printed;
    int64_t started, last; /* monotonic nanoseconds */
};

/* For the signal handler: the run that a SIGINT stops. */
static struct sl_remux *volatile running;

static void on_signal(int number)
{
    (void)number;
    struct sl_remux *r = running;
    running = NULL;
    if (!r) {
        _exit(CLI_FAILED); /* the second one stops at once */
    }
    sl_remux_cancel(r);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void print_line(const struct remux_command *c, const struct sl_remux_progress *p)
{
    int64_t spent_us = (c->last - c->started) / 1000;
    int64_t tenths = spent_us > 0 ? p->position_us * 10 / spent_us : 0;
    (void)fprintf(stderr, "\r%lld.%lld s, %lld MB, %lldx", (long long)(p->position_us / 1000000),
                  (long long)(p->position_us / 100000 % 10), (long long)(p->bytes / 1000000),
                  (long long)(tenths / 10));
    if (p->duration_us > 0 && p->position_us > 0) {
        int64_t left_us = p->duration_us > p->position_us ? p->duration_us - p->position_us : 0;
        int64_t percent = 100 - left_us * 100 / p->duration_us;
        int64_t remaining = tenths > 0 ? left_us / tenths / 100000 : 0;
        (void)fprintf(stderr, ", %lld %%, %lld:%02lld left", (long long)percent,
                      (long long)(remaining / 60), (long long)(remaining % 60));
    }
    (void)fprintf(stderr, "   %s", p->finished ? "\n" : "");
}

static void print_json(const struct remux_command *c, const struct sl_remux_progress *p)
{
    int64_t spent_us = (c->last - c->started) / 1000;
    int64_t thousandths = spent_us > 0 ? p->position_us * 1000 / spent_us : 0;
    (void)fprintf(stderr,
                  "{\"event\":\"%s\",\"position_us\":%lld,\"duration_us\":%lld,\"fragments\":%lld,"
                  "\"bytes\":%lld,\"speed\":%lld.%03lld}\n",
                  p->finished ? "finished" : "progress", (long long)p->position_us,
                  (long long)p->duration_us, (long long)p->fragments, (long long)p->bytes,
                  (long long)(thousandths / 1000), (long long)(thousandths % 1000));
}

static void on_progress(void *opaque, const struct sl_remux_progress *p)
{
    struct remux_command *c = opaque;
    if (c->style == PROGRESS_NONE) {
        return;
    }
    int64_t t = now();
    if (!p->finished && t - c->last < NS_PER_S / 4) {
        return;
    }
    c->last = t;
    c->printed = !p->finished;
    if (c->style == PROGRESS_JSON) {
        print_json(c, p);
    } else {
        print_line(c, p);
    }
}

static int handle(void *opaque, const char *key, const char *value)
{
    struct remux_command *c = opaque;
    if (key) {
        static const char *const styles[] = {"auto", "line", "json", "none"};
        for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
            if (!strcmp(value, styles[i])) {
                c->style = (enum progress_style)i;
                return -1;
            }
        }
        (void)fprintf(stderr, "sluice: progress: \"%s\" is not allowed (auto, line, json, none)\n",
                      value);
        return CLI_USAGE;
    }
    if (c->have_input) {
        (void)fprintf(stderr, "sluice: %s: one input is enough\n", value);
        return CLI_USAGE;
    }
    if (strlen(value) >= sizeof c->params.input) {
        (void)fprintf(stderr, "sluice: the input's name is too long\n");
        return CLI_USAGE;
    }
    memcpy(c->params.input, value, strlen(value) + 1);
    c->have_input = true;
    return -1;
}

/* Whoever reads standard output has gone: that is their right, and no news to anybody. */
static bool reader_has_gone(const struct remux_command *c)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return strcmp(c->params.output, "-") == 0 && poll(&p, 1, 0) > 0 && (p.revents & POLLERR) != 0;
}

static int run(struct remux_command *c)
{
    struct sl_error err = {0};
    struct sl_remux *remux = NULL;
    struct sl_remux_events events = {.progress = on_progress, .opaque = c};
    struct sigaction action;
    int status = CLI_OK;

    if (c->style == PROGRESS_AUTO) {
        c->style = isatty(STDERR_FILENO) ? PROGRESS_LINE : PROGRESS_NONE;
    }
    c->started = c->last = now();
    if (sl_remux_open(&remux, &c->params, &events, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    running = remux;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sl_remux_run(remux, &err) != SL_OK) {
        if (c->style == PROGRESS_LINE && c->printed) {
            (void)fputc('\n', stderr);
        }
        status = err.status == SL_EIO && reader_has_gone(c) ? CLI_FAILED : cli_report(&err);
    }
    running = NULL;
    sl_remux_destroy(&remux);
    return status;
}

int cmd_remux(int argc, char **argv)
{
    static const char *const own[] = {"progress=", NULL};
    const struct cli_command command = {
        .name = "remux",
        .arguments = "INPUT -o OUTPUT",
        .summary =
            "Makes an MP4 of INPUT (a file, an http(s) URL, or - for standard input) without "
            "encoding what can be\npassed through. The output is fragmented: it plays while "
            "it grows, from a pipe too.",
        .example = "sluice remux film.mkv -o film.mp4\n"
                   "  sluice remux film.mkv --start 60 --duration 4 -o - | player -",
        .table = sl_remux_options(),
        .short_output = "output",
        .own = own,
    };
    struct sl_error err = {0};
    struct remux_command *c = calloc(1, sizeof *c);
    int status;
    if (!c) {
        (void)fprintf(stderr, "sluice: out of memory\n");
        return CLI_FAILED;
    }
    if (sl_remux_params_default(&c->params, sizeof c->params, &err) != SL_OK) {
        status = cli_report(&err);
        goto out;
    }
    status = cli_parse(&command, argc, argv, &c->params, handle, c);
    if (status >= 0) {
        goto out;
    }
    if (!c->have_input || !c->params.input[0] || !c->params.output[0]) {
        (void)fprintf(stderr, "sluice: %s (see: sluice remux --help)\n",
                      c->have_input ? "-o OUTPUT is missing" : "no input is named");
        status = CLI_USAGE;
        goto out;
    }
    status = run(c);
out:
    free(c);
    return status;
}
