/* SPDX-License-Identifier: BSD-2-Clause */
/* Sound by a coder of libavcodec: what all of them share. Part of module encode-libav.
 *
 * Packets lie on one grid of the coder's frame length: the first starts at the first sample less
 * the coder's delay (track.delay), each is one frame long, and there are as many as it takes to
 * bring back the last sample. What libavcodec says about times is at most checked against that. */
#ifndef SL_ENCODE_SOUND_LIBAV_H
#define SL_ENCODE_SOUND_LIBAV_H

#include <libavcodec/avcodec.h>

#include "media/stage.h"

/* One coder. Timebases are 1/sample_rate throughout. */
struct sl_sound_coder {
    const struct sl_coder_ops *ops;
    const char *libav_name;
    enum sl_codec codec;
    int32_t frame; /* samples in a packet */
    /* It takes one row of samples, and no short frame: the last is filled with silence. Else it
     * takes planes of what there is. */
    bool interleaved;
    bool has_times; /* packets come with times that fit the grid */
    /* Refuses what the coder cannot do. */
    enum sl_status (*check)(const struct sl_encode_params *p, const AVCodec *codec,
                            struct sl_error *err);
    /* Sets bit rate, channel layout and options, before it is opened. */
    enum sl_status (*configure)(AVCodecContext *c, const struct sl_encode_params *p,
                                struct sl_error *err);
    /* Checks the header that it wrote, and sets what only this codec knows of the track. */
    enum sl_status (*describe)(struct sl_track *t, const AVCodecContext *c,
                               const struct sl_encode_params *p, struct sl_error *err);
};

/* The operations of a coder's vtable; open() names the coder. */
enum sl_status sl_sound_libav_open(struct sl_coder **out, const struct sl_sound_coder *coder,
                                   const struct sl_encode_params *params, struct sl_error *err);
enum sl_status sl_sound_libav_send(struct sl_coder *e, struct sl_frame *frame,
                                   struct sl_error *err);
enum sl_status sl_sound_libav_receive(struct sl_coder *e, struct sl_packet **out,
                                      struct sl_error *err);
void sl_sound_libav_destroy(struct sl_coder *e);

/* SL_ENOMEM or SL_EDATA with libavcodec's text for a negative code. */
enum sl_status sl_sound_libav_fail(struct sl_error *err, const char *name, int code,
                                   const char *what);

#endif
