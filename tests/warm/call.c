/* SPDX-License-Identifier: BSD-2-Clause */
/* Stands in PATH under the name of a warm program (warm.c), in the folder $SLUICE_WARM, and has it
 * run: the same output, the same exit status, the same answer to a signal. Where there is no such
 * program, or it has its libraries already and the caller wants others (LD_LIBRARY_PATH), or hands
 * down more than the three standard streams, the next one of that name in PATH is started as ever.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"

/* PATH without the folder that we are in. */
static void leave_path(const char *folder)
{
    const char *path = getenv("PATH");
    size_t length = strlen(folder);
    if (path && strncmp(path, folder, length) == 0 && path[length] == ':') {
        setenv("PATH", path + length + 1, 1);
    }
}

static int start_cold(const char *name, char **argv)
{
    execvp(name, argv);
    perror(name);
    return 127;
}

static bool wants_its_own(void)
{
    if (getenv("LD_LIBRARY_PATH")) {
        return true;
    }
    for (int fd = 3; fd < 32; fd++) {
        if (fcntl(fd, F_GETFD) >= 0) {
            return true;
        }
    }
    return false;
}

static int connect_to(const char *folder, const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/%s.socket", folder, name);
    if (length >= (int)sizeof address.sun_path) {
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void append(char **at, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(*at, text, size);
    *at += size;
}

static bool send_call(int fd, char **argv)
{
    char directory[4096];
    if (!getcwd(directory, sizeof directory)) {
        return false;
    }
    struct call call = {.nice = getpriority(PRIO_PROCESS, 0)};
    size_t bytes = strlen(directory) + 1;
    for (char **a = argv; *a; a++, call.arguments++) {
        bytes += strlen(*a) + 1;
    }
    for (char **e = environ; *e; e++, call.variables++) {
        bytes += strlen(*e) + 1;
    }
    char *text = bytes <= CALL_MAX ? malloc(bytes) : NULL;
    if (!text) {
        return false;
    }
    call.bytes = (uint32_t)bytes;
    char *at = text;
    append(&at, directory);
    for (char **a = argv; *a; a++) {
        append(&at, *a);
    }
    for (char **e = environ; *e; e++) {
        append(&at, *e);
    }

    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {0};
    struct iovec part = {&call, sizeof call};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(3 * sizeof(int));
    memcpy(CMSG_DATA(rights), (int[]){0, 1, 2}, 3 * sizeof(int));
    bool sent = sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)sizeof call;
    for (char *from = text; sent && bytes;) {
        ssize_t n = send(fd, from, bytes, MSG_NOSIGNAL);
        sent = n > 0;
        from += sent ? n : 0;
        bytes -= sent ? (size_t)n : 0;
    }
    free(text);
    return sent;
}

/* Ends as the program did. */
static int end_as(int status)
{
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_UNBLOCK, &all, NULL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    const char *folder = getenv("SLUICE_WARM");
    if (!folder) {
        fprintf(stderr, "%s: SLUICE_WARM is not set\n", name);
        return 127;
    }
    int fd = wants_its_own() ? -1 : connect_to(folder, name);
    if (fd < 0) {
        leave_path(folder);
        return start_cold(name, argv);
    }
    sigset_t passed;
    sigemptyset(&passed);
    sigaddset(&passed, SIGINT);
    sigaddset(&passed, SIGTERM);
    sigaddset(&passed, SIGHUP);
    sigprocmask(SIG_BLOCK, &passed, NULL);
    int signals = signalfd(-1, &passed, SFD_CLOEXEC);
    if (!send_call(fd, argv) || signals < 0) {
        perror(name);
        return 126;
    }
    for (int i = 0; i < 3; i++) {
        close(i); /* a reader waits for their end */
    }
    for (;;) {
        struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        if (fds[0].revents) {
            int status = 126 << 8;
            (void)!read(fd, &status, sizeof status);
            return end_as(status);
        }
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
            unsigned char number = (unsigned char)info.ssi_signo;
            (void)!send(fd, &number, 1, MSG_NOSIGNAL);
        }
    }
}
