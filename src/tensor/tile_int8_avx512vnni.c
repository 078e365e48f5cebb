/* Matmul tiles of int8 for AVX512-VNNI: 14 rows × 32 outputs.
 * Layout     A [K / 64][rows][16 fours], B [K / 4][32 fours], as tensor_priv.h says.
 * Registers  28 sums, 2 of B, 1 for broadcasts of A.
 * Bound      vpdpbusd: 28 for four inputs take 14 cycles at two a cycle. */
#include "tensor/tensor_priv.h"
#include "tensor/tile_int.h"
#include "tensor/vectors_avx512.h"

enum { ROWS = 14, STEP_WORDS = 1 };

/* In assembly, because compilers copy and spill the sums of the intrinsic. */
TILE_INLINE SUMS step(const int32_t *a, const int32_t *b, SUMS sum)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(INTS_SET(a)), "v"(INTS_LOAD(b)));
    return sum;
}

#include "tensor/tile.inc"

SS_TENSOR_TILES_14(ss_tensor_tile_int8_avx512vnni)
