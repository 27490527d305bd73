/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Store: files and directories kept by content. What goes in comes out under its CID, the name that
 * an IPFS node would give the same bytes (UnixFS in dag-pb, SHA-256), so it can move to or from one
 * without a link changing. A store is a plain directory; any number of processes may use it at
 * once, and one that is killed leaves nothing half made. docs/store.md says how.
 */
#ifndef SLUICE_STORE_H
#define SLUICE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_STORE_PATH_MAX 4096
#define SL_STORE_CID_SIZE 64 /**< room for the text of any CID of ours */

/** How a file is cut into blocks: it decides the CID. */
enum sl_store_profile {
    SL_STORE_UNIXFS_V1_2025 = 0, /**< CIDv1, raw leaves, 1 MiB chunks, 1024 links (IPIP-499) */
    SL_STORE_UNIXFS_V1 = 1,      /**< CIDv1, raw leaves, 256 KiB, 174: `ipfs add --cid-version=1` */
    SL_STORE_UNIXFS_V0 = 2,      /**< CIDv0, dag-pb leaves, 256 KiB, 174: `ipfs add` for years */
};

enum sl_store_kind {
    SL_STORE_FILE = 0,
    SL_STORE_DIRECTORY = 1,
    SL_STORE_NODE = 2, /**< another dag-pb node: kept and moved, its content not looked into */
};

/** Settings of an open store. Fill with sl_store_params_default(), then change. */
struct sl_store_params {
    uint32_t struct_size;          /**< set by sl_store_params_default() */
    char store[SL_STORE_PATH_MAX]; /**< the directory */
    int profile;                   /**< enum sl_store_profile, for what is added */
    int hidden; /**< 1: sl_store_add_path() takes names that begin with "." too */
    int sync;   /**< 1: what is added is on the disk when the call returns; 0: soon after */
    int create; /**< 1: the directory is made where there is none */
};

/**
 * Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size.
 */
SL_NODISCARD SL_API enum sl_status sl_store_params_default(struct sl_store_params *params,
                                                           uint32_t size, struct sl_error *err);

/** The option table of struct sl_store_params. Static storage. */
SL_API const struct sl_option *sl_store_options(void);

/** The name of a profile as the option table has it ("unixfs-v1-2025"); NULL: there is none. */
SL_API const char *sl_store_profile_name(int profile);

/** An open store. Thread-safe, but for sl_store_close(). */
struct sl_store;

/**
 * Opens the store in params->store.
 * Ownership: *out is the caller's, to be given to sl_store_close(). @p params is copied; @p log
 * must outlive the store and may be NULL.
 * Returns: SL_EINVAL (settings), SL_ENOTFOUND (no store there, and create is 0), SL_EUNSUPPORTED (a
 * store of another version, or a directory that holds something else), SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_store_open(struct sl_store **out,
                                                 const struct sl_store_params *params,
                                                 const struct sl_log *log, struct sl_error *err);

/** Closes and zeroes the pointer. NULL is fine. What was added without a pin is left to the next
 * sl_store_gc() from here on. Never while another call runs. */
SL_API void sl_store_close(struct sl_store **store);

/** What is in a store. */
struct sl_store_info {
    char cid[SL_STORE_CID_SIZE];
    int kind;                /**< enum sl_store_kind */
    int64_t size;            /**< bytes of a file's content; of a directory's node */
    int64_t cumulative_size; /**< bytes of all blocks below it (Tsize); -1: not known */
};

/* ---- adding -------------------------------------------------------------------------------- */

/** A file on its way in. Single owner. */
struct sl_store_add;

/** Begins a file. Ownership: *out is the caller's, to be finished or aborted before @p store is
 * closed. Returns: SL_EIO, SL_ENOMEM. */
SL_NODISCARD SL_API enum sl_status sl_store_add_open(struct sl_store_add **out,
                                                     struct sl_store *store, struct sl_error *err);
