/* The vector operations that tile.inc is written in, for AVX-512: 16 words. */
#ifndef SS_TENSOR_VECTORS_AVX512_H
#define SS_TENSOR_VECTORS_AVX512_H

#include <immintrin.h>

#define HALF 16
#define FLOATS __m512
#define FLOATS_ZERO _mm512_setzero_ps
#define FLOATS_SET _mm512_set1_ps
#define FLOATS_LOAD _mm512_loadu_ps
#define FLOATS_STORE _mm512_storeu_ps
#define FLOATS_ADD _mm512_add_ps
#define FLOATS_MUL _mm512_mul_ps
#define FLOATS_FMA _mm512_fmadd_ps
#define FLOATS_OF _mm512_cvtepi32_ps
#define INTS __m512i
#define INTS_ZERO _mm512_setzero_si512
#define INTS_SET(p) _mm512_set1_epi32(*(p))
#define INTS_LOAD(p) _mm512_loadu_si512((const __m512i *)(const void *)(p))

#endif
