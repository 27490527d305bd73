/* SPDX-License-Identifier: BSD-2-Clause */
/* The EBML header and the segment's children but clusters, in whatever order they stand. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "demux/mkv.h"

#define HEAD_MAX (64 << 10) /* EBML header */
#define INFO_MAX (1 << 20)
#define SEEK_MAX 1024
#define TAG_MAX  (256 << 10)
#define TAGS_MAX 65536 /* that are looked at */

/* Blocks that are looked at before the first one is given out, and how far away the last may be on
 * an input that has to be held for it. */
#define AHEAD_BLOCKS 512
#define AHEAD_BYTES  (16 << 20)
#define BELIEVED     3 /* blocks on a grid that begins at 0 */

/* The whole data of an element that is small by nature. */
static enum sl_status view_data(struct sl_mkv *m, const struct sl_ebml_element *e, int64_t max,
                                const char *what, const uint8_t **data, struct sl_error *err)
{
    size_t got = 0;
    enum sl_status status = SL_OK;

    if (e->size > max) {
        if (e->size == SL_EBML_UNKNOWN) {
            return sl_fail_at(err, SL_EDATA, m->name, e->offset,
                              "%s of unknown size, only Segment and Cluster may be", what);
        }
        return sl_fail_at(err, SL_EDATA, m->name, e->offset,
                          "%s of %" PRId64 " bytes, at most %" PRId64 " are allowed", what, e->size,
                          max);
    }
    status = sl_window_view(m->window, e->data, (size_t)e->size, data, &got, err);
    if (status == SL_OK && (int64_t)got < e->size) {
        return sl_fail_at(err, SL_EDATA, m->name, e->offset,
                          "is cut short: it ends within %s of %" PRId64 " bytes", what, e->size);
    }
    return status;
}

/* ---- EBML header and segment -------------------------------------------------------------- */

static enum sl_status read_ebml(struct sl_mkv *m, const struct sl_ebml_element *e,
                                struct sl_error *err)
{
    struct sl_mkv_ebml_head head = sl_mkv_ebml_head_default;
    const uint8_t *data = NULL;
    enum sl_status status = view_data(m, e, HEAD_MAX, "the EBML header", &data, err);

