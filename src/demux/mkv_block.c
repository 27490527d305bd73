/* SPDX-License-Identifier: BSD-2-Clause */
/* The head of a Block or SimpleBlock, RFC 9559 10.1 to 10.3. */
#include <inttypes.h>

#include "base/error.h"
#include "base/log.h"
#include "demux/mkv.h"

#define HEAD_MAX                                                                                   \
    32 /* track number, time, flags, number of frames: what a block without lace has               \
        */

enum { /* flags */
       KEY = 0x80,
       LACING = 0x06,
       LACING_XIPH = 0x02,
       LACING_FIXED = 0x04,
       LACING_EBML = 0x06,
};

/* SL_MKV_TRACKS_MAX: not a track that is read. */
static size_t find_track(const struct sl_mkv *m, uint64_t number)
{
    if (number < SL_MKV_NUMBERS) {
        return m->by_number[number] ? (size_t)m->by_number[number] - 1 : SL_MKV_TRACKS_MAX;
    }
    for (size_t i = 0; i < m->demuxer.track_count; i++) {
        if (m->tracks[i].number == number) {
            return i;
        }
    }
    return SL_MKV_TRACKS_MAX;
}

static bool is_wanted(const struct sl_mkv *m, size_t track)
{
    return !m->selected || (track < 64 && ((m->wanted >> track) & 1) != 0);
}

/* The data of a block, of which the first bytes are to be seen. */
struct look {
    const uint8_t *bytes;
    size_t got;
    int64_t offset, size;
    const char *wrong; /* with it */
};

/* 10.3.2: each size is a run of 255 and what is left. */
static bool read_xiph(struct sl_reader *r, struct sl_mkv_block *b)
{
    for (unsigned i = 0; i + 1 < b->count; i++) {
        uint8_t byte = 255;
        b->sizes[i] = 0;
        while (byte == 255 && !r->overrun) {
            byte = sl_read_u8(r);
            b->sizes[i] += byte;
        }
    }
    return !r->overrun;
}

/* 10.3.3: the first one, then signed differences. */
static bool read_ebml(struct sl_reader *r, struct sl_mkv_block *b)
{
    int64_t size = 0;

    for (unsigned i = 0; i + 1 < b->count; i++) {
        uint64_t value = 0;
        unsigned length = sl_ebml_vint(r->data + r->pos, sl_reader_left(r), &value);
        if (length == 0) {
            r->overrun = true;
            return false;
        }
        sl_read_skip(r, length);
        if (value == UINT64_MAX) {
            value = (UINT64_C(1) << (7 * length)) - 1; /* a size, in which all ones mean nothing */
        }
        if (i == 0) {
            size = (int64_t)value;
        } else {
            size += (int64_t)value - ((INT64_C(1) << (7 * length - 1)) - 1);
        }
        if (size < 0 || size > INT64_MAX / 4) {
            return false;
        }
        b->sizes[i] = size;
    }
    return true;
}

/* The sizes of all frames; size: bytes from the number of frames on. */
static enum sl_status read_lace(struct sl_reader *r, unsigned lacing, int64_t size,
                                struct sl_mkv_block *b, const char **wrong)
{
    size_t start = r->pos;
    int64_t left = 0;
    bool good = true;

    b->count = (unsigned)sl_read_u8(r) + 1;
    if (lacing == LACING_XIPH) {
        good = read_xiph(r, b);
    } else if (lacing == LACING_EBML) {
        good = read_ebml(r, b);
    }
    if (r->overrun) {
        return SL_EOF;
    }
    left = size - (int64_t)(r->pos - start);
    if (lacing == LACING_FIXED) {
        if (left % b->count != 0) {
            *wrong = "frames of equal size that do not fill the block";
            return SL_EDATA;
        }
        for (unsigned i = 0; i < b->count; i++) {
            b->sizes[i] = left / b->count;
        }
        return SL_OK;
    }
    for (unsigned i = 0; good && i + 1 < b->count; i++) {
        left -= b->sizes[i];
        good = left >= 0;
    }
    if (!good) {
        *wrong = "frames that are larger than the block";
        return SL_EDATA;
    }
    b->sizes[b->count - 1] = left;
    return SL_OK;
}

/* From the block's first bytes. SL_EOF: more of them are needed. */
static enum sl_status parse(struct sl_mkv *m, struct look *l, bool simple, struct sl_mkv_block *b)
{
    struct sl_reader r;
    uint64_t number = 0;
    unsigned length = sl_ebml_vint(l->bytes, l->got, &number);
    unsigned flags = 0;
    enum sl_status status = SL_OK;

    if (length == 0 || l->size < (int64_t)length + 3) {
        l->wrong = "no track number, time and flags";
        return l->got < (size_t)l->size && l->got < 8 ? SL_EOF : SL_EDATA;
    }
    sl_reader_init(&r, l->bytes, l->got);
    sl_read_skip(&r, length);
    b->track = find_track(m, number);
    if (b->track == SL_MKV_TRACKS_MAX) {
        if (!m->told_unknown) {
            sl_log_write(m->log, SL_LOG_DEBUG, "demux",
                         "%s: offset %" PRId64 ": blocks of track %" PRIu64
                         ", which is not described, are passed over",
                         m->name, l->offset, number);
        }
        m->told_unknown = true;
        return SL_ENOTFOUND;
    }
    if (!is_wanted(m, b->track)) {
        return SL_ENOTFOUND;
    }
    b->ticks = m->cluster_time + (int16_t)sl_read_be16(&r);
    flags = sl_read_u8(&r);
    if (r.overrun) {
        return SL_EOF;
    }
    b->key = simple && (flags & KEY);
    b->laced = (flags & LACING) != 0;
    b->next = 0;
    b->elapsed = 0;
    if (b->laced) {
        status = read_lace(&r, flags & LACING, l->size - (int64_t)r.pos, b, &l->wrong);
    } else {
        b->count = 1;
        b->sizes[0] = l->size - (int64_t)r.pos;
    }
    b->payload = l->offset + (int64_t)r.pos;
    return status;
}

enum sl_status sl_mkv_parse_block(struct sl_mkv *m, int64_t data, int64_t size, bool simple,
                                  struct sl_mkv_block *b, struct sl_error *err)
{
    /* A lace of 256 frames has at most 2 KiB of sizes as EBML; as Xiph codes them, a byte for each
     * 255 bytes of payload. */
    static const int64_t looks[] = {HEAD_MAX, 4096, 256 << 10};
    struct look l = {.offset = data, .size = size, .wrong = "sizes of frames that do not end"};
    enum sl_status status = SL_EOF;

    for (size_t i = 0; i < sizeof looks / sizeof *looks && status == SL_EOF; i++) {
        int64_t want = size < looks[i] ? size : looks[i];
        status = sl_window_view(m->window, data, (size_t)want, &l.bytes, &l.got, err);
        if (status != SL_OK) {
            return status;
        }
        status = parse(m, &l, simple, b);
        if (status == SL_EOF && want == size) {
            break;
        }
    }
    if (status == SL_EDATA || status == SL_EOF) {
        return sl_fail_at(err, SL_EDATA, m->name, data, "a block of %" PRId64 " bytes holds %s",
                          size, l.wrong);
    }
    return status;
}
