/* SPDX-License-Identifier: BSD-2-Clause */
#include "encode/nvenc_driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define NAME          SL_NVENC_NAME
#define CUDA_LIBRARY  "libcuda.so.1"
#define NVENC_LIBRARY "libnvidia-encode.so.1"
#define GUIDS_MAX     16
#define NO_DEVICE     100 /* CUDA_ERROR_NO_DEVICE */

/* NVENCAPI_VERSION is major | minor << 24; what drivers say is major << 4 | minor. */
#define API(major, minor) ((uint32_t)(major) | (uint32_t)(minor) << 24)
#define MAJOR(api)        ((api)&0xffu)
#define MINOR(api)        ((api) >> 24)

/* From 11.0 to 11.1 no structure changed its number, and fields were only added where reserved ones
 * had been: headers of 11.1 can speak 11.0. Others speak their own version alone. */
#if NVENCAPI_MAJOR_VERSION == 11
#define API_OLDEST API(11, 0)
#else
#define API_OLDEST NVENCAPI_VERSION
#endif

typedef NVENCSTATUS NVENCAPI create_instance(NV_ENCODE_API_FUNCTION_LIST *list);
typedef NVENCSTATUS NVENCAPI get_max_version(uint32_t *version);

/* ---- errors ------------------------------------------------------------------------------ */

static const char *status_name(NVENCSTATUS status)
{
#define ENTRY(name) [name] = #name
    static const char *const names[] = {
        ENTRY(NV_ENC_SUCCESS),
        ENTRY(NV_ENC_ERR_NO_ENCODE_DEVICE),
        ENTRY(NV_ENC_ERR_UNSUPPORTED_DEVICE),
        ENTRY(NV_ENC_ERR_INVALID_ENCODERDEVICE),
        ENTRY(NV_ENC_ERR_INVALID_DEVICE),
        ENTRY(NV_ENC_ERR_DEVICE_NOT_EXIST),
        ENTRY(NV_ENC_ERR_INVALID_PTR),
        ENTRY(NV_ENC_ERR_INVALID_EVENT),
        ENTRY(NV_ENC_ERR_INVALID_PARAM),
        ENTRY(NV_ENC_ERR_INVALID_CALL),
        ENTRY(NV_ENC_ERR_OUT_OF_MEMORY),
        ENTRY(NV_ENC_ERR_ENCODER_NOT_INITIALIZED),
        ENTRY(NV_ENC_ERR_UNSUPPORTED_PARAM),
        ENTRY(NV_ENC_ERR_LOCK_BUSY),
        ENTRY(NV_ENC_ERR_NOT_ENOUGH_BUFFER),
        ENTRY(NV_ENC_ERR_INVALID_VERSION),
        ENTRY(NV_ENC_ERR_MAP_FAILED),
        ENTRY(NV_ENC_ERR_NEED_MORE_INPUT),
        ENTRY(NV_ENC_ERR_ENCODER_BUSY),
        ENTRY(NV_ENC_ERR_EVENT_NOT_REGISTERD),
        ENTRY(NV_ENC_ERR_GENERIC),
        ENTRY(NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY),
        ENTRY(NV_ENC_ERR_UNIMPLEMENTED),
        ENTRY(NV_ENC_ERR_RESOURCE_REGISTER_FAILED),
        ENTRY(NV_ENC_ERR_RESOURCE_NOT_REGISTERED),
        ENTRY(NV_ENC_ERR_RESOURCE_NOT_MAPPED),
    };
#undef ENTRY
    size_t at = (size_t)status;
    return at < sizeof names / sizeof names[0] ? names[at] : "a status of which we do not know";
}

