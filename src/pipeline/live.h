/* SPDX-License-Identifier: BSD-2-Clause */
/* A live run: renditions that are published into a content store and announced in a registry, and
 * that outlive the process which makes them. docs/runs.md says what holds when it is killed. */
#ifndef SL_PIPELINE_LIVE_H
#define SL_PIPELINE_LIVE_H

#include <sluice/ladder.h>

#include "base/pool.h"
#include "filter/sound.h"
#include "package/output.h"
#include "registry/registry.h"
#include "store/store.h"

#define SL_LIVE_CUTS  64  /* that can be gone back to: more than rungs and sound are ever apart */
#define SL_LIVE_MARKS 128 /* seconds of sound whose place is known: likewise */

struct sl_live_params {
    const char *run, *store;
    const char *registry; /* "": the file "registry.sqlite" in the store's directory */
    const char *gateway;  /* "": links are "/ipfs/CID?filename=…" */
    const char *options;  /* JSON, what the run was asked to be; NULL: the run must be there */
    enum sl_store_profile profile;
    const char *ipfs;    /* a node that gets a copy; NULL or "": none does */
    int64_t ipfs_wait_s; /* at the end, for it to have all */
    int64_t ipfs_timeout_s;
    int64_t patience_s; /* for a store or a registry that cannot be reached */
    bool must_exist;
    const struct sl_cancel *stop; /* asked to end: no more long waits */
    const struct sl_log *log;
};

struct sl_live;

/* Opens store and registry and claims the run; what was published of it is loaded. */
SL_NODISCARD enum sl_status sl_live_open(struct sl_live **out, const struct sl_live_params *params,
                                         struct sl_error *err);
void sl_live_close(struct sl_live **l);

/* How many renditions an earlier life of the run named; 0: it is new. */
size_t sl_live_count(const struct sl_live *l);
const struct sl_registry_rendition *sl_live_info(const struct sl_live *l, size_t index);
/* What is published of one, in the order of sl_live_begin. Valid until something is published. */
const struct sl_playlist *sl_live_published(const struct sl_live *l, size_t index);
/* Microseconds since 1970 of time 0 of what was published last; SL_NO_TIME: nothing was. */
int64_t sl_live_program_zero(const struct sl_live *l);

/* Names the renditions, largest picture first, sound of its own last. SL_EEXIST where the run has
 * others. */
SL_NODISCARD enum sl_status sl_live_begin(struct sl_live *l,
                                          const struct sl_registry_rendition *infos, size_t count,
                                          struct sl_error *err);
/* What was to be published until end (ticks) and is lost becomes segments of length ticks, to
 * multiples of it, marked EXT-X-GAP. Before any output of the run is used. */
SL_NODISCARD enum sl_status sl_live_gap(struct sl_live *l, size_t index, int64_t end,
                                        struct sl_rational length, struct sl_error *err);
/* The bytes of its last segment, appended. SL_ENOTFOUND: there is none, or it is a gap. */
SL_NODISCARD enum sl_status sl_live_last(struct sl_live *l, size_t index, struct sl_chain *out,
                                         struct sl_error *err);
/* Where the packager puts a rendition. Used by one thread each. */
SL_NODISCARD enum sl_status sl_live_output(struct sl_output **out, struct sl_live *l, size_t index,
                                           struct sl_error *err);

/* Told after everything that was announced, one call at a time, on the thread that announced it. */
void sl_live_on_update(struct sl_live *l, sl_ladder_update_fn *update, void *opaque);

/* A cut as the clock made it, so that a later life can go on there without reading what is before.
 */
struct sl_live_cut {
    int64_t pts;                 /* ticks of the clock */
    int64_t source;              /* ticks of the source's track */
    int64_t grid_low, grid_high; /* see clock.c */
};
/* zero: source time of the first picture. Thread-safe. */
void sl_live_note_cut(struct sl_live *l, int64_t zero, const struct sl_live_cut *cut);
/* Of an earlier life: the last cut at or before pts. */
SL_NODISCARD bool sl_live_find_cut(struct sl_live *l, int64_t pts, int64_t *zero,
                                   struct sl_live_cut *out);

/* Where sound of the source lay on the line: sl_sound_anchor. Thread-safe. */
void sl_live_note_sound(struct sl_live *l, const struct sl_sound_anchor *mark);
/* Of an earlier life: the last one at or before index samples of a line of rate; rate 0: there is
 * none. */
struct sl_sound_anchor sl_live_find_sound(struct sl_live *l, int64_t index, int64_t rate);

/* Ends the run. FINISHED: its last playlists, and the root directory. Others leave it so that it
 * can be gone on with; error is for FAILED. Nothing must use an output any more. */
SL_NODISCARD enum sl_status sl_live_end(struct sl_live *l, enum sl_run_state state,
                                        const char *error, struct sl_error *err);
/* "" before there are any. Thread-safe; for text of SL_STORE_CID_SIZE. */
void sl_live_cids(struct sl_live *l, char master[SL_STORE_CID_SIZE], char root[SL_STORE_CID_SIZE]);

/* The settings of a run from its registry, to go on with it. params->run, store and registry say
 * which. */
SL_NODISCARD enum sl_status sl_live_params_of(struct sl_ladder_params *params,
                                              const struct sl_option *table,
                                              const struct sl_log *log, struct sl_error *err);
/* What is published becomes all there is. */
SL_NODISCARD enum sl_status sl_live_finish_run(const struct sl_ladder_params *params,
                                               const struct sl_option *table,
                                               struct sl_ladder_result *result,
                                               const struct sl_log *log, struct sl_error *err);

/* Works off what is queued for nodes: of one run, or (run "") of all. SL_EBUSY: it is not all there
 * after params->ipfs_wait seconds. */
SL_NODISCARD enum sl_status sl_live_upload_run(const struct sl_ladder_params *params,
                                               const struct sl_log *log, struct sl_error *err);

/* ---- options as JSON (live_options.c) -------------------------------------------------------- */

/* params by their option table, and the input; sl_free it. NULL: no memory. */
char *sl_live_options(const struct sl_option *table, const struct sl_ladder_params *params);
/* Whether two such texts name the same input. */
bool sl_live_same_input(const char *a, const char *b);
/* The other way; unknown keys are SL_EDATA. */
SL_NODISCARD enum sl_status sl_live_options_read(const struct sl_option *table, const char *json,
                                                 struct sl_ladder_params *params,
                                                 struct sl_error *err);

#endif
