/* SPDX-License-Identifier: BSD-2-Clause */
/* Part of the test double of NVIDIA's driver (standin.h): counts, failures, violations. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

#define CALLS_MAX  256
#define KINDS_MAX  16
#define RANGES_MAX 65536

static struct {
    const char *name;
    unsigned count;
} calls[CALLS_MAX];
static struct {
    const char *kind;
    int count;
} objects[KINDS_MAX];
static struct {
    char call[64];
    unsigned nth; /* 0: off */
    int status;
    bool happened;
} injection;
static char ranges[RANGES_MAX];
static size_t ranges_used;
static pthread_mutex_t mutex;
static pthread_once_t once = PTHREAD_ONCE_INIT;

STANDIN_API standin_control_get standin_control;

static void make_mutex(void)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&mutex, &attr);
    pthread_mutexattr_destroy(&attr);
}

void standin_lock(void)
{
    pthread_once(&once, make_mutex);
    pthread_mutex_lock(&mutex);
}

void standin_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

const char *standin_setting(const char *name)
{
    char key[64];
    (void)snprintf(key, sizeof key, "SLUICE_STANDIN_%s", name);
    return getenv(key);
}

void standin_violation(const char *call, const char *fmt, ...)
{
    va_list args;
    fprintf(stderr, "NVENC stand-in: %s: ", call);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\n");
    abort();
}

static unsigned *counter(const char *name)
{
    for (size_t i = 0; i < CALLS_MAX; i++) {
        if (!calls[i].name) {
            calls[i].name = strdup(name); /* never freed: reachable to the end */
        }
        if (calls[i].name && strcmp(calls[i].name, name) == 0) {
            return &calls[i].count;
        }
    }
    standin_violation(name, "more than %d kinds of call", CALLS_MAX);
}

static bool must_fail(const char *name, unsigned count, int *status)
{
    if (injection.nth > 0 && strcmp(injection.call, name) == 0) {
        if (count == injection.nth) {
            injection.happened = true;
            *status = injection.status;
            return true;
        }
        return false;
    }
    const char *setting = standin_setting("FAIL");
    const char *colon = setting ? strchr(setting, ':') : NULL;
    unsigned nth;
    if (!colon || (size_t)(colon - setting) != strlen(name) ||
        strncmp(setting, name, strlen(name)) != 0 || sscanf(colon, ":%u:%d", &nth, status) != 2 ||
        nth != count) {
        return false;
    }
    injection.happened = true;
    return true;
}

bool standin_call(const char *name, int *status)
{
    standin_lock();
    unsigned *count = counter(name);
    bool fails = must_fail(name, ++*count, status);
    standin_unlock();
    return fails;
}

bool standin_has_failed(void)
{
    standin_lock();
    bool is = injection.happened;
    standin_unlock();
    return is;
}

void standin_object(const char *kind, int change)
{
    standin_lock();
    for (size_t i = 0; i < KINDS_MAX; i++) {
        if (!objects[i].kind || strcmp(objects[i].kind, kind) == 0) {
            objects[i].kind = kind;
            objects[i].count += change;
            break;
        }
    }
    standin_unlock();
}

void standin_range(const char *name)
{
    standin_lock();
    int n = snprintf(ranges + ranges_used, sizeof ranges - ranges_used, "%s%s", name ? name : "",
                     name ? ">" : "<");
    if (n > 0 && ranges_used + (size_t)n < sizeof ranges) {
        ranges_used += (size_t)n;
    }
    standin_unlock();
}

/* ---- for tests ------------------------------------------------------------------------------ */

static void reset(void)
{
    standin_lock();
    for (size_t i = 0; i < CALLS_MAX; i++) {
        calls[i].count = 0;
    }
    memset(&injection, 0, sizeof injection);
    ranges_used = 0;
    ranges[0] = '\0';
    standin_unlock();
}

static void inject(const char *call, unsigned nth, int status)
{
    standin_lock();
    memset(&injection, 0, sizeof injection);
    (void)snprintf(injection.call, sizeof injection.call, "%s", call);
    injection.nth = nth;
    injection.status = status;
    standin_unlock();
}

static unsigned count(const char *call)
{
    standin_lock();
    unsigned is = *counter(call);
    standin_unlock();
    return is;
}

static const char *call_at(size_t index)
{
    return index < CALLS_MAX ? calls[index].name : NULL;
}

static size_t live(char *text, size_t size)
{
    size_t total = 0, used = 0;
    standin_lock();
    text[0] = '\0';
    for (size_t i = 0; i < KINDS_MAX; i++) {
        if (objects[i].count != 0) {
            int n =
                snprintf(text + used, size - used, "%s: %d; ", objects[i].kind, objects[i].count);
            used += n > 0 && used + (size_t)n < size ? (size_t)n : 0;
            total += (size_t)(objects[i].count > 0 ? objects[i].count : -objects[i].count);
        }
    }
    standin_unlock();
    return total;
}

static const char *range_names(void)
{
    return ranges;
}

const struct standin_control *standin_control(void)
{
    static const struct standin_control control = {
        .reset = reset,
        .inject = inject,
        .injected = standin_has_failed,
        .count = count,
        .call = call_at,
        .live = live,
        .ranges = range_names,
    };
    return &control;
}

/* Nothing may be left when the process ends in the ordinary way. */
__attribute__((destructor)) static void at_end(void)
{
    char text[512];
    const char *path = standin_setting("COUNTS");
    FILE *file = path ? fopen(path, "w") : NULL;
    for (size_t i = 0; file && i < CALLS_MAX && calls[i].name; i++) {
        fprintf(file, "%s %u\n", calls[i].name, calls[i].count);
    }
    if (file) {
        fclose(file);
    }
    if (live(text, sizeof text) > 0) {
        standin_violation("end of the process", "left behind: %s", text);
    }
}
