/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers that are the same in every run. */
#ifndef SL_TEST_MEDIA_RANDOM_H
#define SL_TEST_MEDIA_RANDOM_H

#include <stdint.h>

/* xorshift64*; the state is any number but 0. */
static inline uint32_t random_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

/* 0 to limit - 1 */
static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
    return random_next(state) % limit;
}

#endif
