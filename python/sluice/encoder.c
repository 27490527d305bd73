/* SPDX-License-Identifier: BSD-2-Clause */
/* _sluice.Encoder: one struct sl_encoder. The library runs without the interpreter's lock. What a
 * picture looks like was checked in Python (_picture.py); here are addresses and lifetimes. */
#include <stdlib.h>
#include <string.h>

#include "python/sluice/ext.h"

#define PLANES 3

/* The owner of device memory that the library may still read. */
struct held {
    struct held *next;
    struct encoder *encoder;
    PyObject *owner;
};

struct encoder {
    PyObject_HEAD struct sl_encoder *run; /* NULL once closed */
    bool busy;                            /* a call is inside the library */
    struct sl_encoder_params *params;     /* as they were last accepted */
    /* Written without the interpreter's lock, by the thread that is inside the library: see
     * include/sluice/encode.h, release. */
    struct held *released;
    /* An error that came after units that had to be handed out first. */
    struct sl_error late;
    /* What can be asked at any time, also while a call runs and after the end. */
    char codecs[64], backend[32], reason[256];
    int32_t width, height, delay;
    struct sl_encoder_stats stats;
    struct ext_log messages;
};

static struct encoder *encoder_of(PyObject *self)
{
    return (struct encoder *)(void *)self;
}

static struct ext_state *state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* ---- owners of device memory ---------------------------------------------------------------- */

static void on_release(void *opaque)
{
    struct held *h = opaque;
    h->next = h->encoder->released;
    h->encoder->released = h;
}

/* Lets go of what the library has released meanwhile. */
static void forget(struct encoder *e)
{
    while (e->released) {
        struct held *h = e->released;
        e->released = h->next;
        Py_DECREF(h->owner);
        free(h);
    }
}

/* ---- into the library and out again --------------------------------------------------------- */

/* False: an exception is set. */
static bool enter(struct encoder *e)
{
    if (e->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this encoder is running in another thread");
        return false;
    }
    if (!e->run) {
        PyErr_SetString(PyExc_ValueError, "this encoder is closed");
        return false;
    }
    e->busy = true;
    return true;
}

static void copy_text(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);
    n = n < size ? n : size - 1;
    memcpy(to, from, n);
    to[n] = '\0';
}

/* Keeps what the library's pointers say, which is theirs until the next call. */
static void leave(struct encoder *e)
{
    struct sl_encoder_info info;
    const char *codecs = sl_encoder_codec_string(e->run);
    if (codecs[0]) {
        copy_text(e->codecs, sizeof e->codecs, codecs);
    }
    if (sl_encoder_get_info(e->run, &info, NULL) == SL_OK) { /* not where it has failed */
        copy_text(e->backend, sizeof e->backend, info.backend);
        copy_text(e->reason, sizeof e->reason, info.reason);
        e->width = info.width;
        e->height = info.height;
        e->delay = info.delay;
    }
    sl_encoder_get_stats(e->run, &e->stats);
    e->busy = false;
    forget(e);
}

static void release(struct encoder *e)
{
    struct sl_encoder *run = e->run;
    e->run = NULL;
    if (run) {
        Py_BEGIN_ALLOW_THREADS sl_encoder_destroy(&run);
        Py_END_ALLOW_THREADS
    }
    forget(e);
}

static void encoder_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject *kept[3];

    PyErr_Fetch(&kept[0], &kept[1], &kept[2]);
    release(encoder_of(self));
    PyErr_Restore(kept[0], kept[1], kept[2]);
    free(encoder_of(self)->params);
    ext_log_clear(&encoder_of(self)->messages);
    free_object(self);
    Py_DECREF(type);
}

/* Encoder(log_level: int, cuda_context: int, options: list) */
static PyObject *encoder_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct ext_state *state = PyType_GetModuleState(type);
    struct sl_error err = {.status = SL_OK};
    PyObject *self = NULL, *options = NULL;
    unsigned long long context = 0;
    struct encoder *e = NULL;
    int level = 0;
    enum sl_status status = SL_OK;
    (void)keywords;

    if (!PyArg_ParseTuple(args, "iKO", &level, &context, &options)) {
        return NULL;
    }
    self = alloc(type, 0);
    if (!self || !ext_log_init(&encoder_of(self)->messages, level)) {
        goto fail;
    }
    e = encoder_of(self);
    e->params = malloc(sizeof *e->params);
    if (!e->params) {
        PyErr_NoMemory();
        goto fail;
    }
    if (sl_encoder_params_default(e->params, sizeof *e->params, &err) != SL_OK) {
        ext_raise(state, &err);
        goto fail;
    }
    if (!ext_set_options(state, sl_encoder_options(), e->params, options)) {
        goto fail;
    }
    e->params->cuda_context = (void *)(uintptr_t)context; /* NOLINT(performance-no-int-to-ptr) */
    Py_BEGIN_ALLOW_THREADS status = sl_encoder_open(&e->run, e->params, &e->messages.log, &err);
    Py_END_ALLOW_THREADS if (status != SL_OK)
    {
        ext_raise(state, &err);
        goto fail;
    }
    leave(e);
    return self;
