/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/access.h"

#include <inttypes.h>
#include <time.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#define TEXT_MAX 1024 /* of one escaped part */

static void write_escaped(struct sl_writer *out, struct sl_text text)
{
    for (size_t i = 0; i < text.size && i < TEXT_MAX; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            sl_write_format(out, "\\x%02x", c);
        } else {
            sl_write_u8(out, c);
        }
    }
}

static void write_peer(struct sl_writer *out, const struct sockaddr_storage *peer)
{
    char text[INET6_ADDRSTRLEN];

    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;

        if (inet_ntop(AF_INET, &in->sin_addr, text, sizeof text)) {
            sl_write_format(out, "%s:%u", text, ntohs(in->sin_port));
        }
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;

        if (inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text)) {
            sl_write_format(out, "[%s]:%u", text, ntohs(in6->sin6_port));
        }
    } else {
        sl_write_text(out, "-");
    }
}

void sl_access_line(const struct sl_access *a, struct sl_writer *out)
{
    const struct sl_request *r = a->request;
    struct sl_text agent = sl_request_field(r, SL_FIELD_USER_AGENT);
    time_t now = (time_t)a->now;
    char date[32];
    struct tm tm;

    if (gmtime_r(&now, &tm) && strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0) {
        sl_write_format(out, "%s ", date);
    }
    write_peer(out, a->peer);
    sl_write_text(out, " \"");
    if (r->method_text.size > 0) {
        write_escaped(out, sl_request_text(r, r->method_text));
        sl_write_u8(out, ' ');
        write_escaped(out, sl_request_text(r, r->target));
        sl_write_format(out, " HTTP/1.%d", r->minor);
    } else {
        sl_write_u8(out, '-');
    }
    sl_write_format(out, "\" %d %" PRId64 " %" PRId64 ".%06" PRId64 " \"", a->status, a->sent,
                    a->micros / 1000000, a->micros % 1000000);
    write_escaped(out, agent);
    sl_write_text(out, a->whole ? "\"" : "\" aborted");
}
