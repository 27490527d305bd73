/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration of encode-y4m, options of x264 included. Schedules have a target of their own;
 * no file is opened here. */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pipeline/encode_y4m_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
#if SL_HAVE_X264_SCHED
    struct sl_encode_y4m_config c;
    struct sl_error err = {0};
    if (size > 4096 || memmem(data, size, "frame_ir", 8) || memmem(data, size, "\\u", 2)) {
        return 0;
    }
    if (sl_encode_y4m_config_parse(&c, "fuzz.json", (const char *)data, size, &err) == SL_OK) {
        struct sl_schedule_frame f = {.layer = (uint8_t)(size % SL_SCHEDULE_LAYERS_MAX)};
        sl_encode_y4m_config_qp(&c, &f);
    }
    sl_encode_y4m_config_clear(&c);
#else
    (void)data;
    (void)size;
#endif
    return 0;
}
