/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/module.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"

#ifndef SL_MODULE_DIR
#define SL_MODULE_DIR "/usr/local/lib/sluice"
#endif

#define PATH_BYTES_MAX 4096
#define REASONS_MAX    4096

/* Names become parts of paths: letters, digits and hyphens only. */
static bool name_is_valid(const char *name)
{
    return name[0] && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == 0;
}

/* The file that holds this code: the shared library, a module, or the program itself. */
static bool own_path(char *path, size_t size)
{
    static const char here = 0; /* an address in that file */
    struct link_map *map = NULL;
    Dl_info info;
    ssize_t n;
    int length;

    if (dladdr1(&here, &info, (void **)&map, RTLD_DL_LINKMAP) && map && map->l_name &&
        map->l_name[0]) {
        length = snprintf(path, size, "%s", map->l_name);
        return length > 0 && (size_t)length < size;
    }
    /* For the program itself the loader only knows argv[0]. */
    n = readlink("/proc/self/exe", path, size - 1);
    if (n <= 0 || (size_t)n >= size - 1) {
        return false;
    }
    path[n] = 0;
    return true;
}

/* Tries one directory; reasons gets what stood in the way. */
static void *open_in(const char *directory, const char *name, struct sl_writer *reasons)
{
    char *path = sl_format("%s/%s.so", directory, name);
    void *handle = NULL;

    if (!path) {
        sl_write_text(reasons, "; out of memory");
        return NULL;
    }
    if (access(path, F_OK) == 0) {
        const char *why;

        handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): one for each thread where we run */
        why = handle ? NULL : dlerror();
        if (!handle) {
            sl_write_format(reasons, "; %s", why ? why : path);
        }
    } else {
        sl_write_format(reasons, "; not in %s", directory);
    }
    sl_free(path);
    return handle;
}

static void *open_module(const char *name, struct sl_writer *reasons)
{
    /* Nothing in the library changes the environment. */
    const char *chosen = secure_getenv("SLUICE_MODULES");
    char beside[PATH_BYTES_MAX + sizeof("/modules")];
    char *slash;
    void *handle = NULL;

    if (chosen && chosen[0]) {
        handle = open_in(chosen, name, reasons);
    }
    if (!handle && own_path(beside, PATH_BYTES_MAX)) {
        slash = strrchr(beside, '/');
        (void)snprintf(slash ? slash : beside, sizeof("/modules"), "%s",
                       slash ? "/modules" : "modules");
        handle = open_in(beside, name, reasons);
    }
    if (!handle) {
        handle = open_in(SL_MODULE_DIR, name, reasons);
    }
    return handle;
}

enum sl_status sl_module_symbol(const char *name, const char *symbol, const void **out,
                                struct sl_error *err)
{
    struct sl_writer reasons;
    void *handle;

    *out = NULL;
    if (!name_is_valid(name)) {
        return sl_fail(err, SL_EINVAL, name, "is not the name of a module");
    }
    sl_writer_init(&reasons, REASONS_MAX);
    handle = open_module(name, &reasons);
    if (!handle) {
        sl_write_u8(&reasons, 0);
        (void)sl_fail(err, SL_EUNSUPPORTED, NULL, "the module %s cannot be had%s", name,
                      reasons.status == SL_OK ? (const char *)reasons.data : "");
        sl_writer_clear(&reasons);
        return SL_EUNSUPPORTED;
    }
    sl_writer_clear(&reasons);
    *out = dlsym(handle, symbol);
    if (!*out) {
        return sl_fail(err, SL_EUNSUPPORTED, name, "the module does not have \"%s\"", symbol);
    }
    return SL_OK; /* never closed: vtables in it are kept */
}
