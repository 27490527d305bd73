/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tables, and the first fragment, say of a track: times, rates, where reading begins. */
#include "base/error.h"
#include "base/rational.h"
#include "demux/mp4.h"
#include "media/mpeg_audio.h"
#include "media/track.h"

static int64_t table_duration(const struct sl_mp4_track *t)
{
    struct sl_reader r;
    int64_t sum = 0;

    sl_reader_init(&r, t->stts.data, (size_t)t->stts.count * 8);
    for (uint32_t i = 0; i < t->stts.count && sum < SL_MP4_TIME_MAX; i++) {
        int64_t n = sl_read_be32(&r);
        int64_t each = sl_read_be32(&r);
        sum = each > 0 && n > (SL_MP4_TIME_MAX - sum) / each ? SL_MP4_TIME_MAX : sum + n * each;
    }
    return sum;
}

/* Rates of the world that an average comes close to when times were rounded. */
static struct sl_rational usual_rate(struct sl_rational average)
{
    static const struct sl_rational usual[] = {
        {24000, 1001}, {24, 1}, {25, 1},  {30000, 1001}, {30, 1}, {48, 1}, {50, 1},
        {60000, 1001}, {60, 1}, {120, 1}, {15, 1},       {12, 1}, {10, 1},
    };
    struct sl_rational a = sl_rational_limit(average, 1 << 20);

    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        struct sl_rational u = usual[i];
        struct sl_rational low = {u.num * 1999, u.den * 2000};
        struct sl_rational high = {u.num * 2001, u.den * 2000};
        if (sl_rational_compare(a, low) > 0 && sl_rational_compare(a, high) < 0) {
            /* 24000/1001 and 24 are a thousandth apart: half of it on either side */
            return u;
        }
    }
    return a;
}

/* The duration that more than half of all samples have; 0: there is none. */
static uint32_t most_common(const struct sl_mp4_track *t)
{
    struct sl_reader r;
    uint32_t candidate = 0;
    uint64_t votes = 0;
    uint64_t count = 0;

    for (unsigned round = 0; round < 2; round++) {
        sl_reader_init(&r, t->stts.data, (size_t)t->stts.count * 8);
        for (uint32_t i = 0; i < t->stts.count; i++) {
            uint32_t n = sl_read_be32(&r);
            uint32_t each = sl_read_be32(&r);
            if (round == 1) {
                count += each == candidate ? n : 0;
            } else if (each == candidate) {
                votes += n;
            } else if (n > votes) {
                candidate = each;
                votes = n - votes;
            } else {
                votes -= n;
            }
        }
    }
    return count > t->sample_count / 2 ? candidate : 0;
}

/* Of the tables, or of the first fragment: what all samples but the last one last. */
static void set_rate(const struct sl_mp4 *d, const struct sl_mp4_track *t, struct sl_track *track)
{
    struct sl_mp4_sample s;
    struct sl_mp4_track ahead = *t;
    int64_t sum = 0;
    int64_t count = 0;

    if (track->kind != SL_KIND_VIDEO || t->cover) {
        return;
    }
    if (d->in_tables && t->stts.count > 0 && t->sample_count > 1) {
        struct sl_reader r;
        sl_reader_init(&r, t->stts.data, 16 <= (size_t)t->stts.count * 8 ? 16 : 8);
        uint32_t n = sl_read_be32(&r);
        uint32_t each = sl_read_be32(&r);
        bool same = t->stts.count == 1 || n >= t->sample_count ||
                    (t->stts.count == 2 && n == t->sample_count - 1);
        if (same && each > 0 && !d->fragmented) {
            track->frame_rate = sl_rational_reduce(sl_rational(t->timescale, each));
            track->frame_rate_exact = 1;
            return;
        }
        uint32_t most = most_common(t);
        sum = most > 0 ? most : table_duration(t);
        count = most > 0 ? 1 : t->sample_count;
    } else if (!d->in_tables) {
        while (count < 65536 && sl_mp4_run_peek(&ahead, &s)) {
            sum += s.duration;
            count++;
            sl_mp4_run_pass(&ahead, &s);
        }
    }
    if (sum > 0 && count > 0) {
        track->frame_rate =
            usual_rate(sl_rational(sl_muldiv(count, t->timescale, 1, SL_ROUND_NEAREST), sum));
    }
}

static void set_sizes(const struct sl_mp4 *d, const struct sl_mp4_track *t, struct sl_track *track)
{
    uint64_t sum = 0;

    if (t->pack > 1) {
        sum = ((uint64_t)t->sample_count + t->pack_samples - 1) / t->pack_samples * t->pack_bytes;
    } else if (t->fixed_size > 0) {
        sum = (uint64_t)t->sample_count * t->fixed_size;
    } else {
        for (uint32_t i = 0; i < t->sample_count; i++) {
            sum += sl_mp4_sample_size(t, i);
        }
    }
    if (!d->fragmented && track->duration > 0 && sum > 0 && sum < INT64_MAX / 8) {
        track->bitrate = sl_muldiv((int64_t)sum * 8, t->timescale, track->duration, SL_ROUND_DOWN);
    }
}

