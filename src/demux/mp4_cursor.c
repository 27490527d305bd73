/* SPDX-License-Identifier: BSD-2-Clause */
/* Walking the sample tables as they are in the file: one step a sample, no memory. */
#include "demux/mp4.h"

#define BACK_MAX 64 /* sync samples to go back for one that is shown early enough */

/* Entries lie within their boxes: that was checked once, when the tables were found. */
static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t field(const struct sl_mp4_table *table, uint32_t entry, size_t each, size_t at)
{
    return be32(table->data + (size_t)entry * each + at);
}

uint32_t sl_mp4_sample_size(const struct sl_mp4_track *t, uint32_t index)
{
    const uint8_t *p = t->stsz.data;

    if (t->fixed_size > 0) {
        return t->fixed_size;
    }
    switch (t->size_bits) {
    case 4:
        return index & 1 ? p[index / 2] & 0x0f : p[index / 2] >> 4;
    case 8:
        return p[index];
    case 16:
        return (uint32_t)p[(size_t)index * 2] << 8 | p[(size_t)index * 2 + 1];
    default:
        return be32(p + (size_t)index * 4);
    }
}

static int64_t chunk_offset(const struct sl_mp4_track *t, uint32_t chunk)
{
    if (!t->wide_offsets) {
        return field(&t->stco, chunk, 4, 0);
    }
    uint64_t offset = (uint64_t)field(&t->stco, chunk, 8, 0) << 32 | field(&t->stco, chunk, 8, 4);
    return offset < INT64_MAX / 2 ? (int64_t)offset : INT64_MAX / 2; /* beyond any file */
}

static uint32_t in_chunk(const struct sl_mp4_track *t, const struct sl_mp4_cursor *c)
{
    return field(&t->stsc, c->stsc, 12, 4);
}

/* Makes chunk the one that holds the next sample; chunks without samples are passed over. */
static void enter_chunk(const struct sl_mp4_track *t, struct sl_mp4_cursor *c)
{
    while (c->chunk < t->stco.count) {
        while (c->stsc + 1 < t->stsc.count && field(&t->stsc, c->stsc + 1, 12, 0) <= c->chunk + 1) {
            c->stsc++;
        }
        c->chunk_left = in_chunk(t, c);
        if (c->chunk_left > 0) {
            c->pos = chunk_offset(t, c->chunk);
            return;
        }
        c->chunk++;
    }
}

/* The first entry with samples in it, from *entry on. */
static void enter_entry(const struct sl_mp4_table *table, uint32_t *entry, uint32_t *left)
{
    while (*left == 0 && *entry < table->count) {
        *left = field(table, *entry, 8, 0);
        *entry += *left == 0;
    }
}

static void follow_sync(const struct sl_mp4_table *table, uint32_t *entry, uint32_t index)
{
    while (*entry < table->count && field(table, *entry, 4, 0) < index + 1) {
        (*entry)++;
    }
}

static bool is_sync(const struct sl_mp4_table *table, uint32_t entry, uint32_t index)
{
    return entry < table->count && field(table, entry, 4, 0) == index + 1;
}

static void settle(const struct sl_mp4_track *t, struct sl_mp4_cursor *c)
{
    enter_entry(&t->stts, &c->stts, &c->stts_left);
    enter_entry(&t->ctts, &c->ctts, &c->ctts_left);
    enter_entry(&t->rap, &c->rap, &c->rap_left);
    enter_entry(&t->tele, &c->tele, &c->tele_left);
    follow_sync(&t->stss, &c->stss, c->index);
    follow_sync(&t->stps, &c->stps, c->index);
}

void sl_mp4_cursor_start(const struct sl_mp4_track *t, struct sl_mp4_cursor *c)
{
    *c = (struct sl_mp4_cursor){0};
    if (t->sample_count > 0) {
        enter_chunk(t, c);
        settle(t, c);
    }
}

/* The duration of the next sample. Where stts is too short its last entry goes on. */
static uint32_t delta(const struct sl_mp4_track *t, const struct sl_mp4_cursor *c)
{
    uint32_t entry = c->stts < t->stts.count ? c->stts : t->stts.count - 1;
    return field(&t->stts, entry, 8, 4);
}

bool sl_mp4_cursor_peek(const struct sl_mp4_track *t, const struct sl_mp4_cursor *c,
                        struct sl_mp4_sample *out)
{
    uint32_t offset = 0;

