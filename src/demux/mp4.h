/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside of the MP4 and QuickTime demuxer: ISO/IEC 14496-12 and the QuickTime File Format.
 *
 * The whole of moov is held as it is in the file, and so is one moof at a time; sample tables are
 * walked where they lie. No table is ever expanded. */
#ifndef SL_DEMUX_MP4_H
#define SL_DEMUX_MP4_H

#include "base/bytes.h"
#include "media/stage.h"

#define SL_MP4_INDEX_MAX    (256u << 20) /* bytes of moov; as many of a moof */
#define SL_MP4_TRACKS_MAX   1024
#define SL_MP4_ENTRIES_MAX  1024       /* sample descriptions of one track */
#define SL_MP4_RUNS_MAX     (1u << 20) /* track runs in one moof */
#define SL_MP4_COVERS_MAX   8          /* pictures among the metadata */
#define SL_MP4_HOLD_MAX     SL_WINDOW_MAX
#define SL_MP4_TIME_MAX     (INT64_C(1) << 60) /* ticks; sums of a few never overflow */
#define SL_MP4_FOURCC(text)                    /* of a string of four */                           \
    ((uint32_t)(uint8_t)(text)[0] << 24 | (uint32_t)(uint8_t)(text)[1] << 16 |                     \
     (uint32_t)(uint8_t)(text)[2] << 8 | (uint32_t)(uint8_t)(text)[3])

/* ---- boxes -------------------------------------------------------------------------------- */

/* A box within memory. */
struct sl_mp4_box {
    char type[5];        /* printable, for messages */
    uint32_t code;       /* as SL_MP4_FOURCC gives it */
    int64_t offset;      /* of its header, in the source */
    const uint8_t *data; /* payload */
    size_t size;
    size_t head; /* bytes of its header */
};

/* The children of a box, or whatever follows its own fields. */
struct sl_mp4_walk {
    const char *name; /* of the source */
    const uint8_t *data;
    size_t size, pos;
    int64_t base;   /* offset of data in the source */
    char parent[5]; /* for messages */
};

void sl_mp4_walk_init(struct sl_mp4_walk *w, const char *name, const struct sl_mp4_box *parent,
                      size_t skip);
/* SL_EOF after the last one; SL_EDATA where a box does not fit into its parent. */
SL_NODISCARD enum sl_status sl_mp4_walk_next(struct sl_mp4_walk *w, struct sl_mp4_box *box,
                                             struct sl_error *err);
/* The first child of this type; false where there is none (or only damage before it). */
bool sl_mp4_find(const struct sl_mp4_box *parent, size_t skip, const char *type,
                 struct sl_mp4_box *out);
bool sl_mp4_is(const struct sl_mp4_box *box, const char *type);
void sl_mp4_type_text(uint32_t code, char out[5]);

/* A table of count entries that lie one after another. */
struct sl_mp4_table {
    const uint8_t *data;
    uint32_t count;
};

/* ---- samples ------------------------------------------------------------------------------ */

struct sl_mp4_sample {
    int64_t offset;
    int64_t dts, cts; /* media time: before edits */
    int64_t duration;
    uint32_t size;
    uint32_t count;       /* samples of the table in it: more than one where sound is packed */
    uint32_t description; /* from 1 */
    uint32_t layer;       /* 10.5: temporal level, from 1; 0: not stated */
    bool key;
};

/* Where a walk over the tables of a track stands. */
struct sl_mp4_cursor {
    uint32_t index;           /* of the next sample, from 0 */
    uint32_t stts, stts_left; /* entry, and samples of it that are left */
    uint32_t ctts, ctts_left;
    uint32_t chunk, chunk_left; /* the chunk that the next sample is in (from 0) */
    uint32_t stsc;              /* the entry that holds for it */
    uint32_t stss, stps;        /* the first entry not below index + 1 */
    uint32_t rap, rap_left;
    uint32_t tele, tele_left;
    int64_t pos, dts;
};

/* One run of samples of a fragment: 14496-12 8.8.8. */
struct sl_mp4_run {
    const uint8_t *entries;
    uint32_t count, entry_size;
    uint32_t flags;                                     /* of trun */
    uint32_t first_flags, sample_flags, duration, size; /* where not stated for each sample */
    uint32_t description;
    int64_t offset, dts;
};

struct sl_mp4_entry { /* a sample description */
    bool usable;      /* of the same codec as the first one */
    uint8_t *config;  /* owned */
    size_t config_size;
};

