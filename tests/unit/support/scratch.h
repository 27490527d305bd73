/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory of its own for a test, and what tests do with files. */
#ifndef SL_TEST_SCRATCH_H
#define SL_TEST_SCRATCH_H

#include <stddef.h>
#include <stdint.h>

struct scratch {
    char path[64];
    char name[512]; /* what scratch_name gave last */
};

void scratch_make(struct scratch *s);
void scratch_remove(struct scratch *s); /* with all that is in it */
/* "<directory>/<name>", until the next call. */
const char *scratch_name(struct scratch *s, const char *name);
void scratch_write(const char *path, const void *data, size_t size);
/* The whole file; free() it. */
uint8_t *scratch_read(const char *path, size_t *size);
size_t scratch_count(const char *directory); /* entries, hidden ones too */

/* Bytes that look random and are the same every time. */
void scratch_noise(uint8_t *data, size_t size, uint32_t seed);

#endif
