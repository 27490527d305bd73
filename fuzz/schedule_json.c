/* SPDX-License-Identifier: BSD-2-Clause */
/* A schedule as text: what is accepted passes its own check, reads back as it was written, and can
 * be drawn; what is refused leaves nothing behind. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schedule/schedule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_schedule s, again;
    struct sl_schedule_needs needs;
    struct sl_error err = {0};
    struct sl_writer w;
    if (sl_schedule_parse(&s, "fuzz", (const char *)data, size, &err) != SL_OK) {
        if (s.frames || !err.msg[0]) {
            abort();
        }
        return 0;
    }
    sl_writer_init(&w, 1 << 26);
    sl_schedule_write(&s, &w);
    if (sl_schedule_check(&s, "fuzz", NULL) != SL_OK ||
        sl_schedule_measure(&s, &needs, NULL) != SL_OK || needs.dpb > s.dpb ||
        needs.reorder > s.reorder || sl_writer_finish(&w, NULL) != SL_OK ||
        sl_schedule_parse(&again, "again", (const char *)w.data, w.size, NULL) != SL_OK ||
        again.count != s.count) {
        abort();
    }
    for (size_t i = 0; i < s.count; i++) {
        if (s.frames[i].display != again.frames[i].display ||
            s.frames[i].disposable != again.frames[i].disposable ||
            s.frames[i].qp != again.frames[i].qp) {
            abort();
        }
    }
    sl_schedule_draw_text(&s, 0, s.count, &w);
    sl_schedule_draw_svg(&s, 0, s.count, &w);
    sl_schedule_clear(&again);
    sl_schedule_clear(&s);
    sl_writer_clear(&w);
    return 0;
}
