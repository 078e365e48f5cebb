/* Placing a row alone (umap-learn's transform, but one row at a time): it begins in the weighted
 * middle of the places of its nearest points, or at that of an equal one, and is then moved by
 * them, and by draws from all points, for some epochs. */
#include <math.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "graph/umap.h"
#include "graph/umap_forces.h"

enum { PLACE_EPOCHS = 100, MOST_PLACED_BY = 64 };

#define PLACE_ALPHA 0.25

struct placing {
    const struct ss_graph_umap_fitted *map;
    const struct ss_graph_points *rows;
    struct ss_graph_neighbours neighbours;
    struct ss_graph_curve curve;
    double mean_of_all;
    double *scratch; /* [threads, width] a row that is made */
    float *out;
};

/* How much each of n neighbours counts, the most 1. */
static void find_weights(const struct placing *placing, size_t row, size_t n, double *weights)
{
    const double *distances2 = placing->neighbours.distances2 + row * placing->neighbours.k;
    double distances[MOST_PLACED_BY] = {0}, most = 0;
    for (size_t i = 0; i < n; i++) {
        distances[i] = distances2[i] / 2;
    }
    const struct ss_graph_width width =
        ss_graph_umap_width(distances, n, true, placing->mean_of_all);
    for (size_t i = 0; i < n; i++) {
        weights[i] = width.sigma > 0 ? ss_graph_exp(-distances[i] / width.sigma) : 1;
        most = fmax(most, weights[i]);
    }
    for (size_t i = 0; i < n; i++) {
        weights[i] = most > 0 ? weights[i] / most : 1;
    }
}

static void find_middle(const struct placing *placing, const uint32_t *ids,
                        const double *weights, size_t n, float *at)
{
    double sum = 0, x = 0, y = 0;
    for (size_t i = 0; i < n; i++) {
        sum += weights[i];
        x += weights[i] * (double)placing->map->y[2 * (size_t)ids[i]];
        y += weights[i] * (double)placing->map->y[2 * (size_t)ids[i] + 1];
    }
    at[0] = (float)(x / sum);
    at[1] = (float)(y / sum);
}

/* Draws depend on the row's numbers, not on its place among others. */
static uint64_t key_of(const struct placing *placing, size_t row, size_t worker)
{
    const size_t width = placing->rows->width;
    const double *x = ss_graph_row_in(placing->rows, row, placing->scratch + worker * width);
    return ss_graph_mix(placing->map->options->seed ^ ss__hash64(x, width * sizeof *x));
}

static void push_negatives(const struct placing *placing, struct ss_graph_forces *forces,
                           uint64_t key)
{
    for (size_t i = 0; i < placing->map->options->n_negatives; i++) {
        const uint64_t draw = (ss_graph_mix(key + i) >> 32) * placing->map->points->n >> 32;
        ss_graph_forces_push(forces, placing->map->y + 2 * draw, false);
    }
}

static void refine(const struct placing *placing, size_t row, uint64_t key, size_t n,
                   const double *weights, float *at)
{
    const uint32_t *ids = placing->neighbours.ids + row * placing->neighbours.k;
    struct ss_graph_adam adam = {0};
    struct ss_graph_forces forces;
    forces.a = (float)placing->curve.a;
    forces.b = (float)placing->curve.b;
    for (size_t e = 1; e < PLACE_EPOCHS; e++) {
        ss_graph_forces_begin(&forces, at);
        for (size_t i = 0; i < n; i++) {
            if (weights[i] * PLACE_EPOCHS >= 1 &&
                floor((double)e * weights[i]) > floor((double)(e - 1) * weights[i])) {
                ss_graph_forces_push(&forces, placing->map->y + 2 * (size_t)ids[i], true);
                push_negatives(placing, &forces, ss_graph_mix(key + e * MOST_PLACED_BY + i));
            }
        }
        ss_graph_forces_end(&forces);
        ss_graph_adam_step(&adam,
                           ss_graph_pace(PLACE_ALPHA * (1 - (double)e / PLACE_EPOCHS), e),
                           forces.sum, at, at);
    }
}

static void place(void *context, size_t row, size_t worker)
{
    const struct placing *placing = context;
    const size_t k = placing->neighbours.k;
    const uint32_t *ids = placing->neighbours.ids + row * k;
    float *at = placing->out + 2 * row;
    double weights[MOST_PLACED_BY];
    size_t n = 0;
    while (n < k && ids[n] != SS_GRAPH_NONE) {
        n++;
    }
    if (placing->neighbours.distances2[row * k] == 0) {
        memcpy(at, placing->map->y + 2 * (size_t)ids[0], 2 * sizeof *at);
        return;
    }
    find_weights(placing, row, n, weights);
    find_middle(placing, ids, weights, n, at);
    refine(placing, row, key_of(placing, row, worker), n, weights, at);
}

ss_status ss_graph_umap_place(ss_work *work, const struct ss_graph_umap_fitted *map,
                              const struct ss_graph_points *rows, float *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct placing placing = {.map = map, .rows = rows, .out = out};
    struct ss__pool *pool = ss_tensor_work_pool(work);
    if (rows->n == 0) {
        return SS_OK;
    }
    const size_t k =
        ss__min_size(ss__min_size(map->options->n_neighbours, MOST_PLACED_BY), map->points->n);
    placing.curve = ss_graph_umap_curve(map->options->min_dist, map->options->spread);
    SS_ALLOC(placing.scratch, ss__pool_n_threads(pool) * rows->width);
    SS_TRY(ss_graph_nearest_of(work, map->points, rows, k, &placing.neighbours, err));
    ss__pool_run(pool, rows->n, place, &placing);
    SS_TRY(ss_tensor_work_check(work, err));
out:
    ss_graph_neighbours_release(&placing.neighbours);
    ss__free(placing.scratch);
    return status;
}
