/* SPDX-License-Identifier: BSD-2-Clause */
/* Who writes a run: "random boot namespace process started", all of it from the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"
#include "registry/internal.h"

#define PART_MAX 48 /* of a writer's text */
#define STAT_MAX 1024

/* The first line of a small file of /proc. */
static bool read_line(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    if (fd >= 0) {
        (void)close(fd);
    }
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\n")] = 0;
    return n > 0;
}

/* "boot namespace": processes of one number are the same only within both. */
static bool place(char *out, size_t size)
{
    char boot[PART_MAX], space[PART_MAX];
    ssize_t n = readlink("/proc/self/ns/pid", space, sizeof(space) - 1);

    if (n <= 0 || !read_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot))) {
        return false;
    }
    space[n] = 0;
    return snprintf(out, size, "%s %s", boot, space) < (int)size;
}

/* proc(5): field 22 of stat, in ticks since the boot; the name in field 2 may hold anything. One
 * that has ended and waits for its parent (state Z) counts as started at 0. */
static bool started(long pid, unsigned long long *out)
{
    char path[40], stat[STAT_MAX];
    char *p;
    bool ended;

    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    if (!read_line(path, stat, sizeof(stat))) {
        return false;
    }
    p = strrchr(stat, ')');
    ended = p && p[1] && (p[2] == 'Z' || p[2] == 'X');
    for (int field = 2; p && field < 22; field++) {
        p = strchr(p + 1, ' ');
    }
    *out = p && !ended ? strtoull(p + 1, NULL, 10) : 0;
    return p != NULL;
}

enum sl_status sl_writer_self(char out[SL_WRITER_MAX], struct sl_error *err)
{
    char where[2 * PART_MAX];
    unsigned long long start = 0;
    uint64_t nonce;

    if (getrandom(&nonce, sizeof(nonce), 0) != (ssize_t)sizeof(nonce)) {
        return sl_fail_errno(err, errno, "registry", "getrandom");
    }
    if (!place(where, sizeof(where)) || !started((long)getpid(), &start)) {
        (void)snprintf(where, sizeof(where), "- -"); /* known by the lease alone */
    }
    (void)snprintf(out, SL_WRITER_MAX, "%016" PRIx64 " %s %ld %llu", nonce, where, (long)getpid(),
                   start);
    return SL_OK;
}

bool sl_writer_is_dead(const char *writer)
{
    char where[2 * PART_MAX];
    const char *own = strchr(writer, ' ');
    unsigned long long start, now;
    char *end;
    long pid;

    if (!own || !place(where, sizeof(where)) || strncmp(own + 1, where, strlen(where)) != 0 ||
        own[1 + strlen(where)] != ' ') {
        return false; /* elsewhere, or before a boot */
    }
    pid = strtol(own + 1 + strlen(where), &end, 10);
    start = strtoull(end, NULL, 10);
    if (pid <= 0) {
        return false;
    }
    if (kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
        return true;
    }
    return started(pid, &now) && now != start; /* another one that got its number */
}
