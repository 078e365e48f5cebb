/* Floats as bf16, rounded to nearest even, by groups of 32: a row of a tile's inputs. By the
 * instructions of AVX512-BF16, which every processor with the tile unit has. Denormals become
 * 0, as they would in products; NaN stays NaN. */
#ifndef SS_TENSOR_BF16_H
#define SS_TENSOR_BF16_H

#include <immintrin.h>

#include "tensor/tensor_priv.h"

enum { BF16_GROUP = 32 };

struct bf16_group {
    __m512 first, second;
};

/* Of the n inputs that are left, the rest 0. */
TILE_INLINE struct bf16_group bf16_load(const float *x, size_t n)
{
    const uint32_t there = n >= BF16_GROUP ? UINT32_MAX : ((uint32_t)1 << n) - 1;
    return (struct bf16_group){_mm512_maskz_loadu_ps((__mmask16)there, x),
                               _mm512_maskz_loadu_ps((__mmask16)(there >> 16), x + 16)};
}

/* As 32 numbers of two bytes. */
TILE_INLINE __m512i bf16_round(const struct bf16_group *x)
{
    return (__m512i)_mm512_cvtne2ps_pbh(x->second, x->first);
}

/* x - high, exact; 0 where high is not finite. */
TILE_INLINE __m512 bf16_rest_of(__m512 x, __m256i high)
{
    enum { NONE_OR_INFINITE = 0x99 };
    const __m512 wide = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(high), 16));
    const __mmask16 is_odd = _mm512_fpclass_ps_mask(wide, NONE_OR_INFINITE);
    return _mm512_maskz_sub_ps(_knot_mask16(is_odd), x, wide);
}

/* What rounding to `high` leaves. */
TILE_INLINE struct bf16_group bf16_rest(const struct bf16_group *x, __m512i high)
{
    return (struct bf16_group){bf16_rest_of(x->first, _mm512_castsi512_si256(high)),
                               bf16_rest_of(x->second, _mm512_extracti64x4_epi64(high, 1))};
}

#endif
