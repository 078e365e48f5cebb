/* Nearest neighbours, exact: products in float32, on the kernels of `tensor`, propose, and
 * distances in float64 decide. A proposal is believed where the last of its candidates is
 * farther than any error of float32 could make it; else the row is compared with all others in
 * float64. So results depend neither on kernels nor on threads. */
#ifndef SS_GRAPH_NEAREST_H
#define SS_GRAPH_NEAREST_H

#include "graph/points.h"
#include "tensor/tensor.h"

/* k neighbours of each row, the nearest first; equal distances by id. Where a row has fewer,
 * ids are SS_GRAPH_NONE and distances infinite. Zeroed: none. */
struct ss_graph_neighbours {
    size_t n, k;
    uint32_t *ids;      /* [n, k] */
    double *distances2; /* [n, k] squared */
};
void ss_graph_neighbours_release(struct ss_graph_neighbours *neighbours);

/* The k nearest other rows of each of `points`.
 *
 * out      gives (ss_graph_neighbours_release)
 * Errors   SS_E_NOMEM, SS_E_STOPPED
 * Threads  those of `work`; the result does not depend on them
 * Cost     n² width products of float32; memory: a float32 copy of the points, 16 B n k */
SS_MUST_USE ss_status ss_graph_nearest(ss_work *work, const struct ss_graph_points *points,
                                       size_t k, struct ss_graph_neighbours *out, ss_err *err);

/* The k nearest of `points` for each of `rows`, which are others of the same width. */
SS_MUST_USE ss_status ss_graph_nearest_of(ss_work *work, const struct ss_graph_points *points,
                                          const struct ss_graph_points *rows, size_t k,
                                          struct ss_graph_neighbours *out, ss_err *err);

/* ---- the search, for whoever ranks otherwise ---- */

/* Rows by number: each [width], borrowed, or written to `scratch` [width]. */
struct ss_graph_rows {
    const double *(*row_of)(const void *context, size_t row, double *scratch);
    const void *context;
    size_t n, width;
};

/* Points as the products take them: less their mean, which makes numbers small. Columns may be
 * overwritten (Ward's clusters move). */
struct ss_graph_targets {
    size_t width;
    double *mean; /* [width] */
    struct ss_tensor_matrix matrix;
    float *norms; /* [n] squared lengths less the mean; INFINITY: is never found */
    double most;  /* the largest squared length that was ever in it */
};
SS_MUST_USE ss_status ss_graph_targets_new(const struct ss_graph_rows *rows,
                                           struct ss_graph_targets *out, ss_err *err);
void ss_graph_targets_release(struct ss_graph_targets *targets);
/* Point `at` is now x [width]. `scratch` [width]. */
void ss_graph_targets_set(struct ss_graph_targets *targets, size_t at, const double *x,
                          float *scratch);

/* Bound of |float32 squared distance - exact one| from x [width] to any target. */
double ss_graph_targets_error(const struct ss_graph_targets *targets, const double *x);

struct ss_graph_search {
    const struct ss_graph_targets *targets;
    struct ss_graph_rows rows; /* that look for targets */
    size_t k;
    /* Turn squared distances to targets from … from + n - 1 into keys, the smaller the nearer,
     * INFINITY: not wanted. In place; NULL: distances are keys. */
    void (*rank)(const void *context, size_t row, size_t from, size_t n, float *keys);
    const void *rank_context;
    /* Written: the k targets of the smallest keys, rising by (key, id); where there are fewer,
     * SS_GRAPH_NONE and INFINITY. */
    uint32_t *ids; /* [rows, k] */
    float *keys;   /* [rows, k] */
};
SS_MUST_USE ss_status ss_graph_search_run(const struct ss_graph_search *search, ss_work *work,
                                          ss_err *err);

/* A candidate in float64; order: key, then id. */
struct ss_graph_candidate {
    double key;
    uint32_t id;
};
int ss_graph_candidate_compare(const void *a, const void *b);

#endif
