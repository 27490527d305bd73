/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the store share. */
#ifndef SL_TEST_STORE_SUPPORT_H
#define SL_TEST_STORE_SUPPORT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "store/store.h"
#include "unit.h"

static inline struct sl_cas *open_store(struct scratch *s, const char *name)
{
    struct sl_cas *cas = NULL;
    struct sl_error err = {0};

    if (sl_cas_open(&cas, scratch_name(s, name), SL_CAS_CREATE | SL_CAS_NO_SYNC, NULL, &err) !=
        SL_OK) {
        fail_msg("%s: %s", err.where, err.msg);
    }
    return cas;
}

/* Noise of a size, which is the seed too. */
static inline struct sl_cas_info add_noise(struct sl_cas *cas, size_t size, int profile,
                                           const char *pin)
{
    uint8_t *data = malloc(size + 1);
    struct sl_cas_info info = {0};
    struct sl_chain chain;

    sl_chain_init(&chain);
    assert_non_null(data);
    scratch_noise(data, size, (uint32_t)size);
    assert_int_equal(sl_chain_add_copy(&chain, data, size, NULL), SL_OK);
    assert_int_equal(
        sl_cas_add_chain(cas, (enum sl_store_profile)profile, &chain, pin, &info, NULL), SL_OK);
    sl_chain_clear(&chain);
    free(data);
    return info;
}

/* A directory of these two. */
static inline struct sl_cas_info add_pair(struct sl_cas *cas, const struct sl_cas_info *a,
                                          const struct sl_cas_info *b, const char *pin)
{
    struct sl_cas_dir *dir = NULL;
    struct sl_cas_info info = {0};

    assert_int_equal(sl_cas_dir_open(&dir, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_add(dir, "b", b, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_add(dir, "a", a, NULL), SL_OK);
    assert_int_equal(sl_cas_dir_commit(&dir, cas, NULL, 1, pin, &info, NULL), SL_OK);
    return info;
}

/* The path of an object's content below the store. */
static inline const char *object_path(struct scratch *s, const char *store,
                                      const struct sl_cid *cid, const char *suffix)
{
    struct sl_cid v1 = sl_cid_v1(cid);
    char text[SL_CID_TEXT_SIZE], name[256];
    size_t length = strlen(sl_cid_text(&v1, text));

    (void)snprintf(name, sizeof name, "%s/objects/%.2s/%s%s", store, text + length - 3, text,
                   suffix);
    return scratch_name(s, name);
}

#endif