/* What the tables say about times. */
static void set_times(const struct sl_mp4 *d, struct sl_mp4_track *t, struct sl_track *track)
{
    int64_t media = t->media_duration;
    int64_t tables = table_duration(t);

    track->timebase = sl_rational(1, t->timescale);
    if (tables > 0 && (media == 0 || tables < media)) {
        media = tables;
    }
    if (media > 0 && t->edit_end != INT64_MAX && t->edit_end + t->shift < media) {
        media = t->edit_end + t->shift; /* with the empty edits before it */
    }
    if (media > 0) {
        track->duration = media;
    }
    sl_mp4_find_first(d, t);
    if (t->before != INT64_MIN) {
        track->start = t->edit_start + t->shift;
    } else if (t->first != INT64_MAX) {
        track->start = t->first + t->shift;
    }
}

/* The first sample that is needed for what is shown first. */
static void begin(struct sl_mp4 *d, struct sl_mp4_track *t, const struct sl_track *track)
{
    int64_t from = t->edit_start;

    sl_mp4_cursor_start(t, &t->cursor);
    if (t->has_edits && from > 0 && d->in_tables) {
        /* Sound decoders need a run-in, nobody says how long: a second is enough for all. */
        from -= track->kind == SL_KIND_AUDIO ? t->timescale : 0;
        sl_mp4_cursor_seek(t, &t->cursor, from);
    }
}

/* Writers put 2 channels into the entry of MP3 whatever it has: the first frame knows. It is looked
 * at where that costs no more than a read. */
static void look_at_mp3(struct sl_mp4 *d, struct sl_mp4_track *t, struct sl_track *track)
{
    struct sl_mp4_sample s;
    struct sl_mp4_track ahead = *t;
    struct sl_mpeg_audio frame;
    const uint8_t *data = NULL;
    size_t got = 0;

    if (track->codec != SL_CODEC_MP3 ||
        !(d->in_tables ? sl_mp4_cursor_peek(&ahead, &ahead.cursor, &s)
                       : sl_mp4_run_peek(&ahead, &s)) ||
        s.size < 4 || (!sl_window_seekable(d->window) && sl_window_held(d->window, s.offset) < 4) ||
        sl_window_view(d->window, s.offset, 4, &data, &got, NULL) != SL_OK ||
        sl_mpeg_audio_parse(data, got, &frame, NULL) != SL_OK) {
        return;
    }
    track->sample_rate = (int32_t)frame.sample_rate;
    track->channels = frame.channels;
    track->channel_layout = frame.channels == 1 ? 0x4 : 0x3;
}

enum sl_status sl_mp4_describe_tracks(struct sl_mp4 *d, struct sl_error *err)
{
    enum sl_status status = SL_OK;

    for (size_t i = 0; i < d->count; i++) {
        struct sl_mp4_track *t = &d->tracks[i];
        struct sl_track *track = &d->demuxer.tracks[i];
        d->in_tables = d->in_tables || t->sample_count > 0 || t->cover;
        if (t->cover) {
            continue;
        }
        t->description = 1;
        status = sl_mp4_describe(d, t, track, err);
        t->all_sync = track->kind != SL_KIND_VIDEO && !t->has_stss;
        if (status == SL_OK) {
            status = sl_mp4_read_edits(d, t, err);
        }
        if (status != SL_OK) {
            return status;
        }
    }
    return SL_OK;
}

/* Samples of moov come first; where there are none, the first fragment is read at once, since only
 * it knows when things begin. */
enum sl_status sl_mp4_first_samples(struct sl_mp4 *d, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    bool tables = false;

    for (size_t i = 0; i < d->count; i++) {
        tables = tables || d->tracks[i].sample_count > 0;
        d->tracks[i].tables_end = table_duration(&d->tracks[i]);
        d->tracks[i].next_dts = d->tracks[i].tables_end;
    }
    d->in_tables = tables || !d->fragmented;
    d->at_media = d->fragmented && !sl_window_seekable(d->window);
    if (!d->in_tables) {
        status = sl_mp4_next_moof(d, err);
    }
    for (size_t i = 0; i < d->count; i++) {
        struct sl_mp4_track *t = &d->tracks[i];
        struct sl_track *track = &d->demuxer.tracks[i];
        if (!t->cover) {
            begin(d, t, track);
            set_times(d, t, track);
            set_sizes(d, t, track);
            set_rate(d, t, track);
            look_at_mp3(d, t, track);
        }
    }
    return status == SL_EOF ? SL_OK : status;
}

void sl_mp4_set_duration(struct sl_mp4 *d)
{
    int64_t longest = -1;

    for (size_t i = 0; i < d->count; i++) {
        const struct sl_track *track = &d->demuxer.tracks[i];
        if (track->duration > 0) {
            int64_t start = track->start != SL_NO_TIME && track->start > 0 ? track->start : 0;
            int64_t end = sl_rescale(start + track->duration, track->timebase,
                                     sl_rational(1, 1000000), SL_ROUND_NEAREST);
            longest = end > longest ? end : longest;
        }
    }
    if (longest < 0 && d->movie_timescale > 0) {
        int64_t stated = d->fragment_duration > 0 ? d->fragment_duration : d->movie_duration;
        if (stated > 0) {
            longest = sl_rescale(stated, sl_rational(1, d->movie_timescale),
                                 sl_rational(1, 1000000), SL_ROUND_NEAREST);
        }
    }
    d->demuxer.duration = longest;
}
