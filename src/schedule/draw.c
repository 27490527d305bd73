/* SPDX-License-Identifier: BSD-2-Clause */
/* One column a picture in display order, one row a layer. */
#include <inttypes.h>

#include "base/alloc.h"
#include "schedule/order.h"

#define TEXT_COLUMNS 40 /* pictures in one strip of text */

static char letter(const struct sl_schedule_frame *f)
{
    static const char letters[] = "?IiPBb";
    return f->type == SL_SCHEDULE_P && f->disposable ? 'p' : letters[f->type];
}

static void text_strip(const struct sl_schedule *s, const struct sl_schedule_shown *shown,
                       size_t first, size_t count, struct sl_writer *w)
{
    sl_write_text(w, "display ");
    for (size_t i = first; i < first + count; i++) {
        sl_write_format(w, " %4" PRId64, shown[i].display);
    }
    for (int layer = 0; layer < s->layers; layer++) {
        sl_write_format(w, "\nlayer %d ", layer);
        for (size_t i = first; i < first + count; i++) {
            const struct sl_schedule_frame *f = &s->frames[shown[i].coded];
            sl_write_format(w, "    %c", f->layer == layer ? letter(f) : '.');
        }
    }
    sl_write_text(w, "\ndecode  ");
    for (size_t i = first; i < first + count; i++) {
        sl_write_format(w, " %4zu", shown[i].coded);
    }
    sl_write_text(w, "\n");
}

static void clip(const struct sl_schedule *s, size_t *first, size_t *count)
{
    *first = *first < s->count ? *first : s->count;
    *count = *count < s->count - *first ? *count : s->count - *first;
}

void sl_schedule_draw_text(const struct sl_schedule *s, size_t first, size_t count,
                           struct sl_writer *w)
{
    struct sl_schedule_shown *shown = sl_schedule_shown(s);
    if (!shown) {
        w->status = w->status ? w->status : SL_ENOMEM;
        return;
    }
    clip(s, &first, &count);
    sl_write_format(w, "%zu frames, gop %d, dpb %d, reorder %d, %d layers\n", s->count, (int)s->gop,
                    (int)s->dpb, (int)s->reorder, (int)s->layers);
    for (size_t i = 0; i < count; i += TEXT_COLUMNS) {
        sl_write_text(w, "\n");
        text_strip(s, shown, first + i, count - i < TEXT_COLUMNS ? count - i : TEXT_COLUMNS, w);
    }
    sl_write_text(w, "\nI idr, i intra, P, B: reference pictures; p, b: disposable ones\n");
    sl_free(shown);
}

/* ---- SVG --------------------------------------------------------------------------------- */

#define STEP 44 /* pixels from picture to picture */
#define ROW  64
#define LEFT 40
#define TOP  40
#define HALF 15 /* of a picture's box */

static const char *const colours[SL_SCHEDULE_LAYERS_MAX] = {
    "#1f4e79", "#2e75b6", "#2e8b57", "#8a6d00", "#b85c00", "#a83232", "#7a3e9d", "#555555"};

static int column(size_t i)
{
    return LEFT + (int)i * STEP + STEP / 2;
}

static int row(const struct sl_schedule_frame *f)
{
    return TOP + f->layer * ROW + ROW / 2;
}

/* A curve from the one that is referred to, so that lines along a row do not hide each other. */
static void svg_reference(const struct sl_schedule_frame *from, size_t from_i,
                          const struct sl_schedule_frame *to, size_t to_i, struct sl_writer *w)
{
    int x1 = column(from_i), y1 = row(from), x2 = column(to_i), y2 = row(to);
    int bend = y1 == y2 ? HALF + 14 : 0;
    int end = y1 == y2 ? -HALF : y1 < y2 ? -HALF : HALF;
    sl_write_format(w,
                    "<path d=\"M%d %dQ%d %d %d %d\" stroke=\"%s\" fill=\"none\" "
                    "marker-end=\"url(#a)\" opacity=\".55\"/>\n",
                    x1, y1, (x1 + x2) / 2, (y1 + y2) / 2 - bend, x2, y2 + end, colours[to->layer]);
}

static void svg_picture(const struct sl_schedule_frame *f, size_t i, struct sl_writer *w)
{
    int x = column(i), y = row(f);
    sl_write_format(w,
                    "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"4\" fill=\"%s\"%s>"
                    "<title>frame %" PRId64 ", decode %" PRId64 ", layer %u</title></rect>\n"
                    "<text x=\"%d\" y=\"%d\" fill=\"#fff\">%c%" PRId64 "</text>\n",
                    x - HALF, y - HALF, 2 * HALF, 2 * HALF, colours[f->layer],
                    f->disposable ? " opacity=\".8\"" : "", f->display, f->decode, f->layer, x,
                    y + 4, letter(f), f->decode);
    sl_write_format(w, "<text x=\"%d\" y=\"%d\" fill=\"#666\">%" PRId64 "</text>\n", x, TOP - 12,
                    f->display);
}

/* The column of a picture, count where it is not drawn. */
static size_t place_of(const struct sl_schedule_shown *shown, size_t first, size_t count,
                       int64_t display)
{
    size_t low = first, high = first + count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (shown[middle].display < display) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < first + count && shown[low].display == display ? low - first : count;
}

void sl_schedule_draw_svg(const struct sl_schedule *s, size_t first, size_t count,
                          struct sl_writer *w)
{
    struct sl_schedule_shown *shown = sl_schedule_shown(s);
    if (!shown) {
        w->status = w->status ? w->status : SL_ENOMEM;
        return;
    }
    clip(s, &first, &count);
    sl_write_format(
        w,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
        "font-family=\"sans-serif\" font-size=\"11\" text-anchor=\"middle\">\n"
        "<defs><marker id=\"a\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" "
        "markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L6 3L0 6z\" "
        "fill=\"#666\"/></marker></defs>\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
        LEFT + (int)count * STEP + 10, TOP + (int)s->layers * ROW + 10);
    for (int layer = 0; layer < s->layers; layer++) {
        sl_write_format(w, "<text x=\"20\" y=\"%d\" fill=\"#666\">L%d</text>\n",
                        TOP + layer * ROW + ROW / 2 + 4, layer);
    }
    for (size_t i = 0; i < count; i++) {
        const struct sl_schedule_frame *f = &s->frames[shown[first + i].coded];
        for (size_t k = 0; k < f->ref_count; k++) {
            size_t from = place_of(shown, first, count, f->refs[k]);
            if (from < count) {
                svg_reference(&s->frames[shown[first + from].coded], from, f, i, w);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        svg_picture(&s->frames[shown[first + i].coded], i, w);
    }
    sl_write_text(w, "</svg>\n");
    sl_free(shown);
}
