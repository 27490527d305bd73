/* SPDX-License-Identifier: BSD-2-Clause */
/* From a block's bytes to a payload: ranges of the file where that is possible, and what was
 * stripped, compressed or left out put right. */
#include <inttypes.h>
#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "demux/mkv.h"

/* Up to this size a payload is memory: moving a range inside the kernel costs a call or two, which
 * is what copying so many bytes twice does. They came with the read that brought their header. */
#define SMALL_MAX 4096
/* Bytes that show how NAL units are framed. */
#define LOOK 4
#define HEAD 32

/* RFC 9559 5.1.4.1.31.7 */
enum { ZLIB = 0, BZLIB = 1, LZO1X = 2, HEADER_STRIPPING = 3 };
enum { SCOPE_FRAMES = 1, SCOPE_CONFIG = 2 };

/* ---- encodings ---------------------------------------------------------------------------- */

static void *inflate_alloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return sl_alloc_array(count, size);
}

static void inflate_free(void *opaque, void *p)
{
    (void)opaque;
    sl_free(p);
}

/* All of it; deflate packs at most 1032 to one, so memory stays linear in the input. */
static enum sl_status inflate_all(const uint8_t *data, size_t size, struct sl_writer *out,
                                  const char *name, int64_t offset, struct sl_error *err)
{
    uint8_t block[16384];
    z_stream z = {.zalloc = inflate_alloc, .zfree = inflate_free};
    int code = inflateInit(&z);
    enum sl_status status = SL_OK;

    if (code != Z_OK) {
        return sl_fail_memory(err);
    }
    z.next_in = data;
    z.avail_in = (uInt)size;
    while (code == Z_OK) {
        z.next_out = block;
        z.avail_out = sizeof block;
        code = inflate(&z, Z_NO_FLUSH);
        sl_write_bytes(out, block, sizeof block - z.avail_out);
        if (out->status != SL_OK) {
            status = sl_writer_finish(out, err);
            break;
        }
        if (code == Z_OK && z.avail_in == 0 && z.avail_out > 0) {
            code = Z_BUF_ERROR; /* wants more than there is */
        }
    }
    if (status == SL_OK && code == Z_MEM_ERROR) {
        status = sl_fail_memory(err);
    } else if (status == SL_OK && code != Z_STREAM_END) {
        status = sl_fail_at(err, SL_EDATA, name, offset, "%zu bytes that zlib cannot unpack: %s",
                            size, z.msg ? z.msg : "they end early");
    }
    (void)inflateEnd(&z);
    return status;
}

static int compare_order(const struct sl_mkv_encoding *a, const struct sl_mkv_encoding *b)
{
    return a->order < b->order ? 1 : a->order > b->order ? -1 : 0;
}

/* Encodings in the order of undoing: the highest ContentEncodingOrder first. */
static void sort_encodings(const struct sl_mkv_entry *entry, struct sl_mkv_encoding *out)
{
    size_t count = entry->encodings.list.count;
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        while (at > 0 && compare_order(&out[at - 1], &entry->encodings.items[i]) > 0) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = entry->encodings.items[i];
    }
}

static enum sl_status check_encoding(const struct sl_mkv_encoding *e, uint64_t number,
                                     const char *name, int64_t offset, struct sl_error *err)
{
    static const char *const names[] = {"zlib", "bzlib", "LZO1X", "header stripping"};

    if (e->type == 1) {
        return sl_fail_at(err, SL_EUNSUPPORTED, name, offset,
                          "track %" PRIu64 " is encrypted (ContentEncAlgo %" PRIu64
                          "): only clear tracks can be read",
                          number, e->cipher);
    }
    if (e->type != 0 || (e->algorithm != ZLIB && e->algorithm != HEADER_STRIPPING)) {
        return sl_fail_at(err, SL_EUNSUPPORTED, name, offset,
                          "track %" PRIu64 " is packed by %s (ContentEncodingType %" PRIu64
                          ", ContentCompAlgo %" PRIu64 "): zlib and header stripping can be undone",
                          number, e->algorithm < 4 ? names[e->algorithm] : "an unknown method",
                          e->type, e->algorithm);
    }
    return SL_OK;
}

