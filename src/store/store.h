/* SPDX-License-Identifier: BSD-2-Clause */
/* The embedded content store, for the rest of the library: <sluice/store.h> is the same for the
 * world. docs/store.md describes the directory, the locks, and what a crash leaves.
 *
 * A handle is thread-safe, but for close; what it hands out (writers, objects, exports) has one
 * owner each. Several processes may use one directory at once. */
#ifndef SL_STORE_STORE_H
#define SL_STORE_STORE_H

#include <sluice/log.h>
#include <sluice/store.h>

#include "base/slice.h"
#include "store/cid.h"
#include "store/profile.h"

#define SL_CAS_PIN_NAME_MAX 100        /* letters, digits, "._:-" */
#define SL_CAS_PIN_DEFAULT  "user"     /* whose pin it is where nobody says */
#define SL_CAS_BLOCK_MAX    (2u << 20) /* what other nodes accept as a block */
#define SL_CAS_DIRECTORY_MAX                                                                       \
    (256u << 10)            /* bytes of names and CIDs: beyond, a node would shard                 \
                             */
#define SL_CAS_DEPTH_MAX 64 /* nodes from a root to a leaf, directories too */
#define SL_CAS_FILE_MAX  (INT64_C(1) << 46)

struct sl_cas;

enum {                             /* flags of sl_cas_open */
       SL_CAS_CREATE = 1u << 0,    /* make the directory if it is not there */
       SL_CAS_READ_ONLY = 1u << 1, /* nothing is made, swept or locked */
       SL_CAS_NO_SYNC = 1u << 2,   /* do not wait for the disk: a power failure may take objects */
};

/* SL_ENOTFOUND where there is no store and SL_CAS_CREATE is not set; SL_EUNSUPPORTED where it is of
 * another version. log must outlive the handle. */
SL_NODISCARD enum sl_status sl_cas_open(struct sl_cas **out, const char *directory, unsigned flags,
                                        const struct sl_log *log, struct sl_error *err);
/* What was added through this handle and is not pinned is left to the next gc from here on. */
void sl_cas_close(struct sl_cas **out);
const char *sl_cas_directory(const struct sl_cas *cas);

/* ---- adding -------------------------------------------------------------------------------- */

/* What has been added, or is there. */
struct sl_cas_info {
    struct sl_cid cid;
    enum sl_store_kind kind;
    int64_t size;  /* of the content: bytes of a file; of a directory, those of its node */
    int64_t tsize; /* of the whole DAG, with its nodes, as links say it (Tsize) */
};

/* One file on its way in: hashed while it is written, never read back. */
struct sl_cas_writer;
SL_NODISCARD enum sl_status sl_cas_writer_open(struct sl_cas_writer **out, struct sl_cas *cas,
                                               enum sl_store_profile profile, struct sl_error *err);
SL_NODISCARD enum sl_status sl_cas_writer_write(struct sl_cas_writer *w, const void *data,
                                                size_t size, struct sl_error *err);
/* Memory, and ranges of files. */
SL_NODISCARD enum sl_status sl_cas_writer_chain(struct sl_cas_writer *w,
                                                const struct sl_chain *chain, struct sl_error *err);
/* What a descriptor gives until its end: file, pipe, socket. */
SL_NODISCARD enum sl_status sl_cas_writer_fd(struct sl_cas_writer *w, int fd, const char *name,
                                             struct sl_error *err);
/* Publishes: on SL_OK the object is on the disk under its CID, and pinned where pin is a name.
 * Without one it is safe from gc until the handle is closed (or sl_cas_release). Destroys *w
 * whatever it returns. */
SL_NODISCARD enum sl_status sl_cas_writer_commit(struct sl_cas_writer **w, const char *pin,
                                                 struct sl_cas_info *out, struct sl_error *err);
/* The same in a batch: the CID is known, the bytes appear with the batch (see below). */
struct sl_cas_batch;
SL_NODISCARD enum sl_status sl_cas_writer_stage(struct sl_cas_writer **w,
                                                struct sl_cas_batch *batch, struct sl_cas_info *out,
                                                struct sl_error *err);
void sl_cas_writer_abort(struct sl_cas_writer **w); /* NULL is fine */

/* Everything from open to commit in one. */
SL_NODISCARD enum sl_status sl_cas_add_chain(struct sl_cas *cas, enum sl_store_profile profile,
                                             const struct sl_chain *chain, const char *pin,
                                             struct sl_cas_info *out, struct sl_error *err);

/* Several objects that are published together: one wait for the disk for all of them, in the order
 * in which they were staged (children before the directories that name them). */
