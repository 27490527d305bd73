/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice store pin, unpin, gc, verify: what stays. */
#include <stdio.h>

#include "cli/store.h"

static int each_cid(struct store_command *c,
                    enum sl_status (*call)(struct sl_store *store, const char *cid,
                                           const char *name, struct sl_error *err),
                    const char *word)
{
    for (size_t i = 0; i < c->count; i++) {
        struct sl_error err = {0};
        if (call(c->store, c->operands[i], c->pin_name, &err) != SL_OK) {
            return cli_report(&err);
        }
        printf("%s %s\n", word, c->operands[i]);
    }
    return CLI_OK;
}

static int run_pin(struct store_command *c)
{
    return each_cid(c, sl_store_pin, "pinned");
}

static int run_unpin(struct store_command *c)
{
    return each_cid(c, sl_store_unpin, "unpinned");
}

static const char *const pin_own[] = {"pin-name=", NULL};
const struct store_verb store_pin = {
    .name = "store pin",
    .arguments = "CID…",
    .summary = "Keeps objects and all below them. Each name (--pin-name, by default \"user\") pins "
               "for itself.",
    .example = "sluice store pin bafy… --pin-name archive",
    .own = pin_own,
    .min = 1,
    .max = (size_t)-1,
    .run = run_pin,
};

const struct store_verb store_unpin = {
    .name = "store unpin",
    .arguments = "CID…",
    .summary = "Takes a pin back. What nobody pins goes with the next \"store gc\".",
    .example = "sluice store unpin bafy… --pin-name archive",
    .own = pin_own,
    .min = 1,
    .max = (size_t)-1,
    .run = run_unpin,
};

static int run_gc(struct store_command *c)
{
    struct sl_error err = {0};
    struct sl_store_totals t;
    if (sl_store_gc(c->store, c->dry_run, &t, &err) != SL_OK) {
        return cli_report(&err);
    }
    if (c->json) {
        printf("{\"removed\":%lld,\"removed_bytes\":%lld,\"objects\":%lld,\"bytes\":%lld}\n",
               (long long)t.removed, (long long)t.removed_bytes, (long long)t.objects,
               (long long)t.bytes);
    } else {
        printf("%s %lld objects (%lld bytes), kept %lld (%lld bytes)\n",
               c->dry_run ? "would remove" : "removed", (long long)t.removed,
               (long long)t.removed_bytes, (long long)t.objects, (long long)t.bytes);
    }
    return CLI_OK;
}

static const char *const gc_own[] = {"dry-run", "json", NULL};
const struct store_verb store_gc = {
    .name = "store gc",
    .arguments = "",
    .summary = "Removes what no pin reaches and no running process is adding.",
    .example = "sluice store gc --dry-run",
    .own = gc_own,
    .run = run_gc,
};

static void print_damaged(void *opaque, const char *cid, const char *why)
{
    (void)opaque;
    printf("damaged %s: %s\n", cid, why);
}

static void print_damaged_json(void *opaque, const char *cid, const char *why)
{
    (void)opaque;
    printf("{\"damaged\":\"%s\",\"why\":", cid);
    store_json_text(why);
    printf("}\n");
}

static int run_verify(struct store_command *c)
{
    struct sl_error err = {0};
    struct sl_store_totals t = {0};
    enum sl_status status =
        sl_store_verify(c->store, c->count > 0 ? c->operands[0] : NULL,
                        c->json ? print_damaged_json : print_damaged, NULL, &t, &err);
    if (status == SL_OK || status == SL_EDATA) {
        if (c->json) {
            printf("{\"objects\":%lld,\"bytes\":%lld,\"damaged\":%lld}\n", (long long)t.objects,
                   (long long)t.bytes, (long long)t.damaged);
        } else {
            printf("checked %lld objects (%lld bytes), %lld damaged or missing\n",
                   (long long)t.objects, (long long)t.bytes, (long long)t.damaged);
        }
    }
    return status == SL_OK ? CLI_OK : cli_report(&err);
}

static const char *const json_own[] = {"json", NULL};
const struct store_verb store_verify = {
    .name = "store verify",
    .arguments = "[CID]",
    .summary = "Hashes every object (or one, and all below it). What is damaged is put aside into "
               "damaged/ in the store:\nit is no longer served, and adding it again mends the "
               "store. Exit status 1 where anything was.",
    .example = "sluice store verify",
    .own = json_own,
    .max = 1,
    .run = run_verify,
};
