/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sluice-h264: `sluice encode-y4m` as a program of its own, so that others can keep x264 and its
 * licence behind a process boundary. */
#include <string.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    if (argc > 1 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))) {
        return cli_version();
    }
    return cmd_encode_y4m(argc, argv);
}
