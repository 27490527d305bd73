/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice frames: pictures out of a file, as PNG or raw. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/run.h"

#define LIST_MAX  ((size_t)1 << 24)
#define PATH_SIZE SL_FRAMES_PATH_MAX

struct span { /* first == last: one */
    int64_t first, last;
};

struct spans {
    struct span *items;
    size_t count;
};

struct frames_command {
    struct sl_frames_params params; /* first: the library's options lie in it */
    char input[PATH_SIZE], output[PATH_SIZE];
    struct sl_rational *at;
    size_t at_count;
    struct sl_rational every;
    struct spans ids, numbers;
    int raw, stats;

    struct sl_frames *frames;
    uint64_t *indexes;
    size_t count;
};

/* ---- lists ------------------------------------------------------------------------------- */

static enum sl_status refuse(struct sl_error *err, const char *where, const char *value,
                             const char *allowed)
{
    err->status = SL_EINVAL;
    (void)snprintf(err->where, sizeof err->where, "%s", where);
    (void)snprintf(err->msg, sizeof err->msg, "\"%.100s\" is not allowed (%s)", value, allowed);
    return SL_EINVAL;
}

static enum sl_status no_memory(struct sl_error *err)
{
    err->status = SL_ENOMEM;
    (void)snprintf(err->msg, sizeof err->msg, "out of memory");
    return SL_ENOMEM;
}

/* Calls add for each of the words between commas. */
static enum sl_status each_word(struct frames_command *c, const char *value,
                                enum sl_status (*add)(struct frames_command *c, const char *word,
                                                      struct sl_error *err),
                                struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (const char *at = value; !status; at++) {
        char word[64];
        size_t size = strcspn(at, ",");
        if (size >= sizeof word) {
            size = sizeof word - 1; /* refused as it is then */
        }
        memcpy(word, at, size);
        word[size] = '\0';
        status = add(c, word, err);
        at += strcspn(at, ",");
        if (!*at) {
            break;
        }
    }
    return status;
}

/* "1.5", "1.5s", "1500ms", "3/2" */
static enum sl_status parse_time(const char *key, const char *word, struct sl_rational *out,
                                 struct sl_error *err)
{
    static const struct sl_option one[] = {
        {.key = "time", .type = SL_OPTION_RATIONAL, .min = 0, .max = 1000000000},
        {.key = NULL},
    };
    char number[64];
    size_t size = strlen(word);
    int64_t scale = 1;
    if (size > 2 && !strcmp(word + size - 2, "ms")) {
        scale = 1000;
        size -= 2;
    } else if (size > 1 && word[size - 1] == 's') {
        size--;
    }
    (void)snprintf(number, sizeof number, "%.*s", (int)size, word);
    if (!size || strchr(number, ':') || sl_options_set(one, out, "time", number, NULL) != SL_OK ||
        out->den > INT64_MAX / scale) {
        return refuse(err, key, word, "seconds as in 1.5s, 1500ms or 3/2");
    }
    out->den *= scale;
    return SL_OK;
}

