/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Encode a Y4M file by a schedule: H.264 whose coded order, temporal layers and references are the
 * caller's, and a line of JSON for each picture that says where it lies. The formats are those of
 * docs/scheduled-encode.md and docs/schedule.md.
 */
#ifndef SLUICE_ENCODE_Y4M_H
#define SLUICE_ENCODE_Y4M_H

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_ENCODE_Y4M_PATH_MAX 4096

/** Settings. Fill with sl_encode_y4m_params_default(), then change. */
struct sl_encode_y4m_params {
    uint32_t struct_size;                   /**< set by sl_encode_y4m_params_default() */
    char config[SL_ENCODE_Y4M_PATH_MAX];    /**< JSON: how to encode */
    char annex_b[SL_ENCODE_Y4M_PATH_MAX];   /**< the stream to write */
    char metadata[SL_ENCODE_Y4M_PATH_MAX];  /**< the sample index to write, JSON lines */
    char input_y4m[SL_ENCODE_Y4M_PATH_MAX]; /**< path, URL, or "-" for standard input */
    int extended;                           /**< 1: more fields in the sample index */
};

/**
 * Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size.
 */
SL_NODISCARD SL_API enum sl_status sl_encode_y4m_params_default(struct sl_encode_y4m_params *params,
                                                                uint32_t size,
                                                                struct sl_error *err);

/** The option table of struct sl_encode_y4m_params. Static storage. */
SL_API const struct sl_option *sl_encode_y4m_options(void);

/** How far it is. */
struct sl_encode_y4m_progress {
    int64_t pictures;    /**< coded so far */
    int64_t bytes;       /**< of the stream, so far */
    int64_t duration_us; /**< of the input, microseconds; -1: not known */
    int64_t position_us; /**< media time coded so far, microseconds; for printing */
    int finished;
};

struct sl_encode_y4m_events {
    /** Called after each picture, on the thread that runs. May be NULL. */
    void (*progress)(void *opaque, const struct sl_encode_y4m_progress *progress);
    void *opaque;
};

/** One encode. Single owner, but for sl_encode_y4m_stop(). */
struct sl_encode_y4m;

/**
 * Reads the configuration and the schedule it names, and opens the input.
 * Ownership: *out is the caller's, to be given to sl_encode_y4m_destroy(). @p params and @p events
 * are copied; @p log must outlive the object. NULL is allowed for both of them.
 * Returns: SL_EINVAL (settings), SL_EDATA (configuration or schedule, naming key and line; not a
 * Y4M), SL_EUNSUPPORTED (samples that are not 4:2:0 of 8 bits; a build without the patched x264,
 * saying how to get it), SL_ENOTFOUND, SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_encode_y4m_open(struct sl_encode_y4m **out,
                                                      const struct sl_encode_y4m_params *params,
                                                      const struct sl_encode_y4m_events *events,
                                                      const struct sl_log *log,
                                                      struct sl_error *err);

/**
 * Does all of it, once. Both files appear under their names when both are complete; after any
 * failure neither has.
 * Returns: SL_OK; SL_EDATA (damaged input, or one that is shorter than the schedule), SL_EIO,
 * SL_ENOMEM, SL_ECANCELLED.
 */
SL_NODISCARD SL_API enum sl_status sl_encode_y4m_run(struct sl_encode_y4m *encode,
                                                     struct sl_error *err);

/** Makes sl_encode_y4m_run() return SL_ECANCELLED soon. Thread-safety: any thread, also a signal
 * handler. A read that waits for a silent pipe is not woken. */
SL_API void sl_encode_y4m_stop(struct sl_encode_y4m *encode);

/** Destroys and zeroes the pointer. NULL is fine. Never while sl_encode_y4m_run() runs. */
SL_API void sl_encode_y4m_destroy(struct sl_encode_y4m **encode);

#ifdef __cplusplus
}
#endif
#endif
