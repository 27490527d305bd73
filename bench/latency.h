/* SPDX-License-Identifier: BSD-2-Clause */
/* What the programs of bench/latency share: pictures in memory, the clock around each of them, the
 * stream in memory, and what is told at the end.
 *
 * PROGRAM PRESET WIDTH HEIGHT RATE BIT/S THREADS FRAMES IN.yuv OUT
 *
 * IN.yuv: 8-bit 4:2:0 planes, one picture after the other. OUT gets the stream. Prints JSON.
 *
 * With LATENCY_TURN="R,W,N" two programs take turns of N pictures: each waits for a byte from
 * descriptor R, and passes it on through W. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct job {
    const char *preset, *out;
    int width, height, rate, bitrate, threads, frames;
    const uint8_t *pictures; /* mapped */
    uint8_t *stream;
    size_t size, room;
    int64_t *spent; /* nanoseconds of each picture */
    int coded;
    int64_t started, cpu;
    int turn_in, turn_out, turn; /* turn 0: alone */
};

static inline void die(const char *what)
{
    (void)fprintf(stderr, "latency: %s\n", what);
    exit(1);
}

static inline int64_t now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Of all threads. */
static inline int64_t cpu_now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline size_t picture_bytes(const struct job *j)
{
    return (size_t)j->width * (size_t)j->height * 3 / 2;
}

static inline const uint8_t *plane(const struct job *j, int picture, int i)
{
    size_t luma = (size_t)j->width * (size_t)j->height;
    return j->pictures + (size_t)picture * picture_bytes(j) +
           (i == 0 ? 0 : luma + (size_t)(i - 1) * luma / 4);
}

/* Everything is touched before the clock starts: the pictures, and room for the stream. */
static inline struct job job_open(int argc, char **argv)
{
    struct job j = {0};
    if (argc != 10) {
        die("PRESET WIDTH HEIGHT RATE BIT/S THREADS FRAMES IN.yuv OUT");
    }
    j.preset = argv[1];
    j.width = atoi(argv[2]);
    j.height = atoi(argv[3]);
    j.rate = atoi(argv[4]);
    j.bitrate = atoi(argv[5]);
    j.threads = atoi(argv[6]);
    j.frames = atoi(argv[7]);
    j.out = argv[9];
    size_t bytes = picture_bytes(&j) * (size_t)j.frames;
    int fd = open(argv[8], O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size < bytes) {
        die("the pictures cannot be read");
    }
    void *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    j.room = bytes;
    j.stream = malloc(j.room);
    j.spent = calloc((size_t)j.frames, sizeof *j.spent);
    if (map == MAP_FAILED || !j.stream || !j.spent) {
        die("out of memory");
    }
    j.pictures = map;
    memset(j.stream, 1, j.room);
    const char *turn = getenv("LATENCY_TURN");
    if (turn && sscanf(turn, "%d,%d,%d", &j.turn_in, &j.turn_out, &j.turn) != 3) {
        die("LATENCY_TURN: three numbers were expected");
    }
    return j;
}

static inline void turn_begin(const struct job *j)
{
    char token;
    if (read(j->turn_in, &token, 1) != 1) {
        die("the other one has gone");
    }
}

static inline void turn_end(const struct job *j)
{
    (void)!write(j->turn_out, "", 1); /* at the very end nobody may be waiting */
}

static inline void job_begin(struct job *j)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (j->turn > 0) {
        turn_begin(j);
    }
    j->cpu = cpu_now();
}

static inline void picture_begin(struct job *j)
{
    if (j->turn > 0 && j->coded > 0 && j->coded % j->turn == 0) {
        turn_end(j);
        turn_begin(j);
    }
    j->started = now();
}

static inline void take(struct job *j, const void *data, size_t size)
{
    if (size > j->room - j->size) {
        die("the stream is larger than the pictures");
    }
    memcpy(j->stream + j->size, data, size);
    j->size += size;
}

static inline void picture_end(struct job *j)
{
    j->spent[j->coded++] = now() - j->started;
}

static inline void job_end(struct job *j)
{
    int64_t cpu = cpu_now() - j->cpu;
    if (j->turn > 0) {
        turn_end(j);
    }
    FILE *out = fopen(j->out, "wb");
    if (!out || fwrite(j->stream, 1, j->size, out) != j->size || fclose(out) != 0) {
        die("the stream cannot be written");
    }
    printf("{\"cpu_ns\":%lld,\"bytes\":%zu,\"spent_ns\":[", (long long)cpu, j->size);
    for (int i = 0; i < j->coded; i++) {
        printf("%s%lld", i > 0 ? "," : "", (long long)j->spent[i]);
    }
    printf("]}\n");
}

#endif
