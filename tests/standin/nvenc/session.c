/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Test double of libnvidia-encode.so.1 (standin.h), because no test machine has the hardware:
 * sessions, their buffers and resources. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API_BITS    0x0f0000ffu /* of a version field: minor << 24 | major */
#define INPUT_ALIGN 256

static struct session *sessions;

/* ---- checks --------------------------------------------------------------------------------- */

struct session *standin_session(const char *call, void *encoder, bool initialised)
{
    struct session *found = NULL;
    standin_lock();
    for (struct session *s = sessions; s && !found; s = s->next) {
        found = s == encoder ? s : NULL;
    }
    standin_unlock();
    if (!found) {
        standin_violation(call, "%p is no session", encoder);
    }
    if (initialised && !found->initialised) {
        standin_violation(call, "before nvEncInitializeEncoder");
    }
    /* FFmpeg makes its context current for what touches memory, and not for questions. */
    const char *strict = standin_setting("STRICT");
    if ((initialised || (strict && *strict == '1')) &&
        strcmp(call, "nvEncGetSequenceParams") != 0 && strcmp(call, "nvEncDestroyEncoder") != 0 &&
        !standin_context_is_current(found->context) && !standin_has_failed()) {
        standin_violation(call, "the session's context is not current");
    }
    return found;
}

void standin_version(const char *call, const char *what, uint32_t is, uint32_t want,
                     const struct session *s)
{
    want = (want & ~API_BITS) | s->api;
    if (is != want) {
        standin_violation(call, "%s.version is %#x, expected %#x", what, is, want);
    }
}

static void need_zero(const char *call, const char *what, const void *data, size_t size)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < size; i++) {
        if (at[i] != 0) {
            standin_violation(call, "%s is not all zero", what);
        }
    }
}

static uint32_t offered(void)
{
    const char *setting = standin_setting("API");
    unsigned major, minor;
    if (!setting || sscanf(setting, "%u.%u", &major, &minor) != 2) {
        return NVENCAPI_VERSION;
    }
    return major | minor << 24;
}

/* ---- sessions ------------------------------------------------------------------------------- */

static NVENCSTATUS open_session(NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS *p, void **encoder)
{
    const char *call = "nvEncOpenEncodeSessionEx";
    int status = NV_ENC_SUCCESS;
    bool fails = standin_call(call, &status);
    struct session *s = calloc(1, sizeof *s);
    s->api = p->apiVersion;
    s->context = p->device;
    standin_version(call, "NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS", p->version,
                    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER, s);
    if ((p->apiVersion & 0xff) > (offered() & 0xff) ||
        ((p->apiVersion & 0xff) == (offered() & 0xff) && p->apiVersion > offered())) {
        standin_violation(call, "API %#x, the driver offers %#x", p->apiVersion, offered());
    }
    if (p->deviceType != NV_ENC_DEVICE_TYPE_CUDA || !standin_context_exists(p->device)) {
        standin_violation(call, "the device is no CUDA context");
    }
    s->dead = fails;
    standin_lock();
    s->next = sessions;
    sessions = s;
    standin_object("session", 1);
    standin_unlock();
    *encoder = s;
    return (NVENCSTATUS)status;
}

static NVENCSTATUS destroy(void *encoder)
{
    const char *call = "nvEncDestroyEncoder";
    struct session *s = standin_session(call, encoder, false);
    int status = NV_ENC_SUCCESS;
    (void)standin_call(call, &status); /* it is gone all the same */
    if (!standin_has_failed() && (s->inputs || s->outputs || s->resources)) {
        standin_violation(call, "with%s%s%s", s->inputs ? " input buffers or mapped resources" : "",
                          s->outputs ? " bitstream buffers" : "",
                          s->resources ? " registered resources" : "");
    }
    if (s->inputs || s->outputs || s->resources) {
        standin_violation(call, "something is left after a failure");
    }
    if (s->submitted > 0 && !s->ended) {
        standin_violation(call, "without NV_ENC_PIC_FLAG_EOS");
    }
    for (; s->taken < s->made; s->taken++) {
        free(s->units[s->taken % STANDIN_UNITS].data);
    }
    standin_lock();
    struct session **at = &sessions;
    while (*at != s) {
        at = &(*at)->next;
    }
    *at = s->next;
    standin_object("session", -1);
    standin_unlock();
    standin_coder_close(s->coder);
    free(s);
    return (NVENCSTATUS)status;
}