SL_NODISCARD enum sl_status sl_cas_batch_open(struct sl_cas_batch **out, struct sl_cas *cas,
                                              struct sl_error *err);
/* Publishes what was staged so far; the batch can be filled again. */
SL_NODISCARD enum sl_status sl_cas_batch_flush(struct sl_cas_batch *batch, struct sl_error *err);
/* Staged and not flushed: forgotten. NULL is fine. */
void sl_cas_batch_close(struct sl_cas_batch **out);

/* One directory: names in any order, links come out sorted by their bytes. */
struct sl_cas_dir;
SL_NODISCARD enum sl_status sl_cas_dir_open(struct sl_cas_dir **out, struct sl_error *err);
/* SL_EINVAL: a name that is empty, ".", "..", has "/" or NUL, or is there twice. SL_EUNSUPPORTED:
 * more than a node keeps in one block (SL_CAS_DIRECTORY_MAX). */
SL_NODISCARD enum sl_status sl_cas_dir_add(struct sl_cas_dir *d, const char *name,
                                           const struct sl_cas_info *entry, struct sl_error *err);
/* Publishes it, in the batch where one is given. cid_version 0 or 1, as the profile has it.
 * Destroys *d whatever it returns. SL_ENOTFOUND where an entry is neither in the store nor in the
 * batch. */
SL_NODISCARD enum sl_status sl_cas_dir_commit(struct sl_cas_dir **d, struct sl_cas *cas,
                                              struct sl_cas_batch *batch, int cid_version,
                                              const char *pin, struct sl_cas_info *out,
                                              struct sl_error *err);
void sl_cas_dir_abort(struct sl_cas_dir **out); /* NULL is fine */

/* A file or a directory with all that is below it, symbolic links followed only at the top. each is
 * called for every object, children first; name is the path below and including the last part of
 * path. May be NULL. */
struct sl_cas_tree_params {
    enum sl_store_profile profile;
    bool recursive;
    bool hidden;     /* names that begin with "." too */
    const char *pin; /* of the root, or NULL */
    void (*each)(void *opaque, const struct sl_cas_info *info, const char *name);
    void *opaque;
};
SL_NODISCARD enum sl_status sl_cas_add_tree(struct sl_cas *cas, const char *path,
                                            const struct sl_cas_tree_params *params,
                                            struct sl_cas_info *out, struct sl_error *err);

/* ---- reading ------------------------------------------------------------------------------- */

/* "CID", "CID/a/b" or "/ipfs/CID/a/b", through directories; SL_EINVAL where it is no such path,
 * SL_ENOTFOUND naming what is missing. path is not decoded in any way. */
SL_NODISCARD enum sl_status sl_cas_resolve(struct sl_cas *cas, const char *path,
                                           struct sl_cas_info *out, struct sl_error *err);
/* SL_ENOTFOUND where it is not there. */
SL_NODISCARD enum sl_status sl_cas_stat(struct sl_cas *cas, const struct sl_cid *cid,
                                        struct sl_cas_info *out, struct sl_error *err);

/* The content of a file as a plain file to be sent from: bytes [*offset, *offset + info->size).
 * (A CID may be that of a part of a file, which is a file too; else *offset is 0.) *out is a
 * reference of the caller's, and stays readable when gc takes the object. Not checked: see
 * sl_cas_check. */
SL_NODISCARD enum sl_status sl_cas_open_file(struct sl_cas *cas, const struct sl_cid *cid,
                                             struct sl_file **out, int64_t *offset,
                                             struct sl_cas_info *info, struct sl_error *err);
/* Hashes the blocks that hold [offset, offset + size) of a file and compares: SL_EDATA names the
 * first that is not what its CID says. size -1: to the end. */
SL_NODISCARD enum sl_status sl_cas_check(struct sl_cas *cas, const struct sl_cid *cid,
                                         int64_t offset, int64_t size, struct sl_error *err);
/* A file's bytes in order, each block checked before any of it is handed to take: nothing that is
 * damaged comes out. */
SL_NODISCARD enum sl_status sl_cas_read_checked(
    struct sl_cas *cas, const struct sl_cid *cid,
    enum sl_status (*take)(void *opaque, const void *data, size_t size, struct sl_error *err),
    void *opaque, struct sl_error *err);

struct sl_cas_entry {
    struct sl_cid cid;
    uint64_t tsize;
    const char *name; /* points into the list */
};
struct sl_cas_list {
    struct sl_cas_entry *entries; /* in the order of the node: by name */
    size_t count;
    void *memory;
};
/* The entries of a directory (checked against its CID). SL_EUNSUPPORTED: a sharded one, or not a
 * directory. Ownership: sl_cas_list_clear. */
