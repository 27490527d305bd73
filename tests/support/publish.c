/* SPDX-License-Identifier: BSD-2-Clause */
/* A writer of runs that does as it is told, one line at a time, words apart by tabs: for tests that
 * need a store and a registry in a state of their choosing. Each line is answered with "ok …" or
 * "error …".
 *
 *   open STORE REGISTRY
 *   add PATH                      ok CID: a file
 *   tree PATH                     ok CID: a directory with all below it
 *   claim RUN
 *   rendition NAME KIND CODECS WIDTH HEIGHT CHANNELS TIMEBASE BITRATE TARGET WINDOW FORMAT
 *                                 "-" stands for an empty text
 *   renditions                    hands over those above
 *   segment RENDITION NUMBER CID INIT START DURATION BYTES FLAGS TIME
 *                                 FLAGS: d (discontinuity), g (gap), or "-"
 *   announce                      those above, at once
 *   end STATE
 *   delete RUN */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "registry/registry.h"
#include "store/store.h"

#define WORDS_MAX    16
#define SEGMENTS_MAX 256

static struct {
    struct sl_cas *cas;
    struct sl_registry *registry;
    struct sl_registry_claim claim;
    struct sl_registry_rendition renditions[8];
    size_t rendition_count;
    struct sl_registry_segment segments[SEGMENTS_MAX];
    char owners[SEGMENTS_MAX][SL_REGISTRY_NAME_MAX];
    size_t segment_count;
} s;

static const char *text(const char *word)
{
    return strcmp(word, "-") == 0 ? "" : word;
}

static int64_t number(const char *word)
{
    return strtoll(word, NULL, 10);
}

static enum sl_status open_both(char **w, struct sl_error *err)
{
    enum sl_status status = sl_cas_open(&s.cas, w[1], SL_CAS_CREATE, NULL, err);

    return status == SL_OK ? sl_registry_open(&s.registry, w[2], NULL, err) : status;
}

static enum sl_status add(char **w, char out[SL_CID_TEXT_SIZE], struct sl_error *err)
{
    const struct sl_cas_tree_params params = {
        .profile = SL_STORE_UNIXFS_V1_2025, .recursive = true, .hidden = true, .pin = "test"};
    struct sl_cas_info info;
    enum sl_status status = sl_cas_add_tree(s.cas, w[1], &params, &info, err);

    if (status == SL_OK) {
        (void)sl_cid_text(&info.cid, out);
    }
    return status;
}

static enum sl_status claim(char **w, struct sl_error *err)
{
    const struct sl_registry_claim_params params = {
        .run = w[1], .profile = "unixfs-v1-2025", .may_exist = true, .force = true};

    s.rendition_count = s.segment_count = 0;
    return sl_registry_claim(s.registry, &params, &s.claim, err);
}

static enum sl_status add_rendition(char **w, struct sl_error *err)
{
    struct sl_registry_rendition *r = &s.renditions[s.rendition_count];

    if (s.rendition_count == sizeof s.renditions / sizeof *s.renditions) {
        return sl_fail(err, SL_EINVAL, NULL, "too many");
    }
    memset(r, 0, sizeof *r);
    (void)snprintf(r->name, sizeof r->name, "%s", w[1]);
    (void)snprintf(r->kind, sizeof r->kind, "%s", w[2]);
    (void)snprintf(r->codecs, sizeof r->codecs, "%s", text(w[3]));
    r->width = (int32_t)number(w[4]);
    r->height = (int32_t)number(w[5]);
    r->channels = (int32_t)number(w[6]);
    r->sample_rate = r->channels > 0 ? 48000 : 0;
    r->frame_rate = (struct sl_rational){r->width > 0 ? 25 : 0, 1};
    r->timebase = (struct sl_rational){1, number(w[7])};
    r->bitrate = number(w[8]);
    r->target_duration = (int32_t)number(w[9]);
    r->window = (int32_t)number(w[10]);
    (void)snprintf(r->format, sizeof r->format, "%s", w[11]);
    s.rendition_count++;
    return SL_OK;
}

static enum sl_status add_segment(char **w, struct sl_error *err)
{
    struct sl_registry_segment *g = &s.segments[s.segment_count];

