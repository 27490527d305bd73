/* SPDX-License-Identifier: BSD-2-Clause */
#include "failing_alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define RUNS_MAX 100000

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t each);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t each);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __wrap_free(void *p);

/* Test code, so globals are fine: the linker gives the wrappers no place of their own. */
static struct {
    atomic_ulong countdown; /* to the allocation that fails; 0: off */
    atomic_bool onwards;    /* all after it fail too */
    atomic_bool failed;     /* one has failed since failing_alloc_set */
    atomic_long live;       /* blocks */
} state;

static bool must_fail(void)
{
    unsigned long left = atomic_load(&state.countdown);

    if (left == 0) {
        if (atomic_load(&state.onwards) && atomic_load(&state.failed))
            return true;
        return false;
    }
    while (!atomic_compare_exchange_weak(&state.countdown, &left, left - 1)) {
        if (left == 0)
            return atomic_load(&state.onwards);
    }
    if (left != 1)
        return false;
    atomic_store(&state.failed, true);
    return true;
}

static void *counted(void *p)
{
    if (p)
        atomic_fetch_add(&state.live, 1);
    return p;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t each)
{
    return must_fail() ? NULL : counted(__real_calloc(count, each));
}

void *__wrap_realloc(void *old, size_t size)
{
    void *p;

    if (must_fail())
        return NULL;
    p = __real_realloc(old, size);
    return old ? p : counted(p);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return must_fail() ? NULL : counted(__real_aligned_alloc(align, size));
}

void __wrap_free(void *p)
{
    if (p)
        atomic_fetch_sub(&state.live, 1);
    __real_free(p);
}

static void set(unsigned long n, bool onwards)
{
    atomic_store(&state.failed, false);
    atomic_store(&state.onwards, onwards);
    atomic_store(&state.countdown, n);
}

void failing_alloc_set(unsigned long n)
{
    set(n, false);
}

static void run(enum sl_status (*body)(void *arg), void *arg, unsigned long step, bool lenient,
                bool onwards)
{
    for (unsigned long n = 1; n < RUNS_MAX; n += step) {
        long before = atomic_load(&state.live), after;
        enum sl_status status;
        bool failed;

        set(n, onwards);
        status = body(arg);
        failed = atomic_load(&state.failed);
        set(0, false);
        after = atomic_load(&state.live);
        if (after > before) /* fewer: a shared library allocated what we freed */
            fail_msg("allocation %lu failed%s: %ld blocks were not freed", n,
                     onwards ? ", and all after it" : "", after - before);
        if (!failed) {
            assert_int_equal(status, SL_OK);
            return;
        }
        if (status != SL_ENOMEM && !(lenient && status == SL_OK))
            fail_msg("allocation %lu failed%s: status %d, expected SL_ENOMEM", n,
                     onwards ? ", and all after it" : "", (int)status);
    }
    fail_msg("more than %d allocations", RUNS_MAX);
}

void failing_alloc_run(enum sl_status (*body)(void *arg), void *arg)
{
    run(body, arg, 1, false, false);
    run(body, arg, 1, false, true);
}

void failing_alloc_run_lenient(enum sl_status (*body)(void *arg), void *arg)
{
    run(body, arg, 1, true, false);
    run(body, arg, 1, true, true);
}

static void run_long(enum sl_status (*body)(void *arg), void *arg, bool lenient)
{
    const char *soak = getenv("SLUICE_SOAK");
    unsigned long step = soak && !strcmp(soak, "1") ? 1 : 17;

    run(body, arg, step, lenient, false);
    run(body, arg, step, lenient, true);
}

void failing_alloc_run_long(enum sl_status (*body)(void *arg), void *arg)
{
    run_long(body, arg, false);
}

void failing_alloc_run_long_lenient(enum sl_status (*body)(void *arg), void *arg)
{
    run_long(body, arg, true);
}
