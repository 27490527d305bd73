/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice store: which command, which store, and what goes out of it. */
#include "cli/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct store_verb *const verbs[] = {
    &store_add,   &store_get, &store_ls,     &store_stat,   &store_pin,
    &store_unpin, &store_gc,  &store_verify, &store_export, &store_import,
};
#define VERBS (sizeof verbs / sizeof *verbs)

/* ---- output -------------------------------------------------------------------------------- */

void store_json_text(const char *text)
{
    (void)putchar('"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            printf("\\%c", *p);
        } else if (*p < 0x20) {
            printf("\\u%04x", *p);
        } else {
            (void)putchar(*p);
        }
    }
    (void)putchar('"');
}

const char *store_kind_name(int kind)
{
    static const char *const names[] = {"file", "directory", "node"};
    return kind >= 0 && kind < 3 ? names[kind] : "?";
}

void store_json_info(const struct sl_store_info *info, const char *name)
{
    printf("{\"cid\":\"%s\",", info->cid);
    if (name) {
        printf("\"name\":");
        store_json_text(name);
        (void)putchar(',');
    }
    printf("\"kind\":\"%s\",\"size\":%lld,\"cumulative_size\":%lld}\n", store_kind_name(info->kind),
           (long long)info->size, (long long)info->cumulative_size);
}

int store_end_output(int status)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE) { /* a reader that has gone knows it */
            (void)fprintf(stderr, "sluice: standard output: %s\n", strerrordesc_np(errno));
        }
        return CLI_FAILED;
    }
    return status;
}

const char *store_pin_of(const struct store_command *c)
{
    return c->no_pin ? NULL : c->pin_name ? c->pin_name : "user";
}

/* ---- get, ls, stat, export ------------------------------------------------------------------- */

static int run_get(struct store_command *c)
{
    struct sl_error err = {0};
    const char *path = c->operands[0], *last = strrchr(path, '/');
    const char *output = c->output ? c->output : last ? last + 1 : path;
    if (!output[0]) {
        (void)fprintf(stderr, "sluice: -o NAME is missing (see: sluice store get --help)\n");
        return CLI_USAGE;
    }
    return sl_store_get(c->store, path, output, &err) == SL_OK ? CLI_OK : cli_report(&err);
}

static const char *const get_own[] = {"output=", NULL}, *const get_letters[] = {"o:output", NULL};
const struct store_verb store_get = {
    .name = "store get",
    .arguments = "CID[/PATH] [-o NAME]",
    .summary = "Writes a file, or a directory with all below it, to NAME (by default the last part "
               "of what was asked for;\n- for standard output). Every block is checked first.",
    .example = "sluice store get bafy… -o film.mp4",
    .own = get_own,
    .letters = get_letters,
    .min = 1,
    .max = 1,
    .run = run_get,
};

static void print_entry(void *opaque, const struct sl_store_info *info, const char *name)
{
    const struct store_command *c = opaque;
    if (c->json) {
        store_json_info(info, name);
    } else if (info->size < 0) {
        printf("%s - %s\n", info->cid, name);
    } else {
        printf("%s %lld %s%s\n", info->cid, (long long)info->size, name,
               info->kind == SL_STORE_DIRECTORY ? "/" : "");
    }
}

static void print_pin(void *opaque, const char *cid, const char *name)
{
    const struct store_command *c = opaque;
    if (c->json) {
        printf("{\"cid\":\"%s\",\"pin\":", cid);
        store_json_text(name);
        printf("}\n");
    } else {
        printf("%s %s\n", cid, name);
    }
}

static int run_ls(struct store_command *c)
{
    struct sl_error err = {0};
    enum sl_status status = c->count == 0
                                ? sl_store_pins(c->store, print_pin, c, &err)
                                : sl_store_list(c->store, c->operands[0], print_entry, c, &err);
    return status == SL_OK ? CLI_OK : cli_report(&err);
}

static const char *const json_own[] = {"json", NULL};
const struct store_verb store_ls = {
    .name = "store ls",
    .arguments = "[CID[/PATH]]",
    .summary = "Lists a directory: CID, bytes and name of each entry. Without CID: every pin, and "
               "whose it is.",
    .example = "sluice store ls bafy…",
    .own = json_own,
    .max = 1,
    .run = run_ls,
};

static int run_stat(struct store_command *c)
{
    struct sl_error err = {0};
    struct sl_store_info info;
    if (sl_store_stat(c->store, c->operands[0], &info, &err) != SL_OK) {
        return cli_report(&err);
    }
    if (c->json) {
        store_json_info(&info, NULL);
    } else {
        printf("%s\nkind: %s\nsize: %lld\ncumulative size: %lld\n", info.cid,
               store_kind_name(info.kind), (long long)info.size, (long long)info.cumulative_size);
    }
    return CLI_OK;
}

const struct store_verb store_stat = {
    .name = "store stat",
    .arguments = "CID[/PATH]",
    .summary = "Says what an object is: its CID, kind, bytes, and bytes with all nodes.",
    .example = "sluice store stat bafy…/master.m3u8",
    .own = json_own,
    .min = 1,
    .max = 1,
    .run = run_stat,
};

