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

#include <stddef.h>

#include <sluice/encode.h>
#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/media.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SL_LADDER_RUNGS_MAX 16
#define SL_PATH_MAX         4096
#define SL_RUN_ID_SIZE      65

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

    /* A live run instead of a directory (docs/runs.md): run and store are both set, output is not.
     */
    char run[SL_RUN_ID_SIZE];   /**< its name: letters, digits, '.', '_' and '-' */
    char store[SL_PATH_MAX];    /**< directory of the content store; made where missing */
    char registry[SL_PATH_MAX]; /**< postgres://…, or a file; empty: registry.sqlite in the store */
    char gateway[1024];         /**< links of stored playlists are gateway/CID; empty: /ipfs/CID */
    int profile;                /**< enum sl_store_profile */
    int64_t window;             /**< segments that are shown while the run goes on; 0: all */
    int64_t patience;           /**< seconds to wait for a store or registry out of reach */
    char ipfs[1024];            /**< an IPFS node that gets a copy (docs/ipfs.md); empty: none */
    int64_t ipfs_wait;          /**< seconds to wait at the end for the node to have all */
    int64_t ipfs_timeout;       /**< seconds that the node may be silent */

    /** Seconds per tick of the pictures that sl_ladder_write_frame() takes; 0/1: one frame of the
     * rate */
    struct sl_rational timebase;
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
 * Checks the settings, opens the input and prepares the directory, or the run: one that is there is
 * gone on with (docs/runs.md). Nothing is encoded yet. Without an input (params->input empty) the
 * pictures are the caller's: params->size and params->rate say of which size and how many a second
 * they are, and sl_ladder_write_frame() takes them.
 * Ownership: *out is the caller's, to be given to sl_ladder_destroy(). @p params and @p events are
 * copied; @p log must outlive the run. NULL is allowed for both of them.
 * Returns: SL_EINVAL (settings; a run that is finished), SL_ENOTFOUND, SL_EDATA, SL_EUNSUPPORTED
 * (input), SL_EEXIST (a ladder is there and overwrite is 0), SL_EBUSY (the run has a writer; the
 * registry is out of reach), SL_EIO.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_open(struct sl_ladder **out,
                                                  const struct sl_ladder_params *params,
                                                  const struct sl_ladder_events *events,
                                                  const struct sl_log *log, struct sl_error *err);

/**
 * Runs to the end of the input. Damaged input is encoded up to the damage, finished, and then
 * reported as SL_EDATA. SL_ECANCELLED after sl_ladder_stop(): what was read is finished and listed;
 * a live run can be gone on with.
 * Thread-safety: one call per object; starts threads of its own and joins them all.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_run(struct sl_ladder *ladder, struct sl_error *err);

/** Asks a running ladder to finish early. Thread-safety: any thread, also a signal handler. */
SL_API void sl_ladder_stop(struct sl_ladder *ladder);

/** Destroys and zeroes the pointer. NULL is fine. Never while another call is running. Of a live
 * run that has not been ended, what is published stays and can be gone on with. */
SL_API void sl_ladder_destroy(struct sl_ladder **ladder);

/* ---- pictures of the caller's own ------------------------------------------------------------ */

/**
 * The next picture, as for sl_encoder_send(): RGB in any order, or YUV that is taken to be what its
 * size suggests (BT.709 from 720 lines on). Its time is picture->pts in ticks of
 * params->timebase; SL_NO_TIME: one frame after the last one. Times rise; the first
 * picture is time 0 of the output, whatever its own. Read during the call alone (release is called
 * before it returns); token, sei and SL_PICTURE_IDR are not looked at.
 * Waits while the encoders, or a store or registry out of reach, are behind: no more than a handful
 * of pictures is ever held.
 * Thread-safety: one call per object at a time, on any thread; sl_ladder_stop() at any time.
 * Returns: SL_EINVAL (size, format, planes, a time that does not rise; a ladder that has an input
 * or is closed), SL_EUNSUPPORTED (memory of a device), SL_EOF (params->audio ended before this
 * picture: close), SL_ECANCELLED (stopped), and whatever the encoders and the store came to, after
 * which the ladder can only be destroyed.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_write_frame(struct sl_ladder *ladder,
                                                         const struct sl_picture *picture,
                                                         struct sl_error *err);

/**
 * No more pictures will come: publishes what is left, and ends. A live run is then finished and its
 * root directory stored; after sl_ladder_stop() it is left as it is, to be gone on with.
 * Thread-safety: as sl_ladder_write_frame(). A second call does nothing.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_close(struct sl_ladder *ladder, struct sl_error *err);

/* ---- live runs ----------------------------------------------------------------------------------
 */

