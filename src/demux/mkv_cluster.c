/* SPDX-License-Identifier: BSD-2-Clause */
/* From element to element through segment and clusters, and over damage. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "demux/mkv.h"

#define SEARCH_STEP ((size_t)64 << 10) /* bytes looked through at once */
#define LOOK        64                 /* bytes in which a cluster shows that it is one */

void sl_mkv_tell(struct sl_mkv *m, enum sl_log_level level, const struct sl_error *why,
                 const char *what)
{
    if (why->has_offset) {
        sl_log_write(m->log, level, "demux", "%s: offset %" PRId64 ": %s: %s", m->name, why->offset,
                     why->msg, what);
    } else {
        sl_log_write(m->log, level, "demux", "%s: %s: %s", m->name, why->msg, what);
    }
}

void sl_mkv_go_to(struct sl_mkv *m, int64_t offset)
{
    m->pos = offset;
    m->in_cluster = false;
    m->have_time = false;
    m->have_block = false;
    m->searching = false;
}

/* ---- finding clusters --------------------------------------------------------------------- */

/* A cluster's size fits, and a Timestamp is its first child but for padding and checksum. */
enum sl_status sl_mkv_is_cluster(struct sl_mkv *m, int64_t at, bool *yes, int64_t *ticks,
                                 struct sl_error *err)
{
    static const struct sl_ebml_field fields[] = {{SL_MKV_TIMESTAMP, SL_EBML_UINT, 0, 0, NULL}};
    static const struct sl_ebml_table table = {"Cluster", SL_EBML_FIELDS(fields), 0, 0, NULL};
    const uint8_t *data = NULL;
    size_t got = 0;
    size_t pos = 0;
    struct sl_ebml_element e;
    int64_t limit = sl_window_size(m->window);
    enum sl_status status = sl_window_view(m->window, at, LOOK, &data, &got, err);

    *yes = false;
    if (status != SL_OK) {
        return status;
    }
    if (sl_ebml_parse_header(data, got, at, m->name, &e, NULL) != SL_OK || e.id != SL_MKV_CLUSTER) {
        return SL_OK;
    }
    if (e.size != SL_EBML_UNKNOWN &&
        ((limit >= 0 && e.data + e.size > limit) || e.data + e.size > m->segment_end)) {
        return SL_OK;
    }
    pos = (size_t)(e.data - at);
    while (sl_ebml_parse_header(data + pos, got - pos, at + (int64_t)pos, m->name, &e, NULL) ==
           SL_OK) {
        size_t end = (size_t)(e.data - at);
        if (e.size == SL_EBML_UNKNOWN || e.size > (int64_t)(got - end)) {
            return SL_OK;
        }
        if (e.id == SL_MKV_TIMESTAMP) {
            uint64_t value = 0;
            if (sl_ebml_parse(&table, &value, data + pos, end + (size_t)e.size - pos, e.offset,
                              m->name, NULL) == SL_OK &&
                value <= INT64_MAX / 4) {
                *yes = true;
                *ticks = (int64_t)value;
            }
            return SL_OK;
        }
        if (e.id != SL_EBML_ID_VOID && e.id != SL_EBML_ID_CRC32) {
            return SL_OK;
        }
        pos = end + (size_t)e.size;
    }
    return SL_OK;
}

enum sl_status sl_mkv_find_cluster(struct sl_mkv *m, int64_t *at, struct sl_error *err)
{
    static const uint8_t id[4] = {0x1f, 0x43, 0xb6, 0x75};

    for (;;) {
        const uint8_t *data = NULL;
        const uint8_t *found = NULL;
        size_t got = 0;
        size_t want = sl_window_held(m->window, *at);
        int64_t ticks = 0;
        bool yes = false;
        enum sl_status status = SL_OK;

        /* What is held first; a live source is not asked for more than a look needs. */
        if (want < LOOK) {
            want = sl_window_seekable(m->window) ? SEARCH_STEP : LOOK;
        } else if (want > SEARCH_STEP) {
            want = SEARCH_STEP;
        }
        status = sl_window_view(m->window, *at, want, &data, &got, err);
        if (status != SL_OK) {
            return status;
        }
        found = got >= sizeof id ? memmem(data, got, id, sizeof id) : NULL;
        if (!found) {
            if (got < want) {
                return SL_EOF;
            }
            *at += (int64_t)(got - (sizeof id - 1));
        } else {
            *at += found - data;
            status = sl_mkv_is_cluster(m, *at, &yes, &ticks, err);
            if (status != SL_OK || yes) {
                return status;
            }
            *at += 1;
        }
    }
}

