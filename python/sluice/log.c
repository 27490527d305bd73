/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library says, kept until Python takes it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/sluice/ext.h"

#define LOG_MAX 64 /* messages that wait to be taken; more are counted, not kept */

struct ext_message {
    struct ext_message *next;
    int level;
    char component[32];
    char text[512];
};

/* May come from any thread, also while the lock is held by one that waits for it: so it is kept,
 * and Python logs it when the call is over. */
static void on_log(void *opaque, enum sl_log_level level, const char *component, const char *text)
{
    struct ext_log *l = opaque;
    struct ext_message *m = malloc(sizeof *m);

    if (m) {
        m->next = NULL;
        m->level = (int)level;
        (void)snprintf(m->component, sizeof m->component, "%s", component);
        (void)snprintf(m->text, sizeof m->text, "%s", text);
    }
    pthread_mutex_lock(&l->mutex);
    if (m && l->logged < LOG_MAX) {
        *l->last = m;
        l->last = &m->next;
        l->logged++;
        m = NULL;
    } else {
        l->dropped++;
    }
    pthread_mutex_unlock(&l->mutex);
    free(m);
}

bool ext_log_init(struct ext_log *l, int level)
{
    if (pthread_mutex_init(&l->mutex, NULL) != 0) {
        PyErr_NoMemory();
        return false;
    }
    l->ready = true;
    l->last = &l->first;
    l->log = (struct sl_log){.level = (enum sl_log_level)level, .write = on_log, .opaque = l};
    return true;
}

void ext_log_clear(struct ext_log *l)
{
    while (l->first) {
        struct ext_message *m = l->first;
        l->first = m->next;
        free(m);
    }
    if (l->ready) {
        pthread_mutex_destroy(&l->mutex);
        l->ready = false;
    }
}

PyObject *ext_log_take(struct ext_log *l)
{
    struct ext_message *m = NULL;
    int dropped = 0;
    PyObject *list = PyList_New(0);

    if (!list) {
        return NULL;
    }
    pthread_mutex_lock(&l->mutex);
    m = l->first;
    dropped = l->dropped;
    l->first = NULL;
    l->last = &l->first;
    l->logged = l->dropped = 0;
    pthread_mutex_unlock(&l->mutex);
    while (m) {
        struct ext_message *next = m->next;
        PyObject *text = PyUnicode_DecodeUTF8(m->text, (Py_ssize_t)strlen(m->text), "replace");
        PyObject *entry =
            list && text ? Py_BuildValue("(isO)", m->level, m->component, text) : NULL;
        if (list && (!entry || PyList_Append(list, entry) < 0)) {
            Py_CLEAR(list);
        }
        Py_XDECREF(entry);
        Py_XDECREF(text);
        free(m);
        m = next;
    }
    if (list && dropped) {
        PyObject *entry =
            Py_BuildValue("(isN)", (int)SL_LOG_WARN, "python",
                          PyUnicode_FromFormat("%d more messages were dropped", dropped));
        if (!entry || PyList_Append(list, entry) < 0) {
            Py_CLEAR(list);
        }
        Py_XDECREF(entry);
    }
    return list;
}