    if (c->index >= t->sample_count || c->chunk >= t->stco.count || c->dts > SL_MP4_TIME_MAX) {
        return false;
    }
    if (c->ctts < t->ctts.count) {
        offset = field(&t->ctts, c->ctts, 8, 4);
    }
    *out = (struct sl_mp4_sample){
        .offset = c->pos,
        .dts = c->dts,
        .cts = c->dts + (int32_t)offset,
        .count = 1,
        .description = field(&t->stsc, c->stsc, 12, 8),
    };
    out->key = !t->has_stss || is_sync(&t->stss, c->stss, c->index) ||
               is_sync(&t->stps, c->stps, c->index) ||
               (c->rap < t->rap.count && field(&t->rap, c->rap, 8, 4) != 0);
    out->layer = c->tele < t->tele.count ? field(&t->tele, c->tele, 8, 4) : 0;
    if (t->pack > 1) {
        uint32_t left = t->sample_count - c->index;
        left = c->chunk_left < left ? c->chunk_left : left;
        out->count = left < t->pack ? left : t->pack;
        /* all of one duration: sl_mp4_describe saw to it */
        out->duration = (int64_t)out->count * delta(t, c);
        out->size = (uint32_t)(((uint64_t)out->count + t->pack_samples - 1) / t->pack_samples) *
                    t->pack_bytes;
    } else {
        out->duration = delta(t, c);
        out->size = sl_mp4_sample_size(t, c->index);
    }
    return true;
}

void sl_mp4_cursor_pass(const struct sl_mp4_track *t, struct sl_mp4_cursor *c,
                        const struct sl_mp4_sample *s)
{
    uint32_t n = s->count;

    c->index += n;
    c->dts += s->duration;
    c->pos += s->size;
    c->chunk_left -= n;
    if (c->chunk_left == 0) {
        c->chunk++;
        enter_chunk(t, c);
    }
    /* Packed sound has one duration and no offsets; everything else moves one by one. */
    c->stts_left -= c->stts_left < n ? c->stts_left : n;
    c->stts += c->stts_left == 0 && c->stts < t->stts.count;
    c->ctts_left -= c->ctts_left < n ? c->ctts_left : n;
    c->ctts += c->ctts_left == 0 && c->ctts < t->ctts.count;
    c->rap_left -= c->rap_left < n ? c->rap_left : n;
    c->rap += c->rap_left == 0 && c->rap < t->rap.count;
    c->tele_left -= c->tele_left < n ? c->tele_left : n;
    c->tele += c->tele_left == 0 && c->tele < t->tele.count;
    settle(t, c);
}

/* ---- jumping ------------------------------------------------------------------------------ */

static void find_entry(const struct sl_mp4_table *table, uint32_t index, uint32_t *entry,
                       uint32_t *left)
{
    uint32_t passed = 0;

    *left = 0;
    for (*entry = 0; *entry < table->count; (*entry)++) {
        uint32_t n = field(table, *entry, 8, 0);
        if (index - passed < n) {
            *left = n - (index - passed);
            return;
        }
        passed += n;
    }
}

