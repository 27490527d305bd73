/* SPDX-License-Identifier: BSD-2-Clause */
/* YUV4MPEG2 as the mjpegtools define it (yuv4mpeg(5)): a text header, then for each picture a line
 * "FRAME" with parameters, then its planes. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rational.h"
#include "demux/demuxers.h"
#include "demux/frames.h"

#define LINE_MAX_BYTES 4096
#define MAGIC          "YUV4MPEG2"
#define FRAME_MAGIC    "FRAME"

struct y4m {
    struct sl_demuxer demuxer; /* first: handed out as this */
    struct sl_frame_reader frames;
    struct sl_track track;
    int64_t offset; /* of the next line, or of the payload where in_frame */
    bool in_frame;
};

/* A view of text that is not terminated. */
struct token {
    const char *text;
    size_t size;
};

struct header {
    int32_t width, height;
    struct sl_rational rate, aspect; /* 0/0: not stated */
    enum sl_pixel_format format;     /* from C */
    enum sl_pixel_format format_x;   /* from XYSCSS, the older way to say it */
    uint8_t chroma_location, chroma_location_x;
    uint8_t range;
    char interlaced; /* 't', 'b', 'm' or 0 */
};

/* Samples above 8 bits are little-endian words in the file, native words in a packet. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define DEEP(format) SL_PIX_NONE
#else
#define DEEP(format) (format)
#endif

static const struct chroma {
    char name[12];
    enum sl_pixel_format format;
    uint8_t location; /* as struct sl_colour counts */
} chromas[] = {
    {"420jpeg", SL_PIX_YUV420P, 2},
    {"420mpeg2", SL_PIX_YUV420P, 1},
    {"420paldv", SL_PIX_YUV420P, 3},
    {"420", SL_PIX_YUV420P, 0},
    {"422", SL_PIX_YUV422P, 0},
    {"444", SL_PIX_YUV444P, 0},
    {"411", SL_PIX_YUV411P, 0},
    {"mono", SL_PIX_GRAY, 0},
    {"420p10", DEEP(SL_PIX_YUV420P10), 0},
    {"422p10", DEEP(SL_PIX_YUV422P10), 0},
    {"444p10", DEEP(SL_PIX_YUV444P10), 0},
    {"420p12", DEEP(SL_PIX_YUV420P12), 0},
    {"422p12", DEEP(SL_PIX_YUV422P12), 0},
    {"444p12", DEEP(SL_PIX_YUV444P12), 0},
    {"mono10", DEEP(SL_PIX_GRAY10), 0},
};

static const struct chroma *find_chroma(struct token t)
{
    for (size_t i = 0; i < sizeof chromas / sizeof *chromas; i++) {
        if (strlen(chromas[i].name) == t.size &&
            strncasecmp(chromas[i].name, t.text, t.size) == 0 && chromas[i].format != SL_PIX_NONE) {
            return &chromas[i];
        }
    }
    return NULL;
}

/* Outside text for a message: short, and nothing a terminal could act on. */
static const char *printable(struct token t, char out[32])
{
    size_t n = t.size < 31 ? t.size : 31;
    for (size_t i = 0; i < n; i++) {
        out[i] = isprint((unsigned char)t.text[i]) ? t.text[i] : '?';
    }
    out[n] = '\0';
    return out;
}

static bool parse_number(struct token *t, int32_t *out)
{
    int64_t v = 0;
    size_t n = 0;
    while (n < t->size && n < 10 && t->text[n] >= '0' && t->text[n] <= '9') {
        v = v * 10 + (t->text[n] - '0');
        n++;
    }
    if (n == 0 || v > INT32_MAX) {
        return false;
    }
    t->text += n;
    t->size -= n;
    *out = (int32_t)v;
    return true;
}

static bool parse_whole(struct token t, int32_t *out)
{
    return parse_number(&t, out) && t.size == 0;
}

/* "N:D"; 0 on either side says that it is not known. */
static bool parse_ratio(struct token t, struct sl_rational *out)
{
    int32_t num = 0;
    int32_t den = 0;
    if (!parse_number(&t, &num) || t.size == 0 || *t.text != ':') {
        return false;
    }
    t.text++;
    t.size--;
    if (!parse_whole(t, &den)) {
        return false;
    }
    *out = sl_rational(num, den);
    return true;
}

static bool token_is(struct token t, const char *text)
{
    return t.size == strlen(text) && memcmp(t.text, text, t.size) == 0;
}

/* Private parameters, without their X. Those that are not known are passed over. */
static void parse_private(struct token t, struct header *h)
{
    if (token_is(t, "COLORRANGE=FULL")) {
        h->range = SL_RANGE_FULL;
    } else if (token_is(t, "COLORRANGE=LIMITED")) {
        h->range = SL_RANGE_LIMITED;
    } else if (t.size > 6 && memcmp(t.text, "YSCSS=", 6) == 0) {
        const struct chroma *c = find_chroma((struct token){t.text + 6, t.size - 6});
        if (c) {
            h->format_x = c->format;
            h->chroma_location_x = c->location;
        }
    }
}

