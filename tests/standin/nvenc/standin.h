/* SPDX-License-Identifier: BSD-2-Clause */
/* Test double of libcuda.so.1 and libnvidia-encode.so.1, because no test machine has the hardware.
 * It checks each call (order, structure versions, lifetimes, that the context is current), fails
 * any of them on demand, and encodes with x264 and x265. A violation ends the process with a
 * message. It proves that we keep to NVIDIA's header as we read it, and to what Debian's ffmpeg
 * does with it; it cannot prove anything about a driver or a GPU: docs/nvenc.md.
 *
 * The environment, read at each call:
 *   SLUICE_STANDIN_FAIL     call:n:status: the n-th call of this name gives status
 *   SLUICE_STANDIN_API      newest API offered, "11.0"
 *   SLUICE_STANDIN_DEVICES  how many there are
 *   SLUICE_STANDIN_CODECS   "h264", "hevc", "h264,hevc"
 *   SLUICE_STANDIN_CAPS     "NUM_MAX_BFRAMES=0,SUPPORT_LOOKAHEAD=0": other capabilities
 *   SLUICE_STANDIN_STRICT   1: the context must be current for every call on a session
 *   SLUICE_STANDIN_COUNTS   a file to which the counts of all calls are written at the end */
#ifndef SL_TEST_STANDIN_H
#define SL_TEST_STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STANDIN_API __attribute__((visibility("default")))

/* What tests ask of it, found by dlsym("standin_control") in libcuda.so.1. */
struct standin_control {
    void (*reset)(void); /* counts to 0, injection off */
    void (*inject)(const char *call, unsigned nth, int status);
    bool (*injected)(void); /* it has happened */
    unsigned (*count)(const char *call);
    const char *(*call)(size_t index); /* names seen since the start, NULL past the last */
    /* Objects that are still there; their kinds in text. */
    size_t (*live)(char *text, size_t size);
    /* Names of NVTX ranges since reset, "a>b<" for b within a: > and < as they are pushed and
     * popped. */
    const char *(*ranges)(void);
};
typedef const struct standin_control *standin_control_get(void);

/* ---- between the libraries ------------------------------------------------------------------ */

/* Counts a call, and says whether it has to fail, with which status. */
STANDIN_API bool standin_call(const char *name, int *status);
STANDIN_API _Noreturn void standin_violation(const char *call, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
STANDIN_API const char *standin_setting(const char *name); /* NULL where it is not set */
STANDIN_API void standin_lock(void);
STANDIN_API void standin_unlock(void);
STANDIN_API void standin_object(const char *kind, int change); /* one more, one less */
STANDIN_API void standin_range(const char *name);              /* NULL: popped */

/* A call failed on demand since reset: the device may be lost, and who frees what he has on it
 * may find no context to make current. */
STANDIN_API bool standin_has_failed(void);

STANDIN_API bool standin_context_is_current(const void *context);
STANDIN_API bool standin_context_exists(const void *context);
/* Host address of device memory, or NULL where these bytes are not all in one live allocation. */
STANDIN_API void *standin_memory(uint64_t pointer, size_t size);

/* Every function begins so. */
#define STANDIN_CALL(type, name)                                                                   \
    int standin_status;                                                                            \
    if (standin_call(#name, &standin_status)) {                                                    \
        return (type)standin_status;                                                               \
    }

#endif
