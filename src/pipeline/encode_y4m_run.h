/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of encode-y4m. */
#ifndef SL_PIPELINE_ENCODE_Y4M_RUN_H
#define SL_PIPELINE_ENCODE_Y4M_RUN_H

#include "base/bytes.h"
#include "base/pool.h"
#include "base/publish.h"
#include "pipeline/encode_y4m.h"
#include "pipeline/encode_y4m_config.h"
#include "pipeline/ladder_run.h"

/* The two files: the stream, and a line for each sample of it. */
struct sl_sample_files {
    struct sl_publish *stream, *index;
    struct sl_writer lines; /* not yet handed on */
    int64_t offset;         /* bytes of the stream so far */
    int64_t samples;
    bool extended;
};

/* The older index goes first: there is never one beside a stream that it does not describe. */
SL_NODISCARD enum sl_status sl_sample_files_open(struct sl_sample_files *f,
                                                 const struct sl_encode_y4m_params *params,
                                                 const struct sl_track *track,
                                                 const struct sl_schedule *schedule,
                                                 struct sl_error *err);
SL_NODISCARD enum sl_status sl_sample_files_add(struct sl_sample_files *f,
                                                const struct sl_packet *packet,
                                                const struct sl_coded_picture *picture,
                                                struct sl_error *err);
/* Both appear, the stream first. */
SL_NODISCARD enum sl_status sl_sample_files_commit(struct sl_sample_files *f,
                                                   const struct sl_encode_y4m_params *params,
                                                   struct sl_error *err);
void sl_sample_files_abort(struct sl_sample_files *f);

struct sl_encode_y4m {
    struct sl_encode_y4m_params params;
    struct sl_encode_y4m_events events;
    const struct sl_log *log;
    struct sl_cancel stop;
    struct sl_encode_y4m_config config;
    struct sl_input input;
    const struct sl_track *track;
    struct sl_decoder *decoder;
    struct sl_coder *encoder;
    struct sl_sample_files files;

    /* Where groups come from: the schedule that was read, or the maker. */
    struct sl_schedule_maker *maker;
    size_t next_frame; /* of the schedule */
    struct sl_schedule_frame group[SL_SCHEDULE_GOP_MAX];
    size_t group_count;

    /* Pictures of the source that are waiting for the maker to decide. */
    struct sl_frame *held[SL_SCHEDULE_GOP_MAX];
    size_t held_count;
    int64_t read; /* pictures of the source so far */
    bool ended;
    struct sl_encode_y4m_progress progress;
};

#endif
