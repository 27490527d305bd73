/* SPDX-License-Identifier: BSD-2-Clause */
/* What a handle has on its way in belongs to a session: a file temp/SESSION.lease, locked as long
 * as the process lives, and temporary files SESSION.N. The lease lists the objects that are
 * published and not yet pinned: gc keeps them while the lock is held. A process that dies in any
 * way loses the lock, and whoever comes next sweeps. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/io.h"
#include "store/cas.h"

#define LEASE_SUFFIX ".lease"
#define LEASE_MAX    1000000 /* objects */
#define LINE_SIZE    60      /* a CID as v1, and a newline */
#define ATTEMPTS     16
#define LOCK_FILE    "lock"

static int lock_fd(int fd, int how)
{
    int rc;

    do {
        rc = flock(fd, how);
    } while (rc < 0 && errno == EINTR);
    return rc;
}

enum sl_status sl_cas_sync(const struct sl_cas *cas, int fd, const char *name, struct sl_error *err)
{
    int rc;

    if ((cas->flags & SL_CAS_NO_SYNC) != 0) {
        return SL_OK;
    }
    do {
        rc = fsync(fd);
    } while (rc < 0 && errno == EINTR);
    /* Some file systems cannot sync a directory and need not. */
    if (rc < 0 && errno != EINVAL && errno != ENOTSUP) {
        return sl_io_write_failed(errno, name, err);
    }
    return SL_OK;
}

enum sl_status sl_cas_lock(struct sl_cas *cas, bool exclusive, int *lock, struct sl_error *err)
{
    /* Opened each time: a lock belongs to the open file, and threads of one handle need their own.
     */
    *lock = openat(cas->root, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*lock < 0) {
        return sl_fail_errno(err, errno, cas->directory, "open the lock");
    }
    if (lock_fd(*lock, exclusive ? LOCK_EX : LOCK_SH) < 0) {
        enum sl_status status = sl_fail_errno(err, errno, cas->directory, "lock");

        sl_cas_unlock(lock);
        return status;
    }
    return SL_OK;
}

void sl_cas_unlock(int *lock)
{
    if (*lock >= 0) {
        (void)close(*lock);
    }
    *lock = -1;
}

/* ---- a session of our own ------------------------------------------------------------------ */

/* Under the mutex. */
static enum sl_status begin(struct sl_cas *cas, struct sl_error *err)
{
    if ((cas->flags & SL_CAS_READ_ONLY) != 0) {
        return sl_fail(err, SL_EINVAL, cas->directory, "the store was opened for reading only");
    }
    for (int i = 0; i < ATTEMPTS; i++) {
        char name[SL_CAS_NAME_SIZE];
        struct stat st;
        uint64_t random;
        int fd;

        if (getentropy(&random, sizeof random) < 0) {
            return sl_fail_errno(err, errno, cas->directory, "random number");
        }
        (void)snprintf(cas->session, sizeof cas->session, "%016" PRIx64, random);
        (void)snprintf(name, sizeof name, "%s" LEASE_SUFFIX, cas->session);
        fd = openat(cas->temp, name, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (fd < 0 && (errno == EEXIST || errno == EINTR)) {
            continue;
        }
        if (fd < 0) {
            return sl_fail_errno(err, errno, cas->directory, "begin a session");
        }
        /* A sweep may have come between the two. */
        if (lock_fd(fd, LOCK_EX) == 0 && fstat(fd, &st) == 0 && st.st_nlink > 0) {
            cas->lease = fd;
            cas->leased = 0;
            return SL_OK;
        }
        (void)close(fd);
    }
    return sl_fail(err, SL_EIO, cas->directory, "a session cannot be begun");
}

enum sl_status sl_cas_temp_name(struct sl_cas *cas, char out[SL_CAS_NAME_SIZE],
                                struct sl_error *err)
{
    enum sl_status status;

    (void)pthread_mutex_lock(&cas->mutex);
    status = cas->lease < 0 ? begin(cas, err) : SL_OK;
    if (status == SL_OK) {
        (void)snprintf(out, SL_CAS_NAME_SIZE, "%s.%" PRIu64, cas->session, cas->temp_count++);
    }
    (void)pthread_mutex_unlock(&cas->mutex);
    return status;
}

enum sl_status sl_cas_temp_create(struct sl_cas *cas, char out[SL_CAS_NAME_SIZE], int *fd,
                                  struct sl_error *err)
{
    enum sl_status status = sl_cas_temp_name(cas, out, err);

