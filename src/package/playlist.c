/* SPDX-License-Identifier: BSD-2-Clause */
/* Media playlists: RFC 8216bis 4.4.1 to 4.4.4. */
#include "package/playlist.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "package/text.h"

#define SEGMENTS_PER_DIRECTORY 500
#define MICROSECONDS           1000000
/* So that twice and three times these fit. */
#define TOTAL_MAX (INT64_MAX / 16)

void sl_playlist_init(struct sl_playlist *p)
{
    memset(p, 0, sizeof *p);
    p->timebase = sl_rational(0, 1);
}

void sl_playlist_clear(struct sl_playlist *p)
{
    sl_free(p->segments);
    sl_playlist_init(p);
}

/* What the run of length ticks from the start comes to, as printed. */
static int64_t microseconds(const struct sl_playlist *p, int64_t ticks)
{
    return sl_rescale(ticks, p->timebase, sl_rational(1, MICROSECONDS), SL_ROUND_NEAREST);
}

enum sl_status sl_playlist_check(const struct sl_playlist *p, int64_t duration,
                                 struct sl_error *err)
{
    int64_t printed;
    if (!sl_rational_valid(p->timebase) || p->target < 1) {
        return sl_fail(err, SL_EINVAL, "playlist",
                       "timebase %" PRId64 "/%" PRId64 " and target duration %" PRId64
                       " s, expected positive numbers",
                       p->timebase.num, p->timebase.den, p->target);
    }
    if (duration <= 0 || duration > TOTAL_MAX - p->total_duration) {
        return sl_fail(err, SL_EINVAL, "playlist",
                       "segment %zu lasts %" PRId64 " ticks, expected 1 or more", p->count,
                       duration);
    }
    printed = microseconds(p, p->total_duration + duration) - microseconds(p, p->total_duration);
    /* 4.4.3.1: EXTINF, rounded to the nearest integer, must not exceed the target. */
    if ((printed + MICROSECONDS / 2) / MICROSECONDS > p->target) {
        return sl_fail(err, SL_EINVAL, "playlist",
                       "segment %zu lasts %" PRId64 ".%06" PRId64
                       " s, which rounds to more than the target duration of %" PRId64 " s",
                       p->count, printed / MICROSECONDS, printed % MICROSECONDS, p->target);
    }
    return SL_OK;
}

/* Looks at the runs that end with the newest segment: one or two where segments are about as long
 * as the target, and never further back than 1.5 targets. */
static void update_peak(struct sl_playlist *p)
{
    const struct sl_rational second = {1, 1};
    int64_t duration = 0, bytes = 0;
    for (size_t i = p->count; i-- > 0;) {
        duration += p->segments[i].duration;
        bytes += p->segments[i].bytes;
        if (sl_time_compare(2 * duration, p->timebase, 3 * p->target, second) > 0) {
            break;
        }
        if (sl_time_compare(2 * duration, p->timebase, p->target, second) < 0) {
            continue;
        }
        if (p->peak_duration == 0 ||
            sl_rational_compare(sl_rational(bytes, duration),
                                sl_rational(p->peak_bytes, p->peak_duration)) > 0) {
            p->peak_duration = duration;
            p->peak_bytes = bytes;
        }
    }
}

enum sl_status sl_playlist_append(struct sl_playlist *p, const struct sl_segment *segment,
                                  struct sl_error *err)
{
    int64_t bytes = segment->bytes;
    enum sl_status status = sl_playlist_check(p, segment->duration, err);
    if (status) {
        return status;
    }
    if (bytes < 0 || bytes > TOTAL_MAX - p->total_bytes) {
        return sl_fail(err, SL_EINVAL, "playlist", "segment %zu has %" PRId64 " bytes", p->count,
                       bytes);
    }
    if (sl_grow(&p->segments, &p->capacity, p->count, sizeof *p->segments, SL_SEGMENTS_MAX)) {
        return sl_fail(err, SL_ENOMEM, "playlist", "no room for segment %zu (at most %u)", p->count,
                       SL_SEGMENTS_MAX);
    }
    p->segments[p->count] = *segment;
    p->segments[p->count].number = (uint32_t)p->count;
    p->count++;
    p->total_duration += segment->duration;
    p->total_bytes += bytes;
    update_peak(p);
    return SL_OK;
}

enum sl_status sl_playlist_add(struct sl_playlist *p, int64_t duration, int64_t bytes,
                               struct sl_error *err)
{
    struct sl_segment segment = {.duration = duration, .bytes = bytes, .program_time = SL_NO_TIME};
    return sl_playlist_append(p, &segment, err);
}

void sl_playlist_init_uri(const struct sl_playlist *p, unsigned init, char out[SL_INIT_URI_SIZE])
{
    if (init == 0) {
        (void)snprintf(out, SL_INIT_URI_SIZE, "%s", p->init_uri);
    } else {
        (void)snprintf(out, SL_INIT_URI_SIZE, "init-%u.mp4", init);
    }
}

void sl_playlist_segment_uri(const struct sl_playlist *p, uint32_t number, char out[64])
{
    if (p->on_demand) {
        (void)snprintf(out, 64, "%" PRIu32 ".%.16s", number, p->extension);
        return;
    }
    (void)snprintf(out, 64, "%03" PRIu32 "/%06" PRIu32 ".%.16s", number / SEGMENTS_PER_DIRECTORY,
                   number, p->extension);
}

static void write_uri(const struct sl_playlist *p, const char *uri, struct sl_writer *out)
{
    if (p->link.write) {
        p->link.write(p->link.opaque, uri, out);
    } else {
        sl_write_text(out, uri);
    }
}

