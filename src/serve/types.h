/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SL_SERVE_TYPES_H
#define SL_SERVE_TYPES_H

/* How long what has a given name stays true; decides Cache-Control. */
enum sl_media_class {
    SL_CLASS_PLAYLIST, /* grows while it is watched */
    SL_CLASS_MEDIA,    /* written once by a run, but a later run may use the name again */
    SL_CLASS_OTHER,
};

struct sl_media_type {
    const char *extension; /* lower case */
    const char *type;
    enum sl_media_class class;
};

/* By the extension of the last component of path, without regard to case; never NULL. */
const struct sl_media_type *sl_media_type_of(const char *path);

#endif
