/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/sha256.h"
#include "serve/decorate.h"
#include "serve/gzip.h"
#include "serve/media_route.h"
#include "serve/types.h"

#define PLAYLIST_MAX (64 << 20) /* with signatures */

/* A playlist says which version of the source it is of, and what that leads to never changes. */
#define CACHE_PINNED   "public, max-age=31536000, immutable"
#define CACHE_PLAYLIST "max-age=5"

static void describe(const struct sl_media_want *want, const struct sl_waiter *w,
                     struct sl_reply *reply)
{
    static const struct {
        const char *type;
        enum sl_reply_class class;
    } kinds[] = {
        [SL_MEDIA_MASTER] = {"application/vnd.apple.mpegurl", SL_REPLY_PLAYLIST},
        [SL_MEDIA_PLAYLIST] = {"application/vnd.apple.mpegurl", SL_REPLY_PLAYLIST},
        [SL_MEDIA_INIT] = {"video/mp4", SL_REPLY_MEDIA},
        [SL_MEDIA_SEGMENT] = {"video/iso.segment", SL_REPLY_MEDIA},
        [SL_MEDIA_PICTURE] = {"image/jpeg", SL_REPLY_IMAGE},
        [SL_MEDIA_STREAM] = {"video/mp4", SL_REPLY_STREAM},
        [SL_MEDIA_LIST] = {"application/json", SL_REPLY_OTHER},
    };
    const struct sl_media_ask *a = &want->ask;
    uint8_t digest[SL_SHA256_SIZE];
    char text[256];
    int n;

    reply->type = kinds[a->what].type;
    reply->class = kinds[a->what].class;
    if (a->what == SL_MEDIA_SEGMENT && a->form != SL_MEDIA_FMP4) {
        reply->type = a->form == SL_MEDIA_TS ? "video/mp2t" : "text/vtt; charset=utf-8";
    }
    if (a->what == SL_MEDIA_LIST || a->what == SL_MEDIA_STREAM) {
        reply->cache = a->what == SL_MEDIA_LIST ? "no-cache" : "no-store";
        return;
    }
    reply->cache = reply->class == SL_REPLY_PLAYLIST ? CACHE_PLAYLIST
                   : want->pinned                    ? CACHE_PINNED
                                                     : "no-cache";
    n = snprintf(text, sizeof text, "%s/%s/%d/%d/%s/%" PRIu64 "/%" PRId64 "/%" PRId32 "x%" PRId32,
                 w->version[0] ? w->version : want->id, w->settings, (int)a->what, (int)a->form,
                 a->rendition, a->number, a->time.num, a->width, a->height);
    sl_sha256(text, (size_t)n, digest);
    reply->validators.etag[0] = '"';
    sl_sha256_hex(digest, 8, reply->validators.etag + 1);
    (void)snprintf(reply->validators.etag + 17, 2, "\"");
}

/* The playlist with a query for all of its links. */
static bool carry_on(struct sl_reply *reply, struct sl_answer *answer, const char *carry)
{
    uint8_t digest[SL_SHA256_SIZE];
    struct sl_buf *plain = NULL;
    struct sl_writer out;
    char mark[9];

    if (sl_chain_load(&answer->chain, &plain, NULL) != SL_OK) {
        return false;
    }
    sl_writer_init(&out, PLAYLIST_MAX);
    sl_decorate_playlist(plain->data, plain->size, carry, &out);
    sl_buf_unref(&plain);
    if (out.status != SL_OK || out.size == 0) {
        sl_writer_clear(&out);
        return false;
    }
    reply->owned = out.data;
    reply->size = (int64_t)out.size;
    sl_sha256(carry, strlen(carry), digest);
    sl_sha256_hex(digest, 4, mark);
    sl_reply_mark(reply, mark);
    return true;
}

static void choose_body(const struct sl_media_want *want, struct sl_waiter *w,
                        const struct sl_request *r, const char *carry, struct sl_reply *reply)
{
    struct sl_answer *packed = NULL;
    bool text = want->ask.what == SL_MEDIA_MASTER || want->ask.what == SL_MEDIA_PLAYLIST;

    reply->ranges = want->ask.what != SL_MEDIA_LIST;
    reply->varies = text || want->ask.what == SL_MEDIA_LIST;
    if (text && carry[0]) {
        if (carry_on(reply, w->answer, carry)) {
            sl_reply_compress(reply, r);
        } else {
            sl_reply_fail(reply, r, 503, NULL);
        }
        return;
    }
    if (w->answer->gzip && sl_gzip_accepted(r) && !sl_request_field(r, SL_FIELD_RANGE).data &&
        sl_answer_create(&packed, NULL) == SL_OK) {
        if (sl_chain_add_buf(&packed->chain, w->answer->gzip, 0, w->answer->gzip->size, NULL) ==
            SL_OK) {
            reply->answer = packed;
            reply->size = packed->chain.size;
            reply->gzip = true;
            reply->ranges = false;
            sl_reply_mark(reply, "gzip");
            return;
        }
        sl_answer_unref(&packed);
    }
    reply->answer = w->answer;
    reply->size = w->answer->chain.size;
    w->answer = NULL;
}

void sl_media_reply(const struct sl_media_want *want, struct sl_waiter *w,
                    const struct sl_request *r, const char *carry, int64_t now,
                    struct sl_reply *reply)
{
    describe(want, w, reply);
    if (w->status != 200) {
        sl_reply_fail(reply, r, w->status, w->detail[0] ? w->detail : NULL);
        return;
    }
    if (!w->answer || want->ask.what == SL_MEDIA_STREAM) {
        /* A stream, or a HEAD for what would have to be coded first. */
        reply->status = 200;
        reply->size = reply->count = -1;
        reply->no_body = r->method == SL_METHOD_HEAD;
        reply->chunked = want->ask.what == SL_MEDIA_STREAM;
        reply->answer = w->answer;
        w->answer = NULL;
        return;
    }
    choose_body(want, w, r, carry, reply);
    if (reply->status == 0) {
        sl_reply_select(reply, r, now);
    }
}
