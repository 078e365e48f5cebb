/* 16 lanes as one AVX-512 register; what each function does stands in lanes_reference.h. Sums
 * go by the same tree as elsewhere and not by _mm512_reduce_add_ps, whose order is the
 * compiler's. */
#ifndef SS_TENSOR_LANES_AVX512_H
#define SS_TENSOR_LANES_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_INLINE static inline __attribute__((always_inline))

typedef __m512 lanes;

static inline __mmask16 mask_first(size_t n)
{
    return (__mmask16)((1U << n) - 1U);
}

static inline lanes lanes_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline lanes lanes_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline lanes lanes_load_part(const float *p, size_t n, float fill)
{
    return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), mask_first(n), p);
}

static inline void lanes_store(float *p, lanes a)
{
    _mm512_storeu_ps(p, a);
}

static inline void lanes_store_part(float *p, lanes a, size_t n)
{
    _mm512_mask_storeu_ps(p, mask_first(n), a);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_ps(a, b);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm512_sub_ps(a, b);
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    return _mm512_mul_ps(a, b);
}

static inline lanes lanes_div(lanes a, lanes b)
{
    return _mm512_div_ps(a, b);
}

static inline lanes lanes_sqrt(lanes a)
{
    return _mm512_sqrt_ps(a);
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline lanes lanes_max(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

static inline lanes lanes_less(lanes a, lanes b, lanes x, lanes y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}

static inline uint32_t lanes_at_least(lanes a, lanes b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ);
}

static inline lanes lanes_magnitude(lanes a)
{
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0F), a);
}

static inline lanes lanes_zero_tail(lanes a, size_t n)
{
    return _mm512_maskz_mov_ps(mask_first(n), a);
}

static inline lanes lanes_pow2(lanes shifted)
{
    const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(0x3f800000)));
}

static inline float lanes_sum(lanes a)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline float lanes_top(lanes a)
{
    const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 four =
        _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline void lanes_store_int(void *p, lanes a, int32_t offset, size_t n_bytes)
{
    const __m512i x = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(offset));
    if (n_bytes == 2) {
        _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(x));
    } else {
        _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(x));
    }
}

static inline void lanes_store_int16_pairs(void *p, lanes a, lanes b)
{
    const __m512i low = _mm512_and_si512(_mm512_cvtps_epi32(a), _mm512_set1_epi32(0xffff));
    const __m512i high = _mm512_slli_epi32(_mm512_cvtps_epi32(b), 16);
    _mm512_storeu_si512(p, _mm512_or_si512(low, high));
}

#endif
