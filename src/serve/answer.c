/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/answer.h"

#include "base/alloc.h"
#include "base/error.h"

enum sl_status sl_answer_create(struct sl_answer **out, struct sl_error *err)
{
    struct sl_answer *a = sl_alloc_zero(sizeof *a);

    *out = a;
    if (!a) {
        return sl_fail_memory(err);
    }
    atomic_init(&a->refs, 1);
    sl_chain_init(&a->chain);
    return SL_OK;
}

struct sl_answer *sl_answer_ref(struct sl_answer *a)
{
    atomic_fetch_add_explicit(&a->refs, 1, memory_order_relaxed);
    return a;
}

void sl_answer_unref(struct sl_answer **out)
{
    struct sl_answer *a = *out;

    *out = NULL;
    if (a && atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) == 1) {
        sl_chain_clear(&a->chain);
        sl_buf_unref(&a->gzip);
        sl_free(a);
    }
}

enum sl_status sl_answer_file(struct sl_answer **out, int fd, const char *name,
                              struct sl_error *err)
{
    struct sl_file *file = NULL;
    enum sl_status status = sl_file_wrap(&file, fd, name, err);

    *out = NULL;
    if (status == SL_OK) {
        status = sl_answer_create(out, err);
    }
    if (status == SL_OK && file->size > 0) {
        status = sl_chain_add_file(&(*out)->chain, file, 0, (size_t)file->size, err);
    }
    if (status != SL_OK) {
        sl_answer_unref(out);
    }
    sl_file_unref(&file);
    return status;
}

size_t sl_answer_memory(const struct sl_answer *a)
{
    size_t size = sizeof *a + a->chain.capacity * sizeof(struct sl_slice);

    for (size_t i = 0; i < a->chain.count; i++) {
        size += a->chain.slices[i].buf ? a->chain.slices[i].size : 0;
    }
    return size + (a->gzip ? a->gzip->size : 0);
}

bool sl_answer_has_file(const struct sl_answer *a)
{
    for (size_t i = 0; i < a->chain.count; i++) {
        if (a->chain.slices[i].file) {
            return true;
        }
    }
    return false;
}
