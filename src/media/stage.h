/* SPDX-License-Identifier: BSD-2-Clause */
/* The interface of every stage. Stages are static const vtables listed in one registry.c per
 * folder, in order of preference. Objects are single-owner; a send consumes on SL_OK only. */
#ifndef SL_MEDIA_STAGE_H
#define SL_MEDIA_STAGE_H

#include <sluice/encode.h>
#include <sluice/log.h>
#include <sluice/media.h>

#include "base/window.h"
#include "media/frame.h"
#include "media/packet.h"

/* ---- source: bytes ---------------------------------------------------------------------- */

/* An opened input: what a window looks at. */
struct sl_source {
    struct sl_window_source bytes; /* name points into the source */
    void (*destroy)(struct sl_source *s);
    /* Says that just these bytes will be asked for next, so that no more are fetched. May be NULL.
     */
    void (*expect)(struct sl_source *s, int64_t offset, int64_t size);
};

/* ---- demux: bytes to packets ------------------------------------------------------------- */

/* Takes bands of whole rows of a raw picture of one plane, in order, an even number of rows each
 * but for the last one of a picture. data is valid during the call. */
struct sl_band_sink {
    enum sl_status (*take)(void *opaque, int32_t first_row, int32_t rows, const uint8_t *data,
                           struct sl_error *err);
    void *opaque;
};

struct sl_demux_params {
    const struct sl_log *log;
    /* Damage ends the reading with SL_EDATA; otherwise it is logged once for each damaged region,
     * with its offset and what was lost, and reading goes on behind it. */
    bool strict;
    /* Raw frames have no header; all three must be set for the "raw" demuxer. */
    enum sl_pixel_format raw_format;
    int32_t raw_width, raw_height;
    struct sl_rational raw_rate;
    /* take set: raw pictures are handed over as they are read, while their rows are in the
     * processor's cache; the packet follows the last band and has an empty payload. Only for
     * formats of one plane. */
    struct sl_band_sink raw_bands;
    /* Payloads are not read: a packet's position and stored say where they lie. Only demuxers that
     * set places_only in turn; others ignore it. */
    bool places_only;
};

/* Sync samples of one track, as an index in the container has them. */
#define SL_INDEX_MAX (1u << 20)
struct sl_index {
    struct sl_index_entry {
        int64_t time;  /* presentation, ticks of the track */
        int64_t bytes; /* of the media from here to the next entry */
    } * entries;       /* owned: sl_free */
    size_t count, capacity;
    bool all_tracks; /* bytes are those of all tracks together */
};

struct sl_demuxer {
    const struct sl_demuxer_ops *ops;
    struct sl_track *tracks; /* owned; valid from open to destroy */
    size_t track_count;
    char format[32];  /* "mkv", "y4m", "mov" */
    int64_t duration; /* microseconds, -1: not known; for printing only */
    bool may_jump;    /* timestamps can start anew in mid-stream (MPEG-TS) */
    bool places_only; /* as sl_demux_params */
};

struct sl_demuxer_ops {
    const char *name;
    /* 0: not ours; 100: certain. head holds the first bytes (4096, or all there are). */
    int (*probe)(const uint8_t *head, size_t size);
    /* The window must outlive the demuxer. Tracks are complete on return. */
    enum sl_status (*open)(struct sl_demuxer **out, struct sl_window *w,
                           const struct sl_demux_params *params, struct sl_error *err);
    /* Packets in file order. SL_EOF at the end, SL_EAGAIN where a pushed window needs more. Where
     * the window is over a plain file (sl_window_file), payloads of more than a few KiB are ranges
     * of it and were never read; small ones came with the read that brought their header. */
    enum sl_status (*read)(struct sl_demuxer *d, struct sl_packet **out, struct sl_error *err);
    /* Goes to the last sync sample of a track at or before time (ticks of its timebase), to the
     * first one where none is. Reading goes on there, in file order; packets of other tracks may
     * begin earlier or, by as much as the file interleaves, later: who asked drops what is too
     * early. SL_EUNSUPPORTED where the window cannot seek or the format cannot. May be NULL:
     * cannot. */
    enum sl_status (*seek)(struct sl_demuxer *d, size_t track, int64_t time, struct sl_error *err);
    /* Tells which tracks are wanted (bit n: track n); others may be skipped unread. May be NULL. */
    void (*select)(struct sl_demuxer *d, uint64_t tracks);
    void (*destroy)(struct sl_demuxer *d);
    /* The sync samples of a track into an empty index, without reading media: what the container
     * says, unchecked, in any order. SL_EUNSUPPORTED: it has no index of this track, or says itself
     * that it is not whole. May be NULL: never has. */
    enum sl_status (*index)(struct sl_demuxer *d, size_t track, struct sl_index *out,
                            struct sl_error *err);
};

/* ---- decode: packets to frames ----------------------------------------------------------- */

struct sl_decode_params {
    const struct sl_log *log;
    int threads; /* 0: as many as are useful */
};

struct sl_decoder {
    const struct sl_decoder_ops *ops;
};

