/* SPDX-License-Identifier: BSD-2-Clause */
/* Named ranges for NVIDIA's profilers, through libnvToolsExt.so.1 where it is there. Existing
 * profiles look for exactly these names. */
#ifndef SL_ENCODE_NVENC_NVTX_H
#define SL_ENCODE_NVENC_NVTX_H

#include <stdbool.h>

#define SL_NVTX_ENCODE         "pdum.encode"         /* a picture: all that follows */
#define SL_NVTX_READ_CAI       "pdum.read_cai"       /* Python: __cuda_array_interface__ */
#define SL_NVTX_COPY_TO_NVENC  "pdum.copy_to_nvenc"  /* copied, or registered and mapped */
#define SL_NVTX_SUBMIT         "pdum.submit"         /* nvEncEncodePicture */
#define SL_NVTX_COLLECT_OUTPUT "pdum.collect_output" /* waiting for the access unit included */

struct sl_nvtx {
    void *library;
    int (*push)(const char *name);
    int (*pop)(void);
};

/* false where the library is not there: push and pop do nothing then. */
bool sl_nvtx_open(struct sl_nvtx *n);
void sl_nvtx_close(struct sl_nvtx *n); /* zeroed is fine */
/* Ranges of one thread nest. */
void sl_nvtx_push(const struct sl_nvtx *n, const char *name);
void sl_nvtx_pop(const struct sl_nvtx *n);

#endif
