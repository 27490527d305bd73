/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/gzip.h"

#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "base/error.h"

#define LEVEL                                                                                      \
    4 /* playlists repeat themselves: higher ones gain a few percent for twice the time            \
       */

/* Whether the weight after ";" is 0, "0.", "0.0" …: RFC 9110 12.4.2 */
static bool weighs_nothing(struct sl_text weight)
{
    size_t i = 0;

    while (i < weight.size && (weight.data[i] == ' ' || weight.data[i] == '\t')) {
        i++;
    }
    if (weight.size - i < 3 || (weight.data[i] | 0x20) != 'q' || weight.data[i + 1] != '=') {
        return false;
    }
    for (i += 2; i < weight.size; i++) {
        if (weight.data[i] != '0' && weight.data[i] != '.') {
            return false;
        }
    }
    return true;
}

bool sl_gzip_accepted(const struct sl_request *r)
{
    struct sl_text list, coding;
    size_t cursor = 0;

    while (sl_request_next(r, SL_FIELD_ACCEPT_ENCODING, &cursor, &list)) {
        while (sl_list_next(&list, &coding)) {
            const char *semicolon = memchr(coding.data, ';', coding.size);
            struct sl_text name = coding, weight = {NULL, 0};

            if (semicolon) {
                name.size = (size_t)(semicolon - coding.data);
                weight = (struct sl_text){semicolon + 1, coding.size - name.size - 1};
            }
            while (name.size > 0 && name.data[name.size - 1] == ' ') {
                name.size--;
            }
            if (sl_text_is(name, "gzip") || sl_text_is(name, "x-gzip")) {
                return !weighs_nothing(weight);
            }
        }
    }
    return false;
}

static void *take_memory(void *opaque, unsigned count, unsigned each)
{
    (void)opaque;
    return sl_alloc_array(count, each);
}

static void give_memory(void *opaque, void *p)
{
    (void)opaque;
    sl_free(p);
}

enum sl_status sl_gzip_make(struct sl_buf **out, const void *data, size_t size,
                            struct sl_error *err)
{
    z_stream z = {.zalloc = take_memory, .zfree = give_memory};
    enum sl_status status;
    int result;

    *out = NULL;
    if (size > SL_GZIP_MOST) {
        return sl_fail(err, SL_EINVAL, NULL, "%zu bytes are too many to compress at once", size);
    }
    /* windowBits of 15 + 16 write gzip (zlib.h). */
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return sl_fail_memory(err);
    }
    status = sl_buf_alloc(out, deflateBound(&z, (uLong)size), err);
    if (status == SL_OK) {
        z.next_in = (z_const Bytef *)data;
        z.avail_in = (uInt)size;
        z.next_out = (*out)->data;
        z.avail_out = (uInt)(*out)->size;
        result = deflate(&z, Z_FINISH);
        (*out)->size = z.total_out;
        if (result != Z_STREAM_END) {
            sl_buf_unref(out);
            status = sl_fail(err, SL_ENOMEM, NULL, "zlib cannot compress (%d)", result);
        }
    }
    (void)deflateEnd(&z);
    return status;
}