SL_NODISCARD enum sl_status sl_cas_list(struct sl_cas *cas, const struct sl_cid *cid,
                                        struct sl_cas_list *out, struct sl_error *err);
void sl_cas_list_clear(struct sl_cas_list *list); /* a zeroed one is fine */

/* One block by its CID, leaves and inner nodes of files too, checked. Appends to out, from memory.
 */
SL_NODISCARD enum sl_status sl_cas_block(struct sl_cas *cas, const struct sl_cid *cid,
                                         struct sl_chain *out, struct sl_error *err);
/* Whether there is an object of that name (not an inner block). */
bool sl_cas_has(struct sl_cas *cas, const struct sl_cid *cid);

/* ---- CAR (https://ipld.io/specs/transport/car/carv1) ----------------------------------------- */

/* The DAG below root as a stream that is pulled: blocks in depth-first order, each once. Leaves of
 * raw blocks are ranges of files and are not read; with checked they are read and compared. */
struct sl_cas_export;
SL_NODISCARD enum sl_status sl_cas_export_open(struct sl_cas_export **out, struct sl_cas *cas,
                                               const struct sl_cid *root, bool checked,
                                               struct sl_error *err);
/* Appends the next block (about SL_CAS_BLOCK_MAX at most); SL_EOF after the last. */
SL_NODISCARD enum sl_status sl_cas_export_next(struct sl_cas_export *e, struct sl_chain *out,
                                               struct sl_error *err);
void sl_cas_export_close(struct sl_cas_export **out);
/* A CAR of the one block that cid names, checked; for a directory without what is in it. Appends,
 * from memory. */
SL_NODISCARD enum sl_status sl_cas_export_node(struct sl_cas *cas, const struct sl_cid *cid,
                                               struct sl_chain *out, struct sl_error *err);

struct sl_cas_import_params {
    const char *name;  /* for messages */
    const char *pin;   /* the roots are pinned so; NULL: not */
    int64_t max_bytes; /* of files in all: a small CAR can stand for much. 0: what the disk has */
    /* Called for each root when all is there. May be NULL. */
    void (*root)(void *opaque, const struct sl_cas_info *info);
    void *opaque;
};
/* Reads a CAR from a descriptor. Every block is hashed; objects appear when the whole CAR has been
 * found good, or not at all. Blocks that no root needs are left out. SL_EDATA with an offset where
 * a block is not what its CID says, or one that is needed is neither in the CAR nor in the store.
 */
SL_NODISCARD enum sl_status sl_cas_import(struct sl_cas *cas, int fd,
                                          const struct sl_cas_import_params *params,
                                          struct sl_error *err);

/* ---- keeping ------------------------------------------------------------------------------- */

/* A pin has a name, so that each who needs an object says so for himself: an object is kept while
 * any pin reaches it. Idempotent. SL_ENOTFOUND: no such object. name NULL: SL_CAS_PIN_DEFAULT. */
SL_NODISCARD enum sl_status sl_cas_pin(struct sl_cas *cas, const struct sl_cid *cid,
                                       const char *name, struct sl_error *err);
/* SL_ENOTFOUND: it was not pinned by that name. */
SL_NODISCARD enum sl_status sl_cas_unpin(struct sl_cas *cas, const struct sl_cid *cid,
                                         const char *name, struct sl_error *err);
/* Every pin, sorted by CID and name. */
SL_NODISCARD enum sl_status sl_cas_pins(struct sl_cas *cas,
                                        void (*each)(void *opaque, const struct sl_cid *cid,
                                                     const char *name),
                                        void *opaque, struct sl_error *err);
/* Gives up what keeps unpinned objects of this handle from gc. */
void sl_cas_release(struct sl_cas *cas);

struct sl_cas_totals {
    int64_t objects, bytes; /* looked at, or kept */
    int64_t removed, removed_bytes;
    int64_t damaged;
};
/* Removes what no pin reaches and nobody is adding. */
SL_NODISCARD enum sl_status sl_cas_gc(struct sl_cas *cas, bool dry_run,
                                      struct sl_cas_totals *totals, struct sl_error *err);
/* Hashes every object (or one, with all below it, where cid is set). One that is not what its name
 * says is put aside into damaged/ (so it is no longer served, and adding it again mends it) and
 * told to each. SL_EDATA where there was any. */
SL_NODISCARD enum sl_status
sl_cas_verify(struct sl_cas *cas, const struct sl_cid *cid,
              void (*each)(void *opaque, const struct sl_cid *cid, const struct sl_error *why),
              void *opaque, struct sl_cas_totals *totals, struct sl_error *err);

#endif
