/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside the store: its directory, sessions and locks. docs/store.md tells the whole. */
#ifndef SL_STORE_CAS_H
#define SL_STORE_CAS_H

#include <pthread.h>

#include "store/dag.h"
#include "store/hash.h"
#include "store/set.h"
#include "store/store.h"

#define SL_CAS_SESSION_SIZE 17 /* 16 digits, and a terminator */
#define SL_CAS_NAME_SIZE    80 /* of any file below objects/, blocks/, temp/ */
#define SL_CAS_SET_MAX      (1u << 24)
#define SL_CAS_NODES_MAX    (256u << 20) /* bytes of inner nodes of one file */

struct sl_cas {
    char *directory;
    int root, objects, blocks, pins, temp, damaged; /* directories; -1: none */
    unsigned flags;                                 /* SL_CAS_… */
    const struct sl_log *log;
    pthread_mutex_t mutex; /* guards what follows */
    char session[SL_CAS_SESSION_SIZE];
    int lease; /* -1: no session yet */
    uint64_t temp_count;
    int64_t leased;           /* entries */
    uint8_t shards[1024 / 8]; /* of objects/, those that are on the disk for sure */
};

/* An object is one file of these, all called by its CID as v1:
 *   CID        content of a file. Raw codec: it is the block. dag-pb: its leaves lie one after the
 *              other, and CID.dag has the inner nodes; without one it is a single leaf.
 *   CID.dag    a CAR of the inner nodes of a file, children first, the root last
 *   CID.node   the block of a directory, or of any other node that is no file */
enum sl_cas_part { SL_CAS_FLAT, SL_CAS_DAG, SL_CAS_NODE };
#define SL_CAS_DAG_SUFFIX  ".dag"
#define SL_CAS_NODE_SUFFIX ".node"

/* "ab/CID.suffix", below objects/. Returns out. */
char *sl_cas_part_name(const struct sl_cid *cid, enum sl_cas_part part, char out[SL_CAS_NAME_SIZE]);
/* The shard of a CID: the two letters before the last. */
void sl_cas_shard(const struct sl_cid *cid, char out[3]);
/* Whether name is that of a part, without the shard. */
bool sl_cas_part_parse(const char *name, struct sl_cid *cid, enum sl_cas_part *part);
/* SL_OK with *fd -1: not there. *size may be NULL. */
SL_NODISCARD enum sl_status sl_cas_part_open(const struct sl_cas *cas, const struct sl_cid *cid,
                                             enum sl_cas_part part, int *fd, int64_t *size,
                                             struct sl_error *err);
bool sl_cas_part_exists(const struct sl_cas *cas, const struct sl_cid *cid, enum sl_cas_part part,
                        int64_t *size);
/* Everything that a small file has, up to max bytes. */
SL_NODISCARD enum sl_status sl_cas_load(int fd, int64_t size, size_t max, const char *name,
                                        struct sl_buf **out, struct sl_error *err);

/* ---- sessions and locks (cas_session.c) ------------------------------------------------------ */

/* Names a new temporary file of this handle, "SESSION.N" below temp/. It is swept when the process
 * is gone, whatever way it went. Begins the session at first need. */
SL_NODISCARD enum sl_status sl_cas_temp_name(struct sl_cas *cas, char out[SL_CAS_NAME_SIZE],
                                             struct sl_error *err);
SL_NODISCARD enum sl_status sl_cas_temp_create(struct sl_cas *cas, char out[SL_CAS_NAME_SIZE],
                                               int *fd, struct sl_error *err);
/* Keeps cid from gc as long as the session lives. Under the shared lock. */
SL_NODISCARD enum sl_status sl_cas_lease(struct sl_cas *cas, const struct sl_cid *cid,
                                         struct sl_error *err);
/* Removes what sessions of dead processes left; each is called for what those of live ones keep.
 * May be NULL. */
SL_NODISCARD enum sl_status
sl_cas_sweep(struct sl_cas *cas,
             enum sl_status (*each)(void *opaque, const struct sl_cid *cid, struct sl_error *err),
             void *opaque, struct sl_error *err);
void sl_cas_session_end(struct sl_cas *cas);

/* Shared: while objects are published or pinned. Exclusive: gc. *lock is closed to give it back. */
SL_NODISCARD enum sl_status sl_cas_lock(struct sl_cas *cas, bool exclusive, int *lock,
                                        struct sl_error *err);
void sl_cas_unlock(int *lock);

