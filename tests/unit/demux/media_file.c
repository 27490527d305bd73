/* SPDX-License-Identifier: BSD-2-Clause */
#include "media_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "demux/registry.h"
#include "source/source.h"
#include "unit.h"

enum sl_status media_file_try_with(struct media_file *m, const char *path,
                                   const struct sl_demuxer_ops *ops, struct sl_error *err)
{
    enum sl_status status = SL_OK;
    memset(m, 0, sizeof *m);
    status = sl_source_open(&m->source, path, err);
    if (status == SL_OK) {
        status = sl_window_create(&m->window, &m->source->bytes, err);
    }
    if (status == SL_OK) {
        status = ops ? ops->open(&m->demuxer, m->window, NULL, err)
                     : sl_demux_open(&m->demuxer, m->window, NULL, err);
    }
    if (status != SL_OK) {
        media_file_close(m);
    }
    return status;
}

enum sl_status media_file_try(struct media_file *m, const char *path, struct sl_error *err)
{
    return media_file_try_with(m, path, NULL, err);
}

void media_file_open(struct media_file *m, const char *path)
{
    struct sl_error err = {0};
    check_ok(media_file_try(m, path, &err), &err);
}

void media_file_close(struct media_file *m)
{
    sl_demux_destroy(&m->demuxer);
    sl_window_destroy(&m->window);
    sl_source_destroy(&m->source);
}

void check_ok(enum sl_status status, const struct sl_error *err)
{
    char text[512];
    if (status != SL_OK) {
        fail_msg("%s: %s", sl_status_name(status), sl_error_format(err, text, sizeof text));
    }
}

static void run(const char *command)
{
    if (system(command) != 0) {
        fail_msg("failed: %s", command);
    }
}

void run_command(const char *format, ...)
{
    char command[4096];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command, sizeof command, format, args);
    va_end(args);
    run(command);
}

void run_ffmpeg(const char *format, ...)
{
    char command[4096] = "ffmpeg -v error -nostdin -y ";
    size_t n = strlen(command);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(command + n, sizeof command - n, format, args);
    va_end(args);
    run(command);
}
