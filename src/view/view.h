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

/* ---- maps ---- */

/* A cluster: its label is drawn at (x, y), where there is room. */
struct ss_view_map_cluster {
    const char *label; /* "": none */
    float x, y;
    size_t n_points;
};

/* Points in two dimensions, coloured by cluster, over others in grey. The largest clusters come
 * first; as many have colours and marks of their own as can be told apart, others share one. */
struct ss_view_map_picture {
    const float *points;        /* [n_points, 2] */
    const int32_t *clusters_of; /* [n_points] -1: none */
    size_t n_points;
    const float *background; /* [n_background, 2] */
    size_t n_background;
    const struct ss_view_map_cluster *clusters; /* [n_clusters] */
    size_t n_clusters;
    const char *title, *caption;
    bool force;                      /* replace a file that exists */
    double width_in, height_in, dpi; /* zeroed: 7.2 by 7.2 inches, 150 dots */
};

/* Draw and write atomically. Equal pictures have equal bytes. Errors: SS_E_USAGE (extension,
 * sizes), SS_E_EXISTS, SS_E_IO, SS_E_NOMEM. Threads: any. */
SS_MUST_USE ss_status ss_view_draw_map(const char *path,
                                       const struct ss_view_map_picture *picture, ss_err *err);

#endif
