/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve/request.h"

#include <string.h>

#include "serve/authority.h"

static const struct {
    const char *name;
    enum sl_method method;
} methods[] = {
    /* Methods are case-sensitive: RFC 9110 9.1 */
    {"GET", SL_METHOD_GET},       {"HEAD", SL_METHOD_HEAD},     {"OPTIONS", SL_METHOD_OPTIONS},
    {"POST", SL_METHOD_REFUSED},  {"PUT", SL_METHOD_REFUSED},   {"DELETE", SL_METHOD_REFUSED},
    {"PATCH", SL_METHOD_REFUSED}, {"TRACE", SL_METHOD_REFUSED}, {"CONNECT", SL_METHOD_REFUSED},
};

static const struct {
    const char *name; /* lower case */
    enum sl_field_id id;
    bool single; /* repeated: 400, since recipients differ in which one they believe */
} known_fields[] = {
    {"accept", SL_FIELD_ACCEPT, false},
    {"accept-encoding", SL_FIELD_ACCEPT_ENCODING, false},
    {"cache-control", SL_FIELD_CACHE_CONTROL, false},
    {"connection", SL_FIELD_CONNECTION, false},
    {"content-length", SL_FIELD_CONTENT_LENGTH, true},
    {"expect", SL_FIELD_EXPECT, true},
    {"host", SL_FIELD_HOST, true},
    {"if-match", SL_FIELD_IF_MATCH, false},
    {"if-modified-since", SL_FIELD_IF_MODIFIED_SINCE, true},
    {"if-none-match", SL_FIELD_IF_NONE_MATCH, false},
    {"if-range", SL_FIELD_IF_RANGE, true},
    {"if-unmodified-since", SL_FIELD_IF_UNMODIFIED_SINCE, true},
    {"last-event-id", SL_FIELD_LAST_EVENT_ID, false},
    {"range", SL_FIELD_RANGE, true},
    {"referer", SL_FIELD_REFERER, false},
    {"service-worker", SL_FIELD_SERVICE_WORKER, false},
    {"transfer-encoding", SL_FIELD_TRANSFER_ENCODING, false},
    {"user-agent", SL_FIELD_USER_AGENT, false},
    {"x-forwarded-for", SL_FIELD_FORWARDED_FOR, false},
};

void sl_request_init(struct sl_request *r)
{
    memset(r, 0, sizeof *r);
    sl_writer_init(&r->head, SL_REQUEST_HEAD_MAX);
}

void sl_request_clear(struct sl_request *r)
{
    bool secure = r->secure;

    sl_writer_clear(&r->head);
    sl_request_init(r);
    r->secure = secure;
}

bool sl_request_begun(const struct sl_request *r)
{
    return r->head.size > 0 || r->blank;
}

static enum sl_request_result refuse(struct sl_request *r, int status, const char *reason)
{
    r->phase = SL_REQUEST_OVER;
    r->status = status;
    r->reason = reason;
    r->keep_alive = false;
    return SL_REQUEST_BAD;
}

