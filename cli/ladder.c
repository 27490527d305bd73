/* SPDX-License-Identifier: BSD-2-Clause */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define NS_PER_S INT64_C(1000000000)

enum progress_style { PROGRESS_AUTO, PROGRESS_LINE, PROGRESS_JSON, PROGRESS_NONE };

struct ladder_command {
    struct sl_ladder_params params;
    enum progress_style style;
    bool have_input;
    int64_t started, last; /* monotonic nanoseconds */
};

/* For the signal handler: the run that a SIGINT stops. */
static struct sl_ladder *volatile running;

static void on_signal(int number)
{
    (void)number;
    struct sl_ladder *l = running;
    running = NULL;
    if (!l) {
        _exit(CLI_FAILED); /* the second one stops at once */
    }
    sl_ladder_stop(l);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void print_line(const struct ladder_command *c, const struct sl_ladder_progress *p)
{
    int64_t spent_us = (c->last - c->started) / 1000;
    int64_t hundredths = spent_us > 0 ? p->position_us * 100 / spent_us : 0;
    (void)fprintf(stderr, "\r%lld pictures, %lld.%02lldx", (long long)p->frames,
                  (long long)(hundredths / 100), (long long)(hundredths % 100));
    if (p->duration_us > 0 && p->position_us > 0) {
        int64_t left_us = p->duration_us > p->position_us ? p->duration_us - p->position_us : 0;
        int64_t percent = 100 - left_us * 100 / p->duration_us;
        int64_t remaining = hundredths > 0 ? left_us / hundredths / 10000 : 0;
        (void)fprintf(stderr, ", %lld %%, %lld:%02lld left", (long long)percent,
                      (long long)(remaining / 60), (long long)(remaining % 60));
    }
    (void)fprintf(stderr, "   %s", p->finished ? "\n" : "");
}

static void print_json(const struct sl_ladder_progress *p)
{
    (void)fprintf(stderr,
                  "{\"event\":\"%s\",\"frames\":%lld,\"position_us\":%lld,\"duration_us\":%lld,"
                  "\"segments\":%lld}\n",
                  p->finished ? "finished" : "progress", (long long)p->frames,
                  (long long)p->position_us, (long long)p->duration_us, (long long)p->segments);
}

static void on_progress(void *opaque, const struct sl_ladder_progress *p)
{
    struct ladder_command *c = opaque;
    int64_t t = now();
    if (c->style == PROGRESS_NONE || (!p->finished && t - c->last < NS_PER_S / 4)) {
        return;
    }
    c->last = t;
    if (c->style == PROGRESS_JSON) {
        print_json(p);
    } else {
        print_line(c, p);
    }
}

static int handle(void *opaque, const char *key, const char *value)
{
    struct ladder_command *c = opaque;
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

static int run(struct ladder_command *c)
{
    struct sl_error err = {0};
    struct sl_ladder *ladder = NULL;
    struct sl_ladder_events events = {.progress = on_progress, .opaque = c};
    struct sigaction action;

    if (c->style == PROGRESS_AUTO) {
        c->style = isatty(STDERR_FILENO) ? PROGRESS_LINE : PROGRESS_NONE;
    }
    c->started = c->last = now();
    if (sl_ladder_open(&ladder, &c->params, &events, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    running = ladder;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    int status = CLI_OK;
    if (sl_ladder_run(ladder, &err) != SL_OK) {
        if (c->style == PROGRESS_LINE) {
            (void)fputc('\n', stderr);
        }
        status = cli_report(&err);
    }
    running = NULL;
    sl_ladder_destroy(&ladder);
    return status;
}

int cmd_ladder(int argc, char **argv)
{
    static const char *const own[] = {"progress=", NULL};
    const struct cli_command command = {
        .name = "ladder",
        .arguments = "INPUT -o DIR",
        .summary = "Makes an HLS ladder from INPUT (a file, or - for standard input). DIR can be "
                   "played while it grows.",
        .example = "sluice ladder film.mkv -o out\n"
                   "  render | sluice ladder --raw rgb24 --size 1920x1080 --rate 30 -o out -",
        .table = sl_ladder_options(),
        .short_output = "output",
        .own = own,
    };
    struct sl_error err = {0};
    struct ladder_command *c = calloc(1, sizeof *c);
    if (!c) {
        (void)fprintf(stderr, "sluice: out of memory\n");
        return CLI_FAILED;
    }
    int status;
    if (sl_ladder_params_default(&c->params, sizeof c->params, &err) != SL_OK) {
        status = cli_report(&err);
        goto out;
    }
    status = cli_parse(&command, argc, argv, &c->params, handle, c);
    if (status >= 0) {
        goto out;
    }
    if (!c->have_input || !c->params.output[0]) {
        (void)fprintf(stderr, "sluice: %s (see: sluice ladder --help)\n",
                      c->have_input ? "-o DIR is missing" : "no input is named");
        status = CLI_USAGE;
        goto out;
    }
    status = run(c);
out:
    free(c);
    return status;
}
