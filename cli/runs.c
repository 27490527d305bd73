/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice runs: list, show and delete; what goes on with them is in runs_live.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/ladder.h"

static const struct sl_option none[] = {{.key = NULL}};

#define REGISTRY_HELP                                                                              \
    "--store names the store whose runs are meant, or --registry what lists them: the path of a "  \
    "file\n(SQLite), or postgres://… for PostgreSQL."

struct request {
    const char *verb;
    const char *store, *registry;
    const char *run;
    struct sl_runs_query query;
    bool takes_run, json, force;
};

static int bad_limit(const char *value)
{
    (void)fprintf(stderr, "sluice: limit: \"%s\" is not allowed (1 to 1000)\n", value);
    return CLI_USAGE;
}

static int handle(void *opaque, const char *key, const char *value)
{
    struct request *r = opaque;
    if (!key) {
        if (!r->takes_run || r->run) {
            (void)fprintf(stderr, "sluice: %s: %s (see: sluice runs %s --help)\n", value,
                          r->takes_run ? "one run is enough" : "no run is to be named", r->verb);
            return CLI_USAGE;
        }
        r->run = value;
        return -1;
    }
    if (!strcmp(key, "store")) {
        r->store = value;
    } else if (!strcmp(key, "registry")) {
        r->registry = value;
    } else if (!strcmp(key, "state")) {
        r->query.state = value;
    } else if (!strcmp(key, "after")) {
        r->query.after = value;
    } else if (!strcmp(key, "json")) {
        r->json = true;
    } else if (!strcmp(key, "force")) {
        r->force = true;
    } else { /* limit */
        char *end;
        unsigned long n = strtoul(value, &end, 10);
        if (value[0] < '0' || value[0] > '9' || *end || n < 1 || n > 1000) {
            return bad_limit(value);
        }
        r->query.limit = (uint32_t)n;
    }
    return -1;
}

/* Parses and opens. -1: go on. */
static int begin(const struct cli_command *command, int argc, char **argv, struct request *r,
                 struct sl_runs **runs)
{
    struct sl_error err = {0};
    int status = cli_parse(command, argc, argv, NULL, handle, r);
    if (status >= 0) {
        return status;
    }
    const char *where = r->registry ? r->registry : r->store;
    if (!where) {
        (void)fprintf(stderr, "sluice: --store is missing (see: sluice runs %s --help)\n", r->verb);
        return CLI_USAGE;
    }
    if (r->takes_run && !r->run) {
        (void)fprintf(stderr, "sluice: no run is named (see: sluice runs %s --help)\n", r->verb);
        return CLI_USAGE;
    }
    return sl_runs_open(runs, where, &cli_log, &err) == SL_OK ? -1 : cli_report(&err);
}

static void print_time(const char *label, int64_t time)
{
    time_t seconds = (time_t)(time / 1000000);
    struct tm tm;
    char text[32];
    if (time == SL_NO_TIME || !gmtime_r(&seconds, &tm) ||
        !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm)) {
        return;
    }
    printf("%s%s", label, text);
}

static const char *state_of(const struct sl_run_info *run)
{
    return !strcmp(run->state, "running") && !run->alive ? "interrupted" : run->state;
}

/* ---- list -------------------------------------------------------------------------------- */

static int list(int argc, char **argv)
{
    static const char *const own[] = {
        "store=", "registry=", "json", "state=", "limit=", "after=", NULL};
    const struct cli_command command = {
        .name = "runs list",
        .arguments = "--store DIR|--registry FILE|postgres://…",
        .summary = "Lists runs, the newest first: 100 of them, or --limit; --state shows those of "
                   "one state alone\n(running, finished, stopped, failed), --after goes on where "
                   "a page ended.\n" REGISTRY_HELP,
        .example = "sluice runs list --store store --state running",
        .table = none,
        .own = own,
    };
    struct request r = {.verb = "list", .query = {.struct_size = sizeof r.query}};
    struct sl_runs *runs = NULL;
    struct sl_error err = {0};
    const char *json = NULL;
    int status = begin(&command, argc, argv, &r, &runs);
    if (status >= 0) {
        return status;
    }
    status = CLI_OK;
    if (r.json) {
        if (sl_runs_list_json(runs, &r.query, &json, &err) == SL_OK) {
            printf("%s\n", json);
        }
    } else if (sl_runs_list(runs, &r.query, &err) == SL_OK) {
        for (size_t i = 0; i < sl_runs_count(runs); i++) {
            const struct sl_run_info *run = sl_runs_at(runs, i);
            printf("%-32s %-12s", run->id, state_of(run));
            print_time(" ", run->created);
            printf("%s%s\n", run->root_cid[0] ? "  " : "", run->root_cid);
        }
        if (sl_runs_next(runs)) {
            printf("more: --after %s\n", sl_runs_next(runs));
        }
    }
    if (err.status != SL_OK) {
        status = cli_report(&err);
    }
    sl_runs_close(&runs);
    return status;
}

