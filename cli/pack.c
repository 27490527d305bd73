/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int handle(void *opaque, const char *key, const char *value)
{
    struct sl_pack_params *p = opaque;
    (void)key;
    if (p->input[0]) {
        (void)fprintf(stderr, "sluice: %s: one input is enough\n", value);
        return CLI_USAGE;
    }
    if (strlen(value) >= sizeof p->input) {
        (void)fprintf(stderr, "sluice: the input's name is too long\n");
        return CLI_USAGE;
    }
    memcpy(p->input, value, strlen(value) + 1);
    return -1;
}

int cmd_pack(int argc, char **argv)
{
    const struct cli_command command = {
        .name = "pack",
        .arguments = "INPUT.h264 -o OUTPUT.mp4",
        .summary = "Makes an MP4 of an Annex B stream and its sample index, whose data lies layer "
                   "by layer, so that the\n"
                   "beginning of each GOP is a lower frame rate. Beside it: which bytes each "
                   "picture needs.",
        .example = "sluice pack run.h264 --metadata samples.jsonl -o run.mp4",
        .table = sl_pack_options(),
        .short_output = "output",
    };
    struct sl_error err = {0};
    struct sl_pack_params *p = calloc(1, sizeof *p);
    int status;
    if (!p) {
        (void)fprintf(stderr, "sluice: out of memory\n");
        return CLI_FAILED;
    }
    if (sl_pack_params_default(p, sizeof *p, &err) != SL_OK) {
        status = cli_report(&err);
        goto out;
    }
    status = cli_parse(&command, argc, argv, p, handle, p);
    if (status >= 0) {
        goto out;
    }
    if (!p->input[0] || !p->output[0]) {
        (void)fprintf(stderr, "sluice: %s (see: sluice pack --help)\n",
                      p->input[0] ? "-o OUTPUT is missing" : "no input is named");
        status = CLI_USAGE;
        goto out;
    }
    status = sl_pack_run(p, &cli_log, &err) == SL_OK ? CLI_OK : cli_report(&err);
out:
    free(p);
    return status;
}
