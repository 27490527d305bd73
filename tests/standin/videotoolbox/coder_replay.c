/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of the stand-in (a test double) that run thousands of times and do not look at
 * pictures: the first IDR and the first P picture of the real encoder, and these again for ever. */
#include <stdlib.h>
#include <string.h>

#include "object.h"

#define SETS_MAX 1024
#define UNIT_MAX 65536

/* Test code, so a global is fine. Written by one session at a time. */
static struct record {
    uint8_t sets[SETS_MAX], unit[2][UNIT_MAX]; /* P, IDR */
    size_t sets_size, unit_size[2];
} records[2]; /* H.264, HEVC */

struct coder {
    struct record *record;
    const struct standin_coder *real;
    void *under; /* NULL once all is there */
};

static void *open_coder(const struct standin_settings *s)
{
    struct coder *c = calloc(1, sizeof *c);
    if (!c) {
        return NULL;
    }
    bool hevc = s->codec == kCMVideoCodecType_HEVC;
    c->record = &records[hevc];
    c->real = hevc ? &standin_x265 : &standin_x264;
    if (c->record->sets_size == 0 || c->record->unit_size[0] == 0 || c->record->unit_size[1] == 0) {
        c->under = c->real->open(s);
        if (!c->under) {
            free(c);
            return NULL;
        }
    }
    return c;
}

static bool sets(void *coder, const uint8_t **data, size_t *size)
{
    struct coder *c = coder;
    struct record *r = c->record;
    if (c->under) {
        if (!c->real->sets(c->under, data, size) || *size > SETS_MAX) {
            return false;
        }
        memcpy(r->sets, *data, *size);
        r->sets_size = *size;
    }
    *data = r->sets;
    *size = r->sets_size;
    return true;
}

static int code(void *coder, struct standin_job *job, struct standin_unit *out)
{
    struct coder *c = coder;
    struct record *r = c->record;
    if (c->under) {
        int n = c->real->code(c->under, job, out);
        if (n > 0 && out->size <= UNIT_MAX) {
            memcpy(r->unit[out->sync], out->data, out->size);
            r->unit_size[out->sync] = out->size;
        }
        return n;
    }
    if (!job) {
        return 0;
    }
    bool key = job->key || job->number == 0;
    *out = (struct standin_unit){
        .data = r->unit[key], .size = r->unit_size[key], .job = job, .sync = key};
    return 1;
}

static void change(void *coder, const struct standin_settings *s)
{
    (void)coder, (void)s;
}

static void close_coder(void *coder)
{
    struct coder *c = coder;
    if (c->under) {
        c->real->close(c->under);
    }
    free(c);
}

const struct standin_coder standin_replay = {open_coder, sets, code, change, close_coder};
