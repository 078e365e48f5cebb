/* Borůvka's method: in each round, every component but the largest takes its lightest edge
 * outwards; edges are ordered by (weight, ids), so that no two are equal and the tree is the
 * only one. A point's list of neighbours gives its lightest edge as long as that is lighter than
 * anything outside the list could be; the others, usually few, are searched for.
 *
 * Equal points are first joined among themselves: an edge of two of them weighs no more than
 * their core distance, and no edge of theirs weighs less. */
#include "graph/reach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sort.h"

enum { LISTED = 32, FOUND = 12 };

struct reach {
    struct ss_graph_points points; /* distinct */
    double *owned;                 /* their copy, where some were equal */
    struct ss_graph_kinds kinds;
    size_t min_samples;
    double alpha;
    struct ss_graph_neighbours lists;
    double *core;               /* [points] */
    float *core2;               /* [points] squared */
    uint32_t *parent;           /* [points] of the components */
    uint32_t *of;               /* [points] component, of this round */
    uint32_t *size;             /* [points] of a component */
    uint32_t *passed;           /* [points] entries of a list that lie in the own component */
    struct ss_graph_edge *best; /* [points] of a component */
    struct ss_graph_edge *own;  /* [points] of a point, this round */
    uint32_t *pending;
    size_t n_pending;
    struct ss_graph_targets targets;
    uint32_t *found; /* [points, FOUND] */
    float *keys;
    struct ss_graph_edge *edges; /* the result, by distinct points */
    size_t n_edges;
};

static const struct ss_graph_edge no_edge = {INFINITY, SS_GRAPH_NONE, SS_GRAPH_NONE};

static int compare_edges(const void *a, const void *b)
{
    const struct ss_graph_edge *x = a;
    const struct ss_graph_edge *y = b;
    if (x->weight != y->weight) {
        return x->weight < y->weight ? -1 : 1;
    }
    if (x->a != y->a) {
        return x->a < y->a ? -1 : 1;
    }
    return x->b < y->b ? -1 : x->b > y->b;
}

static void lighten(struct ss_graph_edge *best, struct ss_graph_edge edge)
{
    *best = compare_edges(&edge, best) < 0 ? edge : *best;
}

static uint32_t top_of(uint32_t *parent, uint32_t at)
{
    while (parent[at] != at) {
        parent[at] = parent[parent[at]];
        at = parent[at];
    }
    return at;
}

static struct ss_graph_edge edge_of(const struct reach *reach, uint32_t a, uint32_t b,
                                    double distance2)
{
    const double core = fmax(reach->core[a], reach->core[b]);
    return (struct ss_graph_edge){fmax(core, sqrt(distance2) / reach->alpha), a < b ? a : b,
                                  a < b ? b : a};
}

/* ---- core distances ---- */

static void find_core(struct reach *reach)
{
    for (size_t p = 0; p < reach->points.n; p++) {
        size_t n_others = ss_graph_kind_size(&reach->kinds, p) - 1;
        double distance2 = 0;
        for (size_t i = 0; i < reach->lists.k && n_others < reach->min_samples; i++) {
            const uint32_t other = reach->lists.ids[p * reach->lists.k + i];
            if (other == SS_GRAPH_NONE) {
                break;
            }
            n_others += ss_graph_kind_size(&reach->kinds, other);
            distance2 = reach->lists.distances2[p * reach->lists.k + i];
        }
        reach->core[p] = sqrt(distance2);
        reach->core2[p] = (float)distance2;
    }
}

/* ---- the lightest edge of a point ---- */

/* What no edge to a point outside the list is lighter than. */
static double others_of(const struct reach *reach, uint32_t p)
{
    const size_t k = reach->lists.k;
    if (k + 1 >= reach->points.n) {
        return INFINITY;
    }
    return fmax(reach->core[p], sqrt(reach->lists.distances2[p * k + k - 1]) / reach->alpha);
}

static void look_in_list(void *context, size_t index, size_t worker)
{
    struct reach *reach = context;
    const uint32_t p = (uint32_t)index;
    const size_t k = reach->lists.k;
    const uint32_t *ids = reach->lists.ids + index * k;
    const double *distances2 = reach->lists.distances2 + index * k;
    uint32_t *passed = &reach->passed[p];
    (void)worker;
    reach->own[p] = no_edge;
    while (*passed < k && reach->of[ids[*passed]] == reach->of[p]) {
        ++*passed;
    }
    for (size_t i = *passed; i < k; i++) {
        if (sqrt(distances2[i]) / reach->alpha > reach->own[p].weight) {
            break;
        }
        if (reach->of[ids[i]] != reach->of[p]) {
            lighten(&reach->own[p], edge_of(reach, p, ids[i], distances2[i]));
        }
    }
}

