/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/probe.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "media/track.h"
#include "pipeline/ladder_run.h"

void sl_probe_free(struct sl_probe **probe)
{
    struct sl_probe *p = probe ? *probe : NULL;
    if (!p) {
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        sl_track_clear(&p->tracks[i]);
    }
    sl_free(p->tracks);
    sl_free(p->codecs);
    sl_free(p);
    *probe = NULL;
}

enum sl_status sl_probe_run(struct sl_probe **out, const char *input, const struct sl_log *log,
                            struct sl_error *err)
{
    struct sl_input in = {0};
    struct sl_demux_params params = {.log = log};
    *out = NULL;
    enum sl_status st = sl_input_open(&in, input, &params, err);
    if (st != SL_OK) {
        return st;
    }
    struct sl_probe *p = sl_alloc_zero(sizeof *p);
    size_t count = in.demuxer->track_count;
    if (p) {
        p->tracks = sl_alloc_array(count ? count : 1, sizeof *p->tracks);
        p->codecs = sl_alloc_array(count ? count : 1, sizeof *p->codecs);
    }
    if (!p || !p->tracks || !p->codecs) {
        st = sl_fail_memory(err);
        goto out;
    }
    memcpy(p->format, in.demuxer->format, sizeof p->format);
    p->duration = in.demuxer->duration;
    for (size_t i = 0; i < count && st == SL_OK; i++) {
        struct sl_track *t = &p->tracks[i];
        sl_track_init(t);
        st = sl_track_copy(t, &in.demuxer->tracks[i], err);
        p->count = i + 1;
        if (st == SL_OK && sl_codec_string(t, p->codecs[i], NULL) != SL_OK) {
            p->codecs[i][0] = '\0'; /* not every codec has one */
        }
    }
out:
    sl_input_close(&in);
    if (st != SL_OK) {
        sl_probe_free(&p);
        return st;
    }
    *out = p;
    return SL_OK;
}
