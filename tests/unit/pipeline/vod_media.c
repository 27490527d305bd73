/* SPDX-License-Identifier: BSD-2-Clause */
#include "vod_media.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/window.h"
#include "demux/registry.h"
#include "pipeline/remux.h"
#include "source/source.h"
#include "unit.h"

void vod_media(struct scratch *home, const char *arguments, const char *name, char path[600])
{
    char command[4096];
    (void)snprintf(path, 600, "%s", scratch_name(home, name));
    (void)snprintf(command, sizeof command, "ffmpeg -v error -nostdin -y %s %s", arguments, path);
    assert_int_equal(system(command), 0);
}

struct sl_vod *vod_media_open(const char *path)
{
    struct sl_vod_params p = {.where = path};
    struct sl_error err = {0};
    struct sl_vod *v = NULL;
    if (sl_vod_open(&v, &p, NULL, &err) != SL_OK) {
        fail_msg("%s: %s", err.where, err.msg);
    }
    return v;
}

uint8_t *vod_media_segment(struct sl_vod *v, const char *rendition, enum sl_vod_format format,
                           size_t n, size_t *size, enum sl_status *status)
{
    struct sl_chain chain;
    struct sl_error err = {0};
    uint8_t *data = NULL;
    sl_chain_init(&chain);
    *status = sl_vod_segment(v, rendition, format, n, &chain, NULL, &err);
    *size = (size_t)chain.size;
    if (*status == SL_OK) {
        data = malloc(*size + 1);
        assert_non_null(data);
        assert_int_equal(sl_chain_read(&chain, 0, data, *size, NULL), SL_OK);
    } else if (*status != SL_ENOTFOUND && *status != SL_ENOMEM) {
        fail_msg("%s %zu: %d: %s: %s", rendition, n, (int)*status, err.where, err.msg);
    } else {
        assert_int_equal(chain.size, 0);
    }
    sl_chain_clear(&chain);
    return data;
}