/* One parameter: a letter and its value. */
static enum sl_status parse_parameter(struct token t, struct header *h, const char *name,
                                      struct sl_error *err)
{
    struct token value = {t.text + 1, t.size - 1};
    char shown[32];
    const struct chroma *c = NULL;
    bool good = true;

    switch (t.text[0]) {
    case 'W':
        good = parse_whole(value, &h->width);
        break;
    case 'H':
        good = parse_whole(value, &h->height);
        break;
    case 'F':
        good = parse_ratio(value, &h->rate);
        break;
    case 'A':
        good = parse_ratio(value, &h->aspect);
        break;
    case 'I':
        good = value.size == 1 && *value.text && strchr("?ptbm", *value.text);
        h->interlaced = good && strchr("tbm", *value.text) ? *value.text : '\0';
        break;
    case 'C':
        c = find_chroma(value);
        if (!c) {
            return sl_fail(err, SL_EUNSUPPORTED, name,
                           "sample layout \"%s\", one of 420jpeg 420mpeg2 420paldv 420 422 444 411 "
                           "mono, or 420p10 … 444p12 mono10 was expected",
                           printable(t, shown));
        }
        h->format = c->format;
        h->chroma_location = c->location;
        break;
    case 'X':
        parse_private(value, h);
        break;
    default:
        break; /* later versions may say more; a reader passes over what it does not know */
    }
    return good ? SL_OK
                : sl_fail(err, SL_EDATA, name, "Y4M parameter \"%s\" cannot be read",
                          printable(t, shown));
}

/* line: after the magic, without the newline. */
static enum sl_status parse_header(struct token line, struct header *h, const char *name,
                                   struct sl_error *err)
{
    enum sl_status status = SL_OK;
    while (line.size > 0 && status == SL_OK) {
        const char *space = memchr(line.text, ' ', line.size);
        size_t n = space ? (size_t)(space - line.text) : line.size;
        if (n > 0) {
            status = parse_parameter((struct token){line.text, n}, h, name, err);
        }
        n += space ? 1 : 0;
        line.text += n;
        line.size -= n;
    }
    return status;
}

/* A line of at least min bytes, newline included, seen in place and never past its end: the
 * bytes behind it may not have been written yet. SL_EOF where the source ends at offset. */
static enum sl_status view_line(struct sl_window *w, int64_t offset, size_t min, const char *what,
                                struct token *line, struct sl_error *err)
{
    const uint8_t *data = NULL;
    size_t got = 0;
    for (size_t want = min; want <= LINE_MAX_BYTES; want++) {
        enum sl_status status = sl_window_view(w, offset, want, &data, &got, err);
        if (status != SL_OK) {
            return status;
        }
        if (got == 0) {
            return SL_EOF;
        }
        /* Where want is min, a newline before its last byte makes a line that is no header. */
        const uint8_t *end = memchr(data, '\n', got);
        if (end) {
            *line = (struct token){(const char *)data, (size_t)(end - data)};
            return SL_OK;
        }
        if (got < want) {
            return sl_fail_at(err, SL_EDATA, sl_window_name(w), offset,
                              "%s is cut short after %zu bytes", what, got);
        }
    }
    return sl_fail_at(err, SL_EDATA, sl_window_name(w), offset, "%s has no end within %d bytes",
                      what, LINE_MAX_BYTES);
}

/* True where line is magic, alone or followed by parameters; they are what is left of it. */
static bool skip_magic(struct token *line, const char *magic)
{
    size_t n = strlen(magic);
    if (line->size < n || memcmp(line->text, magic, n) != 0 ||
        (line->size > n && line->text[n] != ' ')) {
        return false;
    }
    line->text += n;
    line->size -= n;
    return true;
}

static enum sl_status read_header(struct y4m *d, struct sl_window *w, struct header *h,
                                  struct sl_error *err)
{
    const char *name = sl_window_name(w);
    struct token line = {NULL, 0};
    enum sl_status status = view_line(w, 0, sizeof MAGIC, "the Y4M header", &line, err);

    if (status == SL_EOF) {
        return sl_fail(err, SL_EDATA, name, "is empty, a Y4M header was expected");
    }
    if (status != SL_OK) {
        return status;
    }
    d->offset = (int64_t)line.size + 1;
    if (!skip_magic(&line, MAGIC)) {
        return sl_fail(err, SL_EDATA, name, "does not begin with \"" MAGIC "\"");
    }
    return parse_header(line, h, name, err);
}

