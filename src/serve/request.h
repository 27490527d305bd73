/* SPDX-License-Identifier: BSD-2-Clause */
/* The head of a request, RFC 9112, parsed strictly and without I/O: bytes are fed in whatever
 * pieces they arrive, and the outcome does not depend on how they were cut (the fuzzer checks
 * that). What is tolerated elsewhere for old clients' sake is refused here where it would let two
 * parties disagree on where a request ends: bare CR or LF, folded lines, space before the colon,
 * bodies, transfer codings, repeated Content-Length. */
#ifndef SL_SERVE_REQUEST_H
#define SL_SERVE_REQUEST_H

#include <stdbool.h>

#include "base/bytes.h"

#define SL_REQUEST_LINE_MAX   8192  /* bytes of one line with its CRLF: 414 or 431 */
#define SL_REQUEST_FIELDS_MAX 100   /* header fields: 431 */
#define SL_REQUEST_HEAD_MAX   32768 /* bytes of the whole head: 431 */

enum sl_method {
    SL_METHOD_GET,
    SL_METHOD_HEAD,
    SL_METHOD_OPTIONS,
    SL_METHOD_REFUSED, /* known, never served: 405 */
    SL_METHOD_UNKNOWN, /* 501 */
};

/* The fields that somebody acts upon. */
enum sl_field_id {
    SL_FIELD_OTHER,
    SL_FIELD_ACCEPT,
    SL_FIELD_ACCEPT_ENCODING,
    SL_FIELD_CACHE_CONTROL,
    SL_FIELD_CONNECTION,
    SL_FIELD_CONTENT_LENGTH,
    SL_FIELD_EXPECT,
    SL_FIELD_FORWARDED_FOR,
    SL_FIELD_HOST,
    SL_FIELD_IF_MATCH,
    SL_FIELD_IF_MODIFIED_SINCE,
    SL_FIELD_IF_NONE_MATCH,
    SL_FIELD_IF_RANGE,
    SL_FIELD_IF_UNMODIFIED_SINCE,
    SL_FIELD_LAST_EVENT_ID,
    SL_FIELD_RANGE,
    SL_FIELD_REFERER,
    SL_FIELD_SERVICE_WORKER,
    SL_FIELD_TRANSFER_ENCODING,
    SL_FIELD_USER_AGENT,
    SL_FIELD_COUNT
};

enum sl_request_result {
    SL_REQUEST_MORE, /* everything was taken, the head goes on */
    SL_REQUEST_DONE, /* the head is whole; bytes after *used belong to the next request */
    SL_REQUEST_BAD,  /* answer r->status, close the connection */
};

/* Not terminated. */
struct sl_text {
    const char *data;
    size_t size;
};

/* A piece of the head. It holds positions, since the head may move while it grows. */
struct sl_span {
    uint16_t at, size;
};

struct sl_field {
    enum sl_field_id id;
    struct sl_span name, value;
};

struct sl_request {
    bool secure;           /* came by TLS: https URIs are ours; kept by sl_request_clear */
    struct sl_writer head; /* what was fed, from the request line on */
    enum {
        SL_REQUEST_START,
        SL_REQUEST_FIELDS,
        SL_REQUEST_OVER,
    } phase;
    size_t line;        /* where the current line starts */
    bool blank;         /* one empty line before the request line was passed over */
    int status;         /* of SL_REQUEST_BAD: the status code */
    const char *reason; /* of SL_REQUEST_BAD: what was wrong; static storage */

    enum sl_method method;
    int minor;     /* of HTTP/1.minor; 1 stands for all above, too */
    bool asterisk; /* OPTIONS * */
    bool keep_alive;
    struct sl_span method_text, target;
    struct sl_span path;      /* of the target, encoded, without the query */
    struct sl_span query;     /* what follows the "?" */
    struct sl_span authority; /* of an absolute-form target; it wins over Host */
    struct sl_field fields[SL_REQUEST_FIELDS_MAX];
    size_t field_count;
};

/* No memory is held until bytes are fed. */
void sl_request_init(struct sl_request *r);
/* Frees; ready for the next request. */
void sl_request_clear(struct sl_request *r);
/* True from the first byte of a request on (an empty line in front counts). */
bool sl_request_begun(const struct sl_request *r);
/* Takes bytes; *used says how many, never more than the end of the head. After DONE or BAD nothing
 * is taken until sl_request_clear. */
SL_NODISCARD enum sl_request_result sl_request_feed(struct sl_request *r, const void *data,
                                                    size_t size, size_t *used);

/* Valid until the request is fed or cleared. */
struct sl_text sl_request_text(const struct sl_request *r, struct sl_span span);
/* The next field with that id from *cursor on (start at 0); false at the end. */
bool sl_request_next(const struct sl_request *r, enum sl_field_id id, size_t *cursor,
                     struct sl_text *value);
/* The first field with that id; size 0 and data NULL where there is none. */
struct sl_text sl_request_field(const struct sl_request *r, enum sl_field_id id);

/* tchar of RFC 9110 5.6.2 */
bool sl_is_tchar(unsigned char c);
/* Equal without regard to case; word is lower case. */
bool sl_text_is(struct sl_text text, const char *word);
/* The next element of a comma-separated list (RFC 9110 5.6.1), trimmed; empty ones are passed over.
 * Moves *list behind it; false at the end. Commas within quotes are not special here. */
bool sl_list_next(struct sl_text *list, struct sl_text *element);

#endif
