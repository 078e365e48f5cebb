/* Matmul tiles for AVX2 with FMA: 6 rows × 16 outputs.
 * Layout     A [K / 16][rows][16], B [K][16], as tensor_priv.h says.
 * Registers  12 sums, 2 of B, 2 for broadcasts of A.
 * Bound      FMA: 12 per input take 6 cycles at two a cycle; 8 loads take 4. */
#include <immintrin.h>

#include "tensor/tensor_priv.h"

enum { ROWS = 6, COLS = 16, HALF = 8 };

#define INLINE static inline __attribute__((always_inline))

INLINE void step(size_t n_rows, const float *a, const float *b, __m256 acc[ROWS][2])
{
    const __m256 b0 = _mm256_load_ps(b), b1 = _mm256_load_ps(b + HALF);
#pragma GCC unroll 6
    for (size_t r = 0; r < n_rows; r++) {
        const __m256 x = _mm256_broadcast_ss(a + r * SS__LANES);
        acc[r][0] = _mm256_fmadd_ps(x, b0, acc[r][0]);
        acc[r][1] = _mm256_fmadd_ps(x, b1, acc[r][1]);
    }
}

INLINE void tile(size_t n_rows, const float *a, const float *b, size_t n_k, float *c,
                 size_t c_stride, bool is_first)
{
    __m256 acc[ROWS][2];
#pragma GCC unroll 6
    for (size_t r = 0; r < n_rows; r++) {
        acc[r][0] = is_first ? _mm256_setzero_ps() : _mm256_loadu_ps(c + r * c_stride);
        acc[r][1] = is_first ? _mm256_setzero_ps() : _mm256_loadu_ps(c + r * c_stride + HALF);
    }
    for (; n_k >= SS__LANES; n_k -= SS__LANES, a += n_rows * SS__LANES) {
#pragma GCC unroll 4
        for (size_t k = 0; k < SS__LANES; k++, b += COLS) {
            step(n_rows, a + k, b, acc);
        }
    }
    for (size_t k = 0; k < n_k; k++, b += COLS) {
        step(n_rows, a + k, b, acc);
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < n_rows; r++) {
        _mm256_storeu_ps(c + r * c_stride, acc[r][0]);
        _mm256_storeu_ps(c + r * c_stride + HALF, acc[r][1]);
    }
}

SS__TILE_OF(1)
SS__TILE_OF(2)
SS__TILE_OF(3)
SS__TILE_OF(4)
SS__TILE_OF(5)
SS__TILE_OF(6)

ss__tile_fn *const ss__tile_avx2[ROWS] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