/* ---- damage ------------------------------------------------------------------------------- */

/* What stands at m->pos cannot be. Strict reading ends here, other reading looks for a cluster. */
static enum sl_status damaged(struct sl_mkv *m, const struct sl_error *why, struct sl_error *err)
{
    if (m->strict) {
        if (err && err->status == SL_OK) {
            *err = *why;
        }
        return SL_EDATA;
    }
    m->damage = *why;
    m->lost_from = m->pos;
    m->search_at = m->pos + 1;
    m->searching = true;
    return SL_OK;
}

static enum sl_status search_on(struct sl_mkv *m, struct sl_error *err)
{
    char what[96];
    enum sl_status status = sl_mkv_find_cluster(m, &m->search_at, err);

    if (status != SL_OK && status != SL_EOF) {
        sl_window_release(m->window, m->search_at);
        return status;
    }
    if (status == SL_EOF) {
        (void)snprintf(what, sizeof what, "no cluster follows, all from %" PRId64 " on is lost",
                       m->lost_from);
    } else {
        (void)snprintf(what, sizeof what,
                       "%" PRId64 " bytes are lost, reading goes on with the cluster at %" PRId64,
                       m->search_at - m->lost_from, m->search_at);
    }
    sl_mkv_tell(m, SL_LOG_WARN, &m->damage, what);
    sl_mkv_go_to(m, m->search_at);
    if (status == SL_EOF) {
        m->pos = INT64_MAX; /* and stays there */
    }
    return status;
}

/* The input ends at m->pos. Pushed bytes are often a part of a file on purpose: there it is right
 * to end where a cluster ends. */
static enum sl_status at_end(struct sl_mkv *m, struct sl_error *err)
{
    int64_t wanted = m->segment_end;
    int64_t size = sl_window_size(m->window);

    if (m->pos < size) {
        return sl_fail_at(err, SL_EDATA, m->name, m->pos,
                          "is cut short: it ends within the header of an EBML element");
    }
    if (sl_window_pushed(m->window)) {
        wanted = INT64_MAX;
    }
    if (m->in_cluster && m->cluster_end < wanted) {
        wanted = m->cluster_end;
    }
    if (wanted == INT64_MAX || m->pos >= wanted) {
        return SL_EOF;
    }
    return sl_fail_at(err, SL_EDATA, m->name, m->pos,
                      "is cut short: the %s states that it ends at %" PRId64,
                      m->in_cluster && wanted == m->cluster_end ? "Cluster" : "Segment", wanted);
}

/* An element's data passes the end of what it is in. Where the input itself ends, it is cut short;
 * that is for whoever reads on to find out. */
static enum sl_status check_extent(struct sl_mkv *m, const struct sl_ebml_element *e,
                                   struct sl_error *why)
{
    int64_t end = m->in_cluster ? m->cluster_end : m->segment_end;
    int64_t size = sl_window_size(m->window);

    if (e->size == SL_EBML_UNKNOWN) {
        return sl_fail_at(
            why, SL_EDATA, m->name, e->offset,
            "EBML element %" PRIX32 " has an unknown size, only Segment and Cluster may", e->id);
    }
    if (e->data + e->size > end) {
        return sl_fail_at(why, SL_EDATA, m->name, e->offset,
                          "EBML element %" PRIX32 " of %" PRId64
                          " bytes passes the end of its %s at %" PRId64,
                          e->id, e->size, m->in_cluster ? "Cluster" : "Segment", end);
    }
    if (end == INT64_MAX && size >= 0 && e->data + e->size > size) {
        return sl_fail_at(why, SL_EDATA, m->name, e->offset,
                          "EBML element %" PRIX32 " of %" PRId64
                          " bytes passes the end of the input at %" PRId64,
                          e->id, e->size, size);
    }
    return SL_OK;
}

/* ---- elements ----------------------------------------------------------------------------- */

static enum sl_status read_timestamp(struct sl_mkv *m, const struct sl_ebml_element *e,
                                     struct sl_error *why, struct sl_error *err)
{
    const uint8_t *data = NULL;
    size_t got = 0;
    uint64_t value = 0;
    enum sl_status status = SL_OK;

