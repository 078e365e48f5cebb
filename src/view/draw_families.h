/* Pictures of how features hang together: heat maps of how much they fire together, and trees of
 * families. */
#ifndef SS_VIEW_DRAW_FAMILIES_H
#define SS_VIEW_DRAW_FAMILIES_H

#include <stdint.h>

#include "base/error.h"

/* One square of a picture of heat maps. */
struct ss_view_heat_map {
    const char *title;
    size_t n;
    const float *values; /* [n, n] row-major, 0 ... 1 */
};

/* A map is 2 inches wide, one alone 5; dpi 0 is 150 dots per inch. */
struct ss_view_heat_maps_picture {
    const struct ss_view_heat_map
        *maps; /* [n_maps], in a grid of about as many rows as columns */
    size_t n_maps;
    const char *title, *caption, *scale_label; /* caption nullable */
    const char *most;                          /* what a value of 1 stands for; NULL: "1" */
    bool force;
    double dpi;
};
/* Errors and threads: as ss_view_draw_histogram. */
SS_MUST_USE ss_status ss_view_draw_heat_maps(const char *path,
                                             const struct ss_view_heat_maps_picture *picture,
                                             ss_err *err);

/* A line of a tree. */
struct ss_view_tree_line {
    uint32_t depth;    /* 0 begins a tree; at most one more than that of the line before */
    double size;       /* 0 ... 1, of its dot */
    const char *name;  /* in front, such as the number of a feature */
    const char *label; /* nullable */
    const char *note;  /* at the right; nullable */
};

struct ss_view_tree_picture {
    const struct ss_view_tree_line *lines; /* [n_lines] by depth first */
    size_t n_lines;
    const char *title, *caption; /* caption nullable */
    bool force;
    double width_in, dpi; /* the height follows the lines */
};
/* width_in 0 is 7 inches. Errors and threads: as ss_view_draw_histogram. */
SS_MUST_USE ss_status ss_view_draw_tree(const char *path,
                                        const struct ss_view_tree_picture *picture,
                                        ss_err *err);

#endif
