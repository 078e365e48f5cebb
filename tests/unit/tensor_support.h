/* What the tensor tests share: seeded numbers, buffers between guards, comparison with float64,
 * and a loop over the kernels that this machine has. */
#ifndef SS_TENSOR_SUPPORT_H
#define SS_TENSOR_SUPPORT_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "support/tile_unit.h"
#include "tensor/tensor_priv.h"

/* fp32 operations against float64: mean squared error over mean square, and the largest error
 * over the largest value. A float has 24 bits (6e-8); sums of 3072 products lose about 3e-7 in
 * the root mean square, so both leave two decimal digits of room for no more than that. */
static const double MOST_NMSE = 1e-10;
static const double MOST_ERROR = 1e-5;

enum { N_KERNELS = 6, GUARD = 64 };
static const char *const KERNELS[N_KERNELS] = {"reference", "avx2",        "avx2-vnni",
                                               "avx512",    "avx512-vnni", "amx"};

/* False where the machine lacks them; it has those of the tile unit also where they can run on
 * the stand-in. */
static inline bool use_kernels(const char *name)
{
    return strcmp(name, "amx") == 0 ? tile_unit_use() : ss_tensor_kernels_use(name);
}

static uint64_t seed_state = 1;

static inline void seed(uint64_t value)
{
    seed_state = value * 0x9e3779b97f4a7c15U + 1;
}

/* Uniform in [-1, 1). */
static inline float draw(void)
{
    seed_state ^= seed_state << 13;
    seed_state ^= seed_state >> 7;
    seed_state ^= seed_state << 17;
    return (float)(seed_state >> 40) / 8388608.0F - 1.0F;
}

/* n floats with guards on both sides; `shift` moves them off alignment. */
struct guarded {
    float *block, *at;
    size_t n, shift;
};

static inline struct guarded guarded_new(size_t n, size_t shift)
{
    struct guarded g = {.n = n, .shift = shift};
    const size_t n_all = n + shift + 2 * GUARD;
    g.block = malloc(n_all * sizeof(float));
    assert_non_null(g.block);
    memset(g.block, 0xa5, n_all * sizeof(float));
    g.at = g.block + GUARD + shift;
    return g;
}

static inline struct guarded guarded_random(size_t n, size_t shift, float scale)
{
    struct guarded g = guarded_new(n, shift);
    for (size_t i = 0; i < n; i++) {
        g.at[i] = scale * draw();
    }
    return g;
}

/* Release; fails where a byte outside was changed. */
static inline void guarded_release(struct guarded *g)
{
    unsigned char expected[(2 * GUARD) * sizeof(float)];
    memset(expected, 0xa5, sizeof expected);
    assert_memory_equal(g->block, expected, (GUARD + g->shift) * sizeof(float));
    assert_memory_equal(g->at + g->n, expected, GUARD * sizeof(float));
    free(g->block);
    *g = (struct guarded){0};
}

/* The root mean square of the error at most `most` of that of what is expected. */
static inline void assert_near(const float *got, const double *expected, size_t n, double most,
                               const char *what)
{
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)got[i] - expected[i]) * ((double)got[i] - expected[i]);
        power += expected[i] * expected[i];
    }
    if (!(error <= most * most * power)) {
        fail_msg("%s: relative error %.3g, at most %.0e", what, sqrt(error / power), most);
    }
}

static inline void assert_close(const float *got, const double *expected, size_t n,
                                const char *what)
{
    double error = 0, power = 0, worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = (double)got[i] - expected[i];
        error += d * d;
        power += expected[i] * expected[i];
        worst = fabs(d) > worst || isnan(d) ? fabs(d) : worst;
        largest = fabs(expected[i]) > largest ? fabs(expected[i]) : largest;
    }
    if (!(error <= MOST_NMSE * power) || !(worst <= MOST_ERROR * largest)) {
        fail_msg("%s: NMSE %.3g (at most %.0e), largest error %.3g of %.3g (at most %.0e)",
                 what, error / power, MOST_NMSE, worst, largest, MOST_ERROR);
    }
}

static inline void assert_same_bytes(const float *a, const float *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(&a[i], &b[i], sizeof a[i]) != 0) {
            fail_msg("%s: element %zu is %.9g, expected the bytes of %.9g", what, i,
                     (double)a[i], (double)b[i]);
        }
    }
}

/* In float64; the forms that keep the relative error far left of 0. */
static inline double act64(double x, ss_tensor_activation activation)
{
    switch (activation) {
    case SS_TENSOR_ACT_GELU:
        return x * 0.5 * erfc(-x / sqrt(2));
    case SS_TENSOR_ACT_GELU_TANH:
        return x / (1 + exp(-2 * sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case SS_TENSOR_ACT_RELU:
        return x > 0 ? x : 0;
    case SS_TENSOR_ACT_SILU:
        return x / (1 + exp(-x));
    case SS_TENSOR_ACT_TANH:
        return tanh(x);
    case SS_TENSOR_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    case SS_TENSOR_ACT_NONE:
    case SS_TENSOR_N_ACTIVATIONS:
    default:
        return x;
    }
}

static inline ss_work *make_work(size_t n_threads)
{
    ss_work *work = NULL;
    ss_err err;
    assert_int_equal(ss_work_new(n_threads, &work, &err), SS_OK);
    return work;
}

#endif
