/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice encode: pictures of a file or a pipe through the encoder. */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run.h"

struct encode_command {
    struct sl_encode_file_params params; /* first: the library's options lie in it */
    struct sl_encoder_params encoder;
    struct sl_encode_file_change *changes;
    size_t count;
    struct cli_progress progress;
};

/* ---- changes ----------------------------------------------------------------------------- */

static enum sl_status refuse(struct sl_error *err, const char *where, const char *value,
                             const char *allowed)
{
    err->status = SL_EINVAL;
    (void)snprintf(err->where, sizeof err->where, "%s", where);
    (void)snprintf(err->msg, sizeof err->msg, "\"%.100s\" is not allowed (%s)", value, allowed);
    return SL_EINVAL;
}

static enum sl_status add(struct encode_command *c, const struct sl_encode_file_change *change,
                          struct sl_error *err)
{
    struct sl_encode_file_change *grown = c->count < SL_ENCODE_FILE_CHANGES_MAX
                                              ? realloc(c->changes, (c->count + 1) * sizeof *grown)
                                              : NULL;
    if (!grown) {
        err->status = SL_ENOMEM;
        (void)snprintf(err->msg, sizeof err->msg, "too many changes");
        return SL_ENOMEM;
    }
    c->changes = grown;
    c->changes[c->count++] = *change;
    return SL_OK;
}

/* A number of a picture, and what follows it. */
static bool parse_number(const char *text, int64_t *out, const char **rest)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *out = strtoll(text, &end, 10);
    *rest = end;
    return errno == 0;
}

/* "10,20" */
static enum sl_status add_idr(void *params, const char *value, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    for (const char *at = value; status == SL_OK; at++) {
        struct sl_encode_file_change change = {.key = "idr"};
        if (!parse_number(at, &change.picture, &at) || (*at != ',' && *at != '\0')) {
            return refuse(err, "force-idr", value, "numbers of pictures, as in 30,60");
        }
        status = add(params, &change, err);
        if (*at == '\0') {
            break;
        }
    }
    return status;
}

/* "30:bitrate=2M" */
static enum sl_status add_change(void *params, const char *value, struct sl_error *err)
{
    struct sl_encode_file_change change = {.picture = 0};
    const char *key = value;
    bool good = parse_number(value, &change.picture, &key) && *key == ':';
    const char *setting = good ? strchr(++key, '=') : NULL;
    if (!setting || (size_t)(setting - key) >= sizeof change.key ||
        strlen(setting + 1) >= sizeof change.value) {
        return refuse(err, "change", value, "PICTURE:KEY=VALUE, as in 30:bitrate=2M");
    }
    memcpy(change.key, key, (size_t)(setting - key));
    memcpy(change.value, setting + 1, strlen(setting + 1) + 1);
    return add(params, &change, err);
}

/* ---- running ----------------------------------------------------------------------------- */

static void stop(void *encode)
{
    sl_encode_file_stop(encode);
}

static void on_progress(void *opaque, const struct sl_encode_file_progress *p)
{
    struct cli_coding coding = {.pictures = p->pictures,
                                .bytes = p->bytes,
                                .position_us = p->position_us,
                                .duration_us = p->duration_us,
                                .finished = p->finished != 0};
    cli_progress_coding(opaque, &coding);
}

/* Whoever reads standard output has gone: that is their right, and no news to anybody. */
static bool reader_has_gone(const struct encode_command *c)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return (!strcmp(c->params.output, "-") || !strcmp(c->params.stats, "-")) &&
           poll(&p, 1, 0) > 0 && (p.revents & POLLERR) != 0;
}

