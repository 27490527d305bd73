/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Everything, in one include.
 */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <sluice/encode.h>
#include <sluice/encode_file.h>
#include <sluice/encode_y4m.h>
#include <sluice/error.h>
#include <sluice/frames.h>
#include <sluice/ladder.h>
#include <sluice/layers.h>
#include <sluice/log.h>
#include <sluice/media.h>
#include <sluice/options.h>
#include <sluice/probe.h>
#include <sluice/remux.h>
#include <sluice/runs.h>
#include <sluice/schedule.h>
#include <sluice/serve.h>
#include <sluice/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/** "0.1.0". Static storage. */
SL_API const char *sl_version(void);
/** SPDX expression for the binary in hand: "BSD-2-Clause" or "GPL-2.0-or-later". */
SL_API const char *sl_licence(void);
/** What was built in, one "name: yes|no (why)" per line. Static storage. */
SL_API const char *sl_build_features(void);

#ifdef __cplusplus
}
#endif
#endif
