/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* One segment, percent escapes resolved, at out; room counts the terminator, which is not
 * written. */
static int decode_segment(const char *p, size_t size, char *out, size_t room, size_t *length)
{
    size_t n = 0;

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c == '%') {
            int high = size - i > 2 ? hex_value(p[i + 1]) : -1;
            int low = size - i > 2 ? hex_value(p[i + 2]) : -1;

            if (high < 0 || low < 0) {
                return 400;
            }
            c = (unsigned char)(high << 4 | low);
            i += 2;
        }
        /* An encoded slash would be a separator to the file system and none to the client. */
        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\') {
            return 400;
        }
        if (n + 1 >= room) {
            return 414;
        }
        out[n++] = (char)c;
    }
    *length = n;
    return 0;
}

bool sl_path_name_served(const char *name, size_t size)
{
    static const char unfinished[] = ".sltmp"; /* base/publish.h */
    const size_t tail = sizeof unfinished - 1;

    return size > 0 && name[0] != '.' &&
           (size < tail || memcmp(name + size - tail, unfinished, tail) != 0);
}

int sl_path_decode(const char *path, size_t size, char *out)
{
    size_t at = 0; /* out holds at bytes, without a slash at the end */
    bool directory = true;

    if (size == 0 || path[0] != '/') {
        return 400;
    }
    for (size_t i = 1; i <= size;) {
        const char *slash = i < size ? memchr(path + i, '/', size - i) : NULL;
        size_t end = slash ? (size_t)(slash - path) : size;
        size_t start = at > 0 ? at + 1 : 0, length;
        int status;

        if (start >= SL_SERVE_PATH_MAX) {
            return 414;
        }
        status = decode_segment(path + i, end - i, out + start, SL_SERVE_PATH_MAX - start, &length);
        if (status) {
            return status;
        }
        directory = true;
        if (length == 2 && memcmp(out + start, "..", 2) == 0) {
            if (at == 0) {
                return 400;
            }
            while (at > 0 && out[--at] != '/') {
                ;
            }
        } else if (length == 0 && slash) {
            return 404; /* an empty segment: a second name for something else */
        } else if (length > 0 && !(length == 1 && out[start] == '.')) {
            if (!sl_path_name_served(out + start, length)) {
                return 404;
            }
            if (start > 0) {
                out[start - 1] = '/';
            }
            at = start + length;
            directory = false;
        }
        i = end + 1;
    }
    out[at] = '\0';
    return directory && at > 0 ? 404 : 0;
}

static int open_beneath(int root, const char *relative, unsigned flags)
{
    struct open_how how = {
        .flags = flags,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd;
    int tries = 0;

    /* EAGAIN: a rename raced with "..", openat2(2) */
    do {
        fd = syscall(SYS_openat2, root, relative, &how, sizeof how);
    } while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 8)));
    return fd < 0 ? -errno : (int)fd;
}

bool sl_path_have_openat2(int root)
{
    int fd = open_beneath(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    (void)close(fd);
    return true;
}

/* For kernels before 5.6 and sandboxes that know no openat2: one component at a time, and no
 * symbolic link anywhere. */
static int open_stepwise(int root, const char *relative, unsigned flags)
{
    char name[SL_SERVE_PATH_MAX];
    int dir = root, fd = -ENOENT;

    for (;;) {
        const char *slash = strchr(relative, '/');
        size_t length = slash ? (size_t)(slash - relative) : strlen(relative);
        unsigned how = slash ? O_PATH | O_DIRECTORY | O_CLOEXEC : flags;

        if (length >= sizeof name) {
            fd = -ENAMETOOLONG;
        } else {
            memcpy(name, relative, length);
            name[length] = '\0';
            do {
                fd = openat(dir, name, (int)(how | O_NOFOLLOW));
            } while (fd < 0 && errno == EINTR);
            if (fd < 0) {
                fd = -errno;
            }
        }
        if (dir != root) {
            (void)close(dir);
        }
        if (fd < 0 || !slash) {
            return fd;
        }
        dir = fd;
        relative = slash + 1;
    }
}

int sl_path_open(int root, const char *relative, bool directory, bool have_openat2)
{
    /* O_NONBLOCK: opening a FIFO would wait for its writer; regular files ignore it. */
    unsigned flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

    if (directory) {
        flags |= O_DIRECTORY;
    }
    if (relative[0] == '\0') {
        relative = ".";
    }
    return have_openat2 ? open_beneath(root, relative, flags)
                        : open_stepwise(root, relative, flags);
}