/* fsync, unless the handle does without. name is for messages. */
SL_NODISCARD enum sl_status sl_cas_sync(const struct sl_cas *cas, int fd, const char *name,
                                        struct sl_error *err);

/* ---- publishing (cas_publish.c) -------------------------------------------------------------- */

/* An object whose bytes are complete in temporary files. */
struct sl_cas_staged {
    struct sl_cid cid; /* v1 */
    bool is_node;      /* content is CID.node */
    int64_t size;
    char content[SL_CAS_NAME_SIZE]; /* below temp/ */
    char dag[SL_CAS_NAME_SIZE];     /* empty: none */
};
/* Publishes them in this order, then pins or leases. The temporary files are gone afterwards where
 * it succeeds. pin is for cid pinned alone, the others are leased; NULL: all are. */
SL_NODISCARD enum sl_status sl_cas_publish(struct sl_cas *cas, struct sl_cas_staged *items,
                                           size_t count, const struct sl_cid *pinned,
                                           const char *pin, struct sl_error *err);
void sl_cas_unstage(struct sl_cas *cas, struct sl_cas_staged *item);

struct sl_cas_batch {
    struct sl_cas *cas;
    struct sl_cas_staged *items;
    size_t count, capacity;
    size_t limit; /* flushed by itself at so many; 0: never */
};
/* Takes over the temporary files, also where it fails. */
SL_NODISCARD enum sl_status sl_cas_batch_add(struct sl_cas_batch *batch, struct sl_cas_staged *item,
                                             struct sl_error *err);
bool sl_cas_batch_has(const struct sl_cas_batch *batch, const struct sl_cid *cid);
/* ---- the index of blocks (cas_index.c) --------------------------------------------------------
 */

/* The blocks of a file lead to it from here on. A failure is a record that is missing. */
void sl_cas_index_add(struct sl_cas *cas, const struct sl_cid *object, const struct sl_buf *dag);
/* Calls each for the files that may have the block, until it returns something other than
 * SL_ENOTFOUND, and returns that. */
SL_NODISCARD enum sl_status sl_cas_index_find(const struct sl_cas *cas, const struct sl_cid *block,
                                              enum sl_status (*each)(void *opaque,
                                                                     const struct sl_cid *object),
                                              void *opaque, struct sl_error *err);
/* Adds the records that are missing. */
void sl_cas_index_mend(struct sl_cas *cas, const struct sl_cid *object, const struct sl_buf *dag);
/* Takes out those of files that are not kept. Under the exclusive lock. */
SL_NODISCARD enum sl_status sl_cas_index_compact(struct sl_cas *cas, const struct sl_cid_set *kept,
                                                 struct sl_error *err);

/* ---- pins (cas_pin.c) ------------------------------------------------------------------------ */

bool sl_cas_pin_name_valid(const char *name);
SL_NODISCARD enum sl_status sl_cas_pin_check(const char *name, struct sl_error *err);
/* Under the shared lock. */
SL_NODISCARD enum sl_status sl_cas_pin_make(struct sl_cas *cas, const struct sl_cid *cid,
                                            const char *name, struct sl_error *err);

/* ---- what there is, and what is reached (cas_mark.c) ------------------------------------------
 */

/* Every part of every object, in no order. each is called without a lock. */
SL_NODISCARD enum sl_status
sl_cas_scan(struct sl_cas *cas,
            enum sl_status (*each)(void *opaque, const struct sl_cid *cid, enum sl_cas_part part,
                                   struct sl_error *err),
            void *opaque, struct sl_error *err);

struct sl_cas_mark {
    struct sl_cid_set set; /* max is set by the owner */
    struct sl_cid *todo;   /* owned */
    size_t todo_count, todo_capacity;
    /* Called for what is named and not there; SL_OK goes on. May be NULL. */
    enum sl_status (*missing)(void *opaque, const struct sl_cid *cid, struct sl_error *err);
    void *opaque;
};
SL_NODISCARD enum sl_status sl_cas_mark_add(struct sl_cas_mark *m, const struct sl_cid *cid,
                                            struct sl_error *err);
/* Everything below what was added, too. SL_EDATA: a directory is damaged. */
SL_NODISCARD enum sl_status sl_cas_mark_run(struct sl_cas_mark *m, struct sl_cas *cas,
                                            struct sl_error *err);
