/* SPDX-License-Identifier: BSD-2-Clause */
/* cmocka, after the headers that it needs. */
#ifndef SL_TEST_UNIT_H
#define SL_TEST_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
