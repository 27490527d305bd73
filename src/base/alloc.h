/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory. Every function returns NULL when memory runs out or a size overflows; callers report
 * SL_ENOMEM. Everything is released with sl_free (aligned blocks too). */
#ifndef SL_BASE_ALLOC_H
#define SL_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include <sluice/error.h>

/* a * b and a + b without wrapping; false (and *out untouched) where they would. */
SL_NODISCARD bool sl_size_mul(size_t a, size_t b, size_t *out);
SL_NODISCARD bool sl_size_add(size_t a, size_t b, size_t *out);

SL_NODISCARD void *sl_alloc(size_t size);
SL_NODISCARD void *sl_alloc_zero(size_t size);
SL_NODISCARD void *sl_alloc_array(size_t count, size_t each); /* zeroed */
SL_NODISCARD void *sl_alloc_aligned(size_t align, size_t size);
/* As realloc: the old block stays valid where NULL is returned. count * each is checked. */
SL_NODISCARD void *sl_realloc_array(void *old, size_t count, size_t each);
SL_NODISCARD char *sl_strdup(const char *text);
/* A formatted string of any length; NULL when memory runs out. */
SL_NODISCARD char *sl_format(const char *fmt, ...) SL_PRINTF(1, 2);
void sl_free(void *p);

/* Makes room for one more element of a growable array: *items has *capacity elements of size
 * each, count are used, and capacity never passes max. */
SL_NODISCARD enum sl_status sl_grow(void *items_ptr, size_t *capacity, size_t count, size_t each,
                                    size_t max);

#endif
