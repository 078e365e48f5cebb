/* Sums of the tile unit by their definition in the processor's manual, in plain C. */
#ifndef SS_TILE_SUMS_H
#define SS_TILE_SUMS_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

static inline float flushed(float x)
{
    return fabsf(x) < FLT_MIN ? copysignf(0.0F, x) : x;
}

/* To 8 bits, ties to even. */
static inline float bf16_of(float x)
{
    int exponent = 0;
    (void)frexpf(x, &exponent);
    return flushed(ldexpf(rintf(ldexpf(x, 8 - exponent)), exponent - 8));
}

/* Part 0 is the float in bf16, part 1 what that leaves. */
static inline float part_of(float x, int part)
{
    const float high = bf16_of(x);
    return part == 0 ? high : bf16_of(x - high);
}

/* 32 inputs: chains of even and of odd ones, the two added, and that to the sum. */
static inline float add_group(float sum, const float *x, const float *w, size_t n,
                              const int *parts)
{
    float chains[2] = {0};
    for (size_t k = 0; k < 32 && k < n; k++) {
        const float a = part_of(x[k], parts[0]), b = part_of(w[k], parts[1]);
        chains[k % 2] = flushed(fmaf(a, b, chains[k % 2]));
    }
    return flushed(flushed(sum) + flushed(chains[0] + chains[1]));
}

static inline float sum_of(const float *x, const float *w, size_t n, bool is_split)
{
    static const int split[][2] = {{1, 0}, {0, 0}, {0, 1}};
    float sum = 0;
    for (size_t k = 0; k < n; k += 32) {
        for (size_t p = is_split ? 0 : 1; p < (is_split ? 3 : 2); p++) {
            sum = add_group(sum, x + k, w + k, n - k, split[p]);
        }
    }
    return sum;
}

#endif
