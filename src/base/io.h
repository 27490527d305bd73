/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors read and written to the last byte: short counts, EINTR and EAGAIN end here. */
#ifndef SL_BASE_IO_H
#define SL_BASE_IO_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

struct iovec;

/* All of data. A full device and a reader that has gone are told apart in the message (SL_EIO).
 * Whoever writes to pipes or sockets must ignore SIGPIPE. */
SL_NODISCARD enum sl_status sl_io_write(int fd, const void *data, size_t size, const char *name,
                                        struct sl_error *err);
/* All of count pieces; the array is used up. */
SL_NODISCARD enum sl_status sl_io_writev(int fd, struct iovec *iov, size_t count, const char *name,
                                         struct sl_error *err);
/* Up to size bytes at offset; *got < size only at the end of the file. */
SL_NODISCARD enum sl_status sl_io_pread(int fd, int64_t offset, void *dst, size_t size, size_t *got,
                                        const char *name, struct sl_error *err);
/* Waits until fd takes bytes again: for a descriptor that somebody made non-blocking. */
SL_NODISCARD enum sl_status sl_io_wait_writable(int fd, const char *name, struct sl_error *err);
/* The error for a failed write. */
enum sl_status sl_io_write_failed(int errnum, const char *name, struct sl_error *err);

#endif
