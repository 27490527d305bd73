/* SPDX-License-Identifier: BSD-2-Clause */
/* _sluice.Frames: one struct sl_frames. The library runs without the interpreter's lock. One call
 * at a time, which FrameReader sees to; stop() may come from any thread. */
#include <stdlib.h>
#include <string.h>

#include "python/sluice/ext.h"

struct frames {
    PyObject_HEAD struct sl_frames *run; /* NULL once closed */
    bool busy;                           /* a call is inside the library */
    struct ext_log messages;
};

static struct frames *frames_of(PyObject *self)
{
    return (struct frames *)(void *)self;
}

static PyObject *raise(PyObject *self, const struct sl_error *err)
{
    return ext_raise(PyType_GetModuleState(Py_TYPE(self)), err);
}

/* False: an exception is set. */
static bool is_free(struct frames *f)
{
    if (f->busy || !f->run) {
        PyErr_SetString(PyExc_ValueError, f->busy ? "this reader is running in another thread"
                                                  : "this reader is closed");
        return false;
    }
    return true;
}

static void release(struct frames *f)
{
    struct sl_frames *run = f->run;
    f->run = NULL;
    if (run) {
        Py_BEGIN_ALLOW_THREADS sl_frames_destroy(&run);
        Py_END_ALLOW_THREADS
    }
}

static void frames_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject *kept[3];

    PyErr_Fetch(&kept[0], &kept[1], &kept[2]);
    release(frames_of(self));
    PyErr_Restore(kept[0], kept[1], kept[2]);
    ext_log_clear(&frames_of(self)->messages);
    free_object(self);
    Py_DECREF(type);
}

/* Frames(input: bytes, log_level: int, options: list) */
static PyObject *frames_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct ext_state *state = PyType_GetModuleState(type);
    struct sl_frames_params *params = NULL; /* too large for a stack of unknown size */
    struct sl_error err = {.status = SL_OK};
    struct sl_frames *run = NULL;
    const struct sl_log *log;
    PyObject *self = NULL, *options = NULL;
    const char *input = NULL;
    int level = 0;
    enum sl_status status = SL_OK;
    (void)keywords;

    if (!PyArg_ParseTuple(args, "yiO", &input, &level, &options)) {
        return NULL;
    }
    params = malloc(sizeof *params);
    if (!params) {
        return PyErr_NoMemory();
    }
    self = alloc(type, 0);
    if (!self || !ext_log_init(&frames_of(self)->messages, level)) {
        goto fail;
    }
    if (sl_frames_params_default(params, sizeof *params, &err) != SL_OK) {
        ext_raise(state, &err);
        goto fail;
    }
    if (!ext_set_options(state, sl_frames_options(), params, options)) {
        goto fail;
    }
    log = &frames_of(self)->messages.log;
    Py_BEGIN_ALLOW_THREADS /* input is a bytes object that the caller holds */
        status = sl_frames_open(&run, input, params, log, &err);
    Py_END_ALLOW_THREADS if (status != SL_OK)
    {
        ext_raise(state, &err);
        goto fail;
    }
    frames_of(self)->run = run;
    free(params);
    return self;
fail:
    free(params);
    Py_XDECREF(self);
    return NULL;
}

/* ---- methods ---- */

/* info() -> dict */
static PyObject *frames_info(PyObject *self, PyObject *unused)
{
    struct frames *f = frames_of(self);
    struct sl_frames_info i;
    (void)unused;
    if (!is_free(f)) {
        return NULL;
    }
    sl_frames_get_info(f->run, &i);
    return Py_BuildValue("{sKsisis(LL)sLsLs(LL)sssisisisi}", "count", (unsigned long long)i.count,
                         "width", (int)i.track->width, "height", (int)i.track->height, "timebase",
                         (long long)i.track->timebase.num, (long long)i.track->timebase.den,
                         "start", (long long)i.start, "end", (long long)i.end, "frame_rate",
                         (long long)i.track->frame_rate.num,
                         (long long)(i.track->frame_rate.den ? i.track->frame_rate.den : 1),
                         "codec", sl_codec_name(i.track->codec), "rotation", (int)i.track->rotation,
                         "layers", (int)i.layers, "indexed", i.indexed, "has_ids", i.has_ids);
}

/* place(index) -> (pts, duration, id, layer) */
static PyObject *frames_place(PyObject *self, PyObject *args)
{
    struct frames *f = frames_of(self);
    struct sl_frames_place p;
    struct sl_error err = {.status = SL_OK};
    unsigned long long index = 0;
    if (!PyArg_ParseTuple(args, "K", &index) || !is_free(f)) {
        return NULL;
    }
    if (sl_frames_get_place(f->run, index, &p, &err) != SL_OK) {
        return raise(self, &err);
    }
    return Py_BuildValue("(LLLi)", (long long)p.pts, (long long)p.duration, (long long)p.id,
                         (int)p.layer);
}

/* find_time(num, den) -> index */
static PyObject *frames_find_time(PyObject *self, PyObject *args)
{
    struct frames *f = frames_of(self);
    struct sl_error err = {.status = SL_OK};
    long long num = 0, den = 1;
    uint64_t index = 0;
    if (!PyArg_ParseTuple(args, "LL", &num, &den) || !is_free(f)) {
        return NULL;
    }
    if (sl_frames_find_time(f->run, (struct sl_rational){num, den}, &index, &err) != SL_OK) {
        return raise(self, &err);
    }
    return PyLong_FromUnsignedLongLong(index);
}

