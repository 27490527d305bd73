/* SPDX-License-Identifier: BSD-2-Clause */
#include "api/serve_media.h"

#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/origin.h"
#include "pipeline/remux.h"
#include "pipeline/vod.h"

#define TEXT_MAX (32 << 20) /* bytes of a playlist */

struct engine {
    const struct sl_log *log;
    struct sl_origins *origins; /* NULL: no addresses */
};

/* One opened source. */
struct opened {
    struct sl_vod *vod;
    struct sl_file *file; /* or: */
    struct sl_origin *origin;
};

/* ---- one open file, read in several places ------------------------------------------------- */

static void source_destroy(struct sl_source *s)
{
    sl_file_unref(&s->bytes.file);
    sl_free(s);
}

static enum sl_status source_fill(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                                  struct sl_error *err)
{
    const struct sl_source *s = opaque;
    ssize_t n;

    *got = 0;
    do {
        n = pread(s->bytes.file->fd, dst, size, (off_t)offset);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return sl_fail_errno(err, errno, s->bytes.name, "cannot be read");
    }
    *got = (size_t)n;
    return SL_OK;
}

/* The descriptor that the server opened below its root, whatever the name leads to by now. */
static enum sl_status source_open(void *opaque, struct sl_source **out, struct sl_error *err)
{
    const struct opened *o = opaque;
    struct sl_source *s = sl_alloc_zero(sizeof *s);

    *out = s;
    if (!s) {
        return sl_fail_memory(err);
    }
    s->bytes.fill = source_fill;
    s->bytes.opaque = s;
    s->bytes.name = o->file->name;
    s->bytes.size = o->file->size;
    s->bytes.seekable = true;
    s->bytes.file = sl_file_ref(o->file);
    s->destroy = source_destroy;
    return SL_OK;
}

/* ---- an address ---------------------------------------------------------------------------- */

static enum sl_status open_origin(const struct engine *e, const struct sl_media_input *input,
                                  const struct sl_cancel *cancel, struct opened *o,
                                  struct sl_error *err)
{
    struct sl_origin_params params = {
        .url = input->url,
        .name = input->name,
        .field_count = input->header_count,
        .allowed = input->allowed,
        .allowed_opaque = input->allowed_opaque,
        .cancel = cancel,
    };

    if (!e->origins || input->header_count > SL_ORIGIN_FIELDS_MAX) {
        return sl_fail(err, SL_EINVAL, input->name, "no such address is expected here");
    }
    for (size_t i = 0; i < input->header_count; i++) {
        params.field_names[i] = input->headers[i].name;
        params.field_values[i] = input->headers[i].value;
    }
    return sl_origin_open(&o->origin, e->origins, &params, input->fault, err);
}

static const char *engine_revision(void *source)
{
    const struct opened *o = source;

    return sl_origin_revision(o->origin);
}

static int engine_fault(void *source)
{
    const struct opened *o = source;

    return o->origin ? sl_origin_fault(o->origin) : 0;
}

/* ---- opening ------------------------------------------------------------------------------- */

static void engine_close(void *source)
{
    struct opened *o = source;

    sl_vod_destroy(&o->vod);
    sl_origin_destroy(&o->origin);
    sl_file_unref(&o->file);
    sl_free(o);
}

static enum sl_status engine_open(const void *opaque, const struct sl_media_input *input,
                                  void **source, const struct sl_cancel *cancel,
                                  struct sl_error *err)
{
    const struct engine *e = opaque;
    struct sl_vod_params params = {
        .where = input->name,
        .open = input->file ? source_open : sl_origin_source,
        .log = e->log,
    };
    struct opened *o = sl_alloc_zero(sizeof *o);
    enum sl_status status = SL_OK;

    *source = NULL;
    if (!o) {
        return sl_fail_memory(err);
    }
    o->file = input->file ? sl_file_ref(input->file) : NULL;
    if (!o->file) {
        status = open_origin(e, input, cancel, o, err);
    }
    params.opaque = o->file ? (void *)o : o->origin;
    if (status == SL_OK) {
        status = sl_vod_open(&o->vod, &params, cancel, err);
        if (engine_fault(o)) {
            *input->fault = engine_fault(o);
            status = status == SL_OK
                         ? sl_fail(err, SL_EIO, input->name, "the origin failed on the way")
                         : status;
        }
    }
    if (status != SL_OK) {
        engine_close(o);
        o = NULL;
    }
    *source = o;
    return status;
}

/* ---- questions ----------------------------------------------------------------------------- */

static const char *engine_settings(void *source)
{
    const struct opened *o = source;

    return sl_vod_settings(o->vod);
}

