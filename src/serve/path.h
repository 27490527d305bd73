/* SPDX-License-Identifier: BSD-2-Clause */
/* From the path of a target to an open file below the root, and to nothing else. */
#ifndef SL_SERVE_PATH_H
#define SL_SERVE_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define SL_SERVE_PATH_MAX 4096 /* with its terminator */

/* Decodes percent escapes once and resolves dot segments (RFC 3986 5.2.4), both before anything is
 * looked up. out (SL_SERVE_PATH_MAX bytes) becomes a relative path without a leading slash; "" is
 * the root itself.
 * Returns 0, or the status code to answer: 400 for what no honest client sends (escapes that do
 * not decode, encoded or literal NUL, slash and backslash, control characters, ".." above the
 * root), 404 for names that are never served (hidden files, unfinished ones, directories). */
int sl_path_decode(const char *path, size_t size, char *out);

/* Whether a file of that name may be seen at all: neither hidden nor unfinished (*.sltmp). */
bool sl_path_name_served(const char *name, size_t size);

/* Whether this kernel resolves paths beneath a directory for us (openat2, Linux 5.6). */
bool sl_path_have_openat2(int root);
/* Opens relative (as sl_path_decode made it) for reading, below the directory root. Symbolic links
 * are followed as long as they stay below, or, without openat2, not at all. directory asks for a
 * directory, otherwise any kind is opened (fstat tells). Never blocks on a FIFO.
 * Returns a descriptor or -errno. */
int sl_path_open(int root, const char *relative, bool directory, bool have_openat2);

#endif
