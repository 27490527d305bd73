/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"ladder", cmd_ladder, "make an HLS ladder from a file or from raw frames"},
    {"remux", cmd_remux, "make an MP4 of any file, passing through what can be"},
    {"schedule", cmd_schedule, "make, check and draw a schedule of pictures to encode"},
    {"serve", cmd_serve, "serve a directory over HTTP, with a page that plays it"},
    {"probe", cmd_probe, "show what is inside a file"},
};

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

static int version(void)
{
    printf("sluice %s\nLicence of this binary: %s\n%s", sl_version(), sl_licence(),
           sl_build_features());
    return CLI_OK;
}

static void usage(FILE *to)
{
    (void)fprintf(to, "Usage: sluice COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fprintf(to, "\n  sluice COMMAND --help   what a command takes\n"
                      "  sluice --version        version, licence, what was built in\n\n"
                      "Example:\n  sluice ladder film.mkv -o out && sluice serve out\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        return version();
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "sluice: \"%s\" is not a command (see: sluice --help)\n", argv[1]);
    return CLI_USAGE;
}
