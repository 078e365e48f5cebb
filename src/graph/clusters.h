/* Clusters of points: the tree of Ward's method and its cuts; HDBSCAN. Both are exact and the
 * same for any number of threads. */
#ifndef SS_GRAPH_CLUSTERS_H
#define SS_GRAPH_CLUSTERS_H

#include <stdbool.h>

#include "graph/points.h"

/* ---- Ward's method ---- */

/* A join of two nodes: points are nodes 0 … n - 1, join i makes node n + i. `left` < `right`.
 */
struct ss_graph_join {
    uint32_t left, right, size;
    double height;
};

/* Ward's tree as scipy makes it: joins [n - 1] by rising height, the height of a join being
 * √(2 |A||B| / (|A| + |B|)) |centre A - centre B|. Pairs of clusters that are each other's
 * nearest are joined in rounds; of equally near clusters the one with the smallest point counts.
 *
 * points   finite, at least one
 * joins    [n - 1] written
 * Errors   SS_E_NOMEM, SS_E_STOPPED
 * Threads  those of `work`
 * Memory   a float32 copy of the points and at most half of them in float64
 * Source   tests/unit/test_graph_map.c, against scipy.cluster.hierarchy.linkage */
SS_MUST_USE ss_status ss_graph_ward(ss_work *work, const struct ss_graph_points *points,
                                    struct ss_graph_join *joins, ss_err *err);

/* Put joins that came in another order, each behind those it joins, in the order of heights;
 * of equal ones the earlier first. A join lower than one of its parts, which rounding can make,
 * is lifted to it. Nodes are renumbered. */
SS_MUST_USE ss_status ss_graph_joins_sort(struct ss_graph_join *joins, size_t n, ss_err *err);

/* Labels [n] of the n_clusters (1 … n) clusters that are left when the last joins are undone;
 * the largest is 0, of equally large ones the one with the smallest point. */
SS_MUST_USE ss_status ss_graph_cut(const struct ss_graph_join *joins, size_t n,
                                   size_t n_clusters, int32_t *labels, ss_err *err);

/* How many clusters to cut into, where nobody says: between 2 √n and n / 15, whichever is less
 * first, the number at which the join that is undone is highest in relation to the next one;
 * of equal ones the smallest. At least 1. */
size_t ss_graph_cut_default(const struct ss_graph_join *joins, size_t n);

/* The points in the order of the tree's leaves: order [n]; of the two sides of a join the one
 * with the smallest point first. */
SS_MUST_USE ss_status ss_graph_leaf_order(const struct ss_graph_join *joins, size_t n,
                                          uint32_t *order, ss_err *err);

/* ---- HDBSCAN ---- */

typedef enum ss_graph_selection { SS_GRAPH_EXCESS_OF_MASS, SS_GRAPH_LEAVES } ss_graph_selection;

/* Options of the package hdbscan, with its defaults in SS_GRAPH_HDBSCAN_DEFAULTS. */
struct ss_graph_hdbscan_options {
    size_t min_cluster_size;
    size_t min_samples; /* 0: min_cluster_size */
    double alpha;
    double selection_epsilon;
    double selection_epsilon_max; /* INFINITY */
    size_t max_cluster_size;      /* 0: any */
    ss_graph_selection selection;
    bool allow_single_cluster;
};
#define SS_GRAPH_HDBSCAN_DEFAULTS                                                              \
    {                                                                                          \
        .min_cluster_size = 5, .alpha = 1, .selection_epsilon_max = INFINITY                   \
    }

struct ss_graph_hdbscan {
    size_t n_clusters;
    int32_t *labels;       /* [n] -1: noise; the largest cluster is 0 */
    double *probabilities; /* [n] */
};
void ss_graph_hdbscan_release(struct ss_graph_hdbscan *result);

/* HDBSCAN as the package of that name computes it with an exact tree. What is joined by edges
 * of equal weight falls apart at once, so that the result does not depend on the order of rows;
 * where distances are 0, the density of such points is taken as that at
 * the smallest distance above 0.
 *
 * points   finite
 * out      gives (ss_graph_hdbscan_release)
 * Errors   SS_E_USAGE (min_cluster_size below 2, alpha not above 0), SS_E_NOMEM, SS_E_STOPPED
 * Threads  those of `work`
 * Source   tests/unit/test_graph_map.c, against hdbscan 0.8.44 */
SS_MUST_USE ss_status ss_graph_hdbscan(ss_work *work, const struct ss_graph_points *points,
                                       const struct ss_graph_hdbscan_options *options,
                                       struct ss_graph_hdbscan *out, ss_err *err);

/* ---- both ---- */

/* Number groups by falling size, then by their first point: groups [n] holds any number below
 * n_groups, or -1, of each point's, and is overwritten. Returns in *n_labels how many there
 * are. */
SS_MUST_USE ss_status ss_graph_label_by_size(int32_t *groups, size_t n, size_t n_groups,
                                             size_t *n_labels, ss_err *err);

#endif
