/* SPDX-License-Identifier: BSD-2-Clause */
/* EBML, RFC 8794: element headers, and master elements by tables. */
#ifndef SL_DEMUX_EBML_H
#define SL_DEMUX_EBML_H

#include "base/bytes.h"
#include "base/window.h"

#define SL_EBML_HEADER_MAX 12        /* an ID of 4 bytes, a size of 8 */
#define SL_EBML_UNKNOWN    INT64_MAX /* data size with all bits set (6.2) */

enum {
    SL_EBML_ID_HEADER = 0x1a45dfa3,
    SL_EBML_ID_VOID = 0xec,
    SL_EBML_ID_CRC32 = 0xbf,
};

/* One element's header. data + size does not overflow unless size is SL_EBML_UNKNOWN. */
struct sl_ebml_element {
    uint32_t id;
    int64_t offset; /* of the ID */
    int64_t data;   /* of the first byte of its data */
    int64_t size;   /* of its data */
};

/* A variable-size integer (4). Its length in bytes, 1 to 8, and its value without the marker; 0
 * where there are too few bytes or the length is not allowed. All ones is UINT64_MAX. */
unsigned sl_ebml_vint(const uint8_t *data, size_t size, uint64_t *value);
/* The header that data begins with; offset is where that is in the source. SL_EDATA names what is
 * wrong; SL_EOF where data is too short to hold it. */
SL_NODISCARD enum sl_status sl_ebml_parse_header(const uint8_t *data, size_t size, int64_t offset,
                                                 const char *name, struct sl_ebml_element *out,
                                                 struct sl_error *err);
/* The same through a window. SL_EOF where the source ends at offset or within the header. */
SL_NODISCARD enum sl_status sl_ebml_header(struct sl_window *w, int64_t offset,
                                           struct sl_ebml_element *out, struct sl_error *err);

enum sl_ebml_type {
    SL_EBML_UINT,   /* uint64_t */
    SL_EBML_SINT,   /* int64_t */
    SL_EBML_FLOAT,  /* double */
    SL_EBML_STRING, /* char[width]: cut between two characters of UTF-8 where it is longer */
    SL_EBML_BYTES,  /* struct sl_ebml_bytes */
    SL_EBML_MASTER, /* the child table's struct; where it repeats, the later one adds to it */
    SL_EBML_LIST,   /* struct sl_ebml_list of the child table's structs, at most width of them */
};

struct sl_ebml_bytes { /* points into the element's data */
    const uint8_t *data;
    size_t size;
};

/* Stands before its items: struct { struct sl_ebml_list list; struct item items[N]; }. */
struct sl_ebml_list {
    size_t count;
};

struct sl_ebml_table;

struct sl_ebml_field {
    uint32_t id;
    enum sl_ebml_type type;
    size_t offset; /* in the struct */
    size_t width;
    const struct sl_ebml_table *child;
};

struct sl_ebml_table {
    const char *name; /* of the master element, for messages */
    const struct sl_ebml_field *fields;
    size_t count;
    size_t size;         /* of the struct; of one item of a list */
    size_t first;        /* lists: where the items begin, from the struct sl_ebml_list on */
    const void *initial; /* lists: what an item holds before it is read; NULL: zeros */
};

#define SL_EBML_FIELDS(a) (a), sizeof(a) / sizeof *(a)

/* Reads the children of a master element into *out, which holds the defaults; elements that the
 * table does not name are passed over, empty ones leave the default (6.1 and 11.1.19). offset is
 * where data stands in the source. SL_EDATA, with the child's offset, where one is damaged. */
SL_NODISCARD enum sl_status sl_ebml_parse(const struct sl_ebml_table *table, void *out,
                                          const uint8_t *data, size_t size, int64_t offset,
                                          const char *name, struct sl_error *err);

#endif
