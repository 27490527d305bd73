/* SPDX-License-Identifier: BSD-2-Clause */
/* Schedules: read, made, checked, measured, written, drawn. See docs/schedule.md; the model is
 * media/schedule.h.
 *
 * A schedule is coded in groups: an anchor (IDR, I or P), then the B pictures that are shown
 * between the anchor before it and itself. Nothing refers across an IDR. */
#ifndef SL_SCHEDULE_SCHEDULE_H
#define SL_SCHEDULE_SCHEDULE_H

#include "base/bytes.h"
#include "media/schedule.h"

#define SL_SCHEDULE_FRAMES_MAX (1u << 20)
#define SL_SCHEDULE_TEXT_MAX   ((size_t)256 << 20) /* bytes of JSON */
#define SL_SCHEDULE_GOP_MAX    64

void sl_schedule_clear(struct sl_schedule *s); /* frees frames; all zero afterwards */

/* ---- reading and writing, read.c write.c --------------------------------------------------- */

/* From JSON. Fills all of *out (frames in coded order, what the text leaves out computed) and
 * checks it (sl_schedule_check). name: of the text, for messages, which are SL_EDATA and say
 * "line 7, column 12: frames[3].refs: …" or "frame 16: …" (a frame is named by its display
 * number). *out is all zero where this fails. */
SL_NODISCARD enum sl_status sl_schedule_parse(struct sl_schedule *out, const char *name,
                                              const char *text, size_t size, struct sl_error *err);
/* As JSON; parse(write(s)) equals s. */
void sl_schedule_write(const struct sl_schedule *s, struct sl_writer *w);

/* ---- making, make.c ------------------------------------------------------------------------ */

/* Pictures are placed on a grid that starts anew at each IDR: multiples of gop are layer 0, of
 * gop / 2 layer 1, and so on. Groups are as large as bframes, gop and the pictures left before the
 * next IDR allow, always a power of two, so the tail of a period is split into smaller ones on the
 * same grid. bframes 0: low delay, P pictures alone. */
struct sl_schedule_plan {
    int32_t gop;     /* a power of two, 1 to SL_SCHEDULE_GOP_MAX; 16 */
    int32_t bframes; /* of one group at most; -1: gop - 1 */
    int32_t keyint;  /* an IDR every so many pictures, 1 or more; 120 */
    int32_t layers;  /* 1 to log2(gop) + 1, the levels above the last one share it; 0: all */
    int32_t dpb;     /* frames to hold; 0: as few as will do */
    int32_t past;    /* pictures that one may refer to, at most; more than the nearest are taken */
    int32_t future;  /* only from those that it depends on anyway. 1 or more; 3 and 2 */
    bool breadth;    /* code all pictures of a layer before the next, not depth first */
    bool forget;     /* anchors behind which no lower layer follows (layer 0, and in the tail of a
                      * period) empty the DPB of what is not needed */
    struct sl_rational rate; /* stated in what is made; 0/1: not */
};

void sl_schedule_plan_default(struct sl_schedule_plan *plan);

/* The schedule of count pictures. count 1 to SL_SCHEDULE_FRAMES_MAX. */
SL_NODISCARD enum sl_status sl_schedule_make(struct sl_schedule *out,
                                             const struct sl_schedule_plan *plan, int64_t count,
                                             struct sl_error *err);

/* The same for a source of unknown length, group by group. No allocation after create. */
struct sl_schedule_maker;
SL_NODISCARD enum sl_status sl_schedule_maker_create(struct sl_schedule_maker **out,
                                                     const struct sl_schedule_plan *plan,
                                                     struct sl_error *err);
void sl_schedule_maker_destroy(struct sl_schedule_maker **m);
/* rate, gop, layers, and a dpb and reorder that hold wherever the source ends. No frames. */
const struct sl_schedule *sl_schedule_maker_head(const struct sl_schedule_maker *m);
/* The next group in coded order; frames has room for SL_SCHEDULE_GOP_MAX. available: pictures of
 * the source that are there behind those already given out; gop of them are always enough. ended:
 * there will be no more. SL_EAGAIN: more pictures decide what comes next. SL_EOF: ended, and all
 * have been given out. */
SL_NODISCARD enum sl_status sl_schedule_maker_next(struct sl_schedule_maker *m, int64_t available,
                                                   bool ended, struct sl_schedule_frame *frames,
                                                   size_t *count);

/* The picture that comes next is an IDR, whatever keyint says (a cut). Call maker_next with the
 * pictures up to there and ended before, until SL_EOF. */
void sl_schedule_maker_restart(struct sl_schedule_maker *m);

/* ---- checking and measuring, check.c dpb.c ------------------------------------------------- */

/* Every rule of docs/schedule.md, the DPB's included; SL_EDATA naming the frame. */
SL_NODISCARD enum sl_status sl_schedule_check(const struct sl_schedule *s, const char *name,
                                              struct sl_error *err);

/* What a decoder needs, for the whole stream and for each prefix of its layers. */
struct sl_schedule_needs {
    int32_t dpb; /* frames; SL_SCHEDULE_REFS_MAX + 1: more than H.264 allows */
    int32_t reorder;
    int32_t layers;
    /* From one reference picture that is kept to the next one, whatever layers were dropped: the
     * most steps of frame_num, and pictures of output. A coder sizes its counters by them:
     * MaxFrameNum > frame_num_step, MaxPicOrderCntLsb > 4 * poc_step. */
    int64_t frame_num_step, poc_step;
};

/* Of a schedule that is right but for its dpb and reorder. SL_ENOMEM alone. */
SL_NODISCARD enum sl_status sl_schedule_measure(const struct sl_schedule *s,
                                                struct sl_schedule_needs *out,
                                                struct sl_error *err);
/* Frames of the group that starts at this place in coded order: the anchor and its B pictures. */
size_t sl_schedule_group(const struct sl_schedule *s, size_t first);

/* ---- drawing, draw.c ----------------------------------------------------------------------- */

/* first and count choose frames in display order. */
void sl_schedule_draw_text(const struct sl_schedule *s, size_t first, size_t count,
                           struct sl_writer *w);
void sl_schedule_draw_svg(const struct sl_schedule *s, size_t first, size_t count,
                          struct sl_writer *w);

#endif
