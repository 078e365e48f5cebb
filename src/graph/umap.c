/* The layout: epochs whose forces all come from the positions at their start.
 *
 * umap-learn moves one end of an edge after the other, each from where the last move left it;
 * its result depends on the order of edges, and with several threads on chance. Here every
 * point adds up the forces on itself from the positions of the epoch before, in the order of
 * its edges, and goes to a second array of positions; draws of negative samples are a hash of
 * seed, epoch and edge, not the next numbers of one generator. So threads share nothing but
 * what they only read, and the map has the same bytes for any number of them. The graph, the
 * curve and the forces are umap-learn's (umap_graph.c, umap_forces.c), the step is Adam's
 * since forces of a whole epoch are larger than those of one edge; how close the maps are in
 * what they keep: docs/map.md. */
#include "graph/umap.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "graph/umap_forces.h"

enum {
    VERTICES_PER_TASK = 64,
    FEW_POINTS = 10000, /* up to here, more epochs */
    EPOCHS_FEW = 250,
    EPOCHS_MANY = 200
};

struct layout {
    const struct ss_graph_fuzzy *graph;
    const struct ss_graph_umap_options *options;
    struct ss_graph_curve curve;
    float *rates; /* [edges] how often an edge is due, in epochs; at most 1 */
    size_t n_epochs, epoch;
    struct ss_graph_pace pace;
    float *from, *to;           /* [n, 2] */
    struct ss_graph_adam *adam; /* [n] */
};

/* An edge of rate r is due in the epochs in which the whole part of epoch · r rises. */
static bool is_due(float rate, size_t epoch)
{
    const double r = (double)rate;
    return floor((double)epoch * r) > floor((double)(epoch - 1) * r);
}

static void push_negatives(const struct layout *layout, struct ss_graph_forces *forces,
                           uint32_t self, size_t edge)
{
    const uint64_t n = layout->graph->n;
    const uint64_t key = ss_graph_mix(layout->options->seed ^
                                      ss_graph_mix(((uint64_t)layout->epoch << 40) + edge));
    for (size_t i = 0; i < layout->options->n_negatives; i++) {
        const uint64_t draw = (ss_graph_mix(key + i) >> 32) * n >> 32;
        if (draw != self) {
            ss_graph_forces_push(forces, layout->from + 2 * draw, false);
        }
    }
}

static void move_some(void *context, size_t index, size_t worker)
{
    struct layout *layout = context;
    const struct ss_graph_fuzzy *graph = layout->graph;
    struct ss_graph_forces forces;
    const size_t first = index * VERTICES_PER_TASK;
    const size_t end = ss__min_size(first + VERTICES_PER_TASK, graph->n);
    (void)worker;
    forces.a = (float)layout->curve.a;
    forces.b = (float)layout->curve.b;
    for (size_t v = first; v < end; v++) {
        ss_graph_forces_begin(&forces, layout->from + 2 * v);
        for (size_t t = graph->offsets[v]; t < graph->offsets[v + 1]; t++) {
            if (is_due(layout->rates[t], layout->epoch)) {
                ss_graph_forces_push(&forces, layout->from + 2 * (size_t)graph->ids[t], true);
                push_negatives(layout, &forces, (uint32_t)v, t);
            }
        }
        ss_graph_forces_end(&forces);
        ss_graph_adam_step(&layout->adam[v], layout->pace, forces.sum, layout->from + 2 * v,
                           layout->to + 2 * v);
    }
}

static void run_epochs(struct layout *layout, struct ss__pool *pool)
{
    const size_t n_tasks = ss__divide_up(layout->graph->n, VERTICES_PER_TASK);
    for (size_t e = 1; e < layout->n_epochs; e++) {
        layout->epoch = e;
        layout->pace = ss_graph_pace(1 - (double)e / (double)layout->n_epochs, e);
        ss__pool_run(pool, n_tasks, move_some, layout);
        float *swap = layout->from;
        layout->from = layout->to;
        layout->to = swap;
    }
}

