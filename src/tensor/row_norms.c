/* Row L2 norms of a weight matrix: out of its panels, in double, by ascending input, and
 * rounded once. Margins of ambiguous rows are made of them (docs/numerics.md, "Fire sets at
 * high"). */
#include <math.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

void ss_tensor_matrix_row_norms(const struct ss_tensor_matrix *matrix, float *norms)
{
    const size_t cols = matrix->multiplier->tile_cols, n_in = matrix->n_in;
    for (size_t first = 0; first < matrix->n_out; first += cols) {
        const float *panel = (const float *)matrix->panels + first * n_in;
        const size_t n = ss__min_size(cols, matrix->n_out - first);
        double sums[SS_TENSOR_MAX_TILE_COLS] = {0};
        for (size_t k = 0; k < n_in; k++) {
            for (size_t j = 0; j < n; j++) {
                const double w = (double)panel[k * cols + j];
                sums[j] += w * w;
            }
        }
        for (size_t j = 0; j < n; j++) {
            norms[first + j] = (float)sqrt(sums[j]);
        }
    }
}
