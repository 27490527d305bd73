/* SPDX-License-Identifier: BSD-2-Clause */
/* Random tracks and packets into the fMP4 muxer; what comes out must be consistent: boxes that
 * fill their parents, sample sizes that add up to mdat, and each tfdt the end of the fragment
 * before it. */
#include <string.h>

#include "mux_script.h"

#define FLUSH 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Opens the next box of r as a reader of its own. */
static struct sl_reader enter(struct sl_reader *r, const char *type)
{
    struct sl_reader inside;
    uint32_t size = sl_read_be32(r);
    const uint8_t *name = sl_read_bytes(r, 4);
    must(size >= 8 && name && !memcmp(name, type, 4));
    const uint8_t *body = sl_read_bytes(r, size - 8);
    must(body || size == 8);
    sl_reader_init(&inside, body, size - 8);
    return inside;
}

static void check_traf(struct sl_reader traf, uint64_t times[SCRIPT_TRACKS], uint64_t *offset,
                       uint64_t moof_size)
{
    struct sl_reader tfhd = enter(&traf, "tfhd"), tfdt = enter(&traf, "tfdt"),
                     trun = enter(&traf, "trun");
    uint32_t flags = sl_read_be32(&tfhd), id = sl_read_be32(&tfhd) - 1;
    uint32_t duration = flags & 8 ? sl_read_be32(&tfhd) : 0;
    uint32_t bytes = flags & 16 ? sl_read_be32(&tfhd) : 0;
    uint32_t columns = sl_read_be32(&trun), count = sl_read_be32(&trun);
    must(sl_reader_left(&traf) == 0 && id < SCRIPT_TRACKS && count > 0);
    must(columns >> 24 == 0); /* version 0: offsets are not negative */
    sl_read_skip(&tfdt, 4);
    must(sl_read_be64(&tfdt) == times[id]);
    must(sl_read_be32(&trun) == moof_size + 8 + *offset);
    if (columns & 4)
        sl_read_skip(&trun, 4);
    for (uint32_t i = 0; i < count; i++) {
        times[id] += columns & 0x100 ? sl_read_be32(&trun) : duration;
        *offset += columns & 0x200 ? sl_read_be32(&trun) : bytes;
        sl_read_skip(&trun, (columns & 0x400 ? 4u : 0) + (columns & 0x800 ? 4u : 0));
    }
    must(!trun.overrun && sl_reader_left(&trun) == 0);
}

static void check_fragment(const struct sl_chain *chain, uint64_t times[SCRIPT_TRACKS])
{
    struct sl_buf *buf;
    struct sl_reader r, moof, mfhd;
    uint64_t offset = 0, moof_size;
    if (chain->size == 0 || sl_chain_load(chain, &buf, NULL))
        return;
    sl_reader_init(&r, buf->data, buf->size);
    (void)enter(&r, "styp");
    moof_size = r.pos;
    moof = enter(&r, "moof");
    moof_size = r.pos - moof_size;
    mfhd = enter(&moof, "mfhd");
    must(sl_reader_left(&mfhd) == 8);
    while (sl_reader_left(&moof))
        check_traf(enter(&moof, "traf"), times, &offset, moof_size);
    must(enter(&r, "mdat").size == offset && sl_reader_left(&r) == 0);
    sl_buf_unref(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script s;
    struct sl_muxer *m;
    struct sl_chain chain;
    uint64_t times[SCRIPT_TRACKS] = {0};
    sl_chain_init(&chain);
    if (!script_open(&s, data, size, &sl_mux_fmp4, &m)) {
        enum sl_status status = m->ops->header(m, &chain, NULL);
        must(!status && chain.size > 8);
        while (!status && sl_reader_left(&s.in)) {
            unsigned op = sl_read_u8(&s.in);
            if (!(op & FLUSH)) {
                (void)script_packet(&s, op, m);
                continue;
            }
            sl_chain_clear(&chain);
            status = m->ops->flush(m, &chain, NULL);
            if (!status)
                check_fragment(&chain, times);
        }
    }
    sl_chain_clear(&chain);
    script_close(&s, &m);
    return 0;
}
