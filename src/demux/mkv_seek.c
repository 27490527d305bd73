/* SPDX-License-Identifier: BSD-2-Clause */
/* Going to a time: by Cues where they are of use, else by halving the file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "demux/mkv.h"

#define CUES_MAX      (1u << 20)
#define CUE_POINT_MAX 4096
#define CLOSE_ENOUGH  (256 << 10) /* bytes that are searched from their beginning, not halved */

/* ---- cues --------------------------------------------------------------------------------- */

static enum sl_status add_cue(struct sl_mkv *m, const struct sl_mkv_cue_point *point,
                              struct sl_error *err)
{
    for (size_t i = 0; i < point->positions.list.count; i++) {
        const struct sl_mkv_cue_position *p = &point->positions.items[i];
        if (point->time > INT64_MAX / 4 || p->cluster > (uint64_t)(INT64_MAX / 2 - m->segment)) {
            continue;
        }
        if (m->cue_count == CUES_MAX) {
            m->cues_damaged = true;
            return SL_OK;
        }
        if (sl_grow((void *)&m->cues, &m->cue_capacity, m->cue_count, sizeof *m->cues, CUES_MAX) !=
            SL_OK) {
            return sl_fail_memory(err);
        }
        m->cues[m->cue_count++] =
            (struct sl_mkv_cue){(int64_t)point->time, m->segment + (int64_t)p->cluster, p->track};
    }
    return SL_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct sl_mkv_cue *x = a;
    const struct sl_mkv_cue *y = b;
    return x->ticks < y->ticks ? -1 : x->ticks > y->ticks;
}

/* Whatever is wrong with the index, the file can be searched without it. */
static enum sl_status load_cues(struct sl_mkv *m, struct sl_error *err)
{
    struct sl_error why = {0};
    struct sl_ebml_element parent;
    struct sl_ebml_element e;
    int64_t end = 0;
    enum sl_status status = SL_OK;

    if (m->cues_read || m->cues_at < 0) {
        return SL_OK;
    }
    status = sl_ebml_header(m->window, m->cues_at, &parent, &why);
    if (status == SL_OK && (parent.id != SL_MKV_CUES || parent.size == SL_EBML_UNKNOWN)) {
        status = sl_fail_at(&why, SL_EDATA, m->name, m->cues_at,
                            "EBML element %" PRIX32 " where SeekHead promises Cues", parent.id);
    }
    end = status == SL_OK ? parent.data + parent.size : 0;
    for (int64_t at = parent.data; status == SL_OK && at < end; at = e.data + e.size) {
        struct sl_mkv_cue_point point;
        const uint8_t *data = NULL;
        size_t got = 0;
        status = sl_ebml_header(m->window, at, &e, &why);
        if (status == SL_OK && e.size > end - e.data) {
            status = sl_fail_at(&why, SL_EDATA, m->name, at,
                                "EBML element %" PRIX32 " passes the end of Cues at %" PRId64, e.id,
                                end);
        }
        if (status != SL_OK) {
            break; /* and not one step on: a size may be anything */
        }
        if (e.id != SL_MKV_CUE_POINT || e.size > CUE_POINT_MAX) {
            continue;
        }
        memset(&point, 0, sizeof point);
        status = sl_window_view(m->window, e.data, (size_t)e.size, &data, &got, &why);
        if (status == SL_OK) {
            status = sl_ebml_parse(&sl_mkv_cue_table, &point, data, got, e.data, m->name, &why);
        }
        if (status == SL_OK) {
            status = add_cue(m, &point, &why);
        }
    }
    if (status == SL_EDATA || status == SL_EOF) {
        if (status == SL_EDATA) {
            sl_mkv_tell(m, SL_LOG_WARN, &why, "what follows of Cues is not used");
            m->cues_damaged = true;
        }
        status = SL_OK;
    }
    if (status != SL_OK) {
        if (err && err->status == SL_OK) {
            *err = why;
        }
        sl_free(m->cues);
        m->cues = NULL;
        m->cue_count = m->cue_capacity = 0;
        return status;
    }
    if (m->cue_count > 1) {
        qsort(m->cues, m->cue_count, sizeof *m->cues, by_time);
    }
    m->cues_read = true;
    return SL_OK;
}

