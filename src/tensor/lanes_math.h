/* Functions of 16 lanes, the same operations in the same order for every instruction set.
 * Included after one of lanes_*.h.
 *
 * exp2   2^y with y = n + r, |r| ≤ 1/2: 2^n from the exponent bits, 2^r = 1 + r p(r), p of
 *        degree 5 minimax (relative error 2e-9 before rounding).
 * gelu   x Φ(x) = max(x, 0) - a Φ(-a) with a = |x|, and Φ(-a) = 2^(a q(a) - 1) with q of degree
 *        7, fitted so that the error of a Φ(-a) is at most 5e-8 before rounding. Near 0 the
 *        form x - x Φ(-x) keeps the relative error.
 * tanh   x + x³ p(x²) below 0.625, else (1 - e) / (1 + e) with e = exp(-2|x|).
 * The coefficients come from weighted minimax fits in float64, rounded to float32. */
#ifndef SS_TENSOR_LANES_MATH_H
#define SS_TENSOR_LANES_MATH_H

#include "tensor/tensor.h"

/* Adding it leaves the nearest integer in the low bits. */
#define LANES_ROUNDER 12582912.0F /* 1.5 · 2^23 */
#define LANES_LOG2_E 1.44269502F
#define LANES_LOG2_E_REST 1.92596303e-8F /* log2(e) - LANES_LOG2_E */
#define LANES_LEAST_EXPONENT (-126.0F)   /* below it results would be subnormal */

/* c[0] + c[1] x + … by Horner. */
LANES_INLINE lanes lanes_polynomial(lanes x, const float *c, size_t n)
{
    lanes sum = lanes_set(c[n - 1]);
    for (size_t i = n - 1; i-- > 0;) {
        sum = lanes_fma(sum, x, lanes_set(c[i]));
    }
    return sum;
}

/* 2^(n + r), n in the low bits of `shifted`. */
LANES_INLINE lanes lanes_exp2_parts(lanes shifted, lanes r)
{
    static const float c[] = {0x1p0F,         0x1.62e430p-1F,  0x1.ebfbdcp-3F, 0x1.c6aee8p-5F,
                              0x1.3b2d4cp-7F, 0x1.5f3e54p-10F, 0x1.41fbbcp-13F};
    return lanes_mul(lanes_polynomial(r, c, sizeof c / sizeof c[0]), lanes_pow2(shifted));
}

/* 2^y for y ≤ 127; not below 2^-126. */
LANES_INLINE lanes lanes_exp2(lanes y)
{
    const lanes bounded = lanes_max(lanes_set(LANES_LEAST_EXPONENT), y);
    const lanes shifted = lanes_add(bounded, lanes_set(LANES_ROUNDER));
    const lanes n = lanes_sub(shifted, lanes_set(LANES_ROUNDER));
    return lanes_exp2_parts(shifted, lanes_sub(bounded, n));
}

/* e^x for x ≤ 0; 0 where the result would be subnormal. */
LANES_INLINE lanes lanes_exp_negative(lanes x)
{
    const lanes least = lanes_set(-87.33654F);
    const lanes bounded = lanes_max(least, x);
    const lanes shifted = lanes_fma(bounded, lanes_set(LANES_LOG2_E), lanes_set(LANES_ROUNDER));
    const lanes n = lanes_sub(shifted, lanes_set(LANES_ROUNDER));
    lanes r = lanes_fma(bounded, lanes_set(LANES_LOG2_E), lanes_sub(lanes_set(0.0F), n));
    r = lanes_fma(bounded, lanes_set(LANES_LOG2_E_REST), r);
    return lanes_less(x, least, lanes_set(0.0F), lanes_exp2_parts(shifted, r));
}

/* By the tail a Φ(-a) and not by erf, which would cancel for large negative x; the tail is even
 * in x, so one polynomial serves both signs. */
LANES_INLINE lanes lanes_gelu(lanes x)
{
    static const float q[] = {-1.1511094570159912F,     -0.45915961265563965F,
                              -0.05267193168401718F,    0.007350476458668709F,
                              -0.00037713575875386596F, -7.985517004271969e-05F,
                              1.581257674843073e-05F,   -7.855907142584329e-07F};
    const lanes a = lanes_magnitude(x);
    const lanes p = lanes_polynomial(a, q, sizeof q / sizeof q[0]);
    const lanes tail = lanes_exp2(lanes_fma(a, p, lanes_set(-1.0F)));
    const lanes part = lanes_max(lanes_set(0.0F), x);
    return lanes_fma(lanes_sub(lanes_set(0.0F), a), tail, part);
}

