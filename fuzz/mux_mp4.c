/* SPDX-License-Identifier: BSD-2-Clause */
/* Round trip: random packets through the fMP4 or the classic MP4 muxer, and back out by a reader of
 * its own: every packet must be there with its bytes, its times and whether it is a sync sample. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/rational.h"
#include "media/track.h"
#include "mux/registry.h"

#define TRACKS  3
#define PACKETS 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct expected {
    uint32_t track;
    int64_t pts, dts, duration;
    const uint8_t *bytes;
    size_t size;
    bool key, seen;
};

struct trip {
    struct sl_reader in;
    struct sl_track tracks[TRACKS];
    struct sl_mux_track places[TRACKS];
    int64_t next[TRACKS];
    size_t count;
    struct expected packets[PACKETS];
    size_t packet_count;
    size_t read[TRACKS]; /* of each track's packets, how many were found */
};

static void must(bool truth)
{
    if (!truth)
        abort();
}

static enum sl_status make_track(struct trip *t, size_t i)
{
    static const uint8_t vpcc[] = {1, 0, 0, 0, 0, 31, 0x82, 2, 2, 2, 0, 0};
    static const uint8_t av1c[] = {0x81, 0, 0x0c, 0}, dac3[] = {0x10, 0x3d, 0xe0};
    static const uint8_t head[] = {'O', 'p', 'u', 's', 'H', 'e', 'a', 'd', 1, 1,
                                   0,   0,   0,   0,   0,   0,   0,   0,   0};
    static const uint8_t avcc[] = {1,    0x64, 0,    0x0c, 0xff, 0xe1, 0,    4, 0x67,
                                   0x64, 0x00, 0x0c, 0x01, 0x00, 0x03, 0x68, 1, 2};
    static const struct {
        enum sl_codec codec;
        enum sl_media_kind kind;
        const uint8_t *config;
        size_t size;
    } kinds[8] = {
        {SL_CODEC_VP8, SL_KIND_VIDEO, vpcc, sizeof vpcc},
        {SL_CODEC_H264, SL_KIND_VIDEO, avcc, sizeof avcc},
        {SL_CODEC_AC3, SL_KIND_AUDIO, dac3, sizeof dac3},
        {SL_CODEC_OPUS, SL_KIND_AUDIO, head, sizeof head},
        {SL_CODEC_MP3, SL_KIND_AUDIO, NULL, 0},
        {SL_CODEC_WEBVTT, SL_KIND_SUBTITLE, NULL, 0},
        {SL_CODEC_VP9, SL_KIND_VIDEO, vpcc, sizeof vpcc},
        {SL_CODEC_AV1, SL_KIND_VIDEO, av1c, sizeof av1c},
    };
    struct sl_track *track = &t->tracks[i];
    unsigned bits = sl_read_u8(&t->in);
    sl_track_init(track);
    track->codec = kinds[bits & 7].codec;
    track->kind = kinds[bits & 7].kind;
    track->timebase.num = 1 + (bits >> 3 & 3);
    track->timebase.den = 1 + (int64_t)sl_read_be16(&t->in);
    track->decode_delay = sl_read_u8(&t->in);
    track->width = track->height = track->channels = 1 + (int32_t)(bits >> 5);
    track->sample_rate = 48000;
    t->places[i].start = sl_read_u8(&t->in);
    t->places[i].in_band = bits & 0x80;
    t->next[i] = t->places[i].start - track->decode_delay;
    return sl_track_set_config(track, kinds[bits & 7].config, kinds[bits & 7].size, NULL);
}

