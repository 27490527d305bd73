/* SPDX-License-Identifier: BSD-2-Clause */
/* Pictures out of a file by number: an index of samples (frames_open.c, frames_sidecar.c,
 * frames_binary.c), a plan of which of them a request takes (frames_plan.c), and the reading and
 * decoding of just those (frames_fetch.c, frames.c). See docs/frames.md. */
#ifndef SL_PIPELINE_FRAMES_H
#define SL_PIPELINE_FRAMES_H

#include <stdatomic.h>

#include <sluice/frames.h>

#include "base/bytes.h"
#include "media/stage.h"

#define SL_FRAMES_SAMPLES_MAX (1u << 24)
#define SL_FRAMES_REFS_MAX    16
#define SL_FRAMES_INDEX_MAX   ((size_t)2 << 30) /* bytes of a sidecar */

/* ---- the index --------------------------------------------------------------------------- */

enum {
    SL_FRAMES_KEY = 1u << 0,
    SL_FRAMES_HIDDEN = 1u << 1,     /* never shown */
    SL_FRAMES_LINKED = 1u << 2,     /* what it refers to is known */
    SL_FRAMES_DISPOSABLE = 1u << 3, /* nothing refers to it */
    SL_FRAMES_LOOKED = 1u << 4,     /* whether it is disposable is known */
};

struct sl_frames_sample {
    int64_t offset; /* in the source */
    int64_t pts, duration, id;
    uint32_t size;
    uint32_t shown; /* number in display order; not of hidden ones */
    uint32_t refs;  /* first of ref_count entries */
    uint8_t ref_count, layer, flags;
};

struct sl_frames_index {
    struct sl_frames_sample *samples; /* in coded order; the first one is a key */
    size_t count, capacity;
    uint32_t *shown; /* samples in display order */
    size_t shown_count;
    uint32_t *refs; /* samples */
    size_t ref_count, ref_capacity;
    int layers;
    bool layered; /* keys are IDRs, and no picture refers to a higher layer */
    bool has_ids;
    uint32_t *by_id; /* where there are ids: numbers of pictures in their order */
};

void sl_frames_index_clear(struct sl_frames_index *x);
SL_NODISCARD enum sl_status sl_frames_index_add(struct sl_frames_index *x,
                                                const struct sl_frames_sample *s,
                                                struct sl_error *err);
/* After the last sample: display order, and durations where the next picture tells them. */
SL_NODISCARD enum sl_status sl_frames_index_finish(struct sl_frames_index *x, const char *name,
                                                   struct sl_error *err);
SL_NODISCARD enum sl_status sl_frames_set_refs(struct sl_frames_index *x, size_t sample,
                                               const uint32_t *refs, size_t count,
                                               struct sl_error *err);
/* After ids were read. */
SL_NODISCARD enum sl_status sl_frames_index_ids(struct sl_frames_index *x, struct sl_error *err);
/* The last key at or before a sample, and the first one after it (count: none). */
size_t sl_frames_key_before(const struct sl_frames_index *x, size_t sample);
size_t sl_frames_key_after(const struct sl_frames_index *x, size_t sample);

/* What sluice pack wrote, as JSON lines or binary, into an index whose samples are known. SL_EDATA
 * where it does not fit them. */
SL_NODISCARD enum sl_status sl_frames_read_sidecar(struct sl_frames_index *x, const char *name,
                                                   const uint8_t *data, size_t size,
                                                   struct sl_error *err);
SL_NODISCARD enum sl_status sl_frames_read_binary(struct sl_frames_index *x, const char *name,
                                                  const uint8_t *data, size_t size,
                                                  struct sl_error *err);
bool sl_frames_is_binary(const uint8_t *data, size_t size);

/* ---- the plan ---------------------------------------------------------------------------- */

/* Tells what an index leaves open. Both may be NULL: then it stays so. */
struct sl_frames_oracle {
    /* Finds out what the samples from first to end refer to, where that can be told. */
    enum sl_status (*link)(void *opaque, size_t first, size_t end, struct sl_error *err);
    /* Sets SL_FRAMES_LOOKED and perhaps SL_FRAMES_DISPOSABLE of one sample. */
    enum sl_status (*look)(void *opaque, size_t sample, struct sl_error *err);
    void *opaque;
};

/* Walks from one span of samples between two keys to the next. Everything that it names is to be
 * decoded in the order in which it is named. */
struct sl_frames_plan {
    struct sl_frames_index *index;
    struct sl_frames_oracle oracle;
    uint32_t *wanted; /* samples, in coded order */
    size_t wanted_count, next;
    size_t back;       /* spans before the right one to begin with: those that would do failed */
    size_t position;   /* samples before it are done with, or not needed */
    size_t first, end; /* of the span at hand */
    bool *needed;      /* of each of its samples */
    size_t capacity;
    bool fresh;   /* decoding starts anew with it */
    bool running; /* the next span follows the one at hand with nothing left out between */
};

