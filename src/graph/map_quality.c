/* Trustworthiness and kept neighbours of a map. Source distances are products in float32, whose
 * bytes are the same for any threads; their rounding moves the figures by some 1e-6. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "graph/umap.h"

enum { LOOKED_AT = 15, ALL_ROWS = 10000, SOME_ROWS = 2000, BLOCK_ROWS = 128 };

struct measure {
    const struct ss_graph_points *points;
    const float *y;
    size_t k, n_rows, step; /* every step-th row is looked from */
    struct ss_tensor_matrix matrix;
    double *scratch;                    /* [width] a row that is made */
    float *rows;                        /* [BLOCK_ROWS, width] */
    float *products;                    /* [BLOCK_ROWS, n] */
    struct ss_graph_candidate *nearest; /* [BLOCK_ROWS, k] */
    size_t first, n_block;
    double *penalties; /* [n_rows] Σ ranks beyond k of map neighbours */
    double *kept;      /* [n_rows] */
};

static void find_map_neighbours(const struct measure *measure, size_t self,
                                struct ss_graph_candidate *nearest)
{
    const float *y = measure->y;
    for (size_t i = 0; i < measure->k; i++) {
        nearest[i] = (struct ss_graph_candidate){INFINITY, SS_GRAPH_NONE};
    }
    for (size_t j = 0; j < measure->points->n; j++) {
        const double dx = (double)y[2 * j] - (double)y[2 * self];
        const double dy = (double)y[2 * j + 1] - (double)y[2 * self + 1];
        const double d = dx * dx + dy * dy;
        size_t at = measure->k;
        if (j == self || !(d < nearest[at - 1].key)) {
            continue;
        }
        for (at--; at > 0 && nearest[at - 1].key > d; at--) {
            nearest[at] = nearest[at - 1];
        }
        nearest[at] = (struct ss_graph_candidate){d, (uint32_t)j};
    }
}

/* Rank of j among the neighbours of a row in the source: 1 the nearest, ties by id. */
static size_t rank_of(const float *products, size_t n, size_t self, uint32_t j)
{
    size_t rank = 1;
    const float p = products[j];
    for (size_t i = 0; i < n; i++) {
        rank += (size_t)((products[i] > p) | ((products[i] == p) & (i < j)));
    }
    return rank - (products[self] > p || (products[self] == p && self < j));
}

static void measure_row(void *context, size_t index, size_t worker)
{
    struct measure *measure = context;
    const size_t row = measure->first + index, self = row * measure->step;
    const size_t n = measure->points->n;
    struct ss_graph_candidate *nearest = measure->nearest + index * measure->k;
    (void)worker;
    find_map_neighbours(measure, self, nearest);
    for (size_t i = 0; i < measure->k; i++) {
        const size_t rank = rank_of(measure->products + index * n, n, self, nearest[i].id);
        if (rank > measure->k) {
            measure->penalties[row] += (double)(rank - measure->k);
        } else {
            measure->kept[row] += 1 / (double)measure->k;
        }
    }
}

static ss_status fill_matrix(struct measure *measure, ss_err *err)
{
    const size_t width = measure->points->width;
    SS_RETURN_IF_ERROR(ss_tensor_matrix_new(measure->points->n, width, SS_PRECISION_HIGHEST,
                                            &measure->matrix, err));
    for (size_t i = 0; i < measure->points->n; i++) {
        const double *x = ss_graph_row_in(measure->points, i, measure->scratch);
        for (size_t j = 0; j < width; j++) {
            measure->rows[j] = (float)x[j];
        }
        ss_tensor_matrix_fill(&measure->matrix, i, 1, measure->rows, SS_TENSOR_OUT_BY_IN);
    }
    return SS_OK;
}

static ss_status measure_block(struct measure *measure, ss_work *work, ss_err *err)
{
    const size_t width = measure->points->width;
    for (size_t i = 0; i < measure->n_block; i++) {
        const double *x = ss_graph_row_in(measure->points, (measure->first + i) * measure->step,
                                          measure->scratch);
        for (size_t j = 0; j < width; j++) {
            measure->rows[i * width + j] = (float)x[j];
        }
    }
    SS_RETURN_IF_ERROR(ss_tensor_linear(work, &measure->matrix, measure->rows, measure->n_block,
                                        measure->products, &(struct ss_tensor_epilogue){0},
                                        err));
    ss__pool_run(ss_tensor_work_pool(work), measure->n_block, measure_row, measure);
    return ss_tensor_work_check(work, err);
}

static void sum_up(const struct measure *measure, struct ss_graph_map_quality *out)
{
    const double n = (double)measure->points->n, k = (double)measure->k;
    const double n_rows = (double)measure->n_rows;
    double penalty = 0, kept = 0;
    for (size_t i = 0; i < measure->n_rows; i++) {
        penalty += measure->penalties[i];
        kept += measure->kept[i];
    }
    *out = (struct ss_graph_map_quality){
        .n_neighbours = measure->k,
        .n_rows = measure->n_rows,
        .trustworthiness = 1 - 2 / (n_rows * k * (2 * n - 3 * k - 1)) * penalty,
        .kept = kept / n_rows};
}

ss_status ss_graph_map_quality(ss_work *work, const struct ss_graph_points *points,
                               const float *y, struct ss_graph_map_quality *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct measure measure = {.points = points, .y = y, .step = 1};
    *out = (struct ss_graph_map_quality){0};
    if (points->n < 4) {
        return SS_OK;
    }
    if (points->n > ALL_ROWS) {
        measure.step = points->n / SOME_ROWS;
    }
    /* The measure is defined for fewer neighbours than half of the points. */
    measure.k = ss__min_size(LOOKED_AT, (points->n - 1) / 2);
    measure.n_rows = measure.step > 1 ? SOME_ROWS : points->n;
    SS_ALLOC(measure.scratch, points->width);
    SS_ALLOC_ALIGNED(measure.rows, BLOCK_ROWS * points->width);
    SS_ALLOC_ALIGNED(measure.products, BLOCK_ROWS * points->n);
    SS_ALLOC(measure.nearest, BLOCK_ROWS * measure.k);
    SS_ALLOC(measure.penalties, measure.n_rows);
    SS_ALLOC(measure.kept, measure.n_rows);
    SS_TRY(fill_matrix(&measure, err));
    for (; measure.first < measure.n_rows; measure.first += measure.n_block) {
        measure.n_block = ss__min_size(BLOCK_ROWS, measure.n_rows - measure.first);
        SS_TRY(measure_block(&measure, work, err));
    }
    sum_up(&measure, out);
out:
    ss_tensor_matrix_release(&measure.matrix);
    ss__free(measure.scratch);
    ss__free(measure.rows);
    ss__free(measure.products);
    ss__free(measure.nearest);
    ss__free(measure.penalties);
    ss__free(measure.kept);
    return status;
}
