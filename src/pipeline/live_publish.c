/* SPDX-License-Identifier: BSD-2-Clause */
/* Publish, then announce: a segment and the playlists that name it are stored and pinned, then one
 * transaction of the registry makes all of them visible. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "pipeline/live_run.h"

/* What one announcement needs, made anew with each attempt. */
struct announcement {
    struct sl_live *l;
    struct sl_live_rendition *r;
    const struct sl_chain *content; /* NULL: a gap */
    struct sl_cas_info segment, playlist, master;
    bool has_master;
};

void sl_live_unpin(struct sl_live *l, const struct sl_cid *cid)
{
    struct sl_error why = {0};
    enum sl_status status = sl_cas_unpin(l->lazy, cid, l->pin, &why);
    if (status != SL_OK && status != SL_ENOTFOUND) {
        sl_log_write(l->log, SL_LOG_DEBUG, "run", "%s: still pinned: %s", l->run, why.msg);
    }
}

/* ---- storing -----------------------------------------------------------------------------------
 */

static enum sl_status stage(struct sl_live *l, struct sl_cas_batch *batch,
                            const struct sl_chain *content, struct sl_cas_info *out,
                            struct sl_error *err)
{
    struct sl_cas_writer *w = NULL;
    enum sl_status status = sl_cas_writer_open(&w, l->cas, l->profile, err);
    if (!status) {
        status = sl_cas_writer_chain(w, content, err);
    }
    if (status) {
        sl_cas_writer_abort(&w);
        return status;
    }
    return sl_cas_writer_stage(&w, batch, out, err);
}

enum sl_status sl_live_stage_text(struct sl_live *l, struct sl_cas_batch *batch,
                                  const struct sl_writer *text, struct sl_cas_info *out,
                                  struct sl_error *err)
{
    struct sl_cas_writer *w = NULL;
    enum sl_status status = sl_cas_writer_open(&w, l->cas, l->profile, err);
    if (!status) {
        status = sl_cas_writer_write(w, text->data, text->size, err);
    }
    if (status) {
        sl_cas_writer_abort(&w);
        return status;
    }
    return sl_cas_writer_stage(&w, batch, out, err);
}

/* The multivariant playlist names others: it is there once each of those has something. */
static bool all_listed(const struct sl_live *l)
{
    bool all = true;
    for (size_t i = 0; i < l->count; i++) {
        all = all && l->renditions[i].has_text;
    }
    return all;
}

static enum sl_status stage_texts(struct announcement *a, struct sl_cas_batch *batch,
                                  struct sl_error *err)
{
    struct sl_live_rendition *r = a->r;
    struct sl_writer w;
    enum sl_status status;
    sl_writer_init(&w, SL_LIVE_TEXT_MAX);
    status = sl_live_playlist_text(r, &w, err);
    if (!status) {
        status = sl_live_stage_text(a->l, batch, &w, &a->playlist, err);
    }
    sl_writer_clear(&w);
    if (status) {
        return status;
    }
    struct sl_cid before = r->playlist_cid;
    bool had = r->has_text;
    r->playlist_cid = a->playlist.cid;
    r->has_text = true;
    a->has_master = all_listed(a->l);
    if (a->has_master) {
        sl_writer_init(&w, SL_LIVE_TEXT_MAX);
        status = sl_live_master_text(a->l, false, &w, err);
        if (!status) {
            status = sl_live_stage_text(a->l, batch, &w, &a->master, err);
        }
        sl_writer_clear(&w);
    }
    r->playlist_cid = before; /* until it is announced */
    r->has_text = had;
    return status;
}

enum sl_status sl_live_pin(struct sl_live *l, const struct sl_cid *const *cids, size_t count,
                           struct sl_error *err)
{
    enum sl_status status = SL_OK;
    /* One wait for the directory of the pins, with the last of them. */
    for (size_t i = 0; i < count && !status; i++) {
        status = sl_cas_pin(i + 1 < count ? l->lazy : l->cas, cids[i], l->pin, err);
    }
    return status;
}

