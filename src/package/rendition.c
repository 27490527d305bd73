/* SPDX-License-Identifier: BSD-2-Clause */
#include "package/rendition.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "media/dts.h"
#include "mux/registry.h"
#include "package/output.h"

#define PACKETS_MAX (1u << 22) /* that wait for their segment, of one track */

/* Owned packets, first in, first out. */
struct fifo {
    struct sl_packet **items;
    size_t head, count, capacity; /* items[head] to items[count - 1] */
};

/* A segment that is complete in track 0 and waits for its sound: the next packets of the queue. */
struct closed {
    size_t packets;
    int64_t duration; /* as EXTINF says it */
    int64_t end;      /* pts of what follows, ticks of track 0 */
};

struct sl_rendition {
    const struct sl_log *log;
    struct sl_muxer *muxer;
    struct sl_output *output;
    struct sl_playlist playlist;
    bool video, with_sound;
    struct sl_rational timebase[2];
    int64_t decode_delay; /* of track 0 */

    struct fifo main; /* closed segments' packets, then those of the open one */
    size_t open;      /* packets of the open segment */
    struct closed *closed;
    size_t closed_count, closed_capacity;

    struct fifo sound;
    int64_t sound_end; /* how far track 1 has come; SL_NO_TIME: nothing yet */
    bool sound_ended;

    int64_t pending;      /* bytes in both queues */
    int64_t program_zero; /* SL_NO_TIME: not stated */
    uint16_t init;        /* of the segments to come */
    bool begun;           /* a packet of track 0 has come */
    bool discontinuity;   /* in front of the next segment */
    bool finished;
    enum sl_status failed; /* publishing failed: the list and the files might disagree */
};

/* What a muxer's files are called. */
static const struct naming {
    const char *muxer, *extension, *init_uri;
} namings[] = {
    {"fmp4", "m4s", SL_OUTPUT_INIT},
    {"ts", "ts", NULL},
};

/* ---- queues ------------------------------------------------------------------------------ */

static enum sl_status fifo_push(struct fifo *f, struct sl_packet *p, struct sl_error *err)
{
    if (f->head && f->head >= f->count / 2) { /* each packet moves once on average */
        memmove(f->items, f->items + f->head, (f->count - f->head) * sizeof *f->items);
        f->count -= f->head;
        f->head = 0;
    }
    if (sl_grow(&f->items, &f->capacity, f->count, sizeof *f->items, PACKETS_MAX)) {
        return sl_fail(err, SL_ENOMEM, "rendition",
                       "no room for packet %zu of those that wait for their segment (at most %u)",
                       f->count - f->head, PACKETS_MAX);
    }
    f->items[f->count++] = p;
    return SL_OK;
}

static size_t fifo_length(const struct fifo *f)
{
    return f->count - f->head;
}

static struct sl_packet *fifo_first(const struct fifo *f)
{
    return f->head < f->count ? f->items[f->head] : NULL;
}

static void fifo_clear(struct fifo *f)
{
    while (f->head < f->count) {
        sl_packet_unref(&f->items[f->head++]);
    }
    sl_free(f->items);
}

/* ---- opening ----------------------------------------------------------------------------- */

static enum sl_status put_init(struct sl_rendition *r, struct sl_error *err)
{
    struct sl_chain chain;
    const struct sl_playlist *p = &r->playlist;
    enum sl_status status;
    sl_chain_init(&chain);
    status = r->muxer->ops->header(r->muxer, &chain, err);
    if (!status && p->init_uri) {
        status = r->output->ops->init(r->output, &chain, &r->init, err);
    }
    /* RFC 8216bis 4.4.4.3: where the encoding changes. */
    if (!status && p->count && p->segments[p->count - 1].init != r->init) {
        r->discontinuity = true;
    }
    sl_chain_clear(&chain);
    return status;
}

/* Takes over what was published before. */
static enum sl_status take_published(struct sl_rendition *r,
                                     const struct sl_rendition_resume *resume, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < resume->published->count && !status; i++) {
        status = sl_playlist_append(&r->playlist, &resume->published->segments[i], err);
    }
    r->discontinuity = resume->discontinuity;
    return status;
}

