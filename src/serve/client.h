/* SPDX-License-Identifier: BSD-2-Clause */
/* Who asks: for the limits, for signed links, and for the log. */
#ifndef SL_SERVE_CLIENT_H
#define SL_SERVE_CLIENT_H

#include <netinet/in.h>

#include "serve/rate.h"
#include "serve/request.h"

struct sl_client {
    char text[INET6_ADDRSTRLEN]; /* the address as inet_ntop writes it; "-": none (Unix socket) */
    uint16_t port;               /* 0: not known */
    uint8_t key[SL_RATE_KEY];    /* IPv4: the address; IPv6: its first 64 bits, a household's */
};

void sl_client_from_peer(struct sl_client *c, const struct sockaddr_storage *peer);
/* The last address of X-Forwarded-For, which the proxy in front wrote; without one c stays. */
void sl_client_from_field(struct sl_client *c, const struct sl_request *r);
/* Whether text is an address; writes it the way that sl_client.text has it. */
bool sl_client_parse(struct sl_client *c, const char *text);

#endif
