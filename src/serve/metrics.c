/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/metrics.h"

static const int64_t bounds[SL_METRICS_BUCKETS] = {
    500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 1000000, 2500000, 10000000};

static const char *const names[SL_REPLY_CLASSES] = {"other", "file",  "playlist",
                                                    "media", "image", "stream"};

static void add(atomic_ullong *counter, unsigned long long n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static unsigned long long get(const atomic_ullong *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void sl_metrics_count(struct sl_metrics *m, enum sl_reply_class class, int status, int64_t micros)
{
    struct sl_metrics_class *c = &m->classes[class];
    size_t i = 0;

    while (i < SL_METRICS_BUCKETS && micros > bounds[i]) {
        i++;
    }
    add(&c->by_status[status / 100 < 6 ? status / 100 : 0], 1);
    add(&c->buckets[i], 1);
    add(&c->micros, micros > 0 ? (unsigned long long)micros : 0);
}

void sl_metrics_bytes(struct sl_metrics *m, enum sl_reply_class class, int64_t bytes)
{
    add(&m->classes[class].bytes, (unsigned long long)bytes);
}

static void write_head(struct sl_writer *out, const char *name, const char *type, const char *help)
{
    sl_write_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void sl_metrics_write_one(struct sl_writer *out, const char *name, const char *type,
                          const char *help, unsigned long long value)
{
    write_head(out, name, type, help);
    sl_write_format(out, "%s %llu\n", name, value);
}

static void write_histogram(const struct sl_metrics_class *c, const char *class,
                            struct sl_writer *out)
{
    unsigned long long count = 0, micros = get(&c->micros);

    for (size_t i = 0; i < SL_METRICS_BUCKETS; i++) {
        count += get(&c->buckets[i]);
        sl_write_format(
            out, "sluice_first_byte_seconds_bucket{class=\"%s\",le=\"%lld.%06lld\"} %llu\n", class,
            (long long)(bounds[i] / 1000000), (long long)(bounds[i] % 1000000), count);
    }
    count += get(&c->buckets[SL_METRICS_BUCKETS]);
    sl_write_format(out, "sluice_first_byte_seconds_bucket{class=\"%s\",le=\"+Inf\"} %llu\n", class,
                    count);
    sl_write_format(out, "sluice_first_byte_seconds_sum{class=\"%s\"} %llu.%06llu\n", class,
                    micros / 1000000, micros % 1000000);
    sl_write_format(out, "sluice_first_byte_seconds_count{class=\"%s\"} %llu\n", class, count);
}

void sl_metrics_write(const struct sl_metrics *m, unsigned connections, struct sl_writer *out)
{
    write_head(out, "sluice_requests_total", "counter", "Requests answered.");
    for (size_t i = 0; i < SL_REPLY_CLASSES; i++) {
        for (size_t k = 2; k < 6; k++) {
            sl_write_format(out, "sluice_requests_total{class=\"%s\",status=\"%zuxx\"} %llu\n",
                            names[i], k, get(&m->classes[i].by_status[k]));
        }
    }
    write_head(out, "sluice_sent_bytes_total", "counter", "Bytes of bodies handed to the system.");
    for (size_t i = 0; i < SL_REPLY_CLASSES; i++) {
        sl_write_format(out, "sluice_sent_bytes_total{class=\"%s\"} %llu\n", names[i],
                        get(&m->classes[i].bytes));
    }
    write_head(out, "sluice_first_byte_seconds", "histogram",
               "From the end of a request to the beginning of its answer.");
    for (size_t i = 0; i < SL_REPLY_CLASSES; i++) {
        write_histogram(&m->classes[i], names[i], out);
    }
    sl_metrics_write_one(out, "sluice_connections", "gauge", "Open connections.", connections);
    sl_metrics_write_one(out, "sluice_connections_accepted_total", "counter",
                         "Connections accepted.", get(&m->accepted));
    write_head(out, "sluice_refused_total", "counter", "Requests that met a limit.");
    sl_write_format(out, "sluice_refused_total{reason=\"connections\"} %llu\n",
                    get(&m->refused_busy));
    sl_write_format(out, "sluice_refused_total{reason=\"rate\"} %llu\n", get(&m->refused_rate));
    sl_write_format(out, "sluice_refused_total{reason=\"signature\"} %llu\n",
                    get(&m->refused_signature));
}
