/* A pair of axes: the frame, ticks at round numbers, labels and a title around a data area. */
#ifndef SS_VIEW_AXES_H
#define SS_VIEW_AXES_H

#include "view/canvas.h"

struct ss__scale {
    double low, high;  /* data range */
    bool integers;     /* ticks only at whole numbers */
    const char *label; /* nullable */
    double start, end; /* place of low and high on the canvas, set by ss__axes_place */
    double first_tick, tick_step;
    size_t n_ticks;
};

enum { SS__TITLE_LINES = 3 };

struct ss__axes {
    struct ss__scale x, y;
    struct ss__buf title; /* valid UTF-8, lines separated by NUL */
    double title_size;
    size_t n_title_lines;
    bool grid;
};

/* Decide where everything goes; x.low … y.label and grid are given. `title` is nullable; a long
 * one is wrapped, then set smaller, then cut. Errors: SS_E_NOMEM. */
SS_MUST_USE ss_status ss__axes_place(struct ss__axes *axes, struct ss__canvas *canvas,
                                     const char *title, ss_err *err);
double ss__scale_at(const struct ss__scale *scale, double value);
/* What lies under the data, and what lies over it. */
void ss__axes_draw_grid(const struct ss__axes *axes, struct ss__canvas *canvas);
void ss__axes_draw(struct ss__axes *axes, struct ss__canvas *canvas);
void ss__axes_release(struct ss__axes *axes);

#endif
