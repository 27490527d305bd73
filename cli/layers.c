/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int handle(void *opaque, const char *key, const char *value)
{
    struct sl_layers_params *p = opaque;
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

int cmd_layers(int argc, char **argv)
{
    const struct cli_command command = {
        .name = "layers",
        .arguments = "INPUT --max-layer L -o OUTPUT",
        .summary = "Drops the temporal layers above L: of an Annex B stream with its sample index "
                   "(sluice encode-y4m), or\n"
                   "of an MP4 that sluice pack made. What stays is byte for byte what it was.",
        .example = "sluice layers run.mp4 --max-layer 2 -o run-quarter.mp4",
        .table = sl_layers_options(),
        .short_output = "output",
    };
    struct sl_error err = {0};
    struct sl_layers_params *p = calloc(1, sizeof *p);
    int status;
    if (!p) {
        (void)fprintf(stderr, "sluice: out of memory\n");
        return CLI_FAILED;
    }
    if (sl_layers_params_default(p, sizeof *p, &err) != SL_OK) {
        status = cli_report(&err);
        goto out;
    }
    status = cli_parse(&command, argc, argv, p, handle, p);
    if (status >= 0) {
        goto out;
    }
    if (!p->input[0] || !p->output[0]) {
        (void)fprintf(stderr, "sluice: %s (see: sluice layers --help)\n",
                      p->input[0] ? "-o OUTPUT is missing" : "no input is named");
        status = CLI_USAGE;
        goto out;
    }
    status = sl_layers_run(p, &cli_log, &err) == SL_OK ? CLI_OK : cli_report(&err);
out:
    free(p);
    return status;
}
