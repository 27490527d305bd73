/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "registry/db.h"

struct sl_db_value sl_db_text(const char *text)
{
    return (struct sl_db_value){
        .type = text ? SL_DB_TEXT : SL_DB_NULL, .text = text, .size = text ? strlen(text) : 0};
}

struct sl_db_value sl_db_time(int64_t microseconds)
{
    return (struct sl_db_value){.type = microseconds == SL_NO_TIME ? SL_DB_NULL : SL_DB_INTEGER,
                                .integer = microseconds};
}