/* The cluster of the last cue of this track at or before time; where the track has none, of any
 * other: sound is seldom in Cues, and lies near the pictures. -1: there is none. */
static int64_t find_cue(const struct sl_mkv *m, size_t track, int64_t time)
{
    int64_t found = -1, near = -1;

    for (size_t i = 0; i < m->cue_count; i++) {
        const struct sl_mkv_cue *c = &m->cues[i];
        if (sl_mkv_time(m, track, c->ticks) > time) {
            continue;
        }
        if (c->track == m->tracks[track].number) {
            found = c->cluster;
        } else {
            near = c->cluster;
        }
    }
    return found >= 0 ? found : near;
}

enum sl_status sl_mkv_index(struct sl_demuxer *demuxer, size_t track, struct sl_index *out,
                            struct sl_error *err)
{
    struct sl_mkv *m = (struct sl_mkv *)demuxer;
    int64_t end = sl_window_size(m->window), next = 0;
    enum sl_status status = SL_OK;

    *out = (struct sl_index){.all_tracks = true};
    if (track >= m->demuxer.track_count || !sl_window_seekable(m->window)) {
        return sl_fail(err, SL_EUNSUPPORTED, m->name, "has no index that can be read");
    }
    status = load_cues(m, err);
    if (end < 0 || m->segment_end < end) {
        end = m->segment_end;
    }
    if (m->cues_at > m->first_cluster && m->cues_at < end) {
        end = m->cues_at;
    }
    for (size_t i = 0; i < m->cue_count && status == SL_OK; i++) {
        const struct sl_mkv_cue *c = &m->cues[i];
        if (c->track != m->tracks[track].number) {
            continue;
        }
        if (sl_grow((void *)&out->entries, &out->capacity, out->count, sizeof *out->entries,
                    SL_INDEX_MAX) != SL_OK) {
            status = sl_fail_memory(err);
            break;
        }
        /* the offset for now */
        out->entries[out->count++] =
            (struct sl_index_entry){sl_mkv_time(m, track, c->ticks), c->cluster};
    }
    if (status == SL_OK && (out->count == 0 || m->cues_damaged)) {
        status = sl_fail(err, SL_EUNSUPPORTED, m->name, "has no whole Cues of track %zu", track);
    }
    next = end;
    for (size_t i = out->count; i-- > 0 && status == SL_OK;) {
        int64_t at = out->entries[i].bytes;
        out->entries[i].bytes = next > at && next < INT64_MAX ? next - at : 0;
        next = at;
    }
    if (status != SL_OK) {
        sl_free(out->entries);
        *out = (struct sl_index){.count = 0};
    }
    return status;
}

/* ---- searching ---------------------------------------------------------------------------- */

/* The last sync sample of the track at or before time among the blocks from cluster `from` on, up
 * to the first cluster that is later. *best is left as it was where there is none. */
struct found {
    int64_t cluster; /* -1: nothing yet */
    int64_t time;    /* of the sync sample */
};

static enum sl_status scan(struct sl_mkv *m, size_t track, int64_t from, int64_t before,
                           int64_t time, struct found *best, struct sl_error *err)
{
    uint64_t wanted = m->wanted;
    bool selected = m->selected;
    bool strict = m->strict;
    const struct sl_log *log = m->log;
    enum sl_status status = SL_OK;

    if (track < 64) { /* beyond, every track is read */
        m->wanted = UINT64_C(1) << track;
        m->selected = true;
    } else {
        m->selected = false;
    }
    m->strict = false;
    m->log = NULL; /* damage is told when it is read */
    sl_mkv_go_to(m, from);
    int64_t cluster = from;
    for (;;) {
        int64_t t = 0;
        status = sl_mkv_next_block(m, err);
        if (status != SL_OK) {
            break;
        }
        if (m->cluster_at != cluster) {
            cluster = m->cluster_at;
            /* Clusters are in order of time, but pictures within them are not: one whose own time
             * is later holds nothing that counts. */
            if (cluster >= before || sl_mkv_time(m, track, m->cluster_time) > time) {
                break;
            }
        }
        if (m->block.track != track) {
            continue;
        }
        t = sl_mkv_time(m, track, m->block.ticks);
        if ((m->block.key || m->tracks[track].intra) && t <= time &&
            (best->cluster < 0 || t >= best->time)) {
            best->cluster = cluster;
            best->time = t;
        }
        if (best->cluster >= 0 && best->time == time) {
            break; /* none can be better */
        }
    }
    m->wanted = wanted;
    m->selected = selected;
    m->strict = strict;
    m->log = log;
    if (status == SL_EOF || status == SL_EDATA) {
        if (err) {
            memset(err, 0, sizeof *err);
        }
        status = SL_OK;
    }
    return status;
}

