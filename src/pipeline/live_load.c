/* SPDX-License-Identifier: BSD-2-Clause */
/* What earlier lives of a run have published, as the registry has it. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "pipeline/live_run.h"

enum sl_status sl_live_room(struct sl_live_rendition *r, size_t count, struct sl_error *err)
{
    if (sl_grow(&r->segments, &r->segments_capacity, count, sizeof *r->segments, SL_SEGMENTS_MAX)) {
        return sl_fail_memory(err);
    }
    memset(&r->segments[count], 0, sizeof *r->segments);
    return SL_OK;
}

void sl_live_rendition_init(struct sl_live *l, struct sl_live_rendition *r,
                            const struct sl_registry_rendition *info)
{
    bool ts = !strcmp(info->format, "ts");
    memset(r, 0, sizeof *r);
    r->live = l;
    r->info = *info;
    sl_playlist_init(&r->playlist);
    r->playlist.timebase = info->timebase;
    r->playlist.target = info->target_duration;
    r->playlist.init_uri = ts ? NULL : SL_OUTPUT_INIT;
    r->playlist.extension = ts ? "ts" : "m4s";
    r->playlist.independent = true;
}

void sl_live_rendition_clear(struct sl_live_rendition *r)
{
    sl_playlist_clear(&r->playlist);
    sl_free(r->segments);
    sl_free(r->inits);
    r->segments = r->inits = NULL;
}

static enum sl_status parse(struct sl_cid *out, const char *text, const struct sl_live *l,
                            struct sl_error *err)
{
    struct sl_error why = {0};
    return sl_cid_parse(out, text, strlen(text), &why) == SL_OK
               ? SL_OK
               : sl_fail(err, SL_EDATA, l->run, "the registry names \"%.80s\": %s", text, why.msg);
}

/* The number of an init segment; a new one where it has not been seen. */
static enum sl_status number_init(struct sl_live_rendition *r, const struct sl_registry_segment *s,
                                  uint16_t *out, struct sl_error *err)
{
    struct sl_cid cid;
    enum sl_status status;
    *out = 0;
    if (!s->init_cid[0]) {
        return SL_OK;
    }
    status = parse(&cid, s->init_cid, r->live, err);
    for (size_t i = 0; i < r->init_count && !status; i++) {
        if (sl_cid_same(&r->inits[i].cid, &cid)) {
            *out = (uint16_t)i;
            return SL_OK;
        }
    }
    if (!status && sl_grow(&r->inits, &r->inits_capacity, r->init_count, sizeof *r->inits,
                           SL_LIVE_INITS_MAX)) {
        status =
            sl_fail(err, SL_ENOMEM, r->live->run, "more than %d init segments", SL_LIVE_INITS_MAX);
    }
    if (!status) {
        *out = (uint16_t)r->init_count;
        r->inits[r->init_count++] =
            (struct sl_live_file){.cid = cid, .size = s->init_bytes, .queued = true};
    }
    return status;
}

static enum sl_status take_segment(struct sl_live_rendition *r, const struct sl_registry_segment *s,
                                   struct sl_error *err)
{
    struct sl_segment segment = {.duration = s->duration,
                                 .bytes = s->bytes,
                                 .program_time = s->program_time,
                                 .discontinuity = s->discontinuity,
                                 .gap = s->gap};
    size_t index = r->playlist.count;
    enum sl_status status = sl_live_room(r, index, err);
    if (!status && (s->number != (int64_t)index || s->start != r->playlist.total_duration)) {
        status = sl_fail(err, SL_EDATA, r->live->run,
                         "%s: the registry has segment %lld at tick %lld where %zu at %lld follows",
                         r->info.name, (long long)s->number, (long long)s->start, index,
                         (long long)r->playlist.total_duration);
    }
    if (!status && !s->gap) {
        status = parse(&r->segments[index].cid, s->cid, r->live, err);
        r->segments[index].size = s->bytes;
    }
    if (!status) {
        status = number_init(r, s, &segment.init, err);
    }
    return status ? status : sl_playlist_append(&r->playlist, &segment, err);
}

static enum sl_status load_segments(struct sl_live *l, struct sl_live_rendition *r,
                                    struct sl_error *err)
{
    size_t count = SL_REGISTRY_PAGE_MAX;
    enum sl_status status = SL_OK;
    while (!status && count == SL_REGISTRY_PAGE_MAX) {
        struct sl_registry_segment *page = NULL;
        struct sl_registry_segments_query query = {.run = l->run,
                                                   .rendition = r->info.name,
                                                   .first = (int64_t)r->playlist.count,
                                                   .limit = SL_REGISTRY_PAGE_MAX};
        status = sl_registry_segments(l->registry, &query, &page, &count, err);
        for (size_t i = 0; i < count && !status; i++) {
            status = take_segment(r, &page[i], err);
        }
        sl_free(page);
    }
    if (!status && r->info.playlist_cid[0]) {
        status = parse(&r->playlist_cid, r->info.playlist_cid, l, err);
        r->has_text = !status;
    }
    return status;
}

