/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/client.h"

#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

static void set_four(struct sl_client *c, const void *address)
{
    memset(c->key, 0xff, sizeof c->key);
    memcpy(c->key, address, 4);
    if (!inet_ntop(AF_INET, address, c->text, sizeof c->text)) {
        (void)snprintf(c->text, sizeof c->text, "-");
    }
}

static void set_six(struct sl_client *c, const struct in6_addr *address)
{
    if (IN6_IS_ADDR_V4MAPPED(address)) { /* a socket that takes both: the same client as by IPv4 */
        set_four(c, address->s6_addr + 12);
        return;
    }
    memcpy(c->key, address, sizeof c->key);
    if (!inet_ntop(AF_INET6, address, c->text, sizeof c->text)) {
        (void)snprintf(c->text, sizeof c->text, "-");
    }
}

void sl_client_from_peer(struct sl_client *c, const struct sockaddr_storage *peer)
{
    memset(c, 0, sizeof *c);
    c->text[0] = '-';
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;

        set_four(c, &in->sin_addr);
        c->port = ntohs(in->sin_port);
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;

        set_six(c, &in6->sin6_addr);
        c->port = ntohs(in6->sin6_port);
    }
}

bool sl_client_parse(struct sl_client *c, const char *text)
{
    struct in6_addr six;
    struct in_addr four;

    if (inet_pton(AF_INET, text, &four) == 1) {
        memset(c, 0, sizeof *c);
        set_four(c, &four);
    } else if (inet_pton(AF_INET6, text, &six) == 1) {
        memset(c, 0, sizeof *c);
        set_six(c, &six);
    } else {
        return false;
    }
    return true;
}

void sl_client_from_field(struct sl_client *c, const struct sl_request *r)
{
    struct sl_text list, element, last = {NULL, 0};
    char text[INET6_ADDRSTRLEN];
    size_t cursor = 0;

    while (sl_request_next(r, SL_FIELD_FORWARDED_FOR, &cursor, &list)) {
        while (sl_list_next(&list, &element)) {
            last = element;
        }
    }
    if (last.size > 0 && last.size < sizeof text) {
        memcpy(text, last.data, last.size);
        text[last.size] = '\0';
        (void)sl_client_parse(c, text);
    }
}