static int run_export(struct store_command *c)
{
    struct sl_error err = {0};
    if (!c->output) {
        (void)fprintf(stderr, "sluice: -o FILE is missing (see: sluice store export --help)\n");
        return CLI_USAGE;
    }
    return sl_store_export(c->store, c->operands[0], c->output, &err) == SL_OK ? CLI_OK
                                                                               : cli_report(&err);
}

const struct store_verb store_export = {
    .name = "store export",
    .arguments = "CID[/PATH] -o FILE",
    .summary = "Writes an object and all below it as a CAR (version 1), which any IPFS node "
               "imports; - for standard output.",
    .example = "sluice store export bafy… -o run.car",
    .own = get_own,
    .letters = get_letters,
    .min = 1,
    .max = 1,
    .run = run_export,
};

/* ---- the command line ---------------------------------------------------------------------- */

static int handle(void *opaque, const char *key, const char *value)
{
    struct store_command *c = opaque;
    if (!key) {
        c->operands[c->count++] = value;
    } else if (!strcmp(key, "output")) {
        c->output = value;
    } else if (!strcmp(key, "pin-name")) {
        c->pin_name = value;
    } else if (!strcmp(key, "recursive")) {
        c->recursive = true;
    } else if (!strcmp(key, "quiet")) {
        c->cids_only = true;
    } else if (!strcmp(key, "json")) {
        c->json = true;
    } else if (!strcmp(key, "dry-run")) {
        c->dry_run = true;
    } else if (!strcmp(key, "no-pin")) {
        c->no_pin = true;
    }
    return -1;
}

/* Where the store is if nobody says. */
static bool default_store(char *out, size_t size)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): there are no threads yet */
    const char *chosen = getenv("SLUICE_STORE"), *data = getenv("XDG_DATA_HOME"),
               *home = getenv("HOME");
    /* NOLINTEND(concurrency-mt-unsafe) */
    int length = 0;
    if (chosen && chosen[0]) {
        length = snprintf(out, size, "%s", chosen);
    } else if (data && data[0] == '/') {
        length = snprintf(out, size, "%s/sluice/store", data);
    } else if (home && home[0]) {
        length = snprintf(out, size, "%s/.local/share/sluice/store", home);
    }
    return length > 0 && (size_t)length < size;
}

static int run_verb(const struct store_verb *verb, struct store_command *c)
{
    struct sl_error err = {0};
    int status;
    if (c->count < verb->min || c->count > verb->max) {
        (void)fprintf(stderr, "sluice: %s is expected (see: sluice %s --help)\n",
                      verb->arguments[0] ? verb->arguments : "no operand", verb->name);
        return CLI_USAGE;
    }
    if (!c->params.store[0] && !default_store(c->params.store, sizeof c->params.store)) {
        (void)fprintf(stderr, "sluice: --store DIR is missing (see: sluice %s --help)\n",
                      verb->name);
        return CLI_USAGE;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* writing fails with EPIPE, which can be told */
    c->params.create = verb->creates;
    if (sl_store_open(&c->store, &c->params, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    status = store_end_output(verb->run(c));
    sl_store_close(&c->store);
    return status;
}

static int parse_verb(const struct store_verb *verb, int argc, char **argv)
{
    /* The others do not cut files. */
    struct sl_option common[2] = {*sl_options_find(sl_store_options(), "store"), {.key = NULL}};
    const struct cli_command command = {
        .name = verb->name,
        .arguments = verb->arguments,
        .summary = verb->summary,
        .example = verb->example,
        .table = verb->adds ? sl_store_options() : common,
        .own = verb->own,
        .letters = verb->letters,
    };
    struct store_command c = {.operands = NULL};
    struct sl_error err = {0};
    int status;
    if (sl_store_params_default(&c.params, sizeof c.params, &err) != SL_OK) {
        return cli_report(&err);
    }
    c.operands = calloc((size_t)argc + 1, sizeof *c.operands);
    if (!c.operands) {
        (void)fprintf(stderr, "sluice: out of memory\n");
        return CLI_FAILED;
    }
    status = cli_parse(&command, argc, argv, &c.params, handle, &c);
    if (status < 0) {
        status = run_verb(verb, &c);
    }
    free((void *)c.operands);
    return status;
}

static void usage(FILE *to)
{
    (void)fprintf(to, "Usage: sluice store COMMAND [OPTION]... [ARGUMENT]...\n"
                      "Keeps files and directories by content, under the CIDs that an IPFS node "
                      "gives them.\n\nCommands:\n");
    for (size_t i = 0; i < VERBS; i++) {
        (void)fprintf(to, "  %-8s %s\n", verbs[i]->name + 6, verbs[i]->arguments);
    }
    (void)fprintf(to, "\n  sluice store COMMAND --help   what a command does and takes\n\n"
                      "Example:\n  sluice store add -r out && sluice store ls\n");
}

int cmd_store(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        usage(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < VERBS; i++) {
        if (!strcmp(argv[1], verbs[i]->name + 6)) {
            return parse_verb(verbs[i], argc - 1, argv + 1);
        }
    }
    (void)fprintf(stderr, "sluice: \"store %s\" is not a command (see: sluice store --help)\n",
                  argv[1]);
    return CLI_USAGE;
}
