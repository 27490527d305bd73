/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sl_size_mul(size_t a, size_t b, size_t *out)
{
    size_t product;

    if (__builtin_mul_overflow(a, b, &product)) {
        return false;
    }
    *out = product;
    return true;
}

bool sl_size_add(size_t a, size_t b, size_t *out)
{
    size_t sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        return false;
    }
    *out = sum;
    return true;
}

/* Size 0 gives a block too: NULL always means "no memory". */
void *sl_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *sl_alloc_zero(size_t size)
{
    return calloc(1, size ? size : 1);
}

void *sl_alloc_array(size_t count, size_t each)
{
    size_t size;

    if (!sl_size_mul(count, each, &size)) {
        return NULL;
    }
    return sl_alloc_zero(size);
}

void *sl_alloc_aligned(size_t align, size_t size)
{
    size_t rounded;

    /* C17 7.22.3.1 wants a multiple of the alignment. */
    if (align == 0 || !sl_size_add(size ? size : 1, align - 1, &rounded)) {
        return NULL;
    }
    return aligned_alloc(align, rounded - rounded % align);
}

void *sl_realloc_array(void *old, size_t count, size_t each)
{
    size_t size;

    if (!sl_size_mul(count, each, &size)) {
        return NULL;
    }
    return realloc(old, size ? size : 1);
}

char *sl_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = sl_alloc(size);

    if (copy) {
        memcpy(copy, text, size);
    }
    return copy;
}

char *sl_format(const char *fmt, ...)
{
    va_list args, again;
    char *text = NULL;
    int length;

    va_start(args, fmt);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, fmt, args);
    if (length >= 0) {
        text = sl_alloc((size_t)length + 1);
    }
    if (text && vsnprintf(text, (size_t)length + 1, fmt, again) != length) {
        sl_free(text);
        text = NULL;
    }
    va_end(again);
    va_end(args);
    return text;
}

void sl_free(void *p)
{
    free(p);
}

enum sl_status sl_grow(void *items_ptr, size_t *capacity, size_t count, size_t each, size_t max)
{
    void *items;
    size_t wanted;

    if (count < *capacity) {
        return SL_OK;
    }
    if (count >= max) {
        return SL_ENOMEM;
    }
    wanted = *capacity < 8 ? 8 : *capacity > max / 2 ? max : *capacity * 2;
    if (wanted > max) {
        wanted = max;
    }
    /* items_ptr is a T **, and a T * may not be read through a void ** (C17 6.5). */
    memcpy(&items, items_ptr, sizeof(items));
    items = sl_realloc_array(items, wanted, each);
    if (!items) {
        return SL_ENOMEM;
    }
    memcpy(items_ptr, &items, sizeof(items));
    *capacity = wanted;
    return SL_OK;
}
