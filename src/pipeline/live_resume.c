/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a later life of a run goes on in its source: {"v": 1, "zero": ticks, "cuts": [[pts, source,
 * low, high], …], "sound": [[pts, index, rate], …], "node": the one that gets a copy}, kept in the
 * registry with what was announced.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/rational.h"
#include "pipeline/live_run.h"

#define VERSION  1
#define TEXT_MAX 65536

void sl_live_note_cut(struct sl_live *l, int64_t zero, const struct sl_live_cut *cut)
{
    pthread_mutex_lock(&l->small);
    l->zero = zero;
    l->cuts[l->cut_count++ % SL_LIVE_CUTS] = *cut;
    pthread_mutex_unlock(&l->small);
}

bool sl_live_find_cut(struct sl_live *l, int64_t pts, int64_t *zero, struct sl_live_cut *out)
{
    size_t first, i;
    bool found = false;
    pthread_mutex_lock(&l->small);
    first = l->cut_count > SL_LIVE_CUTS ? l->cut_count - SL_LIVE_CUTS : 0;
    for (i = first; i < l->cut_count; i++) {
        const struct sl_live_cut *c = &l->cuts[i % SL_LIVE_CUTS];
        if (c->pts <= pts && (!found || c->pts > out->pts)) {
            *out = *c;
            found = true;
        }
    }
    *zero = l->zero;
    pthread_mutex_unlock(&l->small);
    return found;
}

void sl_live_note_sound(struct sl_live *l, const struct sl_sound_anchor *mark)
{
    pthread_mutex_lock(&l->small);
    l->marks[l->mark_count++ % SL_LIVE_MARKS] = *mark;
    pthread_mutex_unlock(&l->small);
}

struct sl_sound_anchor sl_live_find_sound(struct sl_live *l, int64_t index, int64_t rate)
{
    struct sl_sound_anchor found = {0};
    pthread_mutex_lock(&l->small);
    for (size_t i = l->mark_count; i > 0 && l->mark_count - i < SL_LIVE_MARKS; i--) {
        const struct sl_sound_anchor *m = &l->marks[(i - 1) % SL_LIVE_MARKS];
        if (sl_muldiv(m->index, rate, m->rate, SL_ROUND_UP) <= index) {
            found = *m;
            break;
        }
    }
    pthread_mutex_unlock(&l->small);
    return found;
}

char *sl_live_resume_text(struct sl_live *l)
{
    struct sl_writer w;
    char *text = NULL;
    size_t first;
    sl_writer_init(&w, TEXT_MAX);
    pthread_mutex_lock(&l->small);
    sl_write_format(&w, "{\"v\":%d", VERSION);
    first = l->cut_count > SL_LIVE_CUTS ? l->cut_count - SL_LIVE_CUTS : 0;
    if (l->zero != SL_NO_TIME) {
        sl_write_format(&w, ",\"zero\":%" PRId64 ",\"cuts\":[", l->zero);
        for (size_t i = first; i < l->cut_count; i++) {
            const struct sl_live_cut *c = &l->cuts[i % SL_LIVE_CUTS];
            sl_write_format(&w, "%s[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]",
                            i > first ? "," : "", c->pts, c->source, c->grid_low, c->grid_high);
        }
        sl_write_text(&w, "]");
    }
    first = l->mark_count > SL_LIVE_MARKS ? l->mark_count - SL_LIVE_MARKS : 0;
    for (size_t i = first; i < l->mark_count; i++) {
        const struct sl_sound_anchor *m = &l->marks[i % SL_LIVE_MARKS];
        sl_write_format(&w, "%s[%" PRId64 ",%" PRId64 ",%" PRId32 "]",
                        i > first ? "," : ",\"sound\":[", m->pts, m->index, m->rate);
    }
    sl_write_text(&w, l->mark_count ? "]" : "");
    if (l->node[0]) { /* an address: nothing in it needs an escape */
        sl_write_format(&w, ",\"node\":\"%s\"", l->node);
    }
    sl_write_text(&w, "}");
    pthread_mutex_unlock(&l->small);
    if (sl_writer_finish(&w, NULL) == SL_OK) {
        text = sl_format("%.*s", (int)w.size, (const char *)w.data);
    }
    sl_writer_clear(&w);
    return text;
}

static bool take_numbers(json_t *entry, int64_t *const *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_t *n = json_array_get(entry, i);
        if (!json_is_integer(n)) {
            return false;
        }
        *fields[i] = json_integer_value(n);
    }
    return true;
}

static bool take_cut(struct sl_live *l, json_t *entry)
{
    struct sl_live_cut *c = &l->cuts[l->cut_count++];
    return take_numbers(entry, (int64_t *const[]){&c->pts, &c->source, &c->grid_low, &c->grid_high},
                        4);
}

static bool take_mark(struct sl_live *l, json_t *entry)
{
    struct sl_sound_anchor *m = &l->marks[l->mark_count++];
    int64_t rate = 0;
    bool good = take_numbers(entry, (int64_t *const[]){&m->pts, &m->index, &rate}, 3) && rate > 0 &&
                rate <= INT32_MAX;
    m->rate = good ? (int32_t)rate : 1;
    return good;
}

enum sl_status sl_live_resume_read(struct sl_live *l, const char *json, struct sl_error *err)
{
    json_error_t where;
    json_t *root = json_loads(json, 0, &where);
    json_t *version = json_object_get(root, "v"), *cuts = json_object_get(root, "cuts");
    json_t *zero = json_object_get(root, "zero"), *sound = json_object_get(root, "sound");
    const char *node = json_string_value(json_object_get(root, "node"));
    bool good = json_is_integer(version) && json_integer_value(version) == VERSION;
    if (good && node && strlen(node) < sizeof l->node_before) {
        memcpy(l->node_before, node, strlen(node) + 1);
    }
    if (good && json_is_integer(zero)) {
        l->zero = json_integer_value(zero);
    }
    for (size_t i = 0; good && i < json_array_size(cuts) && i < SL_LIVE_CUTS; i++) {
        good = take_cut(l, json_array_get(cuts, i));
    }
    for (size_t i = 0; good && i < json_array_size(sound) && i < SL_LIVE_MARKS; i++) {
        good = take_mark(l, json_array_get(sound, i));
    }
    json_decref(root);
    return good ? SL_OK
                : sl_fail(err, SL_EDATA, l->run,
                          "the registry's note on where to go on is not one "
                          "that this version understands");
}
