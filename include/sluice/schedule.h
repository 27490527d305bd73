/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Schedules: which pictures are coded, in which order, on which temporal layer, and what each may
 * refer to. Made, read with every rule checked, measured, written as JSON and drawn. The format is
 * described in docs/schedule.md.
 */
#ifndef SLUICE_SCHEDULE_H
#define SLUICE_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_SCHEDULE_PATH_MAX 4096

enum sl_schedule_order {
    SL_SCHEDULE_DEPTH = 0,   /**< a picture as soon as what it refers to is coded: small DPB */
    SL_SCHEDULE_BREADTH = 1, /**< all pictures of a layer before the next layer */
};

enum sl_schedule_format {
    SL_SCHEDULE_AUTO = 0, /**< by the name of the output: .json, .svg, else text */
    SL_SCHEDULE_JSON = 1,
    SL_SCHEDULE_TEXT = 2,
    SL_SCHEDULE_SVG = 3,
};

/** What to make. Fill it with sl_schedule_params_default(), then change what matters. */
struct sl_schedule_params {
    uint32_t struct_size;    /**< set by sl_schedule_params_default() */
    int64_t frames;          /**< pictures in all; required */
    int64_t gop;             /**< pictures from layer 0 to layer 0, a power of two up to 64 */
    int64_t bframes;         /**< most B pictures between two others; -1: gop - 1 */
    int64_t keyint;          /**< pictures from IDR to IDR */
    int64_t layers;          /**< 0: as many as gop has levels, log2(gop) + 1 */
    int64_t dpb;             /**< frames that the decoder holds; 0: as few as will do */
    int64_t past, future;    /**< most references to earlier and to later pictures */
    int order;               /**< enum sl_schedule_order */
    int forget;              /**< 1: P pictures empty the DPB of what is not needed */
    int low_delay;           /**< 1: P pictures alone, coded as they are shown */
    struct sl_rational rate; /**< stated in what is made; 0/1: not */
    char output[SL_SCHEDULE_PATH_MAX]; /**< for the command line; not used by the library */
};

/**
 * Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size.
 */
SL_NODISCARD SL_API enum sl_status sl_schedule_params_default(struct sl_schedule_params *params,
                                                              uint32_t size, struct sl_error *err);
/** The option table of struct sl_schedule_params. Static storage. */
SL_API const struct sl_option *sl_schedule_options(void);

/** One schedule that has passed every check. Single owner. */
struct sl_schedule_doc;

/**
 * Makes a schedule.
 * Ownership: *out is the caller's, to be given to sl_schedule_doc_destroy().
 * Returns: SL_EINVAL (the settings do not go together), SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_schedule_doc_make(struct sl_schedule_doc **out,
                                                        const struct sl_schedule_params *params,
                                                        struct sl_error *err);
/**
 * Reads and checks one: @p path is a file, a URL, or "-" for standard input.
 * Ownership: as sl_schedule_doc_make().
 * Returns: SL_EDATA (what is wrong, with line, column and frame), SL_ENOTFOUND, SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_schedule_doc_open(struct sl_schedule_doc **out,
                                                        const char *path, struct sl_error *err);
/** The same from memory; @p name is for messages. */
SL_NODISCARD SL_API enum sl_status sl_schedule_doc_parse(struct sl_schedule_doc **out,
                                                         const char *name, const char *text,
                                                         size_t size, struct sl_error *err);

struct sl_schedule_info {
    uint64_t frames;
    int32_t gop, layers;
    int32_t dpb, reorder;               /**< as stated */
    int32_t dpb_needed, reorder_needed; /**< the least that would do */
    struct sl_rational rate;            /**< 0/1: not stated */
};
/** Returns: SL_ENOMEM alone. */
SL_NODISCARD SL_API enum sl_status sl_schedule_doc_info(const struct sl_schedule_doc *doc,
                                                        struct sl_schedule_info *info,
                                                        struct sl_error *err);
/** The lowest H.264 level (level_idc: 40 is 4.0) that this schedule fits at a picture size; 0: none
 * (ISO/IEC 14496-10 table A-1; size, rate and DPB are considered, bit rates are not). */
SL_API int sl_schedule_doc_level(const struct sl_schedule_doc *doc, int32_t width, int32_t height);
/** Frames that a decoder of this level holds at a picture size; 0: the level does not allow it. */
SL_API int32_t sl_schedule_level_frames(int level_idc, int32_t width, int32_t height);

/**
 * Writes it to a file, whole or not at all, or to standard output ("-"). @p first and @p count
 * choose pictures in display order for text and SVG; JSON is always the whole.
 * Returns: SL_EINVAL (unknown format), SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_schedule_doc_save(const struct sl_schedule_doc *doc,
                                                        enum sl_schedule_format format,
                                                        uint64_t first, uint64_t count,
                                                        const char *path, struct sl_error *err);
/** NULL and *NULL are fine. */
SL_API void sl_schedule_doc_destroy(struct sl_schedule_doc **doc);

#ifdef __cplusplus
}
#endif
#endif
