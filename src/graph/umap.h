/* Maps of points in two dimensions by UMAP, and how good a map is.
 *
 * The graph is that of umap-learn 0.5; the layout is not: all forces of an epoch come from the
 * positions at its start, draws are hashes of (seed, epoch, edge), steps are Adam's, and the
 * start is the plane of the two largest principal components. So a map has the same bytes for
 * any number of threads and on every machine: exponentials and powers are the room's own.
 *
 * Points are rows of length 1; distances are cosine distances, 1 - a·b. */
#ifndef SS_GRAPH_UMAP_H
#define SS_GRAPH_UMAP_H

#include <stdbool.h>

#include "graph/nearest.h"

struct ss_graph_umap_options {
    size_t n_neighbours; /* of a point, itself among them, as umap-learn counts */
    size_t n_epochs;     /* 0: 250 up to 10,000 points, else 200 */
    double min_dist, spread;
    size_t n_negatives; /* draws that repel, for each edge that attracts */
    uint64_t seed;
};
#define SS_GRAPH_UMAP_DEFAULTS                                                                 \
    {                                                                                          \
        .n_neighbours = 15, .min_dist = 0.05, .spread = 1, .n_negatives = 20                   \
    }

/* Place all points: y [n, 2] in 0 … 10 or a little beyond.
 *
 * points   with numbers, where there is no start; else rows may be made
 * start    [n, 2] positions to begin with, or NULL: principal components
 * Errors   SS_E_NOMEM, SS_E_STOPPED
 * Threads  those of `work`
 * Source   tests/oracle/test_map.py, against umap-learn 0.5.12 */
SS_MUST_USE ss_status ss_graph_umap(ss_work *work, const struct ss_graph_points *points,
                                    const struct ss_graph_umap_options *options,
                                    const float *start, float *y, ss_err *err);

/* A map that there is: points and their places y [n, 2]. */
struct ss_graph_umap_fitted {
    const struct ss_graph_points *points;
    const float *y;
    const struct ss_graph_umap_options *options;
};

/* Place rows, each alone: out [rows, 2]. The place of a row depends on nothing but itself, the
 * map and the seed. Errors: SS_E_NOMEM, SS_E_STOPPED. */
SS_MUST_USE ss_status ss_graph_umap_place(ss_work *work, const struct ss_graph_umap_fitted *map,
                                          const struct ss_graph_points *rows, float *out,
                                          ss_err *err);

/* ---- how good a map is ---- */

struct ss_graph_map_quality {
    size_t n_neighbours;    /* looked at: 15, or fewer where there are few points */
    size_t n_rows;          /* looked from */
    double trustworthiness; /* Venna & Kaski's; 1: no map neighbour is far in the source */
    double kept;            /* share of the nearest neighbours that are so on the map */
};
/* Zeros where there are fewer than four points. Of more than 10,000 points, 2,000 are looked
 * from. Errors: SS_E_NOMEM, SS_E_STOPPED. */
SS_MUST_USE ss_status ss_graph_map_quality(ss_work *work, const struct ss_graph_points *points,
                                           const float *y, struct ss_graph_map_quality *out,
                                           ss_err *err);

/* ---- the steps, for tests ---- */

/* 1 / (1 + a x^2b) nearest to 1 up to min_dist and exp((min_dist - x) / spread) beyond. */
struct ss_graph_curve {
    double a, b;
};
struct ss_graph_curve ss_graph_umap_curve(double min_dist, double spread);

/* σ and ρ of a point from the distances to its k neighbours, rising. With itself among them
 * (distances[0] = 0) ρ is the smallest above 0; of a row that is placed, ρ is 0. */
struct ss_graph_width {
    double sigma, rho;
};
struct ss_graph_width ss_graph_umap_width(const double *distances, size_t k, bool is_placed,
                                          double mean_of_all);

/* The fuzzy graph: both directions of every edge, by point, then by id. Zeroed: none. */
struct ss_graph_fuzzy {
    size_t n;
    size_t *offsets; /* [n + 1] */
    uint32_t *ids;
    float *weights; /* 0 … 1 */
};
SS_MUST_USE ss_status ss_graph_fuzzy_make(const struct ss_graph_neighbours *neighbours,
                                          struct ss_graph_fuzzy *out, ss_err *err);
void ss_graph_fuzzy_release(struct ss_graph_fuzzy *graph);

/* The two largest principal components of points, less their mean: y [n, 2]. */
SS_MUST_USE ss_status ss_graph_plane(ss_work *work, const struct ss_graph_points *points,
                                     double *y, ss_err *err);

/* e^x for x ≤ 0, and the logarithm to base 2 of x > 0, with the same bits everywhere. */
double ss_graph_exp(double x);
double ss_graph_log2(double x);

#endif
