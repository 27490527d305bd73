/* SPDX-License-Identifier: BSD-2-Clause */
/* _sluice.Ladder: one struct sl_ladder that is given pictures. The library runs without the
 * interpreter's lock; its threads take it to tell of what was published. */
#include <stdlib.h>
#include <string.h>

#include "python/sluice/ext.h"

#define PLANES 3

struct ladder {
    PyObject_HEAD struct sl_ladder *run; /* NULL once closed */
    bool busy;                           /* a call is inside the library */
    PyObject *update;                    /* called with (master, renditions, rendition, segment) */
    int32_t size[2];
    struct sl_ladder_result result;
    struct ext_log messages;
};

static struct ladder *ladder_of(PyObject *self)
{
    return (struct ladder *)(void *)self;
}

static struct ext_state *state_of(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}

/* ---- what was published ------------------------------------------------------------------------
 */

static PyObject *renditions_of(const struct sl_ladder_update *u)
{
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < u->rendition_count; i++) {
        const struct sl_ladder_rendition_state *r = &u->renditions[i];
        PyObject *entry = Py_BuildValue("(ssiiL)", r->name, r->cid, (int)r->width, (int)r->height,
                                        (long long)r->bitrate);
        if (!entry || PyList_Append(list, entry) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(entry);
    }
    return list;
}

/* On a thread of the library's. */
static void on_update(void *opaque, const struct sl_ladder_update *u)
{
    PyGILState_STATE state = PyGILState_Ensure();
    struct ladder *l = opaque;
    PyObject *list = renditions_of(u);
    PyObject *done = list ? PyObject_CallFunction(l->update, "sOns", u->master_cid, list,
                                                  (Py_ssize_t)u->rendition, u->segment_cid)
                          : NULL;
    if (!done) {
        PyErr_WriteUnraisable(l->update);
    }
    Py_XDECREF(done);
    Py_XDECREF(list);
    PyGILState_Release(state);
}

/* ---- life
 * ------------------------------------------------------------------------------------------ */

static void release(struct ladder *l)
{
    struct sl_ladder *run = l->run;
    l->run = NULL;
    if (run) {
        Py_BEGIN_ALLOW_THREADS sl_ladder_destroy(&run);
        Py_END_ALLOW_THREADS
    }
}

static int ladder_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(ladder_of(self)->update);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int ladder_clear(PyObject *self)
{
    struct ladder *l = ladder_of(self);
    release(l); /* nobody calls it any more */
    Py_CLEAR(l->update);
    return 0;
}

static void ladder_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    PyObject *kept[3];

    PyObject_GC_UnTrack(self);
    PyErr_Fetch(&kept[0], &kept[1], &kept[2]);
    (void)ladder_clear(self);
    PyErr_Restore(kept[0], kept[1], kept[2]);
    ext_log_clear(&ladder_of(self)->messages);
    free_object(self);
    Py_DECREF(type);
}

/* Ladder(log_level: int, update: callable, options: list) */
static PyObject *ladder_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    struct ext_state *state = PyType_GetModuleState(type);
    struct sl_error err = {.status = SL_OK};
    PyObject *self = NULL, *update = NULL, *options = NULL;
    struct sl_ladder_params *params = NULL;
    struct ladder *l = NULL;
    int level = 0;
    enum sl_status status = SL_OK;
    (void)keywords;

    if (!PyArg_ParseTuple(args, "iOO", &level, &update, &options)) {
        return NULL;
    }
    self = alloc(type, 0);
    if (!self || !ext_log_init(&ladder_of(self)->messages, level)) {
        goto fail;
    }
    l = ladder_of(self);
    params = malloc(sizeof *params);
    if (!params) {
        PyErr_NoMemory();
        goto fail;
    }
    if (sl_ladder_params_default(params, sizeof *params, &err) != SL_OK) {
        ext_raise(state, &err);
        goto fail;
    }
    if (!ext_set_options(state, sl_ladder_options(), params, options)) {
        goto fail;
    }
    memcpy(l->size, params->size, sizeof l->size);
    Py_INCREF(update);
    l->update = update;
    Py_BEGIN_ALLOW_THREADS status = sl_ladder_open(&l->run, params, NULL, &l->messages.log, &err);
    Py_END_ALLOW_THREADS if (status != SL_OK)
    {
        ext_raise(state, &err);
        goto fail;
    }
    sl_ladder_on_update(l->run, on_update, l);
    free(params);
    return self;
