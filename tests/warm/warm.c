/* SPDX-License-Identifier: BSD-2-Clause */
/* Preloaded into a program (LD_PRELOAD, WARM_SOCKET=socket): stops it before its main, and runs
 * that main in a fork for each call that comes by the socket. What the program costs before main is
 * paid once: ffprobe relocates 215 libraries for 0.2 s of CPU, and the tests call it thousands of
 * times. The forks are the program itself, with the caller's arguments, environment, directory and
 * standard streams; one whose caller goes away is killed. */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "message.h"

typedef int main_function(int, char **, char **);
typedef int start_function(main_function *, int, char **, void (*)(void), void (*)(void),
                           void (*)(void), void *);

start_function __libc_start_main; /* NOLINT: glibc's name for it */

#define CALLS_MAX 64
static struct running {
    int caller;
    int process; /* pidfd */
    pid_t pid;
} running[CALLS_MAX];
static nfds_t calls;
static main_function *program;

static void failed(const char *what)
{
    fprintf(stderr, "warm: %s: %s\n", what, strerror(errno));
    _exit(126);
}

static bool read_all(int fd, void *to, size_t size)
{
    char *at = to;
    while (size) {
        ssize_t n = read(fd, at, size);
        if (n <= 0) {
            return false;
        }
        at += n;
        size -= (size_t)n;
    }
    return true;
}

/* The head of a call and the caller's three streams; then its text, which is to be freed. */
static char *receive(int caller, struct call *call, int streams[3])
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control;
    struct iovec part = {call, sizeof *call};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    if (recvmsg(caller, &message, MSG_CMSG_CLOEXEC | MSG_WAITALL) != (ssize_t)sizeof *call) {
        return NULL;
    }
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (!rights || rights->cmsg_len != CMSG_LEN(3 * sizeof(int)) || call->bytes > CALL_MAX) {
        return NULL;
    }
    memcpy(streams, CMSG_DATA(rights), 3 * sizeof(int));
    char *text = calloc(call->bytes + 1, 1);
    if (!text || !read_all(caller, text, call->bytes)) {
        failed("call");
    }
    return text;
}

/* In the fork: becomes what the caller would have started. */
static void become(const struct call *call, char *text, const int streams[3])
{
    size_t words = (size_t)call->arguments + call->variables;
    char **argv = calloc(words + 2, sizeof *argv);
    if (!argv) {
        failed("call");
    }
    const char *directory = text;
    char *at = text + strlen(text) + 1;
    for (size_t i = 0; i < words && at < text + call->bytes; i++) {
        argv[i + (i >= call->arguments)] = at; /* past the null that ends the arguments */
        at += strlen(at) + 1;
    }
    environ = argv + call->arguments + 1;
    char *slash = strrchr(argv[0], '/');
    program_invocation_name = argv[0];
    program_invocation_short_name = slash ? slash + 1 : argv[0];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    if (chdir(directory) != 0) {
        failed(directory);
    }
    for (int i = 0; i < 3; i++) {
        if (dup2(streams[i], i) < 0) {
            failed("streams");
        }
    }
    setpriority(PRIO_PROCESS, 0, call->nice);
    closefrom(3);
    exit(program((int)call->arguments, argv, environ));
}

static void begin(int listener)
{
    int caller = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (caller < 0) {
        return;
    }
    struct call call;
    int streams[3];
    char *text = receive(caller, &call, streams);
    if (!text) {
        close(caller);
        return;
    }
    pid_t pid = fork();
    if (pid < 0) {
        failed("fork");
    }
    if (pid == 0) {
        become(&call, text, streams);
    }
    free(text);
    for (int i = 0; i < 3; i++) {
        close(streams[i]);
    }
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0) {
        failed("pidfd_open");
    }
    running[calls++] = (struct running){caller, process, pid};
}

/* Ended, or without a caller, or with a signal to pass on. True if it is no more. */
static bool attend(struct running *r, short process, short caller)
{
    int status = 0;
    if (process) {
        waitpid(r->pid, &status, 0);
        (void)!write(r->caller, &status, sizeof status);
        return true;
    }
    unsigned char number = 0;
    ssize_t n = caller ? recv(r->caller, &number, 1, MSG_DONTWAIT) : -1;
    if (n == 1) {
        kill(r->pid, number);
    }
    if (n == 0 || (caller & (POLLHUP | POLLERR))) {
        kill(r->pid, SIGKILL);
        waitpid(r->pid, NULL, 0);
        return true;
    }
    return false;
}

/* In place of main; the arguments are those of nobody. */
static int serve(int argc, char **argv, char **envp)
{
    (void)argc;
    (void)argv;
    (void)envp;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (self < 0) { /* before anybody relies on it */
        failed("pidfd_open");
    }
    close(self);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", getenv("WARM_SOCKET"));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(listener, 128) != 0) {
        failed(address.sun_path);
    }
    signal(SIGPIPE, SIG_IGN);
    for (;;) {
        struct pollfd fds[1 + 2 * CALLS_MAX];
        fds[0] = (struct pollfd){.fd = calls < CALLS_MAX ? listener : -1, .events = POLLIN};
        for (nfds_t i = 0; i < calls; i++) {
            fds[1 + 2 * i] = (struct pollfd){.fd = running[i].process, .events = POLLIN};
            fds[2 + 2 * i] = (struct pollfd){.fd = running[i].caller, .events = POLLIN};
        }
        nfds_t polled = calls;
        if (poll(fds, 1 + 2 * polled, -1) < 0) {
            continue;
        }
        nfds_t kept = 0;
        for (nfds_t i = 0; i < polled; i++) {
            if (attend(&running[i], fds[1 + 2 * i].revents, fds[2 + 2 * i].revents)) {
                close(running[i].process);
                close(running[i].caller);
            } else {
                running[kept++] = running[i];
            }
        }
        calls = kept;
        if (fds[0].revents) {
            begin(listener);
        }
    }
    return 0;
}

/* Called by the program's first instructions, with all libraries relocated and constructed. */
__attribute__((visibility("default"))) int
__libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                  void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_function *start;
    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    program = main;
    unsetenv("LD_PRELOAD");
    return start(getenv("WARM_SOCKET") ? serve : main, argc, argv, init, fini, rtld_fini,
                 stack_end);
}