/* The first entry of a table of sample numbers that is not below number. */
static uint32_t lower_bound(const struct sl_mp4_table *table, uint32_t number)
{
    uint32_t low = 0;
    uint32_t high = table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (field(table, middle, 4, 0) < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void find_chunk(const struct sl_mp4_track *t, struct sl_mp4_cursor *c, uint32_t index)
{
    uint64_t passed = 0; /* samples before c->chunk */

    c->chunk = t->stco.count;
    for (uint32_t i = 0; i < t->stsc.count; i++) {
        uint32_t first = field(&t->stsc, i, 12, 0);
        uint32_t each = field(&t->stsc, i, 12, 4);
        uint32_t end = i + 1 < t->stsc.count ? field(&t->stsc, i + 1, 12, 0) : t->stco.count + 1;
        end = end < t->stco.count + 1 ? end : t->stco.count + 1;
        uint64_t samples = end > first ? (uint64_t)(end - first) * each : 0;
        if (index - passed < samples) {
            uint32_t chunk = (uint32_t)((index - passed) / each);
            uint32_t inside = (uint32_t)((index - passed) % each);
            c->stsc = i;
            c->chunk = first - 1 + chunk;
            c->chunk_left = each - inside;
            c->pos = chunk_offset(t, c->chunk);
            if (t->pack > 1) {
                c->pos += (int64_t)(inside / t->pack_samples) * t->pack_bytes;
                return;
            }
            for (uint32_t s = index - inside; s < index && c->pos < INT64_MAX / 2; s++) {
                c->pos += sl_mp4_sample_size(t, s);
            }
            return;
        }
        passed += samples;
    }
}

/* A sample's decoding time, by the entries alone. */
static int64_t time_of(const struct sl_mp4_track *t, uint32_t index)
{
    int64_t dts = 0;
    uint32_t passed = 0;

    for (uint32_t i = 0; i < t->stts.count; i++) {
        uint32_t n = field(&t->stts, i, 8, 0);
        uint32_t each = field(&t->stts, i, 8, 4);
        bool last = index - passed < n || i + 1 == t->stts.count;
        n = last ? index - passed : n;
        if (each > 0 && n > (SL_MP4_TIME_MAX - dts) / each) {
            return SL_MP4_TIME_MAX;
        }
        dts += (int64_t)n * each;
        passed += n;
        if (last) {
            break;
        }
    }
    return dts;
}

static void go_to(const struct sl_mp4_track *t, struct sl_mp4_cursor *c, uint32_t index)
{
    *c = (struct sl_mp4_cursor){.index = index, .dts = time_of(t, index)};
    find_entry(&t->stts, index, &c->stts, &c->stts_left);
    find_entry(&t->ctts, index, &c->ctts, &c->ctts_left);
    find_entry(&t->rap, index, &c->rap, &c->rap_left);
    find_entry(&t->tele, index, &c->tele, &c->tele_left);
    c->stss = lower_bound(&t->stss, index + 1);
    c->stps = lower_bound(&t->stps, index + 1);
    find_chunk(t, c, index);
}

/* The last sample that is decoded at or before dts. */
static uint32_t find_time(const struct sl_mp4_track *t, int64_t dts)
{
    int64_t at = 0;
    uint32_t index = 0;

    for (uint32_t i = 0; i < t->stts.count && index < t->sample_count; i++) {
        uint32_t n = field(&t->stts, i, 8, 0);
        uint32_t each = field(&t->stts, i, 8, 4);
        bool last = i + 1 == t->stts.count;
        if (each > 0 && dts >= at && (last || (dts - at) / each < n)) {
            uint64_t more = (uint64_t)((dts - at) / each);
            uint32_t left = t->sample_count - 1 - index;
            return index + (more < left ? (uint32_t)more : left);
        }
        if (n > t->sample_count - index) {
            break;
        }
        at += (int64_t)n * each; /* below dts: no overflow */
        index += n;
    }
    return t->sample_count - 1;
}

/* The last sync sample up to index; false: there is none. */
static bool sync_before(const struct sl_mp4_track *t, uint32_t index, uint32_t *out)
{
    const struct sl_mp4_table *lists[] = {&t->stss, &t->stps};
    bool found = false;

    if (!t->has_stss) {
        *out = index;
        return true;
    }
    for (size_t i = 0; i < 2; i++) {
        uint32_t entry = lower_bound(lists[i], index + 2);
        uint32_t number = entry > 0 ? field(lists[i], entry - 1, 4, 0) : 0;
        if (number > 0 && number <= t->sample_count && (!found || number - 1 > *out)) {
            *out = number - 1;
            found = true;
        }
    }
    return found;
}

void sl_mp4_cursor_seek(const struct sl_mp4_track *t, struct sl_mp4_cursor *c, int64_t cts)
{
    struct sl_mp4_sample s;
    uint32_t index = 0;
    unsigned steps = 0;

    sl_mp4_cursor_start(t, c);
    if (t->sample_count == 0 || cts <= 0) {
        return;
    }
    index = find_time(t, cts + t->dts_shift);
    if (t->pack > 1) {
        go_to(t, c, index - index % t->pack_samples);
        return;
    }
    /* Presentation may be later than decoding: not more than a few sync samples back. */
    while (steps++ < BACK_MAX && sync_before(t, index, &index)) {
        go_to(t, c, index);
        if (!sl_mp4_cursor_peek(t, c, &s) || s.cts <= cts || index == 0) {
            return;
        }
        index--;
    }
    sl_mp4_cursor_start(t, c);
}
