/* SPDX-License-Identifier: BSD-2-Clause */
/* What is refused, and in which words. The base is a group of four behind an IDR: 0 4 2 1 3. */
#include <string.h>

#include "base/error.h"
#include "failing_alloc.h"
#include "schedule/schedule.h"
#include "unit.h"

#define F0 "{\"display\":0,\"decode\":0,\"type\":\"idr\",\"layer\":0}"
#define F4 "{\"display\":4,\"decode\":1,\"type\":\"p\",\"layer\":0,\"refs\":[0]}"
#define F2                                                                                         \
    "{\"display\":2,\"decode\":2,\"type\":\"bref\",\"layer\":1,\"max_ref_layer\":0,\"refs\":[0,4]" \
    "}"
#define F1                                                                                         \
    "{\"display\":1,\"decode\":3,\"type\":\"b\",\"layer\":2,\"max_ref_layer\":1,\"refs\":[0,2]}"
#define F3                                                                                         \
    "{\"display\":3,\"decode\":4,\"type\":\"b\",\"layer\":2,\"max_ref_layer\":1,\"refs\":[2,4]}"
#define ALL5 F0 "," F4 "," F2 "," F1 "," F3

#define HEAD(frames) "{\"version\":1,\"frames\":[" frames "]}"
#define B(d, c, layer, max, refs)                                                                  \
    "{\"display\":" d ",\"decode\":" c ",\"type\":\"b\",\"layer\":" layer                          \
    ",\"max_ref_layer\":" max ",\"refs\":[" refs "]}"
#define P(d, c, layer, more)                                                                       \
    "{\"display\":" d ",\"decode\":" c ",\"type\":\"p\",\"layer\":" layer more "}"
#define IDR(d, c) "{\"display\":" d ",\"decode\":" c ",\"type\":\"idr\",\"layer\":0}"

