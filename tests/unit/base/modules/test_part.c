/* SPDX-License-Identifier: BSD-2-Clause */
/* What test_module.c opens. */
#include <sluice/error.h>

extern SL_API const int test_part;
const int test_part = 4711;
