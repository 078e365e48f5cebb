/* Matmul tiles of int16 for AVX2: 6 rows × 16 outputs.
 * Layout     A [K / 32][rows][16 pairs], B [K / 2][16 pairs], as tensor_priv.h says.
 * Registers  12 sums, 2 of B, 1 for broadcasts of A, 1 for products.
 * Bound      multiply-add of pairs and addition: 24 operations for two inputs. */
#include "tensor/tensor_priv.h"
#include "tensor/tile_int.h"
#include "tensor/vectors_avx2.h"

enum { ROWS = 6, STEP_WORDS = 1 };

/* vpmaddwd adds two exact products; matrix.c keeps the sums of a block within 32 bits. */
TILE_INLINE SUMS step(const int32_t *a, const int32_t *b, SUMS sum)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(INTS_SET(a), INTS_LOAD(b)));
}

#include "tensor/tile.inc"

SS_TENSOR_TILES_6(ss_tensor_tile_int16_avx2)
