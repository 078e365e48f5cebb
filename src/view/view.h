/* Pictures made from numbers; the format follows the file's extension: svg, png, pdf. */
#ifndef SS_VIEW_H
#define SS_VIEW_H

#include "base/error.h"

/* A zeroed size is its default: 6.4 by 4.8 inches, 150 dots per inch (png only). */
struct ss_view_histogram_picture {
    const float *values; /* [n_values] */
    size_t n_values;
    size_t n_bins;            /* at least 1 */
    const float *fixed_range; /* [2] or NULL: bins over the data's own range */
    const float *x_limits;    /* [2] or NULL: of the axis; NULL fits the data */
    const char *title, *x_label, *y_label;
    const char *caption; /* below the axes, and what an svg says to screen readers; nullable */
    const float *marker; /* [1] or NULL: a value that a dashed line marks */
    bool grid;
    bool force; /* replace a file that exists */
    double width_in, height_in, dpi;
};

/* Draw and write atomically. Equal pictures have equal bytes.
 * Errors: SS_E_USAGE (extension, sizes, limits, bins), SS_E_NONFINITE, SS_E_EXISTS, SS_E_IO,
 * SS_E_NOMEM.
 * Threads: any. */
SS_MUST_USE ss_status ss_view_draw_histogram(const char *path,
                                             const struct ss_view_histogram_picture *picture,
                                             ss_err *err);

/* A line through points, or the points alone; NaN leaves a gap. */
struct ss_view_line {
    const char *label;
    const double *x, *y; /* [n] */
    size_t n;
    bool is_dots;
};

struct ss_view_lines_picture {
    const struct ss_view_line *lines;
    size_t n_lines;
    double y_limits[2];
    const char *title, *x_label, *y_label, *caption;
    bool force;
    double width_in, height_in, dpi;
};

/* As ss_view_draw_histogram. */
SS_MUST_USE ss_status ss_view_draw_lines(const char *path,
                                         const struct ss_view_lines_picture *picture,
                                         ss_err *err);

#endif
