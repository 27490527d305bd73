/* SPDX-License-Identifier: BSD-2-Clause */
/* dag-pb nodes (https://ipld.io/specs/codecs/dag-pb/spec) with UnixFS in them
 * (https://specs.ipfs.tech/unixfs/): what files and directories are made of. */
#ifndef SL_STORE_DAG_H
#define SL_STORE_DAG_H

#include "base/bytes.h"
#include "store/cid.h"

#define SL_DAG_LINKS_MAX 65536 /* in one block of SL_CAS_BLOCK_MAX there cannot be more */

enum sl_unixfs_type {
    SL_UNIXFS_NONE = -1, /* a node that is not UnixFS */
    SL_UNIXFS_RAW = 0,
    SL_UNIXFS_DIRECTORY = 1,
    SL_UNIXFS_FILE = 2,
    SL_UNIXFS_METADATA = 3,
    SL_UNIXFS_SYMLINK = 4,
    SL_UNIXFS_SHARD = 5,
};

struct sl_dag_link {
    struct sl_cid cid;
    const char *name; /* not terminated; into the block or the caller's memory */
    size_t name_size;
    uint64_t tsize; /* bytes of all blocks below */
    uint64_t size;  /* of content below: files only */
};

struct sl_dag_node {
    struct sl_dag_link *links; /* owned: sl_dag_clear */
    size_t count, capacity;
    enum sl_unixfs_type type;
    const uint8_t *data; /* content in the node itself, into the block; NULL: none */
    size_t data_size;
    uint64_t size;  /* of a file's content, as it is stated and as it adds up */
    uint64_t tsize; /* of the node and all below it */
};

/* Reads a node; names and data point into block. SL_EDATA for what the specification forbids: other
 * fields, a size that is not the sum of its parts, a link without CID; and for names of a directory
 * that no file may have. */
SL_NODISCARD enum sl_status sl_dag_decode(struct sl_dag_node *out, const uint8_t *block,
                                          size_t size, struct sl_error *err);
void sl_dag_clear(struct sl_dag_node *node); /* a zeroed one is fine */
static inline bool sl_dag_is_file(const struct sl_dag_node *node)
{
    return node->type == SL_UNIXFS_FILE || node->type == SL_UNIXFS_RAW;
}

/* The block of an inner node of a file: links with size and tsize, no names, no content. */
void sl_dag_write_file(struct sl_writer *w, const struct sl_dag_link *links, size_t count);
/* The block of a directory: links as given, which must be sorted by name. */
void sl_dag_write_directory(struct sl_writer *w, const struct sl_dag_link *links, size_t count);

/* A leaf that is a node: head, size bytes of content, tail. */
#define SL_DAG_FRAME_MAX 32
struct sl_dag_frame {
    uint8_t head[SL_DAG_FRAME_MAX], tail[SL_DAG_FRAME_MAX];
    size_t head_size, tail_size;
};
void sl_dag_leaf_frame(struct sl_dag_frame *out, uint64_t size);

bool sl_dag_name_valid(const char *name, size_t size);
/* As memcmp, a shorter one first: the order of a directory's links. */
int sl_dag_name_compare(const char *a, size_t a_size, const char *b, size_t b_size);

#endif