/** The next bytes, in any amount. Returns: SL_EIO (the disk is full, too), SL_ENOMEM. */
SL_NODISCARD SL_API enum sl_status sl_store_add_write(struct sl_store_add *add, const void *data,
                                                      size_t size, struct sl_error *err);
/** All that @p fd gives until its end; it stays open. Returns: SL_EIO, SL_ENOMEM. */
SL_NODISCARD SL_API enum sl_status sl_store_add_fd(struct sl_store_add *add, int fd,
                                                   const char *name, struct sl_error *err);
/**
 * Publishes the file under its CID. Destroys *add, whatever it returns.
 * @p pin: who keeps it (1 to 100 letters, digits, "._:-"); NULL: nobody, it is safe from
 * sl_store_gc() only while @p store is open. @p info may be NULL.
 * Returns: SL_EINVAL (@p pin), SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_store_add_finish(struct sl_store_add **add, const char *pin,
                                                       struct sl_store_info *info,
                                                       struct sl_error *err);
/** Forgets it. NULL is fine. */
SL_API void sl_store_add_abort(struct sl_store_add **add);

/** Called for each object that was added, children before the directory that names them. */
typedef void sl_store_added_fn(void *opaque, const struct sl_store_info *info, const char *name);

/**
 * Adds a file, or a directory with all below it where @p recursive is not 0. Symbolic links below a
 * directory are refused (SL_EUNSUPPORTED), as is what is neither file nor directory.
 * @p pin as in sl_store_add_finish(), for the root. @p added and @p info may be NULL.
 * Returns: SL_ENOTFOUND, SL_EIO, SL_EINVAL (a directory, and not recursive), SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_store_add_path(struct sl_store *store, const char *path,
                                                     int recursive, const char *pin,
                                                     sl_store_added_fn *added, void *opaque,
                                                     struct sl_store_info *info,
                                                     struct sl_error *err);

/** An entry of a directory to be made. */
struct sl_store_link {
    const char *name;
    const char *cid; /**< of what is in the store already */
};

/**
 * Adds a directory of what is in the store, in any order of names.
 * Returns: SL_EINVAL (a name or CID), SL_ENOTFOUND (an entry is not in the store), SL_EUNSUPPORTED
 * (more names than fit one block), SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status
sl_store_add_directory(struct sl_store *store, const struct sl_store_link *links, size_t count,
                       const char *pin, struct sl_store_info *info, struct sl_error *err);

/* ---- reading ------------------------------------------------------------------------------- */

/** What "CID", "CID/a/b" or "/ipfs/CID/a/b" is. Returns: SL_EINVAL (no such path), SL_EUNSUPPORTED
 * (another hash or codec), SL_ENOTFOUND naming what is missing, SL_EDATA, SL_EIO. */
SL_NODISCARD SL_API enum sl_status sl_store_stat(struct sl_store *store, const char *path,
                                                 struct sl_store_info *info, struct sl_error *err);

/** Called for each entry: info->size is -1 where the entry is not in this store. */
typedef void sl_store_entry_fn(void *opaque, const struct sl_store_info *info, const char *name);

/** The entries of a directory, by name. Returns: as sl_store_stat(); SL_EUNSUPPORTED where it is
 * none, or a sharded one. */
SL_NODISCARD SL_API enum sl_status sl_store_list(struct sl_store *store, const char *path,
                                                 sl_store_entry_fn *entry, void *opaque,
                                                 struct sl_error *err);

/**
 * Writes a file to @p output, or a directory with all below it as a directory of that name; "-" is
 * standard output (a file only). Every block is checked first: what is damaged is not written.
 * Files appear whole or not at all. Returns: as sl_store_stat(); SL_EDATA (damaged), SL_EEXIST (a
 * directory of that name is there), SL_EIO.
 */
SL_NODISCARD SL_API enum sl_status sl_store_get(struct sl_store *store, const char *path,
                                                const char *output, struct sl_error *err);

/** The content of a file to a descriptor of the caller's, checked as above. Whoever writes to a
 * pipe or socket must ignore SIGPIPE. */
