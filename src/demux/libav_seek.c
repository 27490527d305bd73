/* SPDX-License-Identifier: BSD-2-Clause */
/* Seeking in containers that libavformat reads. Its own seeking lands on a sync sample only where
 * the container has an index of them; in others (MPEG-TS) it lands on whatever is there at that
 * time. So packets are looked at from there on, and the second time all before the sync sample that
 * was found are passed over. */
#include "demux/libav.h"

#define LOOK_MAX 65536 /* packets to look at from where a seek went to */
#define BACK_MAX 64    /* seconds to go back for a sync sample, before the start is tried */

struct found {
    int64_t last;  /* time of the last sync sample at or before the time */
    int64_t first; /* of the first one after it; AV_NOPTS_VALUE: none */
};

static int64_t shown(const AVPacket *packet)
{
    return packet->pts != AV_NOPTS_VALUE ? packet->pts : packet->dts;
}

static int look(AVFormatContext *format, int stream, int64_t time, AVPacket *packet,
                struct found *found)
{
    *found = (struct found){AV_NOPTS_VALUE, AV_NOPTS_VALUE};
    for (int64_t n = 0; n < LOOK_MAX; n++) {
        int code = av_read_frame(format, packet);
        if (code < 0) {
            return code == AVERROR_EOF ? 0 : code;
        }
        int64_t pts = shown(packet);
        int64_t dts = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
        bool ours = packet->stream_index == stream && pts != AV_NOPTS_VALUE;
        bool key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
        av_packet_unref(packet);
        if (ours && key && pts <= time) {
            found->last = pts;
        } else if (ours && key && found->first == AV_NOPTS_VALUE) {
            found->first = pts;
        }
        /* No later packet is shown at or before the time. */
        if (ours && dts > time &&
            (found->last != AV_NOPTS_VALUE || found->first != AV_NOPTS_VALUE)) {
            break;
        }
    }
    return 0;
}

/* Reads on to the sync sample of that time, which stays in packet. */
static int pass_to(AVFormatContext *format, int stream, int64_t pts, AVPacket *packet)
{
    for (;;) {
        int code = av_read_frame(format, packet);
        if (code < 0 || (packet->stream_index == stream && shown(packet) == pts &&
                         (packet->flags & AV_PKT_FLAG_KEY))) {
            return code;
        }
        av_packet_unref(packet);
    }
}

/* time as libavformat's seeking takes it; INT64_MIN: the start. */
static int go_to(AVFormatContext *format, int stream, int64_t time)
{
    int code = -1;

    if (time != INT64_MIN) {
        return av_seek_frame(format, stream, time, AVSEEK_FLAG_BACKWARD);
    }
    /* Where times may start anew, or are nowhere in an index, the start is a place. */
    if (!(format->iformat->flags & AVFMT_TS_DISCONT)) {
        int64_t start = format->streams[stream]->start_time;
        code = av_seek_frame(format, stream, start != AV_NOPTS_VALUE ? start : 0,
                             AVSEEK_FLAG_BACKWARD);
    }
    if (code < 0) {
        code = av_seek_frame(format, -1, 0, AVSEEK_FLAG_BYTE);
    }
    return code;
}

int sl_libav_seek(AVFormatContext *format, int stream, int64_t time, AVPacket *packet)
{
    AVRational timebase = format->streams[stream]->time_base;
    int64_t second = timebase.num > 0 ? timebase.den / timebase.num : 1;
    int64_t start = format->streams[stream]->start_time;
    int64_t from = time;
    int code = 0;

    for (int64_t back = 1;; back *= 2) {
        struct found found = {AV_NOPTS_VALUE, AV_NOPTS_VALUE};
        if (back > BACK_MAX || (start != AV_NOPTS_VALUE && from < start)) {
            from = INT64_MIN;
        }
        code = go_to(format, stream, from);
        if (code >= 0) {
            code = look(format, stream, time, packet, &found);
        }
        if (found.last == AV_NOPTS_VALUE && from == INT64_MIN) {
            found.last = found.first;
        }
        /* What was learnt by looking may make the second seek land elsewhere (Ogg): then from
         * further back. */
        if (code >= 0 && found.last != AV_NOPTS_VALUE) {
            code = go_to(format, stream, from);
            if (code >= 0) {
                code = pass_to(format, stream, found.last, packet);
            }
            if (code >= 0) {
                return 0;
            }
        }
        if (from == INT64_MIN) {
            return code < 0 ? code : AVERROR_EOF;
        }
        from = from > INT64_MIN + back * second ? time - back * second : INT64_MIN;
    }
}
