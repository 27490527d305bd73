/* SPDX-License-Identifier: BSD-2-Clause */
/* Publish, then announce: a file appears under its name whole or not at all. */
#ifndef SL_BASE_PUBLISH_H
#define SL_BASE_PUBLISH_H

#include "base/slice.h"

/* Between open and commit the bytes are in ".<name>.<random>.sltmp" beside the target. A run that
 * is killed leaves such a file; sl_publish_sweep removes them. Single owner. */
struct sl_publish;

/* A symbolic link stays and what it leads to is replaced; what is no plain file (/dev/null, a FIFO)
 * is written to as the bytes come. */
SL_NODISCARD enum sl_status sl_publish_open(struct sl_publish **out, const char *path,
                                            struct sl_error *err);
SL_NODISCARD enum sl_status sl_publish_write(struct sl_publish *p, const void *data, size_t size,
                                             struct sl_error *err);
SL_NODISCARD enum sl_status sl_publish_chain(struct sl_publish *p, const struct sl_chain *chain,
                                             struct sl_error *err);
/* The descriptor of the temporary file, for who must write elsewhere than at its end. */
int sl_publish_fd(const struct sl_publish *p);
/* Whether it is no plain file, and so has nothing but an end. */
bool sl_publish_is_special(const struct sl_publish *p);
/* fsync, rename over the target, fsync of the directory. Destroys *p whatever it returns. */
SL_NODISCARD enum sl_status sl_publish_commit(struct sl_publish **p, struct sl_error *err);
/* The same without waiting for the disk, for what a command was asked to make: as after cp, a
 * power failure may take it away. Nobody ever sees half of it while the system runs. */
SL_NODISCARD enum sl_status sl_publish_commit_unsynced(struct sl_publish **p, struct sl_error *err);
/* Forgets it: the temporary file is removed. */
void sl_publish_abort(struct sl_publish **p);

/* The three steps in one. */
SL_NODISCARD enum sl_status sl_publish_bytes(const char *path, const void *data, size_t size,
                                             struct sl_error *err);
SL_NODISCARD enum sl_status sl_publish_whole(const char *path, const struct sl_chain *chain,
                                             struct sl_error *err);
/* mkdir -p with mode 0777 & ~umask. */
SL_NODISCARD enum sl_status sl_make_directories(const char *path, struct sl_error *err);
/* Removes the temporary files that killed runs left in one directory (not below it). */
void sl_publish_sweep(const char *directory);

#endif
