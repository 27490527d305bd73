/* SPDX-License-Identifier: BSD-2-Clause */
/* Another sample rate, behind a vtable, because the library that does it is a module
 * (base/module.h: "filter-libav", symbol "sl_resample_libav"). */
#ifndef SL_FILTER_RESAMPLE_H
#define SL_FILTER_RESAMPLE_H

#include <stdint.h>

#include <sluice/error.h>

#define SL_RESAMPLE_MODULE "filter-libav"
#define SL_RESAMPLE_SYMBOL "sl_resample_libav"

struct sl_resampler;

struct sl_resample_ops {
    const char *name;
    enum sl_status (*open)(struct sl_resampler **out, int32_t channels, int32_t in_rate,
                           int32_t out_rate, struct sl_error *err);
    /* Takes all of in (count samples in each plane) and writes at most room samples to out. Output
     * sample n is the sound at n / out_rate seconds after the first input sample: no delay, no
     * drift. *got == room: there may be more, call again with count 0. What the filter still needs
     * neighbours for stays inside; feed it silence to have it. */
    enum sl_status (*convert)(struct sl_resampler *r, const float *const *in, int32_t count,
                              float *const *out, int32_t room, int32_t *got, struct sl_error *err);
    void (*destroy)(struct sl_resampler *r);
};

#endif
