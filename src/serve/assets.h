/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of the page, embedded by web/embed.py at build time. */
#ifndef SL_SERVE_ASSETS_H
#define SL_SERVE_ASSETS_H

#include <stddef.h>
#include <stdint.h>

struct sl_asset {
    const char *name;
    const char *etag; /* quoted, from the content */
    const uint8_t *data;
    size_t size;
};

extern const struct sl_asset sl_assets[]; /* ends with a NULL name */

#endif
