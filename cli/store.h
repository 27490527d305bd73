/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of "sluice store" share. */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include <stddef.h>

#include "cli/cli.h"

struct store_command {
    struct sl_store_params params;
    const char **operands; /* room for all of the command line */
    size_t count;
    const char *output, *pin_name;
    bool recursive, cids_only, json, dry_run, no_pin;
    struct sl_store *store;
};

/* What a command takes, beside --store. */
struct store_verb {
    const char *name, *arguments, *summary, *example;
    const char *const *own, *const *letters;
    size_t min, max;    /* operands */
    bool adds, creates; /* knows --profile, --hidden; makes a store where there is none */
    int (*run)(struct store_command *c);
};

extern const struct store_verb store_add, store_import, store_export, store_get, store_ls,
    store_stat, store_pin, store_unpin, store_gc, store_verify;

/* A string of JSON, with its quotes, on standard output. */
void store_json_text(const char *text);
const char *store_kind_name(int kind);
/* {"cid":…,"name":…,"kind":…,"size":…,"cumulative_size":…} and a newline. name may be NULL. */
void store_json_info(const struct sl_store_info *info, const char *name);
/* Whether standard output has taken everything: CLI_OK, or tells why not. */
int store_end_output(int status);
/* Whose pin: --pin-name, else "user", else NULL with --no-pin. */
const char *store_pin_of(const struct store_command *c);

#endif
