/* Maximum spanning forests in the order in which networkx makes them: a graph lists its edges by
 * its nodes, and the neighbours of a node as they were put in; edges are sorted by weight, equal
 * ones stay in that order; the forest lists its own edges by the same rule. */
#include <stdlib.h>

#include "base/sort.h"
#include "graph/families_priv.h"

/* ---- lists of neighbours ---- */

/* Neighbours of node i: ends[offsets[i]] …, each with the edge that leads there, in the order of
 * the edges. */
struct neighbours {
    size_t *offsets, *edges; /* [n_nodes + 1], [2 n] */
};

static void release_neighbours(struct neighbours *neighbours)
{
    ss__free(neighbours->offsets);
    ss__free(neighbours->edges);
}

static ss_status list_neighbours(const struct ss_graph_edge *edges, size_t n, size_t n_nodes,
                                 struct neighbours *out, ss_err *err)
{
    ss_status status = SS_OK;
    size_t *next = NULL;
    SS_ALLOC(out->offsets, n_nodes + 1);
    SS_ALLOC(out->edges, 2 * n);
    SS_ALLOC(next, n_nodes);
    for (size_t i = 0; i < n; i++) {
        out->offsets[edges[i].u + 1]++;
        out->offsets[edges[i].v + 1]++;
    }
    for (size_t i = 0; i < n_nodes; i++) {
        out->offsets[i + 1] += out->offsets[i];
        next[i] = out->offsets[i];
    }
    for (size_t i = 0; i < n; i++) {
        out->edges[next[edges[i].u]++] = i;
        out->edges[next[edges[i].v]++] = i;
    }
out:
    ss__free(next);
    return status;
}

/* The edges as the graph lists them, each with the end first that is listed first: out [n]. */
static ss_status list_edges(const struct ss_graph_edge *edges, size_t n, size_t n_nodes,
                            struct ss_graph_edge *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct neighbours neighbours = {NULL, NULL};
    size_t n_listed = 0;
    SS_TRY(list_neighbours(edges, n, n_nodes, &neighbours, err));
    for (size_t node = 0; node < n_nodes; node++) {
        for (size_t i = neighbours.offsets[node]; i < neighbours.offsets[node + 1]; i++) {
            const struct ss_graph_edge *edge = &edges[neighbours.edges[i]];
            const uint32_t other = edge->u == node ? edge->v : edge->u;
            if (other > node) { /* not listed from the other end yet */
                out[n_listed++] = (struct ss_graph_edge){(uint32_t)node, other, edge->weight};
            }
        }
    }
out:
    release_neighbours(&neighbours);
    return status;
}

/* ---- the spanning forest ---- */

struct ranked {
    double weight;
    size_t place;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->weight != y->weight ? (x->weight < y->weight) - (x->weight > y->weight)
                                  : (x->place > y->place) - (x->place < y->place);
}

static uint32_t root_of(uint32_t *above, uint32_t node)
{
    while (above[node] != node) {
        above[node] = above[above[node]];
        node = above[node];
    }
    return node;
}

/* Keep the edges that join two trees, heaviest first; edges and their number become theirs. */
static ss_status keep_spanning(struct ss_graph_edges *graph, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_graph_edge *listed = NULL;
    struct ranked *ranked = NULL;
    uint32_t *above = NULL;
    size_t n_kept = 0;
    SS_ALLOC(listed, graph->n);
    SS_ALLOC(ranked, graph->n);
    SS_ALLOC(above, graph->n_nodes);
    SS_TRY(list_edges(graph->edges, graph->n, graph->n_nodes, listed, err));
    for (size_t i = 0; i < graph->n; i++) {
        ranked[i] = (struct ranked){listed[i].weight, i};
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        above[i] = (uint32_t)i;
    }
    ss__sort(ranked, graph->n, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < graph->n; i++) {
        const struct ss_graph_edge *edge = &listed[ranked[i].place];
        const uint32_t u = root_of(above, edge->u), v = root_of(above, edge->v);
        if (u != v) {
            above[u > v ? u : v] = u > v ? v : u;
            graph->edges[n_kept++] = *edge; /* at most as many as were listed before */
        }
    }
    graph->n = n_kept;
out:
    ss__free(listed);
    ss__free(ranked);
    ss__free(above);
    return status;
}

