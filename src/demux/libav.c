/* SPDX-License-Identifier: BSD-2-Clause */
/* Every container that libavformat knows. A module of its own: see src/base/module.h. */
#include "demux/libav.h"

#include <stdio.h>
#include <string.h>

#include <libavutil/intreadwrite.h>
#include <libavutil/mem.h>

#include "base/alloc.h"
#include "base/error.h"
#include "media/track.h"

#define PROBE_FORMAT_MAX (1 << 20) /* bytes to look at for telling the format */
#define PROBE_STREAM_MAX (8 << 20) /* and for finding out what is in it */
#define TRACKS_MAX       1024

struct libav {
    struct sl_demuxer demuxer; /* first: handed out as this */
    struct sl_libav_io io;
    AVFormatContext *format;
    AVPacket *pending;    /* read by a seek, not given yet; or NULL */
    const char *name;     /* of the window */
    int64_t declared_end; /* where the container says that it ends; -1: it does not say */
};

SL_API extern const struct sl_demuxer_ops sl_demux_libav;

/* Lists of other files, scripts and sessions: opening one would mean opening what it names. */
static const char *const refused[] = {"concat",   "dash", "hls", "imf",
                                      "lavfi",    "rtsp", "sdp", "vapoursynth",
                                      "avisynth", "tty",  "sap", "libgme"};

static int refuse_open(AVFormatContext *s, AVIOContext **pb, const char *url, int flags,
                       AVDictionary **options)
{
    (void)s;
    (void)pb;
    (void)url;
    (void)flags;
    (void)options;
    return AVERROR(EACCES);
}

/* The window's own reason where it has one, else libavformat's. */
static enum sl_status fail(struct libav *d, int code, const char *what, struct sl_error *err)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";

    if (d->io.status == SL_EAGAIN) {
        return SL_EAGAIN;
    }
    if (d->io.status != SL_OK) {
        if (err && err->status == SL_OK) {
            *err = d->io.error;
        }
        return d->io.status;
    }
    if (code == AVERROR(ENOMEM)) {
        return sl_fail_memory(err);
    }
    if (code == AVERROR_PATCHWELCOME) {
        return sl_fail_at(err, SL_EUNSUPPORTED, d->name, avio_tell(d->io.avio),
                          "%s: FFmpeg does not have this feature of the format", what);
    }
    (void)av_strerror(code, text, sizeof text);
    return sl_fail_at(err, SL_EDATA, d->name, avio_tell(d->io.avio), "%s: %s", what, text);
}

static void libav_destroy(struct sl_demuxer *demuxer)
{
    struct libav *d = (struct libav *)demuxer;
    av_packet_free(&d->pending);
    avformat_close_input(&d->format);
    sl_libav_io_close(&d->io);
    for (size_t i = 0; i < d->demuxer.track_count; i++) {
        sl_track_clear(&d->demuxer.tracks[i]);
    }
    sl_free(d->demuxer.tracks);
    sl_free(d);
}

/* By content alone: a name's extension would make a film of any text that is called ".ans". */
static enum sl_status probe_format(struct libav *d, const AVInputFormat **out, struct sl_error *err)
{
    int score = av_probe_input_buffer2(d->io.avio, out, "", NULL, 0, PROBE_FORMAT_MAX);
    if (score < 0 || !*out) {
        if (d->io.status != SL_OK || score == AVERROR(ENOMEM)) {
            return fail(d, score, "cannot be read", err);
        }
        return sl_fail(err, SL_EDATA, d->name, "is not a media file that is known here");
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (strcmp((*out)->name, refused[i]) == 0) {
            return sl_fail(err, SL_EUNSUPPORTED, d->name,
                           "is of format \"%s\", which names other sources instead of holding "
                           "media itself",
                           refused[i]);
        }
    }
    return SL_OK;
}

static enum sl_status open_format(struct libav *d, struct sl_error *err)
{
    const AVInputFormat *input = NULL;
    enum sl_status status = probe_format(d, &input, err);
    int code = 0;

    if (status != SL_OK) {
        return status;
    }
    d->format = avformat_alloc_context();
    if (!d->format) {
        return sl_fail_memory(err);
    }
    d->format->pb = d->io.avio;
    d->format->flags |= AVFMT_FLAG_CUSTOM_IO;
    d->format->io_open = refuse_open;
    d->format->probesize = PROBE_STREAM_MAX;
    /* No protocol has this name: what gets around io_open ends here. */
    d->format->protocol_whitelist = av_strdup("none");
    if (!d->format->protocol_whitelist) {
        return sl_fail_memory(err);
    }
    code = avformat_open_input(&d->format, "", input, NULL); /* frees it on failure */
    return code < 0 ? fail(d, code, "the header cannot be read", err) : SL_OK;
}

static enum sl_status make_tracks(struct libav *d, struct sl_error *err)
{
    size_t count = d->format->nb_streams;
    size_t known = count;
    const struct sl_rational none = {0, 1};
    struct sl_rational *proven = NULL;
    enum sl_status status = SL_OK;
    int code = 0;

