/* Matmul tiles of int8 for AVX-VNNI: 6 rows × 16 outputs.
 * Layout     A [K / 64][rows][16 fours], B [K / 4][16 fours], as tensor_priv.h says.
 * Registers  12 sums, 2 of B, 1 for broadcasts of A.
 * Bound      vpdpbusd: 12 for four inputs take 6 cycles at two a cycle. */
#include "tensor/tensor_priv.h"
#include "tensor/tile_int.h"
#include "tensor/vectors_avx2.h"

enum { ROWS = 6, STEP_WORDS = 1 };

/* In assembly, because compilers copy and spill the sums of the intrinsic. */
TILE_INLINE SUMS step(const int32_t *a, const int32_t *b, SUMS sum)
{
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(INTS_SET(a)), "x"(INTS_LOAD(b)));
    return sum;
}

#include "tensor/tile.inc"

SS_TENSOR_TILES_6(ss_tensor_tile_int8_avxvnni)
