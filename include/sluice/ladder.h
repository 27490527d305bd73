/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Ladder: one input becomes several renditions of HLS (RFC 8216bis) in a directory.
 *
 * The directory is playable at every moment of the run, whatever happens to the process: a segment
 * is published whole and then listed, and master.m3u8 appears once every rendition has its first
 * segment.
 */
#ifndef SLUICE_LADDER_H
#define SLUICE_LADDER_H

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/media.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_LADDER_RUNGS_MAX 16
#define SL_PATH_MAX         4096

/** One video rendition. Zero (or empty) fields are filled in from the source. */
struct sl_ladder_rung {
    char name[32];   /**< folder name: letters, digits, '-', '_' and '.' */
    int64_t height;  /**< luma rows; 0: the source's. Never above the source's */
    int64_t width;   /**< 0: by the source's aspect; rounded to even */
    int64_t bitrate; /**< kbit/s */
    int64_t maxrate; /**< kbit/s; 0: 1.5 x bitrate */
    int64_t buffer;  /**< kbit; 0: 2 x bitrate */
    char preset[16]; /**< x264's; empty: the params' preset */
};

enum sl_ladder_format {
    SL_LADDER_FMP4 = 0, /**< CMAF tracks, sound as a rendition of its own */
    SL_LADDER_TS = 1,   /**< MPEG-TS, sound muxed in */
};

/** Settings of a run. Fill with sl_ladder_params_default(), then change. */
struct sl_ladder_params {
    uint32_t struct_size;     /**< set by sl_ladder_params_default() */
    char input[SL_PATH_MAX];  /**< path, or "-" for standard input */
    char output[SL_PATH_MAX]; /**< directory; created where missing */
    int format;               /**< enum sl_ladder_format */
    struct sl_ladder_rung rungs[SL_LADDER_RUNGS_MAX];
    int32_t rung_count;         /**< 0: the default ladder */
    struct sl_rational segment; /**< seconds */
    char preset[16];            /**< x264's, for rungs that name none */
    int64_t threads;            /**< of encoding, all rungs together; 0: one per processor */
    char audio[SL_PATH_MAX];    /**< sound from this file instead; empty: from the input */
    int no_audio;               /**< 1: leave sound out */
    int64_t audio_bitrate;      /**< kbit/s */
    int64_t audio_channels;     /**< 1, 2 or 6 */
    int64_t audio_rate;         /**< Hz */
    int64_t video_track;        /**< index as `sluice probe` shows it; -1: the largest picture */
    int64_t audio_track;        /**< -1: the default one, else the one with most channels */
    char raw[16];               /**< pixel format of raw frames; empty: input has a format */
    int32_t size[2];            /**< of raw frames */
    struct sl_rational rate;    /**< of raw frames, per second */
    int overwrite;              /**< 1: an older ladder in the directory is replaced */
};

/** Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size. */
SL_NODISCARD SL_API enum sl_status sl_ladder_params_default(struct sl_ladder_params *params,
                                                            uint32_t size, struct sl_error *err);

/** The option table of struct sl_ladder_params. Static storage. */
SL_API const struct sl_option *sl_ladder_options(void);

/** How far a run is. */
struct sl_ladder_progress {
    int64_t frames;      /**< pictures handed to the encoders so far */
    int64_t position_us; /**< media time of the last of them, microseconds; for printing */
    int64_t duration_us; /**< of the source as its container states it; -1: not known */
    int64_t segments;    /**< published so far, all renditions together */
    int finished;
};

struct sl_ladder_events {
    /** Called on the thread that runs sl_ladder_run(), after each picture. May be NULL. */
    void (*progress)(void *opaque, const struct sl_ladder_progress *progress);
    void *opaque;
};

struct sl_ladder;

/**
 * Checks the settings, opens the input and prepares the directory. Nothing is encoded yet.
 * Ownership: *out is the caller's, to be given to sl_ladder_destroy(). @p params and @p events are
 * copied; @p log must outlive the run. NULL is allowed for both of them.
 * Returns: SL_EINVAL (settings), SL_ENOTFOUND, SL_EDATA, SL_EUNSUPPORTED (input), SL_EEXIST (a
 * ladder is there and overwrite is 0), SL_EIO.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_open(struct sl_ladder **out,
                                                  const struct sl_ladder_params *params,
                                                  const struct sl_ladder_events *events,
                                                  const struct sl_log *log, struct sl_error *err);

/**
 * Runs to the end of the input. Damaged input is encoded up to the damage, finished, and then
 * reported as SL_EDATA. SL_ECANCELLED after sl_ladder_stop(): what was read is finished and listed.
 * Thread-safety: one call per object; starts threads of its own and joins them all.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_run(struct sl_ladder *ladder, struct sl_error *err);

/** Asks a running ladder to finish early. Thread-safety: any thread, also a signal handler. */
SL_API void sl_ladder_stop(struct sl_ladder *ladder);

/** Destroys and zeroes the pointer. NULL is fine. Never while sl_ladder_run() is running. */
SL_API void sl_ladder_destroy(struct sl_ladder **ladder);

#ifdef __cplusplus
}
#endif
#endif
