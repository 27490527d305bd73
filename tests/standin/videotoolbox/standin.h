/* SPDX-License-Identifier: BSD-2-Clause */
/* How tests hold the stand-in for VideoToolbox. It is a test double, because no machine of ours has
 * the hardware: what passes here has not been seen on a Mac (docs/videotoolbox.md).
 *
 * It counts objects, checks how it is called, fails what it is told to, and codes with x264 and
 * x265 behind. Everything here is of the whole process. */
#ifndef STANDIN_H
#define STANDIN_H

#include <VideoToolbox/VideoToolbox.h>

/* What the encoder behind does wrong. */
enum standin_damage {
    STANDIN_SOUND,
    STANDIN_LENGTH_TOO_LONG, /* the last unit's length runs past the end */
    STANDIN_LENGTH_OF_3,     /* bytes of a length that no standard knows */
    STANDIN_OTHER_SPS,       /* not what the first session wrote */
    STANDIN_NO_IDR,          /* where one is forced */
    STANDIN_NOT_SAID,        /* an IDR that is not marked as a sync sample */
    STANDIN_SILENT,          /* completes, and nothing comes back */
};

struct standin_options {
    const char *unsupported; /* ",Quality,EnableLTR,": properties and specifications */
    bool no_list;            /* supported properties are not told */
    bool no_hardware;
    bool replay;     /* the same two pictures again and again, for speed */
    bool hold;       /* nothing is coded until completion is asked for */
    int drop;        /* the picture that is dropped, 1 is the first; 0: none */
    int length_size; /* 2 or 4 (0) */
    int damage_from; /* session from which on damage is done: 2 is the first real one */
    enum standin_damage damage;
};
/* All as it was; fails nothing. */
void standin_reset(const struct standin_options *options);
/* The nth call of that function from now on fails; n is counted over all threads. "output" is the
 * callback with that status. Functions that have no status give NULL. */
void standin_fail(const char *function, unsigned nth, OSStatus code);
bool standin_failed(void); /* it came to that */
unsigned standin_calls(const char *function);
long standin_live(void); /* objects that are not released */
/* The first thing that was done wrong, or NULL. */
const char *standin_complaint(void);

/* Properties of the session created last, also after its end. Numbers: at is the element of an
 * array; -1 where it was not set. */
double standin_number(const char *property, int at);
const char *standin_text(const char *property);
bool standin_was_set(const char *property);
bool standin_low_latency(void);
bool standin_hardware_required(void);
/* The image buffer that was given to the session last; only to be compared. */
const void *standin_last_image(void);
long standin_references(const void *object);

#endif