enum sl_status sl_mkv_set_undo(struct sl_mkv_track *t, const struct sl_mkv_entry *entry,
                               const char *name, int64_t offset, struct sl_error *err)
{
    struct sl_mkv_encoding sorted[SL_MKV_ENCODINGS];

    sort_encodings(entry, sorted);
    for (size_t i = 0; i < entry->encodings.list.count; i++) {
        struct sl_mkv_undo *undo = &t->undo[t->undo_count];
        enum sl_status status = check_encoding(&sorted[i], entry->number, name, offset, err);
        if (status != SL_OK) {
            return status;
        }
        if (!(sorted[i].scope & SCOPE_FRAMES)) {
            continue;
        }
        if (sorted[i].algorithm == HEADER_STRIPPING) {
            if (sorted[i].settings.size == 0) {
                continue;
            }
            status = sl_buf_alloc(&undo->prefix, sorted[i].settings.size, err);
            if (status != SL_OK) {
                return status;
            }
            memcpy(undo->prefix->data, sorted[i].settings.data, sorted[i].settings.size);
        }
        t->undo_count++;
    }
    return SL_OK;
}

void sl_mkv_clear_undo(struct sl_mkv_track *t)
{
    for (size_t i = 0; i < t->undo_count; i++) {
        sl_buf_unref(&t->undo[i].prefix);
    }
    t->undo_count = 0;
}

/* What a writer holds, as a buffer of its own. */
static enum sl_status writer_to_buf(struct sl_writer *w, struct sl_buf **out, struct sl_error *err)
{
    enum sl_status status = sl_writer_finish(w, err);

    if (status == SL_OK) {
        status = sl_buf_alloc(out, w->size, err);
    }
    if (status == SL_OK && w->size > 0) {
        memcpy((*out)->data, w->data, w->size);
    }
    return status;
}

enum sl_status sl_mkv_decode_config(struct sl_mkv_entry *entry, struct sl_buf **out,
                                    struct sl_error *err)
{
    struct sl_mkv_encoding sorted[SL_MKV_ENCODINGS];
    enum sl_status status = SL_OK;

    *out = NULL;
    sort_encodings(entry, sorted);
    for (size_t i = 0; i < entry->encodings.list.count && status == SL_OK; i++) {
        struct sl_writer w;
        struct sl_buf *buf = NULL;
        if (!(sorted[i].scope & SCOPE_CONFIG) || entry->config.size == 0) {
            continue;
        }
        sl_writer_init(&w, SL_MKV_ENTRY_MAX);
        if (sorted[i].algorithm == HEADER_STRIPPING) {
            sl_write_bytes(&w, sorted[i].settings.data, sorted[i].settings.size);
            sl_write_bytes(&w, entry->config.data, entry->config.size);
        } else {
            status =
                inflate_all(entry->config.data, entry->config.size, &w, "CodecPrivate", 0, err);
        }
        if (status == SL_OK) {
            status = writer_to_buf(&w, &buf, err);
        }
        sl_writer_clear(&w);
        if (status == SL_OK) {
            sl_buf_unref(out);
            *out = buf;
            entry->config = (struct sl_ebml_bytes){buf->data, buf->size};
        }
    }
    if (status != SL_OK) {
        sl_buf_unref(out);
    }
    return status;
}

/* ---- what is left out --------------------------------------------------------------------- */

/* Apple ProRes: a frame begins with its size and "icpf", which Matroska leaves out. */
static void repair_prores(const uint8_t *data, size_t size, struct sl_writer *out)
{
    if (size < 8 || memcmp(data + 4, "icpf", 4) != 0) {
        sl_write_be32(out, (uint32_t)size + 8);
        sl_write_text(out, "icpf");
    }
    sl_write_bytes(out, data, size);
}

/* Of each block's header Matroska keeps samples (once), flags, checksum and, where there are
 * several blocks to a frame, the size. */
static void repair_wavpack(const struct sl_mkv_track *t, const uint8_t *data, size_t size,
                           struct sl_writer *out)
{
    struct sl_reader r;
    uint32_t samples = 0;

