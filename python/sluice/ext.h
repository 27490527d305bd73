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
#include <pthread.h>
#include <stdbool.h>

#include <sluice/sluice.h>

/* What belongs to one import of the module. */
struct ext_state {
    PyObject *error;      /* sluice.Error */
    PyObject *remux_type; /* the types made from the specs below */
    PyObject *frames_type;
    PyObject *encoder_type;
    PyObject *ladder_type;
};

struct ext_state *ext_state_of(PyObject *module);

/* Raises sluice.Error from err. Returns: NULL, always, for `return ext_raise(…)`. */
PyObject *ext_raise(const struct ext_state *state, const struct sl_error *err);

/* options: [(key, text), …]. Fields are only touched by sl_options_set. False: an exception is set.
 */
bool ext_set_options(const struct ext_state *state, const struct sl_option *table, void *params,
                     PyObject *options);

/* probe(path: bytes) -> dict */
PyObject *ext_probe(PyObject *module, PyObject *path);

/* backend(index) -> {name, codec, available, …}, or None past the last one */
PyObject *ext_backend(PyObject *module, PyObject *index);

/* Messages of the library that wait for Python. Part of an object that was zeroed. */
struct ext_message;
struct ext_log {
    struct sl_log log; /* to be handed to the library */
    pthread_mutex_t mutex;
    bool ready;
    struct ext_message *first, **last;
    int logged, dropped;
};
/* False: an exception is set. */
bool ext_log_init(struct ext_log *l, int level);
void ext_log_clear(struct ext_log *l);
/* [(level, component, text), …] since it was last asked */
PyObject *ext_log_take(struct ext_log *l);

extern PyType_Spec ext_remux_spec;
extern PyType_Spec ext_frames_spec;
extern PyType_Spec ext_encoder_spec;
extern PyType_Spec ext_ladder_spec;

#endif
