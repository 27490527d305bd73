/* SPDX-License-Identifier: BSD-2-Clause */
/* The on-demand pipeline, as the server wants it. */
#ifndef SL_API_SERVE_MEDIA_H
#define SL_API_SERVE_MEDIA_H

#include "serve/media.h"

/* How addresses are read. */
struct sl_serve_media_remote {
    int64_t memory;   /* bytes that are kept; 0: there are none */
    int64_t timeout;  /* milliseconds without a byte */
    bool private_too; /* addresses that are not public as well */
};

/* log must outlive what is made of it. */
SL_NODISCARD enum sl_status sl_serve_media_engine(struct sl_media_engine *out,
                                                  const struct sl_serve_media_remote *remote,
                                                  const struct sl_log *log, struct sl_error *err);

#endif
