/* What families.c, families_members.c, families_parents.c and the rules of others (families_seed.c,
 * families_saerch.c, over families_forest.c) share. */
#ifndef SS_GRAPH_FAMILIES_PRIV_H
#define SS_GRAPH_FAMILIES_PRIV_H

#include "base/mem.h"
#include "graph/families.h"

/* Begin a family whose members follow; then add them. Errors: SS_E_LIMIT, SS_E_NOMEM. */
SS_MUST_USE ss_status ss_graph_begin_family(struct ss_graph_families *families, uint32_t root,
                                            size_t round, ss_err *err);
SS_MUST_USE ss_status ss_graph_add_member(struct ss_graph_families *families, uint32_t member,
                                          ss_err *err);
/* Take the last family away again. */
void ss_graph_drop_family(struct ss_graph_families *families);

/* By rising keys; a comparison for qsort of uint32_t. */
int ss_graph_compare_features(const void *a, const void *b);

/* The share of both sets' union that both have; sorted. */
double ss_graph_jaccard(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b);

SS_MUST_USE ss_status ss_graph_by_parents(const struct ss_graph_table *table,
                                          const struct ss_graph_family_options *options,
                                          struct ss_graph_families *out, ss_err *err);
SS_MUST_USE ss_status ss_graph_by_seed_graph(const struct ss_graph_table *table,
                                             const struct ss_graph_family_options *options,
                                             struct ss_graph_families *out, ss_err *err);
SS_MUST_USE ss_status ss_graph_by_seed_keywords(const struct ss_graph_table *table,
                                                const struct ss_graph_family_options *options,
                                                struct ss_graph_families *out, ss_err *err);
SS_MUST_USE ss_status ss_graph_by_saerch(const struct ss_graph_table *table,
                                         const struct ss_graph_family_options *options,
                                         struct ss_graph_families *out, ss_err *err);

/* ---- forests as networkx makes them (families_forest.c) ---- */

struct ss_graph_edge {
    uint32_t u, v; /* nodes, counted from 0 in the order in which they are listed */
    double weight;
};

/* Edges of an undirected graph in the order in which they were put in: that order and that of
 * the nodes decide between equal weights. */
struct ss_graph_edges {
    size_t n_nodes;
    struct ss_graph_edge *edges;
    size_t n, capacity;
};

/* A forest of arrows. Successors of node i are targets[offsets[i]] …, in the order in which their
 * arrows were put in; nodes are listed in `order`. */
struct ss_graph_forest {
    size_t n_nodes;
    uint32_t *order; /* [n_listed] */
    size_t n_listed;
    size_t *offsets;   /* [n_nodes + 1] */
    uint32_t *targets; /* [edges] */
    uint32_t *n_above; /* [n_nodes] arrows that lead to it */
    uint32_t *stack;   /* [n_nodes] for walks */
};

/* The maximum spanning forest, an arrow for each of its edges from the end that fires more often
 * to the other. Equal: from the end that is listed first, or with `from_second` from the other
 * one. Nodes are listed as arrows come, or with `lists_all` in their own order. The edges are
 * sorted. Errors: SS_E_NOMEM. */
struct ss_graph_forest_options {
    const uint64_t *fires; /* [n_nodes] */
    bool from_second, lists_all;
};
SS_MUST_USE ss_status ss_graph_forest_make(struct ss_graph_edges *edges,
                                           const struct ss_graph_forest_options *options,
                                           struct ss_graph_forest *out, ss_err *err);
void ss_graph_forest_release(struct ss_graph_forest *forest);

/* What is reached from a node, it first, depth first, as members ids[node] of a family. */
SS_MUST_USE ss_status ss_graph_forest_walk(struct ss_graph_forest *forest, uint32_t node,
                                           const uint32_t *ids,
                                           struct ss_graph_families *families, ss_err *err);

#endif
