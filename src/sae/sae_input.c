/* What becomes of embeddings before they are multiplied. Sums are made in double, in order. */
#include <math.h>
#include <string.h>

#include "sae/sae_priv.h"

#define NORM_EPSILON 1e-5F

/* Rows that are made together, so that their chains of additions overlap. */
enum { GROUP = 8 };

#define INPUT_INLINE static inline __attribute__((always_inline))

INPUT_INLINE void copy(const float *x, size_t n_rows, size_t width, float *out)
{
    memcpy(out, x, n_rows * width * sizeof *out);
}

/* (x - mean) / (s + 1e-5), s = sqrt(sum of squares / (D - 1)). */
INPUT_INLINE void normalize(const float *x, size_t n_rows, size_t width, float *out)
{
    double sums[GROUP] = {0}, squares[GROUP] = {0};
    float means[GROUP], scales[GROUP];
    for (size_t i = 0; i < width; i++) {
        for (size_t r = 0; r < n_rows; r++) {
            sums[r] += (double)x[r * width + i];
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        means[r] = (float)(sums[r] / (double)width);
    }
    for (size_t i = 0; i < width; i++) {
        for (size_t r = 0; r < n_rows; r++) {
            const float d = x[r * width + i] - means[r];
            squares[r] += (double)d * (double)d;
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        scales[r] = (float)sqrt(squares[r] / (double)(width - 1)) + NORM_EPSILON;
        for (size_t i = 0; i < width; i++) {
            out[r * width + i] = (x[r * width + i] - means[r]) / scales[r];
        }
    }
}

/* x sqrt(D) / |x|. A row of zeros has no such form and becomes NaN. */
INPUT_INLINE void scale_to_root_width(const float *x, size_t n_rows, size_t width, float *out)
{
    double squares[GROUP] = {0};
    for (size_t i = 0; i < width; i++) {
        for (size_t r = 0; r < n_rows; r++) {
            squares[r] += (double)x[r * width + i] * (double)x[r * width + i];
        }
    }
    for (size_t r = 0; r < n_rows; r++) {
        const float scale = (float)sqrt((double)width) / (float)sqrt(squares[r]);
        for (size_t i = 0; i < width; i++) {
            out[r * width + i] = x[r * width + i] * scale;
        }
    }
}

/* Inlined with a constant n_rows. */
INPUT_INLINE void make(const struct ss_sae *sae, const float *x, size_t n_rows, float *out)
{
    switch (sae->input) {
    case SS__INPUT_LAYER_NORM:
        normalize(x, n_rows, sae->width, out);
        break;
    case SS__INPUT_ROOT_WIDTH:
        scale_to_root_width(x, n_rows, sae->width, out);
        break;
    case SS__INPUT_PLAIN:
    case SS__N_SAE_INPUTS:
    default:
        copy(x, n_rows, sae->width, out);
        break;
    }
    for (size_t r = 0; r < n_rows && sae->subtracted != NULL; r++) {
        for (size_t i = 0; i < sae->width; i++) {
            out[r * sae->width + i] -= sae->subtracted[i];
        }
    }
}

static void make_all(const struct ss_sae *sae, const float *x, size_t n_rows, float *out)
{
    size_t r = 0;
    for (; r + GROUP <= n_rows; r += GROUP) {
        make(sae, x + r * sae->width, GROUP, out + r * sae->width);
    }
    for (; r < n_rows; r++) {
        make(sae, x + r * sae->width, 1, out + r * sae->width);
    }
}

/* NaN and infinity have all bits of the exponent. */
static bool is_finite_row(const float *x, size_t width)
{
    const uint32_t exponent = 0x7f800000U;
    uint32_t any = 0;
    for (size_t i = 0; i < width; i++) {
        uint32_t bits = 0;
        memcpy(&bits, x + i, sizeof bits);
        any |= (bits & exponent) == exponent;
    }
    return any == 0;
}

bool ss__sae_changes_input(const struct ss_sae *sae)
{
    return sae->input != SS__INPUT_PLAIN || sae->subtracted != NULL;
}

size_t ss__sae_prepare(const struct ss_sae *sae, const float *x, size_t n_rows, float *out)
{
    if (ss__sae_changes_input(sae)) {
        make_all(sae, x, n_rows, out);
    }
    for (size_t r = 0; r < n_rows; r++) {
        const size_t at = r * sae->width;
        if (!is_finite_row(x + at, sae->width) ||
            (ss__sae_changes_input(sae) && !is_finite_row(out + at, sae->width))) {
            return r;
        }
    }
    return n_rows;
}

/* |du| is at most this times the relative error of x: a plain u is off as x is; a norm divides
 * what is off and takes away the part of it that lies along u, so that it never grows. */
double ss__sae_input_reach(const ss_sae *sae, const float *x)
{
    double sum = 0, squares = 0, spread = 0;
    const double width = (double)sae->width;
    for (size_t i = 0; i < sae->width; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
    }
    for (size_t i = 0; i < sae->width; i++) {
        const double off = (double)x[i] - sum / width;
        spread += off * off;
    }
    switch (sae->input) {
    case SS__INPUT_LAYER_NORM:
        return sqrt(squares) / (sqrt(spread / (width - 1)) + (double)NORM_EPSILON);
    case SS__INPUT_ROOT_WIDTH:
        return sqrt(width);
    case SS__INPUT_PLAIN:
    case SS__N_SAE_INPUTS:
    default:
        return sqrt(squares);
    }
}