static int run(struct encode_command *c)
{
    struct sl_error err = {0};
    struct sl_encode_file *encode = NULL;
    struct sl_encode_file_events events = {.progress = on_progress, .opaque = &c->progress};
    int status = CLI_OK;

    c->params.changes = c->changes;
    c->params.change_count = c->count;
    cli_progress_start(&c->progress);
    if (sl_encode_file_open(&encode, &c->params, &c->encoder, &events, &cli_log, &err) != SL_OK) {
        return cli_report(&err);
    }
    cli_stop_on_signal(stop, encode);
    if (sl_encode_file_run(encode, &err) != SL_OK) {
        cli_progress_break(&c->progress);
        status = err.status == SL_EIO && reader_has_gone(c) ? CLI_FAILED : cli_report(&err);
    }
    cli_stop_on_signal(NULL, NULL);
    sl_encode_file_destroy(&encode);
    return status;
}

/* ---- the command line -------------------------------------------------------------------- */

static int handle(void *opaque, const char *key, const char *value)
{
    struct encode_command *c = opaque;
    return key ? cli_progress_set(&c->progress, value)
               : cli_take_input(c->params.input, sizeof c->params.input, value);
}

/* What a header of the input may say has no default here. */
static struct sl_option of_encoder(const struct sl_option *option)
{
    static const struct {
        const char *key, *help;
    } other[] = {
        {"size", "of raw frames; even, but for 4:4:4"},
        {"rate", "frames per second of raw frames, or instead of the header's"},
        {"range", "limited or full; auto: as the header says, else limited"},
        {"sample-aspect", "width of a sample by its height; 0: as the header says"},
    };
    struct sl_option o = *option;
    o.offset += offsetof(struct encode_command, encoder);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        if (!strcmp(o.key, other[i].key)) {
            o.help = other[i].help;
            o.value_default = o.type == SL_OPTION_ENUM ? o.value_default : NULL;
        }
    }
    return o;
}

static void make_table(struct sl_option *table, size_t room)
{
    static const struct sl_option own[] = {
        {.key = "force-idr",
         .type = SL_OPTION_LIST,
         .metavar = "N,N…",
         .help = "pictures to code as IDR, counted from 0",
         .add = add_idr},
        {.key = "change",
         .type = SL_OPTION_LIST,
         .metavar = "N:KEY=VALUE",
         .help = "from picture N on: bitrate, maxrate, buffer, crf or qp; more than once",
         .add = add_change},
    };
    size_t n = 0;
    for (const struct sl_option *o = sl_encode_file_options(); o->key && n + 1 < room; o++) {
        table[n++] = *o;
    }
    for (size_t i = 0; i < sizeof own / sizeof own[0] && n + 1 < room; i++) {
        table[n++] = own[i];
    }
    for (const struct sl_option *o = sl_encoder_options(); o->key && n + 1 < room; o++) {
        table[n++] = of_encoder(o);
    }
}

int cmd_encode(int argc, char **argv)
{
    static const char *const own[] = {CLI_PROGRESS_OPTION, NULL};
    enum { ROOM = 64 };
    struct sl_option table[ROOM] = {0};
    const struct cli_command command = {
        .name = "encode",
        .arguments = "INPUT -o OUTPUT",
        .summary = "Encodes a Y4M (or raw frames, or - for standard input) as H.264 or HEVC in "
                   "Annex B. Unless told\notherwise each picture's access unit is written before "
                   "the next picture is read (--latency sync).",
        .example = "sluice encode in.y4m --bitrate 3M --stats frames.jsonl -o out.264\n"
                   "  render | sluice encode --raw rgb24 --size 1280x720 --rate 60 --gop 0 "
                   "--force-idr 300 -o - - | send",
        .table = table,
        .short_output = "output",
        .own = own,
    };
    struct sl_error err = {0};
    struct encode_command *c = calloc(1, sizeof *c);
    if (!c || sl_encode_file_params_default(&c->params, sizeof c->params, &err) != SL_OK ||
        sl_encoder_params_default(&c->encoder, sizeof c->encoder, &err) != SL_OK) {
        free(c);
        return cli_report(&err);
    }
    c->encoder.rate = (struct sl_rational){0, 1};
    make_table(table, ROOM);
    int status = cli_parse(&command, argc, argv, c, handle, c);
    if (status < 0) {
        status = cli_need_files(&command, c->params.input, c->params.output);
    }
    status = status < 0 ? run(c) : status;
    free(c->changes);
    free(c);
    return status;
}
