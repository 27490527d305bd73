/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that are files. */
#ifndef SL_SERVE_SITE_FILE_H
#define SL_SERVE_SITE_FILE_H

#include "serve/site.h"

/* What is open as fd, which is taken; path tells the type. */
void sl_site_answer_file(const struct sl_site *site, const struct sl_visit *visit, const char *path,
                         int fd, struct sl_reply *reply);
/* The links of a playlist (reply's body) get the signature that allowed the playlist, where links
 * are signed. */
SL_NODISCARD bool sl_site_carry(const struct sl_site *site, const struct sl_request *r,
                                struct sl_reply *reply);
/* Why it could not be opened; says in the log what a client need not know. */
void sl_site_fail_errno(const struct sl_site *site, const struct sl_request *r, const char *path,
                        int error, struct sl_reply *reply);

#endif
