/* SPDX-License-Identifier: BSD-2-Clause */
/* What sluice.probe() gives: the names are those of `sluice probe --json`. */
#include <string.h>

#include "python/sluice/ext.h"

/* Consumes value, which may be NULL after an error. */
static int put(PyObject *dict, const char *key, PyObject *value)
{
    int status = value ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return status;
}

static int put_int(PyObject *dict, const char *key, int64_t value)
{
    return put(dict, key, PyLong_FromLongLong(value));
}

static int put_bool(PyObject *dict, const char *key, int value)
{
    return put(dict, key, PyBool_FromLong(value));
}

/* Titles and languages come from files, and may be anything. */
static int put_text(PyObject *dict, const char *key, const char *text)
{
    return text[0] ? put(dict, key, PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace"))
                   : 0;
}

/* As a pair; Python makes a Fraction of it. */
static int put_rational(PyObject *dict, const char *key, struct sl_rational r)
{
    return r.num > 0 && r.den > 0
               ? put(dict, key, Py_BuildValue("(LL)", (long long)r.num, (long long)r.den))
               : 0;
}

static int put_ticks(PyObject *dict, const char *key, int64_t ticks)
{
    return ticks != SL_NO_TIME ? put_int(dict, key, ticks) : 0;
}

static int put_positive(PyObject *dict, const char *key, int64_t value)
{
    return value > 0 ? put_int(dict, key, value) : 0;
}

static int put_video(PyObject *d, const struct sl_track *t)
{
    static const char *const ranges[] = {"unspecified", "limited", "full"};
    const struct sl_colour *c = &t->colour;
    const char *range = c->range <= SL_RANGE_FULL ? ranges[c->range] : ranges[0];

    return put_int(d, "width", t->width) || put_int(d, "height", t->height) ||
           put_text(d, "pixel_format", sl_pixel_format_name(t->pixel_format)) ||
           put_positive(d, "bit_depth", t->bit_depth) ||
           put_rational(d, "sample_aspect", t->sample_aspect) ||
           put_rational(d, "frame_rate", t->frame_rate) ||
           put_bool(d, "frame_rate_exact", t->frame_rate_exact) ||
           put_int(d, "rotation", t->rotation) ||
           put(d, "colour",
               Py_BuildValue("{sisisiss}", "primaries", c->primaries, "transfer", c->transfer,
                             "matrix", c->matrix, "range", range)) ||
           (t->reorder >= 0 && put_int(d, "reorder", t->reorder));
}

static int put_audio(PyObject *d, const struct sl_track *t)
{
    return put_int(d, "sample_rate", t->sample_rate) || put_int(d, "channels", t->channels) ||
           put(d, "channel_layout", PyLong_FromUnsignedLongLong(t->channel_layout)) ||
           put_int(d, "delay", t->delay);
}

static PyObject *track_of(const struct sl_probe *probe, size_t index)
{
    const struct sl_track *t = sl_probe_track(probe, index);
    PyObject *d = PyDict_New();

    if (!d) {
        return NULL;
    }
    if (put_int(d, "index", (int64_t)index) || put_int(d, "id", t->id) ||
        put_text(d, "kind", sl_kind_name(t->kind)) || put_text(d, "codec", t->codec_name) ||
        put_text(d, "codec_string", sl_probe_codec_string(probe, index)) ||
        put_rational(d, "timebase", t->timebase) || put_ticks(d, "start", t->start) ||
        put_ticks(d, "duration", t->duration) || put_text(d, "language", t->language) ||
        put_text(d, "title", t->title) || put_bool(d, "default", t->is_default) ||
        put_positive(d, "bitrate", t->bitrate) || (t->kind == SL_KIND_VIDEO && put_video(d, t)) ||
        (t->kind == SL_KIND_AUDIO && put_audio(d, t))) {
        Py_CLEAR(d);
    }
    return d;
}

static PyObject *dict_of(const struct sl_probe *probe)
{
    PyObject *d = PyDict_New();
    PyObject *tracks = PyList_New(0);

    if (!d || !tracks || put_text(d, "format", sl_probe_format(probe)) ||
        (sl_probe_duration(probe) >= 0 && put_int(d, "duration_us", sl_probe_duration(probe)))) {
        goto fail;
    }
    for (size_t i = 0; i < sl_probe_track_count(probe); i++) {
        PyObject *track = track_of(probe, i);
        if (!track || PyList_Append(tracks, track) < 0) {
            Py_XDECREF(track);
            goto fail;
        }
        Py_DECREF(track);
    }
    if (put(d, "tracks", tracks)) {
        tracks = NULL; /* consumed */
        goto fail;
    }
    return d;
fail:
    Py_XDECREF(tracks);
    Py_XDECREF(d);
    return NULL;
}

PyObject *ext_probe(PyObject *module, PyObject *path)
{
    struct sl_error err = {.status = SL_OK};
    struct sl_probe *probe = NULL;
    PyObject *result = NULL;
    enum sl_status status = SL_OK;
    char *name = PyBytes_AsString(path);

    if (!name) {
        return NULL;
    }
    /* path is an argument: it stays alive while the lock is not held. */
    Py_BEGIN_ALLOW_THREADS status = sl_probe_open(&probe, name, NULL, &err);
    Py_END_ALLOW_THREADS result =
        status == SL_OK ? dict_of(probe) : ext_raise(ext_state_of(module), &err);
    sl_probe_destroy(&probe);
    return result;
}
