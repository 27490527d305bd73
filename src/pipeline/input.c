/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"
#include "demux/registry.h"
#include "pipeline/ladder_run.h"
#include "source/source.h"

enum sl_status sl_input_open(struct sl_input *in, const char *where,
                             const struct sl_demux_params *params, struct sl_error *err)
{
    enum sl_status st = sl_source_open(&in->source, where, err);
    if (st == SL_OK) {
        st = sl_window_create(&in->window, &in->source->bytes, err);
    }
    if (st == SL_OK) {
        st = sl_demux_open(&in->demuxer, in->window, params, err);
    }
    if (st == SL_OK && in->demuxer->may_jump) {
        st = sl_jumps_init(&in->jumps, in->demuxer->tracks, in->demuxer->track_count, err);
    }
    if (st != SL_OK) {
        sl_input_close(in);
    }
    return st;
}

void sl_input_close(struct sl_input *in)
{
    sl_jumps_clear(&in->jumps);
    sl_demux_destroy(&in->demuxer);
    sl_window_destroy(&in->window);
    sl_source_destroy(&in->source);
}

enum sl_status sl_input_read(struct sl_input *in, struct sl_packet **out, struct sl_error *err)
{
    enum sl_status st = in->demuxer->ops->read(in->demuxer, out, err);
    if (st == SL_OK && in->demuxer->may_jump) {
        sl_jumps_apply(&in->jumps, *out);
    }
    return st;
}

/* Which of two tracks of one kind is the better choice: the largest picture, or the default sound
 * and then the one with most channels. Ties go to the first. */
static bool better(const struct sl_track *a, const struct sl_track *b)
{
    if (a->kind == SL_KIND_VIDEO) {
        return (int64_t)a->width * a->height > (int64_t)b->width * b->height;
    }
    if (!a->is_default != !b->is_default) {
        return a->is_default;
    }
    return a->channels > b->channels;
}

enum sl_status sl_input_pick(const struct sl_input *in, enum sl_media_kind kind, int64_t wanted,
                             int *track, struct sl_error *err)
{
    const struct sl_demuxer *d = in->demuxer;
    const char *name = sl_window_name(in->window);
    *track = -1;
    if (wanted >= 0) {
        if ((uint64_t)wanted >= d->track_count || d->tracks[wanted].kind != kind) {
            return sl_fail(err, SL_EINVAL, name, "track %lld is not a track of kind %s",
                           (long long)wanted, sl_kind_name(kind));
        }
        *track = (int)wanted;
        return SL_OK;
    }
    for (size_t i = 0; i < d->track_count; i++) {
        const struct sl_track *t = &d->tracks[i];
        if (t->kind != kind || t->is_attached_picture) {
            continue;
        }
        if (*track < 0 || better(t, &d->tracks[*track])) {
            *track = (int)i;
        }
    }
    return SL_OK;
}
