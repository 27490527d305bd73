/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of remote sources, kept in memory for all who read them: headers and indexes are read by
 * each reader, and what one viewer looked at the next one looks at, too. One bound for all sources
 * together. Thread-safe. */
#ifndef SL_SOURCE_BLOCKS_H
#define SL_SOURCE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

#define SL_BLOCK_SIZE 65536

struct sl_blocks;

/* limit: bytes. */
SL_NODISCARD enum sl_status sl_blocks_create(struct sl_blocks **out, size_t limit,
                                             struct sl_error *err);
void sl_blocks_destroy(struct sl_blocks **blocks);
/* A number that no other source has. */
uint64_t sl_blocks_serial(struct sl_blocks *b);
/* Copies up to size bytes from inside a block on; false: it is not there. name: 16 characters that
 * stand for one version of one source. */
bool sl_blocks_get(struct sl_blocks *b, const char *name, int64_t index, size_t inside, void *dst,
                   size_t size, size_t *got);
/* Keeps a copy, as far as there is memory. */
void sl_blocks_put(struct sl_blocks *b, const char *name, int64_t index, const void *data,
                   size_t size);

#endif
