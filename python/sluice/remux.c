/* SPDX-License-Identifier: BSD-2-Clause */
/* _sluice.Remux: one struct sl_remux, pulled. The library runs without the interpreter's lock, and
 * takes it back only for as long as the source is asked for bytes. All fields but those under
 * `mutex` are guarded by that lock. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/sluice/ext.h"

struct remux {
    PyObject_HEAD struct sl_remux *run; /* NULL once closed */
    bool busy;                          /* a call is inside the library */
    bool closing;                       /* close() came meanwhile: whoever is inside frees */

    PyObject *source; /* callable: (offset, size) -> bytes; NULL where the library reads itself */
    PyObject *spare;  /* bytes of the size that was last asked for, which nobody has seen */
    PyThreadState *thread; /* of the call inside the library, while it does not hold the lock */
    pthread_t owner;
    PyObject *raised[3]; /* what the source raised: type, value, traceback */

    pthread_mutex_t mutex;
    bool has_mutex;
    struct sl_remux_progress progress;
    struct ext_log messages;
};

static struct remux *remux_of(PyObject *self)
{
    return (struct remux *)(void *)self;
}

/* ---- called by the library, without the interpreter's lock ---- */

static void on_progress(void *opaque, const struct sl_remux_progress *progress)
{
    struct remux *r = opaque;
    pthread_mutex_lock(&r->mutex);
    r->progress = *progress;
    pthread_mutex_unlock(&r->mutex);
}

static enum sl_status refuse(struct sl_error *err, enum sl_status status, const char *text)
{
    if (err && err->status == SL_OK) {
        err->status = status;
        (void)snprintf(err->msg, sizeof err->msg, "%s", text);
    }
    return status;
}

/* With the lock held. False: an exception is set. */
static bool ask_source(struct remux *r, int64_t offset, void *dst, size_t size, size_t *got)
{
    Py_buffer view;
    PyObject *bytes = PyObject_CallFunction(r->source, "Ln", (long long)offset, (Py_ssize_t)size);
    bool good = false;

    if (!bytes) {
        return false;
    }
    if (PyObject_GetBuffer(bytes, &view, PyBUF_SIMPLE) == 0) {
        if ((size_t)view.len <= size) {
            memcpy(dst, view.buf, (size_t)view.len);
            *got = (size_t)view.len;
            good = true;
        } else {
            PyErr_Format(PyExc_ValueError, "the source gave %zd bytes where %zu were asked for",
                         view.len, size);
        }
        PyBuffer_Release(&view);
    }
    Py_DECREF(bytes);
    return good;
}

static enum sl_status on_read(void *opaque, int64_t offset, void *dst, size_t size, size_t *got,
                              struct sl_error *err)
{
    struct remux *r = opaque;
    enum sl_status status = SL_OK;

    *got = 0;
    if (!pthread_equal(r->owner, pthread_self())) {
        return refuse(err, SL_EINVAL, "the source was asked on a thread that is not its own");
    }
    PyEval_RestoreThread(r->thread);
    if (r->raised[0]) {
        status = refuse(err, SL_EIO, "the source has already raised an exception");
    } else if (r->closing) {
        status = refuse(err, SL_ECANCELLED, "stopped on request");
    } else if (!ask_source(r, offset, dst, size, got)) {
        PyErr_Fetch(&r->raised[0], &r->raised[1], &r->raised[2]);
        status = refuse(err, SL_EIO, "the source raised an exception");
    }
    r->thread = PyEval_SaveThread();
    return status;
}

/* ---- life ---- */

/* Frees the run; the lock is not held meanwhile, since threads are joined and files closed. */
static void release(struct remux *r)
{
    struct sl_remux *run = r->run;

    r->run = NULL;
    if (run) {
        Py_BEGIN_ALLOW_THREADS sl_remux_destroy(&run);
        Py_END_ALLOW_THREADS
    }
    Py_CLEAR(r->source);
    Py_CLEAR(r->spare);
}

static int remux_traverse(PyObject *self, visitproc visit, void *arg)
{
    struct remux *r = remux_of(self);
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(r->source);
    for (int i = 0; i < 3; i++) {
        Py_VISIT(r->raised[i]);
    }
    return 0;
}

