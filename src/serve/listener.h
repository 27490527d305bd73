/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_SERVE_LISTENER_H
#define SL_SERVE_LISTENER_H

#include <stdint.h>

#include <sluice/error.h>

/* Listens on address (numeric, or a host name: then on the first of its addresses that works).
 * *port is the port asked for, and the one it became. SL_EIO naming the address. */
SL_NODISCARD enum sl_status sl_listener_open(const char *address, uint16_t *port, int *fd,
                                             struct sl_error *err);

/* The same on a Unix socket. One that nobody listens on any more is replaced; SL_EIO where somebody
 * does, or where path is something else. */
SL_NODISCARD enum sl_status sl_listener_open_unix(const char *path, int *fd, struct sl_error *err);

#endif