    if (s.segment_count == SEGMENTS_MAX) {
        return sl_fail(err, SL_EINVAL, NULL, "too many");
    }
    memset(g, 0, sizeof *g);
    (void)snprintf(s.owners[s.segment_count++], SL_REGISTRY_NAME_MAX, "%s", w[1]);
    g->number = number(w[2]);
    (void)snprintf(g->cid, sizeof g->cid, "%s", text(w[3]));
    (void)snprintf(g->init_cid, sizeof g->init_cid, "%s", text(w[4]));
    g->start = number(w[5]);
    g->duration = number(w[6]);
    g->bytes = number(w[7]);
    g->discontinuity = strchr(w[8], 'd') != NULL;
    g->gap = strchr(w[8], 'g') != NULL;
    g->program_time = strcmp(w[9], "-") == 0 ? SL_NO_TIME : number(w[9]);
    return SL_OK;
}

static enum sl_status announce(struct sl_error *err)
{
    struct sl_registry_item items[SEGMENTS_MAX];
    struct sl_registry_announcement a = {.items = items};
    enum sl_status status;

    memset(items, 0, sizeof items);
    for (size_t i = 0; i < s.segment_count; i++) { /* neighbours of one rendition go together */
        if (a.item_count > 0 && strcmp(items[a.item_count - 1].rendition, s.owners[i]) == 0) {
            items[a.item_count - 1].segment_count++;
        } else {
            items[a.item_count].rendition = s.owners[i];
            items[a.item_count].segments = &s.segments[i];
            items[a.item_count++].segment_count = 1;
        }
    }
    status = sl_registry_announce(s.registry, &s.claim, &a, NULL, err);
    s.segment_count = 0;
    return status;
}

static enum sl_status end_run(char **w, struct sl_error *err)
{
    struct sl_registry_end end = {.error = NULL};

    if (!sl_run_state_parse(w[1], &end.state)) {
        return sl_fail(err, SL_EINVAL, w[1], "a state is expected");
    }
    end.error = end.state == SL_RUN_FAILED ? "it broke" : NULL;
    return sl_registry_end_run(s.registry, &s.claim, &end, err);
}

static enum sl_status act(char **w, int count, char out[SL_CID_TEXT_SIZE], struct sl_error *err)
{
    static const struct {
        const char *verb;
        int words;
    } verbs[] = {{"open", 3},       {"add", 2},   {"tree", 2},     {"claim", 2},
                 {"rendition", 12}, {"end", 2},   {"announce", 1}, {"renditions", 1},
                 {"segment", 10},   {"delete", 2}};

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(w[0], verbs[i].verb) == 0 && count != verbs[i].words) {
            return sl_fail(err, SL_EINVAL, w[0], "%d words are expected", verbs[i].words);
        }
    }
    if (strcmp(w[0], "open") == 0) {
        return open_both(w, err);
    }
    if (strcmp(w[0], "add") == 0 || strcmp(w[0], "tree") == 0) {
        return add(w, out, err);
    }
    if (strcmp(w[0], "claim") == 0) {
        return claim(w, err);
    }
    if (strcmp(w[0], "rendition") == 0) {
        return add_rendition(w, err);
    }
    if (strcmp(w[0], "renditions") == 0) {
        return sl_registry_set_renditions(s.registry, &s.claim, s.renditions, s.rendition_count,
                                          err);
    }
    if (strcmp(w[0], "segment") == 0) {
        return add_segment(w, err);
    }
    if (strcmp(w[0], "announce") == 0) {
        return announce(err);
    }
    if (strcmp(w[0], "end") == 0) {
        return end_run(w, err);
    }
    if (strcmp(w[0], "delete") == 0) {
        return sl_registry_delete_run(s.registry, w[1], true, err);
    }
    return sl_fail(err, SL_EINVAL, w[0], "is not understood");
}

int main(void)
{
    char line[8192];

    while (fgets(line, sizeof line, stdin)) {
        char *w[WORDS_MAX], *rest = line, *word, out[SL_CID_TEXT_SIZE] = "";
        struct sl_error err = {0};
        int count = 0;

        line[strcspn(line, "\n")] = '\0';
        while (count < WORDS_MAX && (word = strsep(&rest, "\t")) != NULL) {
            w[count++] = word;
        }
        if (count == 0 || !w[0][0]) {
            continue;
        }
        if (act(w, count, out, &err) == SL_OK) {
            printf("ok %s\n", out);
        } else {
            printf("error %s\n", err.msg);
        }
        (void)fflush(stdout);
    }
    sl_registry_close(&s.registry);
    sl_cas_close(&s.cas);
    return 0;
}