static int remux_clear(PyObject *self)
{
    struct remux *r = remux_of(self);
    Py_CLEAR(r->source);
    for (int i = 0; i < 3; i++) {
        Py_CLEAR(r->raised[i]);
    }
    return 0;
}

static void remux_dealloc(PyObject *self)
{
    struct remux *r = remux_of(self);
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject *kept[3];

    PyObject_GC_UnTrack(self);
    PyErr_Fetch(&kept[0], &kept[1], &kept[2]);
    release(r);
    (void)remux_clear(self);
    PyErr_Restore(kept[0], kept[1], kept[2]);
    ext_log_clear(&r->messages);
    if (r->has_mutex) {
        pthread_mutex_destroy(&r->mutex);
    }
    free_object(self);
    Py_DECREF(type);
}

static bool set_input(const struct ext_state *state, struct sl_remux_params *params,
                      const char *input, Py_ssize_t size)
{
    if ((size_t)size >= sizeof params->input) {
        struct sl_error err = {.status = SL_EINVAL, .where = "source"};
        (void)snprintf(err.msg, sizeof err.msg, "a path of %zd bytes is too long (up to %zu)", size,
                       sizeof params->input - 1);
        ext_raise(state, &err);
        return false;
    }
    memcpy(params->input, input, (size_t)size + 1);
    return true;
}

/* Remux(input: bytes | None, source: callable | None, name: str, size: int, seekable: bool,
 *       log_level: int, options: list) */
static PyObject *remux_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct ext_state *state = PyType_GetModuleState(type);
    struct sl_remux_params *params = NULL; /* too large for a stack of unknown size */
    struct sl_error err = {.status = SL_OK};
    struct remux *r = NULL;
    PyObject *self = NULL, *source = NULL, *options = NULL;
    const char *input = NULL, *name = NULL;
    Py_ssize_t input_size = 0;
    long long size = -1;
    int seekable = 0, level = 0;
    enum sl_status status = SL_OK;
    (void)keywords;

    if (!PyArg_ParseTuple(args, "z#OsLpiO", &input, &input_size, &source, &name, &size, &seekable,
                          &level, &options)) {
        return NULL;
    }
    params = malloc(sizeof *params);
    if (!params) {
        return PyErr_NoMemory();
    }
    self = alloc(type, 0);
    if (!self) {
        goto fail;
    }
    r = remux_of(self);
    if (pthread_mutex_init(&r->mutex, NULL) != 0) {
        PyErr_NoMemory();
        goto fail;
    }
    r->has_mutex = true;
    if (!ext_log_init(&r->messages, level)) {
        goto fail;
    }
    r->progress.duration_us = -1;
    if (source != Py_None) {
        Py_INCREF(source);
        r->source = source;
    }
    if (sl_remux_params_default(params, sizeof *params, &err) != SL_OK) {
        ext_raise(state, &err);
        goto fail;
    }
    if (!ext_set_options(state, sl_remux_options(), params, options) ||
        (input && !set_input(state, params, input, input_size))) {
        goto fail;
    }
    const struct sl_remux_events events = {.progress = on_progress, .opaque = r};
    const struct sl_remux_source bytes = {
        .read = on_read, .opaque = r, .name = name, .size = size, .seekable = seekable};
    status = input ? sl_remux_open(&r->run, params, &events, &r->messages.log, &err)
                   : sl_remux_open_source(&r->run, params, &bytes, &events, &r->messages.log, &err);
    if (status != SL_OK) {
        ext_raise(state, &err);
        goto fail;
    }
    free(params);
    return self;
fail:
    free(params);
    Py_XDECREF(self);
    return NULL;
}

/* ---- methods ---- */

/* Up to size bytes of output into dst, without the lock. */
static enum sl_status advance(struct remux *r, void *dst, size_t size, size_t *got,
                              struct sl_error *err)
{
    enum sl_status status;

    r->owner = pthread_self();
    r->busy = true;
    r->thread = PyEval_SaveThread();
    status = sl_remux_read_into(r->run, dst, size, got, err);
    PyEval_RestoreThread(r->thread);
    r->thread = NULL;
    r->busy = false;
    return status;
}