/* wanted: samples in any order, each once; taken over. */
void sl_frames_plan_begin(struct sl_frames_plan *p, struct sl_frames_index *index,
                          const struct sl_frames_oracle *oracle, uint32_t *wanted, size_t count);
/* The next span. SL_EOF: that was all. */
SL_NODISCARD enum sl_status sl_frames_plan_span(struct sl_frames_plan *p, struct sl_error *err);
/* Goes back: what is wanted from this sample on did not come, although all that it should take was
 * decoded. false: there is nothing more to begin with. */
bool sl_frames_plan_retry(struct sl_frames_plan *p, size_t sample);
void sl_frames_plan_clear(struct sl_frames_plan *p);

/* ---- the reader -------------------------------------------------------------------------- */

#define SL_FRAMES_BATCH (8u << 20) /* bytes that are fetched before they are decoded */

struct sl_packer;

struct sl_frames_item { /* a sample that was fetched */
    uint32_t sample;
    struct sl_buf *buf;
    size_t offset;
};

struct sl_frames_config {
    size_t sample; /* from this one on */
    uint8_t *data; /* owned */
    size_t size;
};

struct sl_frames {
    char *where;      /* as it was given */
    const char *name; /* for messages */
    const struct sl_log *log;
    int format, threads;
    struct sl_source *source;
    struct sl_track track;
    struct sl_buf *prefix; /* in front of each sample (header stripping), or NULL */
    struct sl_frames_config *configs;
    size_t config_count, config_capacity;
    size_t config; /* in use, + 1; 0: the track's own */
    struct sl_frames_index index;
    struct sl_frames_stats stats;
    atomic_bool stop;

    struct sl_frames_plan plan;
    uint32_t *wanted; /* numbers, rising */
    size_t wanted_count, given;
    size_t at;      /* sample of the span at hand to be fetched next */
    bool planned;   /* there is a span at hand */
    bool fresh;     /* and its first sample begins anew */
    bool draining;  /* the decoder was told the end of what it gets */
    bool started;   /* it was sent something since it began anew */
    bool exhausted; /* the plan is at its end */

    struct sl_frames_item *items; /* the batch at hand */
    size_t item_count, item_capacity, item_next;

    struct sl_decoder *decoder;
    struct sl_frame *frame; /* given last */
    struct sl_packer *packer;
};

/* frames_open.c */
SL_NODISCARD enum sl_status sl_frames_begin(struct sl_frames **out, const char *input,
                                            const struct sl_frames_params *params,
                                            const struct sl_log *log, struct sl_error *err);
/* Reads just these bytes. */
SL_NODISCARD enum sl_status sl_frames_read(struct sl_frames *f, int64_t offset, void *dst,
                                           size_t size, int64_t *count, struct sl_error *err);
/* frames_look.c: what slice headers tell. */
struct sl_frames_oracle sl_frames_oracle(struct sl_frames *f);
/* Whether a sample begins a period of its own (IDR), and whether it is disposable, by its bytes. */
bool sl_frames_is_idr(const struct sl_frames *f, const uint8_t *data, size_t size);
bool sl_frames_is_disposable(const struct sl_frames *f, const uint8_t *data, size_t size);
/* frames_fetch.c: the next samples of the span, as many as fit SL_FRAMES_BATCH, into items. */
SL_NODISCARD enum sl_status sl_frames_fetch(struct sl_frames *f, struct sl_error *err);
void sl_frames_drop_items(struct sl_frames *f);
/* frames.c */
SL_NODISCARD enum sl_status sl_frames_ask(struct sl_frames *f, const uint64_t *indexes,
                                          size_t count, struct sl_error *err);
SL_NODISCARD enum sl_status sl_frames_advance(struct sl_frames *f, struct sl_error *err);
void sl_frames_free(struct sl_frames **f);
/* frames_out.c */
SL_NODISCARD enum sl_status
sl_frames_describe(struct sl_frames *f, struct sl_frames_picture *picture, struct sl_error *err);
/* PNG; raw pixels of all that are left ("-": standard output). */
SL_NODISCARD enum sl_status sl_frames_write_png(struct sl_frames *f, const char *path,
                                                struct sl_error *err);
SL_NODISCARD enum sl_status sl_frames_write_raw(struct sl_frames *f, const char *path,
                                                struct sl_error *err);
SL_NODISCARD enum sl_status sl_frames_write(struct sl_frames *f, void *dst, size_t size,
                                            struct sl_error *err);

#endif
