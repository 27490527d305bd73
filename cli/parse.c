/* SPDX-License-Identifier: BSD-2-Clause */
/* GNU-style command lines from option tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int help(const struct cli_command *c)
{
    size_t size = sl_options_help(c->table, NULL, 0) + 1;
    char *text = malloc(size);
    if (!text) {
        (void)fprintf(stderr, "sluice: out of memory\n");
        return CLI_FAILED;
    }
    sl_options_help(c->table, text, size);
    printf("Usage: sluice %s [OPTION]... %s\n%s\n\n%s", c->name, c->arguments, c->summary, text);
    for (size_t i = 0; c->own && c->own[i]; i++) {
        printf("  --%s%s\n", c->own[i], strchr(c->own[i], '=') ? "…" : "");
    }
    for (size_t i = 0; c->letters && c->letters[i]; i++) {
        printf("  -%c                         --%s\n", c->letters[i][0], c->letters[i] + 2);
    }
    printf("  -v, -q                     say more, say less\n"
           "  -h, --help                 this text\n\nExample:\n  %s\n",
           c->example);
    free(text);
    return CLI_OK;
}

static int usage(const struct cli_command *c, const char *format, const char *word)
{
    (void)fprintf(stderr, "sluice: ");
    (void)fprintf(stderr, format, word);
    (void)fprintf(stderr, " (see: sluice %s --help)\n", c->name);
    return CLI_USAGE;
}

/* Own option called name of this length, or NULL. */
static const char *own_option(const struct cli_command *c, const char *name, size_t size,
                              bool *takes_value)
{
    for (size_t i = 0; c->own && c->own[i]; i++) {
        size_t length = strcspn(c->own[i], "=");
        if (length == size && !strncmp(c->own[i], name, size)) {
            *takes_value = c->own[i][length] == '=';
            return c->own[i];
        }
    }
    return NULL;
}

struct walk {
    const struct cli_command *command;
    int argc;
    char **argv;
    int at;
    void *params;
    int (*handle)(void *opaque, const char *key, const char *value);
    void *opaque;
};

static int set(const struct walk *w, const char *key, const char *value)
{
    struct sl_error err = {0};
    if (sl_options_set(w->command->table, w->params, key, value, &err) == SL_OK) {
        return -1;
    }
    cli_report(&err);
    return CLI_USAGE;
}

static int long_option(struct walk *w, const char *text)
{
    const struct cli_command *c = w->command;
    char key[64];
    size_t size = strcspn(text, "=");
    const char *value = text[size] == '=' ? text + size + 1 : NULL;
    if (size == 0 || size >= sizeof key) {
        return usage(c, "--%s is not an option", text);
    }
    memcpy(key, text, size);
    key[size] = '\0';
    if (!strcmp(key, "help")) {
        return help(c);
    }
    bool takes_value = false;
    const char *own = own_option(c, key, size, &takes_value);
    const struct sl_option *option = own ? NULL : sl_options_find(c->table, key);
    if (option) {
        takes_value = option->type != SL_OPTION_BOOL;
    }
    if (takes_value && !value) {
        if (w->at + 1 >= w->argc) {
            return usage(c, "--%s needs a value", key);
        }
        value = w->argv[++w->at];
    }
    if (own) {
        if (value && !takes_value) {
            return usage(c, "--%s takes no value", key);
        }
        return w->handle(w->opaque, key, value);
    }
    return set(w, key, value);
}

/* What the letter stands for among the command's own, or NULL. */
static const char *letter_option(const struct cli_command *c, char letter, bool *takes_value)
{
    for (size_t i = 0; c->letters && c->letters[i]; i++) {
        if (c->letters[i][0] == letter) {
            const char *name = c->letters[i] + 2;
            return own_option(c, name, strlen(name), takes_value) ? name : NULL;
        }
    }
    return NULL;
}

/* -r, -rq, -o FILE, -oFILE where the command has such letters. *known: it has. */
static int letters(struct walk *w, const char *arg, bool *known)
{
    bool takes_value = false;
    int done = -1;
    *known = letter_option(w->command, arg[1], &takes_value) != NULL;
    for (const char *p = arg + 1; *known && *p && done < 0; p++) {
        const char *name = letter_option(w->command, *p, &takes_value);
        if (!name) {
            return usage(w->command, "%s is not an option", arg);
        }
        if (takes_value) {
            const char *value = p[1] ? p + 1 : w->at + 1 < w->argc ? w->argv[++w->at] : NULL;
            return value ? w->handle(w->opaque, name, value)
                         : usage(w->command, "%s needs a value", arg);
        }
        done = w->handle(w->opaque, name, NULL);
    }
    return done;
}

int cli_parse(const struct cli_command *command, int argc, char **argv, void *params,
              int (*handle)(void *opaque, const char *key, const char *value), void *opaque)
{
    struct walk w = {command, argc, argv, 0, params, handle, opaque};
    bool operands_only = false;
    for (w.at = 1; w.at < argc; w.at++) {
        const char *arg = argv[w.at];
        bool known = false;
        int done;
        if (operands_only || arg[0] != '-' || !arg[1]) {
            done = handle(opaque, NULL, arg);
        } else if (!strcmp(arg, "--")) {
            operands_only = true;
            continue;
        } else if (arg[1] == '-') {
            done = long_option(&w, arg + 2);
        } else if (done = letters(&w, arg, &known), known) {
            /* it was the command's own */
        } else if (!strcmp(arg, "-h")) {
            done = help(command);
        } else if (!strcmp(arg, "-v") || !strcmp(arg, "-q")) {
            cli_set_verbosity(arg[1] == 'v' ? 1 : -1);
            continue;
        } else if (arg[1] == 'o' && command->short_output) {
            const char *value = arg[2] ? arg + 2 : w.at + 1 < argc ? argv[++w.at] : NULL;
            done = value ? set(&w, command->short_output, value)
                         : usage(command, "%s needs a value", "-o");
        } else {
            done = usage(command, "%s is not an option", arg);
        }
        if (done >= 0) {
            return done;
        }
    }
    return -1;
}