/* read(most) -> bytes, or None at the end and after close() */
static PyObject *remux_read(PyObject *self, PyObject *argument)
{
    struct remux *r = remux_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    Py_ssize_t most = PyLong_AsSsize_t(argument);
    PyObject *bytes = NULL;
    size_t got = 0;

    if (most < 1) {
        if (!PyErr_Occurred()) {
            PyErr_SetString(PyExc_ValueError, "read() takes how many bytes to give at most");
        }
        return NULL;
    }
    if (r->busy) {
        PyErr_SetString(PyExc_ValueError, "this remux is already running in another thread");
        return NULL;
    }
    if (!r->run) {
        Py_RETURN_NONE;
    }
    /* The library writes into the object that is handed out: nobody else knows it yet. Where the
     * piece ends before it is full, that much is copied, and it waits for the next call. */
    bytes = r->spare;
    r->spare = NULL;
    if (!bytes || PyBytes_Size(bytes) != most) {
        Py_XDECREF(bytes);
        bytes = PyBytes_FromStringAndSize(NULL, most);
        if (!bytes) {
            return NULL;
        }
    }
    status = advance(r, PyBytes_AsString(bytes), (size_t)most, &got, &err);
    if (status == SL_OK && !r->closing && !r->raised[0]) {
        if (got == (size_t)most) {
            return bytes;
        }
        r->spare = bytes;
        return PyBytes_FromStringAndSize(PyBytes_AsString(bytes), (Py_ssize_t)got);
    }
    Py_DECREF(bytes);
    release(r);
    if (r->raised[0]) {
        PyErr_Restore(r->raised[0], r->raised[1], r->raised[2]);
        r->raised[0] = r->raised[1] = r->raised[2] = NULL;
        return NULL;
    }
    if (r->closing || status == SL_EOF) {
        Py_RETURN_NONE;
    }
    return ext_raise(PyType_GetModuleState(Py_TYPE(self)), &err);
}

/* close() -> bool: True if all is freed now, False if the call that runs in another thread will
 * do that when it returns, which it was told to do. */
static PyObject *remux_close(PyObject *self, PyObject *unused)
{
    struct remux *r = remux_of(self);
    (void)unused;

    r->closing = true;
    if (r->busy) {
        sl_remux_cancel(r->run);
        Py_RETURN_FALSE;
    }
    release(r);
    Py_RETURN_TRUE;
}

/* log() -> [(level, component, text), …] since it was last asked */
static PyObject *remux_log(PyObject *self, PyObject *unused)
{
    (void)unused;
    return ext_log_take(&remux_of(self)->messages);
}

/* progress() -> (position_us, duration_us, fragments, bytes, finished) */
static PyObject *remux_progress(PyObject *self, PyObject *unused)
{
    struct remux *r = remux_of(self);
    struct sl_remux_progress p;
    (void)unused;

    pthread_mutex_lock(&r->mutex);
    p = r->progress;
    pthread_mutex_unlock(&r->mutex);
    return Py_BuildValue("(LLLLO)", (long long)p.position_us, (long long)p.duration_us,
                         (long long)p.fragments, (long long)p.bytes,
                         p.finished ? Py_True : Py_False);
}

/* codecs() -> str; "" before the init segment and after the end */
static PyObject *remux_codecs(PyObject *self, PyObject *unused)
{
    struct remux *r = remux_of(self);
    (void)unused;
    return PyUnicode_FromString(r->run && !r->busy ? sl_remux_codecs(r->run) : "");
}

static PyMethodDef methods[] = {
    {"read", remux_read, METH_O, NULL},          {"close", remux_close, METH_NOARGS, NULL},
    {"log", remux_log, METH_NOARGS, NULL},       {"progress", remux_progress, METH_NOARGS, NULL},
    {"codecs", remux_codecs, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)remux_new},
    {Py_tp_dealloc, (void *)remux_dealloc},
    {Py_tp_traverse, (void *)remux_traverse},
    {Py_tp_clear, (void *)remux_clear},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec ext_remux_spec = {
    .name = "_sluice.Remux",
    .basicsize = sizeof(struct remux),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
