/* HDBSCAN from the tree of reachabilities: single linkage, the condensed tree, the choice of
 * clusters, labels and probabilities, by the rules of the package hdbscan 0.8 (files
 * _hdbscan_tree.pyx and _hdbscan_linkage.pyx). Iterative throughout: chains may be as deep as
 * there are points. λ is 1 / distance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "graph/clusters.h"
#include "graph/reach.h"

/* A cluster of the condensed tree. Parents come before their children; 0 is the root. */
struct cluster {
    uint32_t parent; /* the root is its own */
    uint32_t size;
    double birth;     /* λ at which it split off; of the root 0 */
    double stability; /* Σ (λ - birth) of the points that left it, and of its children */
    float below;      /* Σ of the children's stability, or of what is chosen among them: in
                         float32, as the package has it */
    double largest;   /* λ of anything that left it */
    bool is_leaf, is_chosen;
};

/* The nodes that an edge joins, before any other edge of its weight has joined any. */
struct ends {
    uint32_t a, b;
};

struct tree {
    size_t n; /* points */
    const struct ss_graph_hdbscan_options *options;
    struct ss_graph_edge *edges;
    struct ss_graph_join *joins;
    struct ends *ends;    /* [n - 1] */
    uint32_t *parent;     /* union-find; then scratch of clusters */
    uint32_t *node;       /* of a set */
    uint32_t *cluster_of; /* [2 n - 1] nodes */
    bool *is_undone;      /* [n - 1] joins whose pieces have been looked at */
    uint32_t *open;       /* [n] nodes that are to be taken apart, */
    uint32_t *pieces;     /* [n] and what they came to */
    uint32_t *undone;     /* [n] joins that were taken apart for them */
    uint32_t *owner;      /* [2 n - 1] */
    size_t n_pieces, n_undone;
    double *left_at; /* [2 n - 1] λ at which a node left its cluster; 0: has not */
    struct cluster *clusters;
    size_t n_clusters, clusters_room;
};

/* ---- single linkage ---- */

