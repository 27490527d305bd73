/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/alloc.h"
#include "serve/media.h"

void sl_media_want_destroy(struct sl_media_want **out)
{
    struct sl_media_want *w = *out;

    *out = NULL;
    if (!w) {
        return;
    }
    sl_free(w->name);
    sl_free(w->url);
    sl_free(w->search);
    for (size_t i = 0; i < w->header_count; i++) {
        sl_free(w->headers[i].name);
        sl_free(w->headers[i].value);
    }
    sl_free(w->headers);
    sl_file_unref(&w->file);
    sl_free(w);
}

static bool copy_text(char **to, const char *from)
{
    *to = from ? sl_strdup(from) : NULL;
    return !from || *to;
}

struct sl_media_want *sl_media_want_copy(const struct sl_media_want *want)
{
    struct sl_media_want *w = sl_alloc_zero(sizeof *w);
    bool ok;

    if (!w) {
        return NULL;
    }
    *w = *want;
    w->file = want->file ? sl_file_ref(want->file) : NULL;
    w->headers = NULL;
    w->header_count = 0;
    w->name = w->url = w->search = NULL;
    ok = copy_text(&w->name, want->name) && copy_text(&w->url, want->url) &&
         copy_text(&w->search, want->search);
    if (ok && want->header_count > 0) {
        w->headers = sl_alloc_array(want->header_count, sizeof *w->headers);
        ok = w->headers != NULL;
    }
    for (size_t i = 0; ok && i < want->header_count; i++) {
        w->header_count = i + 1;
        ok = copy_text(&w->headers[i].name, want->headers[i].name) &&
             copy_text(&w->headers[i].value, want->headers[i].value);
    }
    if (!ok) {
        sl_media_want_destroy(&w);
    }
    return w;
}