static enum sl_status store(void *arg, struct sl_error *err)
{
    struct announcement *a = arg;
    struct sl_live *l = a->l;
    size_t index = a->r->playlist.count - 1;
    struct sl_cas_batch *batch = NULL;
    enum sl_status status = sl_cas_batch_open(&batch, l->cas, err);
    if (!status && a->content) {
        status = stage(l, batch, a->content, &a->segment, err);
        if (!status) {
            a->r->segments[index] = (struct sl_live_file){
                .cid = a->segment.cid, .size = a->segment.size, .tsize = a->segment.tsize};
        }
    }
    if (!status) {
        status = stage_texts(a, batch, err);
    }
    if (!status) {
        status = sl_cas_batch_flush(batch, err);
    }
    sl_cas_batch_close(&batch);
    const struct sl_cid *pins[] = {&a->playlist.cid, &a->segment.cid, &a->master.cid};
    size_t count = a->content ? 2 : 1;
    if (a->has_master) {
        pins[count++] = &a->master.cid;
    }
    return status ? status : sl_live_pin(l, pins, count, err);
}

/* ---- announcing ---------------------------------------------------------------------------------
 */

static void describe(const struct sl_live_rendition *r, struct sl_registry_segment *out)
{
    size_t index = r->playlist.count - 1;
    const struct sl_segment *s = &r->playlist.segments[index];
    *out = (struct sl_registry_segment){
        .number = (int64_t)index,
        .start = r->playlist.total_duration - s->duration,
        .duration = s->duration,
        .bytes = s->bytes,
        .program_time = s->program_time,
        .discontinuity = s->discontinuity,
        .gap = s->gap,
    };
    if (!s->gap) {
        (void)sl_cid_text(&r->segments[index].cid, out->cid);
    }
    if (!s->gap && r->playlist.init_uri) {
        (void)sl_cid_text(&r->inits[s->init].cid, out->init_cid);
        out->init_bytes = r->inits[s->init].size;
    }
}

/* The node gets what the store pins, and is told to let go of what the store unpins. */
static void queue_uploads(const struct announcement *a, struct sl_registry_upload *list,
                          size_t *count)
{
    struct sl_live *l = a->l;
    const struct sl_live_rendition *r = a->r;
    const struct sl_segment *s = &r->playlist.segments[r->playlist.count - 1];
    if (!s->gap) {
        if (r->playlist.init_uri && !r->inits[s->init].queued) {
            sl_live_upload(l, list, count, SL_UPLOAD_ADD, &r->inits[s->init].cid);
        }
        sl_live_upload(l, list, count, SL_UPLOAD_ADD, &a->segment.cid);
    }
    sl_live_upload(l, list, count, SL_UPLOAD_ADD, &a->playlist.cid);
    if (r->has_text && !sl_cid_same(&r->playlist_cid, &a->playlist.cid)) {
        sl_live_upload(l, list, count, SL_UPLOAD_UNPIN, &r->playlist_cid);
    }
    if (a->has_master) {
        sl_live_upload(l, list, count, SL_UPLOAD_ADD, &a->master.cid);
    }
    if (a->has_master && l->has_master && !sl_cid_same(&l->master_cid, &a->master.cid)) {
        sl_live_upload(l, list, count, SL_UPLOAD_UNPIN, &l->master_cid);
    }
}

