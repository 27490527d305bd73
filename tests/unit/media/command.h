/* SPDX-License-Identifier: BSD-2-Clause */
/* ffmpeg and ffprobe as judges. */
#ifndef SL_TEST_MEDIA_COMMAND_H
#define SL_TEST_MEDIA_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

/* Runs a shell command. Fails the test unless it exits with 0. Returns: its standard output, to be
 * freed. */
char *command_run(const char *fmt, ...) SL_PRINTF(1, 2);

/* What ffprobe says of the first video or audio stream of a file. */
struct probe {
    char *text;
};
void probe_open(struct probe *p, const char *path, const char *stream);
void probe_close(struct probe *p);
/* The value behind "key=", valid until the next call; "" where there is none. */
const char *probe_text(struct probe *p, const char *key);
long probe_number(struct probe *p, const char *key);

/* The payload of the first box of this type that begins with the given byte: enough to find avcC,
 * hvcC and esds in what ffmpeg wrote. NULL: none. */
const uint8_t *find_box(const uint8_t *file, size_t file_size, const char type[4], uint8_t first,
                        size_t *size);

#endif
