/* A canvas in points (1/72 inch), origin at the top left, behind every picture. In an
 * svg, text stays text (cairo would draw its outlines): it can be searched and read aloud. It
 * is put above everything else. */
#ifndef SS_VIEW_CANVAS_H
#define SS_VIEW_CANVAS_H

#include <cairo.h>

#include "base/buf.h"
#include "base/error.h"

struct ss_view_color {
    double red, green, blue;
};

struct ss_view_canvas {
    cairo_t *cairo;
    cairo_surface_t *surface;
    double width, height; /* points */
    double dots;          /* per point; 0 where lines need not meet pixels */
    struct ss__buf bytes; /* the file */
    /* Of an svg: its <text> elements, and what its root element says of the whole. */
    struct ss__buf texts, about;
    struct ss_view_color color;
    const struct ss_view_canvas_format *format;
};

typedef enum ss_view_align {
    SS_VIEW_ALIGN_LEFT,
    SS_VIEW_ALIGN_CENTER,
    SS_VIEW_ALIGN_RIGHT
} ss_view_align;

/* Sizes in inches; 0 for 6.4, 4.8 and 150 dots per inch. The format follows the extension of
 * `path`, which is not touched yet. Errors: SS_E_USAGE (extension, sizes), SS_E_NOMEM. */
SS_MUST_USE ss_status ss_view_canvas_open(struct ss_view_canvas *canvas, const char *path,
                                          double width_in, double height_in, double dpi,
                                          ss_err *err);
/* Finish the picture and write it; a file that is there is replaced with `force` only. Errors:
 * SS_E_EXISTS, SS_E_IO, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_view_canvas_write(struct ss_view_canvas *canvas, const char *path,
                                           bool force, ss_err *err);
/* Memory ran out for something that was to be drawn: ss_view_canvas_write will say SS_E_NOMEM. */
void ss_view_canvas_fail(struct ss_view_canvas *canvas);
void ss_view_canvas_release(struct ss_view_canvas *canvas);

/* Append text that may come from anywhere as valid UTF-8 without control characters, and a NUL.
 */
void ss_view_clean_text(const char *text, struct ss__buf *out);

/* What an svg says of itself to those who cannot see it; both nullable. Call it once, before
 * anything is drawn. */
void ss_view_canvas_describe(struct ss_view_canvas *canvas, const char *title,
                             const char *description);

/* Of what is drawn from now on. */
void ss_view_canvas_color(struct ss_view_canvas *canvas, struct ss_view_color color);
/* A straight line of `width` points, horizontal or vertical, that meets pixels. */
void ss_view_canvas_line(struct ss_view_canvas *canvas, const double from[2],
                         const double to[2], double width);
/* A coordinate moved to the nearest pixel's edge. */
double ss_view_canvas_snap(const struct ss_view_canvas *canvas, double at);

/* Text with its baseline at y, in valid UTF-8. */
void ss_view_canvas_text(struct ss_view_canvas *canvas, const char *text, double size,
                         ss_view_align align, const double at[2]);
/* The same, rotated to read upwards, its baseline at x and centred on y. */
void ss_view_canvas_text_up(struct ss_view_canvas *canvas, const char *text, double size,
                            const double at[2]);
/* In points, by the font of the pictures, which other viewers of an svg may not have. */
double ss_view_canvas_text_width(struct ss_view_canvas *canvas, const char *text, double size);

#endif
