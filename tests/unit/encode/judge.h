/* SPDX-License-Identifier: BSD-2-Clause */
/* ffmpeg and ffprobe as independent judges, and what the encoder tests share. */
#ifndef SL_TEST_ENCODE_JUDGE_H
#define SL_TEST_ENCODE_JUDGE_H

#include <stdbool.h>

#include "encode/registry.h"
#include "scratch.h"
#include "unit.h"

#define JUDGE_PACKETS_MAX 4096

/* Runs a shell command. Fails the test unless it exits with 0 and says nothing on standard error.
 * Returns: its standard output, to be freed. */
char *judge_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The number after "key=" in what ffprobe printed; fails the test where there is none. */
long judge_number(const char *text, const char *key);
/* "key=value\n" is in the text. */
void judge_has(const char *text, const char *line);

/* All packets of an encode in coded order. */
struct judge_packets {
    struct sl_packet *packet[JUDGE_PACKETS_MAX];
    size_t count;
};
/* Sends count frames made by make(arg, i), drains, and keeps the packets. */
void judge_encode(struct sl_coder *e, struct sl_frame *(*make)(void *arg, int i), void *arg,
                  int count, struct judge_packets *out);
void judge_drop(struct judge_packets *p);
/* Writes the payloads one after the other. */
void judge_write(const struct judge_packets *p, const char *path);
/* One contiguous payload; valid while the packet is. */
const uint8_t *judge_payload(const struct sl_packet *p, size_t *size);

#endif
