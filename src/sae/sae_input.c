/* What becomes of an embedding before it is multiplied. Sums are made in double. */
#include <math.h>
#include <string.h>

#include "sae/sae_priv.h"

#define NORM_EPSILON 1e-5F

static void copy(const float *x, size_t width, float *out)
{
    memcpy(out, x, width * sizeof *out);
}

/* (x - mean) / (s + 1e-5), s = sqrt(sum of squares / (D - 1)). */
static void normalize(const float *x, size_t width, float *out)
{
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < width; i++) {
        sum += (double)x[i];
    }
    const float mean = (float)(sum / (double)width);
    for (size_t i = 0; i < width; i++) {
        out[i] = x[i] - mean;
        squares += (double)out[i] * (double)out[i];
    }
    const float scale = (float)sqrt(squares / (double)(width - 1)) + NORM_EPSILON;
    for (size_t i = 0; i < width; i++) {
        out[i] /= scale;
    }
}

/* x sqrt(D) / |x|. A row of zeros has no such form and becomes NaN. */
static void scale_to_root_width(const float *x, size_t width, float *out)
{
    double squares = 0;
    for (size_t i = 0; i < width; i++) {
        squares += (double)x[i] * (double)x[i];
    }
    const float scale = (float)sqrt((double)width) / (float)sqrt(squares);
    for (size_t i = 0; i < width; i++) {
        out[i] = x[i] * scale;
    }
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

void ss__sae_make_input(const struct ss_sae *sae, const float *x, float *out)
{
    static void (*const makers[SS__N_SAE_INPUTS])(const float *, size_t, float *) = {
        [SS__INPUT_PLAIN] = copy,
        [SS__INPUT_LAYER_NORM] = normalize,
        [SS__INPUT_ROOT_WIDTH] = scale_to_root_width,
    };
    makers[sae->input](x, sae->width, out);
    for (size_t i = 0; sae->subtracted != NULL && i < sae->width; i++) {
        out[i] -= sae->subtracted[i];
    }
}
