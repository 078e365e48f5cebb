/* A pair of axes: the frame, ticks at round numbers, labels and a title around a data area. */
#ifndef SS_VIEW_AXES_H
#define SS_VIEW_AXES_H

#include "view/canvas.h"

struct ss_view_scale {
    double low, high;  /* data range */
    bool integers;     /* ticks only at whole numbers */
    const char *label; /* nullable */
    double start, end; /* position of low and high on the canvas, set by ss_view_axes_lay_out */
    double first_tick, tick_step;
    size_t n_ticks;
};

enum { SS_VIEW_TITLE_LINES = 3 };

/* A text that was broken into lines. */
struct ss_view_lines {
    struct ss__buf text; /* valid UTF-8, every line ends with NUL */
    double size;
    size_t n_lines;
};

struct ss_view_axes {
    struct ss_view_scale x, y;
    struct ss_view_lines title, caption;
    bool grid;
};

/* Decide where everything goes; x.low … y.label and grid are given. `title` and `caption` are
 * nullable; a long one is wrapped, then set smaller, then cut. A caption is left out where the
 * canvas is too small for it. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss_view_axes_lay_out(struct ss_view_axes *axes,
                                           struct ss_view_canvas *canvas, const char *title,
                                           const char *caption, ss_err *err);
/* Where a value is on the canvas, also one outside the range. */
double ss_view_scale_at(const struct ss_view_scale *scale, double value);
/* What lies under the data, and what lies over it. */
void ss_view_axes_draw_grid(const struct ss_view_axes *axes, struct ss_view_canvas *canvas);
void ss_view_axes_draw(struct ss_view_axes *axes, struct ss_view_canvas *canvas);
void ss_view_axes_release(struct ss_view_axes *axes);

#endif