static const double *pending_point(const void *context, size_t row, double *scratch)
{
    const struct reach *reach = context;
    (void)scratch;
    return ss_graph_row(&reach->points, reach->pending[row]);
}

static const double *distinct_point(const void *context, size_t row, double *scratch)
{
    const struct reach *reach = context;
    (void)scratch;
    return ss_graph_row(&reach->points, row);
}

static void rank(const void *context, size_t row, size_t from, size_t n, float *keys)
{
    const struct reach *reach = context;
    const uint32_t p = reach->pending[row];
    const float core2 = reach->core2[p];
    const float scale = (float)(1 / (reach->alpha * reach->alpha));
    for (size_t j = 0; j < n; j++) {
        const float other = reach->core2[from + j];
        const float core = core2 > other ? core2 : other;
        const float key = keys[j] * scale;
        keys[j] = reach->of[from + j] == reach->of[p] ? INFINITY : key > core ? key : core;
    }
}

static struct ss_graph_edge edge_between(const struct reach *reach, uint32_t p, uint32_t q)
{
    return edge_of(reach, p, q,
                   ss_graph_distance2(ss_graph_row(&reach->points, p),
                                      ss_graph_row(&reach->points, q), reach->points.width));
}

static void settle(void *context, size_t row, size_t worker)
{
    struct reach *reach = context;
    const uint32_t p = reach->pending[row];
    const float *keys = reach->keys + row * FOUND;
    struct ss_graph_edge *own = &reach->own[p];
    size_t n = 0;
    (void)worker;
    for (; n < FOUND && keys[n] < INFINITY; n++) {
        lighten(own, edge_between(reach, p, reach->found[row * FOUND + n]));
    }
    const double error =
        ss_graph_targets_error(&reach->targets, ss_graph_row(&reach->points, p));
    const double others =
        n < FOUND ? INFINITY
                  : (double)keys[n - 1] * (1 - 0x1p-20) - error / (reach->alpha * reach->alpha);
    if (others > 0 && own->weight < sqrt(others)) {
        return;
    }
    for (uint32_t q = 0; q < reach->points.n; q++) {
        if (reach->of[q] != reach->of[p]) {
            lighten(own, edge_between(reach, p, q));
        }
    }
}

/* ---- a round ---- */

/* Components by their top; returns the largest, and of equally large ones the first. */
static uint32_t find_components(struct reach *reach)
{
    uint32_t largest = 0;
    memset(reach->size, 0, reach->points.n * sizeof *reach->size);
    for (uint32_t p = 0; p < reach->points.n; p++) {
        reach->of[p] = top_of(reach->parent, p);
        reach->size[reach->of[p]]++;
        reach->best[p] = no_edge;
    }
    for (uint32_t p = 0; p < reach->points.n; p++) {
        largest = reach->size[p] > reach->size[largest] ? p : largest;
    }
    return largest;
}

static ss_status run_round(struct reach *reach, ss_work *work, ss_err *err)
{
    struct ss__pool *pool = ss_tensor_work_pool(work);
    const uint32_t largest = find_components(reach);
    ss__pool_run(pool, reach->points.n, look_in_list, reach);
    SS_RETURN_IF_ERROR(ss_tensor_work_check(work, err));
    for (uint32_t p = 0; p < reach->points.n; p++) {
        lighten(&reach->best[reach->of[p]], reach->own[p]);
    }
    reach->n_pending = 0;
    for (uint32_t p = 0; p < reach->points.n; p++) {
        if (reach->of[p] != largest &&
            others_of(reach, p) <= reach->best[reach->of[p]].weight) {
            reach->pending[reach->n_pending++] = p;
        }
    }
    if (reach->n_pending > 0) {
        const struct ss_graph_search search = {
            .targets = &reach->targets,
            .rows = {pending_point, reach, reach->n_pending, reach->points.width},
            .k = FOUND,
            .rank = rank,
            .rank_context = reach,
            .ids = reach->found,
            .keys = reach->keys};
        SS_RETURN_IF_ERROR(ss_graph_search_run(&search, work, err));
        ss__pool_run(pool, reach->n_pending, settle, reach);
        SS_RETURN_IF_ERROR(ss_tensor_work_check(work, err));
    }
    for (size_t i = 0; i < reach->n_pending; i++) {
        const uint32_t p = reach->pending[i];
        lighten(&reach->best[reach->of[p]], reach->own[p]);
    }
    for (uint32_t c = 0; c < reach->points.n; c++) {
        const struct ss_graph_edge *edge = &reach->best[c];
        if (c == largest || edge->a == SS_GRAPH_NONE) {
            continue;
        }
        const uint32_t a = top_of(reach->parent, edge->a);
        const uint32_t b = top_of(reach->parent, edge->b);
        if (a != b) {
            reach->parent[a > b ? a : b] = a < b ? a : b;
            reach->edges[reach->n_edges++] = *edge;
        }
    }
    return SS_OK;
}

