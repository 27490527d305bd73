/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of `sluice encode`. */
#ifndef SL_PIPELINE_ENCODE_FILE_RUN_H
#define SL_PIPELINE_ENCODE_FILE_RUN_H

#include "base/bytes.h"
#include "base/pool.h"
#include "base/publish.h"
#include "media/codec_string.h"
#include "pipeline/encode_file.h"
#include "pipeline/encoder.h"
#include "pipeline/ladder_run.h"

/* ---- encode_file_out.c: what is written ------------------------------------------------- */

/* A file that appears when it is complete, or standard output. */
struct sl_encode_sink {
    bool used;
    struct sl_publish *file; /* NULL: standard output */
};
/* An empty path is a sink that is not used. */
SL_NODISCARD enum sl_status sl_encode_sink_open(struct sl_encode_sink *s, const char *path,
                                                struct sl_error *err);
SL_NODISCARD enum sl_status sl_encode_sink_write(struct sl_encode_sink *s, const void *data,
                                                 size_t size, struct sl_error *err);
SL_NODISCARD enum sl_status sl_encode_sink_commit(struct sl_encode_sink *s, struct sl_error *err);
void sl_encode_sink_abort(struct sl_encode_sink *s);

/* Lines of JSON about what comes out. */
struct sl_encode_lines {
    struct sl_encode_sink sink;
    struct sl_writer waiting;
    bool at_once; /* somebody may be reading along */
    char codecs[SL_CODEC_STRING_MAX];
    const char *backend; /* static storage; both as the last stream line says */
};
SL_NODISCARD enum sl_status sl_encode_lines_open(struct sl_encode_lines *l, const char *path,
                                                 struct sl_error *err);
/* A line where the stream is another than the last one said: at the start, and where a backend
 * takes over or the parameter sets change. */
SL_NODISCARD enum sl_status sl_encode_lines_stream(struct sl_encode_lines *l,
                                                   const struct sl_encoder *encoder,
                                                   const struct sl_encoder_params *params,
                                                   struct sl_error *err);
SL_NODISCARD enum sl_status sl_encode_lines_unit(struct sl_encode_lines *l,
                                                 const struct sl_access_unit *unit,
                                                 struct sl_error *err);
/* All that is waiting; then only the commit can fail. */
SL_NODISCARD enum sl_status sl_encode_lines_flush(struct sl_encode_lines *l, struct sl_error *err);
void sl_encode_lines_abort(struct sl_encode_lines *l);

/* ---- encode_file_changes.c: what is different from some picture on ---------------------- */

struct sl_encode_changes {
    struct sl_encode_file_change *items; /* by picture, else as given */
    size_t count, next;
};
/* Checks each, against settings as they are at the start. */
SL_NODISCARD enum sl_status sl_encode_changes_open(struct sl_encode_changes *c,
                                                   const struct sl_encode_file_params *params,
                                                   const struct sl_encoder_params *encoder,
                                                   struct sl_error *err);
/* Those of this picture: settings go into params and the encoder, all at once. */
SL_NODISCARD enum sl_status sl_encode_changes_apply(struct sl_encode_changes *c, int64_t picture,
                                                    struct sl_encoder *encoder,
                                                    struct sl_encoder_params *params, bool *idr,
                                                    struct sl_error *err);
void sl_encode_changes_clear(struct sl_encode_changes *c);

/* ---- encode_file.c ---------------------------------------------------------------------- */

struct sl_encode_file {
    struct sl_encode_file_params params;
    struct sl_encoder_params settings; /* as they now are */
    struct sl_encode_file_events events;
    const struct sl_log *log;
    struct sl_cancel stop;
    struct sl_input input;
    const struct sl_track *track;
    struct sl_decoder *decoder; /* of raw pictures: finds the planes */
    int format;                 /* enum sl_picture_format */
    struct sl_encoder *encoder;
    struct sl_encode_sink stream;
    struct sl_encode_lines lines;
    struct sl_encode_changes changes;
    int64_t read; /* pictures of the input so far */
    bool done;
    struct sl_encode_file_progress progress;
};

#endif
