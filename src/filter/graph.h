/* SPDX-License-Identifier: BSD-2-Clause */
/* One zimg conversion to planar YCbCr, with the memory that it works in. */
#ifndef SL_FILTER_GRAPH_H
#define SL_FILTER_GRAPH_H

#include "filter/siting.h"
#include "media/frame.h"

struct sl_graph_params {
    enum sl_pixel_format format;
    enum sl_pixel_format out_format; /* planar and not RGB; each zimg plane is one of the frame */
    int32_t in_width, in_height;     /* of what is read: may be less than the frame's */
    int32_t out_width, out_height;
    struct sl_colour in, out;               /* complete; only matrix and range are converted */
    struct sl_siting in_siting, out_siting; /* ones that H.264 has codes for */
};

struct sl_graph;

/* SL_EUNSUPPORTED where zimg cannot convert between the two. */
SL_NODISCARD enum sl_status
sl_graph_create(struct sl_graph **out, const struct sl_graph_params *params, struct sl_error *err);
/* out is of out_format, its planes aligned to SL_BUF_ALIGN. */
SL_NODISCARD enum sl_status sl_graph_run(struct sl_graph *g, const struct sl_frame *in,
                                         struct sl_frame *out, struct sl_error *err);
void sl_graph_destroy(struct sl_graph **g);

#endif
