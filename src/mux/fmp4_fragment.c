/* SPDX-License-Identifier: BSD-2-Clause */
/* One media segment of one fragment: styp, sidx, moof, mdat (ISO/IEC 14496-12 8.8, 8.16). */
#include <inttypes.h>

#include "base/error.h"
#include "mux/fmp4.h"

enum { /* 8.8.7.1, 8.8.8.1 */
       TFHD_DURATION = 0x000008,
       TFHD_SIZE = 0x000010,
       TFHD_FLAGS = 0x000020,
       TFHD_BASE_MOOF = 0x020000,
       TRUN_OFFSET = 0x000001,
       TRUN_FIRST = 0x000004, /* flags of the first sample */
       TRUN_DURATION = 0x000100,
       TRUN_SIZE = 0x000200,
       TRUN_FLAGS = 0x000400,
       TRUN_COMPOSED = 0x000800,
};

/* Which fields all samples share (tfhd), and which need a column (trun). */
struct layout {
    uint32_t tfhd, trun;
    uint32_t flags; /* default_sample_flags */
};

static struct layout choose_layout(const struct sl_fmp4_track *t)
{
    const struct sl_fmp4_sample *s = t->samples;
    bool durations = false, sizes = false, flags = false, offsets = false;
    struct layout l = {TFHD_BASE_MOOF, TRUN_OFFSET, s[t->count > 1].flags};
    for (size_t i = 0; i < t->count; i++) {
        durations |= s[i].duration != s[0].duration;
        sizes |= s[i].size != s[0].size;
        flags |= i > 0 && s[i].flags != l.flags;
        offsets |= s[i].offset != 0;
    }
    if (durations) {
        l.trun |= TRUN_DURATION;
    } else {
        l.tfhd |= TFHD_DURATION;
    }
    if (sizes) {
        l.trun |= TRUN_SIZE;
    } else {
        l.tfhd |= TFHD_SIZE;
    }
    if (flags) {
        l.trun |= TRUN_FLAGS;
    } else {
        l.tfhd |= TFHD_FLAGS;
    }
    if (!flags && s[0].flags != l.flags) { /* a key frame and what follows it */
        l.trun |= TRUN_FIRST;
    }
    if (offsets) {
        l.trun |= TRUN_COMPOSED;
    }
    return l;
}

static void write_trun(struct sl_fmp4_track *t, const struct layout *l, struct sl_writer *w)
{
    /* Version 0: offsets are unsigned, and ours are never negative. */
    size_t box = sl_box_begin_full(w, "trun", 0, l->trun);
    sl_write_be32(w, (uint32_t)t->count);
    t->patch = w->size;
    sl_write_be32(w, 0); /* data_offset */
    if (l->trun & TRUN_FIRST) {
        sl_write_be32(w, t->samples[0].flags);
    }
    for (size_t i = 0; i < t->count; i++) {
        const struct sl_fmp4_sample *s = &t->samples[i];
        if (l->trun & TRUN_DURATION) {
            sl_write_be32(w, s->duration);
        }
        if (l->trun & TRUN_SIZE) {
            sl_write_be32(w, s->size);
        }
        if (l->trun & TRUN_FLAGS) {
            sl_write_be32(w, s->flags);
        }
        if (l->trun & TRUN_COMPOSED) {
            sl_write_be32(w, s->offset);
        }
    }
    sl_box_end(w, box);
}

static void write_traf(struct sl_fmp4_track *t, uint32_t id, struct sl_writer *w)
{
    struct layout l = choose_layout(t);
    size_t traf = sl_box_begin(w, "traf");
    size_t box = sl_box_begin_full(w, "tfhd", 0, l.tfhd);
    sl_write_be32(w, id);
    if (l.tfhd & TFHD_DURATION) {
        sl_write_be32(w, t->samples[0].duration);
    }
    if (l.tfhd & TFHD_SIZE) {
        sl_write_be32(w, t->samples[0].size);
    }
    if (l.tfhd & TFHD_FLAGS) {
        sl_write_be32(w, l.flags);
    }
    sl_box_end(w, box);
    box = sl_box_begin_full(w, "tfdt", 1, 0); /* 8.8.12: the sum of all durations before */
    sl_write_be64(w, (uint64_t)((t->base - t->t.line.origin) * t->t.factor));
    sl_box_end(w, box);
    write_trun(t, &l, w);
    sl_mp4_write_roll_all(&t->t, (uint32_t)t->count, w);
    sl_box_end(w, traf);
}

static void write_moof(struct sl_fmp4 *m, struct sl_writer *w)
{
    size_t moof = sl_box_begin(w, "moof");
    size_t box = sl_box_begin_full(w, "mfhd", 0, 0);
    sl_write_be32(w, m->sequence + 1);
    sl_box_end(w, box);
    for (size_t i = 0; i < m->count; i++) {
        if (m->tracks[i].count) {
            write_traf(&m->tracks[i], (uint32_t)i + 1, w);
        }
    }
    sl_box_end(w, moof);
}

static void write_styp(const struct sl_fmp4 *m, struct sl_writer *w)
{
    size_t box;
    if (m->flags & SL_MUX_NO_STYP) {
        return;
    }
    box = sl_box_begin(w, "styp");
    sl_write_text(w, "msdh");
    sl_write_be32(w, 0);
    sl_write_text(w, "msdh");
    if (m->count == 1) {
        sl_write_text(w, "cmfs"); /* 23000-19 7.3.3.1 */
    }
    sl_box_end(w, box);
}