/* The last cluster in [low, high) whose time is not after time; low where none is. */
static enum sl_status halve(struct sl_mkv *m, size_t track, int64_t low, int64_t high, int64_t time,
                            int64_t *out, struct sl_error *err)
{
    while (high - low > CLOSE_ENOUGH) {
        int64_t middle = low + (high - low) / 2;
        int64_t at = middle;
        int64_t ticks = 0;
        bool yes = false;
        enum sl_status status = sl_mkv_find_cluster(m, &at, err);
        if (status == SL_OK && at < high) {
            status = sl_mkv_is_cluster(m, at, &yes, &ticks, err);
        }
        if (status != SL_OK && status != SL_EOF) {
            return status;
        }
        if (yes && sl_mkv_time(m, track, ticks) <= time) {
            low = at;
        } else {
            high = middle;
        }
    }
    *out = low;
    return SL_OK;
}

/* Halves the file, then goes back in growing steps until there is a sync sample. */
static enum sl_status search(struct sl_mkv *m, size_t track, int64_t time, struct found *best,
                             struct sl_error *err)
{
    int64_t first = m->first_cluster;
    int64_t end = sl_window_size(m->window);
    int64_t before = INT64_MAX;
    int64_t low = first;
    int64_t step = 1 << 20;
    enum sl_status status = SL_OK;

    if (end < 0 || (m->segment_end < end && m->segment_end > first)) {
        end = m->segment_end;
    }
    status = halve(m, track, first, end, time, &low, err);
    while (status == SL_OK) {
        status = scan(m, track, low, before, time, best, err);
        if (status != SL_OK || best->cluster >= 0 || low <= first) {
            break;
        }
        before = low;
        low = low - first > step ? low - step : first;
        step *= 2;
        if (low > first) {
            int64_t at = low;
            status = sl_mkv_find_cluster(m, &at, err);
            low = status == SL_OK && at < before ? at : first;
            status = status == SL_EOF ? SL_OK : status;
        }
    }
    return status;
}

enum sl_status sl_mkv_seek_to(struct sl_demuxer *demuxer, size_t track, int64_t time,
                              struct sl_error *err)
{
    struct sl_mkv *m = (struct sl_mkv *)demuxer;
    struct found best = {.cluster = -1};
    int64_t cue = -1;
    bool yes = false;
    int64_t ticks = 0;
    enum sl_status status = SL_OK;

    if (track >= m->demuxer.track_count) {
        return sl_fail(err, SL_EINVAL, m->name, "track %zu of %zu", track, m->demuxer.track_count);
    }
    if (!sl_window_seekable(m->window)) {
        return sl_fail(err, SL_EUNSUPPORTED, m->name,
                       "this input can only be read from its beginning to its end");
    }
    m->resume_time = SL_NO_TIME;
    if (m->first_cluster < 0) {
        return SL_OK;
    }
    status = load_cues(m, err);
    cue = find_cue(m, track, time);
    if (status == SL_OK && cue >= 0) {
        status = sl_mkv_is_cluster(m, cue, &yes, &ticks, err);
        if (status == SL_OK && yes) {
            status = scan(m, track, cue, INT64_MAX, time, &best, err);
        }
    }
    if (status == SL_OK && best.cluster < 0) {
        status = search(m, track, time, &best, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (best.cluster < 0) {
        /* None is that early: to the first one. */
        best = (struct found){m->first_cluster, SL_NO_TIME + 1};
    }
    sl_mkv_go_to(m, best.cluster);
    m->resume_track = track;
    m->resume_time = best.time;
    m->resume_at = time;
    return SL_OK;
}
