/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "source/address.h"
#include "unit.h"

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        return sl_address_public((const struct sockaddr *)&v4, sizeof v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return sl_address_public((const struct sockaddr *)&v6, sizeof v6);
}

static void test_addresses(void **state)
{
    /* Of each network its first and last address, and its neighbours where they are public. */
    static const char *const refused[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        /* IPv6 */
        "::",
        "::1",
        "::1.2.3.4",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "fc00::1",
        "fdff::1",
        "ff02::1",
        "100::1",
        "1fff::1",
        "4000::1",
        "5f00::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "3fff::1",
        "3fff:fff::1",
        "64:ff9b:1::1",
        "64:ff9b:1::8.8.8.8",
        /* what lies within */
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::ffff:0:8.8.8.8",
        "64:ff9b::127.0.0.1",
        "64:ff9b::192.168.1.1",
        "64:ff9b::100.64.0.1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "2002:c0a8:101::1",
        "2002:a9fe:a9fe::1",
    };
    static const char *const allowed[] = {
        "1.0.0.1",          "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",   "100.128.0.0",     "126.255.255.255", "128.0.0.0",
        "169.253.255.255",  "169.255.0.0",     "172.15.255.255",  "172.32.0.0",
        "192.0.1.0",        "192.167.255.255", "192.169.0.0",     "198.17.255.255",
        "198.20.0.0",       "223.255.255.255", "2001:200::1",     "2001:4860:4860::8888",
        "2606:4700::1111",  "2a00::1",         "3ffe::1",         "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8", "2002:808:808::1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (is_public(refused[i])) {
            fail_msg("%s is taken for public", refused[i]);
        }
    }
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        if (!is_public(allowed[i])) {
            fail_msg("%s is not taken for public", allowed[i]);
        }
    }
}

static void test_families(void **state)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/tmp/x"};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};

    (void)state;
    assert_false(sl_address_public((const struct sockaddr *)&local, sizeof local));
    assert_true(sl_address_public((const struct sockaddr *)&v4, sizeof v4));
    assert_false(sl_address_public((const struct sockaddr *)&v4, sizeof v4 - 1));
    v4.sin_family = AF_UNSPEC;
    assert_false(sl_address_public((const struct sockaddr *)&v4, sizeof v4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