bool sl_is_tchar(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(struct sl_text t)
{
    for (size_t i = 0; i < t.size; i++) {
        if (!sl_is_tchar((unsigned char)t.data[i])) {
            return false;
        }
    }
    return t.size > 0;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool sl_text_is(struct sl_text text, const char *word)
{
    for (size_t i = 0; i < text.size; i++) {
        if (word[i] == '\0' || lower(text.data[i]) != word[i]) {
            return false;
        }
    }
    return word[text.size] == '\0';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static struct sl_text trim(struct sl_text t)
{
    for (; t.size > 0 && is_blank(t.data[0]); t.data++, t.size--) {
        ;
    }
    for (; t.size > 0 && is_blank(t.data[t.size - 1]); t.size--) {
        ;
    }
    return t;
}

bool sl_list_next(struct sl_text *list, struct sl_text *element)
{
    while (list->size > 0) {
        const char *comma = memchr(list->data, ',', list->size);
        size_t length = comma ? (size_t)(comma - list->data) : list->size;
        size_t passed = comma ? length + 1 : length;

        *element = trim((struct sl_text){list->data, length});
        list->data += passed;
        list->size -= passed;
        if (element->size > 0) {
            return true;
        }
    }
    return false;
}

struct sl_text sl_request_text(const struct sl_request *r, struct sl_span span)
{
    if (!r->head.data) {
        return (struct sl_text){NULL, 0};
    }
    return (struct sl_text){(const char *)r->head.data + span.at, span.size};
}

bool sl_request_next(const struct sl_request *r, enum sl_field_id id, size_t *cursor,
                     struct sl_text *value)
{
    for (; *cursor < r->field_count; (*cursor)++) {
        if (r->fields[*cursor].id == id) {
            *value = sl_request_text(r, r->fields[(*cursor)++].value);
            return true;
        }
    }
    return false;
}

struct sl_text sl_request_field(const struct sl_request *r, enum sl_field_id id)
{
    struct sl_text value = {NULL, 0};
    size_t cursor = 0;

    (void)sl_request_next(r, id, &cursor, &value);
    return value;
}

/* A part of the head, given as pointers into it. SL_REQUEST_HEAD_MAX makes it fit. */
static struct sl_span span_of(const struct sl_request *r, struct sl_text t)
{
    return (struct sl_span){(uint16_t)(t.data - (const char *)r->head.data), (uint16_t)t.size};
}

/* RFC 9112 3.2. A fragment has no place in a target, and what RFC 3986 does not allow unencoded is
 * let through only where browsers send it so ("|", "^", "`", "{", "}", "[", "]", "\"). */
static bool target_chars_valid(struct sl_text t)
{
    for (size_t i = 0; i < t.size; i++) {
        unsigned char c = (unsigned char)t.data[i];

        if (c <= 0x20 || c >= 0x7f || strchr("#\"<>", c)) {
            return false;
        }
    }
    return t.size > 0;
}

static enum sl_request_result parse_target(struct sl_request *r, struct sl_text target)
{
    static const char scheme[] = "http://", secure[] = "https://";
    const char *ours = r->secure ? secure : scheme;
    struct sl_text path = target, prefix = {target.data, strlen(ours)};
    const char *query;

    if (!target_chars_valid(target)) {
        return refuse(r, 400, "the target holds a character that must be encoded");
    }
    r->target = span_of(r, target);
    if (r->method == SL_METHOD_REFUSED || r->method == SL_METHOD_UNKNOWN) {
        return SL_REQUEST_MORE; /* it is refused anyway, whatever the form */
    }
    if (target.size == 1 && target.data[0] == '*' && r->method == SL_METHOD_OPTIONS) {
        r->asterisk = true;
        return SL_REQUEST_MORE;
    }
    if (target.size > prefix.size && sl_text_is(prefix, ours)) {
        struct sl_text rest = {target.data + prefix.size, target.size - prefix.size};
        size_t end = 0;

        while (end < rest.size && rest.data[end] != '/' && rest.data[end] != '?') {
            end++;
        }
        if (!sl_authority_valid(rest.data, end)) {
            return refuse(r, 400, "the target's authority is not host or host:port");
        }
        r->authority = span_of(r, (struct sl_text){rest.data, end});
        path = (struct sl_text){rest.data + end, rest.size - end};
        /* RFC 9112 3.2.4: OPTIONS http://host is OPTIONS * */
        r->asterisk = path.size == 0 && r->method == SL_METHOD_OPTIONS;
    } else if (!r->secure && target.size >= sizeof secure - 1 &&
               sl_text_is((struct sl_text){target.data, sizeof secure - 1}, secure)) {
        return refuse(r, 421, "this server has no https"); /* RFC 9110 7.4 */
    } else if (target.data[0] != '/') {
        return refuse(r, 400, "the target is neither a path nor an http URI");
    }
    query = path.size > 0 ? memchr(path.data, '?', path.size) : NULL;
    if (query) {
        r->query =
            span_of(r, (struct sl_text){query + 1, (size_t)(path.data + path.size - query) - 1});
        path.size = (size_t)(query - path.data);
    }
    r->path = span_of(r, path);
    return SL_REQUEST_MORE;
}

/* request-line = method SP request-target SP HTTP-version, RFC 9112 3: single spaces only */
static enum sl_request_result parse_request_line(struct sl_request *r, struct sl_text line)
{
    const char *first = memchr(line.data, ' ', line.size), *second;
    struct sl_text method, target, version;

    if (!first) {
        return refuse(r, 400, "the request line has no target");
    }
    method = (struct sl_text){line.data, (size_t)(first - line.data)};
    target = (struct sl_text){first + 1, line.size - method.size - 1};
    second = target.size > 0 ? memchr(target.data, ' ', target.size) : NULL;
    if (!second) {
        return refuse(r, 400, "the request line has no version");
    }
    target.size = (size_t)(second - target.data);
    version = (struct sl_text){second + 1, line.size - method.size - target.size - 2};

    if (!is_token(method)) {
        return refuse(r, 400, "the method is not a token");
    }
    /* HTTP-version = "HTTP/" DIGIT "." DIGIT, case-sensitive: RFC 9112 2.3 */
    if (version.size != 8 || memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.' ||
        version.data[5] < '0' || version.data[5] > '9' || version.data[7] < '0' ||
        version.data[7] > '9') {
        return refuse(r, 400, "the request line does not end in a version");
    }
    if (version.data[5] != '1') {
        return refuse(r, 505, "only HTTP/1.x is spoken here");
    }
    r->minor = version.data[7] == '0' ? 0 : 1;

    r->method_text = span_of(r, method);
    r->method = SL_METHOD_UNKNOWN;
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strlen(methods[i].name) == method.size &&
            memcmp(methods[i].name, method.data, method.size) == 0) {
            r->method = methods[i].method;
        }
    }
    return parse_target(r, target);
}

/* field-line = field-name ":" OWS field-value OWS, RFC 9112 5 */
static enum sl_request_result parse_field(struct sl_request *r, struct sl_text line)
{
    const char *colon = memchr(line.data, ':', line.size);
    struct sl_text name, value;
    struct sl_field *f;

    if (is_blank(line.data[0])) {
        return refuse(r, 400, "folded header lines are not taken"); /* RFC 9112 5.2 */
    }
    if (!colon) {
        return refuse(r, 400, "a header line has no colon");
    }
    name = (struct sl_text){line.data, (size_t)(colon - line.data)};
    if (!is_token(name)) { /* a space before the colon, too: RFC 9112 5.1 */
        return refuse(r, 400, "a header name is not a token");
    }
    if (r->field_count == SL_REQUEST_FIELDS_MAX) {
        return refuse(r, 431, "too many header fields");
    }
    value = trim((struct sl_text){colon + 1, line.size - name.size - 1});

    f = &r->fields[r->field_count++];
    *f = (struct sl_field){SL_FIELD_OTHER, span_of(r, name), span_of(r, value)};
    for (size_t i = 0; i < sizeof known_fields / sizeof *known_fields; i++) {
        if (!sl_text_is(name, known_fields[i].name)) {
            continue;
        }
        f->id = known_fields[i].id;
        for (size_t k = 0; known_fields[i].single && k + 1 < r->field_count; k++) {
            if (r->fields[k].id == f->id) {
                return refuse(r, 400, "a header field that may stand once stands twice");
            }
        }
    }
    return SL_REQUEST_MORE;
}

/* RFC 9112 9.3 */
static bool wants_keep_alive(const struct sl_request *r)
{
    bool keep = false, close = false;
    struct sl_text list, option;
    size_t cursor = 0;

    while (sl_request_next(r, SL_FIELD_CONNECTION, &cursor, &list)) {
        while (sl_list_next(&list, &option)) {
            keep = keep || sl_text_is(option, "keep-alive");
            close = close || sl_text_is(option, "close");
        }
    }
    return !close && (keep || r->minor > 0);
}

/* What can only be judged by the head as a whole, framing first: whoever may have meant something
 * else by this request than we do is refused before anything else about it is answered. */
static enum sl_request_result finish(struct sl_request *r)
{
    struct sl_text host = sl_request_field(r, SL_FIELD_HOST);
    struct sl_text coding = sl_request_field(r, SL_FIELD_TRANSFER_ENCODING);
    struct sl_text length = sl_request_field(r, SL_FIELD_CONTENT_LENGTH);
    struct sl_text expect = sl_request_field(r, SL_FIELD_EXPECT);
    bool body = false;

    if (!host.data && r->minor > 0) { /* RFC 9112 3.2 */
        return refuse(r, 400, "HTTP/1.1 needs a Host field");
    }
    if (host.data && !sl_authority_valid(host.data, host.size)) {
        return refuse(r, 400, "the Host field is not host or host:port");
    }
    if (coding.data && (length.data || r->minor == 0)) { /* RFC 9112 6.1 */
        return refuse(r, 400, "the length of the body is stated twice");
    }
    for (size_t i = 0; length.data && i < length.size; i++) {
        if (length.data[i] < '0' || length.data[i] > '9') {
            return refuse(r, 400, "Content-Length is not a number");
        }
        body = body || length.data[i] != '0' || i > 0;
    }
    if (length.data && length.size == 0) {
        return refuse(r, 400, "Content-Length is empty");
    }

    if (r->method == SL_METHOD_UNKNOWN) {
        return refuse(r, 501, "this method is not known here");
    }
    if (r->method == SL_METHOD_REFUSED) {
        return refuse(r, 405, "this server is read only");
    }
    if (coding.data || body) {
        return refuse(r, 400, "a request here has no body");
    }
    /* RFC 9110 10.1.1: 100-continue without a body needs no interim answer; in HTTP/1.0 the field
     * means nothing. */
    if (expect.data && r->minor > 0 && !sl_text_is(expect, "100-continue")) {
        return refuse(r, 417, "only 100-continue can be expected");
    }

    r->phase = SL_REQUEST_OVER;
    r->keep_alive = wants_keep_alive(r);
    return SL_REQUEST_DONE;
}

static enum sl_request_result parse_line(struct sl_request *r)
{
    struct sl_text line = {(const char *)r->head.data + r->line, r->head.size - r->line - 2};

    if (r->phase == SL_REQUEST_START && line.size == 0) {
        /* RFC 9112 2.2: at least one empty line in front should be passed over. */
        if (r->blank) {
            return refuse(r, 400, "an empty line where a request should start");
        }
        r->blank = true;
        r->head.size = 0;
        return SL_REQUEST_MORE;
    }
    r->line = r->head.size;
    if (r->phase == SL_REQUEST_START) {
        r->phase = SL_REQUEST_FIELDS;
        return parse_request_line(r, line);
    }
    return line.size > 0 ? parse_field(r, line) : finish(r);
}

/* Looks at the bytes up to and with the next LF, one by one and in order, so that the verdict
 * depends on the bytes alone. Returns how many may be taken. */
static size_t scan(struct sl_request *r, const uint8_t *p, size_t size)
{
    bool after_cr = r->head.size > r->line && r->head.data[r->head.size - 1] == '\r';
    size_t at = r->head.size, i;

    for (i = 0; i < size; i++, at++) {
        uint8_t c = p[i];

        if (at - r->line == SL_REQUEST_LINE_MAX) {
            (void)(r->phase == SL_REQUEST_START ? refuse(r, 414, "the request line is too long")
                                                : refuse(r, 431, "a header line is too long"));
            break;
        }
        if (at == SL_REQUEST_HEAD_MAX) {
            (void)refuse(r, 431, "the header is too long");
            break;
        }
        if (after_cr != (c == '\n') || (c < 0x20 && c != '\t' && c != '\r' && c != '\n') ||
            c == 0x7f) {
            (void)refuse(r, 400, "a control character, or a line that does not end in CRLF");
            break;
        }
        /* The first byte tells other protocols apart at once, a TLS greeting for one. */
        if (at == 0 && c != '\r' && !sl_is_tchar(c)) {
            (void)refuse(r, 400, "this does not start like a request");
            break;
        }
        if (c == '\n') {
            return i + 1;
        }
        after_cr = c == '\r';
    }
    return i;
}

enum sl_request_result sl_request_feed(struct sl_request *r, const void *data, size_t size,
                                       size_t *used)
{
    const uint8_t *p = data;
    enum sl_request_result result = SL_REQUEST_MORE;

    *used = 0;
    if (r->phase == SL_REQUEST_OVER) {
        return r->status ? SL_REQUEST_BAD : SL_REQUEST_DONE;
    }
    while (result == SL_REQUEST_MORE && *used < size) {
        size_t take = scan(r, p + *used, size - *used);

        if (take > 0) {
            sl_write_bytes(&r->head, p + *used, take);
        }
        *used += take;
        if (r->head.status != SL_OK) {
            return refuse(r, 503, "out of memory");
        }
        if (r->status) {
            return SL_REQUEST_BAD;
        }
        if (take > 0 && p[*used - 1] == '\n') {
            result = parse_line(r);
        }
    }
    return result;
}
