/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole remux with each allocation failing in turn. Lenient: what a parameter set says about a
 * track is told only where it could be read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"
#include "pipeline/remux.h"
#include "scratch.h"
#include "unit.h"

struct job {
    struct scratch home;
    struct sl_remux_params params;
};

static enum sl_status remux(void *arg)
{
    struct job *j = arg;
    struct sl_remux *r = NULL;
    enum sl_status st = sl_remux_create(&r, &j->params, NULL, NULL, NULL, NULL);
    if (st == SL_OK) {
        st = sl_remux_execute(r, -1, NULL);
    }
    sl_remux_free(&r);
    return st;
}

static void set_up(struct job *j, const char *arguments, const char *name)
{
    char command[8192];
    memset(j, 0, sizeof *j);
    scratch_make(&j->home);
    struct sl_remux_params *p = &j->params;
    (void)snprintf(p->input, sizeof p->input, "%s", scratch_name(&j->home, name));
    (void)snprintf(p->output, sizeof p->output, "%s", scratch_name(&j->home, "out.mp4"));
    (void)snprintf(command, sizeof command, "ffmpeg -v error -nostdin -y %s %s", arguments,
                   p->input);
    assert_int_equal(system(command), 0);
    p->start = p->duration = p->decode_time = (struct sl_rational){0, 1};
    p->fragment = (struct sl_rational){1, 2};
    p->channels = 2;
    p->subtitles = SL_REMUX_SUBTITLES_AUTO;
}

#define FILM                                                                                       \
    "-f lavfi -i testsrc2=size=64x48:rate=10:duration=2 "                                          \
    "-f lavfi -i sine=sample_rate=8000:duration=2 "                                                \
    "-c:v libx264 -preset veryfast -g 5 -pix_fmt yuv420p -c:a aac -b:a 8k"

static void test_matroska(void **state)
{
    static struct job j;
    (void)state;
    set_up(&j, FILM, "in.mkv");
    failing_alloc_run_lenient(remux, &j);
    j.params.start = (struct sl_rational){1, 1};
    j.params.duration = (struct sl_rational){1, 2};
    failing_alloc_run_lenient(remux, &j);
    scratch_remove(&j.home);
}

static void test_classic(void **state)
{
    static struct job j;
    (void)state;
    set_up(&j, FILM, "in.mp4");
    j.params.faststart = 1;
    failing_alloc_run_lenient(remux, &j);
    scratch_remove(&j.home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matroska),
        cmocka_unit_test(test_classic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
