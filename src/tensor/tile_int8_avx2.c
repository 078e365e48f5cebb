/* Matmul tiles of int8 for AVX2 without VNNI: 5 rows × 16 outputs.
 * Layout     A [K / 64][rows][16 fours], B [K / 4][16 fours], as tensor_priv.h says.
 * Registers  10 sums, 1 of ones, 2 for broadcasts of A, 2 for products.
 * Bound      five operations for eight inputs of a sum, two of them multiplications.
 *
 * vpmaddubsw adds two products in 16 bits, and a second one is added there. Inputs are at most
 * 181, and weights are made so small that neither the positive nor the negative ones of the
 * four that meet add up to more than 181 (matrix.c): 181 · 181 = 32761, so nothing saturates.
 * Signs differ mostly, so this leaves weights nearly all of ±127. */
#include "tensor/tensor_priv.h"
#include "tensor/tile_int.h"
#include "tensor/vectors_avx2.h"

enum { ROWS = 5, STEP_WORDS = 2 };

/* In assembly, so that B stays in memory and the sums in registers. */
TILE_INLINE INTS products(const int32_t *a, const int32_t *b)
{
    INTS out;
    __asm__("vpmaddubsw %2, %1, %0" : "=x"(out) : "x"(INTS_SET(a)), "m"(*(const INTS *)b));
    return out;
}

TILE_INLINE SUMS step(const int32_t *a, const int32_t *b, SUMS sum)
{
    const INTS pairs = _mm256_add_epi16(products(a, b), products(a + 1, b + 2 * HALF));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#include "tensor/tile.inc"

SS_TENSOR_TILES_5(ss_tensor_tile_int8_avx2)
