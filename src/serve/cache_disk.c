/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/cache_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/lru.h"
#include "base/publish.h"
#include "base/sha256.h"

/* A file is called by 32 digits of the SHA-256 of its key, in one of 256 directories by the first
 * two, and holds: magic, size of the key (32 bit), size of the rest (64 bit), the key, the rest. */
#define NAME_SIZE   32
#define HEX_DIGITS  "0123456789abcdef"
#define HEAD_SIZE   20
#define KEY_MAX     1024
#define FILES_MAX   1000000
#define TOUCH_AFTER 60 /* seconds: a file's time says when it was used, for the next start */

static const char magic[8] = "slcache1";

struct entry {
    struct sl_lru_node node; /* first */
    char name[NAME_SIZE + 1];
    int64_t size;
    int64_t touched; /* seconds; as the file's time has it */
};

struct sl_cache_disk {
    char *directory;
    int64_t limit, bytes;
    const struct sl_log *log;
    pthread_mutex_t lock;
    struct sl_lru table;
    time_t complained; /* about the disk: once a minute is enough */
};

static void name_of(const char *key, char name[NAME_SIZE + 1])
{
    uint8_t digest[SL_SHA256_SIZE];

    sl_sha256(key, strlen(key), digest);
    sl_sha256_hex(digest, NAME_SIZE / 2, name);
}

static char *path_of(const struct sl_cache_disk *c, const char *name)
{
    return sl_format("%s/%.2s/%s", c->directory, name, name);
}

/* Under the lock, as all that follows with an entry. */
static void forget(struct sl_cache_disk *c, struct entry *e, bool remove_file)
{
    char *path = remove_file ? path_of(c, e->name) : NULL;

    if (path) {
        (void)unlink(path);
    }
    sl_free(path);
    sl_lru_remove(&c->table, &e->node);
    c->bytes -= e->size;
    sl_free(e);
}

static void make_room(struct sl_cache_disk *c, int64_t size)
{
    while (c->table.oldest && (c->bytes + size > c->limit || c->table.count >= FILES_MAX)) {
        forget(c, (struct entry *)c->table.oldest, true);
    }
}

static void remember(struct sl_cache_disk *c, const char *name, int64_t size, int64_t touched)
{
    struct sl_lru_node *old = sl_lru_find(&c->table, name);
    struct entry *e;

    if (old) {
        forget(c, (struct entry *)old, false);
    }
    e = sl_alloc_zero(sizeof *e);
    if (!e) {
        return; /* the file is found again at the next start */
    }
    memcpy(e->name, name, NAME_SIZE);
    e->node.key = e->name;
    e->size = size;
    e->touched = touched;
    c->bytes += size;
    sl_lru_insert(&c->table, &e->node);
}

/* ---- what is there at the start ----------------------------------------------------------- */

struct found {
    char name[NAME_SIZE + 1];
    int64_t size, touched;
};

struct scan {
    struct found *items;
    size_t count, capacity;
};

static bool is_name(const char *text)
{
    return strlen(text) == NAME_SIZE && strspn(text, HEX_DIGITS) == NAME_SIZE;
}

static void scan_one(struct scan *s, const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *d;

    sl_publish_sweep(path);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (dir && (d = readdir(dir)) != NULL) {
        struct stat st;

        if (is_name(d->d_name) && fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) &&
            sl_grow(&s->items, &s->capacity, s->count, sizeof *s->items, FILES_MAX) == SL_OK) {
            struct found *f = &s->items[s->count++];

            memcpy(f->name, d->d_name, sizeof f->name);
            f->size = st.st_size;
            f->touched = st.st_mtim.tv_sec;
        }
    }
    if (dir) {
        (void)closedir(dir);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return x->touched < y->touched ? -1 : x->touched > y->touched;
}

