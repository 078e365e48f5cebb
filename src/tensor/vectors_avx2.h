/* The vector operations that tile.inc is written in, for AVX2 with FMA: 8 words. */
#ifndef SS_TENSOR_VECTORS_AVX2_H
#define SS_TENSOR_VECTORS_AVX2_H

#include <immintrin.h>

#define HALF 8
#define FLOATS __m256
#define FLOATS_ZERO _mm256_setzero_ps
#define FLOATS_SET _mm256_set1_ps
#define FLOATS_LOAD _mm256_loadu_ps
#define FLOATS_STORE _mm256_storeu_ps
#define FLOATS_ADD _mm256_add_ps
#define FLOATS_MUL _mm256_mul_ps
#define FLOATS_FMA _mm256_fmadd_ps
#define FLOATS_OF _mm256_cvtepi32_ps
#define INTS __m256i
#define INTS_ZERO _mm256_setzero_si256
#define INTS_SET(p) _mm256_set1_epi32(*(p))
#define INTS_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))

#endif
