/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/remux_dts.h"

#include <assert.h>
#include <string.h>

#define ROOM (sizeof(((struct sl_remux_dts *)0)->ring) / sizeof(struct sl_packet *))

void sl_remux_dts_init(struct sl_remux_dts *d, int depth, int64_t nominal, bool stated)
{
    memset(d, 0, sizeof *d);
    d->depth = depth < 0                    ? SL_REMUX_DEPTH_MAX / 2
               : depth > SL_REMUX_DEPTH_MAX ? SL_REMUX_DEPTH_MAX
                                            : (size_t)depth;
    d->nominal = nominal > 0 ? nominal : 0;
    d->stated = stated;
    d->last = SL_NO_TIME;
}

void sl_remux_dts_resume(struct sl_remux_dts *d, const struct sl_remux_dts *from)
{
    sl_remux_dts_init(d, (int)from->depth, from->nominal, from->stated);
    d->started = from->started;
    d->delay = from->delay;
    d->shift = from->shift;
}

static struct sl_packet *at(const struct sl_remux_dts *d, size_t i)
{
    return d->ring[(d->first + i) % ROOM];
}

static size_t waiting(const struct sl_remux_dts *d)
{
    return d->count - d->dealt;
}

void sl_remux_dts_push(struct sl_remux_dts *d, struct sl_packet *packet)
{
    size_t n = waiting(d);
    assert(d->count < ROOM);
    while (n > 0 && d->sorted[n - 1] > packet->pts) {
        d->sorted[n] = d->sorted[n - 1];
        n--;
    }
    d->sorted[n] = packet->pts;
    d->ring[(d->first + d->count++) % ROOM] = packet;
}

void sl_remux_dts_end(struct sl_remux_dts *d)
{
    d->ended = true;
}

/* From the first pictures: whether stated times can be used, and how far ahead decoding runs. */
static void start(struct sl_remux_dts *d)
{
    size_t n = waiting(d);
    int64_t length = d->nominal;
    d->started = true;
    for (size_t i = 0; i < n && d->stated; i++) {
        const struct sl_packet *p = at(d, i);
        d->stated = p->dts != SL_NO_TIME && (i == 0 || p->dts > at(d, i - 1)->dts);
        /* Version 1 composition offsets may be negative (ISO/IEC 14496-12 8.6.1.3). */
        if (d->stated && p->dts - p->pts > d->shift) {
            d->shift = p->dts - p->pts;
        }
    }
    if (length == 0 && n > 1) {
        length = (d->sorted[n - 1] - d->sorted[0]) / (int64_t)(n - 1);
    }
    d->delay = (int64_t)d->depth * (length > 0 ? length : 1);
}

/* The latest moment at which the first picture that waits can be decoded so that neither it nor
 * any other that is known is late, one tick each. Those not yet known leave at least a tick for
 * each of the pictures that may overtake them, which the delay has. */
static int64_t latest(const struct sl_remux_dts *d)
{
    int64_t t = INT64_MAX;
    for (size_t i = d->count; i-- > d->dealt;) {
        int64_t pts = at(d, i)->pts;
        t = t == INT64_MAX || pts < t - 1 ? pts : t - 1;
    }
    return t;
}

static int64_t decide(struct sl_remux_dts *d)
{
    const struct sl_packet *p = at(d, d->dealt);
    int64_t t;
    if (d->stated) {
        /* A later packet without a time follows on. */
        t = p->dts != SL_NO_TIME    ? p->dts - d->shift
            : d->last == SL_NO_TIME ? p->pts
                                    : d->last + (d->length > 0    ? d->length
                                                 : d->nominal > 0 ? d->nominal
                                                                  : 1);
    } else {
        int64_t limit = latest(d);
        t = d->sorted[0] - d->delay;
        t = t < limit ? t : limit;
    }
    return d->last != SL_NO_TIME && t <= d->last ? d->last + 1 : t;
}

static void deal(struct sl_remux_dts *d)
{
    struct sl_packet *p = at(d, d->dealt);
    size_t n = waiting(d), i = 0;
    p->dts = decide(d);
    if (d->stated) {
        while (i + 1 < n && d->sorted[i] != p->pts) {
            i++;
        }
    }
    memmove(d->sorted + i, d->sorted + i + 1, (n - i - 1) * sizeof *d->sorted);
    /* Only where the stream does not keep to its own reorder depth, or times stand still. */
    if (p->pts < p->dts) {
        p->pts = p->dts;
        d->moved++;
    }
    d->last = p->dts;
    d->dealt++;
}

struct sl_packet *sl_remux_dts_pop(struct sl_remux_dts *d)
{
    size_t ahead = d->stated && d->started ? 0 : d->depth;
    struct sl_packet *p;

    while (waiting(d) > 0 && (waiting(d) > ahead || d->ended) && d->dealt < 2) {
        if (!d->started) {
            start(d);
        }
        deal(d);
    }
    if (d->dealt == 0 || (d->dealt < 2 && !d->ended)) {
        return NULL;
    }
    p = at(d, 0);
    if (d->dealt > 1) {
        d->length = at(d, 1)->dts - p->dts;
        p->duration = d->length;
    } else if (p->duration == SL_NO_TIME || p->duration <= 0) {
        p->duration = d->length > 0 ? d->length : d->nominal > 0 ? d->nominal : 1;
    }
    d->first = (d->first + 1) % ROOM;
    d->count--;
    d->dealt--;
    return p;
}

void sl_remux_dts_clear(struct sl_remux_dts *d)
{
    while (d->count > 0) {
        struct sl_packet *p = at(d, 0);
        sl_packet_unref(&p);
        d->first = (d->first + 1) % ROOM;
        d->count--;
    }
    d->dealt = 0;
}
