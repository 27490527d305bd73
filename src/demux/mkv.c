/* SPDX-License-Identifier: BSD-2-Clause */
/* Matroska and WebM: opening, and packets out of blocks. */
#include "demux/mkv.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "demux/demuxers.h"
#include "media/track.h"

#define SOUND_HEAD 16 /* bytes of a frame of sound that tell its length */

static int mkv_probe(const uint8_t *head, size_t size)
{
    struct sl_mkv_ebml_head facts = sl_mkv_ebml_head_default;
    struct sl_ebml_element e;
    int64_t at = 0;

    while (at < (int64_t)size) {
        if (sl_ebml_parse_header(head + at, size - (size_t)at, at, "", &e, NULL) != SL_OK ||
            e.size > (int64_t)size - e.data) {
            return 0;
        }
        if (e.id == SL_EBML_ID_HEADER) {
            break;
        }
        if (e.id != SL_EBML_ID_VOID && e.id != SL_EBML_ID_CRC32) {
            return 0;
        }
        at = e.data + e.size;
    }
    if (at >= (int64_t)size || sl_ebml_parse(&sl_mkv_ebml_head_table, &facts, head + e.data,
                                             (size_t)e.size, e.data, "", NULL) != SL_OK) {
        return 0;
    }
    return strcmp(facts.doc_type, "matroska") == 0 || strcmp(facts.doc_type, "webm") == 0 ? 100 : 0;
}

static void mkv_destroy(struct sl_demuxer *demuxer)
{
    struct sl_mkv *m = (struct sl_mkv *)demuxer;

    for (size_t i = 0; i < m->demuxer.track_count; i++) {
        sl_track_clear(&m->demuxer.tracks[i]);
        sl_mkv_clear_undo(&m->tracks[i]);
    }
    sl_free(m->demuxer.tracks);
    sl_free(m->tracks);
    sl_free(m->cues);
    sl_free(m);
}

/* Codecs of RealMedia and of QuickTime's early days, which need more than a name: libavformat knows
 * what to make of their blocks (registry.c asks it), where the input can be read again. */
static enum sl_status check_codecs(const struct sl_mkv *m, struct sl_error *err)
{
    for (size_t i = 0; i < m->demuxer.track_count && sl_window_seekable(m->window); i++) {
        const struct sl_track *t = &m->demuxer.tracks[i];
        if (t->codec == SL_CODEC_UNKNOWN && t->kind != SL_KIND_DATA) {
            return sl_fail(err, SL_ENOTFOUND, m->name, "track %lld has a codec that is not known",
                           (long long)t->id);
        }
    }
    return SL_OK;
}

static enum sl_status mkv_open(struct sl_demuxer **out, struct sl_window *w,
                               const struct sl_demux_params *params, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct sl_mkv *m = sl_alloc_zero(sizeof *m);

    *out = NULL;
    if (!m) {
        return sl_fail_memory(err);
    }
    m->demuxer.ops = &sl_demux_mkv;
    (void)snprintf(m->demuxer.format, sizeof m->demuxer.format, "mkv");
    m->demuxer.duration = -1;
    m->window = w;
    m->name = sl_window_name(w);
    m->log = params ? params->log : NULL;
    m->strict = params && params->strict;
    m->places_only = m->demuxer.places_only = params && params->places_only;
    m->scale = (int64_t)sl_mkv_info_default.scale;
    m->duration = -1;
    m->first_cluster = -1;
    m->info_at = m->tracks_at = m->tags_at = m->cues_at = -1;
    m->resume_time = SL_NO_TIME;
    status = sl_mkv_read_head(m, err);
    if (status == SL_OK) {
        status = check_codecs(m, err);
    }
    if (status == SL_OK) {
        status = sl_mkv_look_ahead(m, err);
    }
    if (status == SL_OK) {
        sl_window_release(w, m->pos);
        *out = &m->demuxer;
        m = NULL;
    }
    if (m) {
        mkv_destroy(&m->demuxer);
    }
    return status;
}

/* ---- packets ------------------------------------------------------------------------------ */

/* Moves to the block's next frame. Its time follows from DefaultDuration, from the length of the
 * frames of sound before it, or from the block's own duration: in this order. */
