/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program on libavformat does to read some pictures of a file, done well: one open file, one
 * decoder, a seek backward to the key before a picture only where that key lies ahead, decoding
 * from there. Built by bench/frames. Prints what it read and decoded, as JSON.
 *
 * frames_peer FILE THREADS every SECONDS | numbers N,N,… | all */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libswscale/swscale.h>

static int64_t bytes_read, packets_read, decoded, given;

static void die(const char *what)
{
    (void)fprintf(stderr, "frames_peer: %s\n", what);
    exit(1);
}

static int on_read(void *opaque, uint8_t *buf, int size)
{
    ssize_t n = read(*(int *)opaque, buf, (size_t)size);
    bytes_read += n > 0 ? n : 0;
    return n > 0 ? (int)n : AVERROR_EOF;
}

static int64_t on_seek(void *opaque, int64_t offset, int whence)
{
    int fd = *(int *)opaque;
    if (whence == AVSEEK_SIZE) {
        off_t at = lseek(fd, 0, SEEK_CUR), end = lseek(fd, 0, SEEK_END);
        (void)lseek(fd, at, SEEK_SET);
        return end;
    }
    return lseek(fd, offset, whence & ~AVSEEK_FORCE);
}

static struct SwsContext *sws;
static uint8_t *pixels;

/* As the other side: NV12, rows without padding, to standard output. */
static void give(const AVFrame *f)
{
    size_t luma = (size_t)f->width * (size_t)f->height, size = luma / 2 * 3;
    uint8_t *planes[4] = {NULL};
    int strides[4] = {f->width, f->width, 0, 0};
    if (!sws) {
        sws = sws_getContext(f->width, f->height, (enum AVPixelFormat)f->format, f->width,
                             f->height, AV_PIX_FMT_NV12, SWS_POINT, NULL, NULL, NULL);
        pixels = malloc(size);
        if (!sws || !pixels) {
            die("no conversion");
        }
    }
    planes[0] = pixels;
    planes[1] = pixels + luma;
    (void)sws_scale(sws, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes,
                    strides);
    given++;
    for (size_t done = 0; done < size;) {
        ssize_t n = write(STDOUT_FILENO, pixels + done, size - done);
        if (n <= 0) {
            die("standard output");
        }
        done += (size_t)n;
    }
}

struct reader {
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVFrame *frame; /* the one that was decoded last */
    int64_t last_sent;
    int sent_end, have;
};

/* The next picture in display order; 0 at the end. */
static int next(struct reader *r)
{
    for (;;) {
        int code = avcodec_receive_frame(r->codec, r->frame);
        if (code == 0) {
            r->have = 1;
            return 1;
        }
        if (code == AVERROR_EOF) {
            return 0;
        }
        code = av_read_frame(r->format, r->packet);
        if (code < 0) {
            if (r->sent_end) {
                return 0;
            }
            r->sent_end = 1;
            (void)avcodec_send_packet(r->codec, NULL);
            continue;
        }
        if (r->packet->stream_index == r->stream->index) {
            packets_read++;
            decoded++;
            r->last_sent = r->packet->dts;
            (void)avcodec_send_packet(r->codec, r->packet);
        }
        av_packet_unref(r->packet);
    }
}

/* The picture that is shown at pts. */
static void go_to(struct reader *r, int64_t pts)
{
    int key = av_index_search_timestamp(r->stream, pts, AVSEEK_FLAG_BACKWARD);
    const AVIndexEntry *entry = key >= 0 ? avformat_index_get_entry(r->stream, key) : NULL;
    int64_t shown = r->have ? r->frame->best_effort_timestamp : INT64_MIN;
    if (r->have && shown == pts) {
        give(r->frame);
        return;
    }
    if (!r->have || pts < shown || (entry && entry->timestamp > r->last_sent)) {
        if (r->have || r->sent_end || pts > 0) {
            if (av_seek_frame(r->format, r->stream->index, pts, AVSEEK_FLAG_BACKWARD) < 0) {
                die("cannot seek");
            }
            avcodec_flush_buffers(r->codec);
            r->sent_end = 0;
        }
        r->have = 0;
    }
    while (next(r)) {
        if (r->frame->best_effort_timestamp >= pts) {
            give(r->frame);
            return;
        }
    }
    die("a picture did not come");
}

static void open_file(struct reader *r, const char *name, int *fd, int threads)
{
    const AVCodec *codec = NULL;
    AVIOContext *io;
    int index;
    *fd = open(name, O_RDONLY | O_CLOEXEC);
    io = avio_alloc_context(av_malloc(32768), 32768, 0, fd, on_read, NULL, on_seek);
    r->format = avformat_alloc_context();
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    if (*fd < 0 || !io || !r->format || !r->packet || !r->frame) {
        die(name);
    }
    r->format->pb = io;
    if (avformat_open_input(&r->format, name, NULL, NULL) < 0) {
        die("cannot open");
    }
    index = av_find_best_stream(r->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    r->codec = index >= 0 ? avcodec_alloc_context3(codec) : NULL;
    if (!r->codec) {
        die("no pictures");
    }
    r->stream = r->format->streams[index];
    (void)avcodec_parameters_to_context(r->codec, r->stream->codecpar);
    r->codec->pkt_timebase = r->stream->time_base;
    r->codec->thread_count = threads;
    if (avcodec_open2(r->codec, codec, NULL) < 0) {
        die("no decoder");
    }
}

int main(int argc, char **argv)
{
    struct reader r = {.last_sent = INT64_MIN};
    int fd = -1;
    int64_t step;
    if (argc < 4) {
        die("FILE THREADS every SECONDS | numbers N,N,… | all");
    }
    av_log_set_level(AV_LOG_QUIET);
    open_file(&r, argv[1], &fd, atoi(argv[2]));
    step = av_rescale_q(1, av_inv_q(r.stream->avg_frame_rate), r.stream->time_base); /* constant */
    if (!strcmp(argv[3], "all")) {
        while (next(&r)) {
            give(r.frame);
        }
    } else if (!strcmp(argv[3], "every") && argc > 4) {
        int64_t every = av_rescale_q(atoi(argv[4]), (AVRational){1, 1}, r.stream->time_base);
        for (int64_t pts = 0; pts < r.stream->nb_frames * step; pts += every) {
            go_to(&r, pts);
        }
    } else if (argc > 4) {
        for (char *at = argv[4]; *at; at += *at == ',') {
            go_to(&r, strtoll(at, &at, 10) * step);
        }
    }
    (void)fprintf(stderr,
                  "{\"bytes\":%" PRId64 ",\"samples\":%" PRId64 ",\"decoded\":%" PRId64
                  ",\"given\":%" PRId64 "}\n",
                  bytes_read, packets_read, decoded, given);
    return 0;
}
