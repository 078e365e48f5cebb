/* Matmul integer tiles in plain C: 4 rows × 16 outputs. Integer sums are
 * exact in any order, and they become floats by the same three roundings as in tile.inc, so
 * these are the bytes of every other instruction set. */
#include <math.h>
#include <string.h>

#include "tensor/tensor_priv.h"

enum { ROWS = 4, COLS = 16 };

typedef int32_t words_product(const int32_t *a, const int32_t *b);

static int32_t product_of_pairs(const int32_t *a, const int32_t *b)
{
    int16_t x[2], y[2];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    return x[0] * y[0] + x[1] * y[1];
}

static int32_t product_of_fours(const int32_t *a, const int32_t *b)
{
    uint8_t x[4];
    int8_t y[4];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    return x[0] * y[0] + x[1] * y[1] + x[2] * y[2] + x[3] * y[3];
}

static int32_t sum_of(const struct ss_tensor_tile *t, size_t n_rows, size_t r, size_t j,
                      words_product *product)
{
    const int32_t *a = t->a, *b = t->b;
    int32_t sum = t->b_corrections == NULL ? 0 : t->b_corrections[j];
    for (size_t k = 0; k < t->n_words; k++) {
        const size_t group = k / SS_TENSOR_LANES * n_rows + r;
        sum += product(a + group * SS_TENSOR_LANES + k % SS_TENSOR_LANES, b + k * COLS + j);
    }
    return sum;
}

static inline void tile(size_t n_rows, const struct ss_tensor_tile *t, words_product *product)
{
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t j = 0; j < COLS; j++) {
            float *c = t->c + r * t->c_stride + j;
            const float scale = t->a_scales[r] * t->b_scales[j];
            *c = fmaf((float)sum_of(t, n_rows, r, j, product), scale, t->is_first ? 0 : *c);
        }
    }
}

#define TILE_OF_BOTH(n_rows)                                                                   \
    static void int16_##n_rows(const struct ss_tensor_tile *t)                                 \
    {                                                                                          \
        tile(n_rows, t, product_of_pairs);                                                     \
    }                                                                                          \
    static void int8_##n_rows(const struct ss_tensor_tile *t)                                  \
    {                                                                                          \
        tile(n_rows, t, product_of_fours);                                                     \
    }

TILE_OF_BOTH(1)
TILE_OF_BOTH(2)
TILE_OF_BOTH(3)
TILE_OF_BOTH(4)

ss_tensor_tile_fn *const ss_tensor_tile_int16_reference[ROWS] = {int16_1, int16_2, int16_3,
                                                                 int16_4};
ss_tensor_tile_fn *const ss_tensor_tile_int8_reference[ROWS] = {int8_1, int8_2, int8_3, int8_4};
