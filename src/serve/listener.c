/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/error.h"

static int listen_on(const struct addrinfo *a)
{
    const int on = 1;
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);

    if (fd < 0) {
        return -errno;
    }
    /* SO_REUSEADDR lets a restart pass connections in TIME_WAIT; it never shares a port that is
     * being listened on. TCP_NODELAY is inherited by what is accepted: answers are written whole,
     * and Nagle would only hold back their tails. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int error = errno;

        (void)close(fd);
        return -error;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {.six = {0}};
    socklen_t length = sizeof address;

    if (getsockname(fd, &address.any, &length) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.six.sin6_port : address.four.sin_port);
}

enum sl_status sl_listener_open(const char *address, uint16_t *port, int *fd, struct sl_error *err)
{
    const struct addrinfo hints = {
        .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
        .ai_socktype = SOCK_STREAM,
    };
    struct addrinfo *list = NULL;
    char where[sizeof err->where], service[8];
    int result = -EADDRNOTAVAIL, code;

    (void)snprintf(where, sizeof where, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, *port);
    (void)snprintf(service, sizeof service, "%u", *port);
    code = getaddrinfo(address, service, &hints, &list);
    if (code != 0) {
        return sl_fail(err, SL_EIO, where, "not an address to listen on: %s", gai_strerror(code));
    }
    for (const struct addrinfo *a = list; a && result < 0; a = a->ai_next) {
        result = listen_on(a);
    }
    freeaddrinfo(list);
    if (result < 0) {
        return sl_fail_errno(err, -result, where, "cannot listen");
    }
    *fd = result;
    *port = port_of(result);
    return SL_OK;
}