/* Payloads that are not reframed: NAL units get a length that fits. */
static void write_packet(struct trip *t, unsigned op, struct sl_muxer *m)
{
    struct expected *e = &t->packets[t->packet_count];
    struct sl_packet *p;
    uint8_t *to;
    e->track = (op >> 1 & 3) % (uint32_t)t->count;
    bool nal = t->tracks[e->track].codec == SL_CODEC_H264;
    size_t size = sl_read_u8(&t->in);
    if (size > sl_reader_left(&t->in))
        size = sl_reader_left(&t->in);
    e->bytes = sl_read_bytes(&t->in, size);
    e->size = nal ? size + 4 : size;
    e->dts = t->next[e->track];
    e->pts = e->dts + sl_read_u8(&t->in);
    e->duration = 1 + sl_read_u8(&t->in);
    e->key = op & 8;
    if (!e->bytes || sl_packet_create_data(&p, e->size, &to, NULL))
        return;
    /* 12 00 in front of AV1 would be taken away, and rightly */
    if (t->tracks[e->track].codec == SL_CODEC_AV1 && size > 2 && e->bytes[0] == 0x12) {
        sl_packet_unref(&p);
        return;
    }
    if (nal) {
        memcpy(to, (uint8_t[]){0, 0, 0, (uint8_t)size}, 4);
        to += 4;
    }
    if (size)
        memcpy(to, e->bytes, size);
    p->track = e->track;
    p->pts = e->pts;
    p->dts = e->dts;
    p->duration = e->duration;
    p->flags = e->key ? SL_PACKET_KEY : 0;
    if (op & 16) { /* somebody else looks at the payload as well */
        struct sl_packet *other = sl_packet_ref(p);
        if (m->ops->write(m, p, NULL))
            sl_packet_unref(&p);
        else
            t->packet_count++, t->next[e->track] += e->duration;
        sl_packet_unref(&other);
        return;
    }
    if (m->ops->write(m, p, NULL))
        sl_packet_unref(&p);
    else
        t->packet_count++, t->next[e->track] += e->duration;
}

/* ---- reading back -------------------------------------------------------------------------- */

static struct sl_reader open_box(struct sl_reader *r, char type[5])
{
    struct sl_reader inside;
    uint64_t size = sl_read_be32(r), head = 8;
    const uint8_t *name = sl_read_bytes(r, 4);
    must(name != NULL);
    memcpy(type, name, 4);
    type[4] = 0;
    if (size == 1) {
        size = sl_read_be64(r);
        head = 16;
    }
    must(size >= head && size - head <= sl_reader_left(r));
    const uint8_t *body = sl_read_bytes(r, (size_t)(size - head));
    sl_reader_init(&inside, body, (size_t)(size - head));
    return inside;
}

/* The first box of this type, none: empty. */
static struct sl_reader find(struct sl_reader r, const char *type)
{
    char name[5];
    while (sl_reader_left(&r)) {
        struct sl_reader inside = open_box(&r, name);
        if (!strcmp(name, type))
            return inside;
    }
    sl_reader_init(&r, NULL, 0);
    return r;
}

/* Media ticks in one tick of the timebase, once it is reduced. */
static int64_t factor(const struct sl_track *t)
{
    return sl_rational_reduce(t->timebase).num;
}

static void found(struct trip *t, uint32_t track, uint64_t dts, uint64_t duration, uint64_t offset,
                  bool sync, const uint8_t *bytes, size_t size)
{
    size_t skip = t->read[track]++;
    struct expected *e = NULL;
    for (size_t i = 0; i < t->packet_count && !e; i++)
        if (t->packets[i].track == track && skip-- == 0)
            e = &t->packets[i];
    must(e && !e->seen);
    e->seen = true;
    int64_t num = factor(&t->tracks[track]);
    must((int64_t)dts == (e->dts + t->tracks[track].decode_delay) * num);
    must((int64_t)duration == e->duration * num);
    must((int64_t)offset == (e->pts - e->dts) * num);
    must(sync == (e->key || t->tracks[track].kind != SL_KIND_VIDEO));
    must(size == e->size);
    size_t head = t->tracks[track].codec == SL_CODEC_H264 ? 4 : 0;
    must(size == head || !memcmp(bytes + head, e->bytes, size - head));
}

