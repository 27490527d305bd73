/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands say on standard error, and about themselves. */
#include <stdio.h>

#include "cli/cli.h"

static enum sl_log_level verbosity = SL_LOG_WARN;

static void write_log(void *opaque, enum sl_log_level level, const char *component,
                      const char *text)
{
    (void)opaque;
    if (level <= verbosity) {
        (void)fprintf(stderr, "sluice: %s: %s\n", component, text);
    }
}

const struct sl_log cli_log = {.level = SL_LOG_DEBUG, .write = write_log, .opaque = NULL};

void cli_set_verbosity(int steps)
{
    int level = (int)verbosity + steps;
    verbosity = level < SL_LOG_ERROR   ? SL_LOG_ERROR
                : level > SL_LOG_DEBUG ? SL_LOG_DEBUG
                                       : (enum sl_log_level)level;
}

int cli_report(const struct sl_error *err)
{
    char text[sizeof err->where + sizeof err->msg + 64];
    (void)fprintf(stderr, "sluice: %s\n", sl_error_format(err, text, sizeof text));
    return err->status == SL_EINVAL ? CLI_USAGE : CLI_FAILED;
}

int cli_version(void)
{
    printf("sluice %s\nLicence of this binary: %s\n%s", sl_version(), sl_licence(),
           sl_build_features());
    return CLI_OK;
}
