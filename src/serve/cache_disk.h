/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers by name, on disk: bounded by bytes, the least recently used goes first. A file is there
 * whole or not at all, and says itself what it answers; what is being sent is open and survives its
 * removal. After a restart what is there is used again. Thread-safe.
 *
 * A cache is never the reason for a failure: where the disk is full or broken, it holds less. */
#ifndef SL_SERVE_CACHE_DISK_H
#define SL_SERVE_CACHE_DISK_H

#include <sluice/log.h>

#include "serve/answer.h"

struct sl_cache_disk;

/* Makes the directory where there is none; SL_EIO where it cannot be used. */
SL_NODISCARD enum sl_status sl_cache_disk_open(struct sl_cache_disk **out, const char *directory,
                                               int64_t limit, const struct sl_log *log,
                                               struct sl_error *err);
void sl_cache_disk_close(struct sl_cache_disk **out);
/* A reference for the caller, or NULL. */
struct sl_answer *sl_cache_disk_get(struct sl_cache_disk *c, const char *key);
void sl_cache_disk_put(struct sl_cache_disk *c, const char *key, const struct sl_chain *chain);
void sl_cache_disk_sizes(struct sl_cache_disk *c, int64_t *bytes, int64_t *count);

#endif
