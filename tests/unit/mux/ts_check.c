/* SPDX-License-Identifier: BSD-2-Clause */
#include "ts_check.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define WRAP ((int64_t)1 << 33)

/* The value nearest to near that is v modulo 2^33. */
static int64_t unwrap(uint64_t v, int64_t near)
{
    int64_t d = ((int64_t)v - near) % WRAP;
    if (d < -WRAP / 2)
        d += WRAP;
    if (d > WRAP / 2)
        d -= WRAP;
    return near + d;
}

static uint32_t crc32(const uint8_t *p, size_t size)
{
    uint32_t crc = 0xffffffff;
    while (size--) {
        crc ^= (uint32_t)*p++ << 24;
        for (int i = 0; i < 8; i++)
            crc = crc & 0x80000000 ? crc << 1 ^ 0x04c11db7 : crc << 1;
    }
    return crc;
}

/* 2.4.4: one whole section at the start of a packet's payload. */
static const uint8_t *section(const uint8_t *payload, size_t size, uint8_t table, size_t *length)
{
    assert_int_equal(payload[0], 0); /* pointer_field */
    assert_int_equal(payload[1], table);
    assert_int_equal(payload[2] & 0xf0, 0xb0);
    *length = (size_t)(payload[2] & 15) << 8 | payload[3];
    assert_true(4 + *length <= size);
    assert_int_equal(crc32(payload + 1, 3 + *length), 0); /* over its own CRC */
    assert_int_equal(payload[6] & 0x3f, 0x01);            /* version 0, current */
    for (size_t i = 4 + *length; i < size; i++)
        assert_int_equal(payload[i], 0xff);
    *length -= 4; /* the CRC */
    return payload + 4;
}

static uint16_t read_pat(const uint8_t *payload, size_t size)
{
    size_t length;
    const uint8_t *p = section(payload, size, 0, &length);
    assert_int_equal(length, 5 + 4);
    assert_int_equal(p[5] << 8 | p[6], 1);
    assert_int_equal(p[7] & 0xe0, 0xe0);
    return (uint16_t)((p[7] & 0x1f) << 8 | p[8]);
}

static void read_pmt(struct ts_check *c, const uint8_t *payload, size_t size)
{
    size_t length, pos = 9;
    const uint8_t *p = section(payload, size, 2, &length);
    c->pcr_pid = (uint16_t)((p[5] & 0x1f) << 8 | p[6]);
    assert_int_equal((p[7] & 0x0f) << 8 | p[8], 0);
    c->stream_count = 0;
    while (pos + 5 <= length) {
        struct ts_stream *s = &c->streams[c->stream_count++];
        size_t info = (size_t)(p[pos + 3] & 0x0f) << 8 | p[pos + 4];
        assert_true(c->stream_count <= 16);
        memset(s, 0, sizeof *s);
        s->type = p[pos];
        s->pid = (uint16_t)((p[pos + 1] & 0x1f) << 8 | p[pos + 2]);
        pos += 5;
        assert_true(pos + info <= length);
        if (info) {
            assert_int_equal(p[pos], 0x0a);
            assert_int_equal(p[pos + 1], 4);
            memcpy(s->language, p + pos + 2, 3);
        }
        pos += info;
    }
    assert_int_equal(pos, length);
}

static void take_pcr(struct ts_check *c, const uint8_t *p)
{
    uint64_t base = (uint64_t)p[0] << 25 | (uint64_t)p[1] << 17 | (uint64_t)p[2] << 9 |
                    (uint64_t)p[3] << 1 | p[4] >> 7;
    int64_t pcr;
    assert_int_equal(p[4] & 0x7e, 0x7e);
    assert_true(((p[4] & 1) << 8 | p[5]) < 300);
    pcr = c->clocked ? unwrap(base, c->pcr) : (int64_t)base;
    if (c->clocked) {
        assert_true(pcr > c->pcr);
        if (pcr - c->pcr > c->pcr_interval)
            c->pcr_interval = pcr - c->pcr;
        assert_true(pcr - c->pcr <= 9000); /* 2.7.2 */
    }
    c->pcr = pcr;
    c->clocked = true;
}

/* 2.4.3.6: five bytes, with the marker bits. */
static uint64_t stamp(const uint8_t *p, unsigned prefix)
{
    assert_int_equal(p[0] >> 4, prefix);
    assert_int_equal(p[0] & 1, 1);
    assert_int_equal(p[2] & 1, 1);
    assert_int_equal(p[4] & 1, 1);
    return (uint64_t)(p[0] >> 1 & 7) << 30 | (uint64_t)p[1] << 22 | (uint64_t)(p[2] >> 1) << 15 |
           (uint64_t)p[3] << 7 | p[4] >> 1;
}

static struct ts_pes *pes_of(struct ts_check *c, uint16_t pid)
{
    for (size_t i = c->pes_count; i-- > 0;)
        if (c->pes[i].pid == pid)
            return &c->pes[i];
    return NULL;
}

