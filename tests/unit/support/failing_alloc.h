/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens when memory runs out, tried at every place where it can. The linker wraps malloc,
 * calloc, realloc and aligned_alloc (meson: failing_alloc_dep), so that every allocation that our
 * code makes passes here; those inside shared libraries do not. */
#ifndef SL_TEST_FAILING_ALLOC_H
#define SL_TEST_FAILING_ALLOC_H

#include <sluice/error.h>

/* Runs body(arg) again and again: in the n-th run the n-th allocation fails, until a run ends in
 * which none had to. Then once more through with the n-th and all after it failing. Fails the test
 * unless body returns SL_ENOMEM where an allocation failed and SL_OK in the last run, and unless
 * it frees what it allocated. body must start from nothing each time, checks what it made with
 * cmocka's asserts, and releases everything in every case. */
void failing_alloc_run(enum sl_status (*body)(void *arg), void *arg);

/* For code that can do without some of its allocations: SL_OK is right after a failure too. */
void failing_alloc_run_lenient(enum sl_status (*body)(void *arg), void *arg);

/* For bodies that take long: each allocation with SLUICE_SOAK=1 (make soak), else every 17th. */
void failing_alloc_run_long(enum sl_status (*body)(void *arg), void *arg);
void failing_alloc_run_long_lenient(enum sl_status (*body)(void *arg), void *arg);

/* For making one call fail in the middle of a test: the n-th allocation from now on (1 is the
 * next), 0 switches off. */
void failing_alloc_set(unsigned long n);

#endif
