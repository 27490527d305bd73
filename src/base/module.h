/* SPDX-License-Identifier: BSD-2-Clause */
/* Modules: what needs FFmpeg's libraries, libcurl or libpq is a shared object of its own, opened
 * at first need, so that a run which does not need them does not pay for loading them. */
#ifndef SL_BASE_MODULE_H
#define SL_BASE_MODULE_H

#include <sluice/error.h>

/* Opens module name ("demux-libav") and finds the one symbol that it exports. Looked for in
 * $SLUICE_MODULES, then "modules" beside the binary that holds this code, then the directory
 * chosen at configuration. The module stays open until the process ends; the result may be kept.
 * SL_EUNSUPPORTED with the reason where it cannot be had. Thread-safe. */
SL_NODISCARD enum sl_status sl_module_symbol(const char *name, const char *symbol, const void **out,
                                             struct sl_error *err);

#endif
