/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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

/* Whether it is a socket on which nobody accepts connections. */
static bool is_dead(const struct sockaddr_un *address)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool dead = lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && fd >= 0 &&
                connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                errno == ECONNREFUSED;

    if (fd >= 0) {
        (void)close(fd);
    }
    return dead;
}

enum sl_status sl_listener_open_unix(const char *path, int *out, struct sl_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, error;

    if (path[0] == '\0' || strlen(path) >= sizeof address.sun_path) {
        return sl_fail(err, SL_EINVAL, "listen",
                       "unix:PATH with a path of 1 to %zu bytes is expected",
                       sizeof address.sun_path - 1);
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return sl_fail_errno(err, errno, path, "cannot listen");
    }
    error = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    /* What a killed server left refuses connections. */
    if (error == EADDRINUSE && is_dead(&address) && unlink(path) == 0) {
        error = bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    }
    if (error == 0 && listen(fd, SOMAXCONN) != 0) {
        error = errno;
    }
    if (error != 0) {
        (void)close(fd);
        return sl_fail_errno(err, error, path, "cannot listen");
    }
    *out = fd;
    return SL_OK;
}