/* What the header means. */
static enum sl_status set_up(struct y4m *d, struct sl_window *w, struct header *h,
                             const struct sl_demux_params *params, struct sl_error *err)
{
    const char *name = sl_window_name(w);
    enum sl_status status = SL_OK;

    if (h->width == 0 || h->height == 0) {
        return sl_fail(err, SL_EDATA, name,
                       "the Y4M header says %dx%d, width (W) and height (H) were expected",
                       (int)h->width, (int)h->height);
    }
    if (!sl_rational_valid(h->rate)) {
        h->rate = params->raw_rate;
    }
    if (!sl_rational_valid(h->rate)) {
        return sl_fail(err, SL_EDATA, name,
                       "the Y4M header states no frame rate (F), so that one must be given");
    }
    if (h->format == SL_PIX_NONE) {
        /* 4:2:0 as JPEG and MPEG-1 have it is the default. */
        h->format = h->format_x != SL_PIX_NONE ? h->format_x : SL_PIX_YUV420P;
        h->chroma_location = h->format_x != SL_PIX_NONE ? h->chroma_location_x : 2;
    }
    if (h->interlaced) {
        sl_log_write(params->log, SL_LOG_WARN, "demux",
                     "%s: interlaced (I%c), the fields are taken as whole pictures", name,
                     h->interlaced);
    }
    status = sl_frame_reader_init(&d->frames, w, h->format, h->width, h->height, err);
    if (status != SL_OK) {
        return status;
    }
    sl_frame_track(&d->track, h->format, h->width, h->height, h->rate);
    if (sl_rational_valid(h->aspect)) {
        d->track.sample_aspect = sl_rational_reduce(h->aspect);
    }
    d->track.colour.range = h->range;
    d->track.colour.chroma_location = h->chroma_location;
    return SL_OK;
}

static void y4m_destroy(struct sl_demuxer *demuxer)
{
    struct y4m *d = (struct y4m *)demuxer;
    sl_frame_reader_clear(&d->frames);
    sl_free(d);
}

static enum sl_status y4m_open(struct sl_demuxer **out, struct sl_window *w,
                               const struct sl_demux_params *params, struct sl_error *err)
{
    struct header h = {0};
    enum sl_status status = SL_OK;
    struct y4m *d = sl_alloc_zero(sizeof *d);

    *out = NULL;
    if (!d) {
        return sl_fail_memory(err);
    }
    status = read_header(d, w, &h, err);
    if (status != SL_OK) {
        goto out;
    }
    status = set_up(d, w, &h, params, err);
    if (status != SL_OK) {
        goto out;
    }
    d->demuxer = (struct sl_demuxer){.ops = &sl_demux_y4m,
                                     .tracks = &d->track,
                                     .track_count = 1,
                                     .format = "y4m",
                                     .duration = -1};
    if (sl_window_size(w) >= 0) {
        /* True where no FRAME line has parameters, which hardly any writer emits. */
        int64_t each = (int64_t)(sizeof FRAME_MAGIC + d->frames.size);
        d->demuxer.duration =
            sl_frame_time((sl_window_size(w) - d->offset) / each, d->track.frame_rate);
    }
    *out = &d->demuxer;
    d = NULL;
out:
    if (d) {
        y4m_destroy(&d->demuxer);
    }
    return status;
}

static enum sl_status y4m_read(struct sl_demuxer *demuxer, struct sl_packet **out,
                               struct sl_error *err)
{
    struct y4m *d = (struct y4m *)demuxer;
    struct sl_window *w = d->frames.window;
    struct token line = {NULL, 0};
    enum sl_status status = SL_OK;

    *out = NULL;
    if (!d->in_frame) {
        status = view_line(w, d->offset, sizeof FRAME_MAGIC, "a FRAME line", &line, err);
        if (status != SL_OK) {
            return status;
        }
        int64_t length = (int64_t)line.size + 1;
        if (!skip_magic(&line, FRAME_MAGIC)) {
            char shown[32];
            return sl_fail_at(err, SL_EDATA, sl_window_name(w), d->offset,
                              "\"%s\" where \"FRAME\" was expected", printable(line, shown));
        }
        d->offset += length;
        d->in_frame = true;
    }
    status = sl_frame_reader_next(&d->frames, d->offset, out, err);
    if (status == SL_OK) {
        d->offset += (int64_t)d->frames.size;
        d->in_frame = false;
    } else if (status == SL_EOF) {
        return sl_fail_at(err, SL_EDATA, sl_window_name(w), d->offset,
                          "frame %lld is cut short: 0 bytes, %zu were expected",
                          (long long)d->frames.index, d->frames.size);
    }
    return status;
}

static int y4m_probe(const uint8_t *head, size_t size)
{
    return size >= sizeof MAGIC && memcmp(head, MAGIC " ", sizeof MAGIC) == 0 ? 100 : 0;
}

const struct sl_demuxer_ops sl_demux_y4m = {
    .name = "y4m",
    .probe = y4m_probe,
    .open = y4m_open,
    .read = y4m_read,
    .destroy = y4m_destroy,
};