static void read_fragment(struct trip *t, const uint8_t *data, size_t size)
{
    struct sl_reader r, moof;
    char type[5];
    size_t base;
    sl_reader_init(&r, data, size);
    do {
        base = r.pos;
        moof = open_box(&r, type);
    } while (strcmp(type, "moof") != 0);
    (void)open_box(&moof, type);
    while (sl_reader_left(&moof)) {
        struct sl_reader traf = open_box(&moof, type), tfhd = find(traf, "tfhd"),
                         tfdt = find(traf, "tfdt"), trun = find(traf, "trun");
        uint32_t flags = sl_read_be32(&tfhd), track = sl_read_be32(&tfhd) - 1;
        uint32_t duration = flags & 8 ? sl_read_be32(&tfhd) : 0;
        uint32_t bytes = flags & 16 ? sl_read_be32(&tfhd) : 0;
        uint32_t usual = flags & 32 ? sl_read_be32(&tfhd) : 0;
        uint32_t columns = sl_read_be32(&trun), count = sl_read_be32(&trun);
        size_t at = base + sl_read_be32(&trun);
        uint32_t first = columns & 4 ? sl_read_be32(&trun) : usual;
        sl_read_skip(&tfdt, 4);
        uint64_t dts = sl_read_be64(&tfdt);
        must(track < t->count && !tfdt.overrun);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t d = columns & 0x100 ? sl_read_be32(&trun) : duration;
            uint32_t n = columns & 0x200 ? sl_read_be32(&trun) : bytes;
            uint32_t f = columns & 0x400 ? sl_read_be32(&trun) : i ? usual : first;
            uint32_t o = columns & 0x800 ? sl_read_be32(&trun) : 0;
            must(at <= size && n <= size - at);
            found(t, track, dts, d, o, !(f & 0x10000), data + at, n);
            at += n;
            dts += d;
        }
        must(!trun.overrun && sl_reader_left(&trun) == 0);
    }
}

struct runs {
    struct sl_reader r;
    uint32_t left, value;
};

static uint32_t next_run(struct runs *runs)
{
    if (runs->left == 0) {
        runs->left = sl_read_be32(&runs->r);
        runs->value = sl_read_be32(&runs->r);
        must(!runs->r.overrun && runs->left > 0);
    }
    runs->left--;
    return runs->value;
}

static void read_trak(struct trip *t, uint32_t track, struct sl_reader trak, const uint8_t *data,
                      size_t size)
{
    struct sl_reader stbl = find(find(find(trak, "mdia"), "minf"), "stbl");
    struct runs stts = {.r = find(stbl, "stts")}, ctts = {.r = find(stbl, "ctts")};
    struct sl_reader stsz = find(stbl, "stsz"), stsc = find(stbl, "stsc"),
                     stco = find(stbl, "stco"), stss = find(stbl, "stss");
    bool offsets = sl_reader_left(&ctts.r), keys = sl_reader_left(&stss);
    uint64_t dts = (uint64_t)t->places[track].start * (uint64_t)factor(&t->tracks[track]);
    uint32_t left = 0, chunk = 0, each = 0, next_first, at = 0, key = 0;
    sl_read_skip(&stts.r, 8);
    sl_read_skip(&ctts.r, offsets ? 8 : 0);
    sl_read_skip(&stsz, 4);
    sl_read_skip(&stsc, 8);
    sl_read_skip(&stco, 8);
    sl_read_skip(&stss, keys ? 8 : 0);
    uint32_t common = sl_read_be32(&stsz), count = sl_read_be32(&stsz);
    next_first = sl_reader_left(&stsc) ? sl_read_be32(&stsc) : 0;
    if (keys && sl_reader_left(&stss))
        key = sl_read_be32(&stss);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t duration = next_run(&stts), offset = offsets ? next_run(&ctts) : 0;
        if (!left) {
            if (++chunk == next_first) {
                each = sl_read_be32(&stsc);
                sl_read_skip(&stsc, 4);
                next_first = sl_reader_left(&stsc) ? sl_read_be32(&stsc) : 0;
            }
            left = each;
            at = sl_read_be32(&stco);
        }
        uint32_t n = common ? common : sl_read_be32(&stsz);
        must(left > 0 && at <= size && n <= size - at);
        bool sync = !keys || key == i + 1;
        if (keys && sync)
            key = sl_reader_left(&stss) ? sl_read_be32(&stss) : 0;
        found(t, track, dts, duration, offset, sync, data + at, n);
        at += n;
        dts += duration;
        left--;
    }
    must(!stsz.overrun && !stsc.overrun && !stco.overrun && !stss.overrun);
}