    if (e->size <= 8) {
        status = sl_window_view(m->window, e->data, (size_t)e->size, &data, &got, err);
        if (status != SL_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < got; i++) {
        value = value << 8 | data[i];
    }
    if (e->size > 8 || (int64_t)got < e->size || value > INT64_MAX / 4) {
        return sl_fail_at(why, SL_EDATA, m->name, e->offset,
                          "Timestamp of %" PRId64 " bytes, a number below 2^61 is allowed",
                          e->size);
    }
    m->cluster_time = (int64_t)value;
    m->have_time = true;
    return SL_OK;
}

static enum sl_status read_group_number(struct sl_mkv *m, const struct sl_ebml_element *e,
                                        uint64_t *value, struct sl_error *err)
{
    const uint8_t *data = NULL;
    size_t got = 0;
    enum sl_status status = SL_OK;

    *value = 0;
    if (e->size > 8) {
        return SL_OK;
    }
    status = sl_window_view(m->window, e->data, (size_t)e->size, &data, &got, err);
    for (size_t i = 0; status == SL_OK && i < got; i++) {
        *value = *value << 8 | data[i];
    }
    if (status == SL_OK && e->id == SL_MKV_DISCARD_PADDING && got > 0 && got < 8 &&
        (data[0] & 0x80)) {
        *value |= UINT64_MAX << (8 * got); /* the one that is signed */
    }
    return status;
}

/* 5.1.3.5. *why is set where the group is damaged. */
static enum sl_status read_group(struct sl_mkv *m, const struct sl_ebml_element *group,
                                 struct sl_error *why, struct sl_error *err)
{
    struct sl_ebml_element e;
    struct sl_ebml_element block = {.id = 0};
    int64_t end = group->data + group->size;
    int64_t duration = -1;
    int64_t discard = 0;
    bool key = true;
    enum sl_status status = SL_OK;

    for (int64_t at = group->data; at < end; at = e.data + e.size) {
        uint64_t value = 0;
        status = sl_ebml_header(m->window, at, &e, why);
        if (status == SL_EOF) {
            return sl_fail_at(err, SL_EDATA, m->name, at,
                              "is cut short: it ends within a BlockGroup");
        }
        if (status != SL_OK) {
            return status;
        }
        if (e.size > end - e.data) {
            return sl_fail_at(
                why, SL_EDATA, m->name, at,
                "EBML element %" PRIX32 " passes the end of its BlockGroup at %" PRId64, e.id, end);
        }
        if (e.id == SL_MKV_BLOCK) {
            block = e;
        } else if (e.id == SL_MKV_REFERENCE_BLOCK) {
            key = false;
        } else if (e.id == SL_MKV_BLOCK_DURATION || e.id == SL_MKV_DISCARD_PADDING) {
            status = read_group_number(m, &e, &value, err);
            if (status != SL_OK) {
                return status;
            }
            if (e.id == SL_MKV_DISCARD_PADDING) {
                discard = (int64_t)value;
            } else if (value <= INT64_MAX / 4) {
                duration = (int64_t)value;
            }
        }
    }
    if (block.id == 0) {
        return SL_ENOTFOUND;
    }
    status = sl_mkv_parse_block(m, block.data, block.size, false, &m->block, why);
    m->block.key = key;
    m->block.duration = duration;
    m->block.discard = discard;
    return status;
}

/* A child of a cluster. SL_OK: m->block holds a block; SL_ENOTFOUND: it does not, go on. */
static enum sl_status cluster_child(struct sl_mkv *m, const struct sl_ebml_element *e,
                                    struct sl_error *why, struct sl_error *err)
{
    enum sl_status status = SL_ENOTFOUND;

