/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a file was cut short. */
#include "base/bytes.h"
#include "demux/libav.h"

#define EBML_HEAD_MAX   4096
#define EBML_ID         0x1a45dfa3
#define EBML_ID_SEGMENT 0x18538067
#define EBML_UNKNOWN    INT64_MAX

/* A data size as of RFC 8794 4 and 6; EBML_UNKNOWN where all its bits are ones. */
static int64_t ebml_size(struct sl_reader *r)
{
    uint8_t first = sl_read_u8(r);
    uint64_t value = first;
    uint64_t ones = 0x7f;
    unsigned length = 1;

    while (length < 8 && !(first & (0x80U >> (length - 1)))) {
        length++;
    }
    value &= 0xffU >> length;
    for (unsigned i = 1; i < length; i++) {
        value = value << 8 | sl_read_u8(r);
    }
    ones = (UINT64_C(1) << (7 * length)) - 1;
    return value == ones ? EBML_UNKNOWN : (int64_t)value;
}

/* Matroska: the end of the segment. */
int64_t sl_libav_declared_end(struct sl_window *w)
{
    const uint8_t *head = NULL;
    size_t got = 0;
    struct sl_reader r;
    int64_t size = 0;

    if (sl_window_view(w, 0, EBML_HEAD_MAX, &head, &got, NULL) != SL_OK) {
        return -1;
    }
    sl_reader_init(&r, head, got);
    if (sl_read_be32(&r) != EBML_ID) {
        return -1;
    }
    size = ebml_size(&r);
    if (size > EBML_HEAD_MAX) {
        return -1;
    }
    sl_read_skip(&r, (size_t)size);
    if (sl_read_be32(&r) != EBML_ID_SEGMENT) {
        return -1;
    }
    size = ebml_size(&r);
    if (r.overrun || size == EBML_UNKNOWN || size > INT64_MAX - (int64_t)r.pos) {
        return -1;
    }
    return (int64_t)r.pos + size;
}

/* An index (MP4's sample tables and fragments above all) that points past the end. */
static bool index_passes(AVStream *stream, int64_t size)
{
    int count = avformat_index_get_entries_count(stream);
    for (int i = 0; i < count; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(stream, i);
        if (entry->pos >= 0 && entry->pos > size - entry->size) {
            return true;
        }
    }
    return false;
}

bool sl_libav_cut_short(AVFormatContext *format, int64_t declared_end, int64_t size)
{
    if (declared_end > size) {
        return true;
    }
    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *stream = format->streams[i];
        if (stream->discard != AVDISCARD_ALL && index_passes(stream, size)) {
            return true;
        }
    }
    return false;
}