/* find_id(id) -> index */
static PyObject *frames_find_id(PyObject *self, PyObject *args)
{
    struct frames *f = frames_of(self);
    struct sl_error err = {.status = SL_OK};
    long long id = 0;
    uint64_t index = 0;
    if (!PyArg_ParseTuple(args, "L", &id) || !is_free(f)) {
        return NULL;
    }
    if (sl_frames_find_id(f->run, id, &index, &err) != SL_OK) {
        return raise(self, &err);
    }
    return PyLong_FromUnsignedLongLong(index);
}

/* request(indexes: buffer of uint64) */
static PyObject *frames_request(PyObject *self, PyObject *indexes)
{
    struct frames *f = frames_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    Py_buffer view;
    if (!is_free(f) || PyObject_GetBuffer(indexes, &view, PyBUF_SIMPLE) < 0) {
        return NULL;
    }
    if (view.len % 8 != 0 || (view.len > 0 && (uintptr_t)view.buf % _Alignof(uint64_t) != 0)) {
        PyBuffer_Release(&view);
        PyErr_SetString(PyExc_ValueError, "an array of 64-bit numbers was expected");
        return NULL;
    }
    f->busy = true;
    Py_BEGIN_ALLOW_THREADS status = sl_frames_request(f->run, view.buf, (size_t)view.len / 8, &err);
    Py_END_ALLOW_THREADS f->busy = false;
    PyBuffer_Release(&view);
    if (status != SL_OK) {
        return raise(self, &err);
    }
    Py_RETURN_NONE;
}

/* request_every(num, den) */
static PyObject *frames_request_every(PyObject *self, PyObject *args)
{
    struct frames *f = frames_of(self);
    struct sl_error err = {.status = SL_OK};
    long long num = 0, den = 1;
    if (!PyArg_ParseTuple(args, "LL", &num, &den) || !is_free(f)) {
        return NULL;
    }
    if (sl_frames_request_every(f->run, (struct sl_rational){num, den}, &err) != SL_OK) {
        return raise(self, &err);
    }
    Py_RETURN_NONE;
}

/* next() -> (index, id, pts, duration, width, height, size), or None */
static PyObject *frames_next(PyObject *self, PyObject *unused)
{
    struct frames *f = frames_of(self);
    struct sl_error err = {.status = SL_OK};
    struct sl_frames_picture p;
    enum sl_status status = SL_OK;
    (void)unused;
    if (!is_free(f)) {
        return NULL;
    }
    f->busy = true;
    Py_BEGIN_ALLOW_THREADS status = sl_frames_next(f->run, &p, &err);
    Py_END_ALLOW_THREADS f->busy = false;
    if (status == SL_EOF) {
        Py_RETURN_NONE;
    }
    if (status != SL_OK) {
        return raise(self, &err);
    }
    return Py_BuildValue("(KLLLiin)", (unsigned long long)p.index, (long long)p.id,
                         (long long)p.pts, (long long)p.duration, (int)p.width, (int)p.height,
                         (Py_ssize_t)p.size);
}

/* pixels(into: writable buffer) */
static PyObject *frames_pixels(PyObject *self, PyObject *into)
{
    struct frames *f = frames_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    Py_buffer view;
    if (!is_free(f) || PyObject_GetBuffer(into, &view, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS) < 0) {
        return NULL;
    }
    f->busy = true;
    Py_BEGIN_ALLOW_THREADS status = sl_frames_pixels(f->run, view.buf, (size_t)view.len, &err);
    Py_END_ALLOW_THREADS f->busy = false;
    PyBuffer_Release(&view);
    if (status != SL_OK) {
        return raise(self, &err);
    }
    Py_RETURN_NONE;
}

/* stats() -> dict */
static PyObject *frames_stats(PyObject *self, PyObject *unused)
{
    struct frames *f = frames_of(self);
    struct sl_frames_stats s;
    (void)unused;
    if (!is_free(f)) {
        return NULL;
    }
    sl_frames_get_stats(f->run, &s);
    return Py_BuildValue("{sLsLsLsLsLsL}", "bytes_index", (long long)s.bytes_index, "bytes_fetched",
                         (long long)s.bytes_fetched, "reads", (long long)s.reads, "samples",
                         (long long)s.samples, "decoded", (long long)s.decoded, "given",
                         (long long)s.given);
}

static PyObject *frames_stop(PyObject *self, PyObject *unused)
{
    struct frames *f = frames_of(self);
    (void)unused;
    if (f->run) {
        sl_frames_stop(f->run);
    }
    Py_RETURN_NONE;
}

/* close(): not while another call runs */
static PyObject *frames_close(PyObject *self, PyObject *unused)
{
    struct frames *f = frames_of(self);
    (void)unused;
    if (f->busy) {
        PyErr_SetString(PyExc_ValueError, "this reader is running in another thread");
        return NULL;
    }
    release(f);
    Py_RETURN_NONE;
}

static PyObject *frames_log(PyObject *self, PyObject *unused)
{
    (void)unused;
    return ext_log_take(&frames_of(self)->messages);
}

static PyMethodDef methods[] = {
    {"info", frames_info, METH_NOARGS, NULL},
    {"place", frames_place, METH_VARARGS, NULL},
    {"find_time", frames_find_time, METH_VARARGS, NULL},
    {"find_id", frames_find_id, METH_VARARGS, NULL},
    {"request", frames_request, METH_O, NULL},
    {"request_every", frames_request_every, METH_VARARGS, NULL},
    {"next", frames_next, METH_NOARGS, NULL},
    {"pixels", frames_pixels, METH_O, NULL},
    {"stats", frames_stats, METH_NOARGS, NULL},
    {"stop", frames_stop, METH_NOARGS, NULL},
    {"close", frames_close, METH_NOARGS, NULL},
    {"log", frames_log, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)frames_new},
    {Py_tp_dealloc, (void *)frames_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec ext_frames_spec = {
    .name = "_sluice.Frames",
    .basicsize = sizeof(struct frames),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
