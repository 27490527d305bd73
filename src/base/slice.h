/* SPDX-License-Identifier: BSD-2-Clause */
/* A payload is a chain of slices; a slice is memory or a range of an open file. Passthrough moves
 * file ranges inside the kernel and never loads what nobody looks at. */
#ifndef SL_BASE_SLICE_H
#define SL_BASE_SLICE_H

#include <stdbool.h>

#include "base/buf.h"

/* An open file, reference-counted, read only by position (pread): safe in many threads. */
struct sl_file {
    atomic_uint refs;
    int fd;
    int64_t size; /* at open */
    char *name;
};

/* SL_EUNSUPPORTED for what is there but cannot be read by position: a pipe, a directory. */
SL_NODISCARD enum sl_status sl_file_open(struct sl_file **out, const char *path,
                                         struct sl_error *err);
/* The same of what is open already: takes fd, whatever it returns. name is for messages. */
SL_NODISCARD enum sl_status sl_file_wrap(struct sl_file **out, int fd, const char *name,
                                         struct sl_error *err);
struct sl_file *sl_file_ref(struct sl_file *file);
void sl_file_unref(struct sl_file **file);

/* Exactly one of buf and file is set. offset counts from buf->data or the start of the file. */
struct sl_slice {
    struct sl_buf *buf;
    struct sl_file *file;
    int64_t offset;
    size_t size;
};

/* Copies size bytes from inside on. A file that has become shorter is SL_EIO. */
SL_NODISCARD enum sl_status sl_slice_read(const struct sl_slice *s, size_t inside, void *dst,
                                          size_t size, struct sl_error *err);

#define SL_CHAIN_MAX (1u << 24) /* slices in one chain */

/* Zero-initialised is empty and valid. Not to be copied by assignment (slices may point at first):
 * sl_chain_move hands a chain on, sl_chain_add_chain shares it. */
struct sl_chain {
    struct sl_slice *slices; /* points at first while capacity is 0 */
    size_t count;
    size_t capacity;
    int64_t size; /* bytes in all */
    struct sl_slice first;
};

void sl_chain_init(struct sl_chain *c);
void sl_chain_clear(struct sl_chain *c);
/* All appends take references of their own and leave the chain as it was where they fail.
 * Neighbours that follow each other in the same buffer or file become one slice. A range outside of
 * the buffer is SL_EINVAL, one that the file does not have (damaged input) SL_EDATA. */
SL_NODISCARD enum sl_status sl_chain_add_buf(struct sl_chain *c, struct sl_buf *buf, size_t offset,
                                             size_t size, struct sl_error *err);
SL_NODISCARD enum sl_status sl_chain_add_file(struct sl_chain *c, struct sl_file *file,
                                              int64_t offset, size_t size, struct sl_error *err);
SL_NODISCARD enum sl_status sl_chain_add_copy(struct sl_chain *c, const void *data, size_t size,
                                              struct sl_error *err);
/* size bytes of src from offset on. src must not be c. */
SL_NODISCARD enum sl_status sl_chain_add_chain(struct sl_chain *c, const struct sl_chain *src,
                                               int64_t offset, int64_t size, struct sl_error *err);
/* Moves all of src to the end of c; src is empty afterwards. */
SL_NODISCARD enum sl_status sl_chain_move(struct sl_chain *c, struct sl_chain *src,
                                          struct sl_error *err);
/* The whole chain as one block of memory: no copy where it is a single memory slice at the start
 * of its buffer that fills it. A file that has become shorter is SL_EIO. */
SL_NODISCARD enum sl_status sl_chain_load(const struct sl_chain *c, struct sl_buf **out,
                                          struct sl_error *err);
SL_NODISCARD enum sl_status sl_chain_read(const struct sl_chain *c, int64_t offset, void *dst,
                                          size_t size, struct sl_error *err);
/* Writes all of it to fd at its current position, memory by writev, ranges by copy_file_range,
 * splice or sendfile, else by read and write. EINTR is retried, a non-blocking descriptor waited
 * for. Whoever writes to pipes or sockets must ignore SIGPIPE. */
SL_NODISCARD enum sl_status sl_chain_write(const struct sl_chain *c, int fd, const char *name,
                                           struct sl_error *err);

#endif
