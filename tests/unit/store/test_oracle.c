/* SPDX-License-Identifier: BSD-2-Clause */
/* Known answers: what ipfs-unixfs-importer 15.3.1 (JavaScript) makes of the same bytes, which are
 * scratch_noise with the size as its seed. tests/store asks it anew each time. */
#include <string.h>

#include "failing_alloc.h"
#include "scratch.h"
#include "store/store.h"
#include "unit.h"

static const struct answer {
    size_t size;
    const char *cid[3]; /* by enum sl_store_profile */
} answers[] = {
    {0,
     {"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
      "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
      "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"}},
    {1,
     {"bafkreig2xu5p65u7a7vsszkad2yctf2oxorua6x5akzg3w2wj2s7r35ooi",
      "bafkreig2xu5p65u7a7vsszkad2yctf2oxorua6x5akzg3w2wj2s7r35ooi",
      "QmckNAcWX3uq4Mx8rSCsHvYyBuEwjPWkSBJ9NkJq1GEhma"}},
    {262143,
     {"bafkreidh2vfugp5okaz5h57ldsuitfkcdirjhegk5qfdw2bwvvrx76mpie",
      "bafkreidh2vfugp5okaz5h57ldsuitfkcdirjhegk5qfdw2bwvvrx76mpie",
      "QmTFrUJadgcDJ8BE1nygH3LvysgXfqYPzaM3gxdv4UAwop"}},
    {262144,
     {"bafkreiddlfe3ksxbbufjrscr6zdhe5bwdmo4hqst32wt4jgb3h3zyzyziu",
      "bafkreiddlfe3ksxbbufjrscr6zdhe5bwdmo4hqst32wt4jgb3h3zyzyziu",
      "QmRNq6xBR222BupFSeM3KmSSiAGyjdW7quU1HpNEGuB8NU"}},
    {262145,
     {"bafkreigfdt76dbyveredshkychgvmzq62no5d3xulctac6rnwxlzy7jxvy",
      "bafybeiakjuihpdibmi45ofqpbze75rs5icc2ww3vecvyy4zfiuvdayvfdm",
      "QmQMeXXDgmEZKvU4SLNZac3uBqqhNv83JUbeg5wHo7oPbw"}},
    {1048575,
     {"bafkreie4ohxrdoi4tu4otfaeamwzrulvf5baw56iu3r6v6ealakm46zc4y",
      "bafybeic7ks3m6u2royj3us5lhwh7vt6o7dkurrwr2hxbuaqr3l2zqvctoe",
      "Qma5wLaRH5vN35AdJPnNxzjKk7qq5hBtgJVJSv2pX9W4zn"}},
    {1048576,
     {"bafkreibqxe5ues3ovlqemifgxl7b67vwwkvgf6yukuqqxvn6ivzq7j3x74",
      "bafybeiaww64h7brpzsntfm2s3h7wu7yiuj7vnc7ligoqpyjpf2azg4zpqa",
      "QmbUDxuQ8VQXUqQM9DjUiu5R3xWtmxCeWLBSxoFpHFKodQ"}},
    {1048577,
     {"bafybeih5e537lsvucef3o2fpqor5pf55iijmfa7rlixbtmhkyjrf562luu",
      "bafybeiejsf57qxqah7r7ynjjyj5ijucrzyh4s4ggqcmhjo3enpqteusoze",
      "QmfZXyrDmAaXvMx8Sxg7Er1YKFGKXDCkLuNe4jyzLWCMgG"}},
    {45613055,
     {"bafybeihn2w5nbqxiiwf67vli53utk6h3q6svr5nvctpdztnz3ak772zhma",
      "bafybeignqh6xsqodlv7smys5zyupefckiq5fugm2n3krv2pgkoxckm4wpe",
      "QmSvYsc6MejsNyiaCETJCwVw66du6EAcrAho2udcbenrp4"}},
    {45613056,
     {"bafybeibuvpy6d7pajk246vmrbqomw6bejwlxx5exyo4xerxe7zisnlp5yi",
      "bafybeiftgstc4u7yri6mmg52xra6l4j2vdf6dtzq4rbzwfel5inh7ejjyq",
      "QmZxBEpgGQVyiPZ5ne5AKSX4Fmg8fDAueubEBG9rjuThBS"}},
    {45613057,
     {"bafybeifrjgpavymb465xlz3oy2es4ufl4zrdheezfm3w4qcj5ttbbhbnxa",
      "bafybeigtvre2r3supab2nomvislvmhizggyxua3qni4ikwzh7q6tioonmm",
      "QmbzVZcfPiXG9CLHecJoq7f1SfzhmBZhwBeFgqKS5v3U69"}},
    {52428800,
     {"bafybeiakem4sse4tz54thedbjb5npg2xltcgfnobhh27h7qrrjqrcob6ia",
      "bafybeiephc3jusqcxrnk5d2cd6ar3aymo2zph3ccqqw2wut3pcb73h5umq",
      "QmSfvpKgiWJ8XNHqW7beeFWWpgBZyRC3VsxuKYCESB5Atk"}},
};

static struct scratch scratch;

/* pieces 0: in one; else in pieces of growing, odd sizes. */
static void check(struct sl_cas *cas, const uint8_t *data, const struct answer *a, int profile,
                  size_t pieces)
{
    struct sl_cas_writer *w = NULL;
    struct sl_cas_info info;
    char text[SL_CID_TEXT_SIZE];

    assert_int_equal(sl_cas_writer_open(&w, cas, (enum sl_store_profile)profile, NULL), SL_OK);
    for (size_t at = 0, n = pieces ? 1 : a->size; at < a->size; at += n, n += n / 3 + 1) {
        n = a->size - at < n ? a->size - at : n;
        assert_int_equal(sl_cas_writer_write(w, data + at, n, NULL), SL_OK);
    }
    assert_int_equal(sl_cas_writer_commit(&w, NULL, &info, NULL), SL_OK);
    assert_string_equal(sl_cid_text(&info.cid, text), a->cid[profile]);
    assert_int_equal(info.size, a->size);
    assert_int_equal(sl_cas_check(cas, &info.cid, 0, -1, NULL), SL_OK);
}

static void test_answers(void **state)
{
    struct sl_cas *cas = NULL;
    static uint8_t data[50 << 20];

    (void)state;
    scratch_make(&scratch);
    assert_int_equal(sl_cas_open(&cas, scratch_name(&scratch, "store"),
                                 SL_CAS_CREATE | SL_CAS_NO_SYNC, NULL, NULL),
                     SL_OK);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        scratch_noise(data, answers[i].size, (uint32_t)answers[i].size);
        for (int profile = 0; profile < 3; profile++) {
            check(cas, data, &answers[i], profile, 0);
            if (answers[i].size <= 2u << 20) {
                check(cas, data, &answers[i], profile, 1);
            }
        }
    }
    sl_cas_close(&cas);
    scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers)};

    return cmocka_run_group_tests_name("store/oracle", tests, NULL, NULL);
}
