/* SPDX-License-Identifier: BSD-2-Clause */
/* Text from command lines and JSON: "key\nvalue" into an option table, and values as fractions. */
#include <stdlib.h>
#include <string.h>

#include <sluice/options.h>

#include "base/bits.h"
#include "base/rational.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

struct params {
    int flag;
    int choice;
    int64_t number;
    struct sl_rational rate;
    int32_t size[2];
    char name[8];
    uint32_t guard;
};

static const char *const choices[] = {"one", "two", NULL};

static const struct sl_option table[] = {
    {.key = "flag", .type = SL_OPTION_BOOL, .offset = offsetof(struct params, flag)},
    {.key = "choice",
     .type = SL_OPTION_ENUM,
     .offset = offsetof(struct params, choice),
     .choices = choices},
    {.key = "number",
     .type = SL_OPTION_INT,
     .offset = offsetof(struct params, number),
     .min = -5,
     .max = INT64_MAX},
    {.key = "rate",
     .type = SL_OPTION_RATIONAL,
     .offset = offsetof(struct params, rate),
     .min = 1,
     .max = 1000},
    {.key = "size",
     .type = SL_OPTION_SIZE,
     .offset = offsetof(struct params, size),
     .min = 1,
     .max = 16384},
    {.key = "name",
     .type = SL_OPTION_STRING,
     .offset = offsetof(struct params, name),
     .capacity = 8},
    {.key = NULL},
};

static void fraction(const char *text)
{
    struct sl_rational r, limited;

    if (!sl_rational_parse(text, &r)) {
        return;
    }
    require(r.den > 0);
    require(sl_rational_compare(r, sl_rational_reduce(r)) == 0);
    limited = sl_rational_limit(r, 1000);
    require(limited.num >= -1000 && limited.num <= 1000 && limited.den > 0 && limited.den <= 1000);
    if (sl_rational_valid(r)) {
        int64_t down = sl_rescale(12345, r, sl_rational(1, 90000), SL_ROUND_DOWN);
        int64_t up = sl_rescale(12345, r, sl_rational(1, 90000), SL_ROUND_UP);

        require(up - down >= 0 && up - down <= 1);
        if (up < INT64_MAX) {
            require(sl_time_compare(12345, r, down, sl_rational(1, 90000)) >= 0);
            require(sl_time_compare(12345, r, up, sl_rational(1, 90000)) <= 0);
        }
    }
}

/* What Exp-Golomb codes were read can be written again, and then reads the same. */
static void codes(const uint8_t *data, size_t size)
{
    struct sl_bit_reader in, again;
    struct sl_bit_writer out;
    struct sl_writer w;

    sl_writer_init(&w, size + 16);
    sl_bit_writer_init(&out, &w);
    sl_bits_init(&in, data, size);
    while (sl_bits_more_rbsp(&in)) {
        uint32_t v = sl_bits_ue(&in);

        if (!in.overrun) {
            sl_put_ue(&out, v);
        }
    }
    sl_put_trailing(&out);
    require(sl_writer_finish(&w, NULL) == SL_OK);
    sl_bits_init(&in, data, size);
    sl_bits_init(&again, w.data, w.size);
    while (sl_bits_more_rbsp(&again)) {
        require(sl_bits_ue(&in) == sl_bits_ue(&again));
    }
    require(!again.overrun);
    sl_writer_clear(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct params p = {.guard = 0xA5A5A5A5}, before;
    struct sl_error err = {0};
    char text[1000], message[600], *value;

    codes(data, size);
    if (size >= sizeof(text)) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = 0;
    value = strchr(text, '\n');
    if (value) {
        *value++ = 0;
        fraction(value);
    }
    before = p;
    if (sl_options_set(table, &p, text, value, &err) == SL_OK) {
        require(err.status == SL_OK && p.number >= -5 && p.choice < 2 && memchr(p.name, 0, 8));
    } else {
        require(err.status != SL_OK && memcmp(&before, &p, sizeof(p)) == 0);
        (void)sl_error_format(&err, message, sizeof(message));
    }
    require(p.guard == 0xA5A5A5A5);
    return 0;
}