/* One of todo, of which there must be one. */
SL_NODISCARD enum sl_status sl_cas_mark_step(struct sl_cas_mark *m, struct sl_cas *cas,
                                             struct sl_error *err);
void sl_cas_mark_clear(struct sl_cas_mark *m);

/* ---- objects (cas_object.c) ------------------------------------------------------------------ */

/* Inner nodes of a file, sorted by digest. */
struct sl_cas_inner {
    struct sl_cid cid;
    size_t offset, size; /* in dag */
};

/* One object that is open; shared by the frames of a walk. */
struct sl_cas_object {
    atomic_uint refs;
    struct sl_cid cid; /* v1 */
    bool is_node;
    struct sl_file *file; /* of a file's content */
    int64_t size;
    struct sl_buf *dag; /* CID.dag, or the block of a node; NULL: one leaf */
    struct sl_cas_inner *inner;
    size_t inner_count;
};
/* SL_ENOTFOUND where there is no object of that name. */
SL_NODISCARD enum sl_status sl_cas_object_open(struct sl_cas_object **out, struct sl_cas *cas,
                                               const struct sl_cid *cid, struct sl_error *err);
void sl_cas_object_unref(struct sl_cas_object **o);
const struct sl_cas_inner *sl_cas_object_inner(const struct sl_cas_object *o,
                                               const struct sl_cid *cid);
/* Sections of a CAR in memory behind its header: SL_EOF at the end. */
SL_NODISCARD enum sl_status sl_cas_dag_next(struct sl_reader *r, struct sl_cid *cid,
                                            const uint8_t **block, size_t *size,
                                            struct sl_error *err);
/* Passes over the header. */
SL_NODISCARD enum sl_status sl_cas_dag_head(struct sl_reader *r, struct sl_error *err);
/* Header of a CAR with one root: always of the same size for a v1. */
void sl_cas_dag_write_head(struct sl_writer *w, const struct sl_cid *root);

/* Where a block is: an object of its own, or part of a file. */
struct sl_cas_place {
    struct sl_cas_object *object; /* a reference */
    struct sl_cid cid;            /* the block's, as asked for */
    bool leaf;
    int64_t offset, size; /* of its content in object->file: files only */
};
SL_NODISCARD enum sl_status sl_cas_find(struct sl_cas_place *out, struct sl_cas *cas,
                                        const struct sl_cid *cid, struct sl_error *err);

/* ---- walks (cas_walk.c) ---------------------------------------------------------------------- */

/* One block of a DAG, met in depth-first order. */
struct sl_cas_piece {
    struct sl_cid cid;
    struct sl_cas_object *object; /* borrowed, until the next step */
    bool leaf;
    int64_t offset, size; /* leaf: its content in object->file */
    const uint8_t *block; /* else: its bytes, and */
    size_t block_size;
};

struct sl_cas_walk;
enum {                              /* flags */
       SL_CAS_WALK_DEEP = 1u << 0,  /* below directories too */
       SL_CAS_WALK_ONCE = 1u << 1,  /* each block once */
       SL_CAS_WALK_NODES = 1u << 2, /* files are not entered: their objects are met as one piece */
};
SL_NODISCARD enum sl_status sl_cas_walk_open(struct sl_cas_walk **out, struct sl_cas *cas,
                                             const struct sl_cas_place *root, unsigned flags,
                                             struct sl_error *err);
/* Only blocks that hold content of [from, to) of the object's file, and the nodes above. */
void sl_cas_walk_limit(struct sl_cas_walk *w, int64_t from, int64_t to);
/* SL_EOF after the last. A node is not checked against its CID before it is entered: where that
 * matters, who walks checks each piece before the next step. */
SL_NODISCARD enum sl_status sl_cas_walk_next(struct sl_cas_walk *w, struct sl_cas_piece *out,
                                             struct sl_error *err);
void sl_cas_walk_close(struct sl_cas_walk **out);

/* Reads a piece's content and compares the block with its CID: SL_EDATA. Where content is not NULL,
 * *content is what a leaf has, until the next call with this checker. */
struct sl_cas_checker {
    struct sl_hasher hasher;
    uint8_t *data;
    size_t capacity;
};
void sl_cas_checker_init(struct sl_cas_checker *c);
void sl_cas_checker_clear(struct sl_cas_checker *c);
SL_NODISCARD enum sl_status sl_cas_check_piece(struct sl_cas_checker *c,
                                               const struct sl_cas_piece *piece,
                                               const uint8_t **content, struct sl_error *err);

#endif