    sl_reader_init(&r, data, size);
    samples = sl_read_le32(&r);
    while (sl_reader_left(&r) >= 8) {
        uint32_t flags = sl_read_le32(&r);
        uint32_t checksum = sl_read_le32(&r);
        bool several = (flags & 0x1800) != 0x1800; /* not the first and the last block */
        size_t n = several ? sl_read_le32(&r) : sl_reader_left(&r);
        const uint8_t *bytes = sl_read_bytes(&r, n);
        if (!bytes) {
            return;
        }
        sl_write_text(out, "wvpk");
        sl_write_le32(out, (uint32_t)n + 24);
        sl_write_bytes(out, t->wavpack_version, 2);
        sl_write_zeros(out, 10); /* track, index, total samples and position: not known */
        sl_write_le32(out, samples);
        sl_write_le32(out, flags);
        sl_write_le32(out, checksum);
        sl_write_bytes(out, bytes, n);
    }
}

/* WebM's subtitles: a line with the identifier, one with the settings, then the text. */
static void repair_webvtt(const uint8_t *data, size_t size, struct sl_writer *out)
{
    for (int line = 0; line < 2; line++) {
        const uint8_t *end = memchr(data, '\n', size);
        if (!end) {
            return;
        }
        size -= (size_t)(end + 1 - data);
        data = end + 1;
    }
    while (size > 0 && (data[size - 1] == '\n' || data[size - 1] == '\r')) {
        size--;
    }
    sl_write_bytes(out, data, size);
}

/* ---- payloads ----------------------------------------------------------------------------- */

static enum sl_status cut_short(struct sl_mkv *m, int64_t offset, int64_t size,
                                struct sl_error *err)
{
    return sl_fail_at(err, SL_EDATA, m->name, offset,
                      "is cut short: it ends within a frame of %" PRId64 " bytes", size);
}

/* 00 00 01 or 00 00 00 01; a length of 256 to 511 looks the same. */
static bool like_start_code(const uint8_t *p)
{
    return p[0] == 0 && p[1] == 0 && (p[2] == 1 || (p[2] == 0 && p[3] == 1));
}

/* How many bytes of a range should be memory. Whoever frames NAL units has to look at the first
 * ones where start codes are in play, and here they have been read already. */
static enum sl_status bytes_to_show(struct sl_mkv *m, struct sl_mkv_track *t, int64_t offset,
                                    size_t *show, struct sl_error *err)
{
    enum sl_codec codec = m->demuxer.tracks[t - m->tracks].codec;
    const uint8_t *data = NULL;
    size_t got = 0;
    enum sl_status status = SL_OK;

    *show = 0;
    if (codec != SL_CODEC_H264 && codec != SL_CODEC_HEVC) {
        return SL_OK;
    }
    if (!t->start_codes && sl_window_held(m->window, offset) < LOOK) {
        return SL_OK; /* not worth a call of its own */
    }
    status = sl_window_view(m->window, offset, LOOK, &data, &got, err);
    if (status == SL_OK && got == LOOK && like_start_code(data)) {
        t->start_codes = true;
    }
    *show = t->start_codes ? HEAD : 0;
    return status;
}

/* As it is in the file. */
static enum sl_status plain(struct sl_mkv *m, struct sl_mkv_track *t, int64_t offset, int64_t size,
                            struct sl_chain *out, struct sl_error *err)
{
    struct sl_file *file = sl_window_file(m->window);
    size_t got = 0;
    size_t part = (size_t)size;
    enum sl_status status = SL_OK;

    if (file && size > SMALL_MAX) {
        if (offset > file->size || size > file->size - offset) {
            return cut_short(m, offset, size, err);
        }
        status = bytes_to_show(m, t, offset, &part, err);
    }
    if (status == SL_OK && part > 0) {
        status = sl_window_share(m->window, offset, part, out, &got, err);
        if (status == SL_OK && got < part) {
            status = cut_short(m, offset, size, err);
        }
    }
    if (status == SL_OK && (int64_t)part < size) {
        status = sl_chain_add_file(out, file, offset + (int64_t)part, (size_t)size - part, err);
    }
    return status;
}

