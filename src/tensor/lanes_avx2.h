/* 16 lanes as two AVX2 registers; what each function does stands in lanes_reference.h. The tree
 * of a sum begins with the two halves of 16, which here are the two registers. */
#ifndef SS_TENSOR_LANES_AVX2_H
#define SS_TENSOR_LANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_INLINE static inline __attribute__((always_inline))

typedef struct lanes {
    __m256 lo, hi;
} lanes;

/* All ones in the first n of 8 lanes; n may be negative or above 8. */
static inline __m256i mask_first(int n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), index);
}

static inline lanes lanes_set(float x)
{
    return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

static inline lanes lanes_load(const float *p)
{
    return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

static inline lanes lanes_load_part(const float *p, size_t n, float fill)
{
    const __m256i lo = mask_first((int)n), hi = mask_first((int)n - 8);
    const __m256 other = _mm256_set1_ps(fill);
    return (lanes){
        _mm256_blendv_ps(other, _mm256_maskload_ps(p, lo), _mm256_castsi256_ps(lo)),
        _mm256_blendv_ps(other, _mm256_maskload_ps(p + 8, hi), _mm256_castsi256_ps(hi))};
}

static inline void lanes_store(float *p, lanes a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}

static inline void lanes_store_part(float *p, lanes a, size_t n)
{
    _mm256_maskstore_ps(p, mask_first((int)n), a.lo);
    _mm256_maskstore_ps(p + 8, mask_first((int)n - 8), a.hi);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return (lanes){_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return (lanes){_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    return (lanes){_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}

static inline lanes lanes_div(lanes a, lanes b)
{
    return (lanes){_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}

static inline lanes lanes_sqrt(lanes a)
{
    return (lanes){_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)};
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return (lanes){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}

static inline lanes lanes_max(lanes a, lanes b)
{
    return (lanes){_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}

/* blendv takes the second operand where the mask is set, so y comes first. */
static inline lanes lanes_less(lanes a, lanes b, lanes x, lanes y)
{
    const __m256 lo = _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ);
    const __m256 hi = _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ);
    return (lanes){_mm256_blendv_ps(y.lo, x.lo, lo), _mm256_blendv_ps(y.hi, x.hi, hi)};
}

static inline uint32_t lanes_at_least(lanes a, lanes b)
{
    const int lo = _mm256_movemask_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_GE_OQ));
    const int hi = _mm256_movemask_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_GE_OQ));
    return (uint32_t)lo | (uint32_t)hi << 8;
}

static inline lanes lanes_magnitude(lanes a)
{
    const __m256 sign = _mm256_set1_ps(-0.0F);
    return (lanes){_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}

static inline lanes lanes_zero_tail(lanes a, size_t n)
{
    return (lanes){_mm256_and_ps(a.lo, _mm256_castsi256_ps(mask_first((int)n))),
                   _mm256_and_ps(a.hi, _mm256_castsi256_ps(mask_first((int)n - 8)))};
}

static inline __m256 half_pow2(__m256 shifted)
{
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(0x3f800000)));
}

static inline lanes lanes_pow2(lanes shifted)
{
    return (lanes){half_pow2(shifted.lo), half_pow2(shifted.hi)};
}

static inline float lanes_sum(lanes a)
{
    const __m256 eight = _mm256_add_ps(a.lo, a.hi);
    const __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline float lanes_top(lanes a)
{
    const __m256 eight = _mm256_max_ps(a.lo, a.hi);
    const __m128 four =
        _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

static inline void lanes_store_int(void *p, lanes a, int32_t offset, size_t n_bytes)
{
    const __m256i more = _mm256_set1_epi32(offset);
    const __m256i lo = _mm256_add_epi32(_mm256_cvtps_epi32(a.lo), more);
    const __m256i hi = _mm256_add_epi32(_mm256_cvtps_epi32(a.hi), more);
    const __m256i shorts =
        _mm256_permute4x64_epi64(_mm256_packs_epi32(lo, hi), _MM_SHUFFLE(3, 1, 2, 0));
    if (n_bytes == 2) {
        _mm256_storeu_si256((__m256i *)p, shorts);
        return;
    }
    const __m128i mask = _mm_set1_epi16(0xff); /* wrapped, not saturated: signed or not */
    _mm_storeu_si128(
        (__m128i *)p,
        _mm_packus_epi16(_mm_and_si128(_mm256_castsi256_si128(shorts), mask),
                         _mm_and_si128(_mm256_extracti128_si256(shorts, 1), mask)));
}

static inline void store_half_pairs(void *p, __m256 a, __m256 b)
{
    const __m256i high = _mm256_slli_epi32(_mm256_cvtps_epi32(b), 16);
    _mm256_storeu_si256((__m256i *)p, _mm256_blend_epi16(_mm256_cvtps_epi32(a), high, 0xaa));
}

static inline void lanes_store_int16_pairs(void *p, lanes a, lanes b)
{
    store_half_pairs(p, a.lo, b.lo);
    store_half_pairs((char *)p + 32, a.hi, b.hi);
}

#endif
