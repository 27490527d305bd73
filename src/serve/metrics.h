/* SPDX-License-Identifier: BSD-2-Clause */
/* What the server counts, and its text for Prometheus (exposition format 0.0.4). */
#ifndef SL_SERVE_METRICS_H
#define SL_SERVE_METRICS_H

#include <stdatomic.h>

#include "base/bytes.h"

/* What an answer was about. */
enum sl_reply_class {
    SL_REPLY_OTHER, /* the page, errors, lists */
    SL_REPLY_FILE,
    SL_REPLY_PLAYLIST,
    SL_REPLY_MEDIA, /* init and media segments */
    SL_REPLY_IMAGE,
    SL_REPLY_STREAM,
    SL_REPLY_CLASSES
};

#define SL_METRICS_BUCKETS 12

struct sl_metrics_class {
    atomic_ullong by_status[6]; /* 0: aborted before there was one, 1xx to 5xx */
    atomic_ullong bytes;        /* of bodies */
    atomic_ullong buckets[SL_METRICS_BUCKETS + 1], micros;
};

struct sl_metrics {
    struct sl_metrics_class classes[SL_REPLY_CLASSES];
    atomic_ullong accepted, refused_busy, refused_rate, refused_signature;
};

/* One answer: micros from the end of the request's head to the first byte being handed on. */
void sl_metrics_count(struct sl_metrics *m, enum sl_reply_class class, int status, int64_t micros);
void sl_metrics_bytes(struct sl_metrics *m, enum sl_reply_class class, int64_t bytes);
void sl_metrics_write(const struct sl_metrics *m, unsigned connections, struct sl_writer *out);
/* "# HELP", "# TYPE" and the name with one value, for counters that live elsewhere. */
void sl_metrics_write_one(struct sl_writer *out, const char *name, const char *type,
                          const char *help, unsigned long long value);

#endif
