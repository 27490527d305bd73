/* SPDX-License-Identifier: BSD-2-Clause */
/* The on-demand pipeline, as the server wants it. */
#ifndef SL_API_SERVE_MEDIA_H
#define SL_API_SERVE_MEDIA_H

#include "pipeline/origin.h"
#include "serve/media.h"

/* origins->memory 0: no addresses are opened. log must outlive what is made of it. */
SL_NODISCARD enum sl_status sl_serve_media_engine(struct sl_media_engine *out,
                                                  const struct sl_origins_params *origins,
                                                  const struct sl_log *log, struct sl_error *err);

#endif
