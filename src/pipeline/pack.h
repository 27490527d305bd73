/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams of temporal layers in files: an index of samples (samples.jsonl,
 * docs/scheduled-encode.md) or an MP4 of ours, and what is written from it. */
#ifndef SL_PIPELINE_PACK_H
#define SL_PIPELINE_PACK_H

#include <sluice/layers.h>

#include "base/bytes.h"
#include "base/slice.h"

#define SL_LAYERED_SAMPLES_MAX (1u << 22)
#define SL_LAYERED_REFS_MAX    16
#define SL_LAYERED_LAYERS_MAX  8
#define SL_LAYERED_INDEX_MAX   ((size_t)2 << 30) /* bytes of samples.jsonl */

/* One coded picture. Times in ticks of struct sl_layered. */
struct sl_layered_sample {
    int64_t offset; /* in the source */
    uint32_t size;
    int64_t pts, dts, duration; /* duration: of display */
    int64_t display, id;
    uint32_t group; /* IDR periods before it */
    uint8_t layer, max_ref_layer, type;
    bool key;
    uint8_t ref_count;
    bool refs_known;
    uint32_t refs[SL_LAYERED_REFS_MAX]; /* samples */
    int64_t out_offset;                 /* what the writer makes of it */
    uint32_t out_size;
};

struct sl_layered {
    char *name;
    struct sl_file *file;
    int32_t width, height;
    struct sl_rational timebase;       /* seconds a tick */
    struct sl_rational rate;           /* 0/1: not known */
    struct sl_layered_sample *samples; /* in coded order */
    size_t count, capacity;
    int layers;
    int64_t end;     /* of the last picture's display */
    uint8_t *config; /* avcC */
    size_t config_size;
    bool lengths; /* samples are framed by lengths (MP4), not start codes */
};

void sl_layered_clear(struct sl_layered *l);

/* Annex B with its index; metadata empty: beside the input, NAME.jsonl or samples.jsonl. */
SL_NODISCARD enum sl_status sl_layered_open(struct sl_layered *l, const char *input,
                                            const char *metadata, struct sl_error *err);
/* An MP4 with one video track and a tele sample group. Without references. */
SL_NODISCARD enum sl_status sl_layered_open_mp4(struct sl_layered *l, const char *input,
                                                const struct sl_log *log, struct sl_error *err);
/* The samples in display order; NULL: no memory. The caller frees it (sl_free). */
uint32_t *sl_layered_display_order(const struct sl_layered *l);
bool sl_layered_is_mp4(struct sl_file *file);
/* Finds out what each sample refers to, from its slice headers, where the index does not say. What
 * cannot be told so is left unknown. */
SL_NODISCARD enum sl_status sl_layered_find_refs(struct sl_layered *l, struct sl_error *err);
/* Keeps the samples of layers up to max_layer. Durations in decode order close the gaps. */
void sl_layered_drop(struct sl_layered *l, int max_layer);

/* A classic MP4, moov first. Fills in out_offset and out_size. */
SL_NODISCARD enum sl_status sl_layered_write_mp4(struct sl_layered *l, int layout,
                                                 const char *output, struct sl_error *err);
/* The sidecar: for each picture in display order the ranges of the MP4 that decode it. */
SL_NODISCARD enum sl_status sl_layered_write_ranges(const struct sl_layered *l, int layout,
                                                    const char *output, struct sl_error *err);

/* The same, compact (docs/layers.md). */
SL_NODISCARD enum sl_status sl_layered_write_binary(const struct sl_layered *l, int layout,
                                                    const char *output, struct sl_error *err);

SL_NODISCARD enum sl_status sl_pack_execute(const struct sl_pack_params *params,
                                            const struct sl_log *log, struct sl_error *err);
SL_NODISCARD enum sl_status sl_layers_execute(const struct sl_layers_params *params,
                                              const struct sl_log *log, struct sl_error *err);

#endif
