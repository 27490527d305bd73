/* SPDX-License-Identifier: BSD-2-Clause */
/* The playlists of a run as they are stored: each names what it lists by content. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "pipeline/live_run.h"

/* Away from our server a gateway's URL is put in front; with it, the path that every gateway of
 * IPFS knows, and a name from which it tells the media type. */
static void write_cid(const struct sl_live *l, const struct sl_cid *cid, const char *relative,
                      struct sl_writer *out)
{
    char text[SL_CID_TEXT_SIZE];
    const char *name = strrchr(relative, '/');
    (void)sl_cid_text(cid, text);
    if (l->gateway[0]) {
        sl_write_format(out, "%s/%s", l->gateway, text);
    } else {
        sl_write_format(out, "/ipfs/%s?filename=%s", text, name ? name + 1 : relative);
    }
}

/* "init.mp4", "init-3.mp4" or "000/000012.m4s", as sl_playlist makes them. */
static void write_file(void *opaque, const char *relative, struct sl_writer *out)
{
    const struct sl_live_rendition *r = opaque;
    const char *slash = strchr(relative, '/');
    const struct sl_live_file *file;
    if (slash) {
        file = &r->segments[strtoul(slash + 1, NULL, 10)];
    } else {
        file = &r->inits[strncmp(relative, "init-", 5) ? 0 : strtoul(relative + 5, NULL, 10)];
    }
    write_cid(r->live, &file->cid, relative, out);
}

enum sl_status sl_live_playlist_text(struct sl_live_rendition *r, struct sl_writer *out,
                                     struct sl_error *err)
{
    enum sl_status status;
    r->playlist.link = (struct sl_link){.write = write_file, .opaque = r};
    status = sl_playlist_render(&r->playlist, out, err);
    r->playlist.link = (struct sl_link){.write = NULL};
    return status;
}

/* ---- the multivariant playlist -----------------------------------------------------------------
 */

static void write_playlist(void *opaque, const char *relative, struct sl_writer *out)
{
    const struct sl_live *l = opaque;
    for (size_t i = 0; i < l->count; i++) {
        const struct sl_live_rendition *r = &l->renditions[i];
        size_t length = strlen(r->info.name);
        if (!strncmp(relative, r->info.name, length) && relative[length] == '/') {
            write_cid(l, &r->playlist_cid, relative, out);
            return;
        }
    }
}

struct master {
    struct sl_variant variants[SL_LIVE_RENDITIONS];
    char uri[SL_LIVE_RENDITIONS][SL_REGISTRY_NAME_MAX + 16];
    char codecs[SL_LIVE_RENDITIONS][2 * SL_REGISTRY_CODECS_MAX];
    struct sl_rendition_entry sound;
    bool has_sound;
};

static void describe(const struct sl_live *l, struct master *m, struct sl_master *out)
{
    const struct sl_registry_rendition *sound = NULL;
    for (size_t i = 0; i < l->count; i++) {
        const struct sl_registry_rendition *info = &l->renditions[i].info;
        (void)snprintf(m->uri[i], sizeof m->uri[i], "%s/" SL_OUTPUT_PLAYLIST, info->name);
        if (!strcmp(info->kind, "audio")) {
            sound = info;
            m->sound = (struct sl_rendition_entry){
                .group = "audio",
                .name = info->language[0] ? info->language : "audio",
                .language = info->language,
                .uri = m->uri[i],
                .channels = info->channels,
                .is_default = true,
            };
        }
    }
    for (size_t i = 0; i < l->count; i++) {
        const struct sl_registry_rendition *info = &l->renditions[i].info;
        struct sl_variant *v = &m->variants[out->variant_count];
        if (info == sound) {
            continue;
        }
        (void)snprintf(m->codecs[i], sizeof m->codecs[i], "%s%s%s", info->codecs, sound ? "," : "",
                       sound ? sound->codecs : "");
        *v = (struct sl_variant){
            .uri = m->uri[i],
            .name = info->name,
            .codecs = m->codecs[i],
            .bandwidth = info->bitrate + (sound ? sound->bitrate : 0),
            .average_bandwidth = info->average_bitrate + (sound ? sound->average_bitrate : 0),
            .width = info->width,
            .height = info->height,
            .frame_rate = info->frame_rate,
            .audio_group = sound ? "audio" : NULL,
        };
        out->variant_count++;
    }
    out->variants = m->variants;
    out->entries = &m->sound;
    out->entry_count = sound ? 1 : 0;
}

enum sl_status sl_live_master_text(struct sl_live *l, bool relative, struct sl_writer *out,
                                   struct sl_error *err)
{
    struct sl_master text = {.version = l->renditions[0].playlist.init_uri ? 7 : 3,
                             .independent = true};
    struct master *m = sl_alloc_zero(sizeof *m);
    enum sl_status status;
    if (!m) {
        return sl_fail_memory(err);
    }
    describe(l, m, &text);
    if (!relative) {
        text.link = (struct sl_link){.write = write_playlist, .opaque = l};
    }
    status = sl_master_write(&text, out, err);
    sl_free(m);
    return status;
}