fail:
    Py_XDECREF(self);
    return NULL;
}

/* ---- units ---------------------------------------------------------------------------------- */

/* (data, token, pts, dts, key, header_size, layer, qp, copy_ns, convert_ns, encode_ns) */
static PyObject *unit_of(const struct sl_access_unit *u)
{
    return Py_BuildValue("(y#KLLNniiLLL)", (const char *)u->data, (Py_ssize_t)u->size,
                         (unsigned long long)u->token, (long long)u->pts, (long long)u->dts,
                         PyBool_FromLong(u->key), (Py_ssize_t)u->header_size, (int)u->layer,
                         (int)u->qp, (long long)u->copy_ns, (long long)u->convert_ns,
                         (long long)u->encode_ns);
}

/* Appends what is there. Returns: SL_EAGAIN or SL_EOF at the end of it, SL_ENOMEM with an exception
 * set, else an error that err tells. */
static enum sl_status collect(struct encoder *e, PyObject *units, struct sl_error *err)
{
    for (;;) {
        struct sl_access_unit unit;
        enum sl_status status = SL_OK;
        Py_BEGIN_ALLOW_THREADS status = sl_encoder_receive(e->run, &unit, err);
        Py_END_ALLOW_THREADS if (status != SL_OK)
        {
            return status;
        }
        PyObject *entry = unit_of(&unit);
        sl_access_unit_clear(&unit);
        int failed = entry ? PyList_Append(units, entry) : -1;
        Py_XDECREF(entry);
        if (failed) {
            return SL_ENOMEM;
        }
    }
}

/* Ends a call: its units, or its error. Units that came before an error are handed out, and the
 * error with the next call. Takes the reference to units. */
static PyObject *give(PyObject *self, PyObject *units, enum sl_status status,
                      const struct sl_error *err)
{
    struct encoder *e = encoder_of(self);
    leave(e);
    if (status == SL_OK || status == SL_EAGAIN || status == SL_EOF) {
        return units;
    }
    if (PyErr_Occurred()) {
        Py_DECREF(units);
        return NULL;
    }
    if (PyList_Size(units) > 0) {
        e->late = *err;
        return units;
    }
    Py_DECREF(units);
    return ext_raise(state_of(self), err);
}

/* Begins a call. False: an exception is set, maybe that of an earlier call. */
static bool begin(PyObject *self)
{
    struct encoder *e = encoder_of(self);
    struct sl_error late;
    if (!enter(e)) {
        return false;
    }
    late = e->late;
    e->late.status = SL_OK;
    if (late.status != SL_OK) {
        leave(e);
        ext_raise(state_of(self), &late);
        return false;
    }
    return true;
}

/* ---- pictures ------------------------------------------------------------------------------- */

/* What a picture is made of while it is sent. */
struct input {
    struct sl_picture picture;
    Py_buffer views[PLANES];
    int viewed; /* views that are held */
    Py_buffer sei;
    bool has_sei;
};

static void clear_input(struct input *in)
{
    while (in->viewed > 0) {
        PyBuffer_Release(&in->views[--in->viewed]);
    }
    if (in->has_sei) {
        PyBuffer_Release(&in->sei);
        in->has_sei = false;
    }
}

/* planes: ((address or buffer, offset, stride), …). False: an exception is set. */
static bool set_planes(struct input *in, PyObject *planes)
{
    Py_ssize_t count = PyTuple_Size(planes);
    if (count < 0 || count > PLANES) {
        PyErr_SetString(PyExc_ValueError, "at most three planes");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *source = NULL;
        Py_ssize_t offset = 0, stride = 0;
        uintptr_t address = 0;
        if (!PyArg_ParseTuple(PyTuple_GetItem(planes, i), "Onn", &source, &offset, &stride)) {
            return false;
        }
        if (PyLong_Check(source)) {
            address = (uintptr_t)PyLong_AsUnsignedLongLong(source);
            if (PyErr_Occurred()) {
                return false;
            }
        } else {
            Py_buffer *view = &in->views[in->viewed];
            if (PyObject_GetBuffer(source, view, PyBUF_STRIDED_RO) < 0) {
                return false;
            }
            in->viewed++;
            address = (uintptr_t)view->buf;
        }
        in->picture.plane[i] =
            (const void *)(address + (uintptr_t)offset); /* NOLINT(performance-no-int-to-ptr) */
        in->picture.stride[i] = stride;
    }
    return true;
}

