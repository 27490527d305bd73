/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Runs: what a registry knows of what was and is being published. docs/registry.md tells what a
 * run is.
 *
 * SL_EBUSY from any of these calls: the registry is locked or out of reach for now, and the same
 * call may be tried again.
 */
#ifndef SLUICE_RUNS_H
#define SLUICE_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/media.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sl_runs;

/** A run. Times are microseconds since 1970 in UTC, SL_NO_TIME where there is none. Texts are never
 * NULL, "" where there is none. Lifetime: until the next call with the same struct sl_runs. */
struct sl_run_info {
    const char *id;
    const char *state; /**< "running", "finished", "stopped", "failed" */
    int alive;         /**< running, and its writer has been heard of lately */
    int64_t created, updated, ended;
    int64_t revision;       /**< rises with each change */
    const char *profile;    /**< of the content store */
    const char *master_cid; /**< the multivariant playlist */
    const char *root_cid;   /**< the directory of a finished run */
    const char *error;      /**< why it failed */
    const char *options;    /**< a JSON object */
    /* After sl_runs_show() alone: what IPFS nodes still have to get (docs/ipfs.md). */
    int64_t uploads;          /**< objects that are queued */
    int64_t upload_attempts;  /**< the most that one of them has failed */
    const char *upload_node;  /**< of the one that has failed most */
    const char *upload_error; /**< and why it has; "": none has failed */
};

/** One rendition of a run. Lifetime: as struct sl_run_info. */
struct sl_run_rendition {
    const char *name;
    const char *kind;   /**< "video", "audio", "subtitles" */
    const char *codecs; /**< RFC 6381 */
    int32_t width, height;
    int64_t bitrate;  /**< bit/s, the most */
    int64_t first;    /**< number of the first segment */
    int64_t segments; /**< how many there are */
    int64_t bytes;    /**< of all of them */
    int64_t end;      /**< of the last one, in ticks of @c timebase */
    struct sl_rational timebase;
    const char *playlist_cid;
};

/** Which runs to list. Zero-initialise; all zero: the newest hundred. */
struct sl_runs_query {
    uint32_t struct_size; /**< sizeof of this struct */
    const char *state;    /**< of this state alone; NULL: all */
    const char *after;    /**< where a page before ended (sl_runs_next()); NULL: from the start */
    uint32_t limit;       /**< runs in the page, up to 1000; 0: 100 */
};

/**
 * Opens the registry @p where: postgres://…, the path of a file, which must be there, or the
 * directory of a content store, for the registry that lies in it.
 * Ownership: *out is the caller's, to be given to sl_runs_close().
 * Returns: SL_ENOTFOUND, SL_EBUSY, SL_EUNSUPPORTED (written by a newer Sluice, or no module for
 * it), SL_EDATA (damaged), SL_EIO. Thread-safety: a struct sl_runs is for one thread at a time.
 */
SL_NODISCARD SL_API enum sl_status sl_runs_open(struct sl_runs **out, const char *where,
                                                const struct sl_log *log, struct sl_error *err);
/** NULL and *NULL are fine; zeroes the pointer. */
SL_API void sl_runs_close(struct sl_runs **runs);

/** Reads a page of runs, newest first. @p query may be NULL. Returns: SL_EINVAL, SL_EBUSY … */
SL_NODISCARD SL_API enum sl_status
sl_runs_list(struct sl_runs *runs, const struct sl_runs_query *query, struct sl_error *err);
/** Reads one run and its renditions. Returns: SL_ENOTFOUND … */
SL_NODISCARD SL_API enum sl_status sl_runs_show(struct sl_runs *runs, const char *id,
                                                struct sl_error *err);
/** Runs in the page (1 after sl_runs_show()). */
SL_API size_t sl_runs_count(const struct sl_runs *runs);
/** Run @p index; NULL where out of range. */
SL_API const struct sl_run_info *sl_runs_at(const struct sl_runs *runs, size_t index);
/** What to ask the next page with; NULL: there is none. Lifetime: until the next call. */
SL_API const char *sl_runs_next(const struct sl_runs *runs);
/** Renditions of the run that sl_runs_show() read, in the order of its playlists. */
SL_API size_t sl_runs_rendition_count(const struct sl_runs *runs);
SL_API const struct sl_run_rendition *sl_runs_rendition(const struct sl_runs *runs, size_t index);

/** The page, {"runs": [...], "next": …}, or one run with its renditions, as JSON
 * (docs/registry.md). Lifetime of *out: until the next call with the same struct sl_runs. */
SL_NODISCARD SL_API enum sl_status sl_runs_list_json(struct sl_runs *runs,
                                                     const struct sl_runs_query *query,
                                                     const char **out, struct sl_error *err);
SL_NODISCARD SL_API enum sl_status sl_runs_show_json(struct sl_runs *runs, const char *id,
                                                     const char **out, struct sl_error *err);

/**
 * Forgets a run. What it published stays in the store until it is unpinned there.
 * Returns: SL_ENOTFOUND; SL_EBUSY where its writer is alive and @p force is 0.
 */
SL_NODISCARD SL_API enum sl_status sl_runs_delete(struct sl_runs *runs, const char *id, int force,
                                                  struct sl_error *err);

#ifdef __cplusplus
}
#endif
#endif
