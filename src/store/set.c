/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/set.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

#define FIRST 64

/* A digest is as good as random. Somebody may choose contents so that many begin alike, but not
 * cheaply: 32 equal bits cost four thousand million hashes each. */
static struct sl_cid_entry *slot_of(struct sl_cid_entry *slots, size_t capacity,
                                    const struct sl_cid *cid)
{
    size_t at;

    memcpy(&at, cid->digest, sizeof at);
    for (at &= capacity - 1; slots[at].used && !sl_cid_same(&slots[at].cid, cid);
         at = (at + 1) & (capacity - 1)) {
    }
    return &slots[at];
}

static enum sl_status grow(struct sl_cid_set *s, struct sl_error *err)
{
    size_t capacity = s->capacity ? s->capacity * 2 : FIRST;
    struct sl_cid_entry *slots = sl_alloc_array(capacity, sizeof *slots);

    if (!slots) {
        return sl_fail_memory(err);
    }
    for (size_t i = 0; i < s->capacity; i++) {
        if (s->slots[i].used) {
            *slot_of(slots, capacity, &s->slots[i].cid) = s->slots[i];
        }
    }
    sl_free(s->slots);
    s->slots = slots;
    s->capacity = capacity;
    return SL_OK;
}

enum sl_status sl_cid_set_add(struct sl_cid_set *s, const struct sl_cid *cid,
                              struct sl_cid_entry **out, bool *added, struct sl_error *err)
{
    struct sl_cid_entry *e = sl_cid_set_find(s, cid);

    *added = !e;
    if (!e) {
        if (s->count >= s->max) {
            return sl_fail(err, SL_ENOMEM, NULL, "more than %zu blocks", s->max);
        }
        if (s->count >= s->capacity / 2) {
            enum sl_status status = grow(s, err);

            if (status != SL_OK) {
                return status;
            }
        }
        e = slot_of(s->slots, s->capacity, cid);
        *e = (struct sl_cid_entry){.cid = *cid, .used = true};
        s->count++;
    }
    *out = e;
    return SL_OK;
}

struct sl_cid_entry *sl_cid_set_find(const struct sl_cid_set *s, const struct sl_cid *cid)
{
    struct sl_cid_entry *e = s->capacity ? slot_of(s->slots, s->capacity, cid) : NULL;

    return e && e->used ? e : NULL;
}

void sl_cid_set_clear(struct sl_cid_set *s)
{
    sl_free(s->slots);
    s->slots = NULL;
    s->capacity = s->count = 0;
}
