/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice store add, import: what goes in. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/store.h"

static void print_added(void *opaque, const struct sl_store_info *info, const char *name)
{
    const struct store_command *c = opaque;
    if (c->json) {
        store_json_info(info, name);
    } else if (c->cids_only) {
        printf("%s\n", info->cid);
    } else {
        printf("added %s %s\n", info->cid, name);
    }
}

/* Standard input has no name: it is called by its CID. */
static enum sl_status add_standard_input(struct store_command *c, struct sl_error *err)
{
    struct sl_store_add *add = NULL;
    struct sl_store_info info;
    enum sl_status status = sl_store_add_open(&add, c->store, err);
    if (status == SL_OK) {
        status = sl_store_add_fd(add, STDIN_FILENO, "standard input", err);
    }
    if (status == SL_OK) {
        status = sl_store_add_finish(&add, store_pin_of(c), &info, err);
    }
    if (status == SL_OK) {
        print_added(c, &info, info.cid);
    }
    sl_store_add_abort(&add);
    return status;
}

static int run_add(struct store_command *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct sl_error err = {0};
        enum sl_status status =
            !strcmp(c->operands[i], "-")
                ? add_standard_input(c, &err)
                : sl_store_add_path(c->store, c->operands[i], c->recursive, store_pin_of(c),
                                    print_added, c, NULL, &err);
        if (status != SL_OK) {
            return cli_report(&err);
        }
    }
    return CLI_OK;
}

static const char *const add_own[] = {"recursive", "quiet", "json", "no-pin", "pin-name=", NULL};
static const char *const add_letters[] = {"r:recursive", "q:quiet", NULL};
const struct store_verb store_add = {
    .name = "store add",
    .arguments = "FILE…",
    .summary = "Adds files (- for standard input) and, with -r, directories, and prints \"added "
               "CID NAME\" for each.\nThe last one printed for a name is pinned: kept until "
               "\"store unpin\" and \"store gc\".",
    .example = "sluice store add -r out\n  render | sluice store add -q -",
    .own = add_own,
    .letters = add_letters,
    .min = 1,
    .max = (size_t)-1,
    .adds = true,
    .creates = true,
    .run = run_add,
};

static void print_root(void *opaque, const struct sl_store_info *info, const char *name)
{
    const struct store_command *c = opaque;
    (void)name;
    if (c->json) {
        store_json_info(info, NULL);
    } else {
        printf("%s%s\n", c->cids_only ? "" : "imported ", info->cid);
    }
}

static int run_import(struct store_command *c)
{
    struct sl_error err = {0};
    bool standard = !strcmp(c->operands[0], "-");
    const char *name = standard ? "standard input" : c->operands[0];
    int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    enum sl_status status;
    if (fd < 0) {
        (void)fprintf(stderr, "sluice: %s: open: %s\n", name, strerrordesc_np(errno));
        return CLI_FAILED;
    }
    status = sl_store_import_fd(c->store, fd, name, store_pin_of(c), print_root, c, &err);
    if (!standard) {
        (void)close(fd);
    }
    return status == SL_OK ? CLI_OK : cli_report(&err);
}

static const char *const import_own[] = {"quiet", "json", "no-pin", "pin-name=", NULL};
static const char *const import_letters[] = {"q:quiet", NULL};
const struct store_verb store_import = {
    .name = "store import",
    .arguments = "FILE",
    .summary = "Reads a CAR (version 1; - for standard input), checks every block, and pins its "
               "roots. All of it, or nothing.",
    .example = "sluice store import run.car",
    .own = import_own,
    .letters = import_letters,
    .min = 1,
    .max = 1,
    .creates = true,
    .run = run_import,
};
