/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Encode a file or a pipe of pictures: Y4M or raw frames in, H.264 or HEVC (Annex B) out, through
 * the encoder of sluice/encode.h with all of its settings.
 */
#ifndef SLUICE_ENCODE_FILE_H
#define SLUICE_ENCODE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/encode.h>
#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_ENCODE_FILE_PATH_MAX    4096
#define SL_ENCODE_FILE_CHANGES_MAX 65536

/** What is different from one picture on. */
struct sl_encode_file_change {
    int64_t picture; /**< number in the input, from 0 */
    /** "idr": the picture is coded as one, and value is not looked at. Else an option of
     * sl_encoder_options() that can change while the encoder is open: bitrate, maxrate, buffer, crf
     * or qp. */
    char key[16];
    char value[32]; /**< as on the command line */
};

/** Settings. Fill with sl_encode_file_params_default(), then change. */
struct sl_encode_file_params {
    uint32_t struct_size;                 /**< set by sl_encode_file_params_default() */
    char input[SL_ENCODE_FILE_PATH_MAX];  /**< path, http(s) URL, or "-" for standard input */
    char output[SL_ENCODE_FILE_PATH_MAX]; /**< path, or "-" for standard output */
    /** Path, or "-": one line of JSON for the stream and one for each access unit
     * (docs/encoder.md). Empty: none. */
    char stats[SL_ENCODE_FILE_PATH_MAX];
    int raw; /**< 0: the input is Y4M; else raw frames of enum sl_picture_format raw - 1 */
    const struct sl_encode_file_change *changes; /**< in any order; copied at open */
    size_t change_count;
};

/**
 * Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size.
 */
SL_NODISCARD SL_API enum sl_status
sl_encode_file_params_default(struct sl_encode_file_params *params, uint32_t size,
                              struct sl_error *err);

/** The option table of struct sl_encode_file_params. Static storage. */
SL_API const struct sl_option *sl_encode_file_options(void);

/** How far it is. */
struct sl_encode_file_progress {
    int64_t pictures;    /**< coded so far */
    int64_t bytes;       /**< of the stream, so far */
    int64_t duration_us; /**< of the input, microseconds; -1: not known */
    int64_t position_us; /**< media time coded so far, microseconds; for printing */
    int finished;
};

struct sl_encode_file_events {
    /** Called after each access unit, on the thread that runs. May be NULL. */
    void (*progress)(void *opaque, const struct sl_encode_file_progress *progress);
    void *opaque;
};

/** One encode. Single owner, but for sl_encode_file_stop(). */
struct sl_encode_file;

/**
 * Opens the input, the encoder and what is written.
 *
 * @p encoder is as for sl_encoder_open(), but for what the input knows: with Y4M, size 0x0, rate
 * 0/1, sample_aspect 0/1, range auto and chroma_location 0 mean what the header says. Another rate
 * than the header's plays the pictures at that rate; another size is refused. Raw frames have no
 * header: size and rate must be given. timebase 0/1 is one frame of the rate, so that times are
 * exact.
 * Ownership: *out is the caller's, to be given to sl_encode_file_destroy(). What is pointed to is
 * copied; @p log must outlive the object. NULL is allowed for @p events and @p log.
 * Returns: SL_EINVAL (settings; the error's where names the key), SL_EDATA (not a Y4M),
 * SL_EUNSUPPORTED (samples that no encoder here takes, naming those that one does; no backend can
 * serve), SL_ENOTFOUND, SL_EIO, SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_encode_file_open(struct sl_encode_file **out,
                                                       const struct sl_encode_file_params *params,
                                                       const struct sl_encoder_params *encoder,
                                                       const struct sl_encode_file_events *events,
                                                       const struct sl_log *log,
                                                       struct sl_error *err);

/**
 * Does all of it, once. Files appear under their names when they are complete; after any failure
 * there is none. Standard output, devices and FIFOs get each access unit as soon as there is one.
 * Whoever writes to a pipe must ignore SIGPIPE.
 * Returns: SL_OK; SL_EDATA (damaged input, or one without a picture), SL_EIO, SL_ENOMEM,
 * SL_ECANCELLED; what sl_encoder_send() returns.
 */
SL_NODISCARD SL_API enum sl_status sl_encode_file_run(struct sl_encode_file *encode,
                                                      struct sl_error *err);

/** Makes sl_encode_file_run() return SL_ECANCELLED soon. Thread-safety: any thread, also a signal
 * handler. A read that waits for a silent pipe is not woken. */
SL_API void sl_encode_file_stop(struct sl_encode_file *encode);

/** Destroys and zeroes the pointer. NULL is fine. Never while sl_encode_file_run() runs. */
SL_API void sl_encode_file_destroy(struct sl_encode_file **encode);

#ifdef __cplusplus
}
#endif
#endif
