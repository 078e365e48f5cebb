/* Matmul tiles of floats for AVX2 with FMA: 6 rows × 16 outputs.
 * Layout     A [K / 16][rows][16], B [K][16], as tensor_priv.h says.
 * Registers  12 sums, 2 of B, 2 for broadcasts of A.
 * Bound      FMA: 12 per input take 6 cycles at two a cycle; 8 loads take 4. */
#include "tensor/tensor_priv.h"
#include "tensor/vectors_avx2.h"

enum { ROWS = 6, STEP_WORDS = 1 };
#define WORD float
#define SUMS FLOATS

TILE_INLINE SUMS step(const float *a, const float *b, SUMS sum)
{
    return FLOATS_FMA(FLOATS_SET(*a), FLOATS_LOAD(b), sum);
}

#include "tensor/tile.inc"

SS_TENSOR_TILES_6(ss_tensor_tile_fp32_avx2)