static const char *refuse(struct session *s, const NV_ENC_INITIALIZE_PARAMS *i,
                          const NV_ENC_CONFIG *c)
{
    bool hevc = standin_is_hevc(&i->encodeGUID);
    (void)s;
    if ((int)i->encodeWidth > standin_cap(hevc, NV_ENC_CAPS_WIDTH_MAX) ||
        (int)i->encodeHeight > standin_cap(hevc, NV_ENC_CAPS_HEIGHT_MAX)) {
        return "size";
    }
    if (c->frameIntervalP - 1 > standin_cap(hevc, NV_ENC_CAPS_NUM_MAX_BFRAMES)) {
        return "frameIntervalP";
    }
    if (c->frameIntervalP > 1 && c->gopLength == NVENC_INFINITE_GOPLENGTH) {
        return "gopLength is infinite with B frames";
    }
    if (c->rcParams.enableLookahead && (c->rcParams.lookaheadDepth + c->frameIntervalP - 1 > 31 ||
                                        !standin_cap(hevc, NV_ENC_CAPS_SUPPORT_LOOKAHEAD))) {
        return "lookaheadDepth";
    }
    if (i->frameRateNum == 0 || i->frameRateDen == 0 || i->darWidth == 0 || i->darHeight == 0) {
        return "frame rate or aspect ratio";
    }
    if (c->rcParams.targetQuality > 51) {
        return "targetQuality";
    }
    if (c->rcParams.rateControlMode == NV_ENC_PARAMS_RC_CBR && c->rcParams.averageBitRate == 0) {
        return "averageBitRate";
    }
    if (i->enableEncodeAsync || !i->enablePTD) {
        return "enableEncodeAsync or enablePTD";
    }
    return NULL;
}

static void check_init(const char *call, struct session *s, const NV_ENC_INITIALIZE_PARAMS *i)
{
    standin_version(call, "NV_ENC_INITIALIZE_PARAMS", i->version, NV_ENC_INITIALIZE_PARAMS_VER, s);
    if (!i->encodeConfig) {
        standin_violation(call, "encodeConfig is NULL: the stand-in has no presets of its own");
    }
    standin_version(call, "NV_ENC_CONFIG", i->encodeConfig->version, NV_ENC_CONFIG_VER, s);
    need_zero(call, "NV_ENC_INITIALIZE_PARAMS.reserved", i->reserved, sizeof i->reserved);
    need_zero(call, "NV_ENC_INITIALIZE_PARAMS.reserved2", i->reserved2, sizeof i->reserved2);
    need_zero(call, "NV_ENC_CONFIG.reserved", i->encodeConfig->reserved,
              sizeof i->encodeConfig->reserved);
}

static NVENCSTATUS initialise(void *encoder, NV_ENC_INITIALIZE_PARAMS *i)
{
    const char *call = "nvEncInitializeEncoder";
    STANDIN_CALL(NVENCSTATUS, nvEncInitializeEncoder);
    struct session *s = standin_session(call, encoder, false);
    if (s->initialised || s->dead) {
        standin_violation(call, s->dead ? "on a session that was not opened" : "twice");
    }
    if (!standin_context_is_current(s->context)) {
        standin_violation(call, "the session's context is not current");
    }
    check_init(call, s, i);
    const char *why = refuse(s, i, i->encodeConfig);
    if (why) {
        (void)snprintf(s->error, sizeof s->error, "%s is refused", why);
        return NV_ENC_ERR_INVALID_PARAM;
    }
    s->init = *i;
    s->config = *i->encodeConfig;
    s->init.encodeConfig = NULL;
    s->coder = standin_coder_open(&s->init, &s->config);
    s->initialised = s->coder != NULL;
    return s->coder ? NV_ENC_SUCCESS : NV_ENC_ERR_INVALID_PARAM;
}

