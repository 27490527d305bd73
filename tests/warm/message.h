/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client tells a warm program: one struct call, with its standard streams beside it
 * (SCM_RIGHTS), then its directory, arguments and environment, each ended by a zero byte. Then a
 * byte for each signal that shall reach the program. The answer is the wait status, one int. */
#ifndef SL_WARM_MESSAGE_H
#define SL_WARM_MESSAGE_H

#include <stdint.h>

struct call {
    uint32_t bytes; /* of text that follows */
    uint32_t arguments;
    uint32_t variables;
    int32_t nice;
};

#define CALL_MAX (4U << 20) /* bytes of text; more is not warm's to run */

#endif