static enum sl_status check_params(const struct sl_rendition_params *params,
                                   const struct naming **naming, struct sl_error *err)
{
    enum sl_media_kind kind = params->tracks[0]->kind;
    *naming = NULL;
    for (size_t i = 0; i < sizeof namings / sizeof *namings; i++) {
        if (!strcmp(namings[i].muxer, params->muxer->name)) {
            *naming = &namings[i];
        }
    }
    if (!*naming) {
        return sl_fail(err, SL_EUNSUPPORTED, params->directory, "no segments of format %s",
                       params->muxer->name);
    }
    if ((kind != SL_KIND_VIDEO && kind != SL_KIND_AUDIO) ||
        (params->tracks[1] &&
         (kind != SL_KIND_VIDEO || params->tracks[1]->kind != SL_KIND_AUDIO))) {
        return sl_fail(err, SL_EINVAL, params->directory,
                       "expected video, video with sound, or sound");
    }
    if (params->target < 1) {
        return sl_fail(err, SL_EINVAL, params->directory,
                       "target duration %" PRId64 " s, expected 1 or more", params->target);
    }
    return SL_OK;
}

enum sl_status sl_rendition_open(struct sl_rendition **out,
                                 const struct sl_rendition_params *params, struct sl_error *err)
{
    const struct naming *naming;
    struct sl_rendition *r = NULL;
    struct sl_mux_track places[2] = {{.start = 0}};
    struct sl_mux_params mux = {.log = params->log};
    struct sl_output *output = params->output;
    enum sl_status status = check_params(params, &naming, err);
    *out = NULL;
    if (!status) {
        r = sl_alloc_zero(sizeof *r);
        status = r ? SL_OK : sl_fail_memory(err);
    }
    if (status) {
        sl_output_destroy(&output);
        return status;
    }
    r->output = output;
    r->log = params->log;
    r->video = params->tracks[0]->kind == SL_KIND_VIDEO;
    r->with_sound = params->tracks[1] != NULL;
    r->timebase[0] = params->tracks[0]->timebase;
    if (r->with_sound) {
        r->timebase[1] = params->tracks[1]->timebase;
    }
    r->decode_delay = params->tracks[0]->decode_delay;
    r->sound_end = SL_NO_TIME;
    sl_playlist_init(&r->playlist);
    r->playlist.timebase = r->timebase[0];
    r->playlist.target = params->target;
    r->playlist.init_uri = naming->init_uri;
    r->playlist.extension = naming->extension;
    r->playlist.independent = true; /* every cut is a key frame of a closed group */
    r->program_zero = params->program_zero ? params->program_zero : SL_NO_TIME;
    if (params->resume) {
        places[0].start = params->resume->start[0];
        places[1].start = params->resume->start[1];
        mux.tracks = places;
        mux.sequence = (uint32_t)params->resume->published->count;
        mux.before = params->resume->last;
        status = take_published(r, params->resume, err);
    }
    /* The muxer first: what it cannot take must not cost anybody an earlier run. */
    if (!status) {
        status =
            sl_mux_open(&r->muxer, params->muxer, params->tracks, r->with_sound ? 2 : 1, &mux, err);
    }
    if (!status && !r->output) {
        status = sl_output_files(&r->output, params->directory, err);
    }
    if (!status) {
        status = put_init(r, err);
    }
    if (status) {
        sl_rendition_destroy(&r);
    }
    *out = r;
    return status;
}

/* ---- publishing -------------------------------------------------------------------------- */

/* The muxer consumes on success only. */
static enum sl_status mux_first(struct sl_rendition *r, struct fifo *f, struct sl_error *err)
{
    struct sl_packet *p = fifo_first(f);
    int64_t size = p->payload.size;
    enum sl_status status = r->muxer->ops->write(r->muxer, p, err);
    if (status) {
        return status;
    }
    f->head++;
    r->pending -= size;
    return SL_OK;
}

/* The segment as the playlist will have it. */
static struct sl_segment describe(const struct sl_rendition *r, const struct closed *segment,
                                  int64_t bytes)
{
    struct sl_segment s = {.duration = segment->duration,
                           .bytes = bytes,
                           .program_time = SL_NO_TIME,
                           .init = r->init,
                           .discontinuity = r->discontinuity};
    if (r->program_zero != SL_NO_TIME) {
        s.program_time = r->program_zero + sl_rescale(r->playlist.total_duration, r->timebase[0],
                                                      sl_rational(1, 1000000), SL_ROUND_NEAREST);
    }
    return s;
}