static enum sl_status announce(void *arg, struct sl_error *err)
{
    struct announcement *a = arg;
    struct sl_registry_segment segment;
    char playlist[SL_CID_TEXT_SIZE], master[SL_CID_TEXT_SIZE];
    struct sl_registry_item item = {.rendition = a->r->info.name,
                                    .segments = &segment,
                                    .segment_count = 1,
                                    .playlist_cid = sl_cid_text(&a->playlist.cid, playlist)};
    char *resume = sl_live_resume_text(a->l);
    struct sl_registry_upload uploads[SL_LIVE_UPLOADS];
    struct sl_registry_announcement all = {
        .uploads = uploads,
        .items = &item,
        .item_count = 1,
        .master_cid = a->has_master ? sl_cid_text(&a->master.cid, master) : NULL,
        .resume = resume,
    };
    enum sl_status status;
    describe(a->r, &segment);
    queue_uploads(a, uploads, &all.upload_count);
    status = resume ? sl_registry_announce(a->l->registry, &a->l->claim, &all, NULL, err)
                    : sl_fail_memory(err);
    sl_free(resume);
    return status;
}

/* Told with what is now true; the old texts are no longer kept. */
static void settle(struct announcement *a)
{
    struct sl_live *l = a->l;
    struct sl_live_rendition *r = a->r;
    const struct sl_segment *s = &r->playlist.segments[r->playlist.count - 1];
    if (!s->gap && r->playlist.init_uri) {
        r->inits[s->init].queued = true;
    }
    if (l->uploader) {
        sl_uploader_wake(l->uploader);
    }
    if (r->has_text && !sl_cid_same(&r->playlist_cid, &a->playlist.cid)) {
        sl_live_unpin(l, &r->playlist_cid);
    }
    r->playlist_cid = a->playlist.cid;
    r->has_text = true;
    if (!a->has_master) {
        return;
    }
    if (l->has_master && !sl_cid_same(&l->master_cid, &a->master.cid)) {
        sl_live_unpin(l, &l->master_cid);
    }
    l->master_cid = a->master.cid;
    l->has_master = true;
    pthread_mutex_lock(&l->small);
    (void)sl_cid_text(&l->master_cid, l->master);
    pthread_mutex_unlock(&l->small);
}

static void tell(struct announcement *a)
{
    struct sl_live *l = a->l;
    struct sl_ladder_rendition_state states[SL_LIVE_RENDITIONS];
    struct sl_ladder_update update = {
        .master_cid = l->master, .renditions = states, .rendition_count = l->count};
    char segment[SL_CID_TEXT_SIZE] = "";
    if (!l->update) {
        return;
    }
    memset(states, 0, sizeof states);
    for (size_t i = 0; i < l->count; i++) {
        const struct sl_live_rendition *r = &l->renditions[i];
        states[i].name = r->info.name;
        (void)sl_cid_text(&r->playlist_cid, states[i].cid);
        states[i].width = r->info.width;
        states[i].height = r->info.height;
        states[i].bitrate = r->info.bitrate;
        states[i].segments = (int64_t)r->playlist.count;
    }
    if (a->content) {
        (void)sl_cid_text(&a->segment.cid, segment);
    }
    update.rendition = (size_t)(a->r - l->renditions);
    update.segment_cid = segment;
    l->update(l->update_opaque, &update);
}

/* The playlist's last segment. */
static enum sl_status publish(struct sl_live_rendition *r, const struct sl_chain *content,
                              struct sl_error *err)
{
    struct sl_live *l = r->live;
    struct announcement a = {.l = l, .r = r, .content = content};
    struct sl_error why = {0};
    enum sl_status status = sl_live_persist(l, SL_LIVE_STORE, store, &a, err);
    if (!status) {
        status = sl_live_persist(l, SL_LIVE_REGISTRY, announce, &a, &why);
        if (status == SL_ECANCELLED) {
            return sl_fail(err, SL_EEXIST, l->run, "another process has taken the run over");
        }
        if (status) {
            return sl_fail(err, status, why.where, "%s", why.msg);
        }
    }
    if (!status) {
        settle(&a);
        tell(&a);
    }
    return status;
}

/* ---- what the packager sees
 * ----------------------------------------------------------------------- */

struct live_output {
    struct sl_output base;
    struct sl_live_rendition *rendition;
};

