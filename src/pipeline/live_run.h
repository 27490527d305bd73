/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of live runs share. */
#ifndef SL_PIPELINE_LIVE_RUN_H
#define SL_PIPELINE_LIVE_RUN_H

#include <pthread.h>

#include "ipfs/ipfs.h"
#include "ipfs/uploader.h"
#include "pipeline/live.h"

#define SL_LIVE_INITS_MAX  1024 /* of one rendition: each life may bring one */
#define SL_LIVE_TEXT_MAX   SL_PLAYLIST_TEXT_MAX
#define SL_LIVE_RENDITIONS (SL_LADDER_RUNGS_MAX + 1)

/* A file of a rendition. */
struct sl_live_file {
    struct sl_cid cid;
    int64_t size, tsize; /* tsize 0: not looked up yet */
    bool queued;         /* of init segments: the node has been told of it */
};

struct sl_live_rendition {
    struct sl_live *live;
    struct sl_registry_rendition info;
    struct sl_playlist playlist;   /* what is announced, or is about to be */
    struct sl_live_file *segments; /* one for each entry of it; of gaps: zeroed */
    size_t segments_capacity;
    struct sl_live_file *inits;
    size_t init_count, inits_capacity;
    struct sl_cid playlist_cid; /* the stored text; has_text */
    bool has_text;
};

struct sl_live {
    char *run, *store, *registry_name, *gateway, *pin;
    enum sl_store_profile profile;
    int64_t patience_ms;
    const char *options; /* while the run is opened */
    const struct sl_cancel *stop;
    const struct sl_log *log;

    /* Held while anything is published: one registry, one order of announcements. Whoever waits for
     * the store or the registry keeps it, so that all others wait with him. */
    pthread_mutex_t lock;
    struct sl_cas *cas;
    struct sl_cas *lazy; /* the same store, which does not wait for the disk: pins that another pin
                            is waited for after, and pins that are taken back */
    struct sl_registry *registry;
    struct sl_registry_claim claim;
    bool claimed;
    struct sl_live_rendition renditions[SL_LIVE_RENDITIONS];
    size_t count;
    struct sl_cid master_cid;
    bool has_master;
    sl_ladder_update_fn *update;
    void *update_opaque;

    char node[SL_IPFS_NAME_MAX];        /* that gets a copy; "": none does */
    char node_before[SL_IPFS_NAME_MAX]; /* the one of the life before */
    struct sl_uploader *uploader;
    int64_t upload_wait_ms;

    pthread_t beat;        /* says that the writer lives */
    pthread_mutex_t small; /* of what follows */
    pthread_cond_t ended;
    bool beating, ending;
    char master[SL_STORE_CID_SIZE], root[SL_STORE_CID_SIZE];
    int64_t zero; /* of the clock, in the source; SL_NO_TIME: none */
    struct sl_live_cut cuts[SL_LIVE_CUTS];
    size_t cut_count; /* noted so far; a ring */
    struct sl_sound_anchor marks[SL_LIVE_MARKS];
    size_t mark_count; /* likewise */
};

/* ---- live.c ---------------------------------------------------------------------------------- */

/* A full disk is SL_EIO of the store like any other, so every one of those is given time; the
 * registry says SL_EBUSY where a reason can pass. */
enum sl_live_what { SL_LIVE_STORE, SL_LIVE_REGISTRY };
/* Does it, again and again where that fails for a reason that can pass. With l->lock. */
SL_NODISCARD enum sl_status sl_live_persist(struct sl_live *l, enum sl_live_what what,
                                            enum sl_status (*step)(void *arg, struct sl_error *err),
                                            void *arg, struct sl_error *err);
/* Room for one more segment in the array beside the playlist, which has count of them. */
SL_NODISCARD enum sl_status sl_live_room(struct sl_live_rendition *r, size_t count,
                                         struct sl_error *err);

/* ---- live_load.c ----------------------------------------------------------------------------- */

SL_NODISCARD enum sl_status sl_live_load(struct sl_live *l, struct sl_error *err);
void sl_live_rendition_init(struct sl_live *l, struct sl_live_rendition *r,
                            const struct sl_registry_rendition *info);
void sl_live_rendition_clear(struct sl_live_rendition *r);
/* Takes back pins of what was stored and never announced. */
SL_NODISCARD enum sl_status sl_live_sweep(struct sl_live *l, struct sl_error *err);

/* ---- live_text.c ----------------------------------------------------------------------------- */

/* The playlist of a rendition with links by content. */
SL_NODISCARD enum sl_status sl_live_playlist_text(struct sl_live_rendition *r,
                                                  struct sl_writer *out, struct sl_error *err);
/* The multivariant playlist; relative: for the root directory. */
SL_NODISCARD enum sl_status sl_live_master_text(struct sl_live *l, bool relative,
                                                struct sl_writer *out, struct sl_error *err);

/* ---- live_resume.c ----------------------------------------------------------------------------
 */

/* What a later life needs to know; sl_free it. NULL: no memory. */
char *sl_live_resume_text(struct sl_live *l);
SL_NODISCARD enum sl_status sl_live_resume_read(struct sl_live *l, const char *json,
                                                struct sl_error *err);

/* ---- live_publish.c ---------------------------------------------------------------------------
 */

/* The texts of one announcement, in a batch. */
SL_NODISCARD enum sl_status sl_live_stage_text(struct sl_live *l, struct sl_cas_batch *batch,
                                               const struct sl_writer *text,
                                               struct sl_cas_info *out, struct sl_error *err);
SL_NODISCARD enum sl_status sl_live_pin(struct sl_live *l, const struct sl_cid *const *cids,
                                        size_t count, struct sl_error *err);
/* Unpinning is tidiness: what fails is left to sl_live_sweep. */
void sl_live_unpin(struct sl_live *l, const struct sl_cid *cid);

/* ---- live_upload.c ----------------------------------------------------------------------------
 */

#define SL_LIVE_UPLOADS 8 /* of one announcement at most */
/* One more in list, where there is a node. */
void sl_live_upload(struct sl_live *l, struct sl_registry_upload *list, size_t *count,
                    enum sl_upload_what what, const struct sl_cid *cid);
/* After the run was loaded. */
SL_NODISCARD enum sl_status
sl_live_uploads_begin(struct sl_live *l, const struct sl_live_params *params, struct sl_error *err);
/* Waits for the queue as long as it was asked to, and says what is left. */
void sl_live_uploads_end(struct sl_live *l);

/* ---- live_root.c -------------------------------------------------------------------------------
 */

/* The last playlists and the run as one directory, stored, pinned and (the playlists) announced.
 * With l->lock. */
SL_NODISCARD enum sl_status sl_live_finish(struct sl_live *l, char master[SL_STORE_CID_SIZE],
                                           char root[SL_STORE_CID_SIZE], struct sl_error *err);

#endif