/* A stream passes through what every browser plays (sl_vod_stream). */
static bool stream_is_costly(const struct sl_vod_info *info)
{
    bool video = false, audio = false, plain_video = false, plain_audio = false;

    for (size_t i = 0; i < info->rendition_count; i++) {
        const struct sl_vod_rendition *r = &info->renditions[i];

        if (r->kind == SL_KIND_VIDEO) {
            video = true;
            plain_video |= r->copy && strncmp(r->codecs, "avc", 3) == 0;
        } else if (r->kind == SL_KIND_AUDIO && r->is_default) {
            audio = true;
            plain_audio |= r->copy && strncmp(r->codecs, "mp4a", 4) == 0;
        }
    }
    return (video && !plain_video) || (audio && !plain_audio);
}

static bool engine_costly(void *source, const struct sl_media_ask *ask)
{
    const struct opened *o = source;
    const struct sl_vod_rendition *r;

    switch (ask->what) {
    case SL_MEDIA_PICTURE:
        return true;
    case SL_MEDIA_STREAM:
        return stream_is_costly(sl_vod_info(o->vod));
    case SL_MEDIA_INIT:
    case SL_MEDIA_SEGMENT:
        r = sl_vod_find(o->vod, ask->rendition);
        /* Sound that is muxed into a transport stream is what other renditions only have. */
        return r && (r->costly || (ask->form == SL_MEDIA_TS && r->kind == SL_KIND_VIDEO &&
                                   stream_is_costly(sl_vod_info(o->vod))));
    default:
        return false;
    }
}

static enum sl_status answer_text(const struct opened *o, const struct sl_media_ask *ask,
                                  struct sl_chain *out, const struct sl_cancel *cancel,
                                  struct sl_error *err)
{
    enum sl_vod_format format = ask->form == SL_MEDIA_TS ? SL_VOD_TS : SL_VOD_FMP4;
    struct sl_writer text;
    enum sl_status status;

    sl_writer_init(&text, TEXT_MAX);
    if (ask->what == SL_MEDIA_MASTER) {
        status = sl_vod_master(o->vod, format, NULL, &text, cancel, err);
    } else {
        status = sl_vod_playlist(o->vod, ask->rendition, format, NULL, &text, cancel, err);
    }
    if (status == SL_OK) {
        status = sl_writer_finish(&text, err);
    }
    if (status == SL_OK) {
        status = sl_chain_add_copy(out, text.data, text.size, err);
    }
    sl_writer_clear(&text);
    return status;
}

static enum sl_status answer_segment(const struct opened *o, const struct sl_media_ask *ask,
                                     struct sl_chain *out, const struct sl_cancel *cancel,
                                     struct sl_error *err)
{
    const struct sl_vod_rendition *r = sl_vod_find(o->vod, ask->rendition);

    if (!r || (r->kind == SL_KIND_SUBTITLE) != (ask->form == SL_MEDIA_VTT)) {
        return sl_fail(err, SL_ENOTFOUND, ask->rendition, "there is no such rendition");
    }
    return sl_vod_segment(o->vod, ask->rendition,
                          ask->form == SL_MEDIA_TS ? SL_VOD_TS : SL_VOD_FMP4, (size_t)ask->number,
                          out, cancel, err);
}

static enum sl_status engine_answer(void *source, const struct sl_media_ask *ask,
                                    struct sl_chain *out, const struct sl_cancel *cancel,
                                    struct sl_error *err)
{
    const struct opened *o = source;

    switch (ask->what) {
    case SL_MEDIA_MASTER:
    case SL_MEDIA_PLAYLIST:
        return answer_text(o, ask, out, cancel, err);
    case SL_MEDIA_INIT:
        return sl_vod_init(o->vod, ask->rendition, out, cancel, err);
    case SL_MEDIA_SEGMENT:
        return answer_segment(o, ask, out, cancel, err);
    case SL_MEDIA_PICTURE:
        return sl_vod_thumbnail(o->vod, ask->time, ask->width, ask->height, SL_VOD_JPEG, out,
                                cancel, err);
    default:
        return sl_fail(err, SL_EINVAL, NULL, "this is no question for a source");
    }
}

/* ---- streams ------------------------------------------------------------------------------- */

static enum sl_status engine_stream_open(void *source, const struct sl_media_ask *ask,
                                         void **stream, struct sl_error *err)
{
    const struct opened *o = source;
    struct sl_remux *remux = NULL;
    enum sl_status status = sl_vod_stream(o->vod, ask->time, &remux, err);

    *stream = remux;
    return status;
}