static struct sl_live_rendition *rendition_of(struct sl_output *o)
{
    return ((struct live_output *)o)->rendition;
}

struct init {
    struct sl_live_rendition *r;
    const struct sl_chain *content;
    struct sl_cas_info info;
};

static enum sl_status store_init(void *arg, struct sl_error *err)
{
    struct init *i = arg;
    return sl_cas_add_chain(i->r->live->cas, i->r->live->profile, i->content, i->r->live->pin,
                            &i->info, err);
}

static enum sl_status live_init(struct sl_output *o, const struct sl_chain *content, uint16_t *init,
                                struct sl_error *err)
{
    struct sl_live_rendition *r = rendition_of(o);
    struct init i = {.r = r, .content = content};
    enum sl_status status;
    pthread_mutex_lock(&r->live->lock);
    status = sl_live_persist(r->live, SL_LIVE_STORE, store_init, &i, err);
    size_t n = 0;
    while (!status && n < r->init_count && !sl_cid_same(&r->inits[n].cid, &i.info.cid)) {
        n++;
    }
    if (!status && n == r->init_count) {
        if (sl_grow(&r->inits, &r->inits_capacity, n, sizeof *r->inits, SL_LIVE_INITS_MAX)) {
            status = sl_fail(err, SL_ENOMEM, r->live->run, "more than %d init segments",
                             SL_LIVE_INITS_MAX);
        } else {
            r->init_count++;
        }
    }
    if (!status) {
        r->inits[n] =
            (struct sl_live_file){.cid = i.info.cid, .size = i.info.size, .tsize = i.info.tsize};
        *init = (uint16_t)n;
    }
    pthread_mutex_unlock(&r->live->lock);
    return status;
}

static enum sl_status live_segment(struct sl_output *o, const struct sl_playlist *playlist,
                                   const char *name, const struct sl_chain *content,
                                   struct sl_error *err)
{
    struct sl_live_rendition *r = rendition_of(o);
    enum sl_status status;
    (void)name;
    pthread_mutex_lock(&r->live->lock);
    status = sl_live_room(r, r->playlist.count, err);
    if (!status) {
        status = sl_playlist_append(&r->playlist, &playlist->segments[playlist->count - 1], err);
    }
    if (!status) {
        status = publish(r, content, err);
    }
    pthread_mutex_unlock(&r->live->lock);
    return status;
}

/* Whether the run has ended too is known later: sl_live_end. */
static enum sl_status live_end(struct sl_output *o, const struct sl_playlist *playlist,
                               struct sl_error *err)
{
    (void)o;
    (void)playlist;
    (void)err;
    return SL_OK;
}

static void live_destroy(struct sl_output *o)
{
    sl_free(o);
}

static const struct sl_output_ops live_ops = {
    .init = live_init,
    .segment = live_segment,
    .end = live_end,
    .destroy = live_destroy,
};

enum sl_status sl_live_output(struct sl_output **out, struct sl_live *l, size_t index,
                              struct sl_error *err)
{
    struct live_output *o = sl_alloc_zero(sizeof *o);
    *out = NULL;
    if (!o) {
        return sl_fail_memory(err);
    }
    o->base.ops = &live_ops;
    o->rendition = &l->renditions[index];
    *out = &o->base;
    return SL_OK;
}

/* ---- before anything is published
 * ------------------------------------------------------------------ */

struct naming {
    struct sl_live *l;
    const struct sl_registry_rendition *infos;
    size_t count;
};

static enum sl_status set_renditions(void *arg, struct sl_error *err)
{
    struct naming *n = arg;
    return sl_registry_set_renditions(n->l->registry, &n->l->claim, n->infos, n->count, err);
}

static bool same(const struct sl_registry_rendition *a, const struct sl_registry_rendition *b)
{
    return !strcmp(a->name, b->name) && !strcmp(a->kind, b->kind) &&
           !strcmp(a->format, b->format) && a->width == b->width && a->height == b->height &&
           a->timebase.num == b->timebase.num && a->timebase.den == b->timebase.den &&
           a->target_duration == b->target_duration && a->sample_rate == b->sample_rate &&
           a->channels == b->channels;
}

