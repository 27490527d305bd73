/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of the encoder: what its files share.
 *
 *   picture ──► input ──► convert ──► coder ──► ready ──► unit
 *                 └────── flights: what was sent and has not come out ──────┘
 */
#ifndef SL_PIPELINE_ENCODER_RUN_H
#define SL_PIPELINE_ENCODER_RUN_H

#include "encode/registry.h"
#include "filter/convert.h"
#include "media/codec_string.h"
#include "pipeline/encoder.h"

/* Pictures between send and receive: x264's largest look-ahead, B pictures and threads take less.
 */
#define SL_ENCODER_FLIGHTS 1024
#define SL_ENCODER_READY   16  /* units that wait before a send is refused */
#define SL_ENCODER_HISTORY 512 /* tokens that sl_encoder_recover() knows */

/* A picture on its way. */
struct sl_encoder_flight {
    int64_t pts;
    uint64_t token;
    int64_t copy_ns, convert_ns;
    int64_t encode_ns; /* spent in the calls of the coder that brought this picture in and out */
    int64_t started;   /* monotonic, pipelined and lookahead: when it was sent */
    struct sl_frame *frame; /* kept only where another backend may have to take over */
    uint8_t *sei;           /* a whole unit with its start code, or NULL */
    size_t sei_size;
};

struct sl_encoder {
    struct sl_encoder_params params;
    struct sl_encode_params encode; /* texts point into params */
    enum sl_codec codec;
    const struct sl_log *log;

    const struct sl_coder_ops *ops;
    struct sl_coder *coder; /* NULL after the drain: the next picture opens it again */
    uint64_t failed;        /* bit n: entry n of sl_coders() has lost its device */
    char reason[256];
    char codecs[SL_CODEC_STRING_MAX];
    struct sl_converter *converter; /* of pictures that came last, or NULL */
    enum sl_pixel_format converts_from, converts_to;

    /* Rings, the oldest first. */
    struct sl_encoder_flight flights[SL_ENCODER_FLIGHTS];
    size_t first_flight, flight_count;
    struct sl_packet *ready[SL_ENCODER_FLIGHTS];
    size_t first_ready, ready_count;
    int64_t order[SL_ENCODER_FLIGHTS]; /* pts as sent, for decoding times: those not yet dealt out
                                        */
    size_t first_order, order_count;
    int64_t lead;  /* decoding times still to be dealt out in front of order */
    int64_t first; /* pts that those lead up to */
    struct {
        uint64_t token;
        int64_t pts;
    } history[SL_ENCODER_HISTORY];
    size_t history_count;

    int64_t last_pts; /* SL_NO_TIME: none */
    int64_t anchor;   /* last pts that was given, and how many followed that were not */
    int64_t anchored;
    int64_t frame_ticks; /* nominal duration, at least 1 */
    bool idr;            /* the next picture is to be one */
    bool fresh;          /* the coder has had no picture yet */
    bool draining, closed;
    enum sl_status broken;
    struct sl_encoder_stats stats;
};

/* ---- encoder_params.c: settings --------------------------------------------------------- */

/* Checks, and fills e->encode, e->codec and times from params, which become e->params. */
SL_NODISCARD enum sl_status sl_encoder_take_params(struct sl_encoder *e,
                                                   const struct sl_encoder_params *params,
                                                   struct sl_error *err);

/* ---- encoder_choose.c: backends --------------------------------------------------------- */

/* Opens the backend of e->params into e->coder, and describes it. */
SL_NODISCARD enum sl_status sl_encoder_choose(struct sl_encoder *e, struct sl_error *err);
/* The device of the one in use is lost: opens the next that can (SL_OK), else gives status back. */
SL_NODISCARD enum sl_status sl_encoder_replace(struct sl_encoder *e, enum sl_status status,
                                               struct sl_error *err);
/* Opens the same backend again, for e->encode as it now is. */
SL_NODISCARD enum sl_status sl_encoder_reopen(struct sl_encoder *e, struct sl_error *err);
/* After the track has changed. */
SL_NODISCARD enum sl_status sl_encoder_describe(struct sl_encoder *e, struct sl_error *err);
/* Whether pictures have to be kept until their units are there. */
bool sl_encoder_keeps(const struct sl_encoder *e);

/* ---- encoder_input.c: pictures ---------------------------------------------------------- */

/* A picture as a frame that the coder takes: checked, wrapped, converted. *hold keeps the caller's
 * memory; sl_encoder_release() gives it up, and says whether the picture was taken: only then is
 * the caller's release called, now or when the frame goes. */
SL_NODISCARD enum sl_status sl_encoder_frame(struct sl_encoder *e, const struct sl_picture *picture,
                                             struct sl_encoder_flight *flight,
                                             struct sl_frame **out, struct sl_buf **hold,
                                             struct sl_error *err);
void sl_encoder_release(struct sl_buf **hold, bool taken);
/* The unit of a user_data_unregistered SEI message, start code included. */
SL_NODISCARD enum sl_status sl_encoder_sei(enum sl_codec codec, const void *data, size_t size,
                                           uint8_t **out, size_t *out_size, struct sl_error *err);
int64_t sl_encoder_now(void); /* monotonic nanoseconds */

#endif