/** A rendition of a live run. */
struct sl_ladder_rendition_state {
    const char *name;
    char cid[64];          /**< of its playlist as it is now */
    int32_t width, height; /**< as shown; 0: sound */
    int64_t bitrate;       /**< bit/s, at most */
    int64_t segments;      /**< published */
};

/** What was just announced. Lifetime: of the call. */
struct sl_ladder_update {
    /** Of the multivariant playlist as it is now; "" before each rendition has a segment */
    const char *master_cid;
    const struct sl_ladder_rendition_state *renditions;
    size_t rendition_count;
    size_t rendition;        /**< index of the one that got a segment */
    const char *segment_cid; /**< ""  where that segment was lost (EXT-X-GAP) */
};
typedef void sl_ladder_update_fn(void *opaque, const struct sl_ladder_update *update);

/**
 * Has @p update called for every segment that is announced. The calls
 * come one at a time from threads of the library; whoever stays long in one holds the run up. No
 * function of the ladder must be called from it but sl_ladder_stop(). Before the first picture;
 * without a live run nothing is told. @p update NULL: no more.
 */
SL_API void sl_ladder_on_update(struct sl_ladder *ladder, sl_ladder_update_fn *update,
                                void *opaque);

/** What a live run has come to. */
struct sl_ladder_result {
    char master_cid[64]; /**< of the multivariant playlist; empty: none yet */
    char root_cid[64];   /**< of the finished run as one directory; empty: not finished */
};
/** Thread-safety: any thread, until sl_ladder_destroy(). */
SL_API void sl_ladder_get_result(struct sl_ladder *ladder, struct sl_ladder_result *result);

/**
 * Fills @p params with the settings of a run, to go on with it by sl_ladder_open(): params->run,
 * store and registry are set; the rest is overwritten.
 * Returns: SL_ENOTFOUND (no such run), SL_EINVAL (it is finished), SL_EUNSUPPORTED (its pictures
 * came from a program or a pipe), SL_EBUSY, SL_EDATA.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_params_of_run(struct sl_ladder_params *params,
                                                           const struct sl_log *log,
                                                           struct sl_error *err);

/**
 * Finishes a run that nobody will go on with: what is published becomes all there is, with its root
 * directory. params->run, store, registry, gateway, patience and those of IPFS are read. @p result
 * may be NULL. Returns: as sl_ladder_params_of_run(); SL_EDATA where nothing was published.
 * Thread-safety: any thread.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_finish_run(const struct sl_ladder_params *params,
                                                        struct sl_ladder_result *result,
                                                        const struct sl_log *log,
                                                        struct sl_error *err);

/**
 * Sends what is still queued for IPFS nodes, at once, for as long as params->ipfs_wait says.
 * params->store, registry and ipfs_timeout are read, run (empty: all runs) and ipfs (empty: the
 * nodes that are queued for). An object that a process was sending when it was killed is waited for
 * half a minute.
 * Returns: SL_EBUSY where something is left, with the reason; SL_ENOTFOUND (no such run),
 * SL_EINVAL. Thread-safety: any thread, and beside the run's writer: each object has one sender.
 */
SL_NODISCARD SL_API enum sl_status sl_ladder_upload_run(const struct sl_ladder_params *params,
                                                        const struct sl_log *log,
                                                        struct sl_error *err);

#ifdef __cplusplus
}
#endif
#endif
