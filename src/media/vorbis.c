/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/vorbis.h"

/* The modes stand at the end of the setup header (4.2.4), a reader's bits being the lowest first;
 * they are found from behind: 41 bits each, of which all but the block flag and the mapping are
 * zero. */
static bool read_modes(struct sl_vorbis *v, const uint8_t *setup, size_t size)
{
    size_t bits = size * 8;
    unsigned found = 0;
    bool flags[64] = {false}, known = false;

#define BIT(n) (setup[(n) >> 3] >> ((n)&7) & 1)
    while (bits > 0 && !BIT(bits - 1)) { /* the framing bit is the last that is set */
        bits--;
    }
    if (bits > 0) {
        bits--;
    }
    for (unsigned count = 1; count <= 64 && bits >= 41 + 6 && count == found + 1; count++) {
        unsigned stated = 0;
        bool plain = true;
        for (unsigned i = 0; i < 32; i++) { /* window and transform types */
            plain = plain && !BIT(bits - 40 + i);
        }
        if (!plain) {
            break;
        }
        flags[found++] = BIT(bits - 41);
        bits -= 41;
        for (unsigned i = 0; i < 6; i++) {
            stated |= (unsigned)BIT(bits - 6 + i) << i;
        }
        if (stated + 1 == found) { /* the number of modes stands before them */
            known = true;
            v->mode_bits = 0;
            while (1U << v->mode_bits < found) {
                v->mode_bits++;
            }
            v->long_modes = 0;
            for (unsigned i = 0; i < found; i++) {
                v->long_modes |= (uint64_t)flags[found - 1 - i] << i;
            }
        }
    }
#undef BIT
    return known;
}

bool sl_vorbis_parse(const uint8_t *config, size_t size, struct sl_vorbis *v)
{
    struct sl_reader r;
    size_t sizes[2] = {0};
    const uint8_t *first = NULL;

    *v = (struct sl_vorbis){.mode_bits = 0};
    sl_reader_init(&r, config, size);
    if (sl_read_u8(&r) != 2) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        uint8_t byte = 255;
        while (byte == 255 && !r.overrun) {
            byte = sl_read_u8(&r);
            sizes[i] += byte;
        }
    }
    first = sl_read_bytes(&r, sizes[0]);
    sl_read_skip(&r, sizes[1]);
    if (r.overrun || sizes[0] < 30) {
        return false;
    }
    if (!read_modes(v, config + r.pos, sl_reader_left(&r))) {
        return false;
    }
    unsigned low = first[28] & 15, high = first[28] >> 4;
    if (low < 6 || high > 13 || low > high) { /* 4.2.2 */
        return false;
    }
    v->block[0] = (uint16_t)(1U << low);
    v->block[1] = (uint16_t)(1U << high);
    return true;
}

unsigned sl_vorbis_block(const struct sl_vorbis *v, const uint8_t *head, size_t size)
{
    if (size < 1 || (head[0] & 1) || v->block[0] == 0) { /* 4.2.1: a header */
        return 0;
    }
    unsigned mode = head[0] >> 1 & ((1U << v->mode_bits) - 1);
    return v->block[v->long_modes >> mode & 1];
}
