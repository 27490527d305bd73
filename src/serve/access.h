/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_SERVE_ACCESS_H
#define SL_SERVE_ACCESS_H

#include <sys/socket.h>

#include "serve/request.h"

struct sl_access {
    const struct sl_request *request;
    const struct sockaddr_storage *peer;
    int status;
    int64_t sent;   /* of the body */
    bool whole;     /* all of the answer was handed to the system */
    int64_t micros; /* from the end of the head to the end of the answer */
    int64_t now;    /* seconds since 1970 */
};

/* 2026-11-20T18:36:00Z 127.0.0.1:4711 "GET /x HTTP/1.1" 200 1048576 0.012345 "agent"
 * with " aborted" at the end where the client went away. What came from outside is escaped. */
void sl_access_line(const struct sl_access *a, struct sl_writer *out);

#endif
