/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration of encode-y4m: JSON, strict. See docs/scheduled-encode.md. */
#ifndef SL_PIPELINE_ENCODE_Y4M_CONFIG_H
#define SL_PIPELINE_ENCODE_Y4M_CONFIG_H

#include "encode/x264_scheduled.h"
#include "schedule/json.h"
#include "schedule/schedule.h"

#define SL_ENCODE_Y4M_CONFIG_MAX  (1u << 20) /* bytes of JSON */
#define SL_ENCODE_Y4M_OPTIONS_MAX 96

struct sl_encode_y4m_config {
    struct sl_json json; /* keeps the strings below alive */
    char *text, *extra;  /* owned */

    /* With a schedule: one that was read (frames set), or a plan to make it by. */
    bool scheduled;
    struct sl_schedule schedule;
    struct sl_schedule_plan plan;
    int32_t bframes; /* longest run of B pictures */
    int64_t step;
    bool gaps;
    /* What pictures of a layer get whose schedule says nothing about QP. */
    struct {
        enum sl_schedule_qp kind;
        double qp;
    } layers[SL_SCHEDULE_LAYERS_MAX];

    const char *preset, *tune, *profile; /* NULL: default */
    int32_t threads;
    struct sl_x264_option options[SL_ENCODE_Y4M_OPTIONS_MAX];
    char values[16][32]; /* of options that are numbers in the JSON */
    size_t option_count, value_count;
};

/* Reads path and the schedule that it names. SL_EDATA naming key and line. To be cleared whatever
 * came of it. */
SL_NODISCARD enum sl_status sl_encode_y4m_config_read(struct sl_encode_y4m_config *c,
                                                      const char *path, struct sl_error *err);
/* The same of a text in memory; path is its name, and what frame_ir is relative to. */
SL_NODISCARD enum sl_status sl_encode_y4m_config_parse(struct sl_encode_y4m_config *c,
                                                       const char *path, const char *text,
                                                       size_t size, struct sl_error *err);
void sl_encode_y4m_config_clear(struct sl_encode_y4m_config *c);
/* Fills in the QP of pictures that have none of their own. */
void sl_encode_y4m_config_qp(const struct sl_encode_y4m_config *c, struct sl_schedule_frame *f);

#endif
