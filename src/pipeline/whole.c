/* SPDX-License-Identifier: BSD-2-Clause */
#include "pipeline/whole.h"

#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "base/publish.h"
#include "source/source.h"

#define FIRST 65536

/* Grows by doubling: the size of a pipe is not known. */
static enum sl_status fill(const struct sl_window_source *in, size_t max, uint8_t **data,
                           size_t *size, struct sl_error *err)
{
    size_t room = 0, got = 1;
    while (got > 0) {
        if (*size == room) {
            room = room ? room * 2 : FIRST;
            uint8_t *grown = sl_realloc_array(*data, room, 1);
            if (!grown) {
                return sl_fail_memory(err);
            }
            *data = grown;
        }
        enum sl_status status =
            in->fill(in->opaque, (int64_t)*size, *data + *size, room - *size, &got, err);
        if (status) {
            return status;
        }
        *size += got;
        if (*size > max) {
            return sl_fail(err, SL_EDATA, in->name, "more than %zu bytes", max);
        }
    }
    return SL_OK;
}

enum sl_status sl_read_whole(const char *where, size_t max, struct sl_buf **out,
                             struct sl_error *err)
{
    struct sl_source *source = NULL;
    uint8_t *data = NULL;
    size_t size = 0;
    enum sl_status status = sl_source_open(&source, where, err);
    *out = NULL;
    if (!status) {
        status = fill(&source->bytes, max, &data, &size, err);
    }
    if (!status) {
        status = sl_buf_alloc(out, size, err);
    }
    if (!status && size) {
        memcpy((*out)->data, data, size);
    }
    sl_free(data);
    sl_source_destroy(&source);
    return status;
}

enum sl_status sl_write_whole(const char *path, const void *data, size_t size, struct sl_error *err)
{
    return strcmp(path, "-") == 0 ? sl_io_write(STDOUT_FILENO, data, size, "standard output", err)
                                  : sl_publish_bytes(path, data, size, err);
}
