/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets to samples. A payload that is framed as the file wants it is handed on as it is, without
 * a look at what it holds: packet by packet the same bytes as in the source. */
#include "mux/mp4_track.h"

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/rational.h"
#include "media/aac.h"
#include "media/hevc.h"
#include "media/track.h"

#define RECORD_MAX (1u << 20)

/* Where avcC and hvcC keep lengthSizeMinusOne. */
static size_t length_byte(enum sl_codec codec)
{
    return codec == SL_CODEC_H264 ? 4 : 21;
}

/* 14496-15 8.3.3.1.3: an array is complete where no set of its type comes in band; hev1 must not
 * say so. */
static void open_arrays(uint8_t *config, size_t size)
{
    struct sl_reader r;
    sl_reader_init(&r, config, size);
    sl_read_skip(&r, 22);
    for (unsigned arrays = sl_read_u8(&r); arrays > 0 && !r.overrun; arrays--) {
        size_t at = r.pos;
        sl_read_skip(&r, 1);
        for (unsigned n = sl_read_be16(&r); n > 0 && !r.overrun; n--) {
            sl_read_skip(&r, sl_read_be16(&r));
        }
        if (!r.overrun) {
            config[at] &= 0x7f;
        }
    }
}

/* The configuration has changed: reads it, and makes it say what the samples will be. */
static enum sl_status apply_config(struct sl_mp4_track *t, size_t index, struct sl_error *err)
{
    enum sl_status status = sl_framing_init(&t->framing, &t->info, t->name, index, err);
    if (status) {
        return status;
    }
    t->info.config[length_byte(t->info.codec)] |= 3; /* samples get lengths of 4 bytes */
    if (t->in_band && t->info.codec == SL_CODEC_HEVC) {
        open_arrays(t->info.config, t->info.config_size);
    }
    return SL_OK;
}

enum sl_status sl_mp4_track_open(struct sl_mp4_track *t, const struct sl_track *from, size_t index,
                                 const struct sl_mux_params *params, const char *name,
                                 struct sl_error *err)
{
    const struct sl_mux_track *place = params->tracks ? &params->tracks[index] : NULL;
    struct sl_rational tb;
    enum sl_status status;

    memset(t, 0, sizeof *t);
    sl_track_init(&t->info);
    t->name = name;
    t->nal = sl_framing_wanted(from->codec);
    t->start = place ? place->start : 0;
    t->in_band = place && place->in_band && t->nal;
    t->can_switch = params->flags & SL_MUX_SWITCH;
    status = sl_timeline_init(&t->line, from, t->start, name, index, err);
    if (!status) {
        status = sl_mp4_entry_check(from, name, index, err);
    }
    if (!status) {
        status = sl_track_copy(&t->info, from, err);
    }
    if (!status && t->nal) {
        status = apply_config(t, index, err);
    }
    if (status) {
        return status;
    }
    /* A timescale is a whole number of ticks a second, so 1001/30000 s becomes 1001 ticks of
     * 1/30000 s: exact, no time is ever rounded here. */
    tb = sl_rational_reduce(from->timebase);
    if (tb.den > UINT32_MAX || tb.num > INT32_MAX) {
        return sl_fail(err, SL_EUNSUPPORTED, name,
                       "track %zu: timebase %" PRId64 "/%" PRId64
                       " does not fit a 32-bit timescale",
                       index, tb.num, tb.den);
    }
    t->timescale = (uint32_t)tb.den;
    t->factor = tb.num;
    if (from->decode_delay > SL_TIMELINE_MAX / t->factor ||
        t->start > SL_TIMELINE_MAX / t->factor) {
        return sl_fail(err, SL_EINVAL, name,
                       "track %zu: start at %" PRId64 " ticks, decode delay %" PRId64 " ticks",
                       index, t->start, from->decode_delay);
    }
    return SL_OK;
}

void sl_mp4_track_clear(struct sl_mp4_track *t)
{
    sl_track_clear(&t->info);
}

/* ---- framing ----------------------------------------------------------------------------- */

/* From start codes: avc1 and hvc1 keep parameter sets out of band (ISO/IEC 14496-15 5.4.2.1,
 * 8.4.1.1), and samples carry neither delimiters' nor fillers' weight. From lengths: all. */
