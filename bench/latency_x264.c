/* SPDX-License-Identifier: GPL-2.0-or-later */
/* x264's own API, with the settings that sl_encoder gives it in sync mode
 * (src/encode/x264_params.c).
 */
#include <stdint.h>
#include <x264.h>

#include "latency.h"

static void settings(x264_param_t *x, const struct job *j)
{
    if (x264_param_default_preset(x, j->preset, NULL) != 0) {
        die("no such preset");
    }
    x->i_threads = j->threads;
    x->b_deterministic = 1;
    x->i_width = j->width;
    x->i_height = j->height;
    x->i_csp = X264_CSP_I420;
    x->b_vfr_input = 0;
    x->i_timebase_num = 1;
    x->i_timebase_den = (uint32_t)j->rate;
    x->i_fps_num = (uint32_t)j->rate;
    x->i_fps_den = 1;
    x->vui.i_colorprim = x->vui.i_transfer = x->vui.i_colmatrix = j->height >= 720 ? 1 : 6;
    x->i_keyint_max = X264_KEYINT_MAX_INFINITE;
    x->b_open_gop = 0;
    x->i_bframe = 0;
    x->i_scenecut_threshold = 0;
    x->rc.i_lookahead = 0;
    x->i_sync_lookahead = 0;
    x->rc.b_mb_tree = 0;
    x->b_sliced_threads = j->threads != 1;
    x->b_annexb = 1;
    x->b_repeat_headers = 1;
    x->rc.i_rc_method = X264_RC_ABR;
    x->rc.i_bitrate = j->bitrate / 1000;
    x->i_log_level = X264_LOG_ERROR;
    if (x264_param_apply_profile(x, "high") != 0) {
        die("no High profile");
    }
}

int main(int argc, char **argv)
{
    struct job j = job_open(argc, argv);
    x264_param_t x;
    settings(&x, &j);
    x264_t *e = x264_encoder_open(&x);
    if (!e) {
        die("x264 cannot be opened");
    }
    job_begin(&j);
    for (int i = 0; i < j.frames; i++) {
        x264_picture_t in, out;
        x264_nal_t *nals;
        int count;
        picture_begin(&j);
        x264_picture_init(&in);
        in.i_type = i == 0 ? X264_TYPE_IDR : X264_TYPE_AUTO;
        in.i_pts = i;
        in.img.i_csp = X264_CSP_I420;
        in.img.i_plane = 3;
        for (int k = 0; k < 3; k++) {
            in.img.plane[k] = (uint8_t *)(uintptr_t)plane(&j, i, k);
            in.img.i_stride[k] = k == 0 ? j.width : j.width / 2;
        }
        int size = x264_encoder_encode(e, &nals, &count, &in, &out);
        if (size <= 0) {
            die("x264 gave nothing");
        }
        take(&j, nals[0].p_payload, (size_t)size);
        picture_end(&j);
    }
    job_end(&j);
    x264_encoder_close(e);
    return 0;
}
