/* SPDX-License-Identifier: BSD-2-Clause */
/* What `sluice encode` writes: the stream, and a line of JSON for each unit of it. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/io.h"
#include "base/rational.h"
#include "pipeline/encode_file_run.h"

#define LINES_MAX  (1u << 20)
#define LINES_WAIT (32u << 10) /* bytes handed on at a time */

/* ---- sinks -------------------------------------------------------------------------------- */

enum sl_status sl_encode_sink_open(struct sl_encode_sink *s, const char *path, struct sl_error *err)
{
    *s = (struct sl_encode_sink){.used = path[0] != '\0'};
    return !s->used || strcmp(path, "-") == 0 ? SL_OK : sl_publish_open(&s->file, path, err);
}

enum sl_status sl_encode_sink_write(struct sl_encode_sink *s, const void *data, size_t size,
                                    struct sl_error *err)
{
    if (!s->used) {
        return SL_OK;
    }
    return s->file ? sl_publish_write(s->file, data, size, err)
                   : sl_io_write(STDOUT_FILENO, data, size, "standard output", err);
}

enum sl_status sl_encode_sink_commit(struct sl_encode_sink *s, struct sl_error *err)
{
    return s->file ? sl_publish_commit_unsynced(&s->file, err) : SL_OK;
}

void sl_encode_sink_abort(struct sl_encode_sink *s)
{
    sl_publish_abort(&s->file);
}

/* ---- lines -------------------------------------------------------------------------------- */

static enum sl_status hand_on(struct sl_encode_lines *l, bool all, struct sl_error *err)
{
    enum sl_status status = sl_writer_finish(&l->waiting, err);
    if (status != SL_OK || l->waiting.size == 0 ||
        (!all && !l->at_once && l->waiting.size < LINES_WAIT)) {
        return status;
    }
    status = sl_encode_sink_write(&l->sink, l->waiting.data, l->waiting.size, err);
    l->waiting.size = 0;
    return status;
}

enum sl_status sl_encode_lines_open(struct sl_encode_lines *l, const char *path,
                                    struct sl_error *err)
{
    sl_writer_init(&l->waiting, LINES_MAX);
    enum sl_status status = sl_encode_sink_open(&l->sink, path, err);
    l->at_once =
        status == SL_OK && l->sink.used && (!l->sink.file || sl_publish_is_special(l->sink.file));
    return status;
}

enum sl_status sl_encode_lines_stream(struct sl_encode_lines *l, const struct sl_encoder *encoder,
                                      const struct sl_encoder_params *params, struct sl_error *err)
{
    static const char *const latencies[] = {"sync", "pipelined", "lookahead"};
    struct sl_encoder_info info;
    if (!l->sink.used) {
        return SL_OK;
    }
    const char *codecs = sl_encoder_codecs(encoder);
    enum sl_status status = sl_encoder_look(encoder, &info, err);
    if (status != SL_OK || (info.backend == l->backend && strcmp(codecs, l->codecs) == 0)) {
        return status;
    }
    l->backend = info.backend;
    memcpy(l->codecs, codecs, strlen(codecs) + 1);
    const struct sl_colour *c = &info.track->colour;
    struct sl_rational tick =
        params->timebase.num ? params->timebase : sl_rational(params->rate.den, params->rate.num);
    sl_write_format(&l->waiting,
                    "{\"type\":\"stream\",\"codec\":\"%s\",\"backend\":\"%s\",\"width\":%" PRId32
                    ",\"height\":%" PRId32 ",\"rate\":\"%" PRId64 "/%" PRId64
                    "\",\"timebase\":\"%" PRId64 "/%" PRId64 "\",\"latency\":\"%s\"",
                    l->codecs, l->backend, info.width, info.height, params->rate.num,
                    params->rate.den, tick.num, tick.den, latencies[params->latency]);
    sl_write_format(&l->waiting,
                    ",\"colour\":{\"primaries\":%d,\"transfer\":%d,\"matrix\":%d,\"range\":\"%s\"}"
                    ",\"reorder\":%d}\n",
                    c->primaries, c->transfer, c->matrix,
                    c->range == SL_RANGE_FULL ? "full" : "limited", info.track->reorder);
    return hand_on(l, false, err);
}

enum sl_status sl_encode_lines_unit(struct sl_encode_lines *l, const struct sl_access_unit *unit,
                                    struct sl_error *err)
{
    if (!l->sink.used) {
        return SL_OK;
    }
    sl_write_format(&l->waiting,
                    "{\"type\":\"frame\",\"token\":%" PRIu64 ",\"pts\":%" PRId64 ",\"dts\":%" PRId64
                    ",\"size\":%zu,\"key\":%s,\"qp\":%" PRId32 ",\"layer\":%" PRId32,
                    unit->token, unit->pts, unit->dts, unit->size, unit->key ? "true" : "false",
                    unit->qp, unit->layer);
    sl_write_format(&l->waiting,
                    ",\"copy_us\":%" PRId64 ",\"convert_us\":%" PRId64 ",\"encode_us\":%" PRId64
                    "}\n",
                    unit->copy_ns / 1000, unit->convert_ns / 1000, unit->encode_ns / 1000);
    return hand_on(l, false, err);
}

enum sl_status sl_encode_lines_flush(struct sl_encode_lines *l, struct sl_error *err)
{
    return hand_on(l, true, err);
}

void sl_encode_lines_abort(struct sl_encode_lines *l)
{
    sl_encode_sink_abort(&l->sink);
    sl_writer_clear(&l->waiting);
}