static const struct {
    const char *text, *message;
} refusals[] = {
    /* not JSON, or not this JSON */
    {"", "line 1, column 1: '[' or '{' expected near end of file"},
    {"{\"version\":1,\n \"frames\":[}", "line 2, column 12: unexpected token near '}'"},
    {"[]", "line 1, column 1: expected an object"},
    {"{\"version\":1,\n \"version\":1}",
     "line 2, column 10: duplicate object key near '\"version\"'"},
    {"{\"version\":2,\"frames\":[]}", "line 1, column 2: version: 2 is not known, expected 1"},
    {"{\"frames\":[]}", "line 1, column 1: \"version\" is missing"},
    {"{\"version\":1}", "line 1, column 1: \"frames\" is missing"},
    {"{\"version\":1.0,\"frames\":[]}",
     "line 1, column 2: version: found a number with a fraction, expected an integer"},
    {"{\"version\":1,\"frames\":[]}", "line 1, column 14: frames: 0 frames, expected 1 to 1048576"},
    {"{\"version\":1,\n\t\"fsp\":[30,1],\"frames\":[" F0 "]}",
     "line 2, column 2: fsp: unknown key (known: version, fps, gop, dpb, reorder, frames)"},
    {"{\"version\":1,\n\"fps\":[30],\"frames\":[" F0 "]}",
     "line 2, column 1: fps: 1 numbers, expected [numerator, denominator]"},
    {"{\"version\":1,\"fps\":[30,\n0],\"frames\":[" F0 "]}",
     "line 2, column 1: fps[1]: 0 is out of range (1 to 2147483647)"},
    {"{\"version\":1,\"dpb\":17,\"frames\":[" F0 "]}",
     "line 1, column 14: dpb: 17 is out of range (1 to 16)"},
    {HEAD(F0 ",\n7"), "line 2, column 1: frames[1]: found an integer, expected an object"},
    {HEAD(F0 ",\n{\"display\":1,\"decode\":1,\"layer\":0}"),
     "line 2, column 1: frames[1]: \"type\" is missing"},
    {HEAD(F0 ",\n{\"display\":\"1\",\"decode\":1,\"type\":\"p\",\"layer\":0}"),
     "line 2, column 2: frames[1].display: found a string, expected an integer"},
    {HEAD(F0 ",\n" P("1", "1", "0", ",\"re\\u0066\":[0]")),
     "line 2, column 46: frames[1].ref: unknown key (known: display, decode, type, layer, "
     "max_ref_layer, refs, frame_id, qp, qp_offset, forget)"},
    {HEAD(F0 ",\n" P("1", "1", "0", ",\"refs\":[0, true]")),
     "line 2, column 57: frames[1].refs[1]: found true, expected an integer"},
    {HEAD(F0 ",\n{\"display\":1,\"decode\":1,\"type\":\"P\",\"layer\":0}"),
     "line 2, column 25: frames[1].type: frame 1: \"P\" is not allowed (idr, i, p, bref, b)"},
    {HEAD(F0 ",\n" P("1", "1", "0", ",\"qp\":20,\"qp_offset\":1")),
     "line 2, column 54: frames[1].qp_offset: frame 1: qp and qp_offset exclude each other"},
    {HEAD(F0 ",\n" P("1", "1", "0", ",\"qp\":51.5")),
     "line 2, column 46: frames[1].qp: 51.5 is out of range (0 to 51)"},
    {HEAD(F0 ",\n" P("1", "1", "8", "")),
     "line 2, column 36: frames[1].layer: 8 is out of range (0 to 7)"},
    /* permutations */
    {HEAD(ALL5 ",\n" P("5", "4", "0", "")),
     "line 2, column 1: frames[5]: frame 5: decode 4 is that of frame 3 too"},
    {HEAD(ALL5 ",\n" P("5", "6", "0", "")),
     "line 2, column 1: frames[5]: frame 5: decode 6, but no frame has decode 5"},
    {HEAD(ALL5 ",\n" P("3", "5", "0", "")),
     "line 2, column 1: frames[5]: frame 3: two frames have this display number (decode 4 and "
     "5)"},
    /* order */
    {HEAD(P("0", "0", "0", "")),
     "line 1, column 24: frames[0]: frame 0: a P picture has decode 0, which must be an IDR"},
    {HEAD(ALL5 ",\n" B("5", "5", "2", "1", "4")),
     "line 2, column 1: frames[5]: frame 5: no P that is coded before it closes its run of B"},
    {HEAD(IDR("0", "0") "," IDR("4", "1") ",\n" B("2", "2", "1", "0", "0")),
     "line 2, column 1: frames[2]: frame 2: is coded after the IDR 4 and shown before it"},
    {HEAD(IDR("0", "0") "," P("4", "1", "0", "") ",\n" IDR("2", "2")),
     "line 2, column 1: frames[2]: frame 2: an IDR picture is coded after frame 4 and shown "
     "before it"},
    {HEAD(IDR("0", "0") "," P("4", "1", "0", "") "," P("8", "2", "0", "") ",\n" B("2", "3", "1",
                                                                                  "0", "0,4")),
     "line 2, column 1: frames[3]: frame 2: is coded after frame 8, which closes the run of B "
     "behind its own"},
    {"{\"version\":1,\"gop\":3,\"frames\":[" F0 ",\n" F4 "," F2 "," F1 "," F3 "]}",
     "line 2, column 1: frames[1]: frame 4: closes a group of 4 pictures, gop is 3"},
    /* layers */
    {HEAD("{\"display\":0,\"decode\":0,\"type\":\"idr\",\"layer\":1}"),
     "line 1, column 24: frames[0]: frame 0: an IDR on layer 1, expected 0"},
    {HEAD(F0 ",\n" P("1", "1", "1", ",\"max_ref_layer\":2")),
     "line 2, column 1: frames[1]: frame 1: max_ref_layer 2 is above its layer 1"},
    {HEAD(F0 "," F4 ",\n" B("2", "2", "1", "0", "0,4") "," P("8", "3", "0", ",\"refs\":[2]")),
     "line 2, column 78: frames[3]: frame 8: refers to frame 2, a B, which is no reference "
     "picture"},
    {HEAD(F0 "," F4 "," F2 ",\n" B("1", "3", "2", "0", "0,2")),
     "line 2, column 1: frames[3]: frame 1: refers to frame 2 of layer 1, max_ref_layer is 0"},
    /* references */
    {HEAD(F0 "," F4 ",\n" B("2", "2", "1", "0", "0,9")),
     "line 2, column 1: frames[2]: frame 2: refers to frame 9, which is not in the schedule"},
    {HEAD(F0 "," F4 ",\n" B("2", "2", "2", "2", "0,3") "," F3),
     "line 2, column 78: frames[3]: frame 3: decode 4, but no frame has decode 3"},
    {HEAD(F0 "," F4 ",\n" B("2", "2", "2", "2", "0,3") "," B("3", "3", "2", "2", "0,4")),
     "line 2, column 1: frames[2]: frame 2: refers to frame 3, which is not coded before it"},
    {HEAD(F0 "," F4 ",\n" B("2", "2", "1", "0", "0,4,0")),
     "line 2, column 1: frames[2]: frame 2: refers to frame 0 twice"},
    {HEAD(F0 "," IDR("1", "1") ",\n" P("2", "2", "0", ",\"refs\":[0]")),
     "line 2, column 1: frames[2]: frame 2: refers to frame 0 across an IDR"},
    {HEAD(F0 "," F4 ",\n" B("2", "2", "1", "0", "4")),
     "line 2, column 1: frames[2]: frame 2: a B picture without a reference that is shown before "
     "it"},
    {HEAD(F0 "," F4 ",\n" B("2", "2", "1", "0", "0")),
     "line 2, column 1: frames[2]: frame 2: a B picture without a reference that is shown after "
     "it"},
    {HEAD(F0 "," P("4", "1", "1", ",\"max_ref_layer\":1") ",\n" B("2", "2", "2", "0", "")),
     "line 2, column 1: frames[2]: frame 2: a B picture finds no reference of layer 0 or below on "
     "each side"},
    {HEAD(F0 ",\n{\"display\":1,\"decode\":1,\"type\":\"i\",\"layer\":0,\"refs\":[0]}"),
     "line 2, column 1: frames[1]: frame 1: an I picture refers to nothing, but has refs"},
    /* forgetting */
    {HEAD("\n{\"display\":0,\"decode\":0,\"type\":\"idr\",\"layer\":0,\"forget\":[0]}"),
     "line 2, column 1: frames[0]: frame 0: an IDR picture forgets, only a P or I can"},
    {HEAD(F0 "," F4 ",\n" P("5", "2", "1", ",\"forget\":[0]")),
     "line 2, column 1: frames[2]: frame 5: forgets, but is no reference picture"},
    {HEAD(F0 "," F4 ",\n" P("5", "2", "1", ",\"refs\":[4],\"forget\":[0]") "," P(
         "6", "3", "0", ",\"refs\":[4]") "," P("7", "4", "1", ",\"refs\":[5]")),
     "line 2, column 1: frames[2]: frame 5: forgets on layer 1, and frame 6 of layer 0 follows"},
    {HEAD(F0 "," F4 ",\n" P("5", "2", "0", ",\"refs\":[4],\"forget\":[4]")),
     "line 2, column 1: frames[2]: frame 5: forgets frame 4, which it refers to, or twice"},
    {"{\"version\":1,\"dpb\":2,\"frames\":[" F0 "," F4
     "," P("5", "2", "0", ",\"refs\":[4],\"forget\":[0]") ",\n" P("6", "3", "0",
                                                                  ",\"refs\":[0]") "]}",
     "line 2, column 1: frames[3]: frame 6: frame 0 has left the DPB of 2 frames (no 16 would "
     "do)"},
    /* the DPB */
    {"{\"version\":1,\"dpb\":1,\"reorder\":1,\"frames\":[" F0 "," F4 ",\n" F2 "," F1 "," F3 "]}",
     "line 2, column 1: frames[2]: frame 2: frame 0 has left the DPB of 1 frames (3 are needed)"},
    {"{\"version\":1,\"dpb\":2,\"frames\":[" F0 "," F4 "," F2 ",\n" F1 "," F3 "]}",
     "line 2, column 1: frames[3]: frame 1: frame 0 has left the DPB of 2 frames (3 are needed)"},
    {"{\"version\":1,\"reorder\":1,\"frames\":[" F0 "," F4 "," F2 ",\n" F1 "," F3 "]}",
     "line 2, column 1: frames[3]: frame 1: 2 pictures coded before it are shown after it, "
     "reorder is 1"},
    {"{\"version\":1,\"reorder\":3,\"dpb\":2,\"frames\":[" F0 "]}",
     "reorder 3 is out of range (0 to the DPB's 2)"},
};