enum sl_status sl_nvenc_fail(struct sl_nvenc_session *s, const char *call, NVENCSTATUS status,
                             struct sl_error *err)
{
    enum sl_status as = SL_EIO;
    if (status == NV_ENC_ERR_INVALID_PARAM || status == NV_ENC_ERR_UNSUPPORTED_PARAM ||
        status == NV_ENC_ERR_UNIMPLEMENTED || status == NV_ENC_ERR_INVALID_VERSION ||
        status == NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY || status == NV_ENC_ERR_UNSUPPORTED_DEVICE ||
        status == NV_ENC_ERR_NO_ENCODE_DEVICE) {
        as = SL_EUNSUPPORTED;
    }
    const char *says = s->encoder && s->driver.nvenc.nvEncGetLastErrorString
                           ? s->driver.nvenc.nvEncGetLastErrorString(s->encoder)
                           : NULL;
    /* Not our memory: the device's, or the number of sessions that the driver allows. */
    if (status == NV_ENC_ERR_OUT_OF_MEMORY) {
        says = "the device has no memory or no session left";
    }
    return sl_fail(err, as, NAME, "%s: %s%s%.120s", call, status_name(status),
                   says && *says ? ": " : "", says && *says ? says : "");
}

enum sl_status sl_nvenc_cuda_fail(const struct sl_nvenc_driver *d, const char *call, CUresult code,
                                  struct sl_error *err)
{
    const char *name = NULL;
    if (d->cuda.error_name && d->cuda.error_name(code, &name) != CUDA_SUCCESS) {
        name = NULL;
    }
    return sl_fail(err, SL_EIO, NAME, "%s: CUDA error %d%s%s", call, (int)code, name ? ", " : "",
                   name ? name : "");
}

/* ---- libraries --------------------------------------------------------------------------- */

/* RTLD_NODELETE: a driver that has started threads does not survive being unloaded. */
static void *open_library(const char *name)
{
    return dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static enum sl_status no_library(const char *name, struct sl_error *err)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one for each thread where we run */
    const char *why = dlerror();
    return sl_fail(err, SL_EUNSUPPORTED, NAME, "no %s (NVIDIA's driver): %s", name,
                   why ? why : "it cannot be opened");
}

static enum sl_status load_cuda(struct sl_nvenc_driver *d, struct sl_error *err)
{
    d->cuda_library = open_library(CUDA_LIBRARY);
    if (!d->cuda_library) {
        return no_library(CUDA_LIBRARY, err);
    }
    struct sl_nvenc_cuda *c = &d->cuda;
    /* A function has the size of a pointer wherever there is dlsym (POSIX 2008, dlsym). */
    const struct {
        const char *name;
        void *to;
        bool optional;
    } symbols[] = {
        {"cuInit", &c->init, false},
        {"cuDeviceGetCount", &c->device_get_count, false},
        {"cuDeviceGet", &c->device_get, false},
        {"cuDevicePrimaryCtxRetain", &c->primary_retain, false},
        {"cuDevicePrimaryCtxRelease", &c->primary_release, false},
        {"cuCtxPushCurrent_v2", &c->push, false},
        {"cuCtxPopCurrent_v2", &c->pop, false},
        {"cuStreamSynchronize", &c->stream_synchronize, false},
        {"cuMemAllocPitch_v2", &c->alloc_pitch, false},
        {"cuMemFree_v2", &c->mem_free, false},
        {"cuMemcpy2DAsync_v2", &c->copy_2d, false},
        {"cuGetErrorName", &c->error_name, true},
        {"cuPointerGetAttribute", &c->pointer_attribute, true},
    };
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *symbol = dlsym(d->cuda_library, symbols[i].name);
        if (!symbol && !symbols[i].optional) {
            return sl_fail(err, SL_EUNSUPPORTED, NAME, CUDA_LIBRARY " has no %s", symbols[i].name);
        }
        memcpy(symbols[i].to, &symbol, sizeof symbol);
    }
    return SL_OK;
}

/* The newest API of the driver; 0: no driver. */
static NVENCSTATUS ask_version(void *library, uint32_t *api)
{
    get_max_version *get;
    void *symbol = dlsym(library, "NvEncodeAPIGetMaxSupportedVersion");
    uint32_t version = 0;
    *api = 0;
    if (!symbol) {
        return NV_ENC_ERR_UNIMPLEMENTED;
    }
    memcpy(&get, &symbol, sizeof get);
    NVENCSTATUS status = get(&version);
    *api = API(version >> 4, version & 0xf);
    return status;
}

static bool older(uint32_t a, uint32_t b)
{
    return MAJOR(a) != MAJOR(b) ? MAJOR(a) < MAJOR(b) : MINOR(a) < MINOR(b);
}