/* ---- the whole ---- */

static ss_status gather_distinct(struct reach *reach, const struct ss_graph_points *points,
                                 ss_err *err)
{
    SS_RETURN_IF_ERROR(ss_graph_kinds_find(points, &reach->kinds, err));
    reach->points = *points;
    if (reach->kinds.n == points->n) {
        return SS_OK;
    }
    const size_t width = points->width;
    SS_ALLOC_OR_RETURN(reach->owned, reach->kinds.n * width);
    for (size_t k = 0; k < reach->kinds.n; k++) {
        memcpy(reach->owned + k * width,
               ss_graph_row(points, ss_graph_kind_row(&reach->kinds, k)),
               width * sizeof *reach->owned);
    }
    reach->points =
        (struct ss_graph_points){.n = reach->kinds.n, .width = width, .x = reach->owned};
    return SS_OK;
}

static ss_status open_reach(struct reach *reach, ss_work *work, ss_err *err)
{
    const size_t n = reach->points.n;
    const size_t k = ss__max_size(LISTED, reach->min_samples + reach->min_samples / 4 + 1);
    SS_RETURN_IF_ERROR(
        ss_graph_nearest(work, &reach->points, ss__min_size(k, n - 1), &reach->lists, err));
    SS_ALLOC_OR_RETURN(reach->core, n);
    SS_ALLOC_OR_RETURN(reach->core2, n);
    SS_ALLOC_OR_RETURN(reach->parent, n);
    SS_ALLOC_OR_RETURN(reach->of, n);
    SS_ALLOC_OR_RETURN(reach->size, n);
    SS_ALLOC_OR_RETURN(reach->passed, n);
    SS_ALLOC_OR_RETURN(reach->best, n);
    SS_ALLOC_OR_RETURN(reach->own, n);
    SS_ALLOC_OR_RETURN(reach->pending, n);
    SS_ALLOC_OR_RETURN(reach->found, n * FOUND);
    SS_ALLOC_OR_RETURN(reach->keys, n * FOUND);
    for (size_t p = 0; p < n; p++) {
        reach->parent[p] = (uint32_t)p;
    }
    find_core(reach);
    return ss_graph_targets_new(
        &(struct ss_graph_rows){distinct_point, reach, n, reach->points.width}, &reach->targets,
        err);
}

static void close_reach(struct reach *reach)
{
    ss__free(reach->owned);
    ss_graph_kinds_release(&reach->kinds);
    ss_graph_neighbours_release(&reach->lists);
    ss_graph_targets_release(&reach->targets);
    ss__free(reach->core);
    ss__free(reach->core2);
    ss__free(reach->parent);
    ss__free(reach->of);
    ss__free(reach->size);
    ss__free(reach->passed);
    ss__free(reach->best);
    ss__free(reach->own);
    ss__free(reach->pending);
    ss__free(reach->found);
    ss__free(reach->keys);
}

/* Edges of distinct points become edges of rows, and equal rows get theirs. */
static void finish(struct reach *reach)
{
    for (size_t i = 0; i < reach->n_edges; i++) {
        struct ss_graph_edge *edge = &reach->edges[i];
        edge->a = ss_graph_kind_row(&reach->kinds, edge->a); /* firsts rise as kinds do */
        edge->b = ss_graph_kind_row(&reach->kinds, edge->b);
    }
    for (size_t k = 0; k < reach->kinds.n; k++) {
        const uint32_t *members = reach->kinds.members + reach->kinds.offsets[k];
        for (size_t m = 1; m < ss_graph_kind_size(&reach->kinds, k); m++) {
            reach->edges[reach->n_edges++] =
                (struct ss_graph_edge){reach->core[k], members[0], members[m]};
        }
    }
    ss__sort(reach->edges, reach->n_edges, sizeof *reach->edges, compare_edges);
}

ss_status ss_graph_reach_tree(ss_work *work, const struct ss_graph_points *points,
                              size_t min_samples, double alpha, struct ss_graph_edge *edges,
                              ss_err *err)
{
    ss_status status = SS_OK;
    struct reach reach = {.min_samples = min_samples, .alpha = alpha, .edges = edges};
    SS_TRY(gather_distinct(&reach, points, err));
    SS_TRY(open_reach(&reach, work, err));
    while (reach.n_edges + 1 < reach.points.n) {
        SS_TRY(run_round(&reach, work, err));
    }
    finish(&reach);
out:
    close_reach(&reach);
    return status;
}
