/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/nvenc_nvtx.h"

#include <dlfcn.h>
#include <string.h>

#define LIBRARY "libnvToolsExt.so.1"

bool sl_nvtx_open(struct sl_nvtx *n)
{
    *n = (struct sl_nvtx){.library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)};
    if (!n->library) {
        return false;
    }
    void *push = dlsym(n->library, "nvtxRangePushA");
    void *pop = dlsym(n->library, "nvtxRangePop");
    if (!push || !pop) {
        sl_nvtx_close(n);
        return false;
    }
    memcpy(&n->push, &push, sizeof push);
    memcpy(&n->pop, &pop, sizeof pop);
    return true;
}

void sl_nvtx_close(struct sl_nvtx *n)
{
    if (n->library) {
        dlclose(n->library);
    }
    *n = (struct sl_nvtx){.library = NULL};
}

void sl_nvtx_push(const struct sl_nvtx *n, const char *name)
{
    if (n->push) {
        (void)n->push(name);
    }
}

void sl_nvtx_pop(const struct sl_nvtx *n)
{
    if (n->pop) {
        (void)n->pop();
    }
}
