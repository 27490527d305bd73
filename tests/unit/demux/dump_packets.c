/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice-dump-packets: what a demuxer makes of a file, as lines of JSON, for black-box tests.
 *
 *   sluice-dump-packets [--pipe] [--push BYTES] [--strict] [--fast] [--only TRACK] [--limit N]
 *                       [--seek TRACK:TICKS] FILE
 *
 * First a line for the container, then one for each track, then one for each packet with the MD5
 * of its payload, then {"end": "end of file"} or the error. --pipe reads without seeking, --push
 * hands the bytes over in pieces, --fast leaves the payloads alone (no hash). Warnings go to
 * standard error. The format of the input plays no part here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavutil/md5.h>

#include "base/window.h"
#include "demux/registry.h"
#include "source/source.h"

struct options {
    bool pipe, strict, fast;
    size_t push;
    int64_t only, limit, seek_track, seek_time;
    const char *path;
};

static void log_line(void *opaque, enum sl_log_level level, const char *component,
                     const char *message)
{
    (void)opaque;
    (void)level;
    (void)fprintf(stderr, "%s: %s\n", component, message);
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            printf("\\%c", c);
        } else if (c < 0x20) {
            printf("\\u%04x", c);
        } else {
            putchar(c);
        }
    }
    putchar('"');
}

static void print_time(const char *name, int64_t t)
{
    if (t == SL_NO_TIME) {
        printf(",\"%s\":null", name);
    } else {
        printf(",\"%s\":%" PRId64, name, t);
    }
}

static void print_hdr(const struct sl_hdr *h)
{
    if (h->has_mastering) {
        printf(",\"mastering\":[%u,%u,%u,%u,%u,%u,%u,%u,%" PRIu32 ",%" PRIu32 "]", h->primary[0][0],
               h->primary[0][1], h->primary[1][0], h->primary[1][1], h->primary[2][0],
               h->primary[2][1], h->white[0], h->white[1], h->luminance_max, h->luminance_min);
    }
    if (h->has_light) {
        printf(",\"light\":[%u,%u]", h->max_cll, h->max_fall);
    }
}

static void print_track(size_t index, const struct sl_track *t)
{
    printf("{\"track\":%zu,\"kind\":\"%s\",\"codec\":\"%s\",\"codec_name\":", index,
           sl_kind_name(t->kind), sl_codec_name(t->codec));
    print_text(t->codec_name);
    printf(",\"id\":%" PRId64 ",\"timebase\":\"%" PRId64 "/%" PRId64 "\"", t->id, t->timebase.num,
           t->timebase.den);
    print_time("start", t->start);
    print_time("duration", t->duration);
    printf(",\"language\":");
    print_text(t->language);
    printf(",\"title\":");
    print_text(t->title);
    printf(",\"default\":%d,\"forced\":%d,\"bitrate\":%" PRId64 ",\"config\":\"", t->is_default,
           t->is_forced, t->bitrate);
    for (size_t i = 0; i < t->config_size && i < 4096; i++) {
        printf("%02x", t->config[i]);
    }
    printf("\",\"config_size\":%zu,\"profile\":%d,\"level\":%d,\"bit_depth\":%d", t->config_size,
           t->profile, t->level, t->bit_depth);
    if (t->kind == SL_KIND_VIDEO) {
        printf(",\"width\":%d,\"height\":%d,\"aspect\":\"%" PRId64 "/%" PRId64
               "\",\"rate\":\"%" PRId64 "/%" PRId64 "\",\"rate_exact\":%d,\"rotation\":%d"
               ",\"flip\":%d,\"reorder\":%d,\"colour\":[%u,%u,%u,%u,%u]",
               t->width, t->height, t->sample_aspect.num, t->sample_aspect.den, t->frame_rate.num,
               t->frame_rate.den, t->frame_rate_exact, t->rotation, t->flip, t->reorder,
               t->colour.primaries, t->colour.transfer, t->colour.matrix, t->colour.range,
               t->colour.chroma_location);
        print_hdr(&t->hdr);
    }
    if (t->kind == SL_KIND_AUDIO) {
        printf(",\"sample_rate\":%d,\"channels\":%d,\"layout\":%" PRIu64
               ",\"delay\":%d,\"preroll\":%d,\"block_align\":%d",
               t->sample_rate, t->channels, t->channel_layout, t->delay, t->seek_preroll,
               t->block_align);
    }
    printf("}\n");
}

static enum sl_status print_packet(const struct sl_packet *p, bool fast, struct sl_error *err)
{
    uint8_t digest[16] = {0};
    struct sl_buf *buf = NULL;

    printf("{\"packet\":%u", (unsigned)p->track);
    print_time("pts", p->pts);
    print_time("dts", p->dts);
    print_time("duration", p->duration);
    printf(",\"key\":%d,\"hidden\":%d,\"pos\":%" PRId64 ",\"size\":%" PRId64 ",\"trim\":[%d,%d]"
           ",\"config\":%zu",
           (p->flags & SL_PACKET_KEY) != 0, (p->flags & SL_PACKET_HIDDEN) != 0, p->position,
           p->payload.size, p->trim_start, p->trim_end, p->config_size);
    if (!fast) {
        enum sl_status status = sl_chain_load(&p->payload, &buf, err);
        if (status != SL_OK) {
            printf("}\n");
            return status;
        }
        av_md5_sum(digest, buf->data, buf->size);
        sl_buf_unref(&buf);
        printf(",\"md5\":\"");
        for (size_t i = 0; i < sizeof digest; i++) {
            printf("%02x", digest[i]);
        }
        printf("\"");
    }
    printf("}\n");
    return SL_OK;
}