    proven = sl_alloc_array(count ? count : 1, sizeof *proven);
    if (!proven) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < count; i++) {
        proven[i] = sl_libav_proven_rate(d->format, d->format->streams[i]);
    }
    code = avformat_find_stream_info(d->format, NULL);
    if (code < 0 || d->io.status != SL_OK) {
        status = fail(d, code, "the tracks cannot be read", err);
        goto out;
    }
    count = d->format->nb_streams;
    if (count == 0 || count > TRACKS_MAX) {
        status = sl_fail(err, SL_EDATA, d->name, "holds %zu tracks, 1 to %d were expected", count,
                         TRACKS_MAX);
        goto out;
    }
    d->demuxer.tracks = sl_alloc_array(count, sizeof *d->demuxer.tracks);
    if (!d->demuxer.tracks) {
        status = sl_fail_memory(err);
        goto out;
    }
    for (size_t i = 0; i < count && status == SL_OK; i++) {
        struct sl_track *t = &d->demuxer.tracks[i];
        sl_track_init(t);
        d->demuxer.track_count++;
        status =
            sl_libav_track(t, d->format, d->format->streams[i], i < known ? proven[i] : none, err);
    }
out:
    sl_free(proven);
    return status;
}

/* "mov,mp4,m4a,3gp,3g2,mj2" is shown as "mov". */
static void name_format(struct libav *d)
{
    const char *name = d->format->iformat->name;
    int n = (int)strcspn(name, ",");
    if (strncmp(name, "matroska", 8) == 0) {
        name = "mkv";
        n = 3;
    }
    (void)snprintf(d->demuxer.format, sizeof d->demuxer.format, "%.*s", n, name);
    d->demuxer.may_jump = (d->format->iformat->flags & AVFMT_TS_DISCONT) != 0;
}

static enum sl_status libav_open(struct sl_demuxer **out, struct sl_window *w,
                                 const struct sl_demux_params *params, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    struct libav *d = sl_alloc_zero(sizeof *d);

    (void)params; /* raw frames are not for libavformat, and nothing is worth a warning here */
    *out = NULL;
    if (!d) {
        return sl_fail_memory(err);
    }
    /* Its callback is global and has no state of ours: silence, errors come by return code. */
    av_log_set_level(AV_LOG_QUIET);
    d->demuxer.ops = &sl_demux_libav;
    d->name = sl_window_name(w);
    d->declared_end = sl_libav_declared_end(w); /* now: on a pipe the head will be gone */
    status = sl_libav_io_open(&d->io, w, err);
    if (status != SL_OK) {
        goto out;
    }
    status = open_format(d, err);
    if (status != SL_OK) {
        goto out;
    }
    status = make_tracks(d, err);
    if (status != SL_OK) {
        goto out;
    }
    name_format(d);
    d->demuxer.duration = d->format->duration == AV_NOPTS_VALUE ? -1 : d->format->duration;
    d->io.release = true; /* until here the caller may have had to begin again (SL_EAGAIN) */
    *out = &d->demuxer;
    d = NULL;
out:
    if (d) {
        libav_destroy(&d->demuxer);
    }
    return status;
}

static void release_packet(void *opaque, uint8_t *data)
{
    AVPacket *packet = opaque;
    (void)data;
    av_packet_free(&packet);
}

static enum sl_status read_side_data(struct sl_packet *p, const AVPacket *packet,
                                     struct sl_error *err)
{
    size_t size = 0;
    const uint8_t *data = av_packet_get_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, &size);

    if (data && size >= 8) {
        /* libavcodec/packet.h: u32le to skip at the start, u32le to cut from the end, reasons */
        uint32_t start = AV_RL32(data);
        uint32_t end = AV_RL32(data + 4);
        p->trim_start = start <= INT32_MAX ? (int32_t)start : INT32_MAX;
        p->trim_end = end <= INT32_MAX ? (int32_t)end : INT32_MAX;
    }
    data = av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, &size);
    if (data && size > 0) {
        p->config = sl_alloc(size);
        if (!p->config) {
            return sl_fail_memory(err);
        }
        memcpy(p->config, data, size);
        p->config_size = size;
    }
    return SL_OK;
}

/* The payload stays where libavformat read it; *packet is taken over where that succeeds. */
static enum sl_status wrap_packet(AVPacket **packet, struct sl_packet **out, struct sl_error *err)
{
    AVPacket *in = *packet;
    struct sl_packet *p = NULL;
    struct sl_buf *buf = NULL;
    enum sl_status status = sl_packet_create(&p, err);

