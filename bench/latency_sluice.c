/* SPDX-License-Identifier: BSD-2-Clause */
/* sl_encoder in sync mode; PRESET is BACKEND:PRESET, and SLUICE_CODEC=hevc another codec. */
#include <sluice/encode.h>

#include "latency.h"

static void fail(const struct sl_error *err)
{
    char text[512];
    die(sl_error_format(err, text, sizeof text));
}

int main(int argc, char **argv)
{
    struct job j = job_open(argc, argv);
    struct sl_error err = {0};
    struct sl_encoder_params p;
    struct sl_encoder *e = NULL;
    const char *codec = getenv("SLUICE_CODEC");
    const char *preset = strchr(j.preset, ':');
    if (!preset || sl_encoder_params_default(&p, sizeof p, &err) != SL_OK) {
        die("BACKEND:PRESET");
    }
    p.codec = codec && strcmp(codec, "hevc") == 0 ? SL_ENCODER_HEVC : SL_ENCODER_H264;
    (void)snprintf(p.backend, sizeof p.backend, "%.*s", (int)(preset - j.preset), j.preset);
    (void)snprintf(p.preset, sizeof p.preset, "%s", preset + 1);
    p.size[0] = j.width;
    p.size[1] = j.height;
    p.rate = (struct sl_rational){j.rate, 1};
    p.gop = 0;
    p.bitrate = j.bitrate;
    p.threads = j.threads;
    if (sl_encoder_open(&e, &p, NULL, &err) != SL_OK) {
        fail(&err);
    }
    job_begin(&j);
    for (int i = 0; i < j.frames; i++) {
        struct sl_picture in = {.struct_size = sizeof in,
                                .format = SL_PICTURE_I420,
                                .width = j.width,
                                .height = j.height,
                                .plane = {plane(&j, i, 0), plane(&j, i, 1), plane(&j, i, 2)},
                                .stride = {j.width, j.width / 2, j.width / 2},
                                .pts = i};
        struct sl_access_unit out;
        picture_begin(&j);
        if (sl_encoder_encode(e, &in, &out, &err) != SL_OK) {
            fail(&err);
        }
        take(&j, out.data, out.size);
        sl_access_unit_clear(&out);
        picture_end(&j);
    }
    job_end(&j);
    sl_encoder_destroy(&e);
    return 0;
}