static enum sl_status load_nvenc(struct sl_nvenc_session *s, struct sl_error *err)
{
    struct sl_nvenc_driver *d = &s->driver;
    d->nvenc_library = open_library(NVENC_LIBRARY);
    if (!d->nvenc_library) {
        return no_library(NVENC_LIBRARY, err);
    }
    NVENCSTATUS status = ask_version(d->nvenc_library, &d->offered);
    if (status != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(s, "NvEncodeAPIGetMaxSupportedVersion", status, err);
    }
    if (older(d->offered, API_OLDEST)) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       "the driver is too old: it offers API %u.%u, this build needs %u.%u",
                       MAJOR(d->offered), MINOR(d->offered), MAJOR(API_OLDEST), MINOR(API_OLDEST));
    }
    d->api = older(d->offered, NVENCAPI_VERSION) ? d->offered : NVENCAPI_VERSION;
    create_instance *create;
    void *symbol = dlsym(d->nvenc_library, "NvEncodeAPICreateInstance");
    if (!symbol) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME,
                       NVENC_LIBRARY " has no NvEncodeAPICreateInstance");
    }
    memcpy(&create, &symbol, sizeof create);
    d->nvenc.version = sl_nvenc_version(s, NV_ENCODE_API_FUNCTION_LIST_VER);
    status = create(&d->nvenc);
    return status == NV_ENC_SUCCESS ? SL_OK
                                    : sl_nvenc_fail(s, "NvEncodeAPICreateInstance", status, err);
}

/* ---- session ----------------------------------------------------------------------------- */

static enum sl_status find_device(struct sl_nvenc_session *s, int gpu, void *context,
                                  struct sl_error *err)
{
    const struct sl_nvenc_cuda *c = &s->driver.cuda;
    int count = 0;
    CUresult code = c->init(0);
    if ((int)code == NO_DEVICE) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "no CUDA device");
    }
    if (code != CUDA_SUCCESS) {
        return sl_nvenc_cuda_fail(&s->driver, "cuInit", code, err);
    }
    if (context) {
        s->context = context;
        return SL_OK;
    }
    code = c->device_get_count(&count);
    if (code != CUDA_SUCCESS) {
        return sl_nvenc_cuda_fail(&s->driver, "cuDeviceGetCount", code, err);
    }
    if (count < 1) {
        return sl_fail(err, SL_EUNSUPPORTED, NAME, "no CUDA device");
    }
    if (gpu < 0 || gpu >= count) {
        return sl_fail(err, SL_EINVAL, NAME, "gpu %d, expected 0 to %d", gpu, count - 1);
    }
    code = c->device_get(&s->device, gpu);
    if (code != CUDA_SUCCESS) {
        return sl_nvenc_cuda_fail(&s->driver, "cuDeviceGet", code, err);
    }
    code = c->primary_retain(&s->context, s->device);
    if (code != CUDA_SUCCESS) {
        return sl_nvenc_cuda_fail(&s->driver, "cuDevicePrimaryCtxRetain", code, err);
    }
    s->retained = true;
    return SL_OK;
}

static enum sl_status check_codec(struct sl_nvenc_session *s, struct sl_error *err)
{
    GUID guids[GUIDS_MAX];
    uint32_t count = 0, got = 0;
    const NV_ENCODE_API_FUNCTION_LIST *n = &s->driver.nvenc;
    NVENCSTATUS status = n->nvEncGetEncodeGUIDCount(s->encoder, &count);
    if (status != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(s, "nvEncGetEncodeGUIDCount", status, err);
    }
    count = count < GUIDS_MAX ? count : GUIDS_MAX;
    status = n->nvEncGetEncodeGUIDs(s->encoder, guids, count, &got);
    if (status != NV_ENC_SUCCESS) {
        return sl_nvenc_fail(s, "nvEncGetEncodeGUIDs", status, err);
    }
    for (uint32_t i = 0; i < got && i < count; i++) {
        if (memcmp(&guids[i], &s->codec, sizeof s->codec) == 0) {
            return SL_OK;
        }
    }
    bool hevc = memcmp(&s->codec, &NV_ENC_CODEC_HEVC_GUID, sizeof s->codec) == 0;
    return sl_fail(err, SL_EUNSUPPORTED, NAME, "this device does not encode %s",
                   hevc ? "HEVC" : "H.264");
}

