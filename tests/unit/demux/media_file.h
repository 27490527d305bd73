/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: media files, opened as the pipeline opens them, and made by ffmpeg. */
#ifndef SL_TEST_MEDIA_FILE_H
#define SL_TEST_MEDIA_FILE_H

#include "media/stage.h"

#define CORPUS "/work/shared/corpus" /* read where it exists, never needed */

struct media_file {
    struct sl_source *source;
    struct sl_window *window;
    struct sl_demuxer *demuxer;
};

/* Opens path; where that fails, *err says why and nothing is left open. */
enum sl_status media_file_try(struct media_file *m, const char *path, struct sl_error *err);
/* The same, and the test fails with the message. */
void media_file_open(struct media_file *m, const char *path);
/* The same as media_file_try with this demuxer, whoever would be chosen; NULL: that one. */
enum sl_status media_file_try_with(struct media_file *m, const char *path,
                                   const struct sl_demuxer_ops *ops, struct sl_error *err);
void media_file_close(struct media_file *m);

/* Fails the test, with the message, unless status is SL_OK. */
void check_ok(enum sl_status status, const struct sl_error *err);
/* Runs a shell command and fails the test unless it succeeds. */
void run_command(const char *format, ...) SL_PRINTF(1, 2);
/* "ffmpeg <arguments>", quiet. */
void run_ffmpeg(const char *format, ...) SL_PRINTF(1, 2);

#endif
