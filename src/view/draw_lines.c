/* Lines over a common axis, with a legend inside the axes. */
#include <math.h>

#include "base/number.h"
#include "view/axes.h"
#include "view/view.h"

#define LINE_WIDTH 1.4
#define DOT_RADIUS 2.6
#define DOT_MARGIN 0.03 /* of the range, at both ends */
#define LEGEND_SIZE 9.0

/* Of the palette of Okabe and Ito: told apart by all eyes, and in grey. */
static const struct ss_view_color colors[] = {{0x00 / 255.0, 0x72 / 255.0, 0xB2 / 255.0},
                                              {0xD5 / 255.0, 0x5E / 255.0, 0x00 / 255.0},
                                              {0x00 / 255.0, 0x9E / 255.0, 0x73 / 255.0},
                                              {0xCC / 255.0, 0x79 / 255.0, 0xA7 / 255.0}};
enum { N_COLORS = sizeof colors / sizeof *colors };

/* Lines at one x, or without any point, get a range of one. Dots at the ends keep clear of them:
 * there a half would be cut off. */
static void set_scales(struct ss_view_axes *axes, const struct ss_view_lines_picture *picture)
{
    double low = INFINITY, high = -INFINITY;
    bool has_dots = false;
    for (size_t i = 0; i < picture->n_lines; i++) {
        has_dots = has_dots || picture->lines[i].is_dots;
        for (size_t j = 0; j < picture->lines[i].n; j++) {
            low = fmin(low, picture->lines[i].x[j]);
            high = fmax(high, picture->lines[i].x[j]);
        }
    }
    if (!(low < high)) {
        low = isfinite(low) ? low - 0.5 : 0;
        high = low + 1;
    }
    const double margin = has_dots ? (high - low) * DOT_MARGIN : 0;
    axes->grid = true;
    axes->x = (struct ss_view_scale){low - margin, high + margin, .label = picture->x_label};
    axes->y = (struct ss_view_scale){picture->y_limits[0], picture->y_limits[1],
                                     .label = picture->y_label};
}

/* A value that is not finite is a gap. */
static void draw_line(const struct ss_view_axes *axes, const struct ss_view_line *line,
                      struct ss_view_canvas *canvas)
{
    cairo_t *cairo = canvas->cairo;
    bool is_down = false;
    for (size_t i = 0; i < line->n; i++) {
        if (!isfinite(line->y[i])) {
            is_down = false;
            continue;
        }
        const double x = ss_view_scale_at(&axes->x, line->x[i]);
        const double y = ss_view_scale_at(&axes->y, line->y[i]);
        if (line->is_dots) {
            cairo_new_sub_path(cairo);
            cairo_arc(cairo, x, y, DOT_RADIUS, 0, 2 * acos(-1));
        } else if (is_down) {
            cairo_line_to(cairo, x, y);
        } else {
            cairo_move_to(cairo, x, y);
        }
        is_down = true;
    }
    cairo_set_line_width(cairo, LINE_WIDTH);
    if (line->is_dots) {
        cairo_fill(cairo);
    } else {
        cairo_stroke(cairo);
    }
}

/* At the lower right of the axes, the last line lowest. */
static void draw_legend(const struct ss_view_axes *axes,
                        const struct ss_view_lines_picture *picture,
                        struct ss_view_canvas *canvas)
{
    for (size_t i = 0; i < picture->n_lines; i++) {
        const double right = axes->x.end - 8;
        const double y = axes->y.start - 10 - 13 * (double)(picture->n_lines - 1 - i);
        ss_view_canvas_color(canvas, colors[i % N_COLORS]);
        if (picture->lines[i].is_dots) {
            cairo_new_sub_path(canvas->cairo);
            cairo_arc(canvas->cairo, right - 9, y - 3, DOT_RADIUS, 0, 2 * acos(-1));
            cairo_fill(canvas->cairo);
        } else {
            ss_view_canvas_line(canvas, (double[2]){right - 18, y - 3},
                                (double[2]){right, y - 3}, 2);
        }
        ss_view_canvas_color(canvas, (struct ss_view_color){0.15, 0.15, 0.15});
        ss_view_canvas_text(canvas, picture->lines[i].label, LEGEND_SIZE, SS_VIEW_ALIGN_RIGHT,
                            (double[2]){right - 23, y});
    }
}

/* Later lines lie over earlier ones. */
static void draw_data(const struct ss_view_axes *axes,
                      const struct ss_view_lines_picture *picture,
                      struct ss_view_canvas *canvas)
{
    const struct ss_view_scale *x = &axes->x, *y = &axes->y;
    cairo_save(canvas->cairo);
    cairo_rectangle(canvas->cairo, x->start, y->end, x->end - x->start, y->start - y->end);
    cairo_clip(canvas->cairo);
    for (size_t i = 0; i < picture->n_lines; i++) {
        ss_view_canvas_color(canvas, colors[i % N_COLORS]);
        draw_line(axes, picture->lines + i, canvas);
    }
    cairo_restore(canvas->cairo);
    draw_legend(axes, picture, canvas);
}

ss_status ss_view_draw_lines(const char *path, const struct ss_view_lines_picture *picture,
                             ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_view_canvas canvas = {0};
    struct ss_view_axes axes = {0};
    void *previous = ss__locale_enter(); /* what draws writes numbers */
    SS_TRY(ss_view_canvas_open(&canvas, path, picture->width_in, picture->height_in,
                               picture->dpi, err));
    set_scales(&axes, picture);
    ss_view_canvas_describe(&canvas, picture->title, picture->caption);
    SS_TRY(ss_view_axes_lay_out(&axes, &canvas, picture->title, picture->caption, err));
    ss_view_axes_draw_grid(&axes, &canvas);
    draw_data(&axes, picture, &canvas);
    ss_view_axes_draw(&axes, &canvas);
    SS_TRY(ss_view_canvas_write(&canvas, path, picture->force, err));
out:
    ss_view_axes_release(&axes);
    ss_view_canvas_release(&canvas);
    ss__locale_leave(previous);
    return status;
}
