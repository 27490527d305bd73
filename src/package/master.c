/* SPDX-License-Identifier: BSD-2-Clause */
/* Multivariant playlists: RFC 8216bis 4.4.6. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/rational.h"
#include "mux/language.h"
#include "package/playlist.h"
#include "package/text.h"

static enum sl_status check_text(const char *text, const char *what, size_t index,
                                 struct sl_error *err)
{
    if (text && sl_text_quotable(text)) {
        return SL_OK;
    }
    return sl_fail(err, SL_EINVAL, "master playlist",
                   "%s of entry %zu is missing, or has a quote or a line end", what, index);
}

static enum sl_status check_entry(const struct sl_rendition_entry *audio, size_t index,
                                  struct sl_error *err)
{
    const struct sl_rendition_entry *a = &audio[index];
    enum sl_status status = check_text(a->group, "GROUP-ID", index, err);
    if (!status) {
        status = check_text(a->uri, "URI", index, err);
    }
    if (!status && (!a->name || !*a->name)) {
        status = sl_fail(err, SL_EINVAL, "master playlist", "entry %zu has no name", index);
    }
    /* 4.4.6.1.1: names differ within a group, and at most one is the default */
    for (size_t i = 0; i < index && !status; i++) {
        if (strcmp(audio[i].group, a->group) != 0 || audio[i].is_text != a->is_text) {
            continue;
        }
        if (!strcmp(audio[i].name, a->name) || (audio[i].is_default && a->is_default)) {
            status =
                sl_fail(err, SL_EINVAL, "master playlist",
                        "entries %zu and %zu have the same name or are both default", i, index);
        }
    }
    return status;
}

static enum sl_status check_variant(const struct sl_variant *v, size_t index,
                                    const struct sl_rendition_entry *audio, size_t audio_count,
                                    struct sl_error *err)
{
    if (!v->uri || !sl_text_uri(v->uri)) {
        return sl_fail(err, SL_EINVAL, "master playlist", "variant %zu has no usable URI", index);
    }
    if (v->codecs && !sl_text_quotable(v->codecs)) {
        return check_text(NULL, "CODECS", index, err);
    }
    if (v->bandwidth <= 0 || v->average_bandwidth < 0) {
        return sl_fail(err, SL_EINVAL, "master playlist",
                       "variant %zu: BANDWIDTH %" PRId64 " and %" PRId64
                       ", expected measured rates",
                       index, v->bandwidth, v->average_bandwidth);
    }
    bool sound = !v->audio_group, text = !v->text_group;
    for (size_t i = 0; i < audio_count; i++) {
        sound = sound || (!audio[i].is_text && !strcmp(audio[i].group, v->audio_group));
        text = text || (audio[i].is_text && !strcmp(audio[i].group, v->text_group));
    }
    return sound && text ? SL_OK
                         : sl_fail(err, SL_EINVAL, "master playlist",
                                   "variant %zu names %s group that no entry has", index,
                                   sound ? "a subtitle" : "an audio");
}

static void write_uri(const struct sl_master *m, const char *uri, struct sl_writer *w)
{
    if (m->link.write) {
        m->link.write(m->link.opaque, uri, w);
    } else {
        sl_write_text(w, uri);
    }
}

static void write_entry(const struct sl_master *m, const struct sl_rendition_entry *a,
                        struct sl_writer *w)
{
    char language[16] = "";
    sl_write_format(w, "#EXT-X-MEDIA:TYPE=%s,GROUP-ID=\"%s\",NAME=\"",
                    a->is_text ? "SUBTITLES" : "AUDIO", a->group);
    sl_text_write_name(w, a->name);
    sl_write_u8(w, '"');
    if (a->language) {
        sl_language_bcp47(a->language, language);
    }
    if (language[0]) {
        sl_write_format(w, ",LANGUAGE=\"%s\"", language);
    }
    sl_write_format(w, ",DEFAULT=%s,AUTOSELECT=YES", a->is_default ? "YES" : "NO");
    if (a->channels > 0) {
        sl_write_format(w, ",CHANNELS=\"%" PRId32 "\"", a->channels);
    }
    if (a->is_text && a->is_forced) {
        sl_write_text(w, ",FORCED=YES");
    }
    sl_write_text(w, ",URI=\"");
    write_uri(m, a->uri, w);
    sl_write_text(w, "\"\n");
}

/* 4.4.6.2: STABLE-VARIANT-ID is of this alphabet. */
static bool is_stable_id(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "+/=.-_";
    return *text && strspn(text, allowed) == strlen(text);
}

static void write_variant(const struct sl_master *m, const struct sl_variant *v,
                          struct sl_writer *w)
{
    sl_write_format(w, "#EXT-X-STREAM-INF:BANDWIDTH=%" PRId64, v->bandwidth);
    if (v->average_bandwidth > 0) {
        sl_write_format(w, ",AVERAGE-BANDWIDTH=%" PRId64, v->average_bandwidth);
    }
    if (v->codecs) {
        sl_write_format(w, ",CODECS=\"%s\"", v->codecs);
    }
    if (v->width > 0 && v->height > 0) {
        sl_write_format(w, ",RESOLUTION=%" PRId32 "x%" PRId32, v->width, v->height);
    }
    if (sl_rational_valid(v->frame_rate)) {
        int64_t milli = sl_muldiv(v->frame_rate.num, 1000, v->frame_rate.den, SL_ROUND_NEAREST);
        sl_write_format(w, ",FRAME-RATE=%" PRId64 ".%03" PRId64, milli / 1000, milli % 1000);
    }
    if (v->audio_group) {
        sl_write_format(w, ",AUDIO=\"%s\"", v->audio_group);
    }
    if (v->text_group) {
        sl_write_format(w, ",SUBTITLES=\"%s\"", v->text_group);
    }
    if (v->name && is_stable_id(v->name)) {
        sl_write_format(w, ",STABLE-VARIANT-ID=\"%s\"", v->name);
    }
    sl_write_u8(w, '\n');
    write_uri(m, v->uri, w);
    sl_write_u8(w, '\n');
}

enum sl_status sl_master_write(const struct sl_master *m, struct sl_writer *out,
                               struct sl_error *err)
{
    enum sl_status status = SL_OK;
    if (!m->variant_count) {
        return sl_fail(err, SL_EINVAL, "master playlist", "no variants");
    }
    for (size_t i = 0; i < m->entry_count && !status; i++) {
        status = check_entry(m->entries, i, err);
    }
    for (size_t i = 0; i < m->variant_count && !status; i++) {
        status = check_variant(&m->variants[i], i, m->entries, m->entry_count, err);
    }
    if (status) {
        return status;
    }
    sl_write_format(out, "#EXTM3U\n#EXT-X-VERSION:%d\n", m->version);
    if (m->independent) {
        sl_write_text(out, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    }
    for (size_t i = 0; i < m->entry_count; i++) {
        write_entry(m, &m->entries[i], out);
    }
    for (size_t i = 0; i < m->variant_count; i++) {
        write_variant(m, &m->variants[i], out);
    }
    return sl_writer_finish(out, err);
}

enum sl_status sl_master_render(const struct sl_variant *variants, size_t count,
                                const struct sl_rendition_entry *audio, size_t audio_count,
                                struct sl_writer *out, struct sl_error *err)
{
    /* The version of the media playlists of fMP4; nothing here asks for more. */
    struct sl_master m = {.variants = variants,
                          .variant_count = count,
                          .entries = audio,
                          .entry_count = audio_count,
                          .version = 7,
                          .independent = true};
    return sl_master_write(&m, out, err);
}