static enum sl_status publish_segment(struct sl_rendition *r, const struct closed *segment,
                                      struct sl_error *err)
{
    struct sl_chain chain;
    struct sl_packet *p;
    char uri[64];
    /* Before anything is written: a segment that cannot be listed must not appear. */
    enum sl_status status = sl_playlist_check(&r->playlist, segment->duration, err);
    sl_chain_init(&chain);
    for (size_t i = 0; i < segment->packets && !status; i++) {
        status = mux_first(r, &r->main, err);
    }
    while (!status && (p = fifo_first(&r->sound)) &&
           sl_time_compare(p->pts, r->timebase[1], segment->end, r->timebase[0]) < 0) {
        status = mux_first(r, &r->sound, err);
    }
    if (!status) {
        status = r->muxer->ops->flush(r->muxer, &chain, err);
    }
    sl_playlist_segment_uri(&r->playlist, (uint32_t)r->playlist.count, uri);
    if (!status) {
        struct sl_segment s = describe(r, segment, chain.size);
        status = sl_playlist_append(&r->playlist, &s, err);
    }
    if (!status) {
        status = r->output->ops->segment(r->output, &r->playlist, uri, &chain, err);
    }
    if (!status) {
        r->discontinuity = false;
        sl_log_write(r->log, SL_LOG_DEBUG, "rendition", "published %s, %" PRId64 " bytes", uri,
                     chain.size);
    }
    sl_chain_clear(&chain);
    return status;
}

static bool sound_reaches(const struct sl_rendition *r, int64_t end)
{
    if (!r->with_sound || r->sound_ended) {
        return true;
    }
    return r->sound_end != SL_NO_TIME &&
           sl_time_compare(r->sound_end, r->timebase[1], end, r->timebase[0]) >= 0;
}

static enum sl_status publish_ready(struct sl_rendition *r, struct sl_error *err)
{
    size_t done = 0;
    enum sl_status status = SL_OK;
    while (!status && done < r->closed_count && sound_reaches(r, r->closed[done].end)) {
        status = publish_segment(r, &r->closed[done++], err);
    }
    if (status) {
        r->failed = status;
    }
    r->closed_count -= done;
    if (done && r->closed_count) {
        memmove(r->closed, r->closed + done, r->closed_count * sizeof *r->closed);
    }
    return status;
}

/* The encoder's priming lies before 0: it is in the first segment, but nobody hears it. */
static int64_t sound_duration(struct sl_packet *const *packets, size_t count)
{
    int64_t duration = 0, before = packets[0]->pts < 0 ? -packets[0]->pts : 0;
    for (size_t i = 0; i < count; i++) {
        duration += packets[i]->duration;
    }
    return duration > before ? duration - before : duration;
}

/* Ends the open segment where the next one starts. */
static enum sl_status close_segment(struct sl_rendition *r, int64_t end, struct sl_error *err)
{
    struct sl_packet **packets = r->main.items + (r->main.count - r->open);
    struct closed segment = {.packets = r->open, .end = end};
    enum sl_status status = SL_OK;
    if (sl_grow(&r->closed, &r->closed_capacity, r->closed_count, sizeof *r->closed, PACKETS_MAX)) {
        return sl_fail_memory(err);
    }
    if (r->video) {
        status = sl_dts_assign(packets, r->open, end, r->decode_delay, err);
        segment.duration = end - packets[0]->pts;
    }
    if (!r->video) {
        segment.duration = sound_duration(packets, r->open);
    }
    if (status) {
        return status;
    }
    r->closed[r->closed_count++] = segment;
    r->open = 0;
    return SL_OK;
}

/* ---- packets ----------------------------------------------------------------------------- */

static enum sl_status check_usable(const struct sl_rendition *r, struct sl_error *err)
{
    if (r->failed) {
        return sl_fail(err, r->failed, "rendition", "publishing failed before");
    }
    if (r->finished) {
        return sl_fail(err, SL_EINVAL, "rendition", "the rendition is finished");
    }
    return SL_OK;
}

/* Times within a quarter of the range: sums of two of them, and of a segment's, stay inside. */
static bool usable_time(int64_t t)
{
    return t >= -(INT64_MAX / 4) && t <= INT64_MAX / 4;
}

