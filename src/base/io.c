/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"

enum sl_status sl_io_write_failed(int errnum, const char *name, struct sl_error *err)
{
    if (errnum == EPIPE || errnum == ECONNRESET) {
        return sl_fail(err, SL_EIO, name, "write: whoever was reading has gone away");
    }
    if (errnum == ENOSPC) {
        return sl_fail(err, SL_EIO, name, "write: no space is left on the device");
    }
    return sl_fail_errno(err, errnum, name, "write");
}

enum sl_status sl_io_wait_writable(int fd, const char *name, struct sl_error *err)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    while (poll(&p, 1, -1) < 0) {
        if (errno != EINTR) {
            return sl_fail_errno(err, errno, name, "poll");
        }
    }
    return SL_OK;
}

enum sl_status sl_io_writev(int fd, struct iovec *iov, size_t count, const char *name,
                            struct sl_error *err)
{
    while (count > 0) {
        size_t done;
        ssize_t n;

        if (iov->iov_len == 0) {
            iov++;
            count--;
            continue;
        }
        n = count == 1 ? write(fd, iov->iov_base, iov->iov_len)
                       : writev(fd, iov, (int)(count < IOV_MAX ? count : IOV_MAX));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            enum sl_status status = sl_io_wait_writable(fd, name, err);

            if (status != SL_OK) {
                return status;
            }
            continue;
        }
        if (n < 0) {
            return sl_io_write_failed(errno, name, err);
        }
        if (n == 0) {
            return sl_fail(err, SL_EIO, name, "write: nothing was taken");
        }
        done = (size_t)n;
        while (count > 0 && done >= iov->iov_len) {
            done -= iov->iov_len;
            iov++;
            count--;
        }
        if (done > 0 && count > 0) {
            iov->iov_base = (char *)iov->iov_base + done;
            iov->iov_len -= done;
        }
    }
    return SL_OK;
}

enum sl_status sl_io_write(int fd, const void *data, size_t size, const char *name,
                           struct sl_error *err)
{
    /* POSIX has no const here; write only reads. */
    struct iovec iov = {.iov_base = (void *)data, .iov_len = size};

    return sl_io_writev(fd, &iov, 1, name, err);
}

enum sl_status sl_io_pread(int fd, int64_t offset, void *dst, size_t size, size_t *got,
                           const char *name, struct sl_error *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = pread(fd, (char *)dst + *got, size - *got, (off_t)offset + (off_t)*got);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return sl_fail_errno(err, errno, name, "read");
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
    }
    return SL_OK;
}
