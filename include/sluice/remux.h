/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Remux: any container becomes MP4 (ISO/IEC 14496-12), fragmented so that it plays while it grows,
 * or classic with its tables in front. What an MP4 reader can play is passed through byte for byte;
 * the rest is converted.
 *
 * One object, several ways to use it:
 *  - sl_remux_run() reads a path, a URL or standard input and writes a file or a descriptor;
 *  - pull: sl_remux_open() with an input, or sl_remux_open_source() with a function that gives its
 *    bytes, then sl_remux_read() or sl_remux_read_into() until SL_EOF;
 *  - push: sl_remux_open() with an empty input, then sl_remux_push() what arrives and
 *    sl_remux_read() what it makes; SL_EAGAIN says that more must be pushed first.
 */
#ifndef SLUICE_REMUX_H
#define SLUICE_REMUX_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/media.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_REMUX_PATH_MAX 4096

enum sl_remux_video {
    SL_REMUX_VIDEO_AUTO = 0, /**< pass through what MP4 can carry, else encode H.264 */
    SL_REMUX_VIDEO_COPY = 1, /**< pass through, or fail */
    SL_REMUX_VIDEO_H264 = 2, /**< encode */
    SL_REMUX_VIDEO_HEVC = 3, /**< encode */
    SL_REMUX_VIDEO_NONE = 4,
};

enum sl_remux_audio {
    SL_REMUX_AUDIO_AUTO = 0, /**< pass through what browsers play, else encode AAC */
    SL_REMUX_AUDIO_COPY = 1, /**< pass through, or fail */
    SL_REMUX_AUDIO_AAC = 2,  /**< encode */
    SL_REMUX_AUDIO_OPUS = 3, /**< encode */
    SL_REMUX_AUDIO_NONE = 4,
};

enum sl_remux_subtitles {
    SL_REMUX_SUBTITLES_NONE = 0,
    SL_REMUX_SUBTITLES_AUTO = 1, /**< text becomes WebVTT in MP4 (ISO/IEC 14496-30); pictures go */
};

/** Settings. Fill with sl_remux_params_default(), then change. Times are seconds, as fractions. */
struct sl_remux_params {
    uint32_t struct_size;           /**< set by sl_remux_params_default() */
    char input[SL_REMUX_PATH_MAX];  /**< path, http(s) URL, or "-"; empty: bytes are pushed */
    char output[SL_REMUX_PATH_MAX]; /**< of sl_remux_run(): path, or "-" for standard output */
    struct sl_rational start;       /**< where to begin, counted from the first shown picture */
    struct sl_rational duration;    /**< how much of it; 0: to the end */
    struct sl_rational fragment;    /**< a fragment ends at the first key frame after this long */
    int video;                      /**< enum sl_remux_video */
    int audio;                      /**< enum sl_remux_audio */
    int subtitles;                  /**< enum sl_remux_subtitles */
    char video_track[64];           /**< index as `sluice probe` counts; empty: the largest */
    char audio_track[256];          /**< indices or languages, comma-separated, or "all" */
    char subtitle_track[256];       /**< the same; empty: all of them */
    int64_t channels;               /**< at most so many in converted sound: 1, 2 or 6 */
    int64_t audio_bitrate;          /**< kbit/s of converted sound; 0: the coder's own choice */
    char encoder[32];               /**< name of the video encoder; empty: the best there is */
    char preset[16];                /**< of the video encoder */
    struct sl_rational crf;         /**< quality of encoded video, where no bitrate is set */
    int64_t video_bitrate;          /**< kbit/s of encoded video; 0: by quality */
    struct sl_rational decode_time; /**< baseMediaDecodeTime of the first fragment */
    int no_init;                    /**< 1: the init segment is left out */
    int faststart;                  /**< 1: classic MP4 with moov first; needs an output file */
    int styp;                       /**< 1: each fragment begins with a styp box */
    int sidx;                       /**< 1: each fragment has a sidx box in front */
    int strict;                     /**< 1: damage ends the run; 0: it is logged and passed over */
    int keep_going; /**< 1: a track that cannot be used is left out, with a warning */
};

/**
 * Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size.
 */
SL_NODISCARD SL_API enum sl_status sl_remux_params_default(struct sl_remux_params *params,
                                                           uint32_t size, struct sl_error *err);

/** The option table of struct sl_remux_params. Static storage. */
SL_API const struct sl_option *sl_remux_options(void);

/** How far a remux is. */
struct sl_remux_progress {
    int64_t position_us; /**< media time written so far, microseconds; for printing */
    int64_t duration_us; /**< of what was asked for, as the container states it; -1: not known */
    int64_t fragments;   /**< made so far */
    int64_t bytes;       /**< handed out so far */
    int finished;
};

struct sl_remux_events {
    /** Called after each fragment, on the thread that reads. May be NULL. */
    void (*progress)(void *opaque, const struct sl_remux_progress *progress);
    void *opaque;
};

