/* A histogram as one filled outline, so that no seams show between its bars. */
#include <math.h>

#include "base/number.h"
#include "stats/stats.h"
#include "view/axes.h"
#include "view/view.h"

#define X_MARGIN 0.05 /* of the data's range, where no limits are given */
#define Y_MARGIN 0.05 /* above the highest bar */

#define MARKER_WIDTH 1.2
#define MIN_BAR_WIDTH 3.0 /* of a bar that stands alone, so that it is seen */

static const struct ss_view_color blue = {0x1F / 255.0, 0x77 / 255.0, 0xB4 / 255.0};
static const struct ss_view_color orange = {0xD5 / 255.0, 0x5E / 255.0, 0x00 / 255.0};

/* The axis may be narrower than the data: bars outside are cut at the frame. */
static void set_scales(struct ss_view_axes *axes,
                       const struct ss_view_histogram_picture *picture,
                       const struct ss_stats_histogram *histogram)
{
    const double first = (double)histogram->edges[0];
    const double last = (double)histogram->edges[histogram->n_bins];
    const double margin = X_MARGIN * (last - first);
    uint64_t highest = 1;
    for (size_t i = 0; i < histogram->n_bins; i++) {
        highest = histogram->counts[i] > highest ? histogram->counts[i] : highest;
    }
    axes->grid = picture->grid;
    axes->x = (struct ss_view_scale){first - margin, last + margin, .label = picture->x_label};
    if (picture->x_limits != NULL) {
        axes->x.low = (double)picture->x_limits[0];
        axes->x.high = (double)picture->x_limits[1];
    }
    axes->y = (struct ss_view_scale){0.0, (1 + Y_MARGIN) * (double)highest, .integers = true,
                                     .label = picture->y_label};
}

/* Where all values are equal, the one bar is too thin to be seen, or lies under the frame. */
static void add_lone_bars(const struct ss_view_axes *axes,
                          const struct ss_stats_histogram *histogram, cairo_t *cairo)
{
    const size_t n = histogram->n_bins;
    for (size_t i = 0; i < n; i++) {
        const double left = ss_view_scale_at(&axes->x, (double)histogram->edges[i]);
        const double right = ss_view_scale_at(&axes->x, (double)histogram->edges[i + 1]);
        const double top = ss_view_scale_at(&axes->y, (double)histogram->counts[i]);
        const bool is_alone = histogram->counts[i] > 0 &&
                              (i == 0 || histogram->counts[i - 1] == 0) &&
                              (i + 1 == n || histogram->counts[i + 1] == 0);
        if (is_alone && right - left < MIN_BAR_WIDTH) {
            const double middle = (left + right - MIN_BAR_WIDTH) / 2;
            const double inside =
                fmax(axes->x.start, fmin(middle, axes->x.end - MIN_BAR_WIDTH));
            cairo_rectangle(cairo,
                            right > axes->x.start && left < axes->x.end ? inside : middle, top,
                            MIN_BAR_WIDTH, axes->y.start - top);
        }
    }
}

/* The outline goes over all bins and back along the axis. */
static void draw_bars(const struct ss_view_axes *axes,
                      const struct ss_stats_histogram *histogram, struct ss_view_canvas *canvas)
{
    const struct ss_view_scale *x = &axes->x;
    const struct ss_view_scale *y = &axes->y;
    cairo_t *cairo = canvas->cairo;
    cairo_save(cairo);
    cairo_rectangle(cairo, x->start, y->end, x->end - x->start, y->start - y->end);
    cairo_clip(cairo);
    cairo_move_to(cairo, ss_view_scale_at(x, (double)histogram->edges[0]), y->start);
    for (size_t i = 0; i < histogram->n_bins; i++) {
        const double top = ss_view_scale_at(y, (double)histogram->counts[i]);
        const double left = ss_view_scale_at(x, (double)histogram->edges[i]);
        const double right = ss_view_scale_at(x, (double)histogram->edges[i + 1]);
        cairo_line_to(cairo, ss_view_canvas_snap(canvas, left),
                      ss_view_canvas_snap(canvas, top));
        cairo_line_to(cairo, ss_view_canvas_snap(canvas, right),
                      ss_view_canvas_snap(canvas, top));
    }
    cairo_line_to(cairo, ss_view_scale_at(x, (double)histogram->edges[histogram->n_bins]),
                  y->start);
    cairo_close_path(cairo);
    add_lone_bars(axes, histogram, cairo);
    ss_view_canvas_color(canvas, blue);
    cairo_fill(cairo);
    cairo_restore(cairo);
}

/* A dashed line over the whole height, where the value is inside the axis. */
static void draw_marker(const struct ss_view_axes *axes, const float *marker,
                        struct ss_view_canvas *canvas)
{
    static const double dashes[2] = {5, 3};
    if (marker == NULL ||
        !((double)*marker >= axes->x.low && (double)*marker <= axes->x.high)) {
        return;
    }
    const double x = ss_view_scale_at(&axes->x, (double)*marker);
    ss_view_canvas_color(canvas, orange);
    cairo_set_dash(canvas->cairo, dashes, 2, 0);
    ss_view_canvas_line(canvas, (double[2]){x, axes->y.start}, (double[2]){x, axes->y.end},
                        MARKER_WIDTH);
    cairo_set_dash(canvas->cairo, NULL, 0, 0);
}

ss_status ss_view_draw_histogram(const char *path,
                                 const struct ss_view_histogram_picture *picture, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_histogram histogram = {0};
    struct ss_view_canvas canvas = {0};
    struct ss_view_axes axes = {0};
    void *previous = NULL; /* what draws writes numbers */
    if (picture->x_limits != NULL && !(picture->x_limits[0] < picture->x_limits[1])) {
        SS_FAIL(SS_E_USAGE, "the limits of an axis must rise, found %g to %g",
                (double)picture->x_limits[0], (double)picture->x_limits[1]);
    }
    previous = ss__locale_enter();
    SS_TRY(ss_view_canvas_open(&canvas, path, picture->width_in, picture->height_in,
                               picture->dpi, err));
    SS_TRY(ss_stats_histogram_make(picture->values, picture->n_values, picture->n_bins,
                                   picture->fixed_range, &histogram, err));
    set_scales(&axes, picture, &histogram);
    ss_view_canvas_describe(&canvas, picture->title, picture->caption);
    SS_TRY(ss_view_axes_lay_out(&axes, &canvas, picture->title, picture->caption, err));
    ss_view_axes_draw_grid(&axes, &canvas);
    draw_bars(&axes, &histogram, &canvas);
    draw_marker(&axes, picture->marker, &canvas);
    ss_view_axes_draw(&axes, &canvas);
    SS_TRY(ss_view_canvas_write(&canvas, path, picture->force, err));
out:
    ss_view_axes_release(&axes);
    ss_view_canvas_release(&canvas);
    ss__locale_leave(previous);
    ss_stats_histogram_release(&histogram);
    return status;
}
