/* SPDX-License-Identifier: BSD-2-Clause */
/* From addresses below /runs to questions. */
#include <string.h>

#include "serve/query.h"
#include "serve/runs.h"

#define LIST_LIMIT 100

/* What a run or a rendition is called: registry/registry.h. */
static bool take_name(const char *text, size_t size, char *out, size_t room)
{
    if (size == 0 || size >= room || text[0] == '.' || text[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    memcpy(out, text, size);
    out[size] = '\0';
    return true;
}

int sl_run_parse(const char *path, struct sl_run_ask *ask)
{
    static const char quality[] = "quality/", playlist[] = "/playlist.m3u8";
    const char *slash;
    size_t size;

    memset(ask, 0, sizeof *ask);
    ask->msn = ask->seen = -1;
    ask->limit = LIST_LIMIT;
    if (strcmp(path, "runs") == 0) {
        ask->what = SL_RUN_LIST;
        return 0;
    }
    if (strncmp(path, "runs/", 5) != 0) {
        return 404;
    }
    path += 5;
    slash = strchr(path, '/');
    if (!take_name(path, slash ? (size_t)(slash - path) : strlen(path), ask->id, sizeof ask->id)) {
        return 404;
    }
    if (!slash) {
        ask->what = SL_RUN_JSON;
        return 0;
    }
    path = slash + 1;
    if (strcmp(path, "master.m3u8") == 0) {
        ask->what = SL_RUN_MASTER;
        return 0;
    }
    if (strcmp(path, "events") == 0) {
        ask->what = SL_RUN_EVENTS;
        return 0;
    }
    size = strlen(path);
    if (size <= sizeof quality - 1 + sizeof playlist - 1 ||
        strncmp(path, quality, sizeof quality - 1) != 0 ||
        strcmp(path + size - (sizeof playlist - 1), playlist) != 0 ||
        !take_name(path + sizeof quality - 1, size - (sizeof quality - 1) - (sizeof playlist - 1),
                   ask->rendition, sizeof ask->rendition)) {
        return 404;
    }
    ask->what = SL_RUN_PLAYLIST;
    return 0;
}

static int parse_list(struct sl_text query, struct sl_run_ask *ask, const char **detail)
{
    char state[16];
    int found = sl_query_get(query, "state", state, sizeof state);

    if (found < 0 || (found == 1 && !sl_run_state_parse(state, &ask->state))) {
        *detail = "state: running, finished, stopped or failed is expected";
        return 400;
    }
    if (sl_query_number(query, "limit", &ask->limit) < 0 || ask->limit < 1 ||
        ask->limit > SL_REGISTRY_PAGE_MAX) {
        *detail = "limit: 1 to 1000 is expected";
        return 400;
    }
    if (sl_query_get(query, "cursor", ask->cursor, sizeof ask->cursor) < 0) {
        *detail = "this is not a cursor of ours";
        return 400;
    }
    return 0;
}

/* RFC 8216bis 6.2.5: blocking playlist reload. There are no parts, so a part of a segment is there
 * when all of it is. */
static int parse_playlist(struct sl_text query, struct sl_run_ask *ask, const char **detail)
{
    int64_t part = 0;
    int msn = sl_query_number(query, "_HLS_msn", &ask->msn);
    int parts = sl_query_number(query, "_HLS_part", &part);

    if (msn < 0 || parts < 0 || (parts == 1 && msn == 0)) {
        *detail = "_HLS_msn: a number is expected, and with _HLS_part always";
        return 400;
    }
    return 0;
}

int sl_run_parse_request(const struct sl_request *r, struct sl_run_ask *ask, const char **detail)
{
    struct sl_text query = sl_request_text(r, r->query), id;

    *detail = NULL;
    switch (ask->what) {
    case SL_RUN_LIST:
        return parse_list(query, ask, detail);
    case SL_RUN_PLAYLIST:
        return parse_playlist(query, ask, detail);
    case SL_RUN_EVENTS:
        id = sl_request_field(r, SL_FIELD_LAST_EVENT_ID);
        /* Whatever is no number of ours asks for everything. */
        for (size_t i = 0; i < id.size && i < 18; i++) {
            if (id.data[i] < '0' || id.data[i] > '9' || id.size > 18) {
                ask->seen = -1;
                break;
            }
            ask->seen = (ask->seen < 0 ? 0 : ask->seen) * 10 + (id.data[i] - '0');
        }
        return 0;
    default:
        return 0;
    }
}