struct sl_mp4_track {
    uint32_t id, timescale, handler;
    uint32_t tkhd_width, tkhd_height; /* 16.16 */
    int32_t roll;                     /* 14496-12 10.1: roll_distance, 0: none */
    int64_t media_duration;           /* mdhd; 0: not stated */
    const uint8_t *cover;             /* a picture in moov: the only sample */

    struct sl_mp4_box stsd, edits; /* edits: elst; size 0 where there is none */
    struct sl_mp4_table stts, ctts, stsc, stsz, stco, stss, stps, rap, tele;
    uint32_t size_bits, fixed_size; /* of a sample: 4, 8, 16, 32; or all the same */

    /* packed sound: packets of `pack` samples of the table, pack_bytes for each pack_samples */
    uint32_t pack, pack_samples, pack_bytes;
    uint32_t sample_count;

    struct sl_mp4_entry *entries;
    size_t entry_count;

    int64_t shift;                /* from media time to presentation time */
    int64_t dts_shift;            /* so that no dts passes its pts: 14496-12 8.6.1.4 */
    int64_t edit_start, edit_end; /* media time that is presented */
    int64_t edit_slack;           /* the rounding of edit_end */
    int64_t before, first; /* cts of the picture that is on when the edit begins (INT64_MIN: none),
                              and of the first one that begins in it */

    struct sl_mp4_cursor cursor;
    struct sl_mp4_run *runs; /* of the moof at hand */
    size_t run_count, run_capacity, run;
    int64_t run_pos, run_dts;
    int64_t tables_end; /* media time at the end of moov's samples */
    int64_t next_dts;   /* where the next fragment begins if it does not say so */
    int64_t given;      /* bytes of samples so far */
    struct sl_mp4_sample next;
    uint32_t run_sample;
    uint32_t description; /* that the last packet had */
    uint32_t keys_after_end;

    /* 14496-12 8.8.3 */
    uint32_t trex_description, trex_duration, trex_size, trex_flags;

    bool is_chapters;
    bool all_sync; /* only pictures depend on each other, whatever fragments' default flags say */
    bool has_stss, wide_offsets, has_edits;
    bool had_run, timed; /* in fragments so far: samples, a tfdt */
    bool unwanted;
    bool ended;    /* after the edit: nothing more is shown */
    bool has_next; /* next is set */
};

struct sl_mp4 {
    struct sl_demuxer demuxer; /* first: handed out as this */
    struct sl_window *window;
    const char *name;
    const struct sl_log *log;
    struct sl_mp4_track *tracks;
    size_t count, covers;
    uint32_t movie_timescale;
    int64_t movie_duration, fragment_duration; /* mvhd, mehd: movie ticks; 0: not stated */

    uint8_t *moov, *moof; /* owned; whole boxes */
    size_t moof_capacity;
    int64_t hold; /* -1, or media before moov on a source that cannot go back: held from here on */

    int64_t fragments;   /* where the boxes after moov begin */
    int64_t offset;      /* of the next box to be looked at for a moof */
    int64_t moof_offset; /* of the one at hand */
    int64_t missing;     /* samples that lie after the end of the source */
    bool fragmented;
    bool in_tables; /* samples of moov are not all given yet */
    bool at_media;  /* offset is behind a moof, and the box of its samples is not passed yet */
    bool strict;
    bool places_only;
    bool quicktime; /* brand "qt  ", or no ftyp at all */
    bool opened;    /* nothing is released before */
};

/* mp4_moov.c: everything in moov; box->data stays in use. */
SL_NODISCARD enum sl_status sl_mp4_parse_moov(struct sl_mp4 *d, const struct sl_mp4_box *box,
                                              struct sl_error *err);
/* mp4_open.c, in this order: sample entries and edit lists; then what the first samples say (of a
 * fragment, where moov has none); then the length of all. */
SL_NODISCARD enum sl_status sl_mp4_describe_tracks(struct sl_mp4 *d, struct sl_error *err);
SL_NODISCARD enum sl_status sl_mp4_first_samples(struct sl_mp4 *d, struct sl_error *err);
void sl_mp4_set_duration(struct sl_mp4 *d);
/* mp4_edit.c: what the edit list says, into shift, edit_start, edit_end. */
SL_NODISCARD enum sl_status sl_mp4_read_edits(struct sl_mp4 *d, struct sl_mp4_track *t,
                                              struct sl_error *err);
/* Sets before and first, from the next sample on. */
void sl_mp4_find_first(const struct sl_mp4 *d, struct sl_mp4_track *t);
/* Places a sample in the presentation: times, flags and trims of the packet. */
void sl_mp4_place(struct sl_mp4_track *t, const struct sl_track *track,
                  const struct sl_mp4_sample *s, struct sl_packet *p);
