/* SPDX-License-Identifier: BSD-2-Clause */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "unit.h"

#define OUTPUT_MAX (1u << 22)

char *command_run(const char *fmt, ...)
{
    char command[2048];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    assert_in_range(n, 1, sizeof command - 1);

    FILE *pipe = popen(command, "r");
    char *text = malloc(OUTPUT_MAX);
    assert_non_null(pipe);
    assert_non_null(text);
    const size_t size = fread(text, 1, OUTPUT_MAX - 1, pipe);
    text[size] = '\0';
    const int status = pclose(pipe);
    if (status != 0) {
        fail_msg("status %d of: %s", status, command);
    }
    return text;
}

void probe_open(struct probe *p, const char *path, const char *stream)
{
    p->text = command_run("ffprobe -v error -select_streams %s -show_streams "
                          "-of default=noprint_wrappers=1 '%s'",
                          stream, path);
}

void probe_close(struct probe *p)
{
    free(p->text);
    p->text = NULL;
}

const char *probe_text(struct probe *p, const char *key)
{
    static char value[128];
    const size_t length = strlen(key);

    value[0] = '\0';
    for (const char *line = p->text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && line[length] == '=') {
            const size_t size = strcspn(line + length + 1, "\n");
            assert_true(size < sizeof value);
            memcpy(value, line + length + 1, size);
            value[size] = '\0';
            break;
        }
    }
    return value;
}

long probe_number(struct probe *p, const char *key)
{
    return strtol(probe_text(p, key), NULL, 10);
}

const uint8_t *find_box(const uint8_t *file, size_t file_size, const char type[4], uint8_t first,
                        size_t *size)
{
    for (size_t i = 4; i + 4 < file_size; i++) {
        if (memcmp(file + i, type, 4) == 0 && file[i + 4] == first) {
            struct sl_reader r;
            sl_reader_init(&r, file + i - 4, 4);
            *size = sl_read_be32(&r) - 8;
            return *size <= file_size - i - 4 ? file + i + 4 : NULL;
        }
    }
    return NULL;
}