static enum sl_status add_time(struct frames_command *c, const char *word, struct sl_error *err)
{
    struct sl_rational time = {0, 1}, *grown;
    enum sl_status status = parse_time("at", word, &time, err);
    if (status) {
        return status;
    }
    grown = c->at_count < LIST_MAX ? realloc(c->at, (c->at_count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        return no_memory(err);
    }
    c->at = grown;
    c->at[c->at_count++] = time;
    return SL_OK;
}

static enum sl_status add_span(struct spans *s, const char *key, const char *word,
                               struct sl_error *err)
{
    struct span span, *grown;
    char *end = NULL;
    bool good = word[0] >= '0' && word[0] <= '9';
    errno = 0;
    span.first = span.last = good ? strtoll(word, &end, 10) : 0;
    if (good && *end == '-' && end[1] >= '0' && end[1] <= '9') {
        span.last = strtoll(end + 1, &end, 10);
    }
    if (!good || *end || errno || span.last < span.first) {
        return refuse(err, key, word, "whole numbers and spans, as in 0,5,9-20");
    }
    grown = s->count < LIST_MAX ? realloc(s->items, (s->count + 1) * sizeof *grown) : NULL;
    if (!grown) {
        return no_memory(err);
    }
    s->items = grown;
    s->items[s->count++] = span;
    return SL_OK;
}

static enum sl_status add_id(struct frames_command *c, const char *word, struct sl_error *err)
{
    return add_span(&c->ids, "ids", word, err);
}

static enum sl_status add_number(struct frames_command *c, const char *word, struct sl_error *err)
{
    return add_span(&c->numbers, "pictures", word, err);
}

static enum sl_status set_at(void *params, const char *value, struct sl_error *err)
{
    return each_word(params, value, add_time, err);
}

static enum sl_status set_ids(void *params, const char *value, struct sl_error *err)
{
    return each_word(params, value, add_id, err);
}

static enum sl_status set_pictures(void *params, const char *value, struct sl_error *err)
{
    return each_word(params, value, add_number, err);
}

static enum sl_status set_every(void *params, const char *value, struct sl_error *err)
{
    struct frames_command *c = params;
    enum sl_status status = parse_time("every", value, &c->every, err);
    if (!status && c->every.num <= 0) {
        status = refuse(err, "every", value, "more than 0");
    }
    return status;
}

/* ---- what to take ------------------------------------------------------------------------ */

static enum sl_status take(struct frames_command *c, uint64_t index, size_t *room,
                           struct sl_error *err)
{
    if (c->count == *room) {
        uint64_t *grown;
        *room = *room ? *room * 2 : 256;
        grown = c->count < LIST_MAX ? realloc(c->indexes, *room * sizeof *grown) : NULL;
        if (!grown) {
            return no_memory(err);
        }
        c->indexes = grown;
    }
    c->indexes[c->count++] = index;
    return SL_OK;
}

static enum sl_status take_spans(struct frames_command *c, const struct spans *s, bool ids,
                                 size_t *room, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (size_t i = 0; i < s->count; i++) {
        for (int64_t n = s->items[i].first; n <= s->items[i].last && !status; n++) {
            uint64_t index = (uint64_t)n;
            if (ids) {
                status = sl_frames_find_id(c->frames, n, &index, err);
            } else {
                struct sl_frames_place place;
                status = sl_frames_get_place(c->frames, index, &place, err);
                if (status) {
                    err->status = SL_ENOTFOUND; /* of the file, not of the command line */
                }
            }
            status = status ? status : take(c, index, room, err);
        }
    }
    return status;
}

static enum sl_status ask(struct frames_command *c, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    size_t room = 0;
    if (c->every.num > 0) {
        return sl_frames_request_every(c->frames, c->every, err);
    }
    for (size_t i = 0; i < c->at_count && !status; i++) {
        uint64_t index = 0;
        status = sl_frames_find_time(c->frames, c->at[i], &index, err);
        status = status ? status : take(c, index, &room, err);
    }
    status = status ? status : take_spans(c, &c->ids, true, &room, err);
    status = status ? status : take_spans(c, &c->numbers, false, &room, err);
    return status ? status : sl_frames_request(c->frames, c->indexes, c->count, err);
}

/* ---- what becomes of it ------------------------------------------------------------------ */

static int digits(uint64_t count)
{
    int n = 1;
    for (; count > 10; count = (count + 9) / 10) {
        n++;
    }
    return n < 6 ? 6 : n;
}

/* DIR/000042.png, each by rename. */
static enum sl_status save_all(struct frames_command *c, struct sl_error *err)
{
    struct sl_frames_info info;
    struct sl_frames_picture picture;
    enum sl_status status = SL_OK;
    sl_frames_get_info(c->frames, &info);
    if (mkdir(c->output, 0777) != 0 && errno != EEXIST) {
        err->status = SL_EIO;
        (void)snprintf(err->where, sizeof err->where, "%.190s", c->output);
        (void)snprintf(err->msg, sizeof err->msg, "the folder cannot be made: %s",
                       strerrordesc_np(errno));
        return SL_EIO;
    }
    while (!status) {
        char path[PATH_SIZE + 32];
        status = sl_frames_next(c->frames, &picture, err);
        if (!status) {
            (void)snprintf(path, sizeof path, "%s/%0*" PRIu64 ".png", c->output, digits(info.count),
                           picture.index);
            status = sl_frames_save(c->frames, path, err);
        }
    }
    return status == SL_EOF ? SL_OK : status;
}

static void print_stats(const struct frames_command *c)
{
    struct sl_frames_stats s;
    sl_frames_get_stats(c->frames, &s);
    (void)fprintf(stderr,
                  "{\"event\":\"finished\",\"given\":%" PRId64 ",\"decoded\":%" PRId64
                  ",\"samples\":%" PRId64 ",\"reads\":%" PRId64 ",\"bytes_fetched\":%" PRId64
                  ",\"bytes_index\":%" PRId64 "}\n",
                  s.given, s.decoded, s.samples, s.reads, s.bytes_fetched, s.bytes_index);
}

static void stop(void *frames)
{
    sl_frames_stop(frames);
}

static int run(struct frames_command *c)
{
    struct sl_error err = {0};
    enum sl_status status = sl_frames_open(&c->frames, c->input, &c->params, &cli_log, &err);
    if (!status) {
        cli_stop_on_signal(stop, c->frames);
        status = ask(c, &err);
    }
    if (!status) {
        status = c->raw ? sl_frames_dump(c->frames, c->output[0] ? c->output : "-", &err)
                        : save_all(c, &err);
    }
    cli_stop_on_signal(NULL, NULL);
    if (!status && c->stats) {
        print_stats(c);
    }
    sl_frames_destroy(&c->frames);
    return status ? cli_report(&err) : CLI_OK;
}

/* ---- the command line -------------------------------------------------------------------- */

static int operand(void *opaque, const char *key, const char *value)
{
    struct frames_command *c = opaque;
    (void)key; /* there are no own options */
    return cli_take_input(c->input, sizeof c->input, value);
}

static int check(const struct frames_command *c)
{
    int ways = (c->at_count > 0) + (c->every.num > 0) + (c->ids.count > 0) + (c->numbers.count > 0);
    const char *wrong = NULL;
    if (!c->input[0]) {
        wrong = "no input is named";
    } else if (ways != 1) {
        wrong = "one of --at, --every, --ids and --pictures is needed";
    } else if (!c->raw && !c->output[0]) {
        wrong = "-o DIR is missing (or --raw)";
    } else if (!c->raw && c->params.format != SL_FRAMES_RGB24) {
        wrong = "--format nv12 needs --raw: PNG is RGB";
    }
    if (wrong) {
        (void)fprintf(stderr, "sluice: %s (see: sluice frames --help)\n", wrong);
        return CLI_USAGE;
    }
    return -1;
}

#define OWN(name, kind, unit, words)                                                               \
    .key = (name), .type = (kind), .metavar = (unit), .help = (words)
#define FIELD(field) .offset = offsetof(struct frames_command, field)

int cmd_frames(int argc, char **argv)
{
    static const struct sl_option own[] = {
        {OWN("output", SL_OPTION_STRING, "DIR", "PNG files, named by number of picture (-o)"),
         FIELD(output), .capacity = PATH_SIZE},
        {OWN("at", SL_OPTION_LIST, "TIMES", "what is shown then, as in 1.5s,2s"), .add = set_at},
        {OWN("every", SL_OPTION_LIST, "TIME", "from the first picture on, as in 1s or 500ms"),
         .add = set_every},
        {OWN("ids", SL_OPTION_LIST, "LIST",
             "by id, as in 0,5,9-20; a file without an index of ids has numbers"),
         .add = set_ids},
        {OWN("pictures", SL_OPTION_LIST, "LIST", "by number in display order, from 0"),
         .add = set_pictures},
        {OWN("raw", SL_OPTION_BOOL, NULL,
             "pixels alone, one picture after the other, to --output FILE or standard output"),
         FIELD(raw)},
        {OWN("stats", SL_OPTION_BOOL, NULL, "say at the end what was read and decoded, as JSON"),
         FIELD(stats)},
    };
    enum { OWN_COUNT = sizeof own / sizeof own[0], ROOM = OWN_COUNT + 8 };
    struct sl_option table[ROOM] = {0};
    const struct sl_option *more = sl_frames_options();
    const struct cli_command command = {
        .name = "frames",
        .arguments = "INPUT -o DIR",
        .summary = "Takes pictures out of an MP4 or Matroska file or URL: reads and decodes only "
                   "what they need. Of an MP4 that\nsluice pack made that is little. Pictures "
                   "come in display order, each once.",
        .example = "sluice frames film.mp4 --every 1s -o stills\n"
                   "  sluice frames film.mp4 --at 1.5s,2s --raw --format nv12 > two.nv12",
        .table = table,
        .short_output = "output",
    };
    struct frames_command *c = calloc(1, sizeof *c);
    struct sl_error err = {0};
    int status;
    size_t n = OWN_COUNT;
    if (!c || sl_frames_params_default(&c->params, sizeof c->params, &err) != SL_OK) {
        free(c);
        return cli_report(&err);
    }
    memcpy(table, own, sizeof own);
    for (; more->key && n + 1 < ROOM; more++) {
        table[n++] = *more; /* params is the first member */
    }
    status = cli_parse(&command, argc, argv, c, operand, c);
    status = status < 0 ? check(c) : status;
    status = status < 0 ? run(c) : status;
    free(c->at);
    free(c->ids.items);
    free(c->numbers.items);
    free(c->indexes);
    free(c);
    return status;
}
