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
    {"encode", cmd_encode, "encode a Y4M or raw frames as H.264 or HEVC, picture by picture"},
    {"encoders", cmd_encoders, "list the encoders that this machine has, and why it lacks others"},
    {"schedule", cmd_schedule, "make, check and draw a schedule of pictures to encode"},
    {"encode-y4m", cmd_encode_y4m, "encode a Y4M by a schedule of temporal layers, with an index"},
    {"layers", cmd_layers, "drop the upper temporal layers of a stream"},
    {"pack", cmd_pack, "make an MP4 whose data lies layer by layer"},
    {"frames", cmd_frames, "take pictures out of a file, reading only what they need"},
    {"serve", cmd_serve, "serve a directory over HTTP, with a page that plays it"},
    {"store", cmd_store, "keep files by content, under the CIDs that IPFS gives them"},
    {"runs", cmd_runs, "list, show, resume, finish and delete what was published as runs"},
    {"sign", cmd_sign, "sign a link for a server that asks for it"},
    {"probe", cmd_probe, "show what is inside a file"},
};

static void usage(FILE *to)
{
    (void)fprintf(to, "Usage: sluice COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        (void)fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
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
        return cli_version();
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
