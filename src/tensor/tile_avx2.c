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

/* What comes next: A two groups of inputs ahead, and the part of B that the caller names. */
INLINE void fetch(size_t n_rows, const float *a, const float *ahead)
{
#pragma GCC unroll 6
    for (size_t r = 0; r < n_rows; r++) {
        _mm_prefetch(a + (2 * n_rows + r) * SS__LANES, _MM_HINT_T0);
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < COLS * SS__LANES / 8; i += SS__LANES) {
        _mm_prefetch(ahead + i, _MM_HINT_T1);
    }
}

INLINE void tile(size_t n_rows, const struct ss__tile *t)
{
    __m256 acc[ROWS][2];
    const float *a = t->a, *b = t->b, *ahead = t->ahead;
#pragma GCC unroll 6
    for (size_t r = 0; r < n_rows; r++) {
        const float *c = t->c + r * t->c_stride;
        acc[r][0] = t->is_first ? _mm256_setzero_ps() : _mm256_loadu_ps(c);
        acc[r][1] = t->is_first ? _mm256_setzero_ps() : _mm256_loadu_ps(c + HALF);
    }
    size_t n_k = t->n_k;
    for (; n_k >= SS__LANES; n_k -= SS__LANES, a += n_rows * SS__LANES) {
        fetch(n_rows, a, ahead);
        ahead += COLS * SS__LANES;
        for (size_t k = 0; k < SS__LANES; k++, b += COLS) {
            step(n_rows, a + k, b, acc);
        }
    }
    for (size_t k = 0; k < n_k; k++, b += COLS) {
        step(n_rows, a + k, b, acc);
    }
#pragma GCC unroll 6
    for (size_t r = 0; r < n_rows; r++) {
        float *c = t->c + r * t->c_stride;
        _mm256_storeu_ps(c, acc[r][0]);
        _mm256_storeu_ps(c + HALF, acc[r][1]);
    }
}

SS__TILE_OF(1)
SS__TILE_OF(2)
SS__TILE_OF(3)
SS__TILE_OF(4)
SS__TILE_OF(5)
SS__TILE_OF(6)

ss__tile_fn *const ss__tile_avx2[ROWS] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};
