/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the objects of a rendition go. Files for now; a content store will be another set of the
 * same three functions. Internal to package/. */
#ifndef SL_PACKAGE_OUTPUT_H
#define SL_PACKAGE_OUTPUT_H

#include "base/slice.h"

#define SL_OUTPUT_PLAYLIST "playlist.m3u8"
#define SL_OUTPUT_INIT     "init.mp4"

struct sl_output {
    const struct sl_output_ops *ops;
};

struct sl_output_ops {
    /* Whole or not at all, and lasting once this returns. Names are relative, with '/'. */
    enum sl_status (*put)(struct sl_output *o, const char *name, const struct sl_chain *content,
                          struct sl_error *err);
    void (*destroy)(struct sl_output *o);
};

/* A directory. It is made where it does not exist; what an earlier run left in it goes, the
 * playlist first, so that no reader is ever shown a list of files that are being removed. Only
 * names that a rendition itself gives are touched. */
SL_NODISCARD enum sl_status sl_output_files(struct sl_output **out, const char *directory,
                                            struct sl_error *err);
void sl_output_destroy(struct sl_output **o);

#endif