/** One remux. Single owner, but for sl_remux_cancel(). */
struct sl_remux;

/**
 * Checks the settings. The input is opened and its header read by the first read or push.
 * Ownership: *out is the caller's, to be given to sl_remux_destroy(). @p params and @p events are
 * copied; @p log must outlive the object. NULL is allowed for both of them.
 * Returns: SL_EINVAL (settings), SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_remux_open(struct sl_remux **out,
                                                 const struct sl_remux_params *params,
                                                 const struct sl_remux_events *events,
                                                 const struct sl_log *log, struct sl_error *err);

/** Bytes that a function gives: a file object, an object store, a cache. */
struct sl_remux_source {
    /**
     * Reads up to @p size bytes at @p offset into @p dst; *got == 0 means the end. May block.
     * Called on the thread that is inside sl_remux_read(), sl_remux_read_into() or sl_remux_run(),
     * and nowhere else. What it returns other than SL_OK ends the remux and comes out of that call;
     * SL_EOF and SL_EAGAIN are not for it to return.
     */
    enum sl_status (*read)(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                           struct sl_error *err);
    void *opaque;
    const char *name; /**< for messages; copied. NULL: "input" */
    int64_t size;     /**< bytes in all; -1: not known */
    int seekable;     /**< 1: any offset; 0: it is only ever asked for what follows */
};

/**
 * As sl_remux_open(), with @p source in the place of params.input, which must be empty.
 * Ownership: @p source is copied; what its opaque points to must outlive the object.
 */
SL_NODISCARD SL_API enum sl_status
sl_remux_open_source(struct sl_remux **out, const struct sl_remux_params *params,
                     const struct sl_remux_source *source, const struct sl_remux_events *events,
                     const struct sl_log *log, struct sl_error *err);

/**
 * Does all of it: reads params.input and writes params.output. A file appears under its name only
 * when it is complete; after any failure there is none. Whoever writes to a pipe or socket must
 * ignore SIGPIPE.
 * Returns: SL_OK; SL_ENOTFOUND, SL_EIO, SL_EDATA, SL_EUNSUPPORTED (input or output), SL_ECANCELLED.
 * With bad headers, nothing has been written.
 */
SL_NODISCARD SL_API enum sl_status sl_remux_run(struct sl_remux *remux, struct sl_error *err);

/** The same, to a descriptor of the caller's, which stays open: a pipe, a socket, a file. */
SL_NODISCARD SL_API enum sl_status sl_remux_run_fd(struct sl_remux *remux, int fd,
                                                   struct sl_error *err);

/**
 * The next piece of output: the init segment, then one fragment each time.
 * Ownership: *data belongs to the remux and is valid until the next call on it.
 * Returns: SL_OK; SL_EOF when all has been handed out; SL_EAGAIN where bytes must be pushed first;
 * otherwise as sl_remux_run(). After any other error the object can only be destroyed.
 */
SL_NODISCARD SL_API enum sl_status sl_remux_read(struct sl_remux *remux, const uint8_t **data,
                                                 size_t *size, struct sl_error *err);

/**
 * The next bytes of output, as read(2) gives them: up to @p size of them, straight into @p dst.
 * The first call gives no more than the init segment, so that it is soon. Unlike sl_remux_read(),
 * never loads a whole fragment. The two can be mixed: that gives the rest of a piece begun here.
 * Returns: SL_OK with *got > 0, otherwise as sl_remux_read(); SL_EINVAL where @p size is 0.
 */
SL_NODISCARD SL_API enum sl_status sl_remux_read_into(struct sl_remux *remux, void *dst,
                                                      size_t size, size_t *got,
                                                      struct sl_error *err);

/**
 * Gives the next bytes of the input, in any amount; they are copied. Read until SL_EAGAIN between
 * two pushes: what has not been looked at is held, up to 64 MiB (SL_ENOMEM beyond).
 * Returns: SL_EINVAL where the input was named at open, or after sl_remux_end().
 */
SL_NODISCARD SL_API enum sl_status sl_remux_push(struct sl_remux *remux, const void *data,
                                                 size_t size, struct sl_error *err);
/** No more bytes will be pushed. */
SL_API void sl_remux_end(struct sl_remux *remux);

/** Codec strings of what comes out (RFC 6381), comma-separated: "avc1.64001f,mp4a.40.2". Empty
 * before the init segment has been read. Lifetime: that of the remux. */
SL_API const char *sl_remux_codecs(const struct sl_remux *remux);

/** Whatever runs or is called next returns SL_ECANCELLED. Thread-safety: any thread, also a signal
 * handler. A read that waits for a silent pipe is not woken. */
SL_API void sl_remux_cancel(struct sl_remux *remux);

/** Destroys and zeroes the pointer, at any point. NULL is fine. Never while another call runs. */
SL_API void sl_remux_destroy(struct sl_remux **remux);

#ifdef __cplusplus
}
#endif
#endif
