/* SPDX-License-Identifier: BSD-2-Clause */
/* A sample index and the stream that it is about: 16 bits say how long the index is, which stands
 * in front. Then the stream again as an MP4 with layers. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pipeline/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A name under which these bytes can be opened. */
static int file_of(const uint8_t *data, size_t size, char name[32])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd >= 0 && (size == 0 || write(fd, data, size) == (ssize_t)size)) {
        (void)snprintf(name, 32, "/proc/self/fd/%d", fd);
        return fd;
    }
    abort();
}

static void check(const struct sl_layered *l)
{
    for (size_t i = 0; i < l->count; i++) {
        for (size_t k = 0; k < l->samples[i].ref_count; k++) {
            if (l->samples[i].refs[k] >= i || l->samples[i].layer >= l->layers) {
                abort();
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_layered l;
    char index_name[32], stream_name[32];
    size_t index;
    int index_fd, stream_fd;
    if (size < 2) {
        return 0;
    }
    index = (size_t)data[0] << 8 | data[1];
    index = index < size - 2 ? index : size - 2;
    index_fd = file_of(data + 2, index, index_name);
    stream_fd = file_of(data + 2 + index, size - 2 - index, stream_name);
    if (sl_layered_open(&l, stream_name, index_name, NULL) == SL_OK) {
        if (sl_layered_find_refs(&l, NULL) == SL_OK) {
            check(&l);
        }
        sl_layered_clear(&l);
    }
    if (sl_layered_open_mp4(&l, stream_name, NULL, NULL) == SL_OK) {
        if (sl_layered_find_refs(&l, NULL) == SL_OK) {
            check(&l);
        }
        sl_layered_clear(&l);
    }
    (void)close(index_fd);
    (void)close(stream_fd);
    return 0;
}