static void refused(void **state)
{
    size_t wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct sl_schedule s;
        struct sl_error err = {0};
        enum sl_status status =
            sl_schedule_parse(&s, "x.json", refusals[i].text, strlen(refusals[i].text), &err);
        assert_null(s.frames);
        if (status != SL_EDATA || strcmp(err.msg, refusals[i].message) != 0) {
            print_error("%s\n  expected %s\n  got      %s\n", refusals[i].text, refusals[i].message,
                        err.msg);
            wrong++;
        }
        assert_string_equal(err.where, "x.json");
        /* and nothing more is looked at where nobody listens */
        assert_int_equal(
            sl_schedule_parse(&s, "x.json", refusals[i].text, strlen(refusals[i].text), NULL),
            SL_EDATA);
    }
    assert_int_equal(wrong, 0);
}

static void accept(struct sl_schedule *s, const char *text)
{
    struct sl_error err = {0};
    if (sl_schedule_parse(s, "x.json", text, strlen(text), &err) != SL_OK) {
        fail_msg("%s", err.msg);
    }
}

static void completed(void **state)
{
    struct sl_schedule s;
    (void)state;
    accept(&s, HEAD(F3 "," F1 "," F0 "," F2 "," F4)); /* in any order */
    assert_int_equal(s.count, 5);
    assert_int_equal(s.gop, 4);
    assert_int_equal(s.dpb, 3);
    assert_int_equal(s.reorder, 2);
    assert_int_equal(s.layers, 3);
    assert_int_equal(s.rate.num, 0);
    assert_int_equal(s.rate.den, 1);
    for (size_t i = 0; i < 5; i++) {
        static const int64_t displays[] = {0, 4, 2, 1, 3};
        assert_int_equal(s.frames[i].display, displays[i]);
        assert_int_equal(s.frames[i].id, displays[i]);
        assert_int_equal(s.frames[i].decode, i);
        assert_int_equal(s.frames[i].disposable, i > 2);
    }
    sl_schedule_clear(&s);
}

