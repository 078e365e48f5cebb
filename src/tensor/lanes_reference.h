/* 16 lanes in plain C. The three lanes_*.h give the same functions:
 *   set load load_part store store_part   part: the first n lanes; the others are filled
 *   add sub mul div sqrt fma                   fma(a, b, c) = a b + c with one rounding
 *   max        a > b ? a : b, so b where one is NaN
 *   less       lanes where a < b take x, the others y
 *   at_least   bit i where a ≥ b in lane i, so none where one is NaN
 *   magnitude  |a|; pow2 is 2^n of an n that stands in the low bits of n + 1.5 · 2^23
 *   zero_tail  lanes from n on become 0
 *   store_int  rounded to even, plus offset, the low 1 or 2 bytes of each, side by side
 *   store_int16_pairs  rounded to even, 16 words of two: a's in the low half, b's in the high
 * one sum, top   over the lanes, in the fixed tree 16 → 8 → 4 → 2 → 1 of halves */
#ifndef SS_TENSOR_LANES_REFERENCE_H
#define SS_TENSOR_LANES_REFERENCE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not inlined: 16 scalars each would only make the code larger, above all with sanitizers. */
#define LANES_INLINE static __attribute__((noinline))

typedef struct lanes {
    float at[16];
} lanes;

#define LANES_EACH(expression)                                                                 \
    lanes out;                                                                                 \
    for (size_t i = 0; i < 16; i++) {                                                          \
        out.at[i] = (expression);                                                              \
    }                                                                                          \
    return out

static inline lanes lanes_set(float x)
{
    LANES_EACH(x);
}

static inline lanes lanes_load(const float *p)
{
    LANES_EACH(p[i]);
}

static inline lanes lanes_load_part(const float *p, size_t n, float fill)
{
    LANES_EACH(i < n ? p[i] : fill);
}

static inline void lanes_store(float *p, lanes a)
{
    memcpy(p, a.at, sizeof a.at);
}

static inline void lanes_store_part(float *p, lanes a, size_t n)
{
    memcpy(p, a.at, n * sizeof *p);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    LANES_EACH(a.at[i] + b.at[i]);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    LANES_EACH(a.at[i] - b.at[i]);
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    LANES_EACH(a.at[i] * b.at[i]);
}

static inline lanes lanes_div(lanes a, lanes b)
{
    LANES_EACH(a.at[i] / b.at[i]);
}

static inline lanes lanes_sqrt(lanes a)
{
    LANES_EACH(sqrtf(a.at[i]));
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    LANES_EACH(fmaf(a.at[i], b.at[i], c.at[i]));
}

static inline lanes lanes_max(lanes a, lanes b)
{
    LANES_EACH(a.at[i] > b.at[i] ? a.at[i] : b.at[i]);
}

static inline lanes lanes_less(lanes a, lanes b, lanes x, lanes y)
{
    LANES_EACH(a.at[i] < b.at[i] ? x.at[i] : y.at[i]);
}

static inline uint32_t lanes_at_least(lanes a, lanes b)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 16; i++) {
        bits |= (uint32_t)(a.at[i] >= b.at[i]) << i;
    }
    return bits;
}

static inline lanes lanes_magnitude(lanes a)
{
    LANES_EACH(fabsf(a.at[i]));
}

static inline lanes lanes_zero_tail(lanes a, size_t n)
{
    LANES_EACH(i < n ? a.at[i] : 0.0F);
}

static inline lanes lanes_pow2(lanes shifted)
{
    lanes out;
    for (size_t i = 0; i < 16; i++) {
        uint32_t bits = 0;
        memcpy(&bits, &shifted.at[i], sizeof bits);
        bits = (bits << 23) + 0x3f800000U;
        memcpy(&out.at[i], &bits, sizeof bits);
    }
    return out;
}

static inline float lanes_sum(lanes a)
{
    for (size_t half = 8; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            a.at[i] += a.at[i + half];
        }
    }
    return a.at[0];
}

static inline float lanes_top(lanes a)
{
    for (size_t half = 8; half > 0; half /= 2) {
        for (size_t i = 0; i < half; i++) {
            a.at[i] = a.at[i] > a.at[i + half] ? a.at[i] : a.at[i + half];
        }
    }
    return a.at[0];
}

static inline void lanes_store_int(void *p, lanes a, int32_t offset, size_t n_bytes)
{
    for (size_t i = 0; i < 16; i++) {
        const int32_t x = (int32_t)((uint32_t)lrintf(a.at[i]) + (uint32_t)offset);
        memcpy((char *)p + i * n_bytes, &x, n_bytes); /* little-endian, as x86-64 is */
    }
}

static inline void lanes_store_int16_pairs(void *p, lanes a, lanes b)
{
    for (size_t i = 0; i < 16; i++) {
        const uint32_t x = ((uint32_t)lrintf(a.at[i]) & 0xffffU) | (uint32_t)lrintf(b.at[i])
                                                                       << 16;
        memcpy((char *)p + i * sizeof x, &x, sizeof x);
    }
}

#endif
