/* SPDX-License-Identifier: BSD-2-Clause */
#include "media/packet.h"

#include "base/alloc.h"
#include "base/error.h"

enum sl_status sl_packet_create(struct sl_packet **out, struct sl_error *err)
{
    *out = NULL;
    struct sl_packet *p = sl_alloc_zero(sizeof *p);
    if (!p) {
        return sl_fail_memory(err);
    }
    atomic_init(&p->refs, 1);
    p->pts = SL_NO_TIME;
    p->dts = SL_NO_TIME;
    p->duration = SL_NO_TIME;
    p->position = -1;
    p->qp = -1;
    sl_chain_init(&p->payload);
    *out = p;
    return SL_OK;
}

enum sl_status sl_packet_create_data(struct sl_packet **out, size_t size, uint8_t **data,
                                     struct sl_error *err)
{
    struct sl_packet *p = NULL;
    struct sl_buf *buf = NULL;
    enum sl_status status = SL_OK;

    *out = NULL;
    *data = NULL;
    status = sl_packet_create(&p, err);
    if (status != SL_OK) {
        goto out;
    }
    if (size > 0) {
        status = sl_buf_alloc(&buf, size, err);
        if (status != SL_OK) {
            goto out;
        }
        status = sl_chain_add_buf(&p->payload, buf, 0, size, err);
        if (status != SL_OK) {
            goto out;
        }
        *data = buf->data; /* kept alive by the payload's own reference */
    }
    *out = p;
    p = NULL;
out:
    sl_buf_unref(&buf);
    sl_packet_unref(&p);
    return status;
}

struct sl_packet *sl_packet_ref(struct sl_packet *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void sl_packet_unref(struct sl_packet **packet)
{
    struct sl_packet *p = packet ? *packet : NULL;
    if (!p) {
        return;
    }
    *packet = NULL;
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1) {
        sl_chain_clear(&p->payload);
        sl_free(p->config);
        sl_free(p);
    }
}
