/* SPDX-License-Identifier: BSD-2-Clause */
/* The extension module behind the Python package: as little as has to be C. Everything that can be
 * Python is (the .py files beside this one), on these few calls. See docs/python.md. */
#ifndef SL_PYTHON_EXT_H
#define SL_PYTHON_EXT_H

/* The limited API of 3.11, the first that has the buffer protocol: one binary for that and all
 * later versions. Before any other header, which Python.h wants. */
#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <sluice/sluice.h>

/* What belongs to one import of the module. */
struct ext_state {
    PyObject *error;      /* sluice.Error */
    PyObject *remux_type; /* the type made from ext_remux_spec */
};

struct ext_state *ext_state_of(PyObject *module);

/* Raises sluice.Error from err. Returns: NULL, always, for `return ext_raise(…)`. */
PyObject *ext_raise(const struct ext_state *state, const struct sl_error *err);

/* probe(path: bytes) -> dict */
PyObject *ext_probe(PyObject *module, PyObject *path);

extern PyType_Spec ext_remux_spec;

#endif