/* ---- arrows ---- */

static void turn(struct ss_graph_edge *edges, size_t n,
                 const struct ss_graph_forest_options *options)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t u = options->fires[edges[i].u], v = options->fires[edges[i].v];
        if (options->from_second ? u <= v : u < v) {
            edges[i] = (struct ss_graph_edge){edges[i].v, edges[i].u, edges[i].weight};
        }
    }
}

static ss_status list_nodes(struct ss_graph_forest *forest, const struct ss_graph_edge *edges,
                            size_t n, bool lists_all, ss_err *err)
{
    ss_status status = SS_OK;
    bool *is_listed = NULL;
    SS_ALLOC(is_listed, forest->n_nodes);
    for (size_t i = 0; i < 2 * n && !lists_all; i++) {
        const uint32_t node = i % 2 == 0 ? edges[i / 2].u : edges[i / 2].v;
        if (!is_listed[node]) {
            is_listed[node] = true;
            forest->order[forest->n_listed++] = node;
        }
    }
    for (size_t i = 0; i < forest->n_nodes && lists_all; i++) {
        forest->order[forest->n_listed++] = (uint32_t)i;
    }
out:
    ss__free(is_listed);
    return status;
}

static ss_status put_arrows(struct ss_graph_forest *forest, const struct ss_graph_edge *edges,
                            size_t n, ss_err *err)
{
    ss_status status = SS_OK;
    size_t *next = NULL;
    SS_ALLOC(next, forest->n_nodes);
    for (size_t i = 0; i < n; i++) {
        forest->offsets[edges[i].u + 1]++;
        forest->n_above[edges[i].v]++;
    }
    for (size_t i = 0; i < forest->n_nodes; i++) {
        forest->offsets[i + 1] += forest->offsets[i];
        next[i] = forest->offsets[i];
    }
    for (size_t i = 0; i < n; i++) {
        forest->targets[next[edges[i].u]++] = edges[i].v;
    }
out:
    ss__free(next);
    return status;
}

ss_status ss_graph_forest_make(struct ss_graph_edges *edges,
                               const struct ss_graph_forest_options *options,
                               struct ss_graph_forest *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_graph_edge *listed = NULL;
    *out = (struct ss_graph_forest){.n_nodes = edges->n_nodes};
    SS_TRY(keep_spanning(edges, err));
    SS_ALLOC(listed, edges->n);
    SS_ALLOC(out->order, edges->n_nodes);
    SS_ALLOC(out->offsets, edges->n_nodes + 1);
    SS_ALLOC(out->targets, edges->n);
    SS_ALLOC(out->n_above, edges->n_nodes);
    SS_ALLOC(out->stack, edges->n_nodes);
    SS_TRY(list_edges(edges->edges, edges->n, edges->n_nodes, listed, err));
    turn(listed, edges->n, options);
    SS_TRY(list_nodes(out, listed, edges->n, options->lists_all, err));
    SS_TRY(put_arrows(out, listed, edges->n, err));
out:
    ss__free(listed);
    return status;
}

void ss_graph_forest_release(struct ss_graph_forest *forest)
{
    ss__free(forest->order);
    ss__free(forest->offsets);
    ss__free(forest->targets);
    ss__free(forest->n_above);
    ss__free(forest->stack);
    *forest = (struct ss_graph_forest){0};
}

/* Without directions it is a forest, too, so that no node is reached twice. */
ss_status ss_graph_forest_walk(struct ss_graph_forest *forest, uint32_t node,
                               const uint32_t *ids, struct ss_graph_families *families,
                               ss_err *err)
{
    size_t n = 0;
    forest->stack[n++] = node;
    while (n > 0) {
        node = forest->stack[--n];
        SS_RETURN_IF_ERROR(ss_graph_add_member(families, ids[node], err));
        for (size_t i = forest->offsets[node + 1]; i > forest->offsets[node]; i--) {
            forest->stack[n++] = forest->targets[i - 1];
        }
    }
    return SS_OK;
}
