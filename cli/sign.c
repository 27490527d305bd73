/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>

#include "cli/cli.h"

struct sign_command {
    struct sl_sign_params params;
    const char *url;
};

static int handle(void *opaque, const char *key, const char *value)
{
    struct sign_command *c = opaque;

    (void)key; /* there are no own options */
    if (c->url) {
        (void)fprintf(stderr, "sluice: %s: one address is enough\n", value);
        return CLI_USAGE;
    }
    c->url = value;
    return -1;
}

int cmd_sign(int argc, char **argv)
{
    const struct cli_command command = {
        .name = "sign",
        .arguments = "URL",
        .summary = "Prints URL with a signature that \"sluice serve --sign-key-file\" asks for.",
        .example = "sluice sign http://localhost:8080/media/film.mkv/master.m3u8 "
                   "--sign-key-file key",
        .table = sl_sign_options(),
    };
    struct sign_command c = {.url = NULL};
    struct sl_error err = {0};
    char out[16384];
    int status;

    if (sl_sign_params_default(&c.params, sizeof c.params, &err) != SL_OK) {
        return cli_report(&err);
    }
    status = cli_parse(&command, argc, argv, &c.params, handle, &c);
    if (status >= 0) {
        return status;
    }
    if (!c.url) {
        (void)fprintf(stderr, "sluice: no address is named (see: sluice sign --help)\n");
        return CLI_USAGE;
    }
    if (sl_sign_url(c.url, &c.params, out, sizeof out, &err) != SL_OK) {
        return cli_report(&err);
    }
    printf("%s\n", out);
    return CLI_OK;
}