/* What a sidx is about: the first picture track of the fragment, else its first track. */
static const struct sl_fmp4_track *index_track(const struct sl_fmp4 *m)
{
    const struct sl_fmp4_track *found = NULL;
    for (size_t i = 0; i < m->count; i++) {
        const struct sl_fmp4_track *t = &m->tracks[i];
        if (t->count &&
            (!found || (t->t.info.kind == SL_KIND_VIDEO && found->t.info.kind != SL_KIND_VIDEO))) {
            found = t;
        }
    }
    return found;
}

/* 8.16.3: one reference to the moof and mdat that follow. Its size is not known yet: returns where
 * it goes. */
static size_t write_sidx(const struct sl_fmp4 *m, struct sl_writer *w)
{
    const struct sl_fmp4_track *t = index_track(m);
    const struct sl_mp4_track *info = &t->t;
    uint64_t duration = 0, time, earliest = UINT64_MAX;
    int64_t hidden = info->info.decode_delay * info->factor;
    size_t box, patch;

    time = (uint64_t)((t->base - info->line.origin) * info->factor);
    for (size_t i = 0; i < t->count; i++) {
        uint64_t shown = time + duration + t->samples[i].offset;
        earliest = shown < earliest ? shown : earliest;
        duration += t->samples[i].duration;
    }
    box = sl_box_begin_full(w, "sidx", 1, 0);
    sl_write_be32(w, (uint32_t)(t - m->tracks) + 1);
    sl_write_be32(w, info->timescale);
    sl_write_be64(w, earliest > (uint64_t)hidden ? earliest - (uint64_t)hidden : 0);
    sl_write_be64(w, 0); /* first_offset: from the end of this box */
    sl_write_be16(w, 0);
    sl_write_be16(w, 1);
    patch = w->size;
    sl_write_be32(w, 0); /* reference_type 0 (media), referenced_size */
    sl_write_be32(w, duration > UINT32_MAX ? UINT32_MAX : (uint32_t)duration);
    /* starts_with_SAP; of no known type, since an open group of pictures looks like a closed one */
    sl_write_be32(w, t->samples[0].flags == SL_FMP4_SYNC ? 0x80000000u : 0);
    sl_box_end(w, box);
    return patch;
}

/* data_offset counts from the moof, as a signed 32-bit number. */
static enum sl_status patch_offsets(struct sl_fmp4 *m, struct sl_writer *w, size_t from,
                                    struct sl_error *err)
{
    uint64_t at = from;
    for (size_t i = 0; i < m->count; i++) {
        struct sl_fmp4_track *t = &m->tracks[i];
        if (!t->count) {
            continue;
        }
        if (at > INT32_MAX) {
            return sl_fail(err, SL_EUNSUPPORTED, SL_FMP4_NAME,
                           "a fragment whose track %zu starts %" PRIu64 " bytes in", i, at);
        }
        sl_writer_patch_be32(w, t->patch, (uint32_t)at);
        at += (uint64_t)t->data.size;
    }
    return SL_OK;
}

/* Everything before the payload. */
static enum sl_status write_front(struct sl_fmp4 *m, uint64_t payload, struct sl_writer *w,
                                  struct sl_error *err)
{
    size_t moof, sidx = 0, header = payload + 8 > UINT32_MAX ? 16 : 8;
    enum sl_status status;

    write_styp(m, w);
    /* 31 bits for the size; what is larger goes without. */
    if ((m->flags & SL_MUX_SIDX) && payload < (1u << 30)) {
        sidx = write_sidx(m, w);
    }
    moof = w->size;
    write_moof(m, w);
    status = sl_writer_finish(w, err);
    if (!status) {
        status = patch_offsets(m, w, w->size - moof + header, err);
    }
    if (status) {
        return status;
    }
    sl_write_be32(w, header == 16 ? 1 : (uint32_t)(payload + header));
    sl_write_text(w, "mdat");
    if (header == 16) {
        sl_write_be64(w, payload + header);
    }
    status = sl_writer_finish(w, err);
    if (!status && sidx) {
        sl_writer_patch_be32(w, sidx, (uint32_t)(w->size - moof + payload));
    }
    return status;
}

enum sl_status sl_fmp4_fragment(struct sl_fmp4 *m, struct sl_chain *out, struct sl_error *err)
{
    struct sl_writer *w = &m->out;
    struct sl_chain chain;
    uint64_t payload = 0;
    size_t samples = 0;
    enum sl_status status;

    for (size_t i = 0; i < m->count; i++) {
        payload += (uint64_t)m->tracks[i].data.size;
        samples += m->tracks[i].count;
    }
    if (!samples) {
        return SL_OK;
    }
    sl_chain_init(&chain);
    w->size = 0;
    status = write_front(m, payload, w, err);
    if (!status) {
        status = sl_chain_add_copy(&chain, w->data, w->size, err);
    }
    for (size_t i = 0; i < m->count && !status; i++) {
        status = sl_chain_move(&chain, &m->tracks[i].data, err);
        m->tracks[i].count = 0;
    }
    if (!status) {
        status = sl_chain_move(out, &chain, err);
    }
    if (!status) {
        m->sequence++;
    }
    sl_chain_clear(&chain);
    return status;
}
