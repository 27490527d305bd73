/* SPDX-License-Identifier: BSD-2-Clause */
/* HTTP dates, RFC 9110 5.6.7. Seconds since 1970, UTC; locale and time zone play no part. */
#ifndef SL_SERVE_DATE_H
#define SL_SERVE_DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_DATE_SIZE 30 /* "Sun, 06 Nov 1994 08:49:37 GMT" and its terminator */

/* Years 1970 to 9999; what lies outside is moved to the nearest second inside. */
void sl_date_format(int64_t seconds, char out[SL_DATE_SIZE]);
/* All three forms that a recipient must know: IMF-fixdate, RFC 850, asctime. now settles the
 * century of a two-digit year. The name of the day must be a name, but need not be the right one.
 */
bool sl_date_parse(const char *text, size_t size, int64_t now, int64_t *seconds);

#endif
