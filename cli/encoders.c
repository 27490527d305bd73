/* SPDX-License-Identifier: BSD-2-Clause */
/* sluice encoders: what there is to encode with. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

struct encoders_command {
    int json;
};

static const struct {
    uint32_t flag;
    const char *name; /* in JSON */
    const char *text;
} flags[] = {
    {SL_BACKEND_RECONFIGURES, "reconfigures", "bitrate changes without an IDR"},
    {SL_BACKEND_RECOVERS, "recovers", "recovers from loss without an IDR"},
    {SL_BACKEND_REFRESHES, "refreshes", "intra refresh"},
    {SL_BACKEND_CUDA, "cuda", "reads CUDA memory"},
    {SL_BACKEND_CVPIXELBUFFER, "cvpixelbuffer", "reads CVPixelBuffers"},
    {SL_BACKEND_LOOKAHEAD, "lookahead", "look-ahead"},
};

static const char *codec_name(int codec)
{
    return codec == SL_ENCODER_HEVC ? "hevc" : "h264";
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void json_text(const char *text)
{
    putchar('"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') {
            printf("\\%c", *p);
        } else if (*p < 0x20) {
            printf("\\u%04x", *p);
        } else {
            putchar(*p);
        }
    }
    putchar('"');
}

static void json_or_null(const char *key, const char *text)
{
    printf(",\"%s\":", key);
    if (text) {
        json_text(text);
    } else {
        printf("null");
    }
}

/* "a,b,c" as an array; NULL: an empty one. */
static void json_names(const char *key, const char *names)
{
    printf(",\"%s\":[", key);
    for (const char *at = names; at && *at;) {
        size_t size = strcspn(at, ",");
        printf("%s\"%.*s\"", at == names ? "" : ",", (int)size, at);
        at += size + (at[size] == ',');
    }
    putchar(']');
}

static void print_json(const struct sl_encoder_backend_info *b)
{
    printf("{\"name\":\"%s\",\"codec\":\"%s\",\"available\":%s", b->name, codec_name(b->codec),
           b->available ? "true" : "false");
    json_or_null("reason", b->available ? NULL : b->reason);
    printf(",\"hardware\":%s", (b->flags & SL_BACKEND_HARDWARE) != 0 ? "true" : "false");
    json_names("presets", b->presets);
    json_names("tunes", b->tunes);
    json_names("profiles", b->profiles);
    printf(",\"flags\":[");
    bool more = false;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if ((b->flags & flags[i].flag) != 0) {
            printf("%s\"%s\"", more ? "," : "", flags[i].name);
            more = true;
        }
    }
    putchar(']');
    json_or_null("version", b->version);
    json_or_null("licence", b->licence);
    putchar('}');
}

/* ---- text -------------------------------------------------------------------------------- */

static void print_names(const char *title, const char *names)
{
    if (names && *names) {
        printf("    %-9s", title);
        for (const char *p = names; *p; p++) {
            putchar(*p);
            if (*p == ',') {
                putchar(' ');
            }
        }
        putchar('\n');
    }
}

static void print_text(const struct sl_encoder_backend_info *b)
{
    printf("%-5s %-13s %s", codec_name(b->codec), b->name, b->available ? "yes" : "no: ");
    if (!b->available) {
        printf("%s\n", b->reason);
        return;
    }
    printf(" (%s%s%s%s%s)\n", (b->flags & SL_BACKEND_HARDWARE) != 0 ? "hardware" : "software",
           b->version ? ", " : "", b->version ? b->version : "", b->licence ? ", " : "",
           b->licence ? b->licence : "");
    print_names("presets", b->presets);
    print_names("tunes", b->tunes);
    print_names("profiles", b->profiles);
    bool more = false;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if ((b->flags & flags[i].flag) != 0) {
            printf("%s%s", more ? ", " : "    can      ", flags[i].text);
            more = true;
        }
    }
    printf("%s", more ? "\n" : "");
}

/* ------------------------------------------------------------------------------------------ */

static int print_all(const struct encoders_command *c)
{
    struct sl_error err = {0};
    struct sl_encoder_backend_info info;
    enum sl_status status = SL_OK;
    printf("%s", c->json ? "[" : "");
    for (size_t i = 0; status == SL_OK; i++) {
        status = sl_encoder_backend(i, &info, &err);
        if (status != SL_OK) {
            break;
        }
        if (c->json) {
            printf("%s", i > 0 ? ",\n " : "");
            print_json(&info);
        } else {
            print_text(&info);
        }
    }
    if (status != SL_EOF) {
        return cli_report(&err);
    }
    printf("%s", c->json ? "]\n" : "");
    return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int operand(void *opaque, const char *key, const char *value)
{
    (void)opaque;
    (void)key; /* there are no own options */
    (void)fprintf(stderr, "sluice: %s: an operand (see: sluice encoders --help)\n", value);
    return CLI_USAGE;
}

int cmd_encoders(int argc, char **argv)
{
    static const struct sl_option table[] = {
        {.key = "json",
         .type = SL_OPTION_BOOL,
         .offset = offsetof(struct encoders_command, json),
         .help = "one array, for programs"},
        {.key = NULL},
    };
    const struct cli_command command = {
        .name = "encoders",
        .arguments = "",
        .summary = "Lists every encoder of pictures that Sluice knows, in the order in which auto "
                   "tries them for live\npictures: what it can, or why it cannot serve here.",
        .example = "sluice encoders\n"
                   "  sluice encoders --json | jq '.[] | select(.available) | .name'",
        .table = table,
    };
    struct encoders_command c = {0};
    int status = cli_parse(&command, argc, argv, &c, operand, &c);
    return status < 0 ? print_all(&c) : status;
}