/* By exp of a number that is not above 0, which cannot overflow: e / (1 + e) below 0, 1 / (1 +
 * e) above. */
LANES_INLINE lanes lanes_sigmoid(lanes x)
{
    const lanes one = lanes_set(1.0F), zero = lanes_set(0.0F);
    const lanes e = lanes_exp_negative(lanes_sub(zero, lanes_magnitude(x)));
    return lanes_div(lanes_less(x, zero, e, one), lanes_add(one, e));
}

/* Two forms, both evaluated: near 0 the quotient would lose digits by cancellation, far from it
 * the polynomial does not hold. */
LANES_INLINE lanes lanes_tanh(lanes x)
{
    static const float c[] = {-0.3333326280117035F, 0.1333089917898178F, -0.053692955523729324F,
                              0.02048327773809433F, -0.005528591573238373F};
    const lanes one = lanes_set(1.0F), zero = lanes_set(0.0F);
    const lanes a = lanes_magnitude(x), square = lanes_mul(x, x);
    const lanes p = lanes_polynomial(square, c, sizeof c / sizeof c[0]);
    const lanes near = lanes_fma(lanes_mul(square, x), p, x);
    const lanes e = lanes_exp_negative(lanes_mul(lanes_set(-2.0F), a));
    const lanes far = lanes_div(lanes_sub(one, e), lanes_add(one, e));
    const lanes signed_far = lanes_less(x, zero, lanes_sub(zero, far), far);
    return lanes_less(a, lanes_set(0.625F), near, signed_far);
}

/* x/2 (1 + tanh(u)) = x sigmoid(2u), u = √(2/π) (x + 0.044715 x³). */
LANES_INLINE lanes lanes_gelu_tanh(lanes x)
{
    const lanes cubic = lanes_mul(lanes_mul(x, x), lanes_set(0.044715F));
    const lanes twice_u = lanes_mul(lanes_set(1.5957691216F), lanes_fma(cubic, x, x));
    return lanes_mul(x, lanes_sigmoid(twice_u));
}

LANES_INLINE lanes lanes_activate(lanes x, ss_tensor_activation activation)
{
    switch (activation) {
    case SS_TENSOR_ACT_GELU:
        return lanes_gelu(x);
    case SS_TENSOR_ACT_GELU_TANH:
        return lanes_gelu_tanh(x);
    case SS_TENSOR_ACT_RELU:
        return lanes_max(lanes_set(0.0F), x);
    case SS_TENSOR_ACT_SILU:
        return lanes_mul(x, lanes_sigmoid(x));
    case SS_TENSOR_ACT_TANH:
        return lanes_tanh(x);
    case SS_TENSOR_ACT_SIGMOID:
        return lanes_sigmoid(x);
    case SS_TENSOR_ACT_NONE:
    case SS_TENSOR_N_ACTIVATIONS:
    default:
        return x;
    }
}

/* LANES_WITH_ACTIVATION(act, f): a switch that calls f with the activation as a constant. */
#define LANES_ACTIVATION_CASE(activation, call)                                                \
    case activation:                                                                           \
        call(activation);                                                                      \
        break

#define LANES_WITH_ACTIVATION(activation, call)                                                \
    switch (activation) {                                                                      \
        LANES_ACTIVATION_CASE(SS_TENSOR_ACT_GELU, call);                                       \
        LANES_ACTIVATION_CASE(SS_TENSOR_ACT_GELU_TANH, call);                                  \
        LANES_ACTIVATION_CASE(SS_TENSOR_ACT_RELU, call);                                       \
        LANES_ACTIVATION_CASE(SS_TENSOR_ACT_SILU, call);                                       \
        LANES_ACTIVATION_CASE(SS_TENSOR_ACT_TANH, call);                                       \
        LANES_ACTIVATION_CASE(SS_TENSOR_ACT_SIGMOID, call);                                    \
        LANES_ACTIVATION_CASE(SS_TENSOR_ACT_NONE, call);                                       \
    case SS_TENSOR_N_ACTIVATIONS:                                                              \
    default:                                                                                   \
        break;                                                                                 \
    }

#endif
