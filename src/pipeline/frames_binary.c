/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the compact sidecar. Every number is bounded by what is already known of the file. */
#include "pipeline/frames_binary.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "pipeline/frames.h"

bool sl_frames_is_binary(const uint8_t *data, size_t size)
{
    return size >= 8 && memcmp(data, SL_FRAMES_BINARY_MAGIC, 8) == 0;
}

/* LEB128, at most 10 bytes. */
static uint64_t read_number(struct sl_reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        uint8_t byte = sl_read_u8(r);
        if (shift == 63 && byte > 1) {
            break;
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return value;
        }
    }
    r->overrun = true;
    return 0;
}

/* Zigzag. */
static int64_t read_signed(struct sl_reader *r)
{
    uint64_t value = read_number(r);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static enum sl_status misfit(const struct sl_reader *r, const char *name, struct sl_error *err,
                             size_t sample, const char *what)
{
    return sl_fail_at(err, SL_EDATA, name, (int64_t)r->pos, "%s of sample %zu %s", what, sample,
                      r->overrun ? "is cut short" : "is not what the file has");
}

static enum sl_status read_sample(struct sl_frames_index *x, struct sl_reader *r, size_t i,
                                  int64_t *end, const char *name, struct sl_error *err)
{
    struct sl_frames_sample *s = &x->samples[i];
    uint32_t refs[SL_FRAMES_REFS_MAX];
    struct sl_error why = {0};
    unsigned flags = sl_read_u8(r);
    int64_t offset, id;
    uint64_t size, count;
    offset = read_signed(r);
    size = read_number(r);
    if (r->overrun || offset != s->offset - *end || size != s->size ||
        (flags & SL_FRAMES_BINARY_LAYER) != s->layer) {
        return misfit(r, name, err, i, "place");
    }
    *end = s->offset + s->size;
    (void)read_signed(r); /* pts, duration and display_frame: the file has the first two itself */
    (void)read_number(r);
    (void)read_signed(r);
    id = read_signed(r);
    s->id = (int64_t)((uint64_t)id + s->shown);
    if (r->overrun) {
        return misfit(r, name, err, i, "time");
    }
    if (!(flags & SL_FRAMES_BINARY_LINKED)) {
        return SL_OK;
    }
    count = read_number(r);
    if (r->overrun || count > SL_FRAMES_REFS_MAX) {
        return misfit(r, name, err, i, "number of references");
    }
    for (uint64_t k = 0; k < count; k++) {
        uint64_t back = read_number(r);
        if (r->overrun || back == 0 || back > i) {
            return misfit(r, name, err, i, "reference");
        }
        refs[k] = (uint32_t)(i - back);
    }
    if (sl_frames_set_refs(x, i, refs, (size_t)count, &why)) {
        return sl_fail_at(err, why.status, name, (int64_t)r->pos, "%s", why.msg);
    }
    return SL_OK;
}

enum sl_status sl_frames_read_binary(struct sl_frames_index *x, const char *name,
                                     const uint8_t *data, size_t size, struct sl_error *err)
{
    struct sl_reader r;
    uint32_t version, samples;
    int64_t end = 0;
    enum sl_status status = SL_OK;
    if (size < SL_FRAMES_BINARY_HEAD + SL_FRAMES_BINARY_TAIL) {
        return sl_fail(err, SL_EDATA, name, "%zu bytes are not an index", size);
    }
    size -= SL_FRAMES_BINARY_TAIL;
    sl_reader_init(&r, data + size, SL_FRAMES_BINARY_TAIL);
    if (sl_read_be32(&r) != crc32_z(0, data, size)) {
        return sl_fail_at(err, SL_EDATA, name, (int64_t)size, "the checksum does not fit");
    }
    sl_reader_init(&r, data, size);
    sl_read_skip(&r, 8);
    version = sl_read_be32(&r);
    if (version != SL_FRAMES_BINARY_VERSION) {
        return sl_fail_at(err, SL_EUNSUPPORTED, name, 8, "version %" PRIu32 ", %d is known",
                          version, SL_FRAMES_BINARY_VERSION);
    }
    sl_read_skip(&r, 16); /* size of the picture, rate: the file has them */
    samples = sl_read_be32(&r);
    sl_read_skip(&r, SL_FRAMES_BINARY_HEAD - r.pos);
    if (samples != x->count) {
        return sl_fail_at(err, SL_EDATA, name, 28, "%" PRIu32 " samples, the file has %zu", samples,
                          x->count);
    }
    for (size_t i = 0; i < x->count && !status; i++) {
        status = read_sample(x, &r, i, &end, name, err);
    }
    if (!status && sl_reader_left(&r) > 0) {
        status = sl_fail_at(err, SL_EDATA, name, (int64_t)r.pos, "%zu bytes behind the last sample",
                            sl_reader_left(&r));
    }
    x->has_ids = status == SL_OK;
    return status;
}