static enum sl_status advance(struct sl_mkv *m, struct sl_error *err)
{
    struct sl_mkv_block *b = &m->block;
    struct sl_mkv_track *t = &m->tracks[b->track];
    const struct sl_track *track = &m->demuxer.tracks[b->track];
    int64_t size = b->sizes[b->next];

    if (b->count > 1 && t->default_duration == 0 && track->kind == SL_KIND_AUDIO) {
        const uint8_t *data = NULL;
        size_t got = 0;
        enum sl_status status =
            sl_window_view(m->window, b->payload, (size_t)(size < SOUND_HEAD ? size : SOUND_HEAD),
                           &data, &got, err);
        if (status != SL_OK) {
            return status;
        }
        b->elapsed += sl_mkv_sound_samples(&t->sound, track->codec, data, got, size);
    }
    b->payload += size;
    b->next++;
    if (b->next == b->count) {
        m->have_block = false;
        sl_window_release(m->window, m->pos);
    } else {
        sl_window_release(m->window, b->payload);
    }
    return SL_OK;
}

/* Ticks of the track from the block's time to the time of its next frame. */
static int64_t lace_time(const struct sl_mkv *m)
{
    const struct sl_mkv_block *b = &m->block;
    const struct sl_mkv_track *t = &m->tracks[b->track];
    struct sl_rational tick = m->demuxer.tracks[b->track].timebase;

    if (b->next == 0) {
        return 0;
    }
    if (t->clock.frame > 0) {
        return t->clock.frame * b->next;
    }
    if (t->default_duration > 0) {
        return sl_rescale(t->default_duration * b->next, sl_rational(1, 1000000000), tick,
                          SL_ROUND_NEAREST);
    }
    if (b->elapsed > 0 && t->sound.rate > 0) {
        return sl_rescale(b->elapsed, sl_rational(1, t->sound.rate), tick, SL_ROUND_NEAREST);
    }
    return b->duration > 0 ? sl_muldiv(b->duration, b->next, b->count, SL_ROUND_NEAREST) : 0;
}

static int64_t frame_duration(const struct sl_mkv *m)
{
    const struct sl_mkv_block *b = &m->block;
    const struct sl_mkv_track *t = &m->tracks[b->track];

    if (b->duration >= 0) {
        if (t->clock.frame > 0) {
            int64_t start = sl_mkv_clock_map(&t->clock, b->ticks);
            return (sl_mkv_clock_map(&t->clock, b->ticks + b->duration) - start) / b->count;
        }
        return sl_muldiv(b->duration, b->next + 1, b->count, SL_ROUND_NEAREST) -
               sl_muldiv(b->duration, b->next, b->count, SL_ROUND_NEAREST);
    }
    if (t->clock.frame > 0) {
        return t->clock.frame;
    }
    return t->duration > 0 ? t->duration : SL_NO_TIME;
}

static enum sl_status make_packet(struct sl_mkv *m, struct sl_packet **out, struct sl_error *err)
{
    struct sl_mkv_block *b = &m->block;
    struct sl_mkv_track *t = &m->tracks[b->track];
    const struct sl_track *track = &m->demuxer.tracks[b->track];
    struct sl_packet *p = NULL;
    int64_t time = 0;
    enum sl_status status = sl_packet_create(&p, err);

    if (status != SL_OK) {
        return status;
    }
    p->track = (uint32_t)b->track;
    p->flags = b->key || t->intra ? SL_PACKET_KEY : 0;
    p->position = b->at;
    status = m->places_only ? sl_mkv_place(m, t, b->payload, b->sizes[b->next], p, err)
                            : sl_mkv_payload(m, t, b->payload, b->sizes[b->next], &p->payload, err);
    if (status != SL_OK) {
        goto out;
    }
    time = lace_time(m);
    p->duration = frame_duration(m);
    time += sl_mkv_time(m, b->track, b->ticks);
    if (t->times_are_dts) {
        p->dts = time;
    } else {
        p->pts = time;
    }
    if (b->discard != 0 && b->next + 1 == b->count && track->sample_rate > 0) {
        int64_t samples = sl_rescale(b->discard, sl_rational(1, 1000000000),
                                     sl_rational(1, track->sample_rate), SL_ROUND_NEAREST);
        p->trim_end = samples > INT32_MAX ? INT32_MAX : samples > 0 ? (int32_t)samples : 0;
        p->trim_start = samples < -INT32_MAX ? INT32_MAX : samples < 0 ? (int32_t)-samples : 0;
    }
    *out = p;
    p = NULL;
out:
    sl_packet_unref(&p);
    return status;
}