static void scan(struct sl_cache_disk *c)
{
    DIR *dir = opendir(c->directory);
    struct scan s = {0};
    struct dirent *d;

    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (dir && (d = readdir(dir)) != NULL) {
        char *path = strlen(d->d_name) == 2 && strspn(d->d_name, HEX_DIGITS) == 2
                         ? sl_format("%s/%s", c->directory, d->d_name)
                         : NULL;

        if (path) {
            scan_one(&s, path);
        }
        sl_free(path);
    }
    if (dir) {
        (void)closedir(dir);
    }
    if (s.count > 0) {
        qsort(s.items, s.count, sizeof *s.items, by_time);
    }
    for (size_t i = 0; i < s.count; i++) {
        remember(c, s.items[i].name, s.items[i].size, s.items[i].touched);
    }
    sl_free(s.items);
    make_room(c, 0);
    if (c->table.count > 0) {
        sl_log_write(c->log, SL_LOG_INFO, "cache", "%s: %zu files, %" PRId64 " bytes", c->directory,
                     c->table.count, c->bytes);
    }
}

enum sl_status sl_cache_disk_open(struct sl_cache_disk **out, const char *directory, int64_t limit,
                                  const struct sl_log *log, struct sl_error *err)
{
    struct sl_cache_disk *c = sl_alloc_zero(sizeof *c);
    enum sl_status status = SL_OK;

    *out = NULL;
    if (!c) {
        return sl_fail_memory(err);
    }
    (void)pthread_mutex_init(&c->lock, NULL);
    c->limit = limit;
    c->log = log;
    c->directory = sl_strdup(directory);
    if (!c->directory) {
        status = sl_fail_memory(err);
        goto out;
    }
    status = sl_lru_init(&c->table, 16384, err);
    if (status == SL_OK) {
        status = sl_make_directories(directory, err);
    }
    if (status == SL_OK && access(directory, W_OK) != 0) {
        status = sl_fail_errno(err, errno, directory, "the cache cannot be written");
    }
    if (status == SL_OK) {
        scan(c);
    }
out:
    if (status != SL_OK) {
        sl_cache_disk_close(&c);
    }
    *out = c;
    return status;
}

void sl_cache_disk_close(struct sl_cache_disk **out)
{
    struct sl_cache_disk *c = *out;

    *out = NULL;
    if (!c) {
        return;
    }
    while (c->table.oldest) {
        forget(c, (struct entry *)c->table.oldest, false);
    }
    sl_lru_clear(&c->table);
    (void)pthread_mutex_destroy(&c->lock);
    sl_free(c->directory);
    sl_free(c);
}

/* ---- use ---------------------------------------------------------------------------------- */

/* Whether the file is what key asks for, and all of it. *payload is where the rest begins. */
static bool check(int fd, const char *key, int64_t *payload, int64_t *size)
{
    uint8_t head[HEAD_SIZE + KEY_MAX];
    size_t length = strlen(key);
    struct sl_reader r;
    struct stat st;

    if (length > KEY_MAX || fstat(fd, &st) != 0 ||
        pread(fd, head, HEAD_SIZE + length, 0) != (ssize_t)(HEAD_SIZE + length) ||
        memcmp(head, magic, sizeof magic) != 0) {
        return false;
    }
    sl_reader_init(&r, head + sizeof magic, HEAD_SIZE - sizeof magic);
    if (sl_read_be32(&r) != length) {
        return false;
    }
    *payload = HEAD_SIZE + (int64_t)length;
    *size = (int64_t)sl_read_be64(&r);
    return *size == st.st_size - *payload && memcmp(head + HEAD_SIZE, key, length) == 0;
}

static struct sl_answer *load(const char *path, const char *key, bool touch)
{
    struct sl_answer *answer = NULL;
    struct sl_file *file = NULL;
    int64_t payload, size;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0) {
        return NULL;
    }
    if (!check(fd, key, &payload, &size)) {
        (void)close(fd);
        return NULL;
    }
    if (touch) {
        (void)futimens(fd, NULL);
    }
    if (sl_file_wrap(&file, fd, path, NULL) != SL_OK) {
        return NULL;
    }
    if (sl_answer_create(&answer, NULL) == SL_OK &&
        sl_chain_add_file(&answer->chain, file, payload, (size_t)size, NULL) != SL_OK) {
        sl_answer_unref(&answer);
    }
    sl_file_unref(&file);
    return answer;
}

struct sl_answer *sl_cache_disk_get(struct sl_cache_disk *c, const char *key)
{
    struct sl_answer *answer = NULL;
    char name[NAME_SIZE + 1] = "";
    struct sl_lru_node *node;
    char *path = NULL;
    bool touch = false;