/* ---- show -------------------------------------------------------------------------------- */

static void print_line(const char *label, const char *text)
{
    if (text[0]) {
        printf("%-10s %s\n", label, text);
    }
}

static void print_run(const struct sl_runs *runs)
{
    const struct sl_run_info *run = sl_runs_at(runs, 0);
    printf("%s: %s, revision %lld", run->id, state_of(run), (long long)run->revision);
    print_time(", created ", run->created);
    print_time(", ended ", run->ended);
    printf("\n");
    print_line("error", run->error);
    print_line("profile", run->profile);
    print_line("root", run->root_cid);
    print_line("master", run->master_cid);
    print_line("options", run->options);
    if (run->uploads > 0) {
        printf("%-10s %lld still queued", "uploads", (long long)run->uploads);
        if (run->upload_error[0]) {
            printf(" (%s, %lld attempt%s: %s)", run->upload_node, (long long)run->upload_attempts,
                   run->upload_attempts == 1 ? "" : "s", run->upload_error);
        }
        printf("\n");
    }
    for (size_t i = 0; i < sl_runs_rendition_count(runs); i++) {
        const struct sl_run_rendition *n = sl_runs_rendition(runs, i);
        printf("%-10s %s", n->name, n->kind);
        if (n->width > 0) {
            printf(" %dx%d", n->width, n->height);
        }
        printf(" %s, %lld kbit/s, %lld segment%s from %lld on, %.3f s, %lld bytes%s%s\n", n->codecs,
               (long long)(n->bitrate / 1000), (long long)n->segments, n->segments == 1 ? "" : "s",
               (long long)n->first,
               (double)n->end * (double)n->timebase.num / (double)n->timebase.den,
               (long long)n->bytes, n->playlist_cid[0] ? ", playlist " : "", n->playlist_cid);
    }
}

static int show(int argc, char **argv)
{
    static const char *const own[] = {"store=", "registry=", "json", NULL};
    const struct cli_command command = {
        .name = "runs show",
        .arguments = "RUN --store DIR|--registry FILE|postgres://…",
        .summary = "Shows one run and its renditions.\n" REGISTRY_HELP,
        .example = "sluice runs show film --store store --json",
        .table = none,
        .own = own,
    };
    struct request r = {.verb = "show", .takes_run = true};
    struct sl_runs *runs = NULL;
    struct sl_error err = {0};
    const char *json = NULL;
    int status = begin(&command, argc, argv, &r, &runs);
    if (status >= 0) {
        return status;
    }
    status = CLI_OK;
    if (r.json) {
        if (sl_runs_show_json(runs, r.run, &json, &err) == SL_OK) {
            printf("%s\n", json);
        }
    } else if (sl_runs_show(runs, r.run, &err) == SL_OK) {
        print_run(runs);
    }
    if (err.status != SL_OK) {
        status = cli_report(&err);
    }
    sl_runs_close(&runs);
    return status;
}

/* ---- delete ------------------------------------------------------------------------------ */

static int delete_run(int argc, char **argv)
{
    static const char *const own[] = {"store=", "registry=", "force", NULL};
    const struct cli_command command = {
        .name = "runs delete",
        .arguments = "RUN --store DIR|--registry FILE|postgres://…",
        .summary = "Forgets a run. What it published stays in the store. A run that is being "
                   "written is left alone\nwithout --force.\n" REGISTRY_HELP,
        .example = "sluice runs delete film --store store",
        .table = none,
        .own = own,
    };
    struct request r = {.verb = "delete", .takes_run = true};
    struct sl_runs *runs = NULL;
    struct sl_error err = {0};
    int status = begin(&command, argc, argv, &r, &runs);
    if (status >= 0) {
        return status;
    }
    status = sl_runs_delete(runs, r.run, r.force, &err) == SL_OK ? CLI_OK : cli_report(&err);
    sl_runs_close(&runs);
    return status;
}

int cmd_runs(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
        const char *summary;
    } verbs[] = {
        {"list", list, "list them, the newest first"},
        {"show", show, "show one and its renditions"},
        {"resume", cli_runs_resume, "go on with one that was stopped or killed"},
        {"upload", cli_runs_upload, "send what is still queued for IPFS nodes"},
        {"finish", cli_runs_finish, "end one that nobody will go on with"},
        {"delete", delete_run, "forget one"},
    };
    bool help = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!strcmp(argv[1], verbs[i].name)) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    FILE *to = help ? stdout : stderr;
    (void)fprintf(to, "Usage: sluice runs VERB [OPTION]...\n\nVerbs:\n");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        (void)fprintf(to, "  %-6s %s\n", verbs[i].name, verbs[i].summary);
    }
    (void)fprintf(to, "\n  sluice runs VERB --help   what a verb takes\n\n"
                      "Example:\n  sluice runs list --registry runs.db\n");
    return help ? CLI_OK : CLI_USAGE;
}
