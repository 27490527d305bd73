/* SPDX-License-Identifier: BSD-2-Clause */
/* Language codes: containers want ISO 639-2/T, playlists want BCP 47; sources give either. */
#ifndef SL_MUX_LANGUAGE_H
#define SL_MUX_LANGUAGE_H

#include <stdbool.h>

/* "en-US", "eng" → "eng"; "fre" → "fra"; what is no language → "und". */
void sl_language_iso639_2(const char *tag, char out[4]);
/* "eng" → "en" (RFC 5646 4.5: the shortest code), "pt-BR" and "gsw" stay; empty where the tag is
 * empty, "und" or no well-formed tag. */
void sl_language_bcp47(const char *tag, char out[16]);

#endif