SL_NODISCARD SL_API enum sl_status sl_store_get_fd(struct sl_store *store, const char *path, int fd,
                                                   struct sl_error *err);

/* ---- keeping ------------------------------------------------------------------------------- */

/** Keeps an object, and all that it names, for @p name (NULL: "user"). Pinned twice is pinned once;
 * an object is kept while anybody pins it. Returns: SL_ENOTFOUND, SL_EINVAL, SL_EIO, SL_ENOMEM. */
SL_NODISCARD SL_API enum sl_status sl_store_pin(struct sl_store *store, const char *cid,
                                                const char *name, struct sl_error *err);
/** Takes it back. Returns: SL_ENOTFOUND (was not pinned by that name), SL_EINVAL, SL_EIO. */
SL_NODISCARD SL_API enum sl_status sl_store_unpin(struct sl_store *store, const char *cid,
                                                  const char *name, struct sl_error *err);
/** Called for each pin. */
typedef void sl_store_pin_fn(void *opaque, const char *cid, const char *name);
/** Every pin, sorted by CID and name. Returns: SL_EIO, SL_ENOMEM. */
SL_NODISCARD SL_API enum sl_status sl_store_pins(struct sl_store *store, sl_store_pin_fn *each,
                                                 void *opaque, struct sl_error *err);

/** What sl_store_gc() and sl_store_verify() did. */
struct sl_store_totals {
    int64_t objects; /**< looked at (verify), or kept (gc) */
    int64_t bytes;   /**< of those */
    int64_t removed; /**< gc: objects that went, or would go */
    int64_t removed_bytes;
    int64_t damaged; /**< verify: put aside into damaged/ */
};

/** Removes what no pin reaches and no process is adding; with @p dry_run only counts it. @p totals
 * may be NULL. Returns: SL_EIO, SL_EDATA (a directory is damaged: nothing was removed), SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_store_gc(struct sl_store *store, int dry_run,
                                               struct sl_store_totals *totals,
                                               struct sl_error *err);

/** Called for each object that is not what its CID says, or is missing where one needs it. */
typedef void sl_store_damaged_fn(void *opaque, const char *cid, const char *why);
/** Hashes all of the store, or what is below @p cid where it is not NULL. Damaged objects are put
 * aside, so that adding them again mends the store. @p damaged and @p totals may be NULL.
 * Returns: SL_EDATA where anything was damaged or missing; SL_EIO, SL_ENOMEM. */
SL_NODISCARD SL_API enum sl_status sl_store_verify(struct sl_store *store, const char *cid,
                                                   sl_store_damaged_fn *damaged, void *opaque,
                                                   struct sl_store_totals *totals,
                                                   struct sl_error *err);

/* ---- moving -------------------------------------------------------------------------------- */

/** Writes the DAG below @p path as a CAR (version 1) to a descriptor of the caller's; every block
 * is checked first. Returns: as sl_store_stat(); SL_EDATA, SL_EIO. */
SL_NODISCARD SL_API enum sl_status sl_store_export_fd(struct sl_store *store, const char *path,
                                                      int fd, struct sl_error *err);
/** The same to a file, which appears whole or not at all; "-" is standard output. */
SL_NODISCARD SL_API enum sl_status sl_store_export(struct sl_store *store, const char *path,
                                                   const char *output, struct sl_error *err);

/**
 * Reads a CAR (version 1) from a descriptor until its end. Every block is hashed; nothing appears
 * unless all of it is good. The roots are pinned where @p pin is not NULL, and told to @p root
 * (which may be NULL). @p name is for messages. Returns: SL_EDATA with the offset (damaged, or a
 * block is missing), SL_EUNSUPPORTED (another hash or codec), SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_store_import_fd(struct sl_store *store, int fd,
                                                      const char *name, const char *pin,
                                                      sl_store_added_fn *root, void *opaque,
                                                      struct sl_error *err);

#ifdef __cplusplus
}
#endif
#endif
