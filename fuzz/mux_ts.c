/* SPDX-License-Identifier: BSD-2-Clause */
/* Random tracks and packets into the TS muxer; what comes out must be whole packets that start
 * with the tables and count without a gap. */
#include "mux_script.h"

#define FLUSH 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segment(const struct sl_chain *chain, uint8_t counters[8192])
{
    struct sl_buf *buf;
    if (chain->size == 0 || sl_chain_load(chain, &buf, NULL))
        return;
    must(buf->size % 188 == 0);
    for (size_t i = 0; i < buf->size; i += 188) {
        const uint8_t *p = buf->data + i;
        unsigned pid = (p[1] & 0x1fu) << 8 | p[2];
        must(p[0] == 0x47 && (p[3] & 0x30));
        must(i > 0 || pid == 0);
        if (p[3] & 0x20)
            must(p[3] & 0x10 ? p[4] <= 182 : p[4] == 183);
        if (p[3] & 0x10) {
            must((p[3] & 15) == (counters[pid] & 15));
            counters[pid] = (uint8_t)(p[3] + 1);
        }
    }
    sl_buf_unref(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t counters[8192];
    struct script s;
    struct sl_muxer *m;
    struct sl_chain chain;
    for (size_t i = 0; i < sizeof counters; i++)
        counters[i] = 0;
    sl_chain_init(&chain);
    if (!script_open(&s, data, size, &sl_mux_ts, &m)) {
        enum sl_status status = SL_OK;
        while (!status && sl_reader_left(&s.in)) {
            unsigned op = sl_read_u8(&s.in);
            if (!(op & FLUSH)) {
                (void)script_packet(&s, op, m);
                continue;
            }
            sl_chain_clear(&chain);
            status = m->ops->flush(m, &chain, NULL);
            if (!status)
                check_segment(&chain, counters);
        }
    }
    sl_chain_clear(&chain);
    script_close(&s, &m);
    return 0;
}
