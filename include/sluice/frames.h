/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Pictures out of a file, by number, by time or by id: only the bytes that they need are read, and
 * only what they depend on is decoded. See docs/frames.md.
 *
 * Pictures are numbered from 0 in the order in which they are shown (ISO/IEC 14496-12: composition
 * times, edit lists applied; what an edit list hides has no number).
 */
#ifndef SLUICE_FRAMES_H
#define SLUICE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/media.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_FRAMES_PATH_MAX 4096

enum sl_frames_format {
    SL_FRAMES_RGB24 = 0, /**< R, G, B, a byte each, full range, of the picture's own primaries */
    /** 8-bit 4:2:0: all rows of Y, then rows of Cb and Cr in turn. Matrix and range are those of
     * the picture. Sides must be even. */
    SL_FRAMES_NV12 = 1
};

/** How to read. Fill it with sl_frames_params_default(), then change what matters. */
struct sl_frames_params {
    uint32_t struct_size;           /**< set by sl_frames_params_default() */
    int format;                     /**< enum sl_frames_format */
    int64_t threads;                /**< of the decoder; 0: as many as are useful */
    char index[SL_FRAMES_PATH_MAX]; /**< sidecar of sluice pack; empty: beside the input */
};

/**
 * Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size.
 */
SL_NODISCARD SL_API enum sl_status sl_frames_params_default(struct sl_frames_params *params,
                                                            uint32_t size, struct sl_error *err);
/** The option table of struct sl_frames_params. Static storage. */
SL_API const struct sl_option *sl_frames_options(void);

/** One opened file. Single owner: one call at a time, but for sl_frames_stop(). */
struct sl_frames;

/**
 * Opens an MP4 or Matroska file, a path or an http(s) URL, and reads its index, no pictures.
 * @p log may be NULL and must outlive the object.
 * Ownership: *out is the caller's, to be given to sl_frames_destroy().
 * Returns: SL_EINVAL (settings), SL_ENOTFOUND, SL_EDATA (damaged, or a sidecar that was named does
 * not fit), SL_EUNSUPPORTED (not such a file, or one that cannot be read out of order), SL_EIO,
 * SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_frames_open(struct sl_frames **out, const char *input,
                                                  const struct sl_frames_params *params,
                                                  const struct sl_log *log, struct sl_error *err);

/** What is known of the file. Lifetime of pointers: that of the object. */
struct sl_frames_info {
    uint64_t count;               /**< pictures */
    const struct sl_track *track; /**< size, timebase, colour, … */
    int64_t start, end;           /**< ticks of track->timebase: first picture, end of the last */
    int32_t layers;               /**< temporal layers; 1: none are stated */
    int indexed; /**< 1: what each picture refers to is known from a sidecar, or will be found out
                  */
    int has_ids; /**< 1: a sidecar gives ids; otherwise a picture's id is its number */
};
SL_API void sl_frames_get_info(const struct sl_frames *f, struct sl_frames_info *info);

/** Where one picture is. */
struct sl_frames_place {
    int64_t pts, duration; /**< ticks of the track's timebase */
    int64_t id;
    int32_t layer; /**< temporal layer */
};
/** Returns: SL_EINVAL where @p index is not below the count. */
SL_NODISCARD SL_API enum sl_status sl_frames_get_place(const struct sl_frames *f, uint64_t index,
                                                       struct sl_frames_place *place,
                                                       struct sl_error *err);
/**
 * The picture that is shown at @p seconds (den > 0), on the file's own time line: the last one that
 * begins at or before it; the first one before any is shown.
 * Returns: SL_ENOTFOUND at and after the end, or before 0; SL_EINVAL where den is not above 0.
 */
SL_NODISCARD SL_API enum sl_status sl_frames_find_time(const struct sl_frames *f,
                                                       struct sl_rational seconds, uint64_t *index,
                                                       struct sl_error *err);
/** The first picture of this id. Returns: SL_ENOTFOUND. */
SL_NODISCARD SL_API enum sl_status sl_frames_find_id(const struct sl_frames *f, int64_t id,
                                                     uint64_t *index, struct sl_error *err);

/**
 * Asks for pictures, in any order; a number that is there twice counts once. What was asked for
 * before and not taken is forgotten. @p indexes is copied. Nothing is read yet.
 * Returns: SL_EINVAL (a number is not below the count), SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_frames_request(struct sl_frames *f, const uint64_t *indexes,
                                                     size_t count, struct sl_error *err);

/**
 * Asks for the pictures that are shown when the first one begins and every @p step seconds (above
 * 0) after. Otherwise as sl_frames_request().
 */
SL_NODISCARD SL_API enum sl_status
sl_frames_request_every(struct sl_frames *f, struct sl_rational step, struct sl_error *err);

/** A picture that was decoded. */
struct sl_frames_picture {
    uint64_t index;
    int64_t id;
    int64_t pts, duration; /**< ticks of the track's timebase */
    int32_t width, height;
    struct sl_colour colour; /**< of what sl_frames_pixels() gives */
    size_t size;             /**< bytes that sl_frames_pixels() writes */
};
/**
 * Goes on to the next picture of the request, in display order. Each one is decoded once, whatever
 * the order in which it was asked for; what is held is what the decoder holds.
 * Returns: SL_EOF after the last one; SL_EDATA (damaged), SL_EIO, SL_ENOMEM, SL_EUNSUPPORTED (not
 * a codec that this build decodes), SL_ECANCELLED. After an error a new request can be made.
 */
SL_NODISCARD SL_API enum sl_status
sl_frames_next(struct sl_frames *f, struct sl_frames_picture *picture, struct sl_error *err);
/**
 * Writes the pixels of the picture given last to @p dst, rows and planes without padding. @p size
 * must be what the picture says.
 * Returns: SL_EINVAL (no picture, another size), SL_EUNSUPPORTED (NV12 with odd sides, a colour
 * matrix that cannot be converted), SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_frames_pixels(struct sl_frames *f, void *dst, size_t size,
                                                    struct sl_error *err);
/** The same as a PNG file (RGB24 alone), whole or not at all. Returns: also SL_EIO. */
SL_NODISCARD SL_API enum sl_status sl_frames_save(struct sl_frames *f, const char *path,
                                                  struct sl_error *err);
/** Writes the pixels of all pictures of the request that are left, one after the other, to a file,
 * whole or not at all, or to standard output ("-"). Returns: as sl_frames_next() but for SL_EOF. */
SL_NODISCARD SL_API enum sl_status sl_frames_dump(struct sl_frames *f, const char *path,
                                                  struct sl_error *err);
/** Makes the call that is running, or else the next one, end with SL_ECANCELLED. From any thread,
 * and from signal handlers. */
SL_API void sl_frames_stop(struct sl_frames *f);

/** What was done so far. */
struct sl_frames_stats {
    int64_t bytes_index;   /**< read to know the file: headers, index, slice headers */
    int64_t bytes_fetched; /**< of pictures; over HTTP: of the ranges that were asked for */
    int64_t reads;         /**< ranges that bytes_fetched came in */
    int64_t samples;       /**< coded pictures that were fetched */
    int64_t decoded;       /**< and handed to the decoder */
    int64_t given;         /**< handed out by sl_frames_next() */
};
SL_API void sl_frames_get_stats(const struct sl_frames *f, struct sl_frames_stats *stats);
/** NULL and *NULL are fine. */
SL_API void sl_frames_destroy(struct sl_frames **f);

#ifdef __cplusplus
}
#endif
#endif