static enum sl_status keep_unit(const struct sl_mp4_track *t, const struct sl_packet *p,
                                const struct sl_nal *nal, bool *keep, struct sl_error *err)
{
    enum sl_unit_role role = sl_framing_role(&t->framing, nal);
    *keep = role == SL_UNIT_SLICE || role == SL_UNIT_OTHER || (role == SL_UNIT_SETS && t->in_band);
    if (role == SL_UNIT_SETS && !t->in_band && !sl_framing_set_known(&t->framing, nal)) {
        if (t->can_switch) {
            return SL_EAGAIN;
        }
        return sl_fail(err, SL_EUNSUPPORTED, t->name,
                       "track %u: at dts %" PRId64
                       " a parameter set (NAL type %d) that is not in the decoder configuration",
                       p->track, p->dts, (int)sl_framing_type(&t->framing, nal));
    }
    return SL_OK;
}

static void put_length(uint8_t to[4], size_t length)
{
    for (unsigned b = 0; b < 4; b++) {
        to[b] = (uint8_t)(length >> (24 - 8 * b));
    }
}

/* Start codes (or shorter lengths) to lengths of four bytes without touching the payload: the
 * lengths go into one small block, and the sample becomes length, unit, length, unit … as a chain
 * of slices. */
static enum sl_status reframe(const struct sl_mp4_track *t, const struct sl_packet *p, bool annexb,
                              const struct sl_units *units, struct sl_chain *sample,
                              struct sl_error *err)
{
    struct sl_buf *lengths = NULL;
    size_t slices = 0, at = 0;
    enum sl_status status = sl_buf_alloc(&lengths, units->count * 4, err);

    for (size_t i = 0; i < units->count && !status; i++) {
        const struct sl_nal *nal = &units->items[i];
        bool keep = true;
        if (annexb) {
            status = keep_unit(t, p, nal, &keep, err);
        }
        if (status || !keep) {
            continue;
        }
        if (nal->size > UINT32_MAX) {
            status = sl_fail(err, SL_EUNSUPPORTED, t->name, "a NAL unit of %zu bytes", nal->size);
            continue;
        }
        slices += sl_framing_role(&t->framing, nal) == SL_UNIT_SLICE;
        put_length(lengths->data + at, nal->size);
        status = sl_chain_add_buf(sample, lengths, at, 4, err);
        if (!status) {
            status = sl_chain_add_buf(sample, units->buf, (size_t)(nal->data - units->buf->data),
                                      nal->size, err);
        }
        at += 4;
    }
    sl_buf_unref(&lengths);
    if (!status && !slices) {
        status =
            sl_fail(err, SL_EDATA, t->name,
                    "track %u: the access unit at dts %" PRId64 " has no slice", p->track, p->dts);
    }
    return status;
}

/* Outputs that cannot take a new header get new parameter sets in front of the sample. */
static enum sl_status add_sets(const struct sl_mp4_track *t, const struct sl_packet *p,
                               struct sl_chain *sample, struct sl_error *err)
{
    struct sl_nal_config config;
    struct sl_writer w;
    enum sl_status status = t->info.codec == SL_CODEC_H264
                                ? sl_avcc_parse(p->config, p->config_size, &config, err)
                                : sl_hvcc_parse(p->config, p->config_size, &config, err);
    if (status) {
        return status;
    }
    if (config.length_size != t->framing.config.length_size) {
        return sl_fail(err, SL_EUNSUPPORTED, t->name,
                       "track %u: NAL lengths of %u bytes become %u at dts %" PRId64, p->track,
                       t->framing.config.length_size, config.length_size, p->dts);
    }
    sl_writer_init(&w, RECORD_MAX);
    for (size_t i = 0; i < config.count; i++) {
        sl_write_be32(&w, (uint32_t)config.sets[i].size);
        sl_write_bytes(&w, config.sets[i].data, config.sets[i].size);
    }
    status = sl_writer_finish(&w, err);
    if (!status) {
        status = sl_chain_add_copy(sample, w.data, w.size, err);
    }
    sl_writer_clear(&w);
    return status;
}

/* Everything but the plain case. */
static enum sl_status make_sample(struct sl_mp4_track *t, const struct sl_packet *p, bool annexb,
                                  bool config, struct sl_units *units, struct sl_chain *sample,
                                  struct sl_error *err)
{
    enum sl_status status = config ? add_sets(t, p, sample, err) : SL_OK;
    if (!status && !annexb && t->framing.config.length_size == 4) {
        return sl_chain_add_chain(sample, &p->payload, 0, p->payload.size, err);
    }
    if (!status) {
        status = sl_units_split(units, &t->framing, &p->payload, err);
    }
    if (!status) {
        status = reframe(t, p, annexb, units, sample, err);
    }
    sl_units_release(units);
    return status;
}

