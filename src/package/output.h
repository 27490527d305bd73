/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the objects of a rendition go: files, or a content store (pipeline/live_output.c). */
#ifndef SL_PACKAGE_OUTPUT_H
#define SL_PACKAGE_OUTPUT_H

#include "base/slice.h"
#include "package/playlist.h"

#define SL_OUTPUT_PLAYLIST "playlist.m3u8"
#define SL_OUTPUT_INIT     "init.mp4"

struct sl_output {
    const struct sl_output_ops *ops;
};

struct sl_output_ops {
    /* The init segment of what comes from here on; *init is the number by which segments name it
     * (sl_playlist_init_uri). */
    enum sl_status (*init)(struct sl_output *o, const struct sl_chain *content, uint16_t *init,
                           struct sl_error *err);
    /* The last segment of the playlist, whose file is called name (relative, with '/'): published,
     * then announced by the playlist that lists it. */
    enum sl_status (*segment)(struct sl_output *o, const struct sl_playlist *playlist,
                              const char *name, const struct sl_chain *content,
                              struct sl_error *err);
    /* No more will come: the playlist has ended. */
    enum sl_status (*end)(struct sl_output *o, const struct sl_playlist *playlist,
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
