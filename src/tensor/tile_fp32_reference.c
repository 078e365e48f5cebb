/* Matmul tiles in plain C: 4 rows × 16 outputs, one correctly rounded fmaf per step. It is what
 * the other instruction sets are tested against, and what runs where they are lacking.
 * Bound: the call of fmaf, or its emulation. */
#include <math.h>
#include <string.h>

#include "tensor/tensor_priv.h"

enum { ROWS = 4, COLS = 16 };

/* The sums that every other fp32 kernel has to give bit for bit: a fused multiply-add an input,
 * in their order. */
static inline void tile(size_t n_rows, const struct ss_tensor_tile *t)
{
    float acc[ROWS][COLS] = {{0}};
    for (size_t r = 0; r < n_rows && !t->is_first && !t->has_own_sum; r++) {
        memcpy(acc[r], t->c + r * t->c_stride, sizeof acc[r]);
    }
    const float *b = t->b;
    for (size_t k = 0; k < t->n_words; k++) {
        const float *a = (const float *)t->a + k / SS_TENSOR_LANES * n_rows * SS_TENSOR_LANES +
                         k % SS_TENSOR_LANES;
        for (size_t r = 0; r < n_rows; r++) {
            for (size_t j = 0; j < COLS; j++) {
                acc[r][j] = fmaf(a[r * SS_TENSOR_LANES], b[k * COLS + j], acc[r][j]);
            }
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        float *c = t->c + r * t->c_stride;
        for (size_t j = 0; j < COLS; j++) {
            c[j] = t->has_own_sum && !t->is_first ? c[j] + acc[r][j] : acc[r][j];
        }
    }
}

SS_TENSOR_TILES_4(ss_tensor_tile_fp32_reference)
