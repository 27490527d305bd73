/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a socket address leads to the public Internet: asked of the very address that is about
 * to be connected to, so that what a name resolves to by then does not matter. */
#ifndef SL_SOURCE_ADDRESS_H
#define SL_SOURCE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* False for every family but IPv4 and IPv6, and for what the registries of special addresses
 * (RFC 6890) do not call globally reachable: private, shared (CGNAT), loopback, link-local, unique
 * local, multicast, unspecified, documentation, benchmarks, reserved; also for what leads to one of
 * those from within IPv6: mapped, compatible, 6to4, Teredo, NAT64. */
bool sl_address_public(const struct sockaddr *address, size_t size);

#endif