static enum sl_status load_renditions(struct sl_live *l, struct sl_error *err)
{
    struct sl_registry_rendition *all = NULL;
    size_t count = 0;
    enum sl_status status = sl_registry_renditions(l->registry, l->run, &all, &count, err);
    if (!status && count > SL_LIVE_RENDITIONS) {
        status = sl_fail(err, SL_EUNSUPPORTED, l->run, "%zu renditions, expected %d at most", count,
                         SL_LIVE_RENDITIONS);
    }
    for (size_t i = 0; i < count && !status; i++) {
        sl_live_rendition_init(l, &l->renditions[i], &all[i]);
        l->count++;
        status = load_segments(l, &l->renditions[i], err);
    }
    sl_free(all);
    return status;
}

enum sl_status sl_live_load(struct sl_live *l, struct sl_error *err)
{
    struct sl_registry_run run;
    enum sl_status status;
    if (l->claim.created) {
        return SL_OK;
    }
    status = sl_registry_run(l->registry, l->run, true, &run, err);
    if (status) {
        return status;
    }
    if (run.master_cid[0]) {
        status = parse(&l->master_cid, run.master_cid, l, err);
        l->has_master = !status;
        (void)sl_cid_text(&l->master_cid, l->master);
    }
    if (!status && run.profile[0]) {
        /* What is there decides: one run is of one profile. */
        for (int p = SL_STORE_UNIXFS_V1_2025; p <= SL_STORE_UNIXFS_V0; p++) {
            if (!strcmp(sl_profile_get((enum sl_store_profile)p)->name, run.profile)) {
                l->profile = (enum sl_store_profile)p;
            }
        }
    }
    if (!status && l->options && run.options && !sl_live_same_input(l->options, run.options)) {
        status = sl_fail(err, SL_EEXIST, l->run,
                         "the run is of another input; \"sluice runs show\" tells of which");
    }
    if (!status && run.resume) {
        status = sl_live_resume_read(l, run.resume, err);
    }
    sl_registry_run_clear(&run);
    if (!status) {
        status = load_renditions(l, err);
    }
    return status ? status : sl_live_sweep(l, err);
}

int64_t sl_live_program_zero(const struct sl_live *l)
{
    const struct sl_live_rendition *last = NULL;
    const struct sl_segment *s;
    for (size_t i = 0; i < l->count && !last; i++) {
        last = l->renditions[i].playlist.count ? &l->renditions[i] : NULL;
    }
    if (!last) {
        return SL_NO_TIME;
    }
    s = &last->playlist.segments[last->playlist.count - 1];
    return s->program_time == SL_NO_TIME
               ? SL_NO_TIME
               : s->program_time - sl_rescale(last->playlist.total_duration - s->duration,
                                              last->playlist.timebase, sl_rational(1, 1000000),
                                              SL_ROUND_NEAREST);
}

/* ---- pins that nobody needs -------------------------------------------------------------------
 */

struct cids {
    struct sl_cid *items;
    size_t count, capacity;
    const char *name;
    bool failed;
};

static void add_cid(struct cids *c, const struct sl_cid *cid)
{
    if (sl_grow(&c->items, &c->capacity, c->count, sizeof *c->items, SL_REGISTRY_SEGMENTS_MAX)) {
        c->failed = true;
        return;
    }
    c->items[c->count++] = *cid;
}

static void take_pin(void *opaque, const struct sl_cid *cid, const char *name)
{
    struct cids *c = opaque;
    if (!strcmp(name, c->name)) {
        add_cid(c, cid);
    }
}

static int by_digest(const void *a, const void *b)
{
    const struct sl_cid *x = a, *y = b;
    return memcmp(x->digest, y->digest, sizeof x->digest);
}

static void add_known(const struct sl_live *l, struct cids *known)
{
    for (size_t i = 0; i < l->count; i++) {
        const struct sl_live_rendition *r = &l->renditions[i];
        for (size_t k = 0; k < r->playlist.count; k++) {
            add_cid(known, &r->segments[k].cid);
        }
        for (size_t k = 0; k < r->init_count; k++) {
            add_cid(known, &r->inits[k].cid);
        }
        if (r->has_text) {
            add_cid(known, &r->playlist_cid);
        }
    }
    if (l->has_master) {
        add_cid(known, &l->master_cid);
    }
}

enum sl_status sl_live_sweep(struct sl_live *l, struct sl_error *err)
{
    struct cids pins = {.name = l->pin}, known = {0};
    enum sl_status status = sl_cas_pins(l->cas, take_pin, &pins, err);
    add_known(l, &known);
    if (!status && (pins.failed || known.failed)) {
        status = sl_fail_memory(err);
    }
    if (!status && known.count) {
        qsort(known.items, known.count, sizeof *known.items, by_digest);
    }
    for (size_t i = 0; i < pins.count && !status; i++) {
        if (!known.count ||
            !bsearch(&pins.items[i], known.items, known.count, sizeof *known.items, by_digest)) {
            sl_live_unpin(l, &pins.items[i]);
        }
    }
    sl_free(pins.items);
    sl_free(known.items);
    return status;
}