    if (e->id == SL_MKV_TIMESTAMP) {
        status = read_timestamp(m, e, why, err);
        return status == SL_OK ? SL_ENOTFOUND : status;
    }
    if (e->id != SL_MKV_SIMPLE_BLOCK && e->id != SL_MKV_BLOCK_GROUP) {
        return SL_ENOTFOUND; /* Position, PrevSize, Void, … */
    }
    if (!m->have_time) {
        return sl_fail_at(why, SL_EDATA, m->name, e->offset,
                          "a block stands before its Cluster's Timestamp");
    }
    m->block.duration = -1;
    m->block.discard = 0;
    if (e->id == SL_MKV_SIMPLE_BLOCK) {
        status = sl_mkv_parse_block(m, e->data, e->size, true, &m->block, why);
    } else {
        status = read_group(m, e, why, err);
    }
    m->block.at = e->offset;
    return status;
}

static void enter_cluster(struct sl_mkv *m, const struct sl_ebml_element *e)
{
    m->in_cluster = true;
    m->have_time = false;
    m->cluster_at = e->offset;
    m->cluster_end = e->size == SL_EBML_UNKNOWN ? INT64_MAX : e->data + e->size;
    m->pos = e->data;
}

/* Between clusters. SL_ENOTFOUND: go on. */
static enum sl_status segment_child(struct sl_mkv *m, const struct sl_ebml_element *e,
                                    struct sl_error *why)
{
    enum sl_status status = SL_OK;

    if (e->id == SL_EBML_ID_HEADER || e->id == SL_MKV_SEGMENT) {
        if (!m->told_end) {
            sl_log_write(m->log, SL_LOG_WARN, "demux",
                         "%s: offset %" PRId64 ": another Matroska document begins here: it is "
                         "not read",
                         m->name, e->offset);
            m->told_end = true;
        }
        return SL_EOF;
    }
    if (e->id == SL_MKV_CLUSTER) {
        enter_cluster(m, e);
        return SL_ENOTFOUND;
    }
    status = check_extent(m, e, why);
    if (status == SL_OK) {
        if (e->id == SL_MKV_CUES && m->cues_at < 0) {
            m->cues_at = e->offset;
        }
        m->pos = e->data + e->size;
        status = SL_ENOTFOUND;
    }
    return status;
}

/* One element at m->pos. SL_ENOTFOUND: no block, go on. */
static enum sl_status step(struct sl_mkv *m, struct sl_error *why, struct sl_error *err)
{
    struct sl_ebml_element e;
    enum sl_status status = SL_OK;

    if (m->in_cluster && m->pos >= m->cluster_end) {
        m->in_cluster = false;
    }
    if (!m->in_cluster && m->pos >= m->segment_end) {
        return SL_EOF;
    }
    status = sl_ebml_header(m->window, m->pos, &e, why);
    if (status == SL_EOF) {
        return at_end(m, err);
    }
    if (status != SL_OK) {
        return status;
    }
    if (m->in_cluster &&
        (sl_mkv_is_level1(e.id) || e.id == SL_EBML_ID_HEADER || e.id == SL_MKV_SEGMENT)) {
        m->in_cluster = false; /* of unknown size, or it states a wrong one */
    }
    if (!m->in_cluster) {
        return segment_child(m, &e, why);
    }
    status = check_extent(m, &e, why);
    if (status != SL_OK) {
        return status;
    }
    status = cluster_child(m, &e, why, err);
    if (status == SL_EDATA && why->status == SL_EDATA && sl_window_size(m->window) >= 0 &&
        e.data + e.size > sl_window_size(m->window)) {
        /* The end of the input is no damage to look behind. */
        *why = (struct sl_error){0};
        return sl_fail_at(err, SL_EDATA, m->name, e.offset,
                          "is cut short: it ends within EBML element %" PRIX32 " of %" PRId64
                          " bytes",
                          e.id, e.size);
    }
    if (status == SL_OK || status == SL_ENOTFOUND) {
        m->pos = e.data + e.size;
    }
    return status;
}

enum sl_status sl_mkv_next_block(struct sl_mkv *m, struct sl_error *err)
{
    for (;;) {
        struct sl_error why = {0};
        enum sl_status status = SL_OK;

        if (m->searching) {
            status = search_on(m, err);
        }
        if (status == SL_OK) {
            status = step(m, &why, err);
            if (status == SL_EDATA && why.status == SL_EDATA) {
                status = damaged(m, &why, err);
                if (status == SL_OK) {
                    continue;
                }
            }
        }
        if (status == SL_ENOTFOUND) {
            if (!m->ahead) {
                sl_window_release(m->window, m->pos);
            }
            continue;
        }
        /* Neither damage nor a block: the source's own word, wherever it was written down. */
        if (status != SL_OK && err && err->status == SL_OK) {
            *err = why;
        }
        return status;
    }
}