enum sl_status sl_live_begin(struct sl_live *l, const struct sl_registry_rendition *infos,
                             size_t count, struct sl_error *err)
{
    struct naming n = {l, infos, count};
    enum sl_status status = SL_OK;
    pthread_mutex_lock(&l->lock);
    if (l->count && l->count != count) {
        status =
            sl_fail(err, SL_EEXIST, l->run, "the run has %zu renditions, not %zu", l->count, count);
    }
    for (size_t i = 0; i < l->count && !status; i++) {
        if (!same(&l->renditions[i].info, &infos[i])) {
            status = sl_fail(err, SL_EEXIST, l->run,
                             "rendition %s differs from %s, which is published: size, timebase, "
                             "format and sound of a run stay as they are",
                             infos[i].name, l->renditions[i].info.name);
        }
    }
    if (!status) {
        status = sl_live_persist(l, SL_LIVE_REGISTRY, set_renditions, &n, err);
    }
    for (size_t i = 0; i < count && !status; i++) {
        if (i < l->count) {
            l->renditions[i].info.bitrate = infos[i].bitrate;
            l->renditions[i].info.average_bitrate = infos[i].average_bitrate;
            memcpy(l->renditions[i].info.codecs, infos[i].codecs, sizeof infos[i].codecs);
        } else {
            sl_live_rendition_init(l, &l->renditions[i], &infos[i]);
        }
    }
    if (!status) {
        l->count = count;
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}

enum sl_status sl_live_gap(struct sl_live *l, size_t index, int64_t end, struct sl_rational length,
                           struct sl_error *err)
{
    struct sl_live_rendition *r = &l->renditions[index];
    int64_t zero = sl_live_program_zero(l);
    enum sl_status status = SL_OK;
    pthread_mutex_lock(&l->lock);
    while (!status && r->playlist.total_duration < end) {
        int64_t at = r->playlist.total_duration;
        struct sl_rational tb = r->playlist.timebase;
        struct sl_segment gap = {.program_time = SL_NO_TIME, .gap = true};
        int64_t k = sl_rescale(at, tb, length, SL_ROUND_DOWN) + 1;
        int64_t cut = sl_rescale(k, length, tb, SL_ROUND_UP);
        gap.duration = (cut < end ? cut : end) - at;
        if (r->playlist.count) {
            gap.init = r->playlist.segments[r->playlist.count - 1].init;
        }
        if (zero != SL_NO_TIME) {
            gap.program_time = zero + sl_rescale(at, tb, sl_rational(1, 1000000), SL_ROUND_NEAREST);
        }
        status = sl_live_room(r, r->playlist.count, err);
        if (!status) {
            status = sl_playlist_append(&r->playlist, &gap, err);
        }
        if (!status) {
            status = publish(r, NULL, err);
        }
    }
    pthread_mutex_unlock(&l->lock);
    return status;
}

enum sl_status sl_live_last(struct sl_live *l, size_t index, struct sl_chain *out,
                            struct sl_error *err)
{
    struct sl_live_rendition *r = &l->renditions[index];
    size_t count = r->playlist.count;
    struct sl_file *file = NULL;
    struct sl_cas_info info;
    int64_t offset = 0;
    if (count == 0 || r->playlist.segments[count - 1].gap) {
        return sl_fail(err, SL_ENOTFOUND, l->run, "%s has no last segment", r->info.name);
    }
    enum sl_status status =
        sl_cas_open_file(l->cas, &r->segments[count - 1].cid, &file, &offset, &info, err);
    if (!status) {
        status = sl_chain_add_file(out, file, offset, (size_t)info.size, err);
    }
    sl_file_unref(&file);
    return status;
}
