/* SPDX-License-Identifier: BSD-2-Clause */
/** @file
 * Option tables. One table describes every setting of a params struct; command-line flags, help
 * texts, Python keywords and HTTP JSON are all made from it.
 */
#ifndef SLUICE_OPTIONS_H
#define SLUICE_OPTIONS_H

#include <stddef.h>

#include <sluice/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An exact fraction. den is never 0 in a valid value. */
struct sl_rational {
    int64_t num;
    int64_t den;
};

enum sl_option_type {
    SL_OPTION_BOOL,     /**< int: "yes|no|true|false|1|0", or no value at all for yes */
    SL_OPTION_INT,      /**< int64_t, decimal, "3000k" and "3M" too, within [min, max] */
    SL_OPTION_RATIONAL, /**< struct sl_rational: "30000/1001", "29.97" or "4", within [min, max] */
    SL_OPTION_STRING,   /**< char[capacity], refused if it does not fit */
    SL_OPTION_ENUM,     /**< int: index into choices */
    SL_OPTION_SIZE,     /**< int32_t[2]: "1920x1080", each within [min, max] */
    SL_OPTION_LIST,     /**< repeatable; handed to add() once per value */
};

/** One setting. Tables end with an entry whose key is NULL. */
struct sl_option {
    const char *key; /**< as on the command line, without "--" */
    enum sl_option_type type;
    size_t offset;   /**< of the field in the params struct */
    size_t capacity; /**< bytes of a SL_OPTION_STRING field */
    int64_t min, max;
    const char *value_default;  /**< as text; NULL: the field is zeroed */
    const char *const *choices; /**< SL_OPTION_ENUM: NULL-terminated */
    const char *metavar;        /**< for help: "N/D", "FILE" */
    const char *help;           /**< one sentence, no full stop */
    /** SL_OPTION_LIST: parse one value into the params struct. */
    enum sl_status (*add)(void *params, const char *value, struct sl_error *err);
};

/** Fills every field that @p table names with its default. The defaults themselves must parse. */
SL_NODISCARD SL_API enum sl_status sl_options_default(const struct sl_option *table, void *params,
                                                      struct sl_error *err);

/**
 * Sets one field from text. @p value may be NULL for SL_OPTION_BOOL (meaning yes).
 * Returns: SL_ENOTFOUND for an unknown key (the message names the nearest known one), SL_EINVAL
 * for a bad value (the message names what is allowed). The field is unchanged on error.
 */
SL_NODISCARD SL_API enum sl_status sl_options_set(const struct sl_option *table, void *params,
                                                  const char *key, const char *value,
                                                  struct sl_error *err);

/** The entry for @p key, or NULL. */
SL_API const struct sl_option *sl_options_find(const struct sl_option *table, const char *key);

/**
 * Writes the help lines of a whole table ("  --key METAVAR   help (default: x)\n" …).
 * Returns: the length that the full text has, as snprintf does.
 */
SL_API size_t sl_options_help(const struct sl_option *table, char *buf, size_t size);

#ifdef __cplusplus
}
#endif
#endif