struct sl_decoder_ops {
    const char *name;
    int (*probe)(const struct sl_track *track); /* 0: no; higher is better */
    enum sl_status (*open)(struct sl_decoder **out, const struct sl_track *track,
                           const struct sl_decode_params *params, struct sl_error *err);
    /* NULL packet: no more, give what is left. Takes its own reference: the caller keeps his.
     * SL_EAGAIN: receive first (nothing was consumed). SL_EDATA: this packet is damaged and was
     * consumed; decoding can go on with the next. */
    enum sl_status (*send)(struct sl_decoder *d, struct sl_packet *packet, struct sl_error *err);
    /* Frames in presentation order; pts in the track's timebase (best effort where the container
     * has none). SL_EAGAIN: send first. SL_EOF: drained. Audio comes as SL_SAMPLE_F32P. */
    enum sl_status (*receive)(struct sl_decoder *d, struct sl_frame **out, struct sl_error *err);
    void (*destroy)(struct sl_decoder *d);
    /* Forgets all that was sent, and goes on with a sync sample; after SL_EOF too. May be NULL:
     * what is needed then is another decoder. */
    void (*flush)(struct sl_decoder *d);
};

/* ---- encode: frames to packets ----------------------------------------------------------- */

/* Enumerations of video encoding are the public ones: sl_rate_control, sl_encoder_latency. */
struct sl_encode_params {
    const struct sl_log *log;
    struct sl_rational timebase; /* of the frames' pts and durations */
    int threads;                 /* 0: the backend's choice */

    /* video */
    int32_t width, height;
    int32_t max_width, max_height; /* what reconfigure may go to; 0: the size */
    int level;                     /* 41 is 4.1; 0: the lowest that holds the stream */
    struct sl_rational frame_rate; /* nominal, for rate control only; times come from pts */
    struct sl_rational sample_aspect;
    const char *preset, *tune, *profile; /* NULL: default */
    int64_t bitrate, maxrate, buffer;    /* bit/s, bit/s, bits; 0: none */
    struct sl_rational crf;              /* 0/0, 0/1: the backend's own */
    int qp;
    enum sl_rate_control rate; /* never AUTO */
    int64_t gop;               /* pictures from IDR to IDR; 0: where the caller says alone */
    /* LOOKAHEAD, and all else zero, is what files are made with: groups start where the caller
     * says. In SYNC and PIPELINED nothing is reordered, and SYNC holds nothing back: each send is
     * followed by one packet. */
    enum sl_encoder_latency latency;
    int depth;   /* PIPELINED: pictures that may be on their way */
    int bframes; /* LOOKAHEAD: in a row; -1: the preset's */
    int gpu;
    void *cuda_context;
    int extra_delay;
    struct sl_colour colour;
    bool intra_refresh, loss_recovery, nvtx;

    /* audio */
    int32_t sample_rate, channels;
    uint64_t channel_layout;
    bool joins; /* what is coded goes on from something else, and is not to be heard to begin */
};

/* What a backend can do, for whoever chooses one. Static. */
struct sl_coder_caps {
    uint32_t flags; /* SL_BACKEND_… (encode.h) */
    /* What it reads in place, the cheapest first; ended by SL_PIX_NONE. NULL: yuv420p alone. */
    const enum sl_pixel_format *formats;
    const char *presets, *tunes, *profiles; /* as in struct sl_encoder_backend_info */
    const char *licence;
    const char *(*version)(void); /* may be NULL, and may return NULL */
};

struct sl_coder {
    const struct sl_coder_ops *ops;
    /* What comes out: codec, config (avcC, AudioSpecificConfig), reorder, delay, colour, timebase.
     * Complete from open on, before the first frame. track.pixel_format is what is coded. */
    struct sl_track track;
};

struct sl_coder_ops {
    const char *name; /* "x264", "aac" */
    enum sl_media_kind kind;
    enum sl_codec codec;
    /* SL_OK, or SL_EUNSUPPORTED with the reason why it cannot serve here. May be NULL: always. */
    enum sl_status (*probe)(struct sl_error *err);
    enum sl_status (*open)(struct sl_coder **out, const struct sl_encode_params *params,
                           struct sl_error *err);
    /* Frames with strictly rising pts. SL_FRAME_KEY forces an IDR. NULL: no more. Takes its own
     * reference. SL_EAGAIN: receive first (nothing was consumed). SL_EIO: the device is lost;
     * frames that were sent and not received will not come. */
    enum sl_status (*send)(struct sl_coder *c, struct sl_frame *frame, struct sl_error *err);
    /* Packets in coded order. Video: Annex B payload, pts and duration those of the frame,
     * SL_PACKET_KEY on IDR, SL_PACKET_CUT carried over from the frame; dts is left SL_NO_TIME where
     * media/dts.h is to decide. SL_EAGAIN: send first. SL_EOF: drained. */
    enum sl_status (*receive)(struct sl_coder *c, struct sl_packet **out, struct sl_error *err);
    void (*destroy)(struct sl_coder *c);
    /* Takes over bitrate, maxrate, buffer, crf, qp, frame_rate and size from params, from the next
     * frame on; the track is changed with it. SL_EUNSUPPORTED: another coder has to be opened.
     * Nothing has changed on failure. May be NULL: cannot. */
    enum sl_status (*reconfigure)(struct sl_coder *c, const struct sl_encode_params *params,
                                  struct sl_error *err);
    /* The packet of this pts and all after it were lost: later ones are not to refer to them.
     * SL_EUNSUPPORTED: the caller has to force an IDR. May be NULL: cannot. */
    enum sl_status (*recover)(struct sl_coder *c, int64_t pts, enum sl_encoder_recovery *how,
                              struct sl_error *err);
    const struct sl_coder_caps *caps; /* video */
};

