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

struct encode_command {
    struct sl_encode_y4m_params params;
    enum progress_style style;
    bool printed;
    int64_t started, last; /* monotonic nanoseconds */
};

/* For the signal handler: the run that a SIGINT stops. */
static struct sl_encode_y4m *volatile running;

static void on_signal(int number)
{
    (void)number;
    struct sl_encode_y4m *e = running;
    running = NULL;
    if (!e) {
        _exit(CLI_FAILED); /* the second one stops at once */
    }
    sl_encode_y4m_stop(e);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void print_line(const struct encode_command *c, const struct sl_encode_y4m_progress *p)
{
    int64_t spent_ms = (c->last - c->started) / 1000000;
    int64_t tenths = spent_ms > 0 ? p->pictures * 10000 / spent_ms : 0;
    (void)fprintf(stderr, "\r%lld pictures, %lld kB, %lld.%lld fps", (long long)p->pictures,
                  (long long)(p->bytes / 1000), (long long)(tenths / 10), (long long)(tenths % 10));
    if (p->duration_us > 0 && p->position_us > 0 && p->position_us <= p->duration_us) {
        int64_t left_ms = spent_ms * (p->duration_us - p->position_us) / p->position_us;
        (void)fprintf(stderr, ", %lld %%, %lld:%02lld left",
                      (long long)(p->position_us * 100 / p->duration_us),
                      (long long)(left_ms / 60000), (long long)(left_ms / 1000 % 60));
    }
    (void)fprintf(stderr, "   %s", p->finished ? "\n" : "");
}

static void on_progress(void *opaque, const struct sl_encode_y4m_progress *p)
{
    struct encode_command *c = opaque;
    int64_t t = now();
    if (c->style == PROGRESS_NONE || (!p->finished && t - c->last < NS_PER_S / 4)) {
        return;
    }
    c->last = t;
    c->printed = !p->finished;
    if (c->style == PROGRESS_LINE) {
        print_line(c, p);
        return;
    }
    (void)fprintf(stderr,
                  "{\"event\":\"%s\",\"pictures\":%lld,\"bytes\":%lld,\"position_us\":%lld,"
                  "\"duration_us\":%lld}\n",
                  p->finished ? "finished" : "progress", (long long)p->pictures,
                  (long long)p->bytes, (long long)p->position_us, (long long)p->duration_us);
}

static int handle(void *opaque, const char *key, const char *value)
{
    struct encode_command *c = opaque;
    static const char *const styles[] = {"auto", "line", "json", "none"};
    if (!key) {
        (void)fprintf(stderr, "sluice: %s: an operand (see: sluice encode-y4m --help)\n", value);
        return CLI_USAGE;
    }
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

static int run(struct encode_command *c)
{
    struct sl_error err = {0};
    struct sl_encode_y4m *encode = NULL;
    struct sl_encode_y4m_events events = {.progress = on_progress, .opaque = c};
    struct sigaction action;
    int status = CLI_OK;

    if (c->style == PROGRESS_AUTO) {
        c->style = isatty(STDERR_FILENO) ? PROGRESS_LINE : PROGRESS_NONE;
    }
    c->started = c->last = now();
    if (sl_encode_y4m_open(&encode, &c->params, &events, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    running = encode;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (sl_encode_y4m_run(encode, &err) != SL_OK) {
        if (c->style == PROGRESS_LINE && c->printed) {
            (void)fputc('\n', stderr);
        }
        status = cli_report(&err);
    }
    running = NULL;
    sl_encode_y4m_destroy(&encode);
    return status;
}

int cmd_encode_y4m(int argc, char **argv)
{
    static const char *const own[] = {"progress=", NULL};
    const struct cli_command command = {
        .name = "encode-y4m",
        .arguments = "--config FILE --annex-b FILE --metadata FILE",
        .summary = "Encodes a Y4M as H.264 with coded order, temporal layers and references by "
                   "schedule, and writes\nan index of its samples.",
        .example = "sluice encode-y4m --config encode.json --annex-b out.h264 \\\n"
                   "      --metadata samples.jsonl --input-y4m in.y4m",
        .table = sl_encode_y4m_options(),
        .own = own,
    };
    struct sl_error err = {0};
    struct encode_command *c = calloc(1, sizeof *c);
    int status;
    if (!c) {
        (void)fprintf(stderr, "sluice: out of memory\n");
        return CLI_FAILED;
    }
    if (sl_encode_y4m_params_default(&c->params, sizeof c->params, &err) != SL_OK) {
        status = cli_report(&err);
        goto out;
    }
    status = cli_parse(&command, argc, argv, &c->params, handle, c);
    if (status >= 0) {
        goto out;
    }
    if (!c->params.config[0] || !c->params.annex_b[0] || !c->params.metadata[0]) {
        (void)fprintf(stderr, "sluice: --config, --annex-b and --metadata are needed (see: sluice "
                              "encode-y4m --help)\n");
        status = CLI_USAGE;
        goto out;
    }
    status = run(c);
out:
    free(c);
    return status;
}
