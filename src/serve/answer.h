/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of an answer, shared by whoever sends them and by the cache. Not changed once two know
 * of it. */
#ifndef SL_SERVE_ANSWER_H
#define SL_SERVE_ANSWER_H

#include "base/slice.h"

struct sl_answer {
    atomic_uint refs;
    struct sl_chain chain;
    struct sl_buf *gzip; /* the same, compressed; NULL: not worth it */
};

SL_NODISCARD enum sl_status sl_answer_create(struct sl_answer **out, struct sl_error *err);
struct sl_answer *sl_answer_ref(struct sl_answer *a);
void sl_answer_unref(struct sl_answer **out); /* NULL and *NULL are fine; zeroes the pointer */
/* An open file as an answer: takes fd, whatever it returns. */
SL_NODISCARD enum sl_status sl_answer_file(struct sl_answer **out, int fd, const char *name,
                                           struct sl_error *err);
/* Memory that it keeps, and whether a range of a file is part of it. */
size_t sl_answer_memory(const struct sl_answer *a);
bool sl_answer_has_file(const struct sl_answer *a);

#endif
