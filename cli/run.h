/* SPDX-License-Identifier: BSD-2-Clause */
/* What a command shows while it runs, and how a signal ends it. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"

enum cli_progress_style {
    CLI_PROGRESS_AUTO,
    CLI_PROGRESS_LINE,
    CLI_PROGRESS_JSON,
    CLI_PROGRESS_NONE
};

/* Own option of the commands that have one (struct cli_command). */
#define CLI_PROGRESS_OPTION "progress="

struct cli_progress {
    enum cli_progress_style style;
    bool open;             /* a line is written that does not end yet */
    int64_t started, last; /* monotonic nanoseconds */
};

/* Value of the option above. Returns -1 to go on, or the exit status. */
int cli_progress_set(struct cli_progress *p, const char *value);
/* Settles "auto" (a line on a terminal, else nothing) and starts the clock. */
void cli_progress_start(struct cli_progress *p);
/* Whether there is something to show: at the end, and four times a second. */
bool cli_progress_due(struct cli_progress *p, bool finished);
/* Since the start, as of the last time that was due. */
int64_t cli_progress_spent_us(const struct cli_progress *p);
/* The event's name in JSON. */
const char *cli_progress_event(bool finished);
/* The rest of a line: share done and time left where the duration is known (above 0), and the
 * line's end where it is the last one. */
void cli_progress_rest(struct cli_progress *p, int64_t position_us, int64_t duration_us,
                       bool finished);
/* How far a command is that codes pictures. */
struct cli_coding {
    int64_t pictures, bytes, position_us, duration_us;
    bool finished;
};
/* Shows it where something is due. */
void cli_progress_coding(struct cli_progress *p, const struct cli_coding *c);
/* Ends a line that is open, before something else is said. */
void cli_progress_break(struct cli_progress *p);

/* The first SIGINT or SIGTERM calls stop(run), which must be safe in a signal handler; the second
 * ends the process. With run NULL the first one does. One run at a time. */
void cli_stop_on_signal(void (*stop)(void *run), void *run);

/* Takes an operand as a command's only input. Returns -1 to go on, or the exit status. */
int cli_take_input(char *input, size_t size, const char *value);
/* Whether input and output are named. Returns -1 to go on, or the exit status. */
int cli_need_files(const struct cli_command *command, const char *input, const char *output);

#endif
