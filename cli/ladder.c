/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/ladder.h"

#include <stdio.h>

struct ladder_command {
    struct sl_ladder_params params;
    struct cli_progress progress;
};

static void stop(void *ladder)
{
    sl_ladder_stop(ladder);
}

static void print_line(struct cli_progress *progress, const struct sl_ladder_progress *p)
{
    int64_t spent_us = cli_progress_spent_us(progress);
    int64_t hundredths = spent_us > 0 ? p->position_us * 100 / spent_us : 0;
    (void)fprintf(stderr, "\r%lld pictures, %lld.%02lldx", (long long)p->frames,
                  (long long)(hundredths / 100), (long long)(hundredths % 100));
    cli_progress_rest(progress, p->position_us, p->duration_us, p->finished);
}

static void on_progress(void *opaque, const struct sl_ladder_progress *p)
{
    struct cli_progress *progress = opaque;
    if (!cli_progress_due(progress, p->finished)) {
        return;
    }
    if (progress->style == CLI_PROGRESS_LINE) {
        print_line(progress, p);
        return;
    }
    (void)fprintf(stderr,
                  "{\"event\":\"%s\",\"frames\":%lld,\"position_us\":%lld,\"duration_us\":%lld,"
                  "\"segments\":%lld}\n",
                  cli_progress_event(p->finished), (long long)p->frames, (long long)p->position_us,
                  (long long)p->duration_us, (long long)p->segments);
}

static int handle(void *opaque, const char *key, const char *value)
{
    struct ladder_command *c = opaque;
    return key ? cli_progress_set(&c->progress, value)
               : cli_take_input(c->params.input, sizeof c->params.input, value);
}

/* Where a finished run is found, from any gateway. */
static void print_root(struct sl_ladder *ladder)
{
    struct sl_ladder_result result;
    sl_ladder_get_result(ladder, &result);
    if (result.root_cid[0]) {
        (void)printf("/ipfs/%s/master.m3u8\n", result.root_cid);
    }
}

int cli_ladder_run(const struct sl_ladder_params *params, struct cli_progress *progress)
{
    struct sl_error err = {0};
    struct sl_ladder *ladder = NULL;
    struct sl_ladder_events events = {.progress = on_progress, .opaque = progress};
    int status = CLI_OK;

    cli_progress_start(progress);
    if (sl_ladder_open(&ladder, params, &events, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    cli_stop_on_signal(stop, ladder);
    if (sl_ladder_run(ladder, &err) != SL_OK) {
        cli_progress_break(progress);
        status = cli_report(&err);
    }
    cli_stop_on_signal(NULL, NULL);
    print_root(ladder);
    sl_ladder_destroy(&ladder);
    return status;
}

int cmd_ladder(int argc, char **argv)
{
    static const char *const own[] = {CLI_PROGRESS_OPTION, NULL};
    const struct cli_command command = {
        .name = "ladder",
        .arguments = "INPUT -o DIR | INPUT --run ID --store DIR",
        .summary = "Makes an HLS ladder from INPUT (a file, or - for standard input). DIR can be "
                   "played while it grows; so can a live run (--run), which outlives a crash.",
        .example = "sluice ladder film.mkv -o out\n"
                   "  render | sluice ladder --raw rgb24 --size 1920x1080 --rate 30 -o out -\n"
                   "  sluice ladder film.mkv --run film --store store",
        .table = sl_ladder_options(),
        .short_output = "output",
        .own = own,
    };
    struct sl_error err = {0};
    struct ladder_command c = {.progress = {0}};
    if (sl_ladder_params_default(&c.params, sizeof c.params, &err) != SL_OK) {
        return cli_report(&err);
    }
    int status = cli_parse(&command, argc, argv, &c.params, handle, &c);
    if (status < 0) {
        status = cli_need_files(&command, c.params.input,
                                c.params.run[0] ? c.params.run : c.params.output);
    }
    return status < 0 ? cli_ladder_run(&c.params, &c.progress) : status;
}
