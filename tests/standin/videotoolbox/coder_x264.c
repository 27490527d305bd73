/* SPDX-License-Identifier: GPL-2.0-or-later */
/* H.264 behind the stand-in (a test double): x264, with lengths instead of start codes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <x264.h>

#include "object.h"

struct coder {
    x264_t *x264;
    x264_param_t param;
    x264_nal_t *nals;
    bool refers;
};

static void set_rate(x264_param_t *x, const struct standin_settings *s)
{
    if (s->quality >= 0) {
        x->rc.i_rc_method = X264_RC_CRF;
        x->rc.f_rf_constant = (float)(52 * (1 - s->quality));
    } else if (s->qp >= 0) {
        x->rc.i_rc_method = X264_RC_CQP;
        x->rc.i_qp_constant = s->qp;
    } else {
        /* Constant: x264 takes another bitrate in mid-stream in no other mode. */
        x->rc.i_rc_method = X264_RC_ABR;
        x->rc.i_bitrate = x->rc.i_vbv_max_bitrate = (int)(s->bitrate / 1000);
        x->rc.i_vbv_buffer_size = (int)((s->buffer > 0 ? s->buffer : s->bitrate) / 1000);
    }
}

static void *open_coder(const struct standin_settings *s)
{
    struct coder *c = calloc(1, sizeof *c);
    x264_param_t *x = c ? &c->param : NULL;
    if (!c) {
        return NULL;
    }
    x264_param_default_preset(x, "superfast", s->reorder ? NULL : "zerolatency");
    x->i_log_level = X264_LOG_NONE;
    x->i_threads = 1;
    x->i_width = s->width;
    x->i_height = s->height;
    x->i_csp = X264_CSP_NV12;
    x->i_fps_num = (uint32_t)(s->rate * 1000 + 0.5);
    x->i_fps_den = 1000;
    x->b_vfr_input = 0;
    x->i_keyint_max = s->interval > 0 ? s->interval : 250;
    x->i_scenecut_threshold = 0;
    x->i_bframe = s->reorder ? 2 : 0;
    x->rc.i_lookahead = s->reorder ? 6 : 0;
    x->b_cabac = s->cabac;
    x->b_annexb = 0;
    x->b_repeat_headers = 0;
    x->b_vfr_input = 0;
    x->i_level_idc = s->level > 0 ? s->level : -1;
    x->i_frame_reference = s->refers ? 4 : 1;
    x->vui.i_colorprim = s->primaries;
    x->vui.i_transfer = s->transfer;
    x->vui.i_colmatrix = s->matrix;
    x->vui.b_fullrange = s->full_range;
    x->vui.i_sar_width = s->sar_w;
    x->vui.i_sar_height = s->sar_h;
    set_rate(x, s);
    c->refers = s->refers;
    c->x264 = x264_param_apply_profile(x, s->profile) == 0 ? x264_encoder_open(x) : NULL;
    if (!c->x264) {
        free(c);
        return NULL;
    }
    return c;
}

static bool sets(void *coder, const uint8_t **data, size_t *size)
{
    struct coder *c = coder;
    int count;
    int n = x264_encoder_headers(c->x264, &c->nals, &count);
    *data = n > 0 ? c->nals[0].p_payload : NULL;
    *size = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static int code(void *coder, struct standin_job *job, struct standin_unit *out)
{
    struct coder *c = coder;
    x264_picture_t in, coded;
    int count;
    if (!job && x264_encoder_delayed_frames(c->x264) == 0) {
        return 0;
    }
    if (job) {
        x264_picture_init(&in);
        in.i_type = job->key ? X264_TYPE_IDR : X264_TYPE_AUTO;
        in.i_pts = job->number;
        in.opaque = job;
        in.img.i_csp = X264_CSP_NV12;
        in.img.i_plane = 2;
        for (int i = 0; i < 2; i++) {
            in.img.plane[i] = job->image->plane[i];
            in.img.i_stride[i] = (int)job->image->stride[i];
        }
        if (job->refresh && c->refers) {
            x264_encoder_invalidate_reference(c->x264, job->known + 1);
        }
    }
    int n = x264_encoder_encode(c->x264, &c->nals, &count, job ? &in : NULL, &coded);
    if (n <= 0) {
        return n;
    }
    *out = (struct standin_unit){.data = c->nals[0].p_payload,
                                 .size = (size_t)n,
                                 .job = coded.opaque,
                                 .sync = coded.i_type == X264_TYPE_IDR};
    return 1;
}

static void change(void *coder, const struct standin_settings *s)
{
    struct coder *c = coder;
    set_rate(&c->param, s);
    if (x264_encoder_reconfig(c->x264, &c->param) != 0) {
        standin_complain("x264 does not take another rate");
    }
}

static void close_coder(void *coder)
{
    struct coder *c = coder;
    x264_encoder_close(c->x264);
    free(c);
}

const struct standin_coder standin_x264 = {open_coder, sets, code, change, close_coder};
