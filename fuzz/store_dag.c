/* SPDX-License-Identifier: BSD-2-Clause */
/* A dag-pb node with UnixFS in it. What a file or directory of ours could be is written again and
 * must be read as the same. */
#include <stdlib.h>
#include <string.h>

#include "store/dag.h"
#include "store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void rewrite(const struct sl_dag_node *node)
{
    struct sl_dag_node other;
    struct sl_writer w;

    sl_writer_init(&w, 2 * SL_CAS_BLOCK_MAX);
    if (node->type == SL_UNIXFS_DIRECTORY) {
        sl_dag_write_directory(&w, node->links, node->count);
    } else {
        sl_dag_write_file(&w, node->links, node->count);
    }
    require(w.status == SL_OK);
    require(sl_dag_decode(&other, w.data, w.size, NULL) == SL_OK);
    require(other.type == (node->type == SL_UNIXFS_DIRECTORY ? node->type : SL_UNIXFS_FILE));
    require(other.count == node->count);
    for (size_t i = 0; i < node->count; i++) {
        const struct sl_dag_link *a = &node->links[i], *b = &other.links[i];

        require(sl_cid_same(&a->cid, &b->cid) && a->tsize == b->tsize && a->size == b->size);
        require(a->name_size == b->name_size && memcmp(a->name, b->name, a->name_size) == 0);
    }
    sl_dag_clear(&other);
    sl_writer_clear(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_dag_node node;
    uint64_t sum;

    if (sl_dag_decode(&node, data, size, NULL) != SL_OK) {
        require(!node.links && node.count == 0);
        return 0;
    }
    require(node.tsize >= size && node.count <= SL_DAG_LINKS_MAX);
    if (sl_dag_is_file(&node)) {
        sum = node.data_size;
        for (size_t i = 0; i < node.count; i++) {
            sum += node.links[i].size;
        }
        require(sum == node.size && sum <= INT64_MAX);
    }
    if (node.type == SL_UNIXFS_DIRECTORY || (sl_dag_is_file(&node) && node.data_size == 0)) {
        rewrite(&node);
    }
    sl_dag_clear(&node);
    return 0;
}
