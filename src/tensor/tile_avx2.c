/* Matmul tiles for AVX2 with FMA: 6 rows × 16 outputs.
 * Layout     A [K / 16][rows][16], B [K][16], as tensor_priv.h says.
 * Registers  12 sums, 2 of B, 2 for broadcasts of A.
 * Bound      FMA: 12 per input take 6 cycles at two a cycle; 8 loads take 4. */
#include <immintrin.h>

#include "tensor/tensor_priv.h"

enum { ROWS = 6, COLS = 16, HALF = 8 };

#define UNROLL_ROWS _Pragma("GCC unroll 6")
#define VECTOR __m256
#define ZERO _mm256_setzero_ps
#define LOAD _mm256_loadu_ps
#define LOAD_ALIGNED _mm256_load_ps
#define STORE _mm256_storeu_ps
#define BROADCAST(p) _mm256_broadcast_ss(p)
#define FMA _mm256_fmadd_ps
#include "tensor/tile.inc"

SS__TILE_OF(1)
SS__TILE_OF(2)
SS__TILE_OF(3)
SS__TILE_OF(4)
SS__TILE_OF(5)
SS__TILE_OF(6)

ss__tile_fn *const ss__tile_avx2[ROWS] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
