/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/cache_memory.h"

#include <string.h>

#include "base/alloc.h"

struct entry {
    struct sl_lru_node node; /* first */
    struct sl_answer *answer;
    size_t bytes;
    char note[9];
    char key[];
};

enum sl_status sl_cache_memory_init(struct sl_cache_memory *c, size_t limit, struct sl_error *err)
{
    c->bytes = 0;
    c->limit = limit;
    return sl_lru_init(&c->table, 4096, err);
}

static void drop(struct sl_cache_memory *c, struct sl_lru_node *node)
{
    struct entry *e = (struct entry *)node;

    sl_lru_remove(&c->table, node);
    c->bytes -= e->bytes;
    sl_answer_unref(&e->answer);
    sl_free(e);
}

void sl_cache_memory_clear(struct sl_cache_memory *c)
{
    while (c->table.oldest) {
        drop(c, c->table.oldest);
    }
    sl_lru_clear(&c->table);
}

struct sl_answer *sl_cache_memory_get(struct sl_cache_memory *c, const char *key, char note[9])
{
    struct sl_lru_node *node = sl_lru_find(&c->table, key);
    struct entry *e = (struct entry *)node;

    if (!node) {
        return NULL;
    }
    sl_lru_touch(&c->table, node);
    memcpy(note, e->note, sizeof e->note);
    return sl_answer_ref(e->answer);
}

void sl_cache_memory_put(struct sl_cache_memory *c, const char *key, struct sl_answer *answer,
                         const char note[9])
{
    struct sl_lru_node *old = sl_lru_find(&c->table, key);
    size_t length = strlen(key) + 1,
           bytes = sizeof(struct entry) + length + sl_answer_memory(answer);
    struct entry *e;

    if (old) {
        drop(c, old);
    }
    if (bytes > c->limit / 4) { /* it would drive out too much else */
        return;
    }
    e = sl_alloc_zero(sizeof *e + length);
    if (!e) {
        return;
    }
    while (c->bytes + bytes > c->limit) {
        drop(c, c->table.oldest);
    }
    memcpy(e->key, key, length);
    memcpy(e->note, note, sizeof e->note);
    e->node.key = e->key;
    e->answer = sl_answer_ref(answer);
    e->bytes = bytes;
    c->bytes += bytes;
    sl_lru_insert(&c->table, &e->node);
}

void sl_cache_memory_drop_files(struct sl_cache_memory *c, const char *prefix)
{
    size_t length = strlen(prefix);

    for (struct sl_lru_node *node = c->table.oldest, *next; node; node = next) {
        const struct entry *e = (const struct entry *)node;

        next = node->to;
        if (strncmp(e->key, prefix, length) == 0 && sl_answer_has_file(e->answer)) {
            drop(c, node);
        }
    }
}
