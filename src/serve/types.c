/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/types.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Playlists: RFC 8216bis 4, DASH: ISO/IEC 23009-1 annex C, video/iso.segment: ISO/IEC 23009-1 and
 * the IANA registry, Matroska: RFC 9559 27.3. */
static const struct sl_media_type types[] = {
    {"aac", "audio/aac", SL_CLASS_MEDIA},
    {"avif", "image/avif", SL_CLASS_OTHER},
    {"css", "text/css; charset=utf-8", SL_CLASS_OTHER},
    {"flac", "audio/flac", SL_CLASS_MEDIA},
    {"gif", "image/gif", SL_CLASS_OTHER},
    {"htm", "text/html; charset=utf-8", SL_CLASS_OTHER},
    {"html", "text/html; charset=utf-8", SL_CLASS_OTHER},
    {"jpeg", "image/jpeg", SL_CLASS_OTHER},
    {"jpg", "image/jpeg", SL_CLASS_OTHER},
    {"js", "text/javascript; charset=utf-8", SL_CLASS_OTHER},
    {"json", "application/json", SL_CLASS_OTHER},
    {"jsonl", "application/jsonl", SL_CLASS_OTHER},
    {"m3u8", "application/vnd.apple.mpegurl", SL_CLASS_PLAYLIST},
    {"m4a", "audio/mp4", SL_CLASS_MEDIA},
    {"m4s", "video/iso.segment", SL_CLASS_MEDIA},
    {"m4v", "video/mp4", SL_CLASS_MEDIA},
    {"mjs", "text/javascript; charset=utf-8", SL_CLASS_OTHER},
    {"mka", "audio/matroska", SL_CLASS_MEDIA},
    {"mkv", "video/matroska", SL_CLASS_MEDIA},
    {"mov", "video/quicktime", SL_CLASS_MEDIA},
    {"mp3", "audio/mpeg", SL_CLASS_MEDIA},
    {"mp4", "video/mp4", SL_CLASS_MEDIA},
    {"mpd", "application/dash+xml", SL_CLASS_PLAYLIST},
    {"ogg", "audio/ogg", SL_CLASS_MEDIA},
    {"opus", "audio/ogg", SL_CLASS_MEDIA},
    {"png", "image/png", SL_CLASS_OTHER},
    {"srt", "application/x-subrip", SL_CLASS_OTHER},
    {"svg", "image/svg+xml", SL_CLASS_OTHER},
    {"ts", "video/mp2t", SL_CLASS_MEDIA},
    {"txt", "text/plain; charset=utf-8", SL_CLASS_OTHER},
    {"vtt", "text/vtt; charset=utf-8", SL_CLASS_OTHER},
    {"wasm", "application/wasm", SL_CLASS_OTHER},
    {"wav", "audio/wav", SL_CLASS_MEDIA},
    {"webm", "video/webm", SL_CLASS_MEDIA},
    {"webp", "image/webp", SL_CLASS_OTHER},
    {"woff2", "font/woff2", SL_CLASS_OTHER},
    {"xml", "application/xml", SL_CLASS_OTHER},
};

static const struct sl_media_type unknown = {"", "application/octet-stream", SL_CLASS_OTHER};

const struct sl_media_type *sl_media_type_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && dot != name && i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(dot + 1, types[i].extension) == 0) {
            return &types[i];
        }
    }
    return &unknown;
}