static enum sl_status check_packet(const struct sl_rendition *r, const struct sl_packet *p,
                                   struct sl_error *err)
{
    bool main = p->track == 0;
    bool timed = usable_time(p->pts);
    if (p->track > 1 || (p->track == 1 && (!r->with_sound || r->sound_ended))) {
        return sl_fail(err, SL_EINVAL, "rendition",
                       "a packet of track %u, which is absent or complete", p->track);
    }
    if (!main || !r->video) {
        timed = timed && p->duration > 0 && p->duration <= INT64_MAX / PACKETS_MAX;
    }
    if (!timed) {
        return sl_fail(err, SL_EINVAL, "rendition",
                       "track %u: a packet without usable times (pts %" PRId64 ", duration %" PRId64
                       ")",
                       p->track, p->pts, p->duration);
    }
    if (main && r->video && !(p->flags & SL_PACKET_KEY) &&
        ((p->flags & SL_PACKET_CUT) || !r->begun)) {
        return sl_fail(err, SL_EINVAL, "rendition",
                       "the segment at pts %" PRId64 " does not start with a key frame", p->pts);
    }
    return SL_OK;
}

static enum sl_status take(struct sl_rendition *r, struct sl_packet *packet, struct sl_error *err)
{
    enum sl_status status;
    if (packet->payload.size > SL_RENDITION_PENDING_MAX - r->pending) {
        return sl_fail(err, SL_ENOMEM, "rendition",
                       "over %u MiB wait for a segment to be complete (%zu packets of track 0, "
                       "%zu of track 1)",
                       SL_RENDITION_PENDING_MAX >> 20, fifo_length(&r->main),
                       fifo_length(&r->sound));
    }
    status = fifo_push(packet->track ? &r->sound : &r->main, packet, err);
    if (!status) {
        r->pending += packet->payload.size;
    }
    return status;
}

enum sl_status sl_rendition_write(struct sl_rendition *r, struct sl_packet *packet,
                                  struct sl_error *err)
{
    enum sl_status status = check_usable(r, err);
    if (!status) {
        status = check_packet(r, packet, err);
    }
    if (!status && packet->track == 0 && (packet->flags & SL_PACKET_CUT) && r->open) {
        status = close_segment(r, packet->pts, err);
        if (!status) {
            status = publish_ready(r, err);
        }
    }
    if (!status) {
        status = take(r, packet, err);
    }
    if (status) {
        return status;
    }
    if (packet->track == 0) {
        r->begun = true;
        r->open++;
        return SL_OK;
    }
    /* Publishing may fail now that the packet is in the queue: until it has not, the queue's
     * reference is one more, and the caller keeps its own. */
    sl_packet_ref(packet);
    r->sound_end = packet->pts + packet->duration;
    status = publish_ready(r, err);
    if (!status) {
        sl_packet_unref(&packet);
    }
    return status;
}

enum sl_status sl_rendition_end_sound(struct sl_rendition *r, struct sl_error *err)
{
    enum sl_status status = check_usable(r, err);
    if (status) {
        return status;
    }
    if (!r->with_sound) {
        return sl_fail(err, SL_EINVAL, "rendition", "there is no track 1 to end");
    }
    r->sound_ended = true;
    return publish_ready(r, err);
}

enum sl_status sl_rendition_finish(struct sl_rendition *r, int64_t end, struct sl_error *err)
{
    enum sl_status status = check_usable(r, err);
    if (!status && r->open) {
        if (r->video && !usable_time(end)) {
            return sl_fail(err, SL_EINVAL, "rendition", "track 0 has no usable end");
        }
        status = close_segment(r, end, err);
    }
    if (status) {
        return status;
    }
    r->sound_ended = true;
    status = publish_ready(r, err);
    if (status) {
        return status;
    }
    if (!r->playlist.count) {
        return sl_fail(err, SL_EDATA, "rendition", "no packets, so there is nothing to list");
    }
    if (fifo_length(&r->sound)) {
        sl_log_write(r->log, SL_LOG_DEBUG, "rendition",
                     "%zu packets of sound lie after the end of the pictures and are left out",
                     fifo_length(&r->sound));
    }
    r->playlist.ended = true;
    status = r->output->ops->end(r->output, &r->playlist, err);
    if (status) {
        r->failed = status;
    } else {
        r->finished = true;
    }
    return status;
}

const struct sl_playlist *sl_rendition_playlist(const struct sl_rendition *r)
{
    return &r->playlist;
}

void sl_rendition_destroy(struct sl_rendition **rendition)
{
    struct sl_rendition *r = rendition ? *rendition : NULL;
    if (!r) {
        return;
    }
    *rendition = NULL;
    fifo_clear(&r->main);
    fifo_clear(&r->sound);
    sl_free(r->closed);
    sl_playlist_clear(&r->playlist);
    sl_mux_destroy(&r->muxer);
    sl_output_destroy(&r->output);
    sl_free(r);
}
