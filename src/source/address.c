/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/address.h"

#include <stdint.h>
#include <string.h>

#include <netinet/in.h>

/* IANA IPv4 Special-Purpose Address Registry; multicast; what 240/4 is reserved for. */
static bool public_ipv4(uint32_t a)
{
    static const struct {
        uint32_t network;
        int bits;
    } special[] = {
        {0x00000000, 8},  /* 0.0.0.0/8: this network, RFC 791 */
        {0x0a000000, 8},  /* 10.0.0.0/8: private, RFC 1918 */
        {0x64400000, 10}, /* 100.64.0.0/10: shared, RFC 6598 */
        {0x7f000000, 8},  /* 127.0.0.0/8: loopback, RFC 1122 */
        {0xa9fe0000, 16}, /* 169.254.0.0/16: link-local (metadata of clouds), RFC 3927 */
        {0xac100000, 12}, /* 172.16.0.0/12: private */
        {0xc0000000, 24}, /* 192.0.0.0/24: protocol assignments, RFC 6890 */
        {0xc0000200, 24}, /* 192.0.2.0/24: documentation, RFC 5737 */
        {0xc0586300, 24}, /* 192.88.99.0/24: relays of 6to4, RFC 7526 */
        {0xc0a80000, 16}, /* 192.168.0.0/16: private */
        {0xc6120000, 15}, /* 198.18.0.0/15: benchmarks, RFC 2544 */
        {0xc6336400, 24}, /* 198.51.100.0/24: documentation */
        {0xcb007100, 24}, /* 203.0.113.0/24: documentation */
        {0xe0000000, 4},  /* 224.0.0.0/4: multicast, RFC 5771 */
        {0xf0000000, 4},  /* 240.0.0.0/4: reserved, and broadcast */
    };

    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if ((a ^ special[i].network) >> (32 - special[i].bits) == 0) {
            return false;
        }
    }
    return true;
}

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool begins(const uint8_t *a, const uint8_t *network, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;

    return memcmp(a, network, bytes) == 0 &&
           (rest == 0 || (a[bytes] ^ network[bytes]) >> (8 - rest) == 0);
}

/* Of global unicast, 2000::/3, what the IANA IPv6 Special-Purpose Address Registry leaves. */
static bool public_ipv6(const uint8_t a[16])
{
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:0:0/96, RFC 4291 */
    static const uint8_t nat64[16] = {0x00, 0x64, 0xff, 0x9b};    /* 64:ff9b::/96, RFC 6052 */
    static const uint8_t global[16] = {0x20};                     /* 2000::/3 */
    static const struct {
        uint8_t network[16];
        unsigned bits;
    } special[] = {
        {{0x20, 0x01}, 23},             /* 2001::/23: Teredo, ORCHID, benchmarks, RFC 2928 */
        {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* 2001:db8::/32: documentation, RFC 3849 */
        {{0x3f, 0xff}, 20},             /* 3fff::/20: documentation, RFC 9637 */
    };
    static const uint8_t six_to_four[16] = {0x20, 0x02}; /* 2002::/16, RFC 3056 */

    if (begins(a, mapped, 96) || begins(a, nat64, 96)) {
        return public_ipv4(be32(a + 12));
    }
    if (!begins(a, global, 3)) {
        return false;
    }
    if (begins(a, six_to_four, 16)) {
        return public_ipv4(be32(a + 2));
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
        if (begins(a, special[i].network, special[i].bits)) {
            return false;
        }
    }
    return true;
}

bool sl_address_public(const struct sockaddr *address, size_t size)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET && size >= sizeof v4) {
        memcpy(&v4, address, sizeof v4);
        return public_ipv4(ntohl(v4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6 && size >= sizeof v6) {
        memcpy(&v6, address, sizeof v6);
        return public_ipv6(v6.sin6_addr.s6_addr);
    }
    return false;
}
