/* The minimum spanning tree of mutual reachability distances, which HDBSCAN starts from. */
#ifndef SS_GRAPH_REACH_H
#define SS_GRAPH_REACH_H

#include "graph/clusters.h"
#include "graph/nearest.h"

/* An edge between two points, a < b. */
struct ss_graph_edge {
    double weight;
    uint32_t a, b;
};

/* Edges [n - 1] of the tree by rising (weight, a, b). The weight of a pair is
 * max(core a, core b, distance / alpha), the core distance of a point being the distance to the
 * min_samples-th other one. Errors: SS_E_NOMEM, SS_E_STOPPED. */
SS_MUST_USE ss_status ss_graph_reach_tree(ss_work *work, const struct ss_graph_points *points,
                                          size_t min_samples, double alpha,
                                          struct ss_graph_edge *edges, ss_err *err);

#endif
