/* What it takes to have a rough product point out the sums of floats that are worth making: the
 * error of its operands, and weights by row. With u' and w' for u and w rounded,
 *
 *   |u w - u' w'| <= |u - u'| |w| + |u'| |w - w'|
 *
 * holds for the exact sums; what the additions of either product leave is ss_tensor_sum_error.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/tensor_priv.h"

bool ss_tensor_has_rough(void)
{
    return strcmp(ss_tensor_kernels()->of[SS_PRECISION_MEDIUM]->name, "bf16") == 0;
}

/* To the nearest with 8 bits, even ones where two are as near; denormals are 0. */
static float round_to_bf16(float x)
{
    uint32_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits & 0x7f800000U) == 0 ? 0 : bits + 0x7fffU + ((bits >> 16) & 1);
    bits &= 0xffff0000U;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* In lanes, so that the additions of a row do not wait for each other. */
struct ss_tensor_rounding ss_tensor_round_bf16(const float *x, size_t n)
{
    enum { N_LANES = 8 };
    double squares[N_LANES] = {0}, errors[N_LANES] = {0};
    struct ss_tensor_rounding out = {0};
    for (size_t i = 0; i < n; i += N_LANES) {
        const size_t n_here = ss__min_size(N_LANES, n - i);
        for (size_t j = 0; j < n_here; j++) {
            const double off = (double)x[i + j] - (double)round_to_bf16(x[i + j]);
            squares[j] += (double)x[i + j] * (double)x[i + j];
            errors[j] += off * off;
        }
    }
    for (size_t j = 0; j < N_LANES; j++) {
        out.norm += squares[j];
        out.error += errors[j];
    }
    return (struct ss_tensor_rounding){sqrt(out.norm), sqrt(out.error)};
}

/* Each of n additions is off by 2^-24 of what it gives at most, which is no more than the norms'
 * product: once in chains of floats, once in those of the unit; and a few for the blocks. */
double ss_tensor_sum_error(size_t n)
{
    return (2 * (double)n + 64) * 0x1p-24;
}

void ss_tensor_matrix_unpack(const struct ss_tensor_matrix *matrix, size_t first, size_t n,
                             float *out)
{
    const size_t cols = matrix->multiplier->tile_cols, n_in = matrix->n_in;
    for (size_t r = 0; r < n; r++) {
        const size_t lane = (first + r) % cols;
        const float *panel = (const float *)matrix->panels + (first + r - lane) * n_in;
        for (size_t k = 0; k < n_in; k++) {
            out[r * n_in + k] = panel[k * cols + lane];
        }
    }
}