size_t vod_media_join(struct sl_vod *v, const char *rendition, enum sl_vod_format format,
                      const char *path)
{
    struct sl_chain init;
    enum sl_status st = SL_OK;
    size_t n = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    sl_chain_init(&init);
    if (format == SL_VOD_FMP4) {
        assert_int_equal(sl_vod_init(v, rendition, &init, NULL, NULL), SL_OK);
        assert_int_equal(sl_chain_write(&init, fd, path, NULL), SL_OK);
    }
    sl_chain_clear(&init);
    for (;; n++) {
        size_t size;
        uint8_t *data = vod_media_segment(v, rendition, format, n, &size, &st);
        if (!data) {
            break;
        }
        assert_int_equal(write(fd, data, size), (ssize_t)size);
        free(data);
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(st, SL_ENOTFOUND);
    return n;
}

char *vod_media_playlist(struct sl_vod *v, const char *rendition, enum sl_vod_format format)
{
    struct sl_writer w;
    struct sl_error err = {0};
    sl_writer_init(&w, 1 << 20);
    enum sl_status st = rendition ? sl_vod_playlist(v, rendition, format, NULL, &w, NULL, &err)
                                  : sl_vod_master(v, format, NULL, &w, NULL, &err);
    if (st != SL_OK) {
        fail_msg("%s: %s: %s", rendition ? rendition : "master", err.where, err.msg);
    }
    char *text = malloc(w.size + 1);
    assert_non_null(text);
    memcpy(text, w.data, w.size);
    text[w.size] = '\0';
    sl_writer_clear(&w);
    return text;
}

struct reading {
    struct sl_source *source;
    struct sl_window *window;
    struct sl_demuxer *demuxer;
};

static void begin(struct reading *r, const char *path)
{
    struct sl_error err = {0};
    memset(r, 0, sizeof *r);
    assert_int_equal(sl_source_open(&r->source, path, NULL), SL_OK);
    assert_int_equal(sl_window_create(&r->window, &r->source->bytes, NULL), SL_OK);
    if (sl_demux_open(&r->demuxer, r->window, NULL, &err) != SL_OK) {
        fail_msg("%s: %s", path, err.msg);
    }
}

static void end(struct reading *r)
{
    sl_demux_destroy(&r->demuxer);
    sl_window_destroy(&r->window);
    sl_source_destroy(&r->source);
}

static struct sl_packet *next(struct reading *r, enum sl_media_kind kind)
{
    struct sl_packet *p = NULL;
    struct sl_error err = {0};
    enum sl_status st;
    while ((st = r->demuxer->ops->read(r->demuxer, &p, &err)) == SL_OK) {
        if (r->demuxer->tracks[p->track].kind == kind) {
            return p;
        }
        sl_packet_unref(&p);
    }
    if (st != SL_EOF) {
        fail_msg("%s", err.msg);
    }
    return NULL;
}

size_t vod_media_compare(const char *path, const char *other, enum sl_media_kind kind, bool bytes,
                         int64_t slack)
{
    struct reading a, b;
    size_t count = 0;
    begin(&a, path);
    begin(&b, other);
    for (;; count++) {
        struct sl_packet *p = next(&a, kind), *q = next(&b, kind);
        struct sl_buf *x = NULL, *y = NULL;
        if (!p != !q) {
            fail_msg("%s has %s packets than %s: %zu", path, p ? "more" : "fewer", other, count);
        }
        if (!p) {
            break;
        }
        if (llabs(p->pts - q->pts) > slack || llabs(p->dts - q->dts) > slack) {
            fail_msg("%s, packet %zu: pts %lld dts %lld, in %s %lld %lld", path, count,
                     (long long)p->pts, (long long)p->dts, other, (long long)q->pts,
                     (long long)q->dts);
        }
        assert_int_equal(p->flags & SL_PACKET_KEY, q->flags & SL_PACKET_KEY);
        if (bytes) {
            assert_int_equal(sl_chain_load(&p->payload, &x, NULL), SL_OK);
            assert_int_equal(sl_chain_load(&q->payload, &y, NULL), SL_OK);
            assert_int_equal(x->size, y->size);
            assert_memory_equal(x->data, y->data, x->size);
        }
        sl_buf_unref(&x);
        sl_buf_unref(&y);
        sl_packet_unref(&p);
        sl_packet_unref(&q);
    }
    end(&a);
    end(&b);
    return count;
}

void vod_media_remux(const char *in, const char *out, int audio)
{
    static struct sl_remux_params p;
    struct sl_error err = {0};
    struct sl_remux *r = NULL;
    p = (struct sl_remux_params){.start = {0, 1},
                                 .duration = {0, 1},
                                 .decode_time = {0, 1},
                                 .fragment = {1, 1},
                                 .channels = 2,
                                 .audio = audio};
    (void)snprintf(p.input, sizeof p.input, "%s", in);
    (void)snprintf(p.output, sizeof p.output, "%s", out);
    assert_int_equal(sl_remux_create(&r, &p, NULL, NULL, NULL, NULL), SL_OK);
    if (sl_remux_execute(r, -1, &err) != SL_OK) {
        fail_msg("%s: %s", in, err.msg);
    }
    sl_remux_free(&r);
}

/* ---- boxes ------------------------------------------------------------------------------------
 */

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* The payload of the first box of this type. */
static const uint8_t *find(const uint8_t *data, size_t size, const char *type, size_t *out)
{
    size_t at = 0;
    while (at + 8 <= size) {
        size_t n = be32(data + at);
        assert_true(n >= 8 && n <= size - at);
        if (memcmp(data + at + 4, type, 4) == 0) {
            *out = n - 8;
            return data + at + 8;
        }
        at += n;
    }
    fail_msg("there is no box %s", type);
    return NULL;
}

void vod_media_fragment(const uint8_t *data, size_t size, struct vod_fragment *out)
{
    size_t moof, traf, n;
    const uint8_t *m = find(data, size, "moof", &moof);
    const uint8_t *t = find(m, moof, "traf", &traf);
    const uint8_t *p = find(t, traf, "tfdt", &n);
    uint32_t each = 0;
    *out = (struct vod_fragment){.start = be32(p + 4)};
    if (p[0] == 1) {
        out->start = (int64_t)((uint64_t)be32(p + 4) << 32 | be32(p + 8));
    }
    p = find(t, traf, "tfhd", &n);
    uint32_t flags = be32(p) & 0xffffff;
    if (flags & 8) {
        each = be32(p + 8 + ((flags & 1) ? 8 : 0) + ((flags & 2) ? 4 : 0));
    }
    p = find(t, traf, "trun", &n);
    flags = be32(p) & 0xffffff;
    out->samples = be32(p + 4);
    p += 8 + ((flags & 1) ? 4 : 0) + ((flags & 4) ? 4 : 0);
    for (size_t i = 0; i < out->samples; i++) {
        out->duration += (flags & 0x100) ? be32(p) : each;
        for (uint32_t bit = 0x100; bit <= 0x800; bit *= 2) {
            p += (flags & bit) ? 4 : 0;
        }
    }
}
