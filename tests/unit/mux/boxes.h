/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking into ISO/IEC 14496-12 files from the outside: a text dump for golden files, and a way to
 * reach single boxes. Knows nothing of src/mux. */
#ifndef SL_TEST_BOXES_H
#define SL_TEST_BOXES_H

#include "base/bytes.h"

struct box {
    char type[5];
    const uint8_t *data; /* after size and type */
    size_t size;
    const uint8_t *start; /* of the box */
};

/* The next box of r; false at its end. Fails the test where a size does not fit. */
bool box_next(struct sl_reader *r, struct box *box);
/* "moof/traf/tfdt", the index-th that matches in the last step; fails the test if absent. */
struct box box_find(const uint8_t *data, size_t size, const char *path, size_t index);
size_t box_count(const uint8_t *data, size_t size, const char *path);

/* Every box with its fields, indented; bytes that have no field as hex. */
void boxes_dump(const uint8_t *data, size_t size, struct sl_writer *out);

/* Compares with SL_GOLDEN_DIR/name. With SL_UPDATE_GOLDEN set in the environment it writes the
 * file instead (make the change, look at the difference, commit both). */
void golden_check(const char *directory, const char *name, const struct sl_writer *text);

#endif
