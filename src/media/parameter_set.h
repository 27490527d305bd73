/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parsers of H.264 and HEVC parameter sets share. Private to this folder. */
#ifndef SL_MEDIA_PARAMETER_SET_H
#define SL_MEDIA_PARAMETER_SET_H

#include <sluice/media.h>

#include "base/bits.h"
#include "media/nal.h"
#include "media/pixel.h"

#define SL_PARAMETER_SET_BYTES 65535 /* avcC and hvcC have 16 bits for the size of a unit */
#define SL_CODED_SIDE_MAX      16384

/* Reads the fields of one parameter set. The first field out of range fixes status and fills err;
 * from then on, as after the end of the data, every read gives 0, so that a parser may go on to
 * its end and check once. */
struct sl_ps_reader {
    struct sl_bit_reader bits;
    struct sl_writer rbsp; /* owned */
    const char *what;      /* "H.264 SPS", for messages */
    struct sl_error *err;
    enum sl_status status;
};

/* Unescapes the payload that follows header bytes of the unit. Close it whatever came of it. */
SL_NODISCARD enum sl_status sl_ps_open(struct sl_ps_reader *p, const struct sl_nal *nal,
                                       size_t header, const char *what, struct sl_error *err);
/* Frees, and tells what reading came to (SL_EDATA where the data ended early). */
SL_NODISCARD enum sl_status sl_ps_close(struct sl_ps_reader *p);

bool sl_ps_ok(const struct sl_ps_reader *p);
enum sl_status sl_ps_refuse(struct sl_ps_reader *p, const char *field, int64_t value, int64_t min,
                            int64_t max);
bool sl_ps_flag(struct sl_ps_reader *p);
uint32_t sl_ps_bits(struct sl_ps_reader *p, unsigned n);
/* ue(v) up to max, se(v) between min and max. */
uint32_t sl_ps_ue(struct sl_ps_reader *p, const char *field, uint32_t max);
int32_t sl_ps_se(struct sl_ps_reader *p, const char *field, int32_t min, int32_t max);

/* aspect_ratio_idc with sar_width and sar_height, the same in both codecs (H.264 table E-1); 0/1
 * where nothing is stated. */
struct sl_rational sl_ps_read_aspect(struct sl_ps_reader *p);
void sl_ps_write_aspect(struct sl_bit_writer *b, struct sl_rational aspect);

/* What the decoder will put out; SL_PIX_NONE: nothing that Sluice has a name for. */
enum sl_pixel_format sl_ps_pixel_format(unsigned chroma_format_idc, unsigned depth_luma,
                                        unsigned depth_chroma, bool rgb);
/* Takes over the fields of from that are stated. */
void sl_ps_merge_colour(struct sl_colour *into, const struct sl_colour *from);

#endif