static bool parse(int argc, char **argv, struct options *o)
{
    *o = (struct options){.only = -1, .limit = INT64_MAX, .seek_track = -1};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--pipe") == 0) {
            o->pipe = true;
        } else if (strcmp(argv[i], "--strict") == 0) {
            o->strict = true;
        } else if (strcmp(argv[i], "--fast") == 0) {
            o->fast = true;
        } else if (strcmp(argv[i], "--push") == 0 && more) {
            o->push = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--only") == 0 && more) {
            o->only = strtoll(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--limit") == 0 && more) {
            o->limit = strtoll(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seek") == 0 && more) {
            char *end = NULL;
            o->seek_track = strtoll(argv[++i], &end, 10);
            o->seek_time = *end == ':' ? strtoll(end + 1, NULL, 10) : 0;
        } else if (argv[i][0] != '-' && !o->path) {
            o->path = argv[i];
        } else {
            return false;
        }
    }
    return o->path != NULL;
}

/* A window as the options want it: over the source, or fed from it. */
static enum sl_status open_window(const struct options *o, struct sl_source *source,
                                  struct sl_window **w, struct sl_error *err)
{
    struct sl_window_source bytes = source->bytes;

    if (o->pipe || o->push > 0) {
        bytes.seekable = false;
        bytes.file = NULL;
        bytes.size = -1;
    }
    if (o->push > 0) {
        bytes.fill = NULL;
    }
    return sl_window_create(w, &bytes, err);
}

/* Hands over the next piece, or the end. */
static enum sl_status push(const struct options *o, struct sl_source *source, struct sl_window *w,
                           int64_t *at, struct sl_error *err)
{
    size_t got = 0;
    uint8_t *piece = malloc(o->push);
    enum sl_status status = SL_ENOMEM;

    if (piece) {
        status = source->bytes.fill(source->bytes.opaque, *at, piece, o->push, &got, err);
        if (status == SL_OK && got == 0) {
            sl_window_end(w);
        } else if (status == SL_OK) {
            status = sl_window_push(w, piece, got, err);
        }
        *at += (int64_t)got;
    }
    free(piece);
    return status;
}

static enum sl_status dump(const struct options *o, struct sl_source *source, struct sl_error *err)
{
    const struct sl_log log = {.write = log_line, .level = SL_LOG_WARN};
    const struct sl_demux_params params = {.log = &log, .strict = o->strict};
    struct sl_window *w = NULL;
    struct sl_demuxer *d = NULL;
    int64_t at = 0;
    enum sl_status status = open_window(o, source, &w, err);

    while (status == SL_OK && !d) {
        status = sl_demux_open(&d, w, &params, err);
        if (status == SL_EAGAIN && o->push > 0) {
            status = push(o, source, w, &at, err);
        }
    }
    if (status == SL_OK) {
        printf("{\"format\":\"%s\",\"duration\":%" PRId64 ",\"tracks\":%zu}\n", d->format,
               d->duration, d->track_count);
        for (size_t i = 0; i < d->track_count; i++) {
            print_track(i, &d->tracks[i]);
        }
        if (o->only >= 0 && d->ops->select) {
            d->ops->select(d, UINT64_C(1) << o->only);
        }
        if (o->seek_track >= 0) {
            status = d->ops->seek ? d->ops->seek(d, (size_t)o->seek_track, o->seek_time, err)
                                  : SL_EUNSUPPORTED;
        }
    }
    for (int64_t n = 0; status == SL_OK && n < o->limit;) {
        struct sl_packet *p = NULL;
        status = d->ops->read(d, &p, err);
        if (status == SL_EAGAIN && o->push > 0) {
            status = push(o, source, w, &at, err);
        } else if (status == SL_OK) {
            status = print_packet(p, o->fast, err);
            n++;
        }
        sl_packet_unref(&p);
    }
    sl_demux_destroy(&d);
    sl_window_destroy(&w);
    return status;
}

int main(int argc, char **argv)
{
    struct options o;
    struct sl_source *source = NULL;
    struct sl_error err = {0};
    char text[512];
    enum sl_status status = SL_OK;

    if (!parse(argc, argv, &o)) {
        (void)fprintf(stderr, "usage: %s [OPTION…] FILE (see dump_packets.c)\n", argv[0]);
        return 2;
    }
    status = sl_source_open(&source, o.path, &err);
    if (status == SL_OK) {
        status = dump(&o, source, &err);
    }
    sl_source_destroy(&source);
    printf("{\"end\":");
    if (status == SL_OK || status == SL_EOF) {
        print_text(sl_status_name(status));
    } else {
        print_text(err.msg[0] ? sl_error_format(&err, text, sizeof text) : sl_status_name(status));
    }
    printf(",\"status\":%d}\n", (int)status);
    return status == SL_OK || status == SL_EOF ? 0 : 1;
}
