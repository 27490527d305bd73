/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/run.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

/* ---- progress ------------------------------------------------------------------------------ */

int cli_progress_set(struct cli_progress *p, const char *value)
{
    static const char *const styles[] = {"auto", "line", "json", "none"};
    for (size_t i = 0; i < sizeof styles / sizeof styles[0]; i++) {
        if (!strcmp(value, styles[i])) {
            p->style = (enum cli_progress_style)i;
            return -1;
        }
    }
    (void)fprintf(stderr, "sluice: progress: \"%s\" is not allowed (auto, line, json, none)\n",
                  value);
    return CLI_USAGE;
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

void cli_progress_start(struct cli_progress *p)
{
    if (p->style == CLI_PROGRESS_AUTO) {
        p->style = isatty(STDERR_FILENO) ? CLI_PROGRESS_LINE : CLI_PROGRESS_NONE;
    }
    p->open = false;
    p->started = p->last = now();
}

bool cli_progress_due(struct cli_progress *p, bool finished)
{
    if (p->style == CLI_PROGRESS_NONE) {
        return false;
    }
    int64_t t = now();
    if (!finished && t - p->last < NS_PER_S / 4) {
        return false;
    }
    p->last = t;
    return true;
}

int64_t cli_progress_spent_us(const struct cli_progress *p)
{
    return (p->last - p->started) / 1000;
}

const char *cli_progress_event(bool finished)
{
    return finished ? "finished" : "progress";
}

void cli_progress_rest(struct cli_progress *p, int64_t position_us, int64_t duration_us,
                       bool finished)
{
    if (duration_us > 0 && position_us > 0) {
        int64_t left_us = duration_us > position_us ? duration_us - position_us : 0;
        int64_t done_ms = position_us / 1000 > 0 ? position_us / 1000 : 1;
        int64_t left_s = cli_progress_spent_us(p) / 1000 * (left_us / 1000) / done_ms / 1000;
        (void)fprintf(stderr, ", %lld %%, %lld:%02lld left",
                      (long long)(100 - left_us * 100 / duration_us), (long long)(left_s / 60),
                      (long long)(left_s % 60));
    }
    (void)fprintf(stderr, "   %s", finished ? "\n" : "");
    p->open = !finished;
}

void cli_progress_coding(struct cli_progress *p, const struct cli_coding *c)
{
    if (!cli_progress_due(p, c->finished)) {
        return;
    }
    if (p->style == CLI_PROGRESS_LINE) {
        int64_t spent_ms = cli_progress_spent_us(p) / 1000;
        int64_t tenths = spent_ms > 0 ? c->pictures * 10000 / spent_ms : 0;
        (void)fprintf(stderr, "\r%lld pictures, %lld kB, %lld.%lld fps", (long long)c->pictures,
                      (long long)(c->bytes / 1000), (long long)(tenths / 10),
                      (long long)(tenths % 10));
        cli_progress_rest(p, c->position_us, c->duration_us, c->finished);
        return;
    }
    (void)fprintf(stderr,
                  "{\"event\":\"%s\",\"pictures\":%lld,\"bytes\":%lld,\"position_us\":%lld,"
                  "\"duration_us\":%lld}\n",
                  cli_progress_event(c->finished), (long long)c->pictures, (long long)c->bytes,
                  (long long)c->position_us, (long long)c->duration_us);
}

void cli_progress_break(struct cli_progress *p)
{
    if (p->open) {
        (void)fputc('\n', stderr);
        p->open = false;
    }
}

/* ---- signals ------------------------------------------------------------------------------- */

static void *volatile running;
static void (*volatile stop_running)(void *run);

static void on_signal(int number)
{
    (void)number;
    void *run = running;
    running = NULL;
    if (!run) {
        _exit(CLI_FAILED);
    }
    stop_running(run);
}

void cli_stop_on_signal(void (*stop)(void *run), void *run)
{
    running = NULL;
    stop_running = stop;
    running = run;
    if (run) {
        struct sigaction action;
        memset(&action, 0, sizeof action);
        action.sa_handler = on_signal;
        sigemptyset(&action.sa_mask);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        (void)signal(SIGPIPE, SIG_IGN); /* writing fails with EPIPE, which can be told */
    }
}

/* ---- operands ------------------------------------------------------------------------------ */

int cli_take_input(char *input, size_t size, const char *value)
{
    if (input[0]) {
        (void)fprintf(stderr, "sluice: %s: one input is enough\n", value);
        return CLI_USAGE;
    }
    if (strlen(value) >= size) {
        (void)fprintf(stderr, "sluice: the input's name is too long\n");
        return CLI_USAGE;
    }
    memcpy(input, value, strlen(value) + 1);
    return -1;
}

int cli_need_files(const struct cli_command *command, const char *input, const char *output)
{
    if (input[0] && output[0]) {
        return -1;
    }
    const char *missing = strstr(command->arguments, "-o ");
    (void)fprintf(stderr, "sluice: %s%s (see: sluice %s --help)\n",
                  input[0] ? missing : "no input is named", input[0] ? " is missing" : "",
                  command->name);
    return CLI_USAGE;
}
