/* SPDX-License-Identifier: BSD-2-Clause */
/* One rendition in one directory: packets in, segments and a playlist out. A segment is published
 * whole and then listed; the directory is playable at every moment. */
#ifndef SL_PACKAGE_RENDITION_H
#define SL_PACKAGE_RENDITION_H

#include "media/packet.h"
#include "media/stage.h"
#include "package/output.h"
#include "package/playlist.h"

#define SL_RENDITION_PENDING_MAX (512u << 20) /* bytes of packets that wait for their segment */

/* Where a rendition goes on that was begun earlier. */
struct sl_rendition_resume {
    const struct sl_playlist *published; /* what there is; copied */
    int64_t start[2]; /* of each track, as struct sl_mux_track has it: place of its first packet */
    bool discontinuity;          /* what comes does not follow from what there is */
    const struct sl_chain *last; /* the last segment, for formats that count on; NULL: none */
};

struct sl_rendition_params {
    const char *directory; /* created; old playlists in it are removed first */
    /* Instead of the directory, which is then for messages alone; the rendition's from here on,
     * whatever sl_rendition_open returns. */
    struct sl_output *output;
    const struct sl_rendition_resume *resume; /* NULL: from the start */
    /* Microseconds since 1970 of time 0, for EXT-X-PROGRAM-DATE-TIME. 0: not stated. */
    int64_t program_zero;
    const struct sl_muxer_ops *muxer;
    const struct sl_track *tracks[2]; /* [0] cuts the segments; [1]: muxed in, or NULL */
    int64_t target;                   /* seconds */
    const struct sl_log *log;
};

/* Single owner (the pipeline gives each rendition its thread). */
struct sl_rendition;

SL_NODISCARD enum sl_status sl_rendition_open(struct sl_rendition **out,
                                              const struct sl_rendition_params *params,
                                              struct sl_error *err);
/* packet->track is 0 or 1. A packet of track 0 with SL_PACKET_CUT ends the segment before it: for
 * video its packets then get their DTS (media/dts.h) with the cut's pts as the end. Packets of
 * track 1 go to the segment that holds their pts; a segment is published once track 1 has reached
 * its end. Audio-only renditions (track 0 is audio) carry dts == pts already; a segment lasts as
 * long as its packets, less the priming before 0 in the first. What fails while publishing is
 * final: later calls give the same status. Consumes on SL_OK. */
SL_NODISCARD enum sl_status sl_rendition_write(struct sl_rendition *r, struct sl_packet *packet,
                                               struct sl_error *err);
/* Track 1 is complete. */
SL_NODISCARD enum sl_status sl_rendition_end_sound(struct sl_rendition *r, struct sl_error *err);
/* Publishes what is left; track 0 ends at end (ticks). The playlist gets EXT-X-ENDLIST. */
SL_NODISCARD enum sl_status sl_rendition_finish(struct sl_rendition *r, int64_t end,
                                                struct sl_error *err);
/* What is published so far. Valid until the next call. */
const struct sl_playlist *sl_rendition_playlist(const struct sl_rendition *r);
void sl_rendition_destroy(struct sl_rendition **r);

#endif