/* To the last frame of the block that is not later than what was asked for. */
static enum sl_status resume_within(struct sl_mkv *m, struct sl_error *err)
{
    struct sl_mkv_block *b = &m->block;
    int64_t start = sl_mkv_time(m, b->track, b->ticks);

    while (b->next + 1 < b->count) {
        int64_t payload = b->payload;
        int64_t elapsed = b->elapsed;
        enum sl_status status = advance(m, err);
        if (status != SL_OK) {
            return status;
        }
        if (start + lace_time(m) > m->resume_at) {
            b->payload = payload;
            b->elapsed = elapsed;
            b->next--;
            break;
        }
    }
    return SL_OK;
}

/* After a seek nothing of the track is given out before the sync sample that was gone to. */
static enum sl_status resume(struct sl_mkv *m, struct sl_error *err)
{
    const struct sl_mkv_block *b = &m->block;

    if (m->resume_time == SL_NO_TIME || b->track != m->resume_track) {
        return SL_OK;
    }
    if ((b->key || m->tracks[b->track].intra) &&
        sl_mkv_time(m, b->track, b->ticks) >= m->resume_time) {
        m->resume_time = SL_NO_TIME;
        return m->tracks[b->track].intra ? resume_within(m, err) : SL_OK;
    }
    m->have_block = false;
    return SL_OK;
}

/* A frame that cannot be unpacked: told, and passed over unless reading is strict. */
static enum sl_status pass_over(struct sl_mkv *m, const struct sl_error *why, struct sl_error *err)
{
    const struct sl_mkv_track *t = &m->tracks[m->block.track];

    if (m->strict || t->undo_count == 0) {
        if (err && err->status == SL_OK) {
            *err = *why;
        }
        return SL_EDATA;
    }
    sl_mkv_tell(m, SL_LOG_WARN, why, "this frame is passed over");
    return advance(m, err);
}

static enum sl_status mkv_read(struct sl_demuxer *demuxer, struct sl_packet **out,
                               struct sl_error *err)
{
    struct sl_mkv *m = (struct sl_mkv *)demuxer;

    *out = NULL;
    for (;;) {
        struct sl_error why = {0};
        enum sl_status status = SL_OK;

        if (!m->have_block) {
            status = sl_mkv_next_block(m, err);
            if (status != SL_OK) {
                sl_window_release(m->window, m->searching ? m->search_at : m->pos);
                return status;
            }
            m->have_block = true;
            status = resume(m, err);
            if (status != SL_OK) {
                return status;
            }
            if (!m->have_block) {
                continue;
            }
        }
        if (m->block.sizes[m->block.next] == 0) {
            status = advance(m, err); /* an empty frame: nothing to decode, nothing to show */
            if (status != SL_OK) {
                return status;
            }
            continue;
        }
        status = make_packet(m, out, &why);
        if (status == SL_OK) {
            status = advance(m, err);
            if (status != SL_OK) {
                sl_packet_unref(out);
            }
            return status;
        }
        if (status == SL_EDATA) {
            status = pass_over(m, &why, err);
            if (status == SL_OK) {
                continue;
            }
            return status;
        }
        if (err && err->status == SL_OK) {
            *err = why;
        }
        return status;
    }
}

static void mkv_select(struct sl_demuxer *demuxer, uint64_t tracks)
{
    struct sl_mkv *m = (struct sl_mkv *)demuxer;
    m->wanted = tracks;
    m->selected = true;
    if (m->have_block && !(m->block.track < 64 && ((tracks >> m->block.track) & 1))) {
        m->have_block = false;
    }
}

const struct sl_demuxer_ops sl_demux_mkv = {
    .name = "mkv",
    .probe = mkv_probe,
    .open = mkv_open,
    .read = mkv_read,
    .seek = sl_mkv_seek_to,
    .select = mkv_select,
    .destroy = mkv_destroy,
    .index = sl_mkv_index,
};
