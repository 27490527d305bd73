/* SPDX-License-Identifier: BSD-2-Clause */
/* What a source does not state about a track, taken from its first access units: muxers need the
 * decoder configuration before the first packet, and half of the containers do not have it (AC-3
 * in Matroska, ADTS and parameter sets in transport streams, VP9 in WebM). */
#ifndef SL_MEDIA_COMPLETE_H
#define SL_MEDIA_COMPLETE_H

#include <sluice/media.h>

#include "media/packet.h"

/* How the payloads of a track are wrapped. */
struct sl_payload_form {
    bool annexb;  /* H.264, HEVC: start codes; muxers reframe them */
    bool in_band; /* H.264, HEVC: the access unit has parameter sets that the configuration has not:
                     struct sl_mux_track in_band (avc3, hev1) */
    bool adts;    /* AAC: ADTS frames; each packet goes through sl_adts_unwrap before a muxer */
};

/* Looks at one access unit (video: a sync sample) and fills in what the track lacks for fMP4 and
 * MP4: config in the form that src/mux wants (avcC, hvcC, av1C, vpcC, AudioSpecificConfig, dac3,
 * dec3, OpusHead, fLaC STREAMINFO), then width and height, channels and sample rate, profile,
 * level and colour where they are not known. What the track states is kept. For E-AC-3 the whole
 * access unit is wanted, dependent substreams and all (demuxers give it so). Cheap to call for
 * codecs that need nothing.
 * SL_EAGAIN: this access unit does not tell (no parameter sets, no sequence header): try the next.
 * SL_EDATA: it is not what the track says. */
SL_NODISCARD enum sl_status sl_track_complete(struct sl_track *track,
                                              const struct sl_chain *payload,
                                              struct sl_payload_form *form, struct sl_error *err);

#endif