static void write_map(const struct sl_playlist *p, unsigned init, struct sl_writer *out)
{
    char later[SL_INIT_URI_SIZE];
    sl_playlist_init_uri(p, init, later);
    sl_write_text(out, "#EXT-X-MAP:URI=\"");
    write_uri(p, init ? later : p->init_uri, out);
    sl_write_text(out, "\"\n");
}

/* ISO 8601 in UTC with milliseconds (RFC 8216bis 4.4.4.6). Days to a date as in H. Hinnant's
 * proleptic Gregorian calendar: years begin in March, eras have 146097 days. */
static void write_program_time(int64_t us, struct sl_writer *out)
{
    int64_t ms = us / 1000, days = ms / 86400000, rest = ms % 86400000;
    int64_t z = days + 719468, era = z / 146097, doe = z % 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t month = mp < 10 ? mp + 3 : mp - 9;
    sl_write_format(out,
                    "#EXT-X-PROGRAM-DATE-TIME:%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64
                    ":%02" PRId64 ":%02" PRId64 ".%03" PRId64 "Z\n",
                    yoe + era * 400 + (month <= 2 ? 1 : 0), month, doy - (153 * mp + 2) / 5 + 1,
                    rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
}

/* What stands in front of EXTINF. expected: the program time that follows from the segment before.
 */
static void write_tags(const struct sl_playlist *p, size_t index, int64_t expected,
                       struct sl_writer *out)
{
    const struct sl_segment *s = &p->segments[index];
    unsigned init = index ? p->segments[index - 1].init : 0;
    int64_t off = expected == SL_NO_TIME ? INT64_MAX : s->program_time - expected;
    if (s->discontinuity) {
        sl_write_text(out, "#EXT-X-DISCONTINUITY\n");
    }
    if (p->init_uri && s->init != init) {
        write_map(p, s->init, out);
    }
    /* A millisecond is what rounding durations comes to. */
    if (s->program_time != SL_NO_TIME && (s->discontinuity || off > 1000 || off < -1000)) {
        write_program_time(s->program_time, out);
    }
    if (s->gap) {
        sl_write_text(out, "#EXT-X-GAP\n");
    }
}

static void write_segments(const struct sl_playlist *p, struct sl_writer *out)
{
    int64_t ticks = 0, start = 0, expected = SL_NO_TIME;
    for (size_t i = 0; i < p->count; i++) {
        const struct sl_segment *s = &p->segments[i];
        char uri[64];
        int64_t end, printed;
        ticks += s->duration;
        end = microseconds(p, ticks);
        printed = end - start;
        start = end;
        write_tags(p, i, expected, out);
        expected = s->program_time == SL_NO_TIME ? SL_NO_TIME : s->program_time + printed;
        sl_playlist_segment_uri(p, s->number, uri);
        sl_write_format(out, "#EXTINF:%" PRId64 ".%06" PRId64 ",\n", printed / MICROSECONDS,
                        printed % MICROSECONDS);
        if (s->gap) { /* 4.4.4.7: not to be loaded, and of no bytes that could be named */
            sl_write_text(out, uri);
        } else {
            write_uri(p, uri, out);
        }
        sl_write_u8(out, '\n');
    }
}

enum sl_status sl_playlist_render(const struct sl_playlist *p, struct sl_writer *out,
                                  struct sl_error *err)
{
    if (p->init_uri && !sl_text_quotable(p->init_uri)) {
        return sl_fail(err, SL_EINVAL, "playlist", "init URI with a quote or a line end");
    }
    if (!p->extension || !sl_text_quotable(p->extension)) {
        return sl_fail(err, SL_EINVAL, "playlist", "segments without a usable extension");
    }
    /* 7: EXT-X-MAP in an ordinary playlist needs 6, and 7 is what fMP4 is declared with. 3:
     * fractional EXTINF, the most that plain TS needs. EXT-X-INDEPENDENT-SEGMENTS and EXT-X-GAP are
     * in no list of section 8: clients that do not know a tag pass over it. */
    sl_write_text(out, "#EXTM3U\n");
    sl_write_format(out, "#EXT-X-VERSION:%d\n", p->init_uri ? 7 : 3);
    sl_write_format(out, "#EXT-X-TARGETDURATION:%" PRId64 "\n", p->target);
    sl_write_format(out, "#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:%s\n",
                    p->on_demand || p->whole ? "VOD" : "EVENT");
    if (p->independent) {
        sl_write_text(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    if (p->init_uri) {
        write_map(p, 0, out);
    }
    write_segments(p, out);
    if (p->ended) {
        sl_write_text(out, "#EXT-X-ENDLIST\n");
    }
    return sl_writer_finish(out, err);
}

/* bytes * 8 / (ticks * timebase), rounded up. */
static int64_t rate(const struct sl_playlist *p, int64_t bytes, int64_t ticks)
{
    if (ticks <= 0) {
        return 0;
    }
    return sl_rescale(8 * bytes, sl_rational(p->timebase.den, p->timebase.num),
                      sl_rational(ticks, 1), SL_ROUND_UP);
}

int64_t sl_playlist_average(const struct sl_playlist *p)
{
    return rate(p, p->total_bytes, p->total_duration);
}

int64_t sl_playlist_peak(const struct sl_playlist *p)
{
    int64_t peak = rate(p, p->peak_bytes, p->peak_duration), average = sl_playlist_average(p);
    return peak > average ? peak : average;
}
