/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice runs resume|finish: what becomes of a run that was left. */
#include <stdio.h>
#include <string.h>

#include "cli/ladder.h"

struct request {
    struct sl_ladder_params params;
    struct cli_progress progress;
    bool all; /* no run has to be named */
};

static int handle(void *opaque, const char *key, const char *value)
{
    struct request *r = opaque;
    struct sl_error err = {0};
    if (key && !strcmp(key, "progress")) {
        return cli_progress_set(&r->progress, value);
    }
    if (!key && r->params.run[0]) {
        (void)fprintf(stderr, "sluice: %s: one run is enough\n", value);
        return CLI_USAGE;
    }
    return sl_options_set(sl_ladder_options(), &r->params, key ? key : "run", value, &err) == SL_OK
               ? -1
               : cli_report(&err);
}

/* -1: go on. */
static int begin(const struct cli_command *command, int argc, char **argv, struct request *r)
{
    static const struct sl_option none[] = {{.key = NULL}};
    struct cli_command with_table = *command;
    struct sl_error err = {0};
    with_table.table = none;
    if (sl_ladder_params_default(&r->params, sizeof r->params, &err) != SL_OK) {
        return cli_report(&err);
    }
    int status = cli_parse(&with_table, argc, argv, NULL, handle, r);
    bool nameless = !r->params.run[0] && !r->all;
    if (status < 0 && (nameless || !r->params.store[0])) {
        (void)fprintf(stderr, "sluice: %s (see: sluice %s --help)\n",
                      nameless ? "no run is named" : "--store is missing", command->name);
        return CLI_USAGE;
    }
    return status;
}

#define PLACES                                                                                     \
    "--registry names where runs are listed: a file, or postgres://…; without, registry.sqlite " \
    "in "                                                                                          \
    "the "                                                                                         \
    "store."

int cli_runs_resume(int argc, char **argv)
{
    static const char *const own[] = {"store=",     "registry=",     "patience=",         "ipfs=",
                                      "ipfs-wait=", "ipfs-timeout=", CLI_PROGRESS_OPTION, NULL};
    const struct cli_command command = {
        .name = "runs resume",
        .arguments = "RUN --store DIR",
        .summary = "Goes on with a run that was stopped or killed, with its own settings, and ends "
                   "it.\n" PLACES,
        .example = "sluice runs resume film --store store",
        .own = own,
    };
    struct request r = {.all = false};
    struct sl_error err = {0};
    int status = begin(&command, argc, argv, &r);
    if (status >= 0) {
        return status;
    }
    if (sl_ladder_params_of_run(&r.params, &cli_log, &err) != SL_OK) {
        (void)cli_report(&err);
        return CLI_FAILED; /* the settings are the run's, not the caller's */
    }
    return cli_ladder_run(&r.params, &r.progress);
}

int cli_runs_finish(int argc, char **argv)
{
    static const char *const own[] = {"store=", "registry=",  "gateway=",      "patience=",
                                      "ipfs=",  "ipfs-wait=", "ipfs-timeout=", NULL};
    const struct cli_command command = {
        .name = "runs finish",
        .arguments = "RUN --store DIR",
        .summary = "Ends a run that nobody will go on with: what is published is all there is. "
                   "Shows its root.\n" PLACES,
        .example = "sluice runs finish film --store store",
        .own = own,
    };
    struct request r = {.all = false};
    struct sl_ladder_result result;
    struct sl_error err = {0};
    int status = begin(&command, argc, argv, &r);
    if (status >= 0) {
        return status;
    }
    if (sl_ladder_finish_run(&r.params, &result, &cli_log, &err) != SL_OK) {
        (void)cli_report(&err);
        return CLI_FAILED;
    }
    (void)printf("/ipfs/%s/master.m3u8\n", result.root_cid);
    return CLI_OK;
}

int cli_runs_upload(int argc, char **argv)
{
    static const char *const own[] = {
        "store=", "registry=", "ipfs=", "ipfs-wait=", "ipfs-timeout=", NULL};
    const struct cli_command command = {
        .name = "runs upload",
        .arguments = "[RUN] --store DIR",
        .summary = "Sends what is still queued for IPFS nodes, of one run or of all of the store: "
                   "at once, and for as\nlong as --ipfs-wait says (30 s). --ipfs names the only "
                   "node that is meant, with its password where\nit has one.\n" PLACES,
        .example = "sluice runs upload film --store store --ipfs-wait 3600",
        .own = own,
    };
    struct request r = {.all = true};
    struct sl_error err = {0};
    int status = begin(&command, argc, argv, &r);
    if (status >= 0) {
        return status;
    }
    if (sl_ladder_upload_run(&r.params, &cli_log, &err) != SL_OK) {
        (void)cli_report(&err);
        return err.status == SL_EINVAL ? CLI_USAGE : CLI_FAILED;
    }
    return CLI_OK;
}
