/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/media_core.h"
#include "serve/metrics.h"

void sl_media_write_metrics(struct sl_media *m, struct sl_writer *out)
{
    const struct sl_media_counts *c = &m->counts;
    const struct {
        const char *name, *help;
        const atomic_ullong *value;
    } counters[] = {
        {"sluice_media_requests_total", "Answers asked of the library.", &c->asked},
        {"sluice_cache_memory_hits_total", "Answers found in memory.", &c->memory_hits},
        {"sluice_cache_disk_hits_total", "Answers found on disk.", &c->disk_hits},
        {"sluice_media_joined_total", "Requests that joined work under way.", &c->joined},
        {"sluice_media_made_total", "Answers that were made.", &c->made},
        {"sluice_media_failed_total", "Answers that could not be made.", &c->failed},
        {"sluice_media_cancelled_total", "Answers that nobody waited for.", &c->cancelled},
        {"sluice_media_ahead_total", "Segments made before they were asked for.", &c->ahead},
        {"sluice_media_refused_total", "Requests refused for want of room.", &c->refused},
        {"sluice_origin_failed_total", "Answers that an origin's failure prevented.",
         &c->origin_failed},
    };
    int64_t bytes = 0, files = 0;
    size_t memory, sources;
    unsigned streams;

    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        sl_metrics_write_one(out, counters[i].name, "counter", counters[i].help,
                             atomic_load(counters[i].value));
    }
    (void)pthread_mutex_lock(&m->lock);
    memory = m->answers.bytes;
    sources = m->sources.count;
    streams = m->streams;
    (void)pthread_mutex_unlock(&m->lock);
    sl_metrics_write_one(out, "sluice_transcodes_running", "gauge", "Answers being coded.",
                         atomic_load(&c->coding));
    sl_metrics_write_one(out, "sluice_jobs_running", "gauge", "Answers being made.",
                         atomic_load(&c->running));
    sl_metrics_write_one(out, "sluice_streams", "gauge", "Continuous streams.", streams);
    sl_metrics_write_one(out, "sluice_sources_open", "gauge", "Sources kept open.", sources);
    sl_metrics_write_one(out, "sluice_cache_memory_bytes", "gauge", "Bytes kept in memory.",
                         memory);
    if (m->disk) {
        sl_cache_disk_sizes(m->disk, &bytes, &files);
        sl_metrics_write_one(out, "sluice_cache_disk_bytes", "gauge", "Bytes kept on disk.",
                             (unsigned long long)bytes);
        sl_metrics_write_one(out, "sluice_cache_disk_files", "gauge", "Files kept on disk.",
                             (unsigned long long)files);
    }
}
