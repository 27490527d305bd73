/* SPDX-License-Identifier: BSD-2-Clause */
/* A schedule: which pictures of a source are coded, in which order, on which temporal layer, and
 * what each may refer to. Only the model; src/schedule/ reads, makes, checks and draws it. */
#ifndef SL_MEDIA_SCHEDULE_H
#define SL_MEDIA_SCHEDULE_H

#include <stdbool.h>

#include <sluice/media.h>

#define SL_SCHEDULE_REFS_MAX   16 /* ISO/IEC 14496-10 A.3.1: max_dec_frame_buffering */
#define SL_SCHEDULE_LAYERS_MAX 8  /* layers 0 to 7 */

/* As x264 numbers them in its output (i_type); 0 is never used. */
enum sl_schedule_type {
    SL_SCHEDULE_IDR = 1,
    SL_SCHEDULE_I = 2,
    SL_SCHEDULE_P = 3,
    SL_SCHEDULE_BREF = 4,
    SL_SCHEDULE_B = 5, /* no other picture refers to it */
};

enum sl_schedule_qp {
    SL_SCHEDULE_QP_NONE = 0,
    SL_SCHEDULE_QP_ABSOLUTE,
    SL_SCHEDULE_QP_OFFSET,
};

/* One picture. Pictures are named by their display number throughout. */
struct sl_schedule_frame {
    int64_t display; /* number of the picture in the source, from 0; may have gaps */
    int64_t decode;  /* place in coded order, from 0, without gaps */
    int64_t id;      /* the user's own; display where the schedule names none */
    enum sl_schedule_type type;
    uint8_t layer, max_ref_layer;
    /* nal_ref_idc 0: no picture refers to it (every B, and a P above layer 0). src/schedule fills
     * it in; it is not in the JSON. */
    bool disposable;
    enum sl_schedule_qp qp_kind;
    double qp; /* absolute, or an offset to the rate control's */
    uint8_t ref_count, forget_count;
    /* display numbers that it may refer to; none: all up to max_ref_layer that the DPB holds */
    int64_t refs[SL_SCHEDULE_REFS_MAX];
    int64_t forget[SL_SCHEDULE_REFS_MAX]; /* display numbers that leave the DPB after it */
};

struct sl_schedule {
    struct sl_rational rate; /* pictures a second of the source; 0/1: not stated */
    int32_t gop;             /* pictures of one mini-GOP, the closing P included */
    int32_t dpb;             /* frames the decoder must hold */
    int32_t reorder;         /* pictures of reorder delay */
    int32_t layers;          /* highest layer + 1 */
    size_t count;
    struct sl_schedule_frame *frames; /* in coded order */
};

#endif
