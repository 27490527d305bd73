/* SPDX-License-Identifier: BSD-2-Clause */
/* The on-demand pipeline, as the server wants it. */
#ifndef SL_API_SERVE_MEDIA_H
#define SL_API_SERVE_MEDIA_H

#include "serve/media.h"

/* log must outlive what is made of it, and is found in opaque. */
void sl_serve_media_engine(struct sl_media_engine *out, const struct sl_log *log);

#endif
