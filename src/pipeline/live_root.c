/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a run: playlists with ENDLIST, and all of it as one UnixFS directory with relative
 * links, in which no directory has as many as 1,000 entries. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "pipeline/live_run.h"

#define DIRECTORY_ENTRIES 500 /* as sl_playlist_segment_uri deals them out */

struct finish {
    struct sl_live *l;
    struct sl_cas_batch *batch;
    struct sl_cas_info root, master, playlists[SL_LIVE_RENDITIONS];
};

static int cid_version(const struct sl_live *l)
{
    return l->profile == SL_STORE_UNIXFS_V0 ? 0 : 1;
}

static enum sl_status put_directory(struct finish *f, struct sl_cas_dir **d,
                                    struct sl_cas_info *out, struct sl_error *err)
{
    return sl_cas_dir_commit(d, f->l->cas, f->batch, cid_version(f->l), NULL, out, err);
}

/* What a link says of a file; that of an earlier life is looked up once. */
static enum sl_status info_of(struct sl_live *l, struct sl_live_file *file, struct sl_cas_info *out,
                              struct sl_error *err)
{
    enum sl_status status = SL_OK;
    if (file->tsize == 0) {
        status = sl_cas_stat(l->cas, &file->cid, out, err);
        file->size = out->size;
        file->tsize = out->tsize;
    }
    *out = (struct sl_cas_info){
        .cid = file->cid, .kind = SL_STORE_FILE, .size = file->size, .tsize = file->tsize};
    return status;
}

/* Segments from first on, up to the end of their directory. */
static enum sl_status put_segments(struct finish *f, struct sl_live_rendition *r, size_t first,
                                   struct sl_cas_info *out, struct sl_error *err)
{
    struct sl_cas_dir *d = NULL;
    enum sl_status status = sl_cas_dir_open(&d, err);
    for (size_t i = first; i < r->playlist.count && i < first + DIRECTORY_ENTRIES && !status; i++) {
        struct sl_cas_info info;
        char uri[64];
        if (r->playlist.segments[i].gap) {
            continue;
        }
        status = info_of(f->l, &r->segments[i], &info, err);
        sl_playlist_segment_uri(&r->playlist, (uint32_t)i, uri);
        if (!status) {
            status = sl_cas_dir_add(d, strchr(uri, '/') + 1, &info, err);
        }
    }
    if (status) {
        sl_cas_dir_abort(&d);
        return status;
    }
    return put_directory(f, &d, out, err);
}

static enum sl_status stage_text(struct finish *f, struct sl_writer *w, enum sl_status rendered,
                                 struct sl_cas_info *out, struct sl_error *err)
{
    enum sl_status status = rendered ? rendered : sl_live_stage_text(f->l, f->batch, w, out, err);
    sl_writer_clear(w);
    return status;
}

static enum sl_status add_text(struct finish *f, struct sl_cas_dir *d, const char *name,
                               struct sl_writer *w, enum sl_status rendered, struct sl_error *err)
{
    struct sl_cas_info info;
    enum sl_status status = stage_text(f, w, rendered, &info, err);
    return status ? status : sl_cas_dir_add(d, name, &info, err);
}

static enum sl_status add_playlist(struct finish *f, struct sl_live_rendition *r,
                                   struct sl_cas_dir *d, struct sl_error *err)
{
    struct sl_writer w;
    enum sl_status status;
    sl_writer_init(&w, SL_LIVE_TEXT_MAX);
    r->playlist.whole = true; /* nobody has seen it with another type */
    status = sl_playlist_render(&r->playlist, &w, err);
    r->playlist.whole = false;
    return add_text(f, d, SL_OUTPUT_PLAYLIST, &w, status, err);
}

