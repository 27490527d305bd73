/* SPDX-License-Identifier: BSD-2-Clause */
/* Bounded reading and writing of bytes: every outside byte goes through here. */
#ifndef SL_BASE_BYTES_H
#define SL_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sluice/error.h>

/* Reader. Reading past the end returns 0, sets overrun and leaves pos at the end; check overrun
 * once after a group of reads. Not owning. */
struct sl_reader {
    const uint8_t *data;
    size_t size;
    size_t pos;
    bool overrun;
};

void sl_reader_init(struct sl_reader *r, const void *data, size_t size);
size_t sl_reader_left(const struct sl_reader *r);
uint8_t sl_read_u8(struct sl_reader *r);
uint16_t sl_read_be16(struct sl_reader *r);
uint32_t sl_read_be24(struct sl_reader *r);
uint32_t sl_read_be32(struct sl_reader *r);
uint64_t sl_read_be64(struct sl_reader *r);
uint16_t sl_read_le16(struct sl_reader *r);
uint32_t sl_read_le32(struct sl_reader *r);
uint64_t sl_read_le64(struct sl_reader *r);
/* Points at the next n bytes and passes them; NULL (and overrun) if there are fewer. */
const uint8_t *sl_read_bytes(struct sl_reader *r, size_t n);
void sl_read_skip(struct sl_reader *r, size_t n);

/* Writer: a growable buffer that names its maximum. After a failed write status stays non-OK and
 * further writes do nothing; check once at the end with sl_writer_finish. */
struct sl_writer {
    uint8_t *data; /* owned */
    size_t size;
    size_t capacity;
    size_t max;
    enum sl_status status;
};

void sl_writer_init(struct sl_writer *w, size_t max);
void sl_writer_clear(struct sl_writer *w); /* frees; the writer can be used again */
void sl_write_u8(struct sl_writer *w, unsigned v);
void sl_write_be16(struct sl_writer *w, unsigned v);
void sl_write_be24(struct sl_writer *w, uint32_t v);
void sl_write_be32(struct sl_writer *w, uint32_t v);
void sl_write_be64(struct sl_writer *w, uint64_t v);
void sl_write_le16(struct sl_writer *w, unsigned v);
void sl_write_le32(struct sl_writer *w, uint32_t v);
void sl_write_le64(struct sl_writer *w, uint64_t v);
void sl_write_bytes(struct sl_writer *w, const void *data, size_t n);
void sl_write_zeros(struct sl_writer *w, size_t n);
void sl_write_text(struct sl_writer *w, const char *text); /* without the terminator */
void sl_write_format(struct sl_writer *w, const char *fmt, ...) SL_PRINTF(2, 3);
/* Overwrites four bytes written before, at pos. */
void sl_writer_patch_be32(struct sl_writer *w, size_t pos, uint32_t v);
/* SL_OK, or why a write failed (SL_ENOMEM for both memory and the maximum). */
SL_NODISCARD enum sl_status sl_writer_finish(const struct sl_writer *w, struct sl_error *err);

#endif