/* Takes the PES header off once the packet is whole. */
static void finish_pes(struct ts_check *c, struct ts_pes *pes)
{
    const uint8_t *p = pes->data;
    size_t length, header;
    assert_true(pes->size > 9);
    assert_true(p[0] == 0 && p[1] == 0 && p[2] == 1);
    pes->stream_id = p[3];
    length = (size_t)p[4] << 8 | p[5];
    if (length)
        assert_int_equal(length, pes->size - 6);
    else /* only video may leave it open (2.4.3.7) */
        assert_int_equal(pes->stream_id & 0xf0, 0xe0);
    assert_int_equal(p[6] & 0xf0, 0x80);
    header = 9u + p[8];
    assert_true(header < pes->size);
    assert_true((p[7] & 0xc0) == 0x80 || (p[7] & 0xc0) == 0xc0);
    assert_int_equal(p[8], p[7] & 0x40 ? 10 : 5);
    pes->pts = unwrap(stamp(p + 9, p[7] & 0x40 ? 3 : 2), pes->clock);
    pes->dts = p[7] & 0x40 ? unwrap(stamp(p + 14, 1), pes->clock) : pes->pts;
    assert_true(pes->pts >= pes->dts);
    /* The clock must not have passed what has yet to be decoded. */
    if (pes->clocked)
        assert_true(pes->dts > pes->clock);
    if (c->timed[pes->pid])
        assert_true(pes->dts > c->dts[pes->pid]);
    c->timed[pes->pid] = true;
    c->dts[pes->pid] = pes->dts;
    pes->size -= header;
    memmove(pes->data, pes->data + header, pes->size);
}

static void take_payload(struct ts_check *c, uint16_t pid, bool start, bool random_access,
                         bool has_pcr, const uint8_t *payload, size_t size)
{
    struct ts_pes *pes = pes_of(c, pid);
    if (start) {
        if (pes)
            finish_pes(c, pes);
        c->pes = realloc(c->pes, (c->pes_count + 1) * sizeof *c->pes);
        assert_non_null(c->pes);
        pes = &c->pes[c->pes_count++];
        memset(pes, 0, sizeof *pes);
        pes->pid = pid;
        pes->random_access = random_access;
        pes->has_pcr = has_pcr;
        pes->clocked = c->clocked;
        pes->clock = c->pcr;
    }
    assert_non_null(pes); /* a segment starts with the start of something */
    pes->data = realloc(pes->data, pes->size + size);
    assert_non_null(pes->data);
    memcpy(pes->data + pes->size, payload, size);
    pes->size += size;
}

static void check_packet(struct ts_check *c, const uint8_t *p, size_t index, uint16_t *pmt_pid)
{
    uint16_t pid = (uint16_t)((p[1] & 0x1f) << 8 | p[2]);
    bool start = p[1] & 0x40, random_access = false, has_pcr = false;
    unsigned control = p[3] >> 4 & 3;
    size_t pos = 4;
    assert_int_equal(p[0], 0x47);
    assert_int_equal(p[1] & 0xa0, 0); /* no error, no priority */
    assert_int_equal(p[3] & 0xc0, 0); /* not scrambled */
    assert_int_not_equal(control, 0);
    if (control & 2) {
        size_t length = p[4];
        assert_true(control == 2 ? length == 183 : length <= 182);
        if (length) {
            size_t used = 1;
            assert_int_equal(p[5] & 0xaf, 0); /* nothing but random access and PCR */
            random_access = p[5] & 0x40;
            has_pcr = p[5] & 0x10;
            if (has_pcr) {
                assert_int_equal(pid, c->pcr_pid);
                take_pcr(c, p + 6);
                used += 6;
            }
            for (; used < length; used++)
                assert_int_equal(p[5 + used], 0xff);
        }
        pos += 1 + length;
    }
    /* 2.4.3.3: counts with payload, repeats without. */
    if (c->seen[pid])
        assert_int_equal(p[3] & 15, (c->counter[pid] + (control & 1)) & 15);
    c->seen[pid] = true;
    c->counter[pid] = p[3] & 15;
    if (!(control & 1))
        return;
    if (index < 2) {
        assert_true(start);
        assert_int_equal(pid, index ? *pmt_pid : 0);
        if (index == 0)
            *pmt_pid = read_pat(p + pos, 188 - pos);
        else
            read_pmt(c, p + pos, 188 - pos);
        return;
    }
    size_t known = 0;
    for (size_t i = 0; i < c->stream_count; i++)
        known += c->streams[i].pid == pid;
    assert_int_equal(known, 1);
    take_payload(c, pid, start, random_access, has_pcr, p + pos, 188 - pos);
}

static void drop(struct ts_check *c)
{
    for (size_t i = 0; i < c->pes_count; i++)
        free(c->pes[i].data);
    free(c->pes);
    c->pes = NULL;
    c->pes_count = 0;
}

void ts_check_segment(struct ts_check *c, const uint8_t *data, size_t size)
{
    uint16_t pmt_pid = 0;
    drop(c);
    assert_int_equal(size % 188, 0);
    assert_true(size >= 3 * 188);
    for (size_t i = 0; i < size / 188; i++)
        check_packet(c, data + i * 188, i, &pmt_pid);
    for (size_t i = 0; i < c->stream_count; i++) {
        struct ts_pes *pes = pes_of(c, c->streams[i].pid);
        if (pes)
            finish_pes(c, pes);
    }
}

void ts_check_clear(struct ts_check *c)
{
    drop(c);
    memset(c, 0, sizeof *c);
}