/* Edges that would never be due are left out: their rate is 0. */
static void set_rates(const struct ss_graph_fuzzy *graph, size_t n_epochs, float *rates)
{
    const size_t n = graph->offsets[graph->n];
    float most = 0;
    for (size_t t = 0; t < n; t++) {
        most = graph->weights[t] > most ? graph->weights[t] : most;
    }
    for (size_t t = 0; t < n; t++) {
        const float rate = graph->weights[t] / most;
        rates[t] = rate * (float)n_epochs < 1 ? 0 : rate;
    }
}

static ss_status lay_out(ss_work *work, const struct ss_graph_fuzzy *graph,
                         const struct ss_graph_umap_options *options, float *y, ss_err *err)
{
    ss_status status = SS_OK;
    struct layout layout = {.graph = graph,
                            .options = options,
                            .curve = ss_graph_umap_curve(options->min_dist, options->spread),
                            .n_epochs = options->n_epochs};
    if (layout.n_epochs == 0) {
        layout.n_epochs = graph->n <= FEW_POINTS ? EPOCHS_FEW : EPOCHS_MANY;
    }
    float *other = NULL;
    SS_ALLOC(layout.rates, graph->offsets[graph->n]);
    SS_ALLOC(layout.adam, graph->n);
    SS_ALLOC(other, 2 * graph->n);
    set_rates(graph, layout.n_epochs, layout.rates);
    layout.from = y;
    layout.to = other;
    run_epochs(&layout, ss_tensor_work_pool(work));
    if (layout.from != y) {
        memcpy(y, layout.from, 2 * graph->n * sizeof *y);
    }
    SS_TRY(ss_tensor_work_check(work, err));
out:
    ss__free(layout.rates);
    ss__free(layout.adam);
    ss__free(other);
    return status;
}

/* ---- the start ---- */

/* The largest coordinate becomes 10, noise of about 1e-4 parts equal points, then every axis
 * goes from 0 to 10. */
static void scale_start(double *y, size_t n, uint64_t seed)
{
    double most = 0, low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < 2 * n; i++) {
        most = fmax(most, fabs(y[i]));
    }
    for (size_t i = 0; i < 2 * n; i++) {
        const uint64_t bits = ss_graph_mix(ss_graph_mix(seed) + i);
        const double noise = (double)(bits >> 11) * 0x1p-53 - 0.5; /* deviation 0.289 */
        y[i] = (most > 0 ? y[i] * (10 / most) : 0) + noise * 3.46e-4;
        low[i % 2] = fmin(low[i % 2], y[i]);
        high[i % 2] = fmax(high[i % 2], y[i]);
    }
    for (size_t i = 0; i < 2 * n; i++) {
        const double range = high[i % 2] - low[i % 2];
        y[i] = range > 0 ? 10 * (y[i] - low[i % 2]) / range : 5;
    }
}

static ss_status make_start(ss_work *work, const struct ss_graph_points *points, uint64_t seed,
                            float *y, ss_err *err)
{
    ss_status status = SS_OK;
    double *plane = NULL;
    SS_ALLOC(plane, 2 * points->n);
    SS_TRY(ss_graph_plane(work, points, plane, err));
    scale_start(plane, points->n, seed);
    for (size_t i = 0; i < 2 * points->n; i++) {
        y[i] = (float)plane[i];
    }
out:
    ss__free(plane);
    return status;
}

/* ---- the whole ---- */

ss_status ss_graph_umap(ss_work *work, const struct ss_graph_points *points,
                        const struct ss_graph_umap_options *options, const float *start,
                        float *y, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_graph_neighbours neighbours = {0};
    struct ss_graph_fuzzy graph = {0};
    if (points->n == 0) {
        return SS_OK;
    }
    if (start != NULL) {
        memcpy(y, start, 2 * points->n * sizeof *y);
    } else {
        SS_TRY(make_start(work, points, options->seed, y, err));
    }
    if (points->n == 1) {
        goto out;
    }
    SS_TRY(ss_graph_nearest(work, points,
                            ss__min_size(options->n_neighbours - 1, points->n - 1), &neighbours,
                            err));
    SS_TRY(ss_graph_fuzzy_make(&neighbours, &graph, err));
    SS_TRY(lay_out(work, &graph, options, y, err));
out:
    ss_graph_neighbours_release(&neighbours);
    ss_graph_fuzzy_release(&graph);
    return status;
}
