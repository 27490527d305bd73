/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice schedule make|check|show */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const struct sl_option none[] = {{.key = NULL}};

static int bad_value(const char *key, const char *value, const char *allowed)
{
    (void)fprintf(stderr, "sluice: %s: \"%s\" is not allowed (%s)\n", key, value, allowed);
    return CLI_USAGE;
}

/* ---- make -------------------------------------------------------------------------------- */

static int no_operand(void *opaque, const char *key, const char *value)
{
    (void)opaque, (void)key;
    (void)fprintf(stderr, "sluice: %s: no input is read (see: sluice schedule make --help)\n",
                  value);
    return CLI_USAGE;
}

static int make(int argc, char **argv)
{
    const struct cli_command command = {
        .name = "schedule make",
        .arguments = "--frames N -o FILE",
        .summary = "Makes a schedule of N pictures: pyramids of B pictures, or P pictures alone.",
        .example = "sluice schedule make --frames 300 --gop 16 --keyint 120 -o schedule.json",
        .table = sl_schedule_options(),
        .short_output = "output",
    };
    struct sl_error err = {0};
    struct sl_schedule_params params;
    struct sl_schedule_doc *doc = NULL;
    int status;
    if (sl_schedule_params_default(&params, sizeof params, &err) != SL_OK) {
        return cli_report(&err);
    }
    status = cli_parse(&command, argc, argv, &params, no_operand, NULL);
    if (status >= 0) {
        return status;
    }
    status = CLI_OK;
    if (sl_schedule_doc_make(&doc, &params, &err) != SL_OK ||
        sl_schedule_doc_save(doc, SL_SCHEDULE_JSON, 0, UINT64_MAX, params.output, &err) != SL_OK) {
        status = cli_report(&err);
    }
    sl_schedule_doc_destroy(&doc);
    return status;
}

/* ---- check and show ---------------------------------------------------------------------- */

struct request {
    const char *input;
    const char *output;
    enum sl_schedule_format format;
    unsigned long long first, count;
    int width, height, level;
};

#define SIDE_MAX 16384 /* of a picture */

/* A whole number; what stands behind it, NULL: there is none. */
static const char *number(const char *text, unsigned long long *out)
{
    char *end;
    if (text[0] < '0' || text[0] > '9') {
        return NULL;
    }
    *out = strtoull(text, &end, 10);
    return end;
}

static int set_format(struct request *r, const char *value)
{
    static const char *const names[] = {"auto", "json", "text", "svg"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!strcmp(value, names[i])) {
            r->format = (enum sl_schedule_format)i;
            return -1;
        }
    }
    return bad_value("format", value, "auto, json, text, svg");
}

static int set_size(struct request *r, const char *value)
{
    unsigned long long width, height;
    const char *rest = number(value, &width);
    if (!rest || *rest != 'x') {
        return bad_value("size", value, "WIDTHxHEIGHT");
    }
    rest = number(rest + 1, &height);
    if (!rest || *rest || width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX) {
        return bad_value("size", value, "WIDTHxHEIGHT");
    }
    r->width = (int)width;
    r->height = (int)height;
    return -1;
}

static int set_level(struct request *r, const char *value)
{
    unsigned long long major, minor = 0;
    const char *rest = number(value, &major);
    if (rest && *rest == '.') {
        rest = number(rest + 1, &minor);
    }
    if (!rest || *rest || major < 1 || major > 6 || minor > 3) {
        return bad_value("level", value, "1.0 to 6.2");
    }
    r->level = (int)(major * 10 + minor);
    return -1;
}

static int handle(void *opaque, const char *key, const char *value)
{
    struct request *r = opaque;
    if (!key) {
        if (r->input) {
            (void)fprintf(stderr, "sluice: %s: one schedule is enough\n", value);
            return CLI_USAGE;
        }
        r->input = value;
        return -1;
    }
    if (!strcmp(key, "output")) {
        r->output = value;
        return -1;
    }
    if (!strcmp(key, "format")) {
        return set_format(r, value);
    }
    if (!strcmp(key, "size")) {
        return set_size(r, value);
    }
    if (!strcmp(key, "level")) {
        return set_level(r, value);
    }
    const char *rest = number(value, !strcmp(key, "first") ? &r->first : &r->count);
    return rest && !*rest ? -1 : bad_value(key, value, "a whole number");
}

static int open_input(const struct request *r, const char *command, struct sl_schedule_doc **doc)
{
    struct sl_error err = {0};
    if (!r->input) {
        (void)fprintf(stderr, "sluice: no schedule is named (see: sluice schedule %s --help)\n",
                      command);
        return CLI_USAGE;
    }
    return sl_schedule_doc_open(doc, r->input, &err) == SL_OK ? CLI_OK : cli_report(&err);
}