static enum sl_status engine_stream_next(void *stream, struct sl_chain *out,
                                         const struct sl_cancel *cancel, struct sl_error *err)
{
    (void)cancel; /* engine_stream_cancel is called with it */
    return sl_remux_next(stream, out, err);
}

static void engine_stream_cancel(void *stream)
{
    sl_remux_request_cancel(stream);
}

static void engine_stream_close(void *stream)
{
    struct sl_remux *remux = stream;

    sl_remux_free(&remux);
}

/* ---- descriptions -------------------------------------------------------------------------- */

/* Titles are whatever a file says. */
static void write_json(struct sl_writer *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t follow = *p < 0xc2 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : *p < 0xf5 ? 3 : 0, n = 1;

        while (n <= follow && (p[n] & 0xc0) == 0x80) {
            n++;
        }
        if (*p >= 0x80 && (follow == 0 || n <= follow)) {
            sl_write_u8(out, '?'); /* no UTF-8 */
            p++;
        } else if (*p < 0x20 || *p == 0x7f) {
            sl_write_format(out, "\\u%04x", *p++);
        } else if (*p == '"' || *p == '\\') {
            sl_write_format(out, "\\%c", *p++);
        } else {
            sl_write_bytes(out, p, n);
            p += n;
        }
    }
}

static void describe_rendition(const struct sl_vod_rendition *r, struct sl_writer *out)
{
    static const char *const kinds[] = {
        [SL_KIND_VIDEO] = "video", [SL_KIND_AUDIO] = "audio", [SL_KIND_SUBTITLE] = "text"};

    sl_write_format(
        out, "{\"name\":\"%s\",\"kind\":\"%s\",\"copy\":%s,\"default\":%s,\"codecs\":\"", r->name,
        kinds[r->kind], r->copy ? "true" : "false", r->is_default ? "true" : "false");
    write_json(out, r->codecs);
    sl_write_text(out, "\",\"language\":\"");
    write_json(out, r->language);
    sl_write_text(out, "\",\"title\":\"");
    write_json(out, r->title);
    sl_write_text(out, "\"");
    if (r->kind == SL_KIND_VIDEO) {
        sl_write_format(out, ",\"width\":%" PRId32 ",\"height\":%" PRId32, r->width, r->height);
    } else if (r->kind == SL_KIND_AUDIO) {
        sl_write_format(out, ",\"channels\":%" PRId32, r->channels);
    }
    sl_write_text(out, "}");
}

static enum sl_status engine_describe(void *source, struct sl_writer *out, struct sl_error *err)
{
    const struct opened *o = source;
    const struct sl_vod_info *info = sl_vod_info(o->vod);
    const char *joint = "";

    sl_write_text(out, "\"format\":\"");
    write_json(out, info->format);
    if (info->duration >= 0) {
        sl_write_format(out, "\",\"duration\":%" PRId64 ".%06" PRId64 ",\"renditions\":[",
                        info->duration / 1000000, info->duration % 1000000);
    } else {
        sl_write_text(out, "\",\"duration\":null,\"renditions\":[");
    }
    for (size_t i = 0; i < info->rendition_count; i++) {
        sl_write_text(out, joint);
        joint = ",";
        describe_rendition(&info->renditions[i], out);
    }
    sl_write_text(out, "]");
    return sl_writer_finish(out, err);
}

/* ---- the engine ---------------------------------------------------------------------------- */

static void engine_destroy(const void *opaque)
{
    struct engine *e = (struct engine *)opaque;

    sl_origins_destroy(&e->origins);
    sl_free(e);
}

enum sl_status sl_serve_media_engine(struct sl_media_engine *out,
                                     const struct sl_origins_params *origins,
                                     const struct sl_log *log, struct sl_error *err)
{
    struct engine *e = sl_alloc_zero(sizeof *e);
    enum sl_status status = SL_OK;

    if (!e) {
        return sl_fail_memory(err);
    }
    e->log = log;
    if (origins->memory > 0) {
        status = sl_origins_create(&e->origins, origins, err);
    }
    if (status != SL_OK) {
        engine_destroy(e);
        return status;
    }
    *out = (struct sl_media_engine){
        .opaque = e,
        .destroy = engine_destroy,
        .version = "sluice " SL_VERSION,
        .open = engine_open,
        .close = engine_close,
        .revision = engine_revision,
        .fault = engine_fault,
        .settings = engine_settings,
        .costly = engine_costly,
        .answer = engine_answer,
        .describe = engine_describe,
        .stream_open = engine_stream_open,
        .stream_next = engine_stream_next,
        .stream_cancel = engine_stream_cancel,
        .stream_close = engine_stream_close,
    };
    return SL_OK;
}
