/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice layers, sluice pack: one stream in, one file out. */
#include "cli/run.h"

static int layers_input(void *opaque, const char *key, const char *value)
{
    struct sl_layers_params *p = opaque;
    (void)key; /* there are no own options */
    return cli_take_input(p->input, sizeof p->input, value);
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
    struct sl_layers_params p;
    if (sl_layers_params_default(&p, sizeof p, &err) != SL_OK) {
        return cli_report(&err);
    }
    int status = cli_parse(&command, argc, argv, &p, layers_input, &p);
    if (status < 0) {
        status = cli_need_files(&command, p.input, p.output);
    }
    if (status >= 0) {
        return status;
    }
    return sl_layers_run(&p, &cli_log, &err) == SL_OK ? CLI_OK : cli_report(&err);
}

static int pack_input(void *opaque, const char *key, const char *value)
{
    struct sl_pack_params *p = opaque;
    (void)key; /* there are no own options */
    return cli_take_input(p->input, sizeof p->input, value);
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
    struct sl_pack_params p;
    if (sl_pack_params_default(&p, sizeof p, &err) != SL_OK) {
        return cli_report(&err);
    }
    int status = cli_parse(&command, argc, argv, &p, pack_input, &p);
    if (status < 0) {
        status = cli_need_files(&command, p.input, p.output);
    }
    if (status >= 0) {
        return status;
    }
    return sl_pack_run(&p, &cli_log, &err) == SL_OK ? CLI_OK : cli_report(&err);
}
