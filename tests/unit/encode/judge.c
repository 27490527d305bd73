/* SPDX-License-Identifier: BSD-2-Clause */
#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_MAX 2048

static char *slurp(const char *path)
{
    size_t size;
    return (char *)scratch_read(path, &size);
}

char *judge_run(const char *fmt, ...)
{
    char inner[COMMAND_MAX], command[COMMAND_MAX + 256];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(inner, sizeof inner, fmt, args);
    va_end(args);
    assert_in_range(n, 1, COMMAND_MAX - 1);

    struct scratch dir;
    scratch_make(&dir);
    n = snprintf(command, sizeof command, "( %s ) </dev/null >%s/out 2>%s/err", inner, dir.path,
                 dir.path);
    assert_in_range(n, 1, (int)sizeof command - 1);
    /* The sanitizers' run-time library is preloaded into nobody else's programs. */
    int code = system(command);
    char *said = slurp(scratch_name(&dir, "err"));
    if (code != 0 || *said) {
        fail_msg("exit status %d of: %s\n%s", code, inner, said);
    }
    free(said);
    char *out = slurp(scratch_name(&dir, "out"));
    scratch_remove(&dir);
    return out;
}

long judge_number(const char *text, const char *key)
{
    char want[64];
    (void)snprintf(want, sizeof want, "%s=", key);
    const char *at = strstr(text, want);
    if (!at) {
        fail_msg("no %s in: %s", want, text);
    }
    return strtol(at + strlen(want), NULL, 10);
}

void judge_has(const char *text, const char *line)
{
    char want[128];
    (void)snprintf(want, sizeof want, "%s\n", line);
    if (!strstr(text, want)) {
        fail_msg("no %s in: %s", line, text);
    }
}

static void receive_all(struct sl_coder *e, struct judge_packets *out, enum sl_status until)
{
    struct sl_error err = {0};
    struct sl_packet *packet;
    enum sl_status status;
    while ((status = e->ops->receive(e, &packet, &err)) == SL_OK) {
        assert_in_range(out->count, 0, JUDGE_PACKETS_MAX - 1);
        out->packet[out->count++] = packet;
    }
    if (status != until) {
        fail_msg("receive: status %d, expected %d: %s", (int)status, (int)until, err.msg);
    }
    assert_null(packet);
}

void judge_encode(struct sl_coder *e, struct sl_frame *(*make)(void *arg, int i), void *arg,
                  int count, struct judge_packets *out)
{
    struct sl_error err = {0};
    out->count = 0;
    for (int i = 0; i < count; i++) {
        struct sl_frame *frame = make(arg, i);
        if (e->ops->send(e, frame, &err) != SL_OK) {
            fail_msg("frame %d: %s", i, err.msg);
        }
        sl_frame_unref(&frame);
        receive_all(e, out, SL_EAGAIN);
    }
    if (e->ops->send(e, NULL, &err) != SL_OK) {
        fail_msg("end: %s", err.msg);
    }
    receive_all(e, out, SL_EOF);
    receive_all(e, out, SL_EOF); /* and stays there */
}

void judge_drop(struct judge_packets *p)
{
    for (size_t i = 0; i < p->count; i++) {
        sl_packet_unref(&p->packet[i]);
    }
    p->count = 0;
}

const uint8_t *judge_payload(const struct sl_packet *p, size_t *size)
{
    assert_int_equal(p->payload.count, 1);
    const struct sl_slice *s = &p->payload.slices[0];
    assert_non_null(s->buf);
    *size = s->size;
    return s->buf->data + s->offset;
}

void judge_write(const struct judge_packets *p, const char *path)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    for (size_t i = 0; i < p->count; i++) {
        size_t size;
        const uint8_t *data = judge_payload(p->packet[i], &size);
        assert_int_equal(fwrite(data, 1, size, f), size);
    }
    assert_int_equal(fclose(f), 0);
}
