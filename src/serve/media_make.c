/* SPDX-License-Identifier: BSD-2-Clause */
/* From a question to the bytes of its answer. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "serve/decorate.h"
#include "serve/gzip.h"
#include "serve/media_core.h"

#define GATHER_MAX   (8 << 20)  /* bytes of one answer whose pieces are made one */
#define GATHER_RANGE 262144     /* … if they are shorter than this on average */
#define GATHER_LEAST 8          /* … and at least so many */
#define PLAYLIST_MAX (32 << 20) /* bytes; a day in segments of two seconds is 2 MB */

/* Gives a playlist's links the version of the source, so that what they lead to may be kept for
 * ever, and its compressed form. */
static enum sl_status finish_playlist(struct sl_flight *f, struct sl_answer *a,
                                      struct sl_error *err)
{
    struct sl_buf *plain = NULL;
    struct sl_writer out;
    char query[40], shown[17];
    enum sl_status status = sl_chain_load(&a->chain, &plain, err);

    if (status != SL_OK) {
        return status;
    }
    sl_media_shown(f->media, f->want, f->version, shown);
    (void)snprintf(query, sizeof query, "v=%s%s", shown, f->settings + 1);
    sl_writer_init(&out, PLAYLIST_MAX);
    sl_decorate_playlist(plain->data, plain->size, query, &out);
    status = sl_writer_finish(&out, err);
    sl_buf_unref(&plain);
    if (status == SL_OK) {
        sl_chain_clear(&a->chain);
        status = sl_chain_add_copy(&a->chain, out.data, out.size, err);
    }
    if (status == SL_OK && out.size >= SL_GZIP_LEAST && out.size <= SL_GZIP_MOST) {
        (void)!sl_gzip_make(&a->gzip, out.data, out.size, NULL); /* else it goes as it is */
    }
    sl_writer_clear(&out);
    return status;
}

/* A block of gathered ranges; its memory counts until it goes. */
struct gathered {
    struct sl_media *media;
    size_t size;
};

static void release_gathered(void *opaque, uint8_t *data)
{
    struct gathered *g = opaque;

    atomic_fetch_sub(&g->media->gathered, (long long)g->size);
    sl_free(g);
    sl_free(data);
}

/* A segment is hundreds of pieces. Ranges of a file are a system call each for every viewer, and
 * packets in memory hold on to larger blocks that they came in. Made one piece, once, it goes out
 * like any other memory. Where that cannot be, it stays as it is. */
static void gather(struct sl_media *m, struct sl_answer *a)
{
    size_t size = (size_t)a->chain.size;
    struct gathered *g = NULL;
    struct sl_buf *buf = NULL;
    uint8_t *data = NULL;

    if (a->chain.count < GATHER_LEAST || size > GATHER_MAX ||
        size / a->chain.count > GATHER_RANGE || atomic_load(&m->gathered) > m->params.memory) {
        return;
    }
    g = sl_alloc(sizeof *g);
    data = sl_alloc(size + SL_BUF_PADDING);
    if (data) {
        memset(data + size, 0, SL_BUF_PADDING);
    }
    if (!g || !data || sl_chain_read(&a->chain, 0, data, size, NULL) != SL_OK ||
        sl_buf_wrap(&buf, data, size, release_gathered, g, NULL) != SL_OK) {
        sl_free(g);
        sl_free(data);
        return;
    }
    *g = (struct gathered){m, size};
    atomic_fetch_add(&m->gathered, (long long)size);
    sl_chain_clear(&a->chain);
    /* Cannot fail: an empty chain has room for one slice. */
    (void)!sl_chain_add_buf(&a->chain, buf, 0, size, NULL);
    sl_buf_unref(&buf);
}

enum sl_status sl_flight_make(struct sl_flight *f, struct sl_answer *a, struct sl_error *err)
{
    const struct sl_media_engine *engine = &f->media->engine;
    const struct sl_media_ask *ask = &f->want->ask;
    enum sl_status status;

    if (f->stream) {
        do { /* a chunk of nothing would be the last one: RFC 9112 7.1 */
            status = engine->stream_next(f->stream->stream, &a->chain, &f->cancel, err);
        } while (status == SL_OK && a->chain.size == 0 && !sl_cancelled(&f->cancel));
        return status == SL_OK && a->chain.size == 0 ? SL_ECANCELLED : status;
    }
    status = engine->answer(f->source->source, ask, &a->chain, &f->cancel, err);
    if (status == SL_OK && (ask->what == SL_MEDIA_MASTER || ask->what == SL_MEDIA_PLAYLIST)) {
        status = finish_playlist(f, a, err);
    }
    if (status == SL_OK && ask->what == SL_MEDIA_SEGMENT) {
        gather(f->media, a);
    }
    /* Nothing was made, though nothing failed: never an empty 200. */
    if (status == SL_OK && a->chain.size == 0) {
        status = sl_fail(err, SL_EIO, NULL, "the answer would be empty");
    }
    return status;
}