    name_of(key, name);
    (void)pthread_mutex_lock(&c->lock);
    node = sl_lru_find(&c->table, name);
    if (node) {
        struct entry *e = (struct entry *)node;
        int64_t now = (int64_t)time(NULL);

        sl_lru_touch(&c->table, node);
        touch = now - e->touched > TOUCH_AFTER;
        e->touched = touch ? now : e->touched;
        path = path_of(c, name);
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (!path) {
        return NULL;
    }
    answer = load(path, key, touch);
    if (!answer) {
        /* Gone, cut off, or of somebody else: it is of no use to anybody. */
        (void)pthread_mutex_lock(&c->lock);
        node = sl_lru_find(&c->table, name);
        if (node) {
            forget(c, (struct entry *)node, true);
        }
        (void)pthread_mutex_unlock(&c->lock);
    }
    sl_free(path);
    return answer;
}

static void complain(struct sl_cache_disk *c, const struct sl_error *err)
{
    time_t now = time(NULL);
    char text[512];
    bool say;

    (void)pthread_mutex_lock(&c->lock);
    say = c->complained == 0 || now - c->complained >= 60;
    c->complained = say ? now : c->complained;
    (void)pthread_mutex_unlock(&c->lock);
    if (say) {
        sl_log_write(c->log, SL_LOG_WARN, "cache", "not kept: %s",
                     sl_error_format(err, text, sizeof text));
    }
}

static enum sl_status make_directory_of(const char *path, struct sl_error *err)
{
    char *directory = sl_strdup(path);
    enum sl_status status;

    if (!directory) {
        return sl_fail_memory(err);
    }
    *strrchr(directory, '/') = '\0';
    status = sl_make_directories(directory, err);
    sl_free(directory);
    return status;
}

static enum sl_status store(const char *path, const char *key, const struct sl_chain *chain,
                            struct sl_error *err)
{
    struct sl_publish *p = NULL;
    struct sl_writer head;
    enum sl_status status;

    sl_writer_init(&head, HEAD_SIZE + KEY_MAX);
    sl_write_bytes(&head, magic, sizeof magic);
    sl_write_be32(&head, (uint32_t)strlen(key));
    sl_write_be64(&head, (uint64_t)chain->size);
    sl_write_text(&head, key);
    status = sl_writer_finish(&head, err);
    if (status == SL_OK) {
        status = make_directory_of(path, err);
    }
    if (status == SL_OK) {
        status = sl_publish_open(&p, path, err);
    }
    if (status == SL_OK) {
        status = sl_publish_write(p, head.data, head.size, err);
    }
    if (status == SL_OK) {
        status = sl_publish_chain(p, chain, err);
    }
    if (status == SL_OK) {
        /* Not synced: after a power failure a file may be cut off, which its head gives away. */
        status = sl_publish_commit_unsynced(&p, err);
    }
    sl_publish_abort(&p);
    sl_writer_clear(&head);
    return status;
}

void sl_cache_disk_put(struct sl_cache_disk *c, const char *key, const struct sl_chain *chain)
{
    int64_t size = HEAD_SIZE + (int64_t)strlen(key) + chain->size;
    char name[NAME_SIZE + 1] = "";
    struct sl_error err = {0};
    char *path;

    if (size > c->limit / 4 || strlen(key) > KEY_MAX) {
        return;
    }
    name_of(key, name);
    path = path_of(c, name);
    if (!path) {
        return;
    }
    (void)pthread_mutex_lock(&c->lock);
    make_room(c, size);
    (void)pthread_mutex_unlock(&c->lock);
    if (store(path, key, chain, &err) == SL_OK) {
        (void)pthread_mutex_lock(&c->lock);
        remember(c, name, size, (int64_t)time(NULL));
        make_room(c, 0);
        (void)pthread_mutex_unlock(&c->lock);
    } else {
        complain(c, &err);
    }
    sl_free(path);
}

void sl_cache_disk_sizes(struct sl_cache_disk *c, int64_t *bytes, int64_t *count)
{
    (void)pthread_mutex_lock(&c->lock);
    *bytes = c->bytes;
    *count = (int64_t)c->table.count;
    (void)pthread_mutex_unlock(&c->lock);
}
