/* SPDX-License-Identifier: BSD-2-Clause */
/* Cut tables of any key frames: whatever an index claims, cuts rise, lie within the presentation,
 * keep to the target and to their grid, and are found again; a playlist of them adds up. */
#include <stdlib.h>

#include "base/bytes.h"
#include "package/cuts.h"
#include "package/playlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEYS_MAX = 512 };
#define MUCH  (INT64_C(1) << 40)
#define HOURS (INT64_C(3) * 3600)

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check(const struct sl_cuts *c)
{
    require(c->count >= 1);
    for (size_t i = 0; i < c->count; i++) {
        int64_t end = sl_cuts_end(c, i);
        require(end == SL_NO_TIME ? i + 1 == c->count : end > c->at[i]);
        require(sl_cuts_find(c, c->at[i]) == i);
        require(end == SL_NO_TIME || sl_cuts_find(c, end - 1) == i);
    }
}

/* What the bytes hold and what is printed are the same table. */
static void list(const struct sl_cuts *c)
{
    struct sl_playlist p;
    sl_playlist_init(&p);
    p.timebase = c->timebase;
    p.target = sl_cuts_target(c);
    for (size_t i = 0; i < c->count; i++) {
        /* never longer than the target that was worked out for them */
        require(sl_playlist_check(&p, sl_cuts_end(c, i) - c->at[i], NULL) == SL_OK ||
                sl_cuts_end(c, i) - c->at[0] > MUCH || sl_cuts_target(c) > MUCH);
        if (sl_playlist_add(&p, sl_cuts_end(c, i) - c->at[i], 0, NULL) != SL_OK) {
            break; /* a tick of less than a microsecond, or more than a playlist takes */
        }
    }
    sl_playlist_clear(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_reader r;
    struct sl_cuts c, d;
    int64_t keys[KEYS_MAX];
    size_t count = 0;
    sl_reader_init(&r, data, size);
    unsigned form = sl_read_u8(&r);
    struct sl_cuts_params p = {
        .timebase = {form & 1 ? 1001 : 1, 1 + sl_read_be16(&r)},
        .target = {1 + sl_read_u8(&r), 1 + sl_read_u8(&r) % 8},
        .start = (int16_t)sl_read_be16(&r),
        .end = form & 2 ? SL_NO_TIME : (int32_t)sl_read_be32(&r),
    };
    struct sl_cuts_grid g = {
        .timebase = {1, 1 + sl_read_be16(&r)},
        .origin = (int16_t)sl_read_be16(&r),
        .step = sl_read_be16(&r),
        .start = (int16_t)sl_read_be16(&r),
        .end = (int32_t)sl_read_be32(&r),
        .shortest = sl_read_be16(&r),
    };
    /* Hours are enough: a table of years is refused, but not before it has been made. */
    g.end %= HOURS * g.timebase.den;
    p.end = p.end == SL_NO_TIME ? p.end : p.end % (HOURS * p.timebase.den);
    while (sl_reader_left(&r) > 0 && count < KEYS_MAX) {
        uint64_t wide = form & 4 ? sl_read_be64(&r) : sl_read_be32(&r);
        keys[count++] = form & 4 ? (int64_t)wide : (int32_t)wide;
    }
    if (sl_cuts_make(&c, &p, keys, count, NULL) != SL_OK) {
        return 0;
    }
    check(&c);
    if (c.end != SL_NO_TIME) {
        list(&c);
    }
    if (sl_cuts_split(&d, &c, p.target, form & 8 ? g.step : 0, NULL) == SL_OK) {
        require(d.count >= c.count);
        check(&d);
        sl_cuts_clear(&d);
    }
    if (sl_cuts_on_grid(&d, &c, &g, p.target, NULL) == SL_OK) {
        check(&d);
        for (size_t i = 1; i < d.count; i++) {
            require((d.at[i] - g.origin) % g.step == 0);
        }
        sl_cuts_clear(&d);
    }
    sl_cuts_clear(&c);
    return 0;
}