fail:
    free(params);
    Py_XDECREF(self);
    return NULL;
}

/* False: an exception is set. */
static bool enter(struct ladder *l)
{
    if (l->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this output is in use by another thread");
        return false;
    }
    if (!l->run) {
        PyErr_SetString(PyExc_ValueError, "this output is closed");
        return false;
    }
    l->busy = true;
    return true;
}

/* ---- pictures
 * ---------------------------------------------------------------------------------------- */

/* write(format, buffer, offset, stride, pts | None): packed pictures in the host's memory */
static PyObject *ladder_write(PyObject *self, PyObject *args)
{
    struct ladder *l = ladder_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    PyObject *source = NULL, *pts = NULL;
    Py_ssize_t offset = 0, stride = 0;
    Py_buffer view;
    int format = 0;

    if (!PyArg_ParseTuple(args, "iOnnO", &format, &source, &offset, &stride, &pts)) {
        return NULL;
    }
    struct sl_picture picture = {.struct_size = sizeof picture,
                                 .format = format,
                                 .width = l->size[0],
                                 .height = l->size[1],
                                 .stride = {stride},
                                 .pts = SL_NO_TIME};
    if (pts != Py_None) {
        picture.pts = PyLong_AsLongLong(pts);
        if (PyErr_Occurred()) {
            return NULL;
        }
    }
    if (!enter(l)) {
        return NULL;
    }
    if (PyObject_GetBuffer(source, &view, PyBUF_STRIDED_RO) < 0) {
        l->busy = false;
        return NULL;
    }
    picture.plane[0] = (const char *)view.buf + offset;
    Py_BEGIN_ALLOW_THREADS status = sl_ladder_write_frame(l->run, &picture, &err);
    Py_END_ALLOW_THREADS PyBuffer_Release(&view);
    l->busy = false;
    if (status == SL_EOF) {
        Py_RETURN_FALSE; /* the sound has ended */
    }
    if (status != SL_OK) {
        return ext_raise(state_of(self), &err);
    }
    Py_RETURN_TRUE;
}

/* close(): publishes what is left. More than once, but not while another call runs. */
static PyObject *ladder_close(PyObject *self, PyObject *unused)
{
    struct ladder *l = ladder_of(self);
    struct sl_error err = {.status = SL_OK};
    enum sl_status status = SL_OK;
    (void)unused;

    if (!l->run && !l->busy) {
        Py_RETURN_NONE;
    }
    if (!enter(l)) {
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS status = sl_ladder_close(l->run, &err);
    Py_END_ALLOW_THREADS sl_ladder_get_result(l->run, &l->result);
    release(l);
    l->busy = false;
    if (status != SL_OK) {
        return ext_raise(state_of(self), &err);
    }
    Py_RETURN_NONE;
}

/* abandon(): lets go of it as a crash would; what is published stays */
static PyObject *ladder_abandon(PyObject *self, PyObject *unused)
{
    struct ladder *l = ladder_of(self);
    (void)unused;
    if (l->run || l->busy) {
        if (!enter(l)) {
            return NULL;
        }
        release(l);
        l->busy = false;
    }
    Py_RETURN_NONE;
}

/* result() -> (master CID, root CID), also after the end */
static PyObject *ladder_result(PyObject *self, PyObject *unused)
{
    struct ladder *l = ladder_of(self);
    (void)unused;
    if (l->run) {
        sl_ladder_get_result(l->run, &l->result);
    }
    return Py_BuildValue("(ss)", l->result.master_cid, l->result.root_cid);
}

static PyObject *ladder_closed(PyObject *self, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(!ladder_of(self)->run);
}

static PyObject *ladder_log(PyObject *self, PyObject *unused)
{
    (void)unused;
    return ext_log_take(&ladder_of(self)->messages);
}

static PyMethodDef methods[] = {
    {"write", ladder_write, METH_VARARGS, NULL},
    {"close", ladder_close, METH_NOARGS, NULL},
    {"abandon", ladder_abandon, METH_NOARGS, NULL},
    {"result", ladder_result, METH_NOARGS, NULL},
    {"closed", ladder_closed, METH_NOARGS, NULL},
    {"log", ladder_log, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)ladder_new},
    {Py_tp_dealloc, (void *)ladder_dealloc},
    {Py_tp_traverse, (void *)ladder_traverse},
    {Py_tp_clear, (void *)ladder_clear},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec ext_ladder_spec = {
    .name = "_sluice.Ladder",
    .basicsize = sizeof(struct ladder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};
