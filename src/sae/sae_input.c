/* Normalisation of embeddings before they are multiplied. Sums are made in double, in order.
 *
 * What the original computes in float32 with sums in an order of its library's is computed here
 * in double and rounded once, so that the result depends on neither the machine nor the group
 * that a row came in (docs/numerics.md, "SAEs"). It is done for GROUP rows at once: eight
 * chains of additions overlap where one would wait for itself. Whether a row is finite is noted
 * in the same pass. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

#define NORM_EPSILON 1e-5F

/* Rows whose sums are made together, so that their chains of additions overlap. */
enum { GROUP = 8 };

#define INPUT_INLINE static inline __attribute__((always_inline))

/* What a row is normalised with: its mean, and what it is divided by or multiplied with. */
struct scaling {
    float means[GROUP], scales[GROUP];
};

/* (x - mean) / (s + 1e-5), s = sqrt(sum of squares / (D - 1)): torch.std is unbiased, and the
 * seed adds its epsilon to s and not to the variance. The mean is rounded to float32 before it
 * is subtracted, as there. */
INPUT_INLINE void measure_layer_norm(const float *x, size_t n_rows, size_t width,
                                     struct scaling *scaling)
{
    double sums[GROUP] = {0}, squares[GROUP] = {0};
    for (size_t i = 0; i < width; i++) {
        for (size_t r = 0; r < n_rows; r++) {
            sums[r] += (double)x[r * width + i];
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        scaling->means[r] = (float)(sums[r] / (double)width);
    }
    for (size_t i = 0; i < width; i++) {
        for (size_t r = 0; r < n_rows; r++) {
            const float d = x[r * width + i] - scaling->means[r];
            squares[r] += (double)d * (double)d;
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        scaling->scales[r] = (float)sqrt(squares[r] / (double)(width - 1)) + NORM_EPSILON;
    }
}

/* x sqrt(D) / |x|. A row of zeros has no such form and becomes NaN, by which nothing fires, as
 * in the original. Not x / (|x| / sqrt(D)), which would round differently. */
INPUT_INLINE void measure_length(const float *x, size_t n_rows, size_t width,
                                 struct scaling *scaling)
{
    double squares[GROUP] = {0};
    for (size_t i = 0; i < width; i++) {
        for (size_t r = 0; r < n_rows; r++) {
            squares[r] += (double)x[r * width + i] * (double)x[r * width + i];
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        scaling->scales[r] = (float)sqrt((double)width) / (float)sqrt(squares[r]);
    }
}

static void measure(const struct ss_sae_parameters *p, const float *x, size_t n_rows,
                    struct scaling *scaling)
{
    const bool is_whole = n_rows == GROUP; /* inlined with a constant number of rows */
    if (p->input == SS_SAE_INPUT_LAYER_NORM && is_whole) {
        measure_layer_norm(x, GROUP, p->width, scaling);
    } else if (p->input == SS_SAE_INPUT_LAYER_NORM) {
        measure_layer_norm(x, n_rows, p->width, scaling);
    } else if (p->input == SS_SAE_INPUT_ROOT_WIDTH && is_whole) {
        measure_length(x, GROUP, p->width, scaling);
    } else if (p->input == SS_SAE_INPUT_ROOT_WIDTH) {
        measure_length(x, n_rows, p->width, scaling);
    }
}

/* NaN and infinity have all bits of the exponent. Integers, so that a loop over a row is
 * vectorised and no comparison with NaN is needed. */
INPUT_INLINE uint32_t is_infinite(float x)
{
    const uint32_t exponent = 0x7f800000U;
    uint32_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    return (bits & exponent) == exponent;
}

/* One row, inlined with a constant input; whether all of it is finite, which it is only where x
 * is. */
INPUT_INLINE bool normalise_row(const struct ss_sae_parameters *p, ss_sae_input input,
                                const float *x, float mean, float scale, float *out)
{
    const float *subtracted = p->subtracted;
    uint32_t any = 0;
    for (size_t i = 0; i < p->width; i++) {
        const float made = input == SS_SAE_INPUT_LAYER_NORM   ? (x[i] - mean) / scale
                           : input == SS_SAE_INPUT_ROOT_WIDTH ? x[i] * scale
                                                              : x[i];
        out[i] = subtracted == NULL ? made : made - subtracted[i];
        any |= is_infinite(out[i]);
    }
    return any == 0;
}

static bool normalise(const struct ss_sae_parameters *p, const float *x,
                      const struct scaling *scaling, size_t r, float *out)
{
    switch (p->input) {
    case SS_SAE_INPUT_LAYER_NORM:
        return normalise_row(p, SS_SAE_INPUT_LAYER_NORM, x, scaling->means[r],
                             scaling->scales[r], out);
    case SS_SAE_INPUT_ROOT_WIDTH:
        return normalise_row(p, SS_SAE_INPUT_ROOT_WIDTH, x, 0, scaling->scales[r], out);
    case SS_SAE_INPUT_PLAIN:
    case SS_SAE_N_SAE_INPUTS:
    default:
        return normalise_row(p, SS_SAE_INPUT_PLAIN, x, 0, 1, out);
    }
}

static bool is_finite_row(const float *x, size_t width)
{
    uint32_t any = 0;
    for (size_t i = 0; i < width; i++) {
        any |= is_infinite(x[i]);
    }
    return any == 0;
}

static bool is_zero_row(const float *x, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        if (x[i] != 0) {
            return false;
        }
    }
    return true;
}

/* For messages: was the embedding bad, or what was made of it? */
bool ss_sae_is_finite_row(const struct ss_sae_parameters *p, const float *x)
{
    return is_finite_row(x, p->width);
}

bool ss_sae_changes_input(const struct ss_sae_parameters *p)
{
    return p->input != SS_SAE_INPUT_PLAIN || p->subtracted != NULL;
}

/* Rows that do not change are only looked through, so that out may be NULL. */
size_t ss_sae_prepare_rows(const struct ss_sae_parameters *p, const float *x, size_t n_rows,
                           float *out)
{
    const size_t width = p->width;
    struct scaling scaling;
    for (size_t r = 0; r < n_rows; r++) {
        const size_t at = r * width;
        if (!ss_sae_changes_input(p)) {
            if (!is_finite_row(x + at, width)) {
                return r;
            }
            continue;
        }
        if (r % GROUP == 0) {
            measure(p, x + at, ss__min_size(GROUP, n_rows - r), &scaling);
        }
        if (!normalise(p, x + at, &scaling, r % GROUP, out + at) &&
            !(p->input == SS_SAE_INPUT_ROOT_WIDTH && is_zero_row(x + at, width))) {
            return r;
        }
    }
    return n_rows;
}

/* |du| is at most this times the relative error of x: a plain u is off as x is; a norm divides
 * what is off and takes away the part of it that lies along u, so that it never grows. Derived
 * in docs/numerics.md, "Fire sets at high" (the error of h). */
double ss_sae_input_sensitivity(const struct ss_sae_parameters *p, const float *x)
{
    double sum = 0, squares = 0, spread = 0;
    const double width = (double)p->width;
    for (size_t i = 0; i < p->width; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    for (size_t i = 0; i < p->width; i++) {
        const double off = (double)x[i] - sum / width;
        spread += off * off;
    }
    switch (p->input) {
    case SS_SAE_INPUT_LAYER_NORM:
        return sqrt(squares) / (sqrt(spread / (width - 1)) + (double)NORM_EPSILON);
    case SS_SAE_INPUT_ROOT_WIDTH:
        return sqrt(width);
    case SS_SAE_INPUT_PLAIN:
    case SS_SAE_N_SAE_INPUTS:
    default:
        return sqrt(squares);
    }
}