static void read_file(struct trip *t, const uint8_t *data, size_t size)
{
    struct sl_reader r, moov;
    char type[5];
    uint32_t track = 0;
    sl_reader_init(&r, data, size);
    moov = find(r, "moov");
    must(sl_reader_left(&moov) > 0 && sl_reader_left(&r) > 0);
    while (sl_reader_left(&moov)) {
        struct sl_reader trak = open_box(&moov, type);
        if (!strcmp(type, "trak"))
            read_trak(t, track++, trak, data, size);
    }
    must(track == t->count);
    while (sl_reader_left(&r)) /* boxes fill the file */
        (void)open_box(&r, type);
}

static bool load(struct sl_chain *chain, struct sl_buf **buf)
{
    bool ok = chain->size > 0 && !sl_chain_load(chain, buf, NULL);
    sl_chain_clear(chain);
    return ok;
}

static void run(struct trip *t, struct sl_muxer *m)
{
    struct sl_chain out = {0}, payload = {0};
    struct sl_buf *buf;
    bool classic = m->ops->finish != NULL;
    must(!m->ops->header(m, &out, NULL) && out.size > 8);
    int64_t front = out.size;
    sl_chain_clear(&out);
    while (sl_reader_left(&t->in) && t->packet_count < PACKETS) {
        unsigned op = sl_read_u8(&t->in);
        if (op & 1) {
            write_packet(t, op, m);
        } else {
            must(!m->ops->flush(m, classic ? &payload : &out, NULL));
            if (load(&out, &buf)) {
                read_fragment(t, buf->data, buf->size);
                sl_buf_unref(&buf);
            }
        }
    }
    must(!m->ops->flush(m, classic ? &payload : &out, NULL));
    if (classic) {
        must(!m->ops->finish(m, &out, NULL));
        must(out.size >= front && (out.size - front) % SL_MUX_FRONT_STEP == 0);
        must(!sl_chain_move(&out, &payload, NULL));
    }
    if (load(&out, &buf)) {
        if (classic)
            read_file(t, buf->data, buf->size);
        else
            read_fragment(t, buf->data, buf->size);
        sl_buf_unref(&buf);
    }
    for (size_t i = 0; i < t->packet_count; i++)
        must(t->packets[i].seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct trip trip;
    struct trip *t = &trip;
    const struct sl_track *list[TRACKS];
    struct sl_mux_params params = {0};
    struct sl_muxer *m = NULL;
    enum sl_status status = SL_OK;
    memset(t, 0, sizeof *t);
    sl_reader_init(&t->in, data, size);
    unsigned bits = sl_read_u8(&t->in);
    t->count = 1 + (bits >> 1 & 3) % TRACKS;
    for (size_t i = 0; i < TRACKS; i++)
        sl_track_init(&t->tracks[i]);
    for (size_t i = 0; i < t->count && !status; i++) {
        status = make_track(t, i);
        list[i] = &t->tracks[i];
    }
    params.tracks = t->places;
    params.flags = bits >> 4 & 7;
    params.duration = bits & 8 ? 100000000 : 0;
    if (!status &&
        !sl_mux_open(&m, bits & 1 ? &sl_mux_mp4 : &sl_mux_fmp4, list, t->count, &params, NULL))
        run(t, m);
    sl_mux_destroy(&m);
    for (size_t i = 0; i < TRACKS; i++)
        sl_track_clear(&t->tracks[i]);
    return 0;
}