/* True where nothing from this sample on is needed. Call it for each sample, in order. */
bool sl_mp4_after_edit(struct sl_mp4_track *t, const struct sl_track *track,
                       const struct sl_mp4_sample *s);

/* mp4_tables.c */
SL_NODISCARD enum sl_status sl_mp4_parse_tables(struct sl_mp4 *d, struct sl_mp4_track *t,
                                                const struct sl_mp4_box *stbl,
                                                struct sl_error *err);
/* mp4_cursor.c: the tables, sample by sample */
void sl_mp4_cursor_start(const struct sl_mp4_track *t, struct sl_mp4_cursor *c);
/* false at the end of the tables, or where they stop making sense (*damaged says so). */
bool sl_mp4_cursor_peek(const struct sl_mp4_track *t, const struct sl_mp4_cursor *c,
                        struct sl_mp4_sample *out);
void sl_mp4_cursor_pass(const struct sl_mp4_track *t, struct sl_mp4_cursor *c,
                        const struct sl_mp4_sample *s);
/* Sets c to the last sync sample shown at or before the media time cts, or the first one. */
void sl_mp4_cursor_seek(const struct sl_mp4_track *t, struct sl_mp4_cursor *c, int64_t cts);
uint32_t sl_mp4_sample_size(const struct sl_mp4_track *t, uint32_t index);

/* mp4_entry.c, mp4_sound.c: from a sample entry to a track */
SL_NODISCARD enum sl_status sl_mp4_describe(struct sl_mp4 *d, struct sl_mp4_track *t,
                                            struct sl_track *track, struct sl_error *err);
struct sl_mp4_codec {
    const char *type; /* of the sample entry */
    enum sl_codec codec;
    const char *name;   /* FFmpeg's, where codec is SL_CODEC_OTHER or PCM */
    const char *config; /* box whose payload is the configuration */
};
SL_NODISCARD enum sl_status sl_mp4_describe_sound(struct sl_mp4 *d, struct sl_mp4_track *t,
                                                  const struct sl_mp4_box *entry,
                                                  struct sl_track *track, struct sl_error *err);
SL_NODISCARD enum sl_status sl_mp4_read_esds(struct sl_mp4 *d, const struct sl_mp4_box *esds,
                                             struct sl_track *track, struct sl_error *err);
void sl_mp4_set_codec(struct sl_track *track, enum sl_codec codec, const char *name);

/* mp4_fragment.c */
SL_NODISCARD enum sl_status sl_mp4_parse_moof(struct sl_mp4 *d, const struct sl_mp4_box *moof,
                                              struct sl_error *err);
bool sl_mp4_run_peek(struct sl_mp4_track *t, struct sl_mp4_sample *out);
void sl_mp4_run_pass(struct sl_mp4_track *t, const struct sl_mp4_sample *s);
/* The header of the box at offset; SL_EOF at the end of the source. size: header included,
 * INT64_MAX where it goes on to the end of a source of unknown size. */
struct sl_mp4_head {
    char type[5];
    uint32_t code;
    uint32_t head;
    int64_t size;
};
SL_NODISCARD enum sl_status sl_mp4_head(struct sl_mp4 *d, int64_t offset, struct sl_mp4_head *out,
                                        struct sl_error *err);
/* Loads the whole box into *data (owned by the caller, grown as needed). */
SL_NODISCARD enum sl_status sl_mp4_load(struct sl_mp4 *d, int64_t offset,
                                        const struct sl_mp4_head *head, uint8_t **data,
                                        size_t *capacity, struct sl_mp4_box *box,
                                        struct sl_error *err);
/* Goes on to the next moof from d->offset on and reads it. SL_EOF: there is none. */
SL_NODISCARD enum sl_status sl_mp4_next_moof(struct sl_mp4 *d, struct sl_error *err);
/* A source that cannot go back: takes d->offset past the header of the media before they are read,
 * since it cannot be looked at afterwards. Nothing where that is done. */
SL_NODISCARD enum sl_status sl_mp4_pass_media(struct sl_mp4 *d, struct sl_error *err);

/* mp4_seek.c */
SL_NODISCARD enum sl_status sl_mp4_seek(struct sl_demuxer *demuxer, size_t track, int64_t time,
                                        struct sl_error *err);
SL_NODISCARD enum sl_status sl_mp4_index(struct sl_demuxer *demuxer, size_t track,
                                         struct sl_index *out, struct sl_error *err);
/* Sets the durations of tracks that are in fragments, where that costs little. */
void sl_mp4_measure_fragments(struct sl_mp4 *d);

#endif
