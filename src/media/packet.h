/* SPDX-License-Identifier: BSD-2-Clause */
/* A coded unit: one access unit of video, one frame of audio, one event of text. */
#ifndef SL_MEDIA_PACKET_H
#define SL_MEDIA_PACKET_H

#include <sluice/media.h>

#include "base/slice.h"

enum {
    SL_PACKET_KEY = 1u << 0, /* decoding can start here: IDR or, in passthrough, any sync sample */
    SL_PACKET_HIDDEN = 1u << 1,  /* to be decoded, not shown (before an edit's start) */
    SL_PACKET_CORRUPT = 1u << 2, /* the container says that it is damaged */
    SL_PACKET_CUT = 1u << 3,     /* a segment starts here (set by whoever owns the cut table) */
};

/* Reference-counted. Fields may be changed only while there is one reference; the payload of a
 * shared packet is never changed. */
struct sl_packet {
    atomic_uint refs;
    uint32_t track; /* index into the tracks of the demuxer or muxer at hand */
    uint32_t flags;
    int64_t pts; /* ticks of the track's timebase, or SL_NO_TIME */
    int64_t dts;
    int64_t duration;             /* ticks, or SL_NO_TIME */
    int64_t position;             /* byte offset in the source, -1: not known */
    int32_t trim_start, trim_end; /* audio samples to cut after decoding */
    uint8_t *config;              /* new decoder configuration from here on (owned), or NULL */
    size_t config_size;
    struct sl_chain payload;
    /* Demuxers that were asked for places alone: bytes at position that follow the payload. */
    size_t stored;
    /* The same: temporal layer + 1, as a "tele" sample group says (14496-12 10.5); 0: not known. */
    uint32_t layer;
    int32_t qp; /* from encoders: average quantiser; -1: not known */
};

SL_NODISCARD enum sl_status sl_packet_create(struct sl_packet **out, struct sl_error *err);
/* With a payload of one fresh block of size bytes; *data points at it (NULL where size is 0). */
SL_NODISCARD enum sl_status sl_packet_create_data(struct sl_packet **out, size_t size,
                                                  uint8_t **data, struct sl_error *err);
struct sl_packet *sl_packet_ref(struct sl_packet *p);
void sl_packet_unref(struct sl_packet **p);

#endif
