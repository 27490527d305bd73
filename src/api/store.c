/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/store.h"

#include <string.h>

#include "api/params.h"
#include "base/alloc.h"
#include "base/error.h"

#define AT(field)   offsetof(struct sl_store_params, field)
#define SIZE(field) sizeof(((struct sl_store_params *)0)->field)

static const char *const profiles[] = {"unixfs-v1-2025", "unixfs-v1", "unixfs-v0", NULL};

static const struct sl_option table[] = {
    {.key = "store",
     .type = SL_OPTION_STRING,
     .offset = AT(store),
     .capacity = SIZE(store),
     .metavar = "DIR",
     .help =
         "the store; else $SLUICE_STORE, else sluice/store in $XDG_DATA_HOME or ~/.local/share"},
    {.key = "profile",
     .type = SL_OPTION_ENUM,
     .offset = AT(profile),
     .choices = profiles,
     .value_default = "unixfs-v1-2025",
     .metavar = "unixfs-v1-2025|unixfs-v1|unixfs-v0",
     .help = "how files are cut into blocks, which decides their CIDs"},
    {.key = "hidden",
     .type = SL_OPTION_BOOL,
     .offset = AT(hidden),
     .value_default = "no",
     .help = "add files whose names begin with a dot too"},
    {.key = "sync",
     .type = SL_OPTION_BOOL,
     .offset = AT(sync),
     .value_default = "yes",
     .help = "wait until what is added is on the disk; --sync=no: soon after"},
    {.key = NULL},
};

const struct sl_option *sl_store_options(void)
{
    return table;
}

enum sl_status sl_store_params_default(struct sl_store_params *params, uint32_t size,
                                       struct sl_error *err)
{
    return sl_params_default(table, params, size, sizeof *params, err);
}

const char *sl_store_profile_name(int profile)
{
    const struct sl_profile *p = sl_profile_get((enum sl_store_profile)profile);

    return p ? p->name : NULL;
}

static enum sl_status check(const struct sl_store_params *p, struct sl_error *err)
{
    enum sl_status status = sl_params_check(p, sizeof *p, "sl_store_params_default", err);

    if (status != SL_OK) {
        return status;
    }
    if (!memchr(p->store, '\0', sizeof p->store) || !p->store[0]) {
        return sl_fail(err, SL_EINVAL, "store", "the name of a directory is expected");
    }
    if (!sl_store_profile_name(p->profile)) {
        return sl_fail(err, SL_EINVAL, "profile", "%d is not one", p->profile);
    }
    return SL_OK;
}

static enum sl_status null(struct sl_error *err, const char *what)
{
    return sl_fail(err, SL_EINVAL, what, "is NULL");
}

enum sl_status sl_store_open(struct sl_store **out, const struct sl_store_params *params,
                             const struct sl_log *log, struct sl_error *err)
{
    struct sl_store *store;
    enum sl_status status;
    unsigned flags;

    if (!out) {
        return null(err, "out");
    }
    *out = NULL;
    status = check(params, err);
    if (status != SL_OK) {
        return status;
    }
    store = sl_alloc_zero(sizeof *store);
    if (!store) {
        return sl_fail_memory(err);
    }
    store->profile = (enum sl_store_profile)params->profile;
    store->hidden = params->hidden != 0;
    flags = (params->create ? SL_CAS_CREATE : 0u) | (params->sync ? 0u : SL_CAS_NO_SYNC);
    status = sl_cas_open(&store->cas, params->store, flags, log, err);
    if (status != SL_OK) {
        sl_free(store);
        return status;
    }
    *out = store;
    return SL_OK;
}

void sl_store_close(struct sl_store **store)
{
    if (store && *store) {
        sl_cas_close(&(*store)->cas);
        sl_free(*store);
        *store = NULL;
    }
}

void sl_store_describe(const struct sl_cas_info *from, struct sl_store_info *to)
{
    (void)sl_cid_text(&from->cid, to->cid);
    to->kind = (int)from->kind;
    to->size = from->size;
    to->cumulative_size = from->tsize;
}

enum sl_status sl_store_parse(struct sl_cid *out, const char *cid, struct sl_error *err)
{
    const char *text = cid && strncmp(cid, "/ipfs/", 6) == 0 ? cid + 6 : cid;

    return text ? sl_cid_parse(out, text, strlen(text), err) : null(err, "cid");
}