    if (status == SL_OK) {
        status = sl_ebml_parse(&sl_mkv_ebml_head_table, &head, data, (size_t)e->size, e->data,
                               m->name, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (strcmp(head.doc_type, "matroska") != 0 && strcmp(head.doc_type, "webm") != 0) {
        return sl_fail_at(
            err, SL_EUNSUPPORTED, m->name, e->offset,
            "an EBML document of another type, \"matroska\" or \"webm\" was expected");
    }
    if (head.read_version > 1 || head.id_length > 4 || head.size_length > 8 ||
        head.doc_read_version > 4) {
        return sl_fail_at(
            err, SL_EUNSUPPORTED, m->name, e->offset,
            "needs a reader of EBML version %" PRIu64 " and Matroska version %" PRIu64
            " with IDs of %" PRIu64 " and sizes of %" PRIu64 " bytes; 1, 4, 4 and 8 are known",
            head.read_version, head.doc_read_version, head.id_length, head.size_length);
    }
    return SL_OK;
}

/* To the segment's first child. */
static enum sl_status find_segment(struct sl_mkv *m, struct sl_error *err)
{
    bool have_head = false;
    int64_t at = 0;

    for (;;) {
        struct sl_ebml_element e;
        enum sl_status status = sl_ebml_header(m->window, at, &e, err);
        if (status == SL_EOF) {
            return sl_fail_at(err, SL_EDATA, m->name, at, "ends before %s",
                              have_head ? "the Segment" : "the EBML header");
        }
        if (status == SL_OK && e.id == SL_EBML_ID_HEADER) {
            status = read_ebml(m, &e, err);
            have_head = true;
        } else if (status == SL_OK && e.id == SL_MKV_SEGMENT && have_head) {
            m->segment = e.data;
            m->segment_end = e.size == SL_EBML_UNKNOWN ? INT64_MAX : e.data + e.size;
            return SL_OK;
        } else if (status == SL_OK && e.size == SL_EBML_UNKNOWN) {
            return sl_fail_at(err, SL_EDATA, m->name, at,
                              "EBML element %" PRIX32
                              " of unknown size stands where %s was expected",
                              e.id, have_head ? "the Segment" : "the EBML header");
        }
        if (status != SL_OK) {
            return status;
        }
        at = e.data + e.size;
    }
}

/* ---- children of the segment -------------------------------------------------------------- */

static enum sl_status read_info(struct sl_mkv *m, const struct sl_ebml_element *e,
                                struct sl_error *err)
{
    struct sl_mkv_info info = sl_mkv_info_default;
    const uint8_t *data = NULL;
    enum sl_status status = view_data(m, e, INFO_MAX, "Info", &data, err);

    if (status == SL_OK) {
        status =
            sl_ebml_parse(&sl_mkv_info_table, &info, data, (size_t)e->size, e->data, m->name, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (info.scale < 1 || info.scale > INT32_MAX) {
        return sl_fail_at(err, SL_EDATA, m->name, e->offset,
                          "TimestampScale of %" PRIu64 " ns, 1 to %d are allowed", info.scale,
                          INT32_MAX);
    }
    m->scale = (int64_t)info.scale;
    m->duration = info.duration > 0 && info.duration < (double)(INT64_MAX / 4)
                      ? (int64_t)(info.duration + 0.5)
                      : -1;
    m->have_info = true;
    return SL_OK;
}

static enum sl_status read_entry(struct sl_mkv *m, const struct sl_ebml_element *e,
                                 struct sl_error *err)
{
    struct sl_mkv_entry entry = sl_mkv_entry_default;
    const uint8_t *data = NULL;
    enum sl_status status = view_data(m, e, SL_MKV_ENTRY_MAX, "a TrackEntry", &data, err);

    if (status == SL_OK) {
        status = sl_ebml_parse(&sl_mkv_entry_table, &entry, data, (size_t)e->size, e->data, m->name,
                               err);
    }
    return status == SL_OK ? sl_mkv_add_track(m, &entry, e->offset, err) : status;
}

/* An entry of SeekHead: where something of interest is. */
static enum sl_status read_seek(struct sl_mkv *m, const struct sl_ebml_element *e,
                                struct sl_error *err)
{
    struct sl_mkv_seek seek = {.position = UINT64_MAX};
    const uint8_t *data = NULL;
    uint32_t id = 0;
    int64_t at = 0;
    enum sl_status status = view_data(m, e, SEEK_MAX, "a Seek", &data, err);

    if (status == SL_OK) {
        status =
            sl_ebml_parse(&sl_mkv_seek_table, &seek, data, (size_t)e->size, e->data, m->name, err);
    }
    if (status != SL_OK || seek.position > (uint64_t)(INT64_MAX / 2 - m->segment) ||
        seek.id.size > 4) {
        return status;
    }
    for (size_t i = 0; i < seek.id.size; i++) {
        id = id << 8 | seek.id.data[i];
    }
    at = m->segment + (int64_t)seek.position;
    int64_t *to = id == SL_MKV_INFO     ? &m->info_at
                  : id == SL_MKV_TRACKS ? &m->tracks_at
                  : id == SL_MKV_TAGS   ? &m->tags_at
                  : id == SL_MKV_CUES   ? &m->cues_at
                                        : NULL;
    if (to && *to < 0) {
        *to = at;
    }
    if (id == SL_MKV_SEEK_HEAD &&
        m->seek_head_count < sizeof m->seek_heads / sizeof *m->seek_heads) {
        for (size_t i = 0; i < m->seek_head_count; i++) {
            if (m->seek_heads[i] == at) {
                return SL_OK; /* a ring of them */
            }
        }
        m->seek_heads[m->seek_head_count++] = at;
    }
    return SL_OK;
}

/* What mkvmerge counted: the only tag that a track has room for. */
static enum sl_status read_tag(struct sl_mkv *m, const struct sl_ebml_element *e,
                               struct sl_error *err)
{
    struct sl_mkv_tag tag;
    const uint8_t *data = NULL;
    enum sl_status status = SL_OK;

    memset(&tag, 0, sizeof tag);
    status = view_data(m, e, TAG_MAX, "a Tag", &data, err);
    if (status == SL_OK) {
        status =
            sl_ebml_parse(&sl_mkv_tag_table, &tag, data, (size_t)e->size, e->data, m->name, err);
    }
    if (status != SL_OK || tag.track_uid == 0) {
        return status;
    }
    for (size_t i = 0; i < tag.tags.list.count; i++) {
        long long rate = 0;
        if (strcmp(tag.tags.items[i].name, "BPS") != 0) {
            continue;
        }
        rate = strtoll(tag.tags.items[i].text, NULL, 10);
        for (size_t k = 0; k < m->demuxer.track_count; k++) {
            if (m->tracks[k].uid == tag.track_uid && rate > 0) {
                m->demuxer.tracks[k].bitrate = rate;
            }
        }
    }
    return SL_OK;
}

/* Every child of a master that has one kind of interesting ones, through the window: a master may
 * be large, its children are not. */
static enum sl_status each_child(
    struct sl_mkv *m, const struct sl_ebml_element *parent, uint32_t id, size_t max,
    enum sl_status (*take)(struct sl_mkv *m, const struct sl_ebml_element *e, struct sl_error *err),
    struct sl_error *err)
{
    int64_t end = parent->data + parent->size;
    struct sl_ebml_element e;

    for (int64_t at = parent->data; at < end && max > 0; at = e.data + e.size) {
        enum sl_status status = sl_ebml_header(m->window, at, &e, err);
        if (status == SL_EOF) {
            return sl_fail_at(err, SL_EDATA, m->name, at,
                              "is cut short: it ends within EBML element %" PRIX32, parent->id);
        }
        if (status == SL_OK && e.size > end - e.data) {
            return sl_fail_at(err, SL_EDATA, m->name, at,
                              "EBML element %" PRIX32 " passes the end of its parent %" PRIX32
                              " at %" PRId64,
                              e.id, parent->id, end);
        }
        if (status == SL_OK && e.id == id) {
            status = take(m, &e, err);
            max--;
        }
        if (status != SL_OK) {
            return status;
        }
    }
    return SL_OK;
}

/* Damage in what playing can do without is told and passed over, unless reading is strict. */
static enum sl_status spare(struct sl_mkv *m, enum sl_status status, const struct sl_error *why,
                            const char *what, struct sl_error *err)
{
    if (status == SL_EDATA && !m->strict) {
        sl_mkv_tell(m, SL_LOG_WARN, why, what);
        return SL_OK;
    }
    if (status != SL_OK && err && err->status == SL_OK) {
        *err = *why;
    }
    return status;
}

/* A child of the segment that is not a cluster. */
static enum sl_status read_child(struct sl_mkv *m, const struct sl_ebml_element *e,
                                 struct sl_error *err)
{
    struct sl_error why = {0};
    enum sl_status status = SL_OK;

    switch (e->id) {
    case SL_MKV_INFO:
        return m->have_info ? SL_OK : read_info(m, e, err);
    case SL_MKV_TRACKS:
        if (m->have_tracks) {
            return SL_OK; /* 5.1.4: a repetition is the same */
        }
        m->have_tracks = true;
        return each_child(m, e, SL_MKV_TRACK_ENTRY, SIZE_MAX, read_entry, err);
    case SL_MKV_SEEK_HEAD:
        status = each_child(m, e, SL_MKV_SEEK, SEEK_MAX, read_seek, &why);
        return spare(m, status, &why, "this SeekHead is passed over", err);
    case SL_MKV_TAGS:
        if (!m->have_tracks || m->have_tags) {
            m->tags_at = m->tags_at < 0 ? e->offset : m->tags_at;
            return SL_OK;
        }
        m->have_tags = true;
        status = each_child(m, e, SL_MKV_TAG, TAGS_MAX, read_tag, &why);
        return spare(m, status, &why, "tags are passed over", err);
    case SL_MKV_CUES:
        m->cues_at = e->offset; /* met here: surer than what SeekHead said */
        return SL_OK;
    default:
        return SL_OK;
    }
}

/* Goes from child to child until have is true or, where it is NULL, to the first cluster; clusters
 * are passed over then. *pos is where it ended. */
static enum sl_status walk(struct sl_mkv *m, int64_t *pos, const bool *have, struct sl_error *err)
{
    while (!have || !*have) {
        struct sl_ebml_element e;
        enum sl_status status = SL_OK;
        if (*pos >= m->segment_end) {
            return SL_EOF;
        }
        status = sl_ebml_header(m->window, *pos, &e, err);
        if (status != SL_OK) {
            return status;
        }
        if (e.id == SL_MKV_CLUSTER) {
            if (m->first_cluster < 0) {
                m->first_cluster = e.offset;
            }
            if (!have) {
                return SL_OK;
            }
        }
        if (e.size == SL_EBML_UNKNOWN) {
            if (e.id == SL_MKV_CLUSTER) {
                *pos = e.data; /* its children are small steps on the way */
                continue;
            }
            return sl_fail_at(
                err, SL_EDATA, m->name, *pos,
                "EBML element %" PRIX32 " has an unknown size, only Segment and Cluster may", e.id);
        }
        status = read_child(m, &e, err);
        if (status != SL_OK) {
            return status;
        }
        *pos = e.data + e.size;
    }
    return SL_OK;
}

/* What SeekHead points at, if it is that. */
static enum sl_status visit(struct sl_mkv *m, int64_t at, uint32_t id, struct sl_error *err)
{
    struct sl_ebml_element e;
    enum sl_status status = SL_OK;

    if (at < 0) {
        return SL_OK;
    }
    status = sl_ebml_header(m->window, at, &e, NULL);
    if (status == SL_EOF || status == SL_EDATA) {
        return SL_OK; /* the file was cut, or changed by hand */
    }
    if (status != SL_OK) {
        return sl_ebml_header(m->window, at, &e, err);
    }
    if (e.id != id || e.size == SL_EBML_UNKNOWN) {
        sl_log_write(m->log, SL_LOG_WARN, "demux",
                     "%s: offset %" PRId64 ": EBML element %" PRIX32
                     " where SeekHead promises %" PRIX32,
                     m->name, at, e.id, id);
        return SL_OK;
    }
    return read_child(m, &e, err);
}

/* SeekHead is followed where the input can jump. Tags are worth a look only where that is cheap. */
static enum sl_status follow_seek_heads(struct sl_mkv *m, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    bool all = !m->have_info || !m->have_tracks;

    if (!sl_window_seekable(m->window)) {
        return SL_OK;
    }
    while (status == SL_OK && m->seek_head_next < m->seek_head_count &&
           (all || sl_window_file(m->window))) {
        status = visit(m, m->seek_heads[m->seek_head_next++], SL_MKV_SEEK_HEAD, err);
    }
    if (status == SL_OK && !m->have_info) {
        status = visit(m, m->info_at, SL_MKV_INFO, err);
    }
    if (status == SL_OK && !m->have_tracks) {
        status = visit(m, m->tracks_at, SL_MKV_TRACKS, err);
    }
    if (status == SL_OK && !m->have_tracks) {
        int64_t pos = m->first_cluster >= 0 ? m->first_cluster : m->segment;
        status = walk(m, &pos, &m->have_tracks, err);
        status = status == SL_EOF ? SL_OK : status;
    }
    if (status == SL_OK && sl_window_file(m->window) && !m->have_tags) {
        status = visit(m, m->tags_at, SL_MKV_TAGS, err);
    }
    return status;
}

enum sl_status sl_mkv_read_head(struct sl_mkv *m, struct sl_error *err)
{
    int64_t pos = 0;
    enum sl_status status = find_segment(m, err);

    if (status != SL_OK) {
        return status;
    }
    pos = m->segment;
    status = walk(m, &pos, NULL, err);
    if (status == SL_OK || status == SL_EOF) {
        status = follow_seek_heads(m, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (m->demuxer.track_count == 0) {
        return sl_fail_at(err, SL_EDATA, m->name, pos, "no track is described%s",
                          m->have_tracks || sl_window_seekable(m->window)
                              ? ""
                              : " before the first Cluster, and this input cannot be searched");
    }
    for (size_t i = 0; i < m->demuxer.track_count; i++) {
        sl_mkv_clock_init(m, i);
    }
    if (m->duration >= 0) {
        m->demuxer.duration = sl_rescale(m->duration, sl_rational(m->scale, 1000000000),
                                         sl_rational(1, 1000000), SL_ROUND_NEAREST);
    }
    sl_mkv_go_to(m, m->first_cluster >= 0 ? m->first_cluster : pos);
    return SL_OK;
}

/* ---- the first blocks --------------------------------------------------------------------- */

/* What a track still needs from its blocks. */
static bool needs_blocks(const struct sl_mkv *m, size_t track, bool patient)
{
    const struct sl_mkv_track *t = &m->tracks[track];
    const struct sl_mkv_clock *c = &t->clock;

    if (t->needs_config) {
        return true;
    }
    /* What is looked at on a server is fetched twice: there the first blocks are believed. */
    return c->frame > 0 && c->seen < c->period && (patient || c->seen < BELIEVED || c->off_zero);
}

static enum sl_status learn_config(struct sl_mkv *m, struct sl_error *err)
{
    struct sl_mkv_block *b = &m->block;
    struct sl_mkv_track *t = &m->tracks[b->track];
    struct sl_chain chain;
    struct sl_buf *buf = NULL;
    enum sl_status status = SL_OK;

    sl_chain_init(&chain);
    status = sl_mkv_payload(m, t, b->payload, b->sizes[0], &chain, err);
    if (status == SL_OK) {
        status = sl_chain_load(&chain, &buf, err);
    }
    if (status == SL_OK) {
        status = sl_mkv_config_from_frame(&m->demuxer.tracks[b->track], buf->data, buf->size, err);
        if (status == SL_OK) {
            t->needs_config = false;
        } else if (status == SL_EAGAIN) {
            status = SL_OK; /* perhaps the next one */
        }
    }
    sl_buf_unref(&buf);
    sl_chain_clear(&chain);
    return status;
}

enum sl_status sl_mkv_look_ahead(struct sl_mkv *m, struct sl_error *err)
{
    bool patient = sl_window_file(m->window) || !sl_window_seekable(m->window);
    const struct sl_log *log = m->log;
    int64_t start = m->pos;
    enum sl_status status = SL_OK;

    m->log = NULL; /* what is wrong with them is told when they are read */
    /* From here on, since a group's elements are read from both sides of its payload. */
    sl_window_keep(m->window, true);
    m->ahead = true;
    for (int blocks = 0; blocks < AHEAD_BLOCKS && status == SL_OK; blocks++) {
        bool wanted = false;
        for (size_t i = 0; i < m->demuxer.track_count; i++) {
            wanted = wanted || needs_blocks(m, i, patient);
        }
        if (!wanted || (m->pos - start > AHEAD_BYTES && !sl_window_file(m->window))) {
            break;
        }
        status = sl_mkv_next_block(m, err);
        if (status == SL_OK) {
            struct sl_mkv_track *t = &m->tracks[m->block.track];
            if (t->clock.frame > 0) {
                (void)sl_mkv_clock_learn(&t->clock, m->block.ticks);
            }
            if (t->needs_config && m->block.key && m->block.sizes[0] > 0) {
                status = learn_config(m, err);
            }
        }
    }
    m->ahead = false;
    m->log = log;
    m->told_unknown = false;
    m->told_end = false;
    if (status == SL_EOF || (status == SL_EDATA && !m->strict)) {
        if (err) {
            memset(err, 0, sizeof *err);
        }
        status = SL_OK;
    }
    for (size_t i = 0; i < m->demuxer.track_count; i++) {
        sl_mkv_clock_settle(&m->tracks[i].clock);
    }
    sl_mkv_go_to(m, start);
    return status;
}
