/* SPDX-License-Identifier: BSD-2-Clause */
#include "clip.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/bytes.h"
#include "media/aac.h"
#include "media/dts.h"
#include "media/hevc.h"
#include "media/track.h"
#include "unit.h"

char *run_command(const char *fmt, ...)
{
    char command[2048] = "( ", *text = NULL;
    size_t size = 0, got;
    va_list args;
    FILE *pipe;
    int n, status;
    va_start(args, fmt);
    n = vsnprintf(command + 2, sizeof command - 32, fmt, args);
    va_end(args);
    assert_in_range(n, 1, sizeof command - 33);
    (void)snprintf(command + 2 + n, 30, " ) 2>&1 </dev/null");
    pipe = popen(command, "r");
    assert_non_null(pipe);
    do {
        text = realloc(text, size + 65537);
        assert_non_null(text);
        got = fread(text + size, 1, 65536, pipe);
        size += got;
    } while (got);
    text[size] = '\0';
    status = pclose(pipe);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s\n%s", command, text);
    return text;
}

static void add(struct clip *c, const uint8_t *data, size_t size, int64_t pts, int64_t duration,
                uint32_t flags)
{
    struct sl_packet *p;
    uint8_t *to;
    assert_int_equal(sl_packet_create_data(&p, size, &to, NULL), SL_OK);
    memcpy(to, data, size);
    p->pts = pts;
    p->duration = duration;
    p->flags = flags;
    c->packets = realloc(c->packets, (c->count + 1) * sizeof *c->packets);
    assert_non_null(c->packets);
    c->packets[c->count++] = p;
}

static void set_config(struct clip *c, bool hevc, const uint8_t *data, size_t size)
{
    struct sl_writer w;
    struct sl_error err = {0};
    sl_writer_init(&w, 65536);
    if (hevc)
        assert_int_equal(sl_hvcc_from_annexb(data, size, &w, &err), SL_OK);
    else
        assert_int_equal(sl_avcc_from_annexb(data, size, &w, &err), SL_OK);
    assert_int_equal(sl_writer_finish(&w, &err), SL_OK);
    assert_int_equal(sl_track_set_config(&c->track, w.data, w.size, &err), SL_OK);
    sl_writer_clear(&w);
    if (hevc)
        assert_int_equal(sl_hevc_describe(&c->track, &err), SL_OK);
    else
        assert_int_equal(sl_h264_describe(&c->track, &err), SL_OK);
}

/* Where the next access unit starts: at the next delimiter (ffmpeg was told to insert them). */
static size_t next_unit(const uint8_t *data, size_t size, size_t pos, bool hevc)
{
    const uint8_t *p = data + pos + 4;
    for (; p + 5 <= data + size; p++)
        if (!p[0] && !p[1] && !p[2] && p[3] == 1 &&
            (hevc ? p[4] >> 1 == SL_HEVC_AUD : p[4] == SL_H264_AUD))
            return (size_t)(p - data);
    return size;
}

void clip_video(struct clip *c, struct scratch *dir, const char *codec, int timescale, int delay,
                const char *options)
{
    bool hevc = !strcmp(codec, "hevc");
    char raw[300], *line, *save = NULL, *text;
    size_t size, pos = 0;
    int64_t longest = 0;
    uint8_t *data;
    memset(c, 0, sizeof *c);
    sl_track_init(&c->track);
    (void)snprintf(c->source, sizeof c->source, "%s/%s.mp4", dir->path, codec);
    (void)snprintf(raw, sizeof raw, "%s/%s.raw", dir->path, codec);
    free(run_command("ffmpeg -v error -y %s -video_track_timescale %d %s", options, timescale,
                     c->source));
    free(run_command("ffmpeg -v error -y -i %s -map 0:v -c copy -bsf:v "
                     "%s_mp4toannexb,%s_metadata=aud=insert -f %s %s",
                     c->source, codec, codec, codec, raw));
    data = scratch_read(raw, &size);
    c->track.kind = SL_KIND_VIDEO;
    c->track.codec = hevc ? SL_CODEC_HEVC : SL_CODEC_H264;
    c->track.timebase = (struct sl_rational){1, timescale};
    set_config(c, hevc, data, next_unit(data, size, 0, hevc));
    text = run_command("ffprobe -v error -select_streams v -show_entries "
                       "packet=pts,duration,flags -of csv=p=0 %s",
                       c->source);
    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        size_t next = next_unit(data, size, pos, hevc);
        int64_t pts, duration = 1; /* ffmpeg may not know the last one's */
        char key = 0;
        if (sscanf(line, "%" SCNd64 ",%" SCNd64 ",%c", &pts, &duration, &key) < 3)
            assert_int_equal(sscanf(line, "%" SCNd64 ",N/A,%c", &pts, &key), 2);
        add(c, data + pos, next - pos, pts, SL_NO_TIME, key == 'K' ? SL_PACKET_KEY : 0);
        pos = next;
        if (pts + duration > c->end)
            c->end = pts + duration;
    }
    assert_int_equal(pos, size);
    free(text);
    free(data);
    for (size_t i = 0; i < c->count; i++) { /* to the next in display order */
        int64_t next = c->end;
        for (size_t k = 0; k < c->count; k++)
            if (c->packets[k]->pts > c->packets[i]->pts && c->packets[k]->pts < next)
                next = c->packets[k]->pts;
        if (next - c->packets[i]->pts > longest)
            longest = next - c->packets[i]->pts;
    }
    c->track.decode_delay = delay * longest;
}

