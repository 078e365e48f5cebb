/* Matmul tiles for AVX-512: 14 rows × 32 outputs.
 * Layout     A [K / 16][rows][16], B [K][32], as tensor_priv.h says.
 * Registers  28 sums, 2 of B, 2 for broadcasts of A.
 * Bound      FMA: 28 per input take 14 cycles at two a cycle; 16 loads take 8. */
#include <immintrin.h>

#include "tensor/tensor_priv.h"

enum { ROWS = 14, COLS = 32, HALF = 16 };

#define UNROLL_ROWS _Pragma("GCC unroll 14")
#define VECTOR __m512
#define ZERO _mm512_setzero_ps
#define LOAD _mm512_loadu_ps
#define LOAD_ALIGNED _mm512_load_ps
#define STORE _mm512_storeu_ps
#define BROADCAST(p) _mm512_set1_ps(*(p))
#define FMA _mm512_fmadd_ps
#include "tensor/tile.inc"

SS__TILE_OF(1)
SS__TILE_OF(2)
SS__TILE_OF(3)
SS__TILE_OF(4)
SS__TILE_OF(5)
SS__TILE_OF(6)
SS__TILE_OF(7)
SS__TILE_OF(8)
SS__TILE_OF(9)
SS__TILE_OF(10)
SS__TILE_OF(11)
SS__TILE_OF(12)
SS__TILE_OF(13)
SS__TILE_OF(14)

ss__tile_fn *const ss__tile_avx512[ROWS] = {tile_1,  tile_2,  tile_3,  tile_4, tile_5,
                                            tile_6,  tile_7,  tile_8,  tile_9, tile_10,
                                            tile_11, tile_12, tile_13, tile_14};