    if (status != SL_OK) {
        goto out;
    }
    p->track = (uint32_t)in->stream_index;
    p->flags = (in->flags & AV_PKT_FLAG_KEY ? SL_PACKET_KEY : 0) |
               (in->flags & AV_PKT_FLAG_DISCARD ? SL_PACKET_HIDDEN : 0) |
               (in->flags & AV_PKT_FLAG_CORRUPT ? SL_PACKET_CORRUPT : 0);
    p->pts = in->pts == AV_NOPTS_VALUE ? SL_NO_TIME : in->pts;
    p->dts = in->dts == AV_NOPTS_VALUE ? SL_NO_TIME : in->dts;
    p->duration = in->duration > 0 ? in->duration : SL_NO_TIME;
    p->position = in->pos;
    status = read_side_data(p, in, err);
    if (status != SL_OK) {
        goto out;
    }
    if (in->size > 0) {
        status = sl_buf_wrap(&buf, in->data, (size_t)in->size, release_packet, in, err);
        if (status != SL_OK) {
            goto out;
        }
        *packet = NULL; /* the buffer's from here on */
        status = sl_chain_add_buf(&p->payload, buf, 0, buf->size, err);
        if (status != SL_OK) {
            goto out;
        }
    }
    *out = p;
    p = NULL;
out:
    sl_buf_unref(&buf);
    sl_packet_unref(&p);
    return status;
}

/* Of a track that appeared after the header was read, or read ahead before select(). */
static bool is_unwanted(const struct libav *d, const AVPacket *packet)
{
    return (size_t)packet->stream_index >= d->demuxer.track_count ||
           d->format->streams[packet->stream_index]->discard == AVDISCARD_ALL;
}

static enum sl_status libav_read(struct sl_demuxer *demuxer, struct sl_packet **out,
                                 struct sl_error *err)
{
    struct libav *d = (struct libav *)demuxer;
    enum sl_status status = SL_OK;
    AVPacket *packet = d->pending ? d->pending : av_packet_alloc();
    bool pending = d->pending != NULL;

    *out = NULL;
    d->pending = NULL;
    if (!packet) {
        return sl_fail_memory(err);
    }
    for (;;) {
        int code = pending ? 0 : av_read_frame(d->format, packet);
        pending = false;
        int64_t size = sl_window_size(d->io.window);
        if (d->io.status == SL_EAGAIN) {
            /* libavformat has forgotten half of what it had read: there is no way back. */
            status = sl_fail(err, SL_EUNSUPPORTED, d->name,
                             "format \"%s\" must be read from a source that can be waited for",
                             d->demuxer.format);
            break;
        }
        if (code >= 0 && is_unwanted(d, packet)) {
            av_packet_unref(packet);
            continue;
        }
        if (code >= 0) {
            status = wrap_packet(&packet, out, err);
        } else if (code == AVERROR_EOF && d->io.status == SL_OK) {
            status = SL_EOF;
            if (size >= 0 && sl_libav_cut_short(d->format, d->declared_end, size)) {
                status = sl_fail_at(err, SL_EDATA, d->name, size,
                                    "is cut short: format \"%s\" states that there is more",
                                    d->demuxer.format);
            }
        } else {
            status = fail(d, code, "ends early or is damaged", err);
        }
        break;
    }
    av_packet_free(&packet);
    return status;
}

static enum sl_status libav_seek(struct sl_demuxer *demuxer, size_t track, int64_t time,
                                 struct sl_error *err)
{
    struct libav *d = (struct libav *)demuxer;
    int code = 0;

    if (track >= d->demuxer.track_count || time == SL_NO_TIME) {
        return sl_fail(err, SL_EINVAL, d->name, "seeking in track %zu of %zu", track,
                       d->demuxer.track_count);
    }
    if (!sl_window_seekable(d->io.window)) {
        return sl_fail(err, SL_EUNSUPPORTED, d->name, "the input cannot seek");
    }
    av_packet_free(&d->pending);
    d->pending = av_packet_alloc();
    if (!d->pending) {
        return sl_fail_memory(err);
    }
    code = sl_libav_seek(d->format, (int)track, time, d->pending);
    if (code < 0) {
        av_packet_free(&d->pending);
    }
    if (code < 0 && d->io.status == SL_OK && code != AVERROR(ENOMEM)) {
        return sl_fail(err, SL_EUNSUPPORTED, d->name, "format \"%s\" cannot seek here",
                       d->demuxer.format);
    }
    return code < 0 ? fail(d, code, "cannot seek", err) : SL_OK;
}

static void libav_select(struct sl_demuxer *demuxer, uint64_t tracks)
{
    struct libav *d = (struct libav *)demuxer;
    for (size_t i = 0; i < d->demuxer.track_count; i++) {
        bool wanted = i < 64 && ((tracks >> i) & 1) != 0;
        d->format->streams[i]->discard = wanted ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
}

static int libav_probe(const uint8_t *head, size_t size)
{
    (void)head;
    return size > 0 ? 1 : 0;
}

const struct sl_demuxer_ops sl_demux_libav = {
    .name = "libav",
    .probe = libav_probe,
    .open = libav_open,
    .read = libav_read,
    .seek = libav_seek,
    .select = libav_select,
    .destroy = libav_destroy,
};
