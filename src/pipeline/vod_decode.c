/* SPDX-License-Identifier: BSD-2-Clause */
/* A decoder at work for a segment: damage costs what is damaged, and no more. */
#include "base/error.h"
#include "base/log.h"
#include "pipeline/vod_run.h"

static enum sl_status take_all(const struct vod_decoding *d, struct sl_error *err)
{
    enum sl_status st = SL_EAGAIN;
    struct sl_frame *f = NULL;
    while (!*d->full && (st = d->decoder->ops->receive(d->decoder, &f, err)) == SL_OK) {
        st = d->take(d->opaque, f, err);
        sl_frame_unref(&f);
        if (st != SL_OK) {
            return st;
        }
    }
    return st;
}

enum sl_status sl_vod_decode(const struct vod_decoding *d, struct sl_packet *p,
                             struct sl_error *err)
{
    for (bool sent = false; !*d->full;) {
        struct sl_error why = {0};
        enum sl_status st = sent ? SL_OK : d->decoder->ops->send(d->decoder, p, &why);
        if (st == SL_EDATA) {
            sl_log_write(d->vod->log, (*d->damaged)++ == 0 ? SL_LOG_WARN : SL_LOG_DEBUG, VOD_LOG,
                         "%s: damaged %s: %s", d->vod->where, d->what, why.msg);
            return SL_OK;
        }
        if (st != SL_OK && st != SL_EAGAIN) {
            return sl_fail(err, st, why.where, "%s", why.msg);
        }
        sent = sent || st == SL_OK;
        st = take_all(d, err);
        if (*d->full || st == SL_EOF || (st == SL_EAGAIN && sent)) {
            return SL_OK;
        }
        if (st != SL_EAGAIN) {
            return st;
        }
    }
    return SL_OK;
}