/* ---- adding -------------------------------------------------------------------------------- */

struct sl_store_add {
    struct sl_cas_writer *writer;
};

enum sl_status sl_store_add_open(struct sl_store_add **out, struct sl_store *store,
                                 struct sl_error *err)
{
    struct sl_store_add *add;
    enum sl_status status;

    if (!out || !store) {
        return null(err, out ? "store" : "out");
    }
    *out = NULL;
    add = sl_alloc_zero(sizeof *add);
    if (!add) {
        return sl_fail_memory(err);
    }
    status = sl_cas_writer_open(&add->writer, store->cas, store->profile, err);
    if (status != SL_OK) {
        sl_free(add);
        return status;
    }
    *out = add;
    return SL_OK;
}

enum sl_status sl_store_add_write(struct sl_store_add *add, const void *data, size_t size,
                                  struct sl_error *err)
{
    if (!add || (!data && size > 0)) {
        return null(err, add ? "data" : "add");
    }
    return sl_cas_writer_write(add->writer, data, size, err);
}

enum sl_status sl_store_add_fd(struct sl_store_add *add, int fd, const char *name,
                               struct sl_error *err)
{
    if (!add || fd < 0) {
        return sl_fail(err, SL_EINVAL, "add", "NULL, or a negative descriptor");
    }
    return sl_cas_writer_fd(add->writer, fd, name, err);
}

enum sl_status sl_store_add_finish(struct sl_store_add **add, const char *pin,
                                   struct sl_store_info *info, struct sl_error *err)
{
    struct sl_cas_info made;
    enum sl_status status;

    if (!add || !*add) {
        return null(err, "add");
    }
    status = sl_cas_writer_commit(&(*add)->writer, pin, &made, err);
    sl_store_add_abort(add);
    if (status == SL_OK && info) {
        sl_store_describe(&made, info);
    }
    return status;
}

void sl_store_add_abort(struct sl_store_add **add)
{
    if (add && *add) {
        sl_cas_writer_abort(&(*add)->writer);
        sl_free(*add);
        *add = NULL;
    }
}

/* From what the store tells to what the caller wants to hear. */
struct told {
    sl_store_added_fn *added;
    sl_store_pin_fn *pin;
    sl_store_damaged_fn *damaged;
    void *opaque;
};

static void tell_added(void *opaque, const struct sl_cas_info *info, const char *name)
{
    const struct told *t = opaque;
    struct sl_store_info out;

    if (t->added) {
        sl_store_describe(info, &out);
        t->added(t->opaque, &out, name);
    }
}

/* NOLINTNEXTLINE(readability-function-size): the public one has as many arguments */
enum sl_status sl_store_add_path(struct sl_store *store, const char *path, int recursive,
                                 const char *pin, sl_store_added_fn *added, void *opaque,
                                 struct sl_store_info *info, struct sl_error *err)
{
    struct told told = {.added = added, .opaque = opaque};
    struct sl_cas_tree_params params = {.each = tell_added, .opaque = &told};
    struct sl_cas_info made;
    enum sl_status status;

    if (!store || !path) {
        return null(err, store ? "path" : "store");
    }
    params.profile = store->profile;
    params.recursive = recursive != 0;
    params.hidden = store->hidden;
    params.pin = pin;
    status = sl_cas_add_tree(store->cas, path, &params, &made, err);
    if (status == SL_OK && info) {
        sl_store_describe(&made, info);
    }
    return status;
}

enum sl_status sl_store_add_directory(struct sl_store *store, const struct sl_store_link *links,
                                      size_t count, const char *pin, struct sl_store_info *info,
                                      struct sl_error *err)
{
    struct sl_cas_dir *dir = NULL;
    struct sl_cas_info made;
    enum sl_status status;

    if (!store || (!links && count > 0)) {
        return null(err, store ? "links" : "store");
    }
    status = sl_cas_dir_open(&dir, err);
    for (size_t i = 0; i < count && status == SL_OK; i++) {
        struct sl_cas_info entry;
        struct sl_cid cid;

        status = links[i].name ? sl_store_parse(&cid, links[i].cid, err) : null(err, "name");
        if (status == SL_OK) {
            status = sl_cas_stat(store->cas, &cid, &entry, err);
        }
        if (status == SL_OK) {
            status = sl_cas_dir_add(dir, links[i].name, &entry, err);
        }
    }
    if (status == SL_OK) {
        status = sl_cas_dir_commit(&dir, store->cas, NULL,
                                   sl_profile_get(store->profile)->cid_version, pin, &made, err);
    }
    sl_cas_dir_abort(&dir);
    if (status == SL_OK && info) {
        sl_store_describe(&made, info);
    }
    return status;
}

