/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Encoder: pictures in, access units of H.264 or HEVC (Annex B) out, from any vendor's encoder.
 *
 * In the default mode one picture sent gives its own access unit at once: no look-ahead, no
 * reordering, nothing held back. What comes out is the same whatever the backend (docs/encoder.md):
 *
 * - parameter sets in band at each IDR picture and nowhere else (ITU-T H.264 7.4.1.2.1, H.265
 *   7.4.2.4.4), the same bytes each time until a reconfiguration;
 * - the reorder depth stated and true (H.264 E.2.1 max_num_reorder_frames, H.265 7.4.3.2.1
 *   sps_max_num_reorder_pics): 0 in sync and pipelined mode, without which hardware decoders wait;
 * - colour described (H.264 E.2.1, H.265 E.3.1) as the conversion from RGB was done.
 *
 * Our own parser reads back what each backend wrote; what one leaves out is put in.
 *
 * \code
 * struct sl_encoder_params p;
 * struct sl_encoder *e = NULL;
 * struct sl_error err = {0};
 * sl_encoder_params_default(&p, sizeof p, &err);
 * p.size[0] = 1280, p.size[1] = 720, p.bitrate = 3000000;
 * sl_encoder_open(&e, &p, NULL, &err);
 * for (;;) {
 *     struct sl_picture in = {.struct_size = sizeof in, .format = SL_PICTURE_RGB24, .width = 1280,
 *         .height = 720, .plane = {pixels}, .stride = {1280 * 3}, .pts = SL_NO_TIME};
 *     struct sl_access_unit out;
 *     sl_encoder_encode(e, &in, &out, &err);
 *     send(fd, out.data, out.size, 0);
 *     sl_access_unit_clear(&out);
 * }
 * sl_encoder_destroy(&e);
 * \endcode
 */
#ifndef SLUICE_ENCODE_H
#define SLUICE_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/log.h>
#include <sluice/media.h>
#include <sluice/options.h>