static enum sl_status undo_one(struct sl_mkv *m, const struct sl_mkv_undo *undo,
                               const uint8_t *data, size_t size, int64_t offset,
                               struct sl_writer *out, struct sl_error *err)
{
    if (!undo->prefix) {
        return inflate_all(data, size, out, m->name, offset, err);
    }
    sl_write_bytes(out, undo->prefix->data, undo->prefix->size);
    sl_write_bytes(out, data, size);
    return SL_OK;
}

static void repair(const struct sl_mkv_track *t, const uint8_t *data, size_t size,
                   struct sl_writer *out)
{
    switch (t->repair) {
    case SL_MKV_PRORES:
        repair_prores(data, size, out);
        break;
    case SL_MKV_WAVPACK:
        repair_wavpack(t, data, size, out);
        break;
    case SL_MKV_WEBVTT:
        repair_webvtt(data, size, out);
        break;
    default:
        sl_write_bytes(out, data, size);
        break;
    }
}

/* Whatever needs every byte to be looked at. */
static enum sl_status rewritten(struct sl_mkv *m, struct sl_mkv_track *t, int64_t offset,
                                int64_t size, struct sl_chain *out, struct sl_error *err)
{
    struct sl_writer now;
    struct sl_writer next;
    struct sl_buf *buf = NULL;
    const uint8_t *data = NULL;
    size_t got = 0;
    enum sl_status status = sl_window_view(m->window, offset, (size_t)size, &data, &got, err);

    sl_writer_init(&now, SL_MKV_PAYLOAD_MAX);
    sl_writer_init(&next, SL_MKV_PAYLOAD_MAX);
    if (status == SL_OK && (int64_t)got < size) {
        status = cut_short(m, offset, size, err);
    }
    for (size_t i = 0; i <= t->undo_count && status == SL_OK; i++) {
        struct sl_writer swap = now;
        if (i < t->undo_count) {
            status = undo_one(m, &t->undo[i], data, got, offset, &next, err);
        } else {
            repair(t, data, got, &next);
        }
        now = next;
        next = swap;
        next.size = 0;
        data = now.data;
        got = now.size;
    }
    if (status == SL_OK) {
        status = writer_to_buf(&now, &buf, err);
    }
    if (status == SL_OK) {
        status = sl_chain_add_buf(out, buf, 0, buf->size, err);
    }
    sl_buf_unref(&buf);
    sl_writer_clear(&now);
    sl_writer_clear(&next);
    return status;
}

enum sl_status sl_mkv_payload(struct sl_mkv *m, struct sl_mkv_track *t, int64_t offset,
                              int64_t size, struct sl_chain *out, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    bool prefix_only = t->undo_count == 1 && t->undo[0].prefix;

    if (size > (int64_t)SL_MKV_PAYLOAD_MAX) {
        return sl_fail_at(err, SL_EUNSUPPORTED, m->name, offset,
                          "a frame of %" PRId64 " bytes, at most %u are read", size,
                          SL_MKV_PAYLOAD_MAX);
    }
    if (t->repair != SL_MKV_AS_IT_IS || (t->undo_count > 0 && !prefix_only)) {
        return rewritten(m, t, offset, size, out, err);
    }
    if (prefix_only) {
        status = sl_chain_add_buf(out, t->undo[0].prefix, 0, t->undo[0].prefix->size, err);
    }
    return status == SL_OK ? plain(m, t, offset, size, out, err) : status;
}

enum sl_status sl_mkv_place(const struct sl_mkv *m, const struct sl_mkv_track *t, int64_t offset,
                            int64_t size, struct sl_packet *p, struct sl_error *err)
{
    enum sl_status status = SL_OK;

    if (size > (int64_t)SL_MKV_PAYLOAD_MAX || t->repair != SL_MKV_AS_IT_IS || t->undo_count > 1 ||
        (t->undo_count == 1 && !t->undo[0].prefix)) {
        return sl_fail_at(err, SL_EUNSUPPORTED, m->name, offset,
                          "a frame that is packed, or of %" PRId64
                          " bytes: it cannot be read by its place",
                          size);
    }
    if (t->undo_count == 1) {
        status = sl_chain_add_buf(&p->payload, t->undo[0].prefix, 0, t->undo[0].prefix->size, err);
    }
    p->position = offset;
    p->stored = (size_t)size;
    return status;
}
