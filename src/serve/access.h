/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_SERVE_ACCESS_H
#define SL_SERVE_ACCESS_H

#include "serve/client.h"

enum sl_access_format {
    SL_ACCESS_PLAIN,
    SL_ACCESS_COMMON,
    SL_ACCESS_JSON,
};

struct sl_access {
    const struct sl_request *request;
    const struct sl_client *client;
    int status;
    int64_t sent;   /* of the body */
    bool whole;     /* all of the answer was handed to the system */
    int64_t micros; /* from the end of the head to the end of the answer */
    int64_t now;    /* seconds since 1970 */
};

/* plain:
 *   2026-11-20T18:36:00Z 127.0.0.1:4711 "GET /x HTTP/1.1" 200 1048576 0.012345 "agent"
 *   with " aborted" at the end where the client went away
 * common (the combined form of it):
 *   127.0.0.1 - - [20/Nov/2026:18:36:00 +0000] "GET /x HTTP/1.1" 200 1048576 "referer" "agent"
 * JSON: one object. What came from outside is escaped in all of them. */
void sl_access_line(const struct sl_access *a, enum sl_access_format format, struct sl_writer *out);

#endif