/* AV1 binding 2.4: temporal delimiters (12 00) stay out of samples. Containers leave them out;
 * what comes from a stream has them all through, so the first sample tells. */
static enum sl_status has_delimiter(struct sl_mp4_track *t, const struct sl_packet *p, bool *yes,
                                    struct sl_error *err)
{
    uint8_t head[2];
    *yes = false;
    if (p->payload.size <= 2 || (t->looked && !t->strip_delimiters)) {
        return SL_OK;
    }
    enum sl_status status = sl_chain_read(&p->payload, 0, head, sizeof head, err);
    if (!status) {
        *yes = head[0] == 0x12 && head[1] == 0;
        t->strip_delimiters |= *yes;
        t->looked = true;
    }
    return status;
}

/* ---- packets ----------------------------------------------------------------------------- */

static bool config_differs(const struct sl_mp4_track *t, const struct sl_packet *p)
{
    size_t at = length_byte(t->info.codec);
    const uint8_t *a = p->config, *b = t->info.config;
    if (!a) {
        return false;
    }
    if (p->config_size != t->info.config_size) {
        return true;
    }
    if (!t->nal || p->config_size <= at) {
        return memcmp(a, b, p->config_size) != 0;
    }
    /* All but the bits that the muxer has set itself. */
    return memcmp(a, b, at) != 0 || (a[at] | 3) != b[at] ||
           memcmp(a + at + 1, b + at + 1, p->config_size - at - 1) != 0;
}

static enum sl_status check_packet(const struct sl_mp4_track *t, const struct sl_packet *p,
                                   bool *config, struct sl_error *err)
{
    enum sl_status status = sl_timeline_check(&t->line, p, t->name, err);
    if (status) {
        return status;
    }
    if (p->duration > UINT32_MAX / t->factor || p->pts - p->dts > UINT32_MAX / t->factor ||
        p->payload.size > UINT32_MAX || p->pts > SL_TIMELINE_MAX / t->factor) {
        return sl_fail(err, SL_EUNSUPPORTED, t->name,
                       "track %u: at dts %" PRId64 ": duration %" PRId64 ", pts %" PRId64
                       " or %" PRId64 " bytes are beyond 32 bits",
                       p->track, p->dts, p->duration, p->pts, p->payload.size);
    }
    *config = t->in_band ? p->config != NULL : config_differs(t, p);
    if (*config && !t->in_band) {
        if (t->can_switch) {
            return SL_EAGAIN;
        }
        return sl_fail(err, SL_EUNSUPPORTED, t->name,
                       "track %u: the decoder configuration changes at dts %" PRId64, p->track,
                       p->dts);
    }
    return SL_OK;
}

static enum sl_status take_payload(struct sl_packet *p, struct sl_chain *data, struct sl_error *err)
{
    if (atomic_load_explicit(&p->refs, memory_order_acquire) == 1) {
        return sl_chain_move(data, &p->payload, err);
    }
    return sl_chain_add_chain(data, &p->payload, 0, p->payload.size, err);
}

static enum sl_status put_sample(struct sl_mp4_track *t, struct sl_packet *p, bool config,
                                 struct sl_units *units, struct sl_chain *data,
                                 struct sl_error *err)
{
    struct sl_chain sample;
    bool annexb = false, delimiter = false;
    enum sl_status status = SL_OK;

    if (t->nal) {
        status = sl_framing_is_annexb(&t->framing, &p->payload, &annexb, err);
    } else if (t->info.codec == SL_CODEC_AV1) {
        status = has_delimiter(t, p, &delimiter, err);
    }
    if (status) {
        return status;
    }
    if (delimiter) {
        return sl_chain_add_chain(data, &p->payload, 2, p->payload.size - 2, err);
    }
    if (!t->nal || (!annexb && !config && t->framing.config.length_size == 4)) {
        return take_payload(p, data, err);
    }
    sl_chain_init(&sample);
    status = make_sample(t, p, annexb, config, units, &sample, err);
    if (!status && sample.size > UINT32_MAX) {
        status =
            sl_fail(err, SL_EUNSUPPORTED, t->name, "a sample of %" PRId64 " bytes", sample.size);
    }
    if (!status) {
        status = sl_chain_move(data, &sample, err);
    }
    sl_chain_clear(&sample);
    return status;
}