#ifdef __cplusplus
extern "C" {
#endif

enum sl_encoder_codec {
    SL_ENCODER_H264 = 0, /**< ITU-T H.264, ISO/IEC 14496-10 */
    SL_ENCODER_HEVC = 1, /**< ITU-T H.265, ISO/IEC 23008-2 */
};

/** When what was sent comes out. */
enum sl_encoder_latency {
    /** Each picture's access unit is there when sl_encoder_send() returns; one must be received
     * before the next picture is sent. */
    SL_LATENCY_SYNC = 0,
    /** As many pictures as params.depth says may be on their way: picture n + depth is sent before
     * unit n is received. Nothing is reordered. */
    SL_LATENCY_PIPELINED = 1,
    /** The backend looks ahead and may code B pictures: best quality, many pictures of delay. */
    SL_LATENCY_LOOKAHEAD = 2,
};

enum sl_rate_control {
    SL_RATE_AUTO = 0, /**< VBR where a bitrate is given, else CRF */
    /** Average bitrate; with maxrate and buffer what they allow at most (H.264 Annex C) */
    SL_RATE_VBR = 1,
    SL_RATE_CRF = 2, /**< constant quality: params.crf, in the backend's own scale, 1 to 51 */
    /** Constant bitrate: maxrate is the bitrate; the buffer is one second where none is given */
    SL_RATE_CBR = 3,
    SL_RATE_CQP = 4, /**< constant quantiser: params.qp */
};

/** How to encode. Fill it with sl_encoder_params_default(), then change what matters. */
struct sl_encoder_params {
    uint32_t struct_size; /**< set by sl_encoder_params_default() */
    int codec;            /**< enum sl_encoder_codec */
    char backend[32];     /**< "auto", or a name that sl_encoder_backend() gives */
    int32_t size[2];      /**< width and height; even, unless the stream is 4:4:4 */
    /** Largest size that sl_encoder_reconfigure() may go to; 0: the size */
    int32_t max_size[2];
    struct sl_rational rate;     /**< nominal frames per second; times come from pts */
    struct sl_rational timebase; /**< seconds per tick of pts; 0/1: one frame of the rate */
    int64_t gop;                 /**< pictures from IDR to IDR; 0: on demand alone */
    int rate_control;            /**< enum sl_rate_control */
    int64_t bitrate;             /**< bit/s */
    int64_t maxrate;             /**< bit/s; 0: the backend's choice */
    int64_t buffer;              /**< bits of the coded picture buffer; 0: the backend's choice */
    struct sl_rational crf;      /**< 0/1: 23 for H.264, 28 for HEVC, or what is like it */
    int64_t qp;                  /**< 0 to 51 */
    /** Empty: high, or main for HEVC. H.264: baseline, main, high, high10, high444; HEVC: main,
     * main10. The last two of H.264 and main10 decide what is coded: 10 bits, 4:4:4. */
    char profile[16];
    char level[8];   /**< "4.1"; empty: the lowest that holds size, rate and bitrate */
    char preset[16]; /**< the backend's own name; empty: its default for the mode */
    char tune[32];   /**< the backend's own name; empty: its default for the mode */
    int latency;     /**< enum sl_encoder_latency */
    int64_t depth;   /**< pictures on their way in pipelined mode, 1 to 16 */
    int64_t bframes; /**< lookahead mode: B pictures in a row; -1: the preset's */
    /** Colour of the stream. Auto: BT.709 from 720 lines on, else BT.601, limited range, to which
     * RGB is converted; YUV pictures are taken to be that already. */
    int colour;                          /**< enum sl_encoder_colour */
    int range;                           /**< enum sl_range */
    int64_t primaries, transfer, matrix; /**< H.273 code points instead; 2: as colour says */
    /** H.264 E.2.1 chroma_sample_loc_type + 1, to which RGB is converted too; 0: not stated, and
     * RGB's chroma is the mean of four */
    int64_t chroma_location;
    struct sl_rational sample_aspect; /**< 0/1: square, not stated */
    int64_t threads;                  /**< 0: the backend's choice */
    int intra_refresh; /**< 1: a moving column of intra blocks instead of IDR pictures */
    /** 1: keeps long-term pictures so that sl_encoder_recover() needs no IDR, where it can */
    int loss_recovery;
    int64_t gpu;                /**< index of the device */
    void *cuda_context;         /**< CUcontext to share; NULL: the device's primary context */
    int64_t extra_output_delay; /**< NVENC: pictures held back beyond what is needed; 0 to 16 */
    int nvtx;                   /**< 1: NVTX ranges named pdum.…, where that library is there */
};

enum sl_encoder_colour {
    SL_COLOUR_AUTO = 0,
    SL_COLOUR_BT601 = 1,  /**< SMPTE 170M: 6-6-6 */
    SL_COLOUR_BT709 = 2,  /**< 1-1-1 */
    SL_COLOUR_BT2020 = 3, /**< 9-14-9 */
};

/** Fills @p params. @p size is sizeof *params as the caller was compiled. Thread-safety: reentrant.
 * Returns: SL_EINVAL where this library does not know that size. */
SL_NODISCARD SL_API enum sl_status sl_encoder_params_default(struct sl_encoder_params *params,
                                                             uint32_t size, struct sl_error *err);
/** The option table of struct sl_encoder_params. Static storage. */
SL_API const struct sl_option *sl_encoder_options(void);

/** Memory layouts of a picture. Multi-byte samples are in native order. */
enum sl_picture_format {
    SL_PICTURE_NV12 = 0, /**< 8-bit 4:2:0: Y, then Cb and Cr in turn */
    SL_PICTURE_I420 = 1, /**< 8-bit 4:2:0: Y, Cb, Cr */
    SL_PICTURE_I444 = 2, /**< 8-bit 4:4:4: Y, Cb, Cr */
    SL_PICTURE_P010 = 3, /**< 10-bit 4:2:0 in the high bits of 16: Y, then Cb and Cr in turn */
    SL_PICTURE_RGB24 = 4,
    SL_PICTURE_BGR24 = 5,
    SL_PICTURE_RGBA = 6, /**< the fourth byte is not looked at */
    SL_PICTURE_BGRA = 7,
};

enum sl_picture_memory {
    SL_MEMORY_HOST = 0,
    SL_MEMORY_CUDA = 1,          /**< planes are device pointers (CUdeviceptr) */
    SL_MEMORY_CVPIXELBUFFER = 2, /**< plane[0] is a CVPixelBufferRef; format is not looked at */
};

enum { SL_PICTURE_IDR = 1u << 0 /**< code this one as IDR */ };

#define SL_PICTURE_SEI_MAX 65536

/** One picture to encode. Zero-initialise; fields that are 0 mean what they say. */
struct sl_picture {
    uint32_t struct_size;  /**< sizeof(struct sl_picture) */
    int format;            /**< enum sl_picture_format */
    int memory;            /**< enum sl_picture_memory */
    uint32_t flags;        /**< SL_PICTURE_… */
    int32_t width, height; /**< must be those of the encoder */
    const void *plane[3];
    int64_t stride[3]; /**< bytes from row to row; at least a row's bytes, or negative: bottom up */
    /** CUDA: the stream (CUstream) in which the picture is made; encoding waits for what is in it
     * now. NULL: the legacy default stream. */
    void *stream;
    uint64_t token; /**< comes out again with the access unit */
    int64_t pts;    /**< ticks of params.timebase, rising; SL_NO_TIME: one frame after the last */
    /** Called once when the library no longer reads the planes, on the caller's thread, before or
     * after sl_encoder_send() returns. NULL: the planes are read during that call alone; what must
     * be kept longer is copied, or refused where it is not in the host's memory. Not called where
     * the call fails. */
    void (*release)(void *opaque);
    void *opaque;
    /** A user_data_unregistered SEI message to go with this picture (H.264 D.1.7): 16 bytes of
     * UUID and what follows; copied. At most SL_PICTURE_SEI_MAX bytes. NULL: none. */
    const void *sei;
    size_t sei_size;
};

/** One coded picture. */
struct sl_access_unit {
    const uint8_t *data; /**< Annex B, one contiguous block; valid until sl_access_unit_clear() */
    size_t size;
    size_t header_size; /**< of these, parameter sets and SEI in front of the first slice */
    uint64_t token;
    int64_t pts, dts; /**< ticks of params.timebase; dts never above pts */
    int64_t duration; /**< ticks: nominal, one frame of the rate */
    int key;          /**< 1: IDR, with parameter sets in front */
    int32_t layer;    /**< temporal layer; 0 where there is one only */
    int32_t qp;       /**< average quantiser; -1: the backend does not say */
    /** Nanoseconds that this picture took: getting it to the backend, converting its colour, and
     * encoding (waiting included). */
    int64_t copy_ns, convert_ns, encode_ns;
    void *owner; /**< the library's own */
};
/** Gives the data back. Allowed after the encoder is gone, on any thread, and twice. */
SL_API void sl_access_unit_clear(struct sl_access_unit *unit);

/** One encoder. Single owner: one call at a time; different encoders are independent. */
struct sl_encoder;

/**
 * Opens the backend that params.backend names, or with "auto" the first in the order of
 * sl_encoder_backend() that encodes a test picture with these settings.
 * @p log may be NULL and must outlive the encoder; with "auto" it hears which was taken and why.
 * Ownership: *out is the caller's, to be given to sl_encoder_destroy().
 * Returns: SL_EINVAL (a setting; the error's where names its key), SL_EUNSUPPORTED (no backend can;
 * the message has each one's reason), SL_EIO (device), SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status sl_encoder_open(struct sl_encoder **out,
                                                   const struct sl_encoder_params *params,
                                                   const struct sl_log *log, struct sl_error *err);

/**
 * Sends a picture. It is consumed on SL_OK only.
 * Returns: SL_EAGAIN (units wait: receive first), SL_EINVAL (size, format, planes or strides that
 * do not fit, a pts that does not rise, after sl_encoder_close()), SL_EUNSUPPORTED (memory of a
 * kind that the backend does not read), SL_EIO (the device failed, and with "auto" no other backend
 * could go on), SL_EDATA (the backend broke the contract above), SL_ENOMEM.
 */
SL_NODISCARD SL_API enum sl_status
sl_encoder_send(struct sl_encoder *e, const struct sl_picture *picture, struct sl_error *err);
/**
 * The next access unit, in coded order. Ownership: *unit is the caller's, to be given to
 * sl_access_unit_clear().
 * Returns: SL_EAGAIN (send first), SL_EOF (drained), else as sl_encoder_send().
 */
SL_NODISCARD SL_API enum sl_status
sl_encoder_receive(struct sl_encoder *e, struct sl_access_unit *unit, struct sl_error *err);
/** Sends one and receives its unit. Sync mode alone: SL_EINVAL in the others. */
SL_NODISCARD SL_API enum sl_status sl_encoder_encode(struct sl_encoder *e,
                                                     const struct sl_picture *picture,
                                                     struct sl_access_unit *unit,
                                                     struct sl_error *err);
/**
 * Says that no more pictures will come for now: sl_encoder_receive() gives what is on its way, then
 * SL_EOF. A picture sent after that begins anew, with an IDR.
 */
SL_NODISCARD SL_API enum sl_status sl_encoder_drain(struct sl_encoder *e, struct sl_error *err);

/**
 * Changes bitrate, maxrate, buffer, crf, qp, rate (the frame rate) or size, from the next picture
 * on. Other fields of @p params must be as they were. Pictures on their way keep what they had.
 * @p idr (may be NULL): 1 where the next picture will be an IDR, because the backend cannot change
 * this in mid-stream, or because the size changes.
 * Returns: SL_EINVAL (another field was changed; a size above max_size), else as sl_encoder_open().
 * Nothing has changed then.
 */
SL_NODISCARD SL_API enum sl_status sl_encoder_reconfigure(struct sl_encoder *e,
                                                          const struct sl_encoder_params *params,
                                                          int *idr, struct sl_error *err);

enum sl_encoder_recovery {
    SL_RECOVERY_REFERENCE = 0, /**< later pictures refer to nothing since the lost one */
    SL_RECOVERY_REFRESH = 1,   /**< a column of intra blocks begins to move */
    SL_RECOVERY_IDR = 2,       /**< the next picture is an IDR: the backend has no better way */
};
/**
 * Tells that the unit of @p token, and all after it, did not reach the decoder. @p how may be NULL.
 * Returns: SL_ENOTFOUND where that token is too old to be known (an IDR comes then), SL_EINVAL.
 */
SL_NODISCARD SL_API enum sl_status sl_encoder_recover(struct sl_encoder *e, uint64_t token,
                                                      enum sl_encoder_recovery *how,
                                                      struct sl_error *err);

/**
 * RFC 6381 codec string, "avc1.64001f" or "hvc1.1.6.L93.B0", as WebCodecs (without a description)
 * and MSE take it: right from sl_encoder_open() on. Lifetime: until the next call that can change
 * it (send, reconfigure, close).
 */
SL_API const char *sl_encoder_codec_string(const struct sl_encoder *e);

/** What was opened. Pointers live until the encoder changes or is destroyed. */
struct sl_encoder_info {
    const char *backend;          /**< name of the backend in use */
    const char *reason;           /**< why it was taken: "asked for", "openh264: …" */
    const struct sl_track *track; /**< size, avcC or hvcC, profile, level, colour */
    int32_t width, height;
    /** Pictures that may have to be sent before the first unit comes; -1: the backend decides */
    int32_t delay;
};
/** Returns: SL_EINVAL after sl_encoder_close(). */
SL_NODISCARD SL_API enum sl_status
sl_encoder_get_info(const struct sl_encoder *e, struct sl_encoder_info *info, struct sl_error *err);

struct sl_encoder_stats {
    int64_t pictures;                       /**< sent */
    int64_t units;                          /**< received */
    int64_t keys;                           /**< of these, IDR */
    int64_t bytes;                          /**< of all units */
    int64_t fallbacks;                      /**< times that another backend had to take over */
    int64_t copy_ns, convert_ns, encode_ns; /**< of all units */
};
/** Also after sl_encoder_close(). */
SL_API void sl_encoder_get_stats(const struct sl_encoder *e, struct sl_encoder_stats *stats);

/** Ends it at once: what is on its way is lost, releases are called, every later call but for
 * sl_encoder_get_stats() and sl_encoder_destroy() is SL_EINVAL. Any number of times. */
SL_API void sl_encoder_close(struct sl_encoder *e);
/** Closes and frees. NULL and *NULL are fine. */
SL_API void sl_encoder_destroy(struct sl_encoder **e);

enum {                                     /* sl_encoder_backend_info.flags */
       SL_BACKEND_HARDWARE = 1u << 0,      /**< needs a device */
       SL_BACKEND_RECONFIGURES = 1u << 1,  /**< bitrate changes without an IDR */
       SL_BACKEND_RECOVERS = 1u << 2,      /**< sl_encoder_recover() without an IDR */
       SL_BACKEND_REFRESHES = 1u << 3,     /**< params.intra_refresh */
       SL_BACKEND_CUDA = 1u << 4,          /**< reads SL_MEMORY_CUDA */
       SL_BACKEND_CVPIXELBUFFER = 1u << 5, /**< reads SL_MEMORY_CVPIXELBUFFER */
       SL_BACKEND_LOOKAHEAD = 1u << 6,     /**< has SL_LATENCY_LOOKAHEAD */
};
/** What there is to choose from. */
struct sl_encoder_backend_info {
    const char *name;     /**< "x264"; static storage, as the strings below */
    int codec;            /**< enum sl_encoder_codec */
    int available;        /**< 1: it can serve on this machine */
    char reason[256];     /**< why not; empty where it can */
    uint32_t flags;       /**< SL_BACKEND_… */
    const char *presets;  /**< names with commas between, the fastest first; NULL: none */
    const char *tunes;    /**< the same, in no order */
    const char *profiles; /**< the same */
    const char *version;  /**< of the library or the API, where it has one; else NULL */
    const char *licence;  /**< SPDX expression of what is called */
};
/**
 * The backend number @p index in the order in which "auto" tries them for latency sync
 * at an average bitrate.
 * Returns: SL_EOF past the last one. Thread-safety: any thread.
 */
SL_NODISCARD SL_API enum sl_status
sl_encoder_backend(size_t index, struct sl_encoder_backend_info *info, struct sl_error *err);

#ifdef __cplusplus
}
#endif
#endif