/* What level the picture size asks for, and whether the one that is asked for will do. */
static int check_level(const struct request *r, const struct sl_schedule_doc *doc,
                       const struct sl_schedule_info *info)
{
    int level = sl_schedule_doc_level(doc, r->width, r->height);
    if (level == 0) {
        (void)fprintf(stderr, "sluice: %s: no level holds %d frames of %dx%d\n", r->input,
                      info->dpb, r->width, r->height);
        return CLI_FAILED;
    }
    printf("level %d.%d at %dx%d\n", level / 10, level % 10, r->width, r->height);
    if (r->level && level > r->level) {
        (void)fprintf(stderr,
                      "sluice: %s: a DPB of %d frames; level %d.%d holds %d of %dx%d, %d.%d is "
                      "needed\n",
                      r->input, info->dpb, r->level / 10, r->level % 10,
                      sl_schedule_level_frames(r->level, r->width, r->height), r->width, r->height,
                      level / 10, level % 10);
        return CLI_FAILED;
    }
    return CLI_OK;
}

static int check(int argc, char **argv)
{
    static const char *const own[] = {"size=", "level=", NULL};
    const struct cli_command command = {
        .name = "schedule check",
        .arguments = "SCHEDULE.json",
        .summary =
            "Checks a schedule against every rule, a decoder's picture buffer included. With "
            "--size\n(WIDTHxHEIGHT) it says which H.264 level that needs; --level says which "
            "one it must fit.",
        .example = "sluice schedule check schedule.json --size 1280x720 --level 4.0",
        .table = none,
        .own = own,
    };
    struct request r = {0};
    struct sl_schedule_doc *doc = NULL;
    struct sl_schedule_info info;
    struct sl_error err = {0};
    int status = cli_parse(&command, argc, argv, NULL, handle, &r);
    if (status >= 0) {
        return status;
    }
    if (r.level && !r.width) {
        (void)fprintf(stderr, "sluice: --level needs --size (see: sluice schedule check --help)\n");
        return CLI_USAGE;
    }
    status = open_input(&r, "check", &doc);
    if (status != CLI_OK) {
        return status;
    }
    if (sl_schedule_doc_info(doc, &info, &err) != SL_OK) {
        status = cli_report(&err);
    } else {
        printf("%llu frames, gop %d, %d layers, dpb %d (%d needed), reorder %d (%d needed)\n",
               (unsigned long long)info.frames, info.gop, info.layers, info.dpb, info.dpb_needed,
               info.reorder, info.reorder_needed);
        status = r.width ? check_level(&r, doc, &info) : CLI_OK;
    }
    sl_schedule_doc_destroy(&doc);
    return status;
}

static int show(int argc, char **argv)
{
    static const char *const own[] = {"output=", "format=", "first=", "count=", NULL};
    const struct cli_command command = {
        .name = "schedule show",
        .arguments = "SCHEDULE.json",
        .summary =
            "Draws a schedule: layers down, pictures across in display order. --format text, "
            "svg or json\n(else by the name of --output); --first and --count choose "
            "pictures.",
        .example = "sluice schedule show schedule.json --count 33 --output schedule.svg",
        .table = none,
        .own = own,
    };
    struct request r = {.output = "-", .count = UINT64_MAX};
    struct sl_schedule_doc *doc = NULL;
    struct sl_error err = {0};
    int status = cli_parse(&command, argc, argv, NULL, handle, &r);
    if (status >= 0) {
        return status;
    }
    status = open_input(&r, "show", &doc);
    if (status != CLI_OK) {
        return status;
    }
    if (sl_schedule_doc_save(doc, r.format, r.first, r.count, r.output, &err) != SL_OK) {
        status = cli_report(&err);
    }
    sl_schedule_doc_destroy(&doc);
    return status;
}

int cmd_schedule(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
        const char *summary;
    } verbs[] = {
        {"make", make, "make one: pyramids of B pictures, or P pictures alone"},
        {"check", check, "check one against every rule"},
        {"show", show, "draw one as text or SVG"},
    };
    bool help = argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
    for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!strcmp(argv[1], verbs[i].name)) {
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    FILE *to = help ? stdout : stderr;
    (void)fprintf(to, "Usage: sluice schedule VERB [OPTION]...\n\nVerbs:\n");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        (void)fprintf(to, "  %-6s %s\n", verbs[i].name, verbs[i].summary);
    }
    (void)fprintf(to, "\n  sluice schedule VERB --help   what a verb takes\n\n"
                      "Example:\n  sluice schedule make --frames 300 -o schedule.json\n");
    return help ? CLI_OK : CLI_USAGE;
}