/* The largest group need not be the first. */
static void gop_of_the_largest(void **state)
{
    struct sl_schedule s;
    (void)state;
    accept(&s,
           HEAD(F0 "," P("2", "1", "0", ",\"refs\":[0]") "," B("1", "2", "1", "0", "0,2") "," P(
               "6", "3", "0", ",\"refs\":[2]") "," B("3", "4", "1", "0",
                                                     "2,6") "," B("4", "5", "1", "0",
                                                                  "2,6") "," P("7", "6", "0",
                                                                               ",\"refs\":[6]")));
    assert_int_equal(s.gop, 3);
    sl_schedule_clear(&s);
}

/* Pictures that the schedule leaves out, ids, offsets, references left open. */
static void of_the_users_own(void **state)
{
    struct sl_schedule s;
    (void)state;
    accept(&s, "{\"version\":1,\"fps\":[30000,1001],\"gop\":8,\"dpb\":5,\"reorder\":3,\"frames\":["
               "{\"display\":10,\"decode\":0,\"type\":\"idr\",\"layer\":0,\"frame_id\":-5,"
               "\"qp\":22.25},"
               "{\"display\":30,\"decode\":1,\"type\":\"p\",\"layer\":2,\"max_ref_layer\":0,"
               "\"qp_offset\":-1.5},"
               "{\"display\":20,\"decode\":2,\"type\":\"b\",\"layer\":3,\"max_ref_layer\":2},"
               "{\"display\":40,\"decode\":3,\"type\":\"p\",\"layer\":3,\"max_ref_layer\":1}]}");
    assert_int_equal(s.rate.num, 30000);
    assert_int_equal(s.gop, 8);
    assert_int_equal(s.dpb, 5);
    assert_int_equal(s.reorder, 3);
    assert_int_equal(s.layers, 4);
    assert_int_equal(s.frames[0].id, -5);
    assert_int_equal(s.frames[0].qp_kind, SL_SCHEDULE_QP_ABSOLUTE);
    assert_true(s.frames[0].qp == 22.25);
    assert_int_equal(s.frames[1].qp_kind, SL_SCHEDULE_QP_OFFSET);
    assert_true(s.frames[1].qp == -1.5);
    assert_false(s.frames[1].disposable); /* frame 20 may take it */
    assert_true(s.frames[2].disposable);
    assert_true(s.frames[3].disposable);
    sl_schedule_clear(&s);
}

/* jansson passes over one between two tokens. */
static void zero_byte(void **state)
{
    static const char text[] = "{\"version\":1,\n\0\"frames\":[" F0 "]}";
    struct sl_schedule s;
    struct sl_error err = {0};
    (void)state;
    assert_int_equal(sl_schedule_parse(&s, "x.json", text, sizeof text - 1, &err), SL_EDATA);
    assert_string_equal(err.msg, "line 2, column 1: a byte of zero");
}

/* The counters of a coder when layers are dropped: of eight pictures, four are references. */
static void steps(void **state)
{
    struct sl_schedule_plan plan;
    struct sl_schedule s;
    struct sl_schedule_needs needs;
    (void)state;
    sl_schedule_plan_default(&plan);
    plan.gop = 8;
    assert_int_equal(sl_schedule_make(&s, &plan, 25, NULL), SL_OK);
    assert_int_equal(sl_schedule_measure(&s, &needs, NULL), SL_OK);
    assert_int_equal(needs.frame_num_step, 4);
    assert_int_equal(needs.poc_step, 12); /* from 4 to 16, where layer 2 is dropped */
    sl_schedule_clear(&s);
}

static enum sl_status refuse(void *arg)
{
    struct sl_schedule s;
    struct sl_error err = {0};
    const char *text = arg;
    enum sl_status status = sl_schedule_parse(&s, "x.json", text, strlen(text), &err);
    assert_null(s.frames);
    return status == SL_EDATA ? SL_OK : status;
}

static void memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i += 7) {
        failing_alloc_run(refuse, (void *)(uintptr_t)refusals[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused),
        cmocka_unit_test(completed),
        cmocka_unit_test(of_the_users_own),
        cmocka_unit_test(steps),
        cmocka_unit_test(gop_of_the_largest),
        cmocka_unit_test(zero_byte),
        cmocka_unit_test(memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