static bool set_sei(struct input *in, PyObject *sei)
{
    if (sei == Py_None) {
        return true;
    }
    if (PyObject_GetBuffer(sei, &in->sei, PyBUF_SIMPLE) < 0) {
        return false;
    }
    in->has_sei = true;
    in->picture.sei = in->sei.buf;
    in->picture.sei_size = (size_t)in->sei.len;
    return true;
}

static bool set_input(struct encoder *e, struct input *in, PyObject *args)
{
    PyObject *planes = NULL, *owner = NULL, *pts = NULL, *sei = NULL;
    unsigned long long token = 0, stream = 0;
    int format = 0, memory = 0, idr = 0;
    if (!PyArg_ParseTuple(args, "iiO!OKKpOO", &format, &memory, &PyTuple_Type, &planes, &owner,
                          &stream, &token, &idr, &pts, &sei)) {
        return false;
    }
    in->picture = (struct sl_picture){.struct_size = sizeof in->picture,
                                      .format = format,
                                      .memory = memory,
                                      .flags = idr ? SL_PICTURE_IDR : 0,
                                      .width = e->width,
                                      .height = e->height,
                                      .token = token,
                                      .pts = SL_NO_TIME};
    in->picture.stream = (void *)(uintptr_t)stream; /* NOLINT(performance-no-int-to-ptr) */
    if (pts != Py_None) {
        in->picture.pts = PyLong_AsLongLong(pts);
        if (PyErr_Occurred()) {
            return false;
        }
    }
    if (!set_planes(in, planes) || !set_sei(in, sei)) {
        return false;
    }
    if (memory != SL_MEMORY_HOST) { /* a buffer of the host's is read during the call alone */
        struct held *h = malloc(sizeof *h);
        if (!h) {
            PyErr_NoMemory();
            return false;
        }
        Py_INCREF(owner);
        *h = (struct held){.encoder = e, .owner = owner};
        in->picture.release = on_release;
        in->picture.opaque = h;
    }
    return true;
}

/* send(format, memory, planes, owner, stream, token, idr, pts | None, sei | None) -> [unit, …]: one
 * in sync mode, else those that are there. owner is kept until device memory is no longer read. */
