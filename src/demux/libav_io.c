/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/error.h"
#include "demux/libav.h"

#define IO_BUFFER (64 << 10) /* larger payloads go past it, straight into the packet */

static int io_read(void *opaque, uint8_t *dst, int size)
{
    struct sl_libav_io *io = opaque;
    size_t got = 0;
    enum sl_status status = SL_OK;

    if (size <= 0) {
        return 0;
    }
    status = sl_window_read(io->window, io->pos, dst, (size_t)size, &got, &io->error);
    if (got > 0) {
        io->pos += (int64_t)got;
        if (io->release) {
            sl_window_release(io->window, io->pos);
        }
        return (int)got; /* whatever stopped it comes again with the next call */
    }
    if (status == SL_EOF || status == SL_OK) {
        return AVERROR_EOF;
    }
    io->status = status;
    return AVERROR_EXTERNAL;
}

static int64_t io_seek(void *opaque, int64_t offset, int whence)
{
    struct sl_libav_io *io = opaque;
    int64_t size = sl_window_size(io->window);

    switch (whence & ~AVSEEK_FORCE) {
    case AVSEEK_SIZE:
        return size >= 0 ? size : AVERROR(ENOSYS);
    case SEEK_SET:
        break;
    case SEEK_CUR:
        if (offset > 0 && io->pos > INT64_MAX - offset) {
            return AVERROR(EINVAL);
        }
        offset += io->pos;
        break;
    case SEEK_END:
        if (size < 0 || (offset > 0 && size > INT64_MAX - offset)) {
            return AVERROR(EINVAL);
        }
        offset += size;
        break;
    default:
        return AVERROR(EINVAL);
    }
    if (offset < 0) {
        return AVERROR(EINVAL);
    }
    io->pos = offset;
    return offset;
}

enum sl_status sl_libav_io_open(struct sl_libav_io *io, struct sl_window *w, struct sl_error *err)
{
    bool seekable = sl_window_seekable(w);
    uint8_t *buffer = av_malloc(IO_BUFFER);

    *io = (struct sl_libav_io){.window = w};
    if (!buffer) {
        return sl_fail_memory(err);
    }
    io->avio = avio_alloc_context(buffer, IO_BUFFER, 0, io, io_read, NULL,
                                  seekable || sl_window_size(w) >= 0 ? io_seek : NULL);
    if (!io->avio) {
        av_free(buffer);
        return sl_fail_memory(err);
    }
    io->avio->seekable = seekable ? AVIO_SEEKABLE_NORMAL : 0;
    return SL_OK;
}

void sl_libav_io_close(struct sl_libav_io *io)
{
    if (io->avio) {
        av_freep((void *)&io->avio->buffer); /* may no longer be the one it was given */
        avio_context_free(&io->avio);
    }
}