static uint32_t top_of(uint32_t *parent, uint32_t at)
{
    while (parent[at] != at) {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    return at;
}

static uint32_t size_of(const struct tree *tree, uint32_t node)
{
    return node < tree->n ? 1 : tree->joins[node - tree->n].size;
}

static void link_edges(struct tree *tree)
{
    for (uint32_t i = 0; i < tree->n; i++) {
        tree->parent[i] = i;
        tree->node[i] = i;
    }
    for (size_t i = 0, end = 0; i + 1 < tree->n; i++) {
        for (; end + 1 < tree->n && tree->edges[end].weight == tree->edges[i].weight; end++) {
            tree->ends[end] =
                (struct ends){tree->node[top_of(tree->parent, tree->edges[end].a)],
                              tree->node[top_of(tree->parent, tree->edges[end].b)]};
        }
        const uint32_t a = top_of(tree->parent, tree->edges[i].a);
        const uint32_t b = top_of(tree->parent, tree->edges[i].b);
        tree->joins[i] = (struct ss_graph_join){
            tree->node[a], tree->node[b],
            size_of(tree, tree->node[a]) + size_of(tree, tree->node[b]), tree->edges[i].weight};
        tree->parent[a > b ? a : b] = a < b ? a : b;
        tree->node[a < b ? a : b] = (uint32_t)(tree->n + i);
    }
}

/* ---- the condensed tree ---- */

static ss_status add_cluster(struct tree *tree, uint32_t parent, uint32_t size, double birth,
                             ss_err *err)
{
    SS_GROW_OR_RETURN(tree->clusters, tree->clusters_room, tree->n_clusters + 1);
    tree->clusters[tree->n_clusters++] =
        (struct cluster){.parent = parent, .size = size, .birth = birth, .is_leaf = true};
    return SS_OK;
}

static bool is_larger(const struct tree *tree, uint32_t a, uint32_t b)
{
    return size_of(tree, a) > size_of(tree, b);
}

/* Joins of one weight are undone at once, whatever their order: pieces are what is left of a
 * node then, the largest first. Returns how many of them are large enough to be clusters. */
static size_t find_pieces(struct tree *tree, size_t join)
{
    const double height = tree->joins[join].height;
    size_t n_open = 0, n_large = 0;
    tree->n_pieces = 0;
    tree->n_undone = 0;
    tree->open[n_open++] = (uint32_t)(tree->n + join);
    while (n_open > 0) {
        const uint32_t node = tree->open[--n_open];
        if (node >= tree->n && tree->joins[node - tree->n].height == height) {
            tree->is_undone[node - tree->n] = true;
            tree->undone[tree->n_undone++] = node - (uint32_t)tree->n;
            tree->open[n_open++] = tree->joins[node - tree->n].left;
            tree->open[n_open++] = tree->joins[node - tree->n].right;
            continue;
        }
        size_t at = tree->n_pieces++;
        if (size_of(tree, node) >= tree->options->min_cluster_size) {
            /* Large ones stand in front, sorted. */
            tree->pieces[at] = tree->pieces[n_large];
            for (at = n_large++; at > 0 && is_larger(tree, node, tree->pieces[at - 1]); at--) {
                tree->pieces[at] = tree->pieces[at - 1];
            }
        }
        tree->pieces[at] = node;
    }
    return n_large;
}

/* Where a cluster splits, the small pieces that hang between its large ones go with the largest
 * that they touch directly or over small ones; owner [nodes] is set. */
static void find_owners(struct tree *tree, size_t n_large)
{
    uint32_t *owner = tree->owner;
    for (size_t i = 0; i < tree->n_pieces; i++) {
        owner[tree->pieces[i]] = i < n_large ? tree->pieces[i] : SS_GRAPH_NONE;
    }
    for (size_t i = 0; i < n_large && tree->n_pieces > n_large; i++) {
        const uint32_t large = tree->pieces[i];
        for (bool has_grown = true; has_grown;) {
            has_grown = false;
            for (size_t j = 0; j < tree->n_undone; j++) {
                const struct ends *ends = &tree->ends[tree->undone[j]];
                const bool has_a = owner[ends->a] == large, has_b = owner[ends->b] == large;
                const uint32_t other = has_a ? ends->b : ends->a;
                if (has_a != has_b && owner[other] == SS_GRAPH_NONE) {
                    owner[other] = large;
                    has_grown = true;
                }
            }
        }
    }
}

/* Cluster c ends at λ, and its large pieces are new ones. */
static ss_status split(struct tree *tree, uint32_t c, size_t n_large, double lambda,
                       ss_err *err)
{
    find_owners(tree, n_large);
    tree->clusters[c].is_leaf = false;
    for (size_t i = 0; i < tree->n_pieces; i++) {
        const uint32_t piece = tree->pieces[i], size = size_of(tree, piece);
        if (i < n_large) {
            tree->cluster_of[piece] = (uint32_t)tree->n_clusters;
            SS_RETURN_IF_ERROR(add_cluster(tree, c, size, lambda, err));
            continue;
        }
        tree->cluster_of[piece] = tree->cluster_of[tree->owner[piece]];
        tree->clusters[tree->cluster_of[piece]].size += size;
        tree->clusters[tree->cluster_of[piece]].largest = lambda;
        tree->left_at[piece] = lambda;
    }
    return SS_OK;
}

/* The pieces of cluster c at λ: one large piece goes on as the cluster, small ones leave it. */
static void shrink(struct tree *tree, uint32_t c, double lambda)
{
    for (size_t i = 0; i < tree->n_pieces; i++) {
        const uint32_t piece = tree->pieces[i], size = size_of(tree, piece);
        tree->cluster_of[piece] = c;
        if (size < tree->options->min_cluster_size) {
            tree->clusters[c].stability += (lambda - tree->clusters[c].birth) * size;
            tree->left_at[piece] = lambda;
        }
    }
}

/* Distances of 0 count as the smallest above it, or as 1. */
static double smallest_weight(const struct tree *tree)
{
    for (size_t i = 0; i + 1 < tree->n; i++) {
        if (tree->edges[i].weight > 0) {
            return tree->edges[i].weight;
        }
    }
    return 1;
}

static ss_status condense(struct tree *tree, ss_err *err)
{
    const double least = smallest_weight(tree);
    SS_RETURN_IF_ERROR(add_cluster(tree, 0, (uint32_t)tree->n, 0, err));
    for (size_t i = tree->n - 1; i-- > 0;) {
        const uint32_t node = (uint32_t)(tree->n + i);
        const struct ss_graph_join *join = &tree->joins[i];
        if (tree->left_at[node] > 0) {
            tree->cluster_of[join->left] = tree->cluster_of[join->right] =
                tree->cluster_of[node];
            tree->left_at[join->left] = tree->left_at[join->right] = tree->left_at[node];
            continue;
        }
        if (!tree->is_undone[i]) {
            const uint32_t c = tree->cluster_of[node];
            const double lambda = 1 / fmax(join->height, least);
            const size_t n_large = find_pieces(tree, i);
            tree->clusters[c].largest = fmax(tree->clusters[c].largest, lambda);
            if (n_large > 1) {
                tree->clusters[c].stability += (lambda - tree->clusters[c].birth) * join->size;
                SS_RETURN_IF_ERROR(split(tree, c, n_large, lambda, err));
            } else {
                shrink(tree, c, lambda);
            }
        }
    }
    return SS_OK;
}

/* ---- the choice ---- */

/* Nothing below a chosen cluster is chosen: parents come first. */
static void drop_below_chosen(struct tree *tree)
{
    bool *is_below = (bool *)tree->parent; /* [clusters] */
    for (size_t c = 1; c < tree->n_clusters; c++) {
        const struct cluster *parent = &tree->clusters[tree->clusters[c].parent];
        is_below[c] = parent->is_chosen ||
                      (tree->clusters[c].parent != 0 && is_below[tree->clusters[c].parent]);
    }
    for (size_t c = 1; c < tree->n_clusters; c++) {
        tree->clusters[c].is_chosen &= !is_below[c];
    }
}

static size_t size_for_limit(const struct tree *tree, size_t c)
{
    size_t size = 0;
    if (c != 0) {
        return tree->clusters[c].size;
    }
    for (size_t i = 1; i < tree->n_clusters; i++) {
        size += tree->clusters[i].parent == 0 ? tree->clusters[i].size : 0;
    }
    return size;
}

static void choose_by_mass(struct tree *tree)
{
    const struct ss_graph_hdbscan_options *options = tree->options;
    for (size_t c = tree->n_clusters; c-- > (options->allow_single_cluster ? 0 : 1);) {
        struct cluster *cluster = &tree->clusters[c];
        cluster->is_chosen = (double)cluster->below <= cluster->stability &&
                             (options->max_cluster_size == 0 ||
                              size_for_limit(tree, c) <= options->max_cluster_size) &&
                             (c == 0 || 1 / cluster->birth <= options->selection_epsilon_max);
        if (c != 0) {
            float *above = &tree->clusters[cluster->parent].below;
            *above = (float)((double)*above + (cluster->is_chosen ? cluster->stability
                                                                  : (double)cluster->below));
        }
    }
    drop_below_chosen(tree);
}

static void choose_leaves(struct tree *tree)
{
    for (size_t c = 1; c < tree->n_clusters; c++) {
        tree->clusters[c].is_chosen = tree->clusters[c].is_leaf;
    }
}

/* The nearest cluster above that is as wide as epsilon; the topmost below the root if none. */
static uint32_t climb(const struct tree *tree, uint32_t c)
{
    for (;;) {
        const uint32_t parent = tree->clusters[c].parent;
        if (parent == 0) {
            return tree->options->allow_single_cluster ? parent : c;
        }
        c = parent;
        if (1 / tree->clusters[c].birth > tree->options->selection_epsilon) {
            return c;
        }
    }
}

/* Chosen clusters that are narrower than epsilon give way to one above them. What was chosen
 * and lies below a cluster that another has climbed to does not climb. */
static void widen(struct tree *tree)
{
    uint32_t *climbed = tree->node; /* [clusters] 1: another has climbed here */
    memset(climbed, 0, tree->n_clusters * sizeof *climbed);
    for (uint32_t c = 1; c < tree->n_clusters; c++) {
        struct cluster *cluster = &tree->clusters[c];
        if (!cluster->is_chosen || 1 / cluster->birth >= tree->options->selection_epsilon) {
            continue;
        }
        cluster->is_chosen = false;
        bool is_below = false;
        for (uint32_t up = c; up != 0 && !is_below;) {
            up = tree->clusters[up].parent;
            is_below = climbed[up] != 0;
        }
        if (!is_below) {
            climbed[climb(tree, c)] = 1;
        }
    }
    for (uint32_t c = 0; c < tree->n_clusters; c++) {
        tree->clusters[c].is_chosen |= climbed[c] != 0;
    }
}

static void choose(struct tree *tree)
{
    if (tree->options->selection == SS_GRAPH_LEAVES) {
        choose_leaves(tree);
    } else {
        choose_by_mass(tree);
    }
    if (tree->options->selection_epsilon > 0 && tree->n_clusters > 1 &&
        !tree->clusters[0].is_chosen) {
        widen(tree);
    }
}

/* ---- labels ---- */

/* Whether a point of the root, the only chosen cluster, belongs to it. */
static bool is_inside_root(const struct tree *tree, double lambda)
{
    const double epsilon = tree->options->selection_epsilon;
    return lambda >= (epsilon > 0 ? 1 / epsilon : tree->clusters[0].largest);
}

static void label_points(const struct tree *tree, struct ss_graph_hdbscan *out)
{
    int32_t *chosen = (int32_t *)tree->node; /* [clusters] the chosen one at or above each */
    size_t n_chosen = 0;
    for (size_t c = 0; c < tree->n_clusters; c++) {
        chosen[c] = tree->clusters[c].is_chosen ? (int32_t)c
                    : c == 0                    ? -1
                                                : chosen[tree->clusters[c].parent];
        n_chosen += tree->clusters[c].is_chosen;
    }
    for (size_t p = 0; p < tree->n; p++) {
        const int32_t c = chosen[tree->cluster_of[p]];
        const double lambda = tree->left_at[p];
        const bool is_in = c > 0 || (c == 0 && n_chosen == 1 && is_inside_root(tree, lambda));
        out->labels[p] = is_in ? c : -1;
        if (is_in) {
            const double largest = tree->clusters[c].largest;
            out->probabilities[p] = largest > 0 ? fmin(lambda, largest) / largest : 1;
        }
    }
}

/* ---- the whole ---- */

static ss_status run(struct tree *tree, struct ss_graph_hdbscan *out, ss_err *err)
{
    const size_t n = tree->n;
    SS_ALLOC_OR_RETURN(tree->joins, n);
    SS_ALLOC_OR_RETURN(tree->parent, n);
    SS_ALLOC_OR_RETURN(tree->node, 2 * n);
    SS_ALLOC_OR_RETURN(tree->cluster_of, 2 * n);
    SS_ALLOC_OR_RETURN(tree->is_undone, n);
    SS_ALLOC_OR_RETURN(tree->open, n + 1);
    SS_ALLOC_OR_RETURN(tree->pieces, n);
    SS_ALLOC_OR_RETURN(tree->undone, n);
    SS_ALLOC_OR_RETURN(tree->owner, 2 * n);
    SS_ALLOC_OR_RETURN(tree->ends, n);
    SS_ALLOC_OR_RETURN(tree->left_at, 2 * n);
    link_edges(tree);
    SS_RETURN_IF_ERROR(condense(tree, err));
    choose(tree);
    label_points(tree, out);
    return ss_graph_label_by_size(out->labels, n, tree->n_clusters, &out->n_clusters, err);
}

static ss_status check_options(const struct ss_graph_hdbscan_options *options, ss_err *err)
{
    if (options->min_cluster_size < 2) {
        return ss__fail(err, SS_E_USAGE, "a cluster has at least 2 points, not %zu",
                        options->min_cluster_size);
    }
    if (!(options->alpha > 0) || !(options->selection_epsilon >= 0)) {
        return ss__fail(err, SS_E_USAGE, "alpha must be above 0, and epsilon not below");
    }
    return SS_OK;
}

ss_status ss_graph_hdbscan(ss_work *work, const struct ss_graph_points *points,
                           const struct ss_graph_hdbscan_options *options,
                           struct ss_graph_hdbscan *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct tree tree = {.n = points->n, .options = options};
    *out = (struct ss_graph_hdbscan){0};
    SS_TRY(check_options(options, err));
    SS_ALLOC(out->labels, points->n);
    SS_ALLOC(out->probabilities, points->n);
    if (points->n < 2) {
        memset(out->labels, -1, points->n * sizeof *out->labels);
        goto out;
    }
    const size_t asked =
        options->min_samples == 0 ? options->min_cluster_size : options->min_samples;
    SS_ALLOC(tree.edges, points->n);
    SS_TRY(ss_graph_reach_tree(work, points, ss__min_size(asked, points->n - 1), options->alpha,
                               tree.edges, err));
    SS_TRY(run(&tree, out, err));
out:
    ss__free(tree.edges);
    ss__free(tree.joins);
    ss__free(tree.parent);
    ss__free(tree.node);
    ss__free(tree.cluster_of);
    ss__free(tree.is_undone);
    ss__free(tree.open);
    ss__free(tree.pieces);
    ss__free(tree.undone);
    ss__free(tree.owner);
    ss__free(tree.ends);
    ss__free(tree.left_at);
    ss__free(tree.clusters);
    if (status != SS_OK) {
        ss_graph_hdbscan_release(out);
    }
    return status;
}

void ss_graph_hdbscan_release(struct ss_graph_hdbscan *result)
{
    ss__free(result->labels);
    ss__free(result->probabilities);
    *result = (struct ss_graph_hdbscan){0};
}
