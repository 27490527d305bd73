/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/access.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "serve/date.h"
#include "serve/proxy.h"
#include "serve/query.h"

#define TEXT_MAX 1024 /* of one escaped part */

/* escape: how one byte that is no plain character is written, by printf's rules. */
static void write_escaped(struct sl_writer *out, struct sl_text text, bool json)
{
    for (size_t i = 0; i < text.size && i < TEXT_MAX; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            sl_write_u8(out, c);
        } else if (json) {
            sl_write_format(out, "\\u%04x", c);
        } else {
            sl_write_format(out, "\\x%02x", c);
        }
    }
}

/* Where a source on the web is, and what opens it, is for no log. */
static void write_address(struct sl_writer *out, struct sl_text text, bool json)
{
    static const char prefix[] = "/" SL_PROXY_PREFIX;
    struct sl_text query = {NULL, 0}, name, value;
    const char *question = text.size > 0 ? memchr(text.data, '?', text.size) : NULL;
    const char *joint = "?";

    if (!question ||
        !memmem(text.data, (size_t)(question - text.data), prefix, sizeof prefix - 1)) {
        write_escaped(out, text, json);
        return;
    }
    query = (struct sl_text){question + 1, text.size - (size_t)(question - text.data) - 1};
    write_escaped(out, (struct sl_text){text.data, (size_t)(question - text.data)}, json);
    while (sl_query_next(&query, &name, &value)) {
        bool plain = sl_proxy_tells_nothing(name);

        sl_write_text(out, joint);
        write_escaped(out, name, json);
        sl_write_u8(out, '=');
        write_escaped(out, plain ? value : (struct sl_text){"*", 1}, json);
        joint = "&";
    }
}

static void write_request(const struct sl_request *r, struct sl_writer *out)
{
    if (r->method_text.size > 0) {
        write_escaped(out, sl_request_text(r, r->method_text), false);
        sl_write_u8(out, ' ');
        write_address(out, sl_request_text(r, r->target), false);
        sl_write_format(out, " HTTP/1.%d", r->minor);
    } else {
        sl_write_u8(out, '-');
    }
}

static void write_time(int64_t seconds, struct sl_writer *out)
{
    time_t now = (time_t)seconds;
    char date[32];
    struct tm tm;

    if (gmtime_r(&now, &tm) && strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0) {
        sl_write_text(out, date);
    }
}

static void write_plain(const struct sl_access *a, struct sl_writer *out)
{
    const struct sl_request *r = a->request;
    const struct sl_client *c = a->client;

    write_time(a->now, out);
    if (c->port) {
        sl_write_format(out, strchr(c->text, ':') ? " [%s]:%u \"" : " %s:%u \"", c->text, c->port);
    } else {
        sl_write_format(out, " %s \"", c->text);
    }
    write_request(r, out);
    sl_write_format(out, "\" %d %" PRId64 " %" PRId64 ".%06" PRId64 " \"", a->status, a->sent,
                    a->micros / 1000000, a->micros % 1000000);
    write_escaped(out, sl_request_field(r, SL_FIELD_USER_AGENT), false);
    sl_write_text(out, a->whole ? "\"" : "\" aborted");
}

static void write_common(const struct sl_access *a, struct sl_writer *out)
{
    const struct sl_request *r = a->request;
    char date[SL_DATE_SIZE]; /* Sun, 06 Nov 1994 08:49:37 GMT */

    sl_date_format(a->now, date);
    sl_write_format(out, "%s - - [%.2s/%.3s/%.4s:%.8s +0000] \"", a->client->text, date + 5,
                    date + 8, date + 12, date + 17);
    write_request(r, out);
    sl_write_format(out, "\" %d %" PRId64 " \"", a->status, a->sent);
    write_address(out, sl_request_field(r, SL_FIELD_REFERER), false);
    sl_write_text(out, "\" \"");
    write_escaped(out, sl_request_field(r, SL_FIELD_USER_AGENT), false);
    sl_write_u8(out, '"');
}

static void write_json(const struct sl_access *a, struct sl_writer *out)
{
    const struct sl_request *r = a->request;

    sl_write_text(out, "{\"time\":\"");
    write_time(a->now, out);
    sl_write_format(out, "\",\"client\":\"%s\",\"method\":\"", a->client->text);
    write_escaped(out, sl_request_text(r, r->method_text), true);
    sl_write_text(out, "\",\"target\":\"");
    write_address(out, sl_request_text(r, r->target), true);
    sl_write_format(out,
                    "\",\"status\":%d,\"bytes\":%" PRId64 ",\"seconds\":%" PRId64 ".%06" PRId64
                    ",\"whole\":%s,\"referer\":\"",
                    a->status, a->sent, a->micros / 1000000, a->micros % 1000000,
                    a->whole ? "true" : "false");
    write_address(out, sl_request_field(r, SL_FIELD_REFERER), true);
    sl_write_text(out, "\",\"agent\":\"");
    write_escaped(out, sl_request_field(r, SL_FIELD_USER_AGENT), true);
    sl_write_text(out, "\"}");
}

void sl_access_line(const struct sl_access *a, enum sl_access_format format, struct sl_writer *out)
{
    switch (format) {
    case SL_ACCESS_PLAIN:
        write_plain(a, out);
        break;
    case SL_ACCESS_COMMON:
        write_common(a, out);
        break;
    case SL_ACCESS_JSON:
        write_json(a, out);
        break;
    }
}
