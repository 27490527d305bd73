/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "schedule/json.h"
#include "schedule/order.h"

/* Through jansson, which knows that a comma is no decimal point, whatever the locale says. */
static void write_number(struct sl_writer *w, double v)
{
    char text[40];
    json_t *number = json_real(v);
    size_t size = json_dumpb(number, text, sizeof text, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
    if (size == 0 || size > sizeof text) {
        w->status = w->status ? w->status : SL_ENOMEM;
    } else {
        sl_write_bytes(w, text, size);
    }
    json_decref(number);
}

static void write_list(struct sl_writer *w, const char *key, const int64_t *numbers, size_t count)
{
    sl_write_format(w, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        sl_write_format(w, "%s%" PRId64, i ? "," : "", numbers[i]);
    }
    sl_write_text(w, "]");
}

static void write_frame(struct sl_writer *w, const struct sl_schedule_frame *f)
{
    sl_write_format(w,
                    "{\"display\":%" PRId64 ",\"decode\":%" PRId64
                    ",\"type\":\"%s\",\"layer\":%u,\"max_ref_layer\":%u",
                    f->display, f->decode, sl_schedule_type_name(f->type), f->layer,
                    f->max_ref_layer);
    write_list(w, "refs", f->refs, f->ref_count);
    if (f->id != f->display) {
        sl_write_format(w, ",\"frame_id\":%" PRId64, f->id);
    }
    if (f->qp_kind != SL_SCHEDULE_QP_NONE) {
        sl_write_text(w, f->qp_kind == SL_SCHEDULE_QP_ABSOLUTE ? ",\"qp\":" : ",\"qp_offset\":");
        write_number(w, f->qp);
    }
    if (f->forget_count) {
        write_list(w, "forget", f->forget, f->forget_count);
    }
    sl_write_text(w, "}");
}

void sl_schedule_write(const struct sl_schedule *s, struct sl_writer *w)
{
    sl_write_text(w, "{\"version\":1");
    if (s->rate.num > 0) {
        sl_write_format(w, ",\"fps\":[%" PRId64 ",%" PRId64 "]", s->rate.num, s->rate.den);
    }
    sl_write_format(w, ",\"gop\":%d,\"dpb\":%d,\"reorder\":%d,\"frames\":[\n", (int)s->gop,
                    (int)s->dpb, (int)s->reorder);
    for (size_t i = 0; i < s->count; i++) {
        write_frame(w, &s->frames[i]);
        sl_write_text(w, i + 1 < s->count ? ",\n" : "\n");
    }
    sl_write_text(w, "]}\n");
}