static NVENCSTATUS reconfigure(void *encoder, NV_ENC_RECONFIGURE_PARAMS *p)
{
    const char *call = "nvEncReconfigureEncoder";
    STANDIN_CALL(NVENCSTATUS, nvEncReconfigureEncoder);
    struct session *s = standin_session(call, encoder, true);
    const NV_ENC_INITIALIZE_PARAMS *i = &p->reInitEncodeParams;
    standin_version(call, "NV_ENC_RECONFIGURE_PARAMS", p->version, NV_ENC_RECONFIGURE_PARAMS_VER,
                    s);
    check_init(call, s, i);
    const NV_ENC_CONFIG *c = i->encodeConfig;
    bool resize = i->encodeWidth != s->init.encodeWidth || i->encodeHeight != s->init.encodeHeight;
    if (i->encodeWidth > s->init.maxEncodeWidth || i->encodeHeight > s->init.maxEncodeHeight ||
        i->maxEncodeWidth != s->init.maxEncodeWidth ||
        i->maxEncodeHeight != s->init.maxEncodeHeight || c->gopLength != s->config.gopLength ||
        c->frameIntervalP != s->config.frameIntervalP || refuse(s, i, c)) {
        (void)snprintf(s->error, sizeof s->error, "that cannot be changed");
        return NV_ENC_ERR_INVALID_PARAM;
    }
    if (resize && (!p->forceIDR || s->fetched < s->submitted)) {
        standin_violation(call, "another size %s",
                          p->forceIDR ? "with pictures on their way" : "without an IDR");
    }
    s->init = *i;
    s->config = *c;
    s->init.encodeConfig = NULL;
    s->force_idr = p->forceIDR;
    return standin_coder_change(s->coder, &s->init, &s->config) ? NV_ENC_SUCCESS
                                                                : NV_ENC_ERR_INVALID_PARAM;
}

static NVENCSTATUS get_sets(void *encoder, NV_ENC_SEQUENCE_PARAM_PAYLOAD *p)
{
    const char *call = "nvEncGetSequenceParams";
    STANDIN_CALL(NVENCSTATUS, nvEncGetSequenceParams);
    struct session *s = standin_session(call, encoder, true);
    standin_version(call, "NV_ENC_SEQUENCE_PARAM_PAYLOAD", p->version,
                    NV_ENC_SEQUENCE_PARAM_PAYLOAD_VER, s);
    *p->outSPSPPSPayloadSize =
        (uint32_t)standin_coder_sets(s->coder, p->spsppsBuffer, p->inBufferSize);
    return NV_ENC_SUCCESS;
}

static const char *last_error(void *encoder)
{
    return standin_session("nvEncGetLastErrorString", encoder, false)->error;
}

static NVENCSTATUS set_streams(void *encoder, NV_ENC_CUSTREAM_PTR in, NV_ENC_CUSTREAM_PTR out)
{
    STANDIN_CALL(NVENCSTATUS, nvEncSetIOCudaStreams);
    (void)standin_session("nvEncSetIOCudaStreams", encoder, true);
    return in && out ? NV_ENC_SUCCESS : NV_ENC_ERR_INVALID_PTR;
}

/* ---- buffers -------------------------------------------------------------------------------- */

static struct input *add_input(struct session *s)
{
    struct input *i = calloc(1, sizeof *i);
    i->session = s;
    i->next = s->inputs;
    s->inputs = i;
    return i;
}

