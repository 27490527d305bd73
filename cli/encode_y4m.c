/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/run.h"

struct encode_command {
    struct sl_encode_y4m_params params;
    struct cli_progress progress;
};

static void stop(void *encode)
{
    sl_encode_y4m_stop(encode);
}

static void on_progress(void *opaque, const struct sl_encode_y4m_progress *p)
{
    struct cli_coding coding = {.pictures = p->pictures,
                                .bytes = p->bytes,
                                .position_us = p->position_us,
                                .duration_us = p->duration_us,
                                .finished = p->finished != 0};
    cli_progress_coding(opaque, &coding);
}

static int handle(void *opaque, const char *key, const char *value)
{
    struct encode_command *c = opaque;
    if (!key) {
        (void)fprintf(stderr, "sluice: %s: an operand (see: sluice encode-y4m --help)\n", value);
        return CLI_USAGE;
    }
    return cli_progress_set(&c->progress, value);
}

static int run(struct encode_command *c)
{
    struct sl_error err = {0};
    struct sl_encode_y4m *encode = NULL;
    struct sl_encode_y4m_events events = {.progress = on_progress, .opaque = &c->progress};
    int status = CLI_OK;

    cli_progress_start(&c->progress);
    if (sl_encode_y4m_open(&encode, &c->params, &events, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    cli_stop_on_signal(stop, encode);
    if (sl_encode_y4m_run(encode, &err) != SL_OK) {
        cli_progress_break(&c->progress);
        status = cli_report(&err);
    }
    cli_stop_on_signal(NULL, NULL);
    sl_encode_y4m_destroy(&encode);
    return status;
}

int cmd_encode_y4m(int argc, char **argv)
{
    static const char *const own[] = {CLI_PROGRESS_OPTION, NULL};
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
    struct encode_command c = {.progress = {0}};
    if (sl_encode_y4m_params_default(&c.params, sizeof c.params, &err) != SL_OK) {
        return cli_report(&err);
    }
    int status = cli_parse(&command, argc, argv, &c.params, handle, &c);
    if (status >= 0) {
        return status;
    }
    if (!c.params.config[0] || !c.params.annex_b[0] || !c.params.metadata[0]) {
        (void)fprintf(stderr, "sluice: --config, --annex-b and --metadata are needed (see: sluice "
                              "encode-y4m --help)\n");
        return CLI_USAGE;
    }
    return run(&c);
}
