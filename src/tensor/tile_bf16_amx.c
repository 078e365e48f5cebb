/* Matmul tiles of bf16 for AMX: 32 rows × 32 outputs.
 * Layout     A [K / 32][rows][16 pairs], B [K / 32][2][16][16 pairs].
 * Registers  4 sums, 2 of A, 2 of B.
 * Bound      tdpbf16ps: 4 for 32 inputs take 64 cycles; 4 loads, of 16 lines each, take 32. */
#include <math.h>

#include "tensor/bf16.h"
#include "tensor/tile_ops_amx.h"

#define PRODUCT tile_add_bf16
#define PLANES 1
#define INTEGER_SUMS 0
#define PACKS 1

#include "tensor/outputs_amx.h"

#include "tensor/tile_amx.inc"

static void pack(const float *x, size_t x_stride, size_t n_rows, size_t n_k, float *a)
{
    for (size_t k = 0; k < n_k; k += BF16_GROUP) {
        for (size_t r = 0; r < n_rows; r++, a += SS_TENSOR_LANES) {
            const struct bf16_group group = bf16_load(x + r * x_stride + k, n_k - k);
            _mm512_storeu_si512(a, bf16_round(&group));
        }
    }
}

const struct ss_tensor_multiplier ss_tensor_bf16_amx = {.name = "bf16",
                                                        .tile_rows = ROWS,
                                                        .tile_cols = COLS,
                                                        .word_inputs = 2,
                                                        .pad_words = SS_TENSOR_LANES,
                                                        .k_block = 2 * PART_WORDS,
                                                        .has_tiled_panels = true,
                                                        .finish_outputs = finish_outputs,
                                                        .macro_kernel = macro_kernel,
                                                        .pack = pack,
                                                        .packs_outputs = true,
                                                        .finish = ss_tensor_tile_unit_release,
                                                        .block_bytes =
                                                            SS_TENSOR_TILE_BLOCK_BYTES};