static struct input *take_input(const char *call, struct session *s, const void *pointer,
                                bool mapped)
{
    struct input **at = &s->inputs;
    while (*at && *at != pointer) {
        at = &(*at)->next;
    }
    struct input *i = *at;
    if (!i || (i->resource != NULL) != mapped) {
        standin_violation(call, "%p is no %s of this session", pointer,
                          mapped ? "mapped resource" : "input buffer");
    }
    if (i->locked || (i->busy > 0 && !s->ended)) {
        standin_violation(call, "while it is %s", i->locked ? "locked" : "on its way");
    }
    *at = i->next;
    return i;
}

static NVENCSTATUS create_input(void *encoder, NV_ENC_CREATE_INPUT_BUFFER *p)
{
    const char *call = "nvEncCreateInputBuffer";
    STANDIN_CALL(NVENCSTATUS, nvEncCreateInputBuffer);
    struct session *s = standin_session(call, encoder, true);
    standin_version(call, "NV_ENC_CREATE_INPUT_BUFFER", p->version, NV_ENC_CREATE_INPUT_BUFFER_VER,
                    s);
    need_zero(call, "NV_ENC_CREATE_INPUT_BUFFER.reserved1", p->reserved1, sizeof p->reserved1);
    uint32_t pitch = (uint32_t)(standin_row(p->width, p->bufferFmt) + INPUT_ALIGN - 1) /
                     INPUT_ALIGN * INPUT_ALIGN;
    size_t size = standin_bytes(pitch, p->height, p->bufferFmt);
    if (size == 0) {
        return NV_ENC_ERR_INVALID_PARAM;
    }
    standin_lock();
    struct input *i = add_input(s);
    i->data = calloc(1, size);
    i->pitch = pitch;
    i->width = p->width;
    i->height = p->height;
    i->format = p->bufferFmt;
    standin_unlock();
    p->inputBuffer = i;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS destroy_input(void *encoder, NV_ENC_INPUT_PTR pointer)
{
    struct session *s = standin_session("nvEncDestroyInputBuffer", encoder, true);
    standin_lock();
    struct input *i = take_input("nvEncDestroyInputBuffer", s, pointer, false);
    standin_unlock();
    free(i->data);
    free(i);
    STANDIN_CALL(NVENCSTATUS, nvEncDestroyInputBuffer);
    return NV_ENC_SUCCESS;
}

static struct input *host_input(const char *call, struct session *s, const void *pointer)
{
    for (struct input *i = s->inputs; i; i = i->next) {
        if (i == pointer && !i->resource) {
            return i;
        }
    }
    standin_violation(call, "%p is no input buffer of this session", pointer);
}

static NVENCSTATUS lock_input(void *encoder, NV_ENC_LOCK_INPUT_BUFFER *p)
{
    const char *call = "nvEncLockInputBuffer";
    STANDIN_CALL(NVENCSTATUS, nvEncLockInputBuffer);
    struct session *s = standin_session(call, encoder, true);
    standin_version(call, "NV_ENC_LOCK_INPUT_BUFFER", p->version, NV_ENC_LOCK_INPUT_BUFFER_VER, s);
    standin_lock();
    struct input *i = host_input(call, s, p->inputBuffer);
    if (i->locked || i->busy > 0) {
        standin_violation(call, "while it is %s", i->locked ? "locked" : "on its way");
    }
    i->locked = true;
    standin_unlock();
    p->bufferDataPtr = i->data;
    p->pitch = i->pitch;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS unlock_input(void *encoder, NV_ENC_INPUT_PTR pointer)
{
    const char *call = "nvEncUnlockInputBuffer";
    struct session *s = standin_session(call, encoder, true);
    standin_lock();
    struct input *i = host_input(call, s, pointer);
    if (!i->locked) {
        standin_violation(call, "it is not locked");
    }
    i->locked = false;
    standin_unlock();
    STANDIN_CALL(NVENCSTATUS, nvEncUnlockInputBuffer);
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS create_output(void *encoder, NV_ENC_CREATE_BITSTREAM_BUFFER *p)
{
    const char *call = "nvEncCreateBitstreamBuffer";
    STANDIN_CALL(NVENCSTATUS, nvEncCreateBitstreamBuffer);
    struct session *s = standin_session(call, encoder, true);
    standin_version(call, "NV_ENC_CREATE_BITSTREAM_BUFFER", p->version,
                    NV_ENC_CREATE_BITSTREAM_BUFFER_VER, s);
    struct output *o = calloc(1, sizeof *o);
    standin_lock();
    o->next = s->outputs;
    s->outputs = o;
    standin_unlock();
    p->bitstreamBuffer = o;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS destroy_output(void *encoder, NV_ENC_OUTPUT_PTR pointer)
{
    const char *call = "nvEncDestroyBitstreamBuffer";
    struct session *s = standin_session(call, encoder, true);
    standin_lock();
    struct output **at = &s->outputs;
    while (*at && *at != pointer) {
        at = &(*at)->next;
    }
    struct output *o = *at;
    if (!o || o->state == LOCKED || (o->state == SUBMITTED && !s->ended)) {
        standin_violation(call, "%p %s", pointer,
                          o ? "is in use" : "is no bitstream buffer of this session");
    }
    *at = o->next;
    standin_unlock();
    free(o->data);
    free(o);
    STANDIN_CALL(NVENCSTATUS, nvEncDestroyBitstreamBuffer);
    return NV_ENC_SUCCESS;
}

/* ---- resources ------------------------------------------------------------------------------ */

static NVENCSTATUS register_resource(void *encoder, NV_ENC_REGISTER_RESOURCE *p)
{
    const char *call = "nvEncRegisterResource";
    STANDIN_CALL(NVENCSTATUS, nvEncRegisterResource);
    struct session *s = standin_session(call, encoder, true);
    standin_version(call, "NV_ENC_REGISTER_RESOURCE", p->version, NV_ENC_REGISTER_RESOURCE_VER, s);
    size_t size = standin_bytes(p->pitch, p->height, p->bufferFormat);
    if (p->resourceType != NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR ||
        p->bufferUsage != NV_ENC_INPUT_IMAGE || size == 0) {
        standin_violation(call, "resourceType %d, bufferUsage %d, bufferFormat %#x",
                          p->resourceType, p->bufferUsage, p->bufferFormat);
    }
    if (p->pitch % 4 != 0 || p->pitch < standin_row(p->width, p->bufferFormat)) {
        standin_violation(call, "pitch %u for a width of %u", p->pitch, p->width);
    }
    if (!standin_memory((uintptr_t)p->resourceToRegister, size)) {
        standin_violation(call, "%zu bytes at %p are not in an allocation", size,
                          p->resourceToRegister);
    }
    struct resource *r = calloc(1, sizeof *r);
    r->pointer = (uintptr_t)p->resourceToRegister;
    r->pitch = p->pitch;
    r->width = p->width;
    r->height = p->height;
    r->format = p->bufferFormat;
    standin_lock();
    r->next = s->resources;
    s->resources = r;
    standin_unlock();
    p->registeredResource = r;
    return NV_ENC_SUCCESS;
}

static struct resource **find_resource(const char *call, struct session *s, const void *pointer)
{
    struct resource **at = &s->resources;
    while (*at && *at != pointer) {
        at = &(*at)->next;
    }
    if (!*at) {
        standin_violation(call, "%p is no registered resource of this session", pointer);
    }
    return at;
}

static NVENCSTATUS unregister_resource(void *encoder, NV_ENC_REGISTERED_PTR pointer)
{
    const char *call = "nvEncUnregisterResource";
    struct session *s = standin_session(call, encoder, true);
    standin_lock();
    struct resource **at = find_resource(call, s, pointer), *r = *at;
    if (r->mapped) {
        standin_violation(call, "while it is mapped");
    }
    *at = r->next;
    standin_unlock();
    free(r);
    STANDIN_CALL(NVENCSTATUS, nvEncUnregisterResource);
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS map_resource(void *encoder, NV_ENC_MAP_INPUT_RESOURCE *p)
{
    const char *call = "nvEncMapInputResource";
    STANDIN_CALL(NVENCSTATUS, nvEncMapInputResource);
    struct session *s = standin_session(call, encoder, true);
    standin_version(call, "NV_ENC_MAP_INPUT_RESOURCE", p->version, NV_ENC_MAP_INPUT_RESOURCE_VER,
                    s);
    standin_lock();
    struct resource *r = *find_resource(call, s, p->registeredResource);
    if (r->mapped) {
        standin_violation(call, "twice");
    }
    if (!standin_memory(r->pointer, standin_bytes(r->pitch, r->height, r->format))) {
        standin_violation(call, "the memory is gone");
    }
    struct input *i = add_input(s);
    i->resource = r;
    i->pitch = r->pitch;
    i->width = r->width;
    i->height = r->height;
    i->format = r->format;
    r->mapped = i;
    standin_unlock();
    p->mappedResource = i;
    p->mappedBufferFmt = r->format;
    return NV_ENC_SUCCESS;
}

static NVENCSTATUS unmap_resource(void *encoder, NV_ENC_INPUT_PTR pointer)
{
    struct session *s = standin_session("nvEncUnmapInputResource", encoder, true);
    standin_lock();
    struct input *i = take_input("nvEncUnmapInputResource", s, pointer, true);
    i->resource->mapped = NULL;
    standin_unlock();
    free(i);
    STANDIN_CALL(NVENCSTATUS, nvEncUnmapInputResource);
    return NV_ENC_SUCCESS;
}

/* ---- entry points --------------------------------------------------------------------------- */

STANDIN_API NVENCSTATUS NvEncodeAPIGetMaxSupportedVersion(uint32_t *version)
{
    STANDIN_CALL(NVENCSTATUS, NvEncodeAPIGetMaxSupportedVersion);
    uint32_t api = offered();
    *version = (api & 0xff) << 4 | api >> 24;
    return NV_ENC_SUCCESS;
}

STANDIN_API NVENCSTATUS NvEncodeAPICreateInstance(NV_ENCODE_API_FUNCTION_LIST *f)
{
    STANDIN_CALL(NVENCSTATUS, NvEncodeAPICreateInstance);
    if ((f->version & ~API_BITS) != (NV_ENCODE_API_FUNCTION_LIST_VER & ~API_BITS)) {
        standin_violation("NvEncodeAPICreateInstance", "version %#x", f->version);
    }
    f->nvEncGetEncodeGUIDCount = standin_guid_count;
    f->nvEncGetEncodeGUIDs = standin_guids;
    f->nvEncGetEncodeCaps = standin_caps;
    f->nvEncGetEncodePresetConfigEx = standin_preset;
    f->nvEncInitializeEncoder = initialise;
    f->nvEncCreateInputBuffer = create_input;
    f->nvEncDestroyInputBuffer = destroy_input;
    f->nvEncCreateBitstreamBuffer = create_output;
    f->nvEncDestroyBitstreamBuffer = destroy_output;
    f->nvEncEncodePicture = standin_encode_picture;
    f->nvEncLockBitstream = standin_lock_bitstream;
    f->nvEncUnlockBitstream = standin_unlock_bitstream;
    f->nvEncLockInputBuffer = lock_input;
    f->nvEncUnlockInputBuffer = unlock_input;
    f->nvEncGetSequenceParams = get_sets;
    f->nvEncMapInputResource = map_resource;
    f->nvEncUnmapInputResource = unmap_resource;
    f->nvEncDestroyEncoder = destroy;
    f->nvEncInvalidateRefFrames = standin_invalidate;
    f->nvEncOpenEncodeSessionEx = open_session;
    f->nvEncRegisterResource = register_resource;
    f->nvEncUnregisterResource = unregister_resource;
    f->nvEncReconfigureEncoder = reconfigure;
    f->nvEncGetLastErrorString = last_error;
    f->nvEncSetIOCudaStreams = set_streams;
    return NV_ENC_SUCCESS;
}