void clip_aac(struct clip *c, struct scratch *dir, int rate, int channels, const char *options)
{
    struct sl_aac_config config = {0};
    struct sl_adts adts;
    struct sl_writer w;
    size_t size, pos = 0;
    uint8_t *data;
    memset(c, 0, sizeof *c);
    sl_track_init(&c->track);
    (void)snprintf(c->source, sizeof c->source, "%s/sound.aac", dir->path);
    free(run_command("ffmpeg -v error -y %s -c:a aac -ar %d -ac %d -b:a 128k -f adts %s", options,
                     rate, channels, c->source));
    data = scratch_read(c->source, &size);
    while (pos < size) {
        assert_int_equal(sl_adts_parse(data + pos, size - pos, &adts, NULL), SL_OK);
        assert_true(adts.frame_size <= size - pos && adts.blocks == 1);
        add(c, data + pos + adts.header_size, (size_t)(adts.frame_size - adts.header_size),
            (int64_t)c->count * 1024 - 1024, 1024, SL_PACKET_KEY);
        c->packets[c->count - 1]->dts = c->packets[c->count - 1]->pts;
        pos += adts.frame_size;
    }
    free(data);
    c->end = (int64_t)c->count * 1024 - 1024;
    config.object_type = adts.object_type;
    config.sample_rate = adts.sample_rate;
    config.channel_config = adts.channel_config;
    sl_writer_init(&w, 64);
    sl_aac_write_config(&config, &w);
    assert_int_equal(sl_track_set_config(&c->track, w.data, w.size, NULL), SL_OK);
    sl_writer_clear(&w);
    c->track.kind = SL_KIND_AUDIO;
    c->track.codec = SL_CODEC_AAC;
    c->track.timebase = (struct sl_rational){1, rate};
    c->track.sample_rate = rate;
    c->track.channels = channels;
    c->track.delay = 1024;
    c->track.decode_delay = 1024;
    c->track.bitrate = 128000;
}

void clip_free(struct clip *c)
{
    for (size_t i = 0; i < c->count; i++)
        sl_packet_unref(&c->packets[i]);
    free(c->packets);
    sl_track_clear(&c->track);
}

void clip_assign(struct clip *c)
{
    struct sl_error err = {0};
    for (size_t i = 0, next; i < c->count; i = next) {
        next = i + 1;
        while (next < c->count && !(c->packets[next]->flags & SL_PACKET_KEY))
            next++;
        if (sl_dts_assign(c->packets + i, next - i,
                          next < c->count ? c->packets[next]->pts : c->end, c->track.decode_delay,
                          &err))
            fail_msg("%s", err.msg);
    }
}

struct sl_packet *clip_copy(const struct clip *c, size_t index)
{
    const struct sl_packet *from = c->packets[index];
    struct sl_packet *p;
    assert_int_equal(sl_packet_create(&p, NULL), SL_OK);
    p->pts = from->pts;
    p->dts = from->dts;
    p->duration = from->duration;
    p->flags = from->flags;
    p->track = from->track;
    assert_int_equal(sl_chain_add_chain(&p->payload, &from->payload, 0, from->payload.size, NULL),
                     SL_OK);
    return p;
}

void chain_append_file(const struct sl_chain *chain, const char *path)
{
    FILE *f = fopen(path, "ab");
    struct sl_buf *buf;
    assert_non_null(f);
    assert_int_equal(sl_chain_load(chain, &buf, NULL), SL_OK);
    assert_int_equal(fwrite(buf->data, 1, buf->size, f), buf->size);
    assert_int_equal(fclose(f), 0);
    sl_buf_unref(&buf);
}

static void must_be_empty(char *text, const char *what, const char *path)
{
    if (text[0])
        fail_msg("%s has something to say about %s:\n%s", what, path, text);
    free(text);
}

void judge_silent(const char *path)
{
    must_be_empty(run_command("ffmpeg -v warning -xerror -i %s -map 0 -f null -", path), "ffmpeg",
                  path);
    must_be_empty(
        run_command("ffprobe -v warning -show_packets -show_streams -o /dev/null %s", path),
        "ffprobe", path);
}

/* stream, dts, pts, duration, size, hash: the rows of ffmpeg's framemd5, comments left out. */
static char *frames_of(const char *path, const char *stream)
{
    return run_command("ffmpeg -v error -xerror -i %s -map 0:%s %s -copyts -f framemd5 - | "
                       "grep -v '^#'",
                       path, stream,
                       stream[0] == 'v' ? "-fps_mode passthrough -enc_time_base -1" : "-c copy");
}

void judge_same(const char *a, const char *b, const char *stream, int64_t shift)
{
    char *text_a = frames_of(a, stream), *text_b = frames_of(b, stream);
    char *save_a = NULL, *save_b = NULL;
    char *line_a = strtok_r(text_a, "\n", &save_a), *line_b = strtok_r(text_b, "\n", &save_b);
    size_t row = 0;
    while (line_a && line_b) {
        int64_t pts_a, pts_b;
        char hash_a[64], hash_b[64];
        assert_int_equal(sscanf(line_a, "%*d, %*d, %" SCNd64 ", %*d, %*d, %63s", &pts_a, hash_a),
                         2);
        assert_int_equal(sscanf(line_b, "%*d, %*d, %" SCNd64 ", %*d, %*d, %63s", &pts_b, hash_b),
                         2);
        if (pts_a + shift != pts_b || strcmp(hash_a, hash_b) != 0)
            fail_msg("frame %zu: %s\n     versus: %s", row, line_a, line_b);
        line_a = strtok_r(NULL, "\n", &save_a);
        line_b = strtok_r(NULL, "\n", &save_b);
        row++;
    }
    if (line_a || line_b || !row)
        fail_msg("%s and %s have different numbers of frames (%zu are equal)", a, b, row);
    free(text_a);
    free(text_b);
}