    *fd = -1;
    if (status != SL_OK) {
        out[0] = '\0';
        return status;
    }
    do {
        *fd = openat(cas->temp, out, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (*fd < 0 && errno == EINTR);
    if (*fd < 0) {
        status = sl_fail_errno(err, errno, cas->directory, "make a temporary file");
        out[0] = '\0';
    }
    return status;
}

enum sl_status sl_cas_lease(struct sl_cas *cas, const struct sl_cid *cid, struct sl_error *err)
{
    struct sl_cid v1 = sl_cid_v1(cid);
    char line[SL_CID_TEXT_SIZE + 1];
    size_t length = strlen(sl_cid_text(&v1, line));
    enum sl_status status;

    line[length++] = '\n';
    (void)pthread_mutex_lock(&cas->mutex);
    status = cas->lease < 0 ? begin(cas, err) : SL_OK;
    if (status == SL_OK && cas->leased >= LEASE_MAX) {
        status = sl_fail(err, SL_ENOMEM, cas->directory,
                         "%d objects were added without a pin: pin or release them", LEASE_MAX);
    }
    if (status == SL_OK) {
        status = sl_io_write(cas->lease, line, length, cas->directory, err);
    }
    if (status == SL_OK) {
        cas->leased++;
    } else if (cas->lease >= 0) {
        /* Half a line would hide those that follow. */
        (void)!ftruncate(cas->lease, cas->leased * LINE_SIZE);
    }
    (void)pthread_mutex_unlock(&cas->mutex);
    return status;
}

void sl_cas_release(struct sl_cas *cas)
{
    (void)pthread_mutex_lock(&cas->mutex);
    if (cas->lease >= 0 && ftruncate(cas->lease, 0) == 0) {
        cas->leased = 0;
    }
    (void)pthread_mutex_unlock(&cas->mutex);
}

void sl_cas_session_end(struct sl_cas *cas)
{
    if (cas->lease >= 0) {
        char name[SL_CAS_NAME_SIZE];

        (void)snprintf(name, sizeof name, "%s" LEASE_SUFFIX, cas->session);
        (void)unlinkat(cas->temp, name, 0);
        (void)close(cas->lease);
        cas->lease = -1;
    }
}

/* ---- sessions of others -------------------------------------------------------------------- */

static bool is_lease(const char *name)
{
    size_t length = strlen(name), suffix = sizeof(LEASE_SUFFIX) - 1;

    return length == SL_CAS_SESSION_SIZE - 1 + suffix &&
           strcmp(name + length - suffix, LEASE_SUFFIX) == 0;
}

/* The temporary files first: as long as the lease is there, they are found again. */
static void remove_session(const struct sl_cas *cas, DIR *dir, const char *lease)
{
    struct dirent *d;

    rewinddir(dir);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while ((d = readdir(dir)) != NULL) {
        if (strncmp(d->d_name, lease, SL_CAS_SESSION_SIZE - 1) == 0 &&
            strcmp(d->d_name, lease) != 0) {
            (void)unlinkat(cas->temp, d->d_name, 0);
        }
    }
    (void)unlinkat(cas->temp, lease, 0);
}

static enum sl_status read_lease(int fd,
                                 enum sl_status (*each)(void *opaque, const struct sl_cid *cid,
                                                        struct sl_error *err),
                                 void *opaque, struct sl_error *err)
{
    char lines[LINE_SIZE * 64];

    for (int64_t at = 0;;) {
        size_t got = 0;
        enum sl_status status = sl_io_pread(fd, at, lines, sizeof lines, &got, "lease", err);

        for (size_t i = 0; status == SL_OK && i + LINE_SIZE <= got; i += LINE_SIZE) {
            struct sl_cid cid;

            if (sl_cid_parse(&cid, lines + i, LINE_SIZE - 1, NULL) == SL_OK) {
                status = each(opaque, &cid, err);
            }
        }
        if (status != SL_OK || got < sizeof lines) {
            return status;
        }
        at += (int64_t)got;
    }
}

struct names {
    char (*items)[SL_CAS_NAME_SIZE];
    size_t count, capacity;
};

/* A temporary file whose session has ended: the lease comes before it and goes before it. */
static void remove_orphan(const struct sl_cas *cas, const char *name)
{
    char lease[SL_CAS_NAME_SIZE];

    (void)snprintf(lease, sizeof lease, "%.16s" LEASE_SUFFIX, name);
    if (faccessat(cas->temp, lease, F_OK, 0) != 0 && errno == ENOENT) {
        (void)unlinkat(cas->temp, name, 0);
    }
}

static enum sl_status find_leases(const struct sl_cas *cas, DIR *dir, struct names *names,
                                  struct sl_error *err)
{
    struct dirent *d;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while ((d = readdir(dir)) != NULL) {
        if (!is_lease(d->d_name)) {
            if (d->d_name[0] != '.') {
                remove_orphan(cas, d->d_name);
            }
            continue;
        }
        if (sl_grow(&names->items, &names->capacity, names->count, sizeof *names->items,
                    SL_CAS_SET_MAX) != SL_OK) {
            return sl_fail_memory(err);
        }
        memcpy(names->items[names->count++], d->d_name, strlen(d->d_name) + 1); /* is_lease */
    }
    return SL_OK;
}

enum sl_status sl_cas_sweep(struct sl_cas *cas,
                            enum sl_status (*each)(void *opaque, const struct sl_cid *cid,
                                                   struct sl_error *err),
                            void *opaque, struct sl_error *err)
{
    struct names names = {0};
    enum sl_status status;
    DIR *dir;
    int fd = openat(cas->root, "temp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        status = sl_fail_errno(err, errno, cas->directory, "read temp");
        if (fd >= 0) {
            (void)close(fd);
        }
        return status;
    }
    status = find_leases(cas, dir, &names, err);
    for (size_t i = 0; i < names.count && status == SL_OK; i++) {
        int lease = openat(cas->temp, names.items[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

        if (lease < 0) {
            continue; /* ended just now */
        }
        if (lock_fd(lease, LOCK_EX | LOCK_NB) == 0) {
            remove_session(cas, dir, names.items[i]);
        } else if (errno != EWOULDBLOCK) {
            status = sl_fail_errno(err, errno, cas->directory, "lock");
        } else if (each) {
            status = read_lease(lease, each, opaque, err);
        }
        (void)close(lease);
    }
    sl_free((void *)names.items);
    (void)closedir(dir);
    return status;
}