static enum sl_status open_encoder(struct sl_nvenc_session *s, struct sl_error *err)
{
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS params = {
        .version = sl_nvenc_version(s, NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER),
        .deviceType = NV_ENC_DEVICE_TYPE_CUDA,
        .device = s->context,
        .apiVersion = s->driver.api,
    };
    void *encoder = NULL;
    NVENCSTATUS status = s->driver.nvenc.nvEncOpenEncodeSessionEx(&params, &encoder);
    /* A session that could not be opened has to be destroyed all the same (nvEncodeAPI.h). */
    s->encoder = encoder;
    return status == NV_ENC_SUCCESS ? check_codec(s, err)
                                    : sl_nvenc_fail(s, "nvEncOpenEncodeSessionEx", status, err);
}

enum sl_status sl_nvenc_session_open(struct sl_nvenc_session *s, GUID codec, int gpu, void *context,
                                     struct sl_error *err)
{
    *s = (struct sl_nvenc_session){.codec = codec};
    enum sl_status status = load_cuda(&s->driver, err);
    if (status == SL_OK) {
        status = load_nvenc(s, err);
    }
    if (status == SL_OK) {
        status = find_device(s, gpu, context, err);
    }
    if (status == SL_OK) {
        status = sl_nvenc_enter(s, err);
    }
    if (status == SL_OK) {
        status = open_encoder(s, err);
        sl_nvenc_leave(s);
    }
    return status;
}

void sl_nvenc_session_close(struct sl_nvenc_session *s)
{
    if (s->encoder) {
        /* A device that is lost has nothing to free it from, so the answers do not matter. */
        bool here = sl_nvenc_enter(s, NULL) == SL_OK;
        (void)s->driver.nvenc.nvEncDestroyEncoder(s->encoder);
        if (here) {
            sl_nvenc_leave(s);
        }
    }
    if (s->retained) {
        (void)s->driver.cuda.primary_release(s->device);
    }
    if (s->driver.nvenc_library) {
        dlclose(s->driver.nvenc_library);
    }
    if (s->driver.cuda_library) {
        dlclose(s->driver.cuda_library);
    }
    *s = (struct sl_nvenc_session){.encoder = NULL};
}

enum sl_status sl_nvenc_enter(struct sl_nvenc_session *s, struct sl_error *err)
{
    CUresult code = s->driver.cuda.push(s->context);
    s->entered = code == CUDA_SUCCESS;
    return s->entered ? SL_OK : sl_nvenc_cuda_fail(&s->driver, "cuCtxPushCurrent", code, err);
}

void sl_nvenc_leave(struct sl_nvenc_session *s)
{
    if (s->entered) {
        CUcontext popped;
        (void)s->driver.cuda.pop(&popped);
        s->entered = false;
    }
}

int sl_nvenc_cap(struct sl_nvenc_session *s, NV_ENC_CAPS cap)
{
    NV_ENC_CAPS_PARAM param = {.version = sl_nvenc_version(s, NV_ENC_CAPS_PARAM_VER),
                               .capsToQuery = cap};
    int value = 0;
    NVENCSTATUS status = s->driver.nvenc.nvEncGetEncodeCaps(s->encoder, s->codec, &param, &value);
    return status == NV_ENC_SUCCESS ? value : 0;
}

uint32_t sl_nvenc_version(const struct sl_nvenc_session *s, uint32_t structure)
{
    return (structure & ~(API(0xff, 0xf))) | s->driver.api;
}

/* ---- versions in words -------------------------------------------------------------------- */

static struct { /* written once */
    char text[64];
} api_text;

static void make_api_text(void)
{
    uint32_t offered = 0;
    void *library = open_library(NVENC_LIBRARY);
    if (library) {
        (void)ask_version(library, &offered);
        dlclose(library);
    }
    int n = snprintf(api_text.text, sizeof api_text.text, "API %d.%d", NVENCAPI_MAJOR_VERSION,
                     NVENCAPI_MINOR_VERSION);
    if (offered && n > 0) {
        (void)snprintf(api_text.text + n, sizeof api_text.text - (size_t)n, " (driver %u.%u)",
                       MAJOR(offered), MINOR(offered));
    }
}

const char *sl_nvenc_api_text(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_api_text);
    return api_text.text;
}