/* ---- mux: packets to bytes --------------------------------------------------------------- */

/* How one track is placed and written; all zero is the plain way. */
struct sl_mux_track {
    /* Ticks. The first packet's dts must be start - decode_delay, and fMP4's first tfdt is start: a
     * segment from the middle of a stream (decode time), or a track that begins after the others.
     * What is to be decoded but not shown before an asked start (a lead-in) is part of
     * decode_delay: shown is what has pts >= start. */
    int64_t start;
    /* H.264 and HEVC: parameter sets stay in the samples (and are put there where packet.config
     * brings new ones), sample entry avc3 or hev1: for outputs that cannot take a new header. */
    bool in_band;
};

enum {                           /* sl_mux_params.flags */
       SL_MUX_NO_STYP = 1u << 0, /* fMP4: no styp in front of fragments (one file, not segments) */
       SL_MUX_SIDX = 1u << 1,    /* fMP4: a sidx of one reference in front of each moof */
       /* The caller knows what SL_EAGAIN of write means (see there). Without it a change of
        * configuration is SL_EUNSUPPORTED. */
       SL_MUX_SWITCH = 1u << 2,
};

struct sl_mux_params {
    const struct sl_log *log;
    const struct sl_mux_track *tracks; /* one for each track; NULL: all zero */
    uint32_t flags;                    /* SL_MUX_… */
    uint32_t sequence;                 /* fMP4: fragments before the first one (mfhd less 1) */
    const char *brands; /* fMP4: further compatible brands, four letters each; NULL: none */
    int64_t duration;   /* microseconds that will come, 0: not known; mp4: room for the index */
    /* TS: whole packets that what comes will follow, whose continuity counters go on. NULL: none.
     * Looked at in open alone. */
    const struct sl_chain *before;
};

struct sl_muxer {
    const struct sl_muxer_ops *ops;
};

struct sl_muxer_ops {
    const char *name; /* "fmp4", "ts" */
    /* Tracks are copied. tracks[i]->timebase is that of packets with track == i. */
    enum sl_status (*open)(struct sl_muxer **out, const struct sl_track *const *tracks,
                           size_t count, const struct sl_mux_params *params, struct sl_error *err);
    /* Init segment; empty where the format has none. The same bytes whenever it is asked for. */
    enum sl_status (*header)(struct sl_muxer *m, struct sl_chain *out, struct sl_error *err);
    /* pts, dts and duration must be set, dts of each track without gap: the first of a fragment
     * equals the end (dts + duration) of the one before. Video payloads are Annex B (from
     * encoders) or length-prefixed, as the track's config says. Consumes on SL_OK.
     * SL_EAGAIN (only with SL_MUX_SWITCH): the packet brings another decoder configuration, nothing
     * was consumed. Then flush what is there, reconfigure with this packet, emit header() again
     * (HLS: EXT-X-MAP; MSE: appended as it is) and write the packet once more. */
    enum sl_status (*write)(struct sl_muxer *m, struct sl_packet *packet, struct sl_error *err);
    /* Everything since the last flush as one fragment (fMP4: styp? moof mdat; TS: PAT PMT PES…).
     * Appends to out; nothing written: appends nothing. */
    enum sl_status (*flush)(struct sl_muxer *m, struct sl_chain *out, struct sl_error *err);
    void (*destroy)(struct sl_muxer *m);
    /* Takes over the decoder configuration that a packet brings: its config, else the parameter
     * sets in its payload. Nothing may be waiting for a flush. The packet stays the caller's. May
     * be NULL: cannot. */
    enum sl_status (*reconfigure)(struct sl_muxer *m, const struct sl_packet *packet,
                                  struct sl_error *err);
    /* Only where an index of everything stands in front (mp4), else NULL. After the last flush:
     * appends what takes the place of header()'s bytes. As long as those, it is written over them;
     * longer (by a multiple of SL_MUX_FRONT_STEP), it is followed by all that followed header():
     * by inserting room (FALLOC_FL_INSERT_RANGE) or in a new file (copy_file_range). */
    enum sl_status (*finish)(struct sl_muxer *m, struct sl_chain *out, struct sl_error *err);
};
#define SL_MUX_FRONT_STEP 65536 /* a whole number of blocks of every file system */

#endif
