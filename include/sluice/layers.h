/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Streams of temporal layers in files: dropping layers, and packing an Annex B stream with its
 * sample index into an MP4 whose data is laid out by layer, so that reading less is a lower frame
 * rate. See docs/layers.md.
 */
#ifndef SLUICE_LAYERS_H
#define SLUICE_LAYERS_H

#include <stdint.h>

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_LAYERS_PATH_MAX 4096

/** What to drop. Fill it with sl_layers_params_default(), then change what matters. */
struct sl_layers_params {
    uint32_t struct_size;              /**< set by sl_layers_params_default() */
    int64_t max_layer;                 /**< highest layer that stays, 0 to 7 */
    char input[SL_LAYERS_PATH_MAX];    /**< Annex B, or an MP4 that sl_pack_run() made */
    char metadata[SL_LAYERS_PATH_MAX]; /**< sample index of an Annex B input; empty: beside it */
    char output[SL_LAYERS_PATH_MAX];   /**< in the format of the input */
};

/**
 * Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size.
 */
SL_NODISCARD SL_API enum sl_status sl_layers_params_default(struct sl_layers_params *params,
                                                            uint32_t size, struct sl_error *err);
/** The option table of struct sl_layers_params. Static storage. */
SL_API const struct sl_option *sl_layers_options(void);
/**
 * Writes the output, whole or not at all. What stays is byte for byte what it was.
 * Returns: SL_EINVAL (settings), SL_ENOTFOUND, SL_EDATA (the index is damaged, or does not fit the
 * stream), SL_EUNSUPPORTED (an MP4 without layers), SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_layers_run(const struct sl_layers_params *params,
                                                 const struct sl_log *log, struct sl_error *err);

enum sl_pack_layout {
    SL_PACK_GOP = 0,  /**< from IDR to IDR: layer 0, layer 1 … */
    SL_PACK_FILE = 1, /**< layer 0 of the whole file, then layer 1 … */
    SL_PACK_CODED = 2 /**< coded order, as any muxer writes it */
};

enum sl_pack_index_format {
    SL_PACK_JSONL = 0, /**< JSON lines */
    SL_PACK_BINARY = 1 /**< compact: some 15 bytes a picture */
};

/** What to pack. Fill it with sl_pack_params_default(), then change what matters. */
struct sl_pack_params {
    uint32_t struct_size;              /**< set by sl_pack_params_default() */
    int layout;                        /**< enum sl_pack_layout */
    char input[SL_LAYERS_PATH_MAX];    /**< Annex B */
    char metadata[SL_LAYERS_PATH_MAX]; /**< its sample index; empty: beside it */
    char output[SL_LAYERS_PATH_MAX];   /**< MP4 */
    /** what decodes each picture; empty: output + ".jsonl" or ".idx" */
    char index[SL_LAYERS_PATH_MAX];
    int index_format; /**< enum sl_pack_index_format */
};

/** As sl_layers_params_default(). */
SL_NODISCARD SL_API enum sl_status sl_pack_params_default(struct sl_pack_params *params,
                                                          uint32_t size, struct sl_error *err);
/** The option table of struct sl_pack_params. Static storage. */
SL_API const struct sl_option *sl_pack_options(void);
/**
 * Writes the MP4 and its index, each whole or not at all, the MP4 first.
 * Returns: as sl_layers_run().
 */
SL_NODISCARD SL_API enum sl_status sl_pack_run(const struct sl_pack_params *params,
                                               const struct sl_log *log, struct sl_error *err);

#ifdef __cplusplus
}
#endif
#endif
