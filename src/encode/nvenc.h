/* SPDX-License-Identifier: BSD-2-Clause */
/* The encoder itself, for the files that it is spread over. */
#ifndef SL_ENCODE_NVENC_H
#define SL_ENCODE_NVENC_H

#include "encode/contract.h"
#include "encode/nvenc_driver.h"
#include "encode/nvenc_nvtx.h"
#include "encode/nvenc_params.h"
#include "encode/nvenc_surfaces.h"

#define SL_NVENC_HISTORY 16

/* What has to come out again with a unit; one for each surface. */
struct sl_nvenc_picture {
    int64_t pts, duration;
    bool cut, reading; /* reading: its unit has not come yet */
};

struct sl_nvenc {
    struct sl_coder base;
    struct sl_nvenc_session session;
    struct sl_nvenc_config config;
    struct sl_nvenc_surfaces surfaces;
    struct sl_nvenc_picture *pictures;
    struct sl_contract contract;
    struct sl_nvtx nvtx;
    /* Counted from 0; number n has surface n % surfaces.count. Units come in the order in which
     * their output buffers were submitted, whatever pictures they are of. */
    uint64_t sent, got;
    uint64_t covered; /* units below are to be had: a submission after them gave NV_ENC_SUCCESS */
    /* Units that were fetched before they were due, for a reconfiguration. */
    struct sl_packet **ready;
    size_t ready_count;
    int64_t last_pts;
    int64_t history[SL_NVENC_HISTORY]; /* pts of the last pictures sent: number n at n % 16 */
    bool lookahead;                    /* the mode */
    bool refresh_now;                  /* the next picture begins a cycle of intra blocks */
    bool flushing;
    enum sl_status broken; /* a call failed half way: nothing more can come */
};

/* What the driver says the parameter sets are, through the contract. */
SL_NODISCARD enum sl_status sl_nvenc_sets(struct sl_nvenc *e, const struct sl_encode_params *p,
                                          struct sl_contract *contract, struct sl_track *track,
                                          struct sl_error *err);
/* The next unit in coded order; waits for it. Between enter and leave. */
SL_NODISCARD enum sl_status sl_nvenc_collect(struct sl_nvenc *e, struct sl_packet **out,
                                             struct sl_error *err);

/* sl_coder_ops.reconfigure and recover: nvenc_change.c. */
SL_NODISCARD enum sl_status sl_nvenc_reconfigure(struct sl_coder *base,
                                                 const struct sl_encode_params *params,
                                                 struct sl_error *err);
SL_NODISCARD enum sl_status sl_nvenc_recover(struct sl_coder *base, int64_t pts,
                                             enum sl_encoder_recovery *how, struct sl_error *err);

#endif
