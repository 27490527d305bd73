/* SPDX-License-Identifier: BSD-2-Clause */
/* Running a ladder, for the commands that do. */
#ifndef CLI_LADDER_H
#define CLI_LADDER_H

#include "cli/run.h"

/* Opens, runs, shows how far it is. Returns the exit status. */
int cli_ladder_run(const struct sl_ladder_params *params, struct cli_progress *progress);

int cli_runs_resume(int argc, char **argv);
int cli_runs_finish(int argc, char **argv);
int cli_runs_upload(int argc, char **argv);

#endif
