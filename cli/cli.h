/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include <sluice/sluice.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

int cmd_encode(int argc, char **argv);
int cmd_encode_y4m(int argc, char **argv);
int cmd_encoders(int argc, char **argv);
int cmd_frames(int argc, char **argv);
int cmd_ladder(int argc, char **argv);
int cmd_layers(int argc, char **argv);
int cmd_pack(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_remux(int argc, char **argv);
int cmd_runs(int argc, char **argv);
int cmd_schedule(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_sign(int argc, char **argv);
int cmd_store(int argc, char **argv);

/* What sl_log messages go through: "sluice: text" on standard error, as verbose as asked for. */
extern const struct sl_log cli_log;
void cli_set_verbosity(int steps); /* +1: more, -1: less */

/* "sluice: where: offset N: msg" on standard error. Returns the exit status: CLI_USAGE for
 * SL_EINVAL, else CLI_FAILED. */
int cli_report(const struct sl_error *err);
int cli_version(void); /* prints it; CLI_OK */

struct cli_command {
    const char *name;
    const char *arguments; /* "INPUT -o DIR" */
    const char *summary;
    const char *example;
    const struct sl_option *table;
    const char *short_output; /* key that -o stands for, or NULL */
    /* Options that belong to the command line alone; NULL-terminated, without "--". Each takes a
     * value where it ends in '='. */
    const char *const *own;
    /* Letters for own options: "r:recursive"; NULL-terminated, or NULL. They win over -q and -v. */
    const char *const *letters;
};

/* Walks the command line. Options of the table go into params; own ones and operands to
 * handle(opaque, key or NULL, value). Also knows --help, -h, -v, -q.
 * Returns -1 to go on, or the exit status. */
int cli_parse(const struct cli_command *command, int argc, char **argv, void *params,
              int (*handle)(void *opaque, const char *key, const char *value), void *opaque);

#endif