enum sl_status sl_mp4_track_write(struct sl_mp4_track *t, struct sl_packet *p,
                                  struct sl_units *units, struct sl_chain *data,
                                  struct sl_mp4_sample *sample, struct sl_error *err)
{
    bool config;
    int64_t before = data->size;
    enum sl_status status = check_packet(t, p, &config, err);
    if (!status) {
        status = put_sample(t, p, config, units, data, err);
    }
    if (status) {
        return status;
    }
    *sample = (struct sl_mp4_sample){
        .duration = (uint32_t)(p->duration * t->factor),
        .size = (uint32_t)(data->size - before),
        .offset = (uint32_t)((p->pts - p->dts) * t->factor),
        .sync = t->info.kind != SL_KIND_VIDEO || (p->flags & SL_PACKET_KEY),
    };
    sl_timeline_advance(&t->line, p);
    return SL_OK;
}

/* ---- a new configuration ----------------------------------------------------------------- */

/* The parameter sets of an Annex B access unit; of each type that it has not, the old ones. */
static enum sl_status config_of_payload(struct sl_mp4_track *t, const struct sl_packet *p,
                                        struct sl_writer *out, struct sl_error *err)
{
    struct sl_units units = {0};
    struct sl_writer sets;
    uint64_t types = 0;
    enum sl_status status = sl_units_split(&units, &t->framing, &p->payload, err);

    sl_writer_init(&sets, RECORD_MAX);
    for (size_t i = 0; i < units.count && !status; i++) {
        const struct sl_nal *nal = &units.items[i];
        if (sl_framing_role(&t->framing, nal) == SL_UNIT_SETS) {
            types |= 1ull << sl_framing_type(&t->framing, nal);
            sl_write_be32(&sets, 1);
            sl_write_bytes(&sets, nal->data, nal->size);
        }
    }
    for (size_t i = 0; i < t->framing.config.count && !status; i++) {
        const struct sl_nal *nal = &t->framing.config.sets[i];
        if (!(types >> sl_framing_type(&t->framing, nal) & 1)) {
            sl_write_be32(&sets, 1);
            sl_write_bytes(&sets, nal->data, nal->size);
        }
    }
    if (!status) {
        status = sl_writer_finish(&sets, err);
    }
    if (!status) {
        status = t->info.codec == SL_CODEC_H264
                     ? sl_avcc_from_annexb(sets.data, sets.size, out, err)
                     : sl_hvcc_from_annexb(sets.data, sets.size, out, err);
    }
    sl_writer_clear(&sets);
    sl_units_clear(&units);
    return status;
}

/* Size of the picture and shape of the sound follow the configuration; what cannot be read stays
 * as it was. */
static enum sl_status describe(struct sl_track *info)
{
    struct sl_aac_config aac;
    enum sl_status status = SL_OK;
    if (info->codec == SL_CODEC_H264) {
        status = sl_h264_describe(info, NULL);
    } else if (info->codec == SL_CODEC_HEVC) {
        status = sl_hevc_describe(info, NULL);
    } else if (info->codec == SL_CODEC_AAC &&
               !sl_aac_parse_config(info->config, info->config_size, &aac, NULL)) {
        info->sample_rate = (int32_t)aac.output_rate;
        info->channels = aac.channels ? aac.channels : info->channels;
    }
    return status == SL_ENOMEM ? status : SL_OK;
}

enum sl_status sl_mp4_track_reconfigure(struct sl_mp4_track *t, const struct sl_packet *p,
                                        struct sl_error *err)
{
    struct sl_mp4_track next = *t;
    struct sl_writer record;
    enum sl_status status;

    sl_writer_init(&record, RECORD_MAX);
    sl_track_init(&next.info);
    if (p->config) {
        sl_write_bytes(&record, p->config, p->config_size);
        status = sl_writer_finish(&record, err);
    } else if (t->nal) {
        status = config_of_payload(t, p, &record, err);
    } else {
        status = sl_fail(err, SL_EINVAL, t->name,
                         "track %u: a packet that brings no decoder configuration", p->track);
    }
    if (!status) {
        status = sl_track_copy(&next.info, &t->info, err);
    }
    if (!status) {
        status = sl_track_set_config(&next.info, record.data, record.size, err);
    }
    if (!status && t->nal) {
        status = apply_config(&next, p->track, err);
    }
    if (!status && describe(&next.info)) {
        status = sl_fail_memory(err);
    }
    if (!status) {
        status = sl_mp4_entry_check(&next.info, t->name, p->track, err);
    }
    sl_writer_clear(&record);
    if (status) {
        sl_track_clear(&next.info);
        return status;
    }
    sl_track_clear(&t->info);
    *t = next; /* the framing points into the config, which has not moved */
    return SL_OK;
}
