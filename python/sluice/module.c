/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "python/sluice/ext.h"

struct ext_state *ext_state_of(PyObject *module)
{
    return PyModule_GetState(module);
}

PyObject *ext_raise(const struct ext_state *state, const struct sl_error *err)
{
    PyObject *where = PyUnicode_DecodeFSDefault(err->where); /* so that it can equal the path */
    PyObject *message = PyUnicode_DecodeUTF8(err->msg, (Py_ssize_t)strlen(err->msg), "replace");
    PyObject *offset = err->has_offset ? PyLong_FromLongLong(err->offset) : NULL;
    PyObject *error = NULL;

    if (!err->has_offset) {
        offset = Py_None;
        Py_INCREF(offset);
    }
    if (where && message && offset) {
        error =
            PyObject_CallFunction(state->error, "iOOO", (int)err->status, where, offset, message);
    }
    if (error) {
        PyErr_SetObject(state->error, error);
    }
    Py_XDECREF(error);
    Py_XDECREF(offset);
    Py_XDECREF(message);
    Py_XDECREF(where);
    return NULL;
}

bool ext_set_options(const struct ext_state *state, const struct sl_option *table, void *params,
                     PyObject *options)
{
    Py_ssize_t count = PyList_Size(options);

    for (Py_ssize_t i = 0; i < count; i++) {
        const char *key = NULL, *text = NULL;
        struct sl_error err = {.status = SL_OK};
        if (!PyArg_ParseTuple(PyList_GetItem(options, i), "ss", &key, &text)) {
            return false;
        }
        if (sl_options_set(table, params, key, text, &err) != SL_OK) {
            ext_raise(state, &err);
            return false;
        }
    }
    return count >= 0;
}

static const char *type_name(enum sl_option_type type)
{
    static const char *const names[] = {
        [SL_OPTION_BOOL] = "bool",     [SL_OPTION_INT] = "int",   [SL_OPTION_RATIONAL] = "rational",
        [SL_OPTION_STRING] = "string", [SL_OPTION_ENUM] = "enum", [SL_OPTION_SIZE] = "size",
        [SL_OPTION_LIST] = "list",
    };
    return names[type];
}

static PyObject *choices_of(const struct sl_option *o)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; list && o->type == SL_OPTION_ENUM && o->choices[i]; i++) {
        PyObject *word = PyUnicode_FromString(o->choices[i]);
        if (!word || PyList_Append(list, word) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(word);
    }
    return list;
}

/* [(key, type, default | None, choices, metavar | None, help)] */
static PyObject *list_options(const struct sl_option *table)
{
    PyObject *list = PyList_New(0);

    for (const struct sl_option *o = table; list && o->key; o++) {
        PyObject *entry = Py_BuildValue("(sszNzs)", o->key, type_name(o->type), o->value_default,
                                        choices_of(o), o->metavar, o->help ? o->help : "");
        if (!entry || PyList_Append(list, entry) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(entry);
    }
    return list;
}

static PyObject *remux_options(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return list_options(sl_remux_options());
}

static PyObject *encoder_options(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return list_options(sl_encoder_options());
}

static PyObject *ladder_options(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return list_options(sl_ladder_options());
}

/* statuses() -> {"EINVAL": 1, …} */
static PyObject *statuses(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("{sisisisisisisisisisi}", "EINVAL", SL_EINVAL, "ENOMEM", SL_ENOMEM, "EIO",
                         SL_EIO, "EDATA", SL_EDATA, "EUNSUPPORTED", SL_EUNSUPPORTED, "EAGAIN",
                         SL_EAGAIN, "ECANCELLED", SL_ECANCELLED, "ENOTFOUND", SL_ENOTFOUND,
                         "EEXIST", SL_EEXIST, "EBUSY", SL_EBUSY);
}

static PyObject *version(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return Py_BuildValue("(sss)", sl_version(), sl_licence(), sl_build_features());
}

/* Returns 0, or -1 with an exception. */
static int add_type(PyObject *module, PyType_Spec *spec, const char *name, PyObject **type)
{
    *type = PyType_FromModuleAndSpec(module, spec, NULL);
    if (!*type) {
        return -1;
    }
    Py_INCREF(*type); /* the module's; PyModule_AddObject takes one */
    if (PyModule_AddObject(module, name, *type) < 0) {
        Py_DECREF(*type);
        return -1;
    }
    return 0;
}

static int module_exec(PyObject *module)
{
    struct ext_state *state = ext_state_of(module);
    PyObject *errors = PyImport_ImportModule("sluice._error");

    if (errors) {
        state->error = PyObject_GetAttrString(errors, "Error");
        Py_DECREF(errors);
    }
    if (!state->error) {
        return -1;
    }
    return add_type(module, &ext_remux_spec, "Remux", &state->remux_type) ||
                   add_type(module, &ext_frames_spec, "Frames", &state->frames_type) ||
                   add_type(module, &ext_encoder_spec, "Encoder", &state->encoder_type) ||
                   add_type(module, &ext_ladder_spec, "Ladder", &state->ladder_type)
               ? -1
               : 0;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    struct ext_state *state = ext_state_of(module);
    if (state) {
        Py_VISIT(state->error);
        Py_VISIT(state->remux_type);
        Py_VISIT(state->frames_type);
        Py_VISIT(state->encoder_type);
        Py_VISIT(state->ladder_type);
    }
    return 0;
}

static int module_clear(PyObject *module)
{
    struct ext_state *state = ext_state_of(module);
    if (state) {
        Py_CLEAR(state->error);
        Py_CLEAR(state->remux_type);
        Py_CLEAR(state->frames_type);
        Py_CLEAR(state->encoder_type);
        Py_CLEAR(state->ladder_type);
    }
    return 0;
}

static void module_free(void *module)
{
    (void)module_clear(module);
}

static PyMethodDef methods[] = {
    {"backend", ext_backend, METH_O, NULL},
    {"encoder_options", encoder_options, METH_NOARGS, NULL},
    {"ladder_options", ladder_options, METH_NOARGS, NULL},
    {"probe", ext_probe, METH_O, NULL},
    {"remux_options", remux_options, METH_NOARGS, NULL},
    {"statuses", statuses, METH_NOARGS, NULL},
    {"version", version, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)module_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,   .m_name = "_sluice",   .m_size = sizeof(struct ext_state),
    .m_methods = methods,    .m_slots = slots,      .m_traverse = module_traverse,
    .m_clear = module_clear, .m_free = module_free,
};

/* The interpreter looks for this name. */
PyMODINIT_FUNC PyInit__sluice(void); /* NOLINT(readability-identifier-naming) */

PyMODINIT_FUNC PyInit__sluice(void)
{
    return PyModuleDef_Init(&definition);
}
