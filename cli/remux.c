/* SPDX-License-Identifier: BSD-2-Clause */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/run.h"

struct remux_command {
    struct sl_remux_params params;
    struct cli_progress progress;
};

static void stop(void *remux)
{
    sl_remux_cancel(remux);
}

static void print_line(struct cli_progress *progress, const struct sl_remux_progress *p)
{
    int64_t spent_us = cli_progress_spent_us(progress);
    (void)fprintf(stderr, "\r%lld.%lld s, %lld MB, %lldx", (long long)(p->position_us / 1000000),
                  (long long)(p->position_us / 100000 % 10), (long long)(p->bytes / 1000000),
                  (long long)(spent_us > 0 ? p->position_us / spent_us : 0));
    cli_progress_rest(progress, p->position_us, p->duration_us, p->finished);
}

static void print_json(const struct cli_progress *progress, const struct sl_remux_progress *p)
{
    int64_t spent_us = cli_progress_spent_us(progress);
    int64_t thousandths = spent_us > 0 ? p->position_us * 1000 / spent_us : 0;
    (void)fprintf(stderr,
                  "{\"event\":\"%s\",\"position_us\":%lld,\"duration_us\":%lld,\"fragments\":%lld,"
                  "\"bytes\":%lld,\"speed\":%lld.%03lld}\n",
                  cli_progress_event(p->finished), (long long)p->position_us,
                  (long long)p->duration_us, (long long)p->fragments, (long long)p->bytes,
                  (long long)(thousandths / 1000), (long long)(thousandths % 1000));
}

static void on_progress(void *opaque, const struct sl_remux_progress *p)
{
    struct cli_progress *progress = opaque;
    if (!cli_progress_due(progress, p->finished)) {
        return;
    }
    if (progress->style == CLI_PROGRESS_JSON) {
        print_json(progress, p);
    } else {
        print_line(progress, p);
    }
}

static int handle(void *opaque, const char *key, const char *value)
{
    struct remux_command *c = opaque;
    return key ? cli_progress_set(&c->progress, value)
               : cli_take_input(c->params.input, sizeof c->params.input, value);
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
    struct sl_remux_events events = {.progress = on_progress, .opaque = &c->progress};
    int status = CLI_OK;

    cli_progress_start(&c->progress);
    if (sl_remux_open(&remux, &c->params, &events, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    cli_stop_on_signal(stop, remux);
    if (sl_remux_run(remux, &err) != SL_OK) {
        cli_progress_break(&c->progress);
        status = err.status == SL_EIO && reader_has_gone(c) ? CLI_FAILED : cli_report(&err);
    }
    cli_stop_on_signal(NULL, NULL);
    sl_remux_destroy(&remux);
    return status;
}

int cmd_remux(int argc, char **argv)
{
    static const char *const own[] = {CLI_PROGRESS_OPTION, NULL};
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
    struct remux_command c = {.progress = {0}};
    if (sl_remux_params_default(&c.params, sizeof c.params, &err) != SL_OK) {
        return cli_report(&err);
    }
    int status = cli_parse(&command, argc, argv, &c.params, handle, &c);
    if (status < 0) {
        status = cli_need_files(&command, c.params.input, c.params.output);
    }
    return status < 0 ? run(&c) : status;
}