static enum sl_status put_rendition(struct finish *f, struct sl_live_rendition *r,
                                    struct sl_cas_info *out, struct sl_error *err)
{
    struct sl_cas_dir *d = NULL;
    struct sl_cas_info info;
    char name[64];
    enum sl_status status = sl_cas_dir_open(&d, err);
    if (!status) {
        status = add_playlist(f, r, d, err);
    }
    for (size_t i = 0; i < r->init_count && !status; i++) {
        sl_playlist_init_uri(&r->playlist, (unsigned)i, name);
        status = info_of(f->l, &r->inits[i], &info, err);
        if (!status) {
            status = sl_cas_dir_add(d, name, &info, err);
        }
    }
    for (size_t i = 0; i < r->playlist.count && !status; i += DIRECTORY_ENTRIES) {
        status = put_segments(f, r, i, &info, err);
        sl_playlist_segment_uri(&r->playlist, (uint32_t)i, name);
        *strchr(name, '/') = '\0';
        if (!status) {
            status = sl_cas_dir_add(d, name, &info, err);
        }
    }
    if (status) {
        sl_cas_dir_abort(&d);
        return status;
    }
    return put_directory(f, &d, out, err);
}

static enum sl_status put_root(struct finish *f, struct sl_error *err)
{
    struct sl_live *l = f->l;
    struct sl_cas_dir *d = NULL;
    struct sl_writer w;
    enum sl_status status = sl_cas_dir_open(&d, err);
    if (!status) {
        sl_writer_init(&w, SL_LIVE_TEXT_MAX);
        status = sl_live_master_text(l, true, &w, err);
        status = add_text(f, d, "master.m3u8", &w, status, err);
    }
    for (size_t i = 0; i < l->count && !status; i++) {
        struct sl_cas_info info;
        status = put_rendition(f, &l->renditions[i], &info, err);
        if (!status) {
            status = sl_cas_dir_add(d, l->renditions[i].info.name, &info, err);
        }
    }
    if (status) {
        sl_cas_dir_abort(&d);
        return status;
    }
    return put_directory(f, &d, &f->root, err);
}

/* The last texts with links by content. */
static enum sl_status put_texts(struct finish *f, struct sl_error *err)
{
    struct sl_live *l = f->l;
    struct sl_cid before[SL_LIVE_RENDITIONS];
    struct sl_writer w;
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < l->count && !status; i++) {
        struct sl_live_rendition *r = &l->renditions[i];
        sl_writer_init(&w, SL_LIVE_TEXT_MAX);
        status = sl_live_playlist_text(r, &w, err);
        status = stage_text(f, &w, status, &f->playlists[i], err);
    }
    if (status) {
        return status;
    }
    for (size_t i = 0; i < l->count; i++) {
        before[i] = l->renditions[i].playlist_cid;
        l->renditions[i].playlist_cid = f->playlists[i].cid;
    }
    sl_writer_init(&w, SL_LIVE_TEXT_MAX);
    status = sl_live_master_text(l, false, &w, err);
    status = stage_text(f, &w, status, &f->master, err);
    for (size_t i = 0; i < l->count; i++) {
        l->renditions[i].playlist_cid = before[i];
    }
    return status;
}

static enum sl_status store_all(void *arg, struct sl_error *err)
{
    struct finish *f = arg;
    struct sl_live *l = f->l;
    enum sl_status status = sl_cas_batch_open(&f->batch, l->cas, err);
    if (!status) {
        status = put_texts(f, err);
    }
    if (!status) {
        status = put_root(f, err);
    }
    if (!status) {
        status = sl_cas_batch_flush(f->batch, err);
    }
    sl_cas_batch_close(&f->batch);
    const struct sl_cid *pins[SL_LIVE_RENDITIONS + 2] = {&f->root.cid, &f->master.cid};
    for (size_t i = 0; i < l->count; i++) {
        pins[i + 2] = &f->playlists[i].cid;
    }
    return status ? status : sl_live_pin(l, pins, l->count + 2, err);
}

static void queue_text(struct sl_live *l, struct sl_registry_upload *list, size_t *count,
                       const struct sl_cid *now, const struct sl_cid *before)
{
    sl_live_upload(l, list, count, SL_UPLOAD_ADD, now);
    if (before && !sl_cid_same(now, before)) {
        sl_live_upload(l, list, count, SL_UPLOAD_UNPIN, before);
    }
}