static PyObject *encoder_send(PyObject *self, PyObject *args)
{
    struct encoder *e = encoder_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    struct input in = {.viewed = 0};
    PyObject *units = NULL;

    if (!begin(self)) {
        return NULL;
    }
    units = PyList_New(0);
    if (!units || !set_input(e, &in, args)) {
        clear_input(&in);
        Py_XDECREF(units);
        leave(e);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS status = sl_encoder_send(e->run, &in.picture, &err);
    Py_END_ALLOW_THREADS if (status == SL_EAGAIN)
    { /* units wait that an earlier call could not hand out */
        status = collect(e, units, &err);
        if (status == SL_EAGAIN || status == SL_EOF) {
            Py_BEGIN_ALLOW_THREADS status = sl_encoder_send(e->run, &in.picture, &err);
            Py_END_ALLOW_THREADS
        }
    }
    clear_input(&in);
    if (status == SL_OK) {
        status = collect(e, units, &err);
    } else {
        if (in.picture.release) { /* which is not going to be called */
            on_release(in.picture.opaque);
        }
        if (status == SL_EAGAIN) {
            err = (struct sl_error){.status = SL_EDATA, .where = "encoder"};
            copy_text(err.msg, sizeof err.msg, "takes no picture and gives no unit");
            status = SL_EDATA;
        }
    }
    return give(self, units, status, &err);
}

/* drain() -> [unit, …]: all that are on their way */
static PyObject *encoder_drain(PyObject *self, PyObject *unused)
{
    struct encoder *e = encoder_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    PyObject *units = NULL;
    (void)unused;

    if (!begin(self)) {
        return NULL;
    }
    units = PyList_New(0);
    if (!units) {
        leave(e);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS status = sl_encoder_drain(e->run, &err);
    Py_END_ALLOW_THREADS if (status == SL_OK)
    {
        status = collect(e, units, &err);
    }
    return give(self, units, status, &err);
}

/* reconfigure(options) -> bool: whether the next picture will be an IDR */
static PyObject *encoder_reconfigure(PyObject *self, PyObject *options)
{
    struct encoder *e = encoder_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    struct sl_encoder_params *params = malloc(sizeof *params);
    PyObject *result = NULL;
    int idr = 0;

    if (!params) {
        return PyErr_NoMemory();
    }
    if (begin(self)) {
        *params = *e->params;
        if (ext_set_options(state_of(self), sl_encoder_options(), params, options)) {
            Py_BEGIN_ALLOW_THREADS status = sl_encoder_reconfigure(e->run, params, &idr, &err);
            Py_END_ALLOW_THREADS if (status == SL_OK)
            {
                *e->params = *params;
            }
            result = status == SL_OK ? PyBool_FromLong(idr) : ext_raise(state_of(self), &err);
        }
        leave(e);
    }
    free(params);
    return result;
}

/* recover(token) -> enum sl_encoder_recovery */
static PyObject *encoder_recover(PyObject *self, PyObject *args)
{
    struct encoder *e = encoder_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_encoder_recovery how = SL_RECOVERY_IDR;
    enum sl_status status = SL_OK;
    unsigned long long token = 0;

    if (!PyArg_ParseTuple(args, "K", &token) || !begin(self)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS status = sl_encoder_recover(e->run, token, &how, &err);
    Py_END_ALLOW_THREADS leave(e);
    /* A picture that is too old to be known is recovered from as well: by an IDR. */
    return status == SL_OK || status == SL_ENOTFOUND ? PyLong_FromLong(how)
                                                     : ext_raise(state_of(self), &err);
}

/* ---- questions, and the end ----------------------------------------------------------------- */

/* info() -> (codec string, backend, reason, width, height, delay), also after the end */
static PyObject *encoder_info(PyObject *self, PyObject *unused)
{
    const struct encoder *e = encoder_of(self);
    (void)unused;
    return Py_BuildValue("(sssiii)", e->codecs, e->backend, e->reason, (int)e->width,
                         (int)e->height, (int)e->delay);
}

/* stats() -> dict, also after the end */
static PyObject *encoder_stats(PyObject *self, PyObject *unused)
{
    const struct sl_encoder_stats *s = &encoder_of(self)->stats;
    (void)unused;
    return Py_BuildValue("{sLsLsLsLsLsLsLsL}", "pictures", (long long)s->pictures, "units",
                         (long long)s->units, "keys", (long long)s->keys, "bytes",
                         (long long)s->bytes, "fallbacks", (long long)s->fallbacks, "copy_ns",
                         (long long)s->copy_ns, "convert_ns", (long long)s->convert_ns, "encode_ns",
                         (long long)s->encode_ns);
}

static PyObject *encoder_closed(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(!encoder_of(self)->run);
}

/* close(): more than once, but not while another call runs */
static PyObject *encoder_close(PyObject *self, PyObject *unused)
{
    struct encoder *e = encoder_of(self);
    (void)unused;
    if (e->busy || e->run) {
        if (!enter(e)) {
            return NULL;
        }
        release(e);
        e->busy = false;
    }
    Py_RETURN_NONE;
}

static PyObject *encoder_log(PyObject *self, PyObject *unused)
{
    (void)unused;
    return ext_log_take(&encoder_of(self)->messages);
}

static PyMethodDef methods[] = {
    {"send", encoder_send, METH_VARARGS, NULL},
    {"drain", encoder_drain, METH_NOARGS, NULL},
    {"reconfigure", encoder_reconfigure, METH_O, NULL},
    {"recover", encoder_recover, METH_VARARGS, NULL},
    {"info", encoder_info, METH_NOARGS, NULL},
    {"stats", encoder_stats, METH_NOARGS, NULL},
    {"closed", encoder_closed, METH_NOARGS, NULL},
    {"close", encoder_close, METH_NOARGS, NULL},
    {"log", encoder_log, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)encoder_new},
    {Py_tp_dealloc, (void *)encoder_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec ext_encoder_spec = {
    .name = "_sluice.Encoder",
    .basicsize = sizeof(struct encoder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

PyObject *ext_backend(PyObject *module, PyObject *index)
{
    struct sl_encoder_backend_info b;
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    size_t i = PyLong_AsSize_t(index);

    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS status = sl_encoder_backend(i, &b, &err); /* may open a driver */
    Py_END_ALLOW_THREADS if (status == SL_EOF)
    {
        Py_RETURN_NONE;
    }
    if (status != SL_OK) {
        return ext_raise(ext_state_of(module), &err);
    }
    return Py_BuildValue("{sssssNsssIszszszszsz}", "name", b.name, "codec",
                         b.codec == SL_ENCODER_HEVC ? "hevc" : "h264", "available",
                         PyBool_FromLong(b.available), "reason", b.reason, "flags",
                         (unsigned)b.flags, "presets", b.presets, "tunes", b.tunes, "profiles",
                         b.profiles, "version", b.version, "licence", b.licence);
}
