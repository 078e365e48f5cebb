/* Matmul tiles of floats for AVX-512: 14 rows × 32 outputs.
 * Layout     A [K / 16][rows][16], B [K][32], as tensor_priv.h says.
 * Registers  28 sums, 2 of B, 2 for broadcasts of A.
 * Bound      FMA: 28 per input take 14 cycles at two a cycle; 16 loads take 8. */
#include "tensor/tensor_priv.h"
#include "tensor/vectors_avx512.h"

enum { ROWS = 14, STEP_WORDS = 1 };
#define WORD float
#define SUMS FLOATS

TILE_INLINE SUMS step(const float *a, const float *b, SUMS sum)
{
    return FLOATS_FMA(FLOATS_SET(*a), FLOATS_LOAD(b), sum);
}

#include "tensor/tile.inc"

SS_TENSOR_TILES_14(ss_tensor_tile_fp32_avx512)