static enum sl_status announce_all(void *arg, struct sl_error *err)
{
    struct finish *f = arg;
    struct sl_live *l = f->l;
    struct sl_registry_rendition infos[SL_LIVE_RENDITIONS];
    struct sl_registry_item items[SL_LIVE_RENDITIONS];
    char cids[SL_LIVE_RENDITIONS][SL_CID_TEXT_SIZE];
    struct sl_registry_upload *uploads =
        sl_alloc_array(2 * SL_LIVE_RENDITIONS + 2, sizeof *uploads);
    struct sl_registry_announcement all = {
        .items = items, .item_count = l->count, .uploads = uploads};
    enum sl_status status;
    if (!uploads) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < l->count; i++) {
        infos[i] = l->renditions[i].info;
        items[i] = (struct sl_registry_item){
            .rendition = l->renditions[i].info.name,
            .playlist_cid = sl_cid_text(&f->playlists[i].cid, cids[i]),
        };
        queue_text(l, uploads, &all.upload_count, &f->playlists[i].cid,
                   l->renditions[i].has_text ? &l->renditions[i].playlist_cid : NULL);
    }
    queue_text(l, uploads, &all.upload_count, &f->master.cid,
               l->has_master ? &l->master_cid : NULL);
    status = sl_registry_set_renditions(l->registry, &l->claim, infos, l->count, err);
    if (!status) {
        status = sl_registry_announce(l->registry, &l->claim, &all, NULL, err);
    }
    sl_free(uploads);
    return status;
}

/* The root holds what was held one by one. */
static void unpin_parts(struct finish *f)
{
    struct sl_live *l = f->l;
    for (size_t i = 0; i < l->count; i++) {
        struct sl_live_rendition *r = &l->renditions[i];
        for (size_t k = 0; k < r->playlist.count; k++) {
            if (!r->playlist.segments[k].gap) {
                sl_live_unpin(l, &r->segments[k].cid);
            }
        }
        for (size_t k = 0; k < r->init_count; k++) {
            sl_live_unpin(l, &r->inits[k].cid);
        }
        if (r->has_text && !sl_cid_same(&r->playlist_cid, &f->playlists[i].cid)) {
            sl_live_unpin(l, &r->playlist_cid);
        }
        r->playlist_cid = f->playlists[i].cid;
    }
    if (l->has_master && !sl_cid_same(&l->master_cid, &f->master.cid)) {
        sl_live_unpin(l, &l->master_cid);
    }
    l->master_cid = f->master.cid;
    l->has_master = true;
}

enum sl_status sl_live_finish(struct sl_live *l, char master[SL_STORE_CID_SIZE],
                              char root[SL_STORE_CID_SIZE], struct sl_error *err)
{
    struct finish f = {.l = l};
    enum sl_status status = SL_OK;
    if (l->count == 0) {
        return sl_fail(err, SL_EDATA, l->run, "nothing was published");
    }
    for (size_t i = 0; i < l->count && !status; i++) {
        struct sl_live_rendition *r = &l->renditions[i];
        if (!r->has_text || !sl_playlist_peak(&r->playlist)) {
            status = sl_fail(err, SL_EDATA, l->run, "rendition %s has no segments", r->info.name);
        }
        r->playlist.ended = true;
        r->info.bitrate = sl_playlist_peak(&r->playlist);
        r->info.average_bitrate = sl_playlist_average(&r->playlist);
    }
    if (!status) {
        status = sl_live_persist(l, SL_LIVE_STORE, store_all, &f, err);
    }
    if (!status) {
        status = sl_live_persist(l, SL_LIVE_REGISTRY, announce_all, &f, err);
    }
    if (status) {
        return status;
    }
    unpin_parts(&f);
    (void)sl_cid_text(&f.master.cid, master);
    (void)sl_cid_text(&f.root.cid, root);
    return SL_OK;
}
