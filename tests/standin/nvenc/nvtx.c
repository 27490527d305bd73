/* SPDX-License-Identifier: BSD-2-Clause */
/* Test double of libnvToolsExt.so.1 (standin.h): notes the names of ranges. */
#include "standin.h"

STANDIN_API int nvtxRangePushA(const char *name);
STANDIN_API int nvtxRangePop(void);

int nvtxRangePushA(const char *name)
{
    standin_range(name);
    return 0;
}

int nvtxRangePop(void)
{
    standin_range(NULL);
    return 0;
}
