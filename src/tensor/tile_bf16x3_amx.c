/* Matmul tiles of floats that are sums of two bf16, for AMX: 32 rows × 32 outputs. The low part
 * is what rounding left of the high one, rounded: 16 bits in all. low·low is left out.
 * Layout     A [K / 32][high, low][rows][16 pairs], B [K / 32][high, low][2][16][16
 *            pairs], with a word for each input.
 * Registers  4 sums, 2 of A, 2 of B.
 * Bound      tdpbf16ps: 12 for 32 inputs take 192 cycles; 8 loads, of 16 lines each, take 64.
 */
#include <math.h>

#include "tensor/bf16.h"
#include "tensor/tile_ops_amx.h"

#define PRODUCT tile_add_bf16
#define PLANES 2
#define INTEGER_SUMS 0
#define PACKS 1

#include "tensor/outputs_amx.h"

#include "tensor/tile_amx.inc"

static void pack(const float *x, size_t x_stride, size_t n_rows, size_t n_k, float *a)
{
    for (size_t k = 0; k < n_k; k += BF16_GROUP, a += n_rows * SS_TENSOR_LANES) {
        for (size_t r = 0; r < n_rows; r++, a += SS_TENSOR_LANES) {
            const struct bf16_group group = bf16_load(x + r * x_stride + k, n_k - k);
            const __m512i high = bf16_round(&group);
            const struct bf16_group rest = bf16_rest(&group, high);
            _mm512_storeu_si512(a, high);
            _mm512_storeu_si512(a + n_rows * SS_TENSOR_LANES, bf16_round(&rest));
        }
    }
}

const struct ss_tensor_multiplier ss_tensor_bf16x3_amx = {.name = "bf16x3",
                                                          .tile_rows = ROWS,
                                                          .tile_cols = COLS,
                                                          .word_inputs = 1,
                                                          .pad_words = 2 * SS_TENSOR_LANES,
                                                          .k_block = PART_WORDS,
                                                          .has_tiled_panels = true,
                                                          .finish_outputs = finish_outputs,
                                                          .macro_kernel = macro_kernel,
                                                          .pack = pack,
                                                          .packs_outputs = true,
                                                          .finish = ss_tensor_tile_unit_release,
                                                          .block_bytes =
                                                              SS_TENSOR_TILE_BLOCK_BYTES,
                                                          .embedding_error = 1.6e-5};
