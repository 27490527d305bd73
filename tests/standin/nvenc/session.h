/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Part of the test double of libnvidia-encode.so.1 (standin.h): a session and what it owns. */
#ifndef SL_TEST_STANDIN_SESSION_H
#define SL_TEST_STANDIN_SESSION_H

#include "coder.h"

#define STANDIN_JOBS  128 /* pictures on their way */
#define STANDIN_UNITS 128

struct session;

/* An input buffer, or a mapped resource. */
struct input {
    struct input *next;
    struct session *session;
    struct resource *resource; /* NULL: an input buffer with data of its own */
    uint8_t *data;
    uint32_t pitch, width, height;
    NV_ENC_BUFFER_FORMAT format;
    bool locked;
    unsigned busy; /* jobs that read it */
};

struct resource {
    struct resource *next;
    uint64_t pointer;
    uint32_t pitch, width, height;
    NV_ENC_BUFFER_FORMAT format;
    struct input *mapped;
};

struct output {
    struct output *next;
    enum { FREE, SUBMITTED, LOCKED } state;
    uint8_t *data;
};

struct job {
    struct input *input;
    struct output *output;
    uint64_t hash; /* of the picture as it was submitted */
};

struct session {
    struct session *next;
    const void *context;
    uint32_t api;
    bool initialised, ended, dead; /* dead: opened in vain, to be destroyed */
    NV_ENC_INITIALIZE_PARAMS init;
    NV_ENC_CONFIG config;
    struct input *inputs;
    struct resource *resources;
    struct output *outputs;
    struct job jobs[STANDIN_JOBS]; /* number n at n % STANDIN_JOBS */
    uint64_t submitted, fetched, covered, since_idr;
    bool force_idr; /* by a reconfiguration */
    struct standin_unit units[STANDIN_UNITS];
    uint64_t made, taken; /* units */
    uint64_t sets_written;
    struct standin_coder *coder;
    char error[128];
};

/* Finds a session, checks that it is one and its context current. call is for the message. */
struct session *standin_session(const char *call, void *encoder, bool initialised);
/* The version field of a structure, checked. */
void standin_version(const char *call, const char *what, uint32_t is, uint32_t want,
                     const struct session *s);

/* picture.c of it: submitted and fetched. */
NVENCSTATUS standin_encode_picture(void *encoder, NV_ENC_PIC_PARAMS *pic);
NVENCSTATUS standin_lock_bitstream(void *encoder, NV_ENC_LOCK_BITSTREAM *lock);
NVENCSTATUS standin_unlock_bitstream(void *encoder, NV_ENC_OUTPUT_PTR bitstream);
NVENCSTATUS standin_invalidate(void *encoder, uint64_t timestamp);

/* caps.c */
NVENCSTATUS standin_guid_count(void *encoder, uint32_t *count);
NVENCSTATUS standin_guids(void *encoder, GUID *guids, uint32_t room, uint32_t *count);
NVENCSTATUS standin_caps(void *encoder, GUID codec, NV_ENC_CAPS_PARAM *param, int *value);
NVENCSTATUS standin_preset(void *encoder, GUID codec, GUID preset, NV_ENC_TUNING_INFO tuning,
                           NV_ENC_PRESET_CONFIG *out);
int standin_cap(bool hevc, NV_ENC_CAPS cap);
bool standin_is_hevc(const GUID *codec);

#endif
