/* SPDX-License-Identifier: BSD-2-Clause */
/* What encode-y4m writes. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "pipeline/encode_y4m_run.h"

#define LINES_MAX  (1u << 20)
#define LINES_WAIT (32u << 10) /* bytes handed on at a time */

static enum sl_status hand_on(struct sl_sample_files *f, size_t wait, struct sl_error *err)
{
    enum sl_status status = sl_writer_finish(&f->lines, err);
    if (status != SL_OK || f->lines.size < wait || f->lines.size == 0) {
        return status;
    }
    status = sl_publish_write(f->index, f->lines.data, f->lines.size, err);
    f->lines.size = 0;
    return status;
}

enum sl_status sl_sample_files_open(struct sl_sample_files *f,
                                    const struct sl_encode_y4m_params *params,
                                    const struct sl_track *track,
                                    const struct sl_schedule *schedule, struct sl_error *err)
{
    *f = (struct sl_sample_files){.extended = params->extended != 0};
    sl_writer_init(&f->lines, LINES_MAX);
    enum sl_status status = sl_publish_open(&f->stream, params->annex_b, err);
    if (status == SL_OK) {
        status = sl_publish_open(&f->index, params->metadata, err);
    }
    if (status != SL_OK) {
        return status;
    }
    sl_write_format(&f->lines,
                    "{\"type\":\"stream\",\"width\":%" PRId32 ",\"height\":%" PRId32
                    ",\"fps_num\":%" PRId64 ",\"fps_den\":%" PRId64,
                    track->width, track->height, track->frame_rate.num, track->frame_rate.den);
    if (f->extended && schedule) {
        sl_write_format(&f->lines,
                        ",\"gop\":%" PRId32 ",\"dpb\":%" PRId32 ",\"reorder\":%" PRId32
                        ",\"layers\":%" PRId32,
                        schedule->gop, schedule->dpb, schedule->reorder, schedule->layers);
    }
    sl_write_text(&f->lines, "}\n");
    return hand_on(f, LINES_WAIT, err);
}

static void write_sample(struct sl_sample_files *f, const struct sl_packet *packet,
                         const struct sl_coded_picture *p, const uint8_t *data, size_t size)
{
    const struct sl_schedule_frame *s = &p->frame;
    struct sl_writer *w = &f->lines;
    sl_write_format(w,
                    "{\"type\":\"sample\",\"sample_index\":%" PRId64 ",\"byte_offset\":%" PRId64
                    ",\"byte_len\":%zu,\"pts\":%" PRId64 ",\"dts\":%" PRId64
                    ",\"duration\":%" PRId64 ",\"is_keyframe\":%s,\"picture_type\":%d",
                    f->samples, f->offset, size, packet->pts, packet->dts, packet->duration,
                    (packet->flags & SL_PACKET_KEY) != 0 ? "true" : "false", (int)s->type);
    sl_write_format(w,
                    ",\"display_frame\":%" PRId64 ",\"decode_order\":%" PRId64
                    ",\"temporal_layer\":%u,\"max_ref_layer\":%u,\"frame_id\":%" PRId64,
                    s->display, s->decode, s->layer, s->max_ref_layer, s->id);
    if (f->extended) {
        sl_write_text(w, ",\"refs\":[");
        for (size_t i = 0; i < s->ref_count; i++) {
            sl_write_format(w, "%s%" PRId64, i > 0 ? "," : "", s->refs[i]);
        }
        sl_write_format(w, "],\"qp\":%d,\"crc32\":%lu", p->qp, crc32_z(0, data, size));
    }
    sl_write_text(w, "}\n");
}

enum sl_status sl_sample_files_add(struct sl_sample_files *f, const struct sl_packet *packet,
                                   const struct sl_coded_picture *picture, struct sl_error *err)
{
    struct sl_buf *bytes;
    enum sl_status status = sl_chain_load(&packet->payload, &bytes, err);
    if (status != SL_OK) {
        return status;
    }
    f->offset += (int64_t)picture->header_size;
    size_t size = bytes->size - picture->header_size;
    write_sample(f, packet, picture, bytes->data + picture->header_size, size);
    f->offset += (int64_t)size;
    f->samples++;
    status = sl_publish_write(f->stream, bytes->data, bytes->size, err);
    sl_buf_unref(&bytes);
    return status == SL_OK ? hand_on(f, LINES_WAIT, err) : status;
}

enum sl_status sl_sample_files_commit(struct sl_sample_files *f,
                                      const struct sl_encode_y4m_params *params,
                                      struct sl_error *err)
{
    enum sl_status status = hand_on(f, 0, err);
    if (status == SL_OK && unlink(params->metadata) != 0 && errno != ENOENT) {
        status = sl_fail_errno(err, errno, params->metadata, "the older index stays");
    }
    if (status != SL_OK) {
        return status;
    }
    status = sl_publish_commit(&f->stream, err);
    if (status == SL_OK) {
        status = sl_publish_commit(&f->index, err);
        if (status != SL_OK) {
            (void)unlink(params->annex_b);
        }
    }
    return status;
}

void sl_sample_files_abort(struct sl_sample_files *f)
{
    sl_publish_abort(&f->stream);
    sl_publish_abort(&f->index);
    sl_writer_clear(&f->lines);
}