/* ---- keeping ------------------------------------------------------------------------------- */

enum sl_status sl_store_pin(struct sl_store *store, const char *cid, const char *name,
                            struct sl_error *err)
{
    struct sl_cid parsed;
    enum sl_status status = store ? sl_store_parse(&parsed, cid, err) : null(err, "store");

    return status == SL_OK ? sl_cas_pin(store->cas, &parsed, name, err) : status;
}

enum sl_status sl_store_unpin(struct sl_store *store, const char *cid, const char *name,
                              struct sl_error *err)
{
    struct sl_cid parsed;
    enum sl_status status = store ? sl_store_parse(&parsed, cid, err) : null(err, "store");

    return status == SL_OK ? sl_cas_unpin(store->cas, &parsed, name, err) : status;
}

static void tell_pin(void *opaque, const struct sl_cid *cid, const char *name)
{
    const struct told *t = opaque;
    char text[SL_CID_TEXT_SIZE];

    t->pin(t->opaque, sl_cid_text(cid, text), name);
}

enum sl_status sl_store_pins(struct sl_store *store, sl_store_pin_fn *each, void *opaque,
                             struct sl_error *err)
{
    struct told told = {.pin = each, .opaque = opaque};

    if (!store || !each) {
        return null(err, store ? "each" : "store");
    }
    return sl_cas_pins(store->cas, tell_pin, &told, err);
}

static void copy_totals(const struct sl_cas_totals *from, struct sl_store_totals *to)
{
    if (to) {
        *to = (struct sl_store_totals){.objects = from->objects,
                                       .bytes = from->bytes,
                                       .removed = from->removed,
                                       .removed_bytes = from->removed_bytes,
                                       .damaged = from->damaged};
    }
}

enum sl_status sl_store_gc(struct sl_store *store, int dry_run, struct sl_store_totals *totals,
                           struct sl_error *err)
{
    struct sl_cas_totals made = {0};
    enum sl_status status;

    if (!store) {
        return null(err, "store");
    }
    status = sl_cas_gc(store->cas, dry_run != 0, &made, err);
    copy_totals(&made, totals);
    return status;
}

static void tell_damaged(void *opaque, const struct sl_cid *cid, const struct sl_error *why)
{
    const struct told *t = opaque;
    char text[SL_CID_TEXT_SIZE];

    if (t->damaged) {
        t->damaged(t->opaque, sl_cid_text(cid, text), why->msg);
    }
}

enum sl_status sl_store_verify(struct sl_store *store, const char *cid,
                               sl_store_damaged_fn *damaged, void *opaque,
                               struct sl_store_totals *totals, struct sl_error *err)
{
    struct told told = {.damaged = damaged, .opaque = opaque};
    struct sl_cas_totals made = {0};
    enum sl_status status;
    struct sl_cid parsed;

    if (!store) {
        return null(err, "store");
    }
    status = cid ? sl_store_parse(&parsed, cid, err) : SL_OK;
    if (status == SL_OK) {
        status = sl_cas_verify(store->cas, cid ? &parsed : NULL, tell_damaged, &told, &made, err);
    }
    copy_totals(&made, totals);
    return status;
}

/* ---- moving in ----------------------------------------------------------------------------- */

static void tell_root(void *opaque, const struct sl_cas_info *info)
{
    tell_added(opaque, info, "");
}

enum sl_status sl_store_import_fd(struct sl_store *store, int fd, const char *name, const char *pin,
                                  sl_store_added_fn *root, void *opaque, struct sl_error *err)
{
    struct told told = {.added = root, .opaque = opaque};
    struct sl_cas_import_params params = {
        .name = name ? name : "CAR", .pin = pin, .root = tell_root, .opaque = &told};

    if (!store || fd < 0) {
        return sl_fail(err, SL_EINVAL, "store", "NULL, or a negative descriptor");
    }
    return sl_cas_import(store->cas, fd, &params, err);
}
