/* Features of two SAEs matched by their decoder directions: each other's nearest. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "run/diff.h"
#include "sae/sae.h"

struct directions {
    ss_sae *sae;
    float *rows; /* [n, width] of unit length, or 0 */
    size_t n, width;
};

static ss_status open_directions(const char *path, struct directions *out, ss_err *err)
{
    const struct ss_sae_options options = {.struct_size = sizeof options,
                                           .batchtopk_rule = SS_BATCHTOPK_ROW_TOPK};
    const float *decoder = NULL;
    SS_RETURN_IF_ERROR(
        ss_sae_open_decoder(path, &options, &out->sae, &decoder, &out->width, err));
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_sae_describe(out->sae, &info);
    out->n = info.n_features;
    SS_ALLOC_ALIGNED_OR_RETURN(out->rows, out->n * out->width);
    for (size_t f = 0; f < out->n; f++) {
        const float *from = decoder + f * out->width;
        double square = 0;
        for (size_t i = 0; i < out->width; i++) {
            square += (double)from[i] * (double)from[i];
        }
        const double factor = square > 0 ? 1 / sqrt(square) : 0;
        for (size_t i = 0; i < out->width; i++) {
            out->rows[f * out->width + i] = (float)((double)from[i] * factor);
        }
    }
    return SS_OK;
}

static void close_directions(struct directions *directions)
{
    ss__free(directions->rows);
    ss_sae_free(directions->sae);
}

/* Eight sums side by side, joined in a fixed order. */
static float dot(const float *a, const float *b, size_t n)
{
    float sums[8] = {0}, rest = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (size_t k = 0; k < 8; k++) {
            sums[k] += a[i + k] * b[i + k];
        }
    }
    for (; i < n; i++) {
        rest += a[i] * b[i];
    }
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
           ((sums[2] + sums[6]) + (sums[3] + sums[7])) + rest;
}

struct nearest {
    size_t feature;
    float cosine;
};

/* Of every feature of both the nearest one of the other; equal ones: the lower number. */
static void find_nearest(const struct directions *a, const struct directions *b,
                         struct nearest *of_a, struct nearest *of_b)
{
    const struct nearest none = {SS_NO_FEATURE, -2};
    for (size_t i = 0; i < a->n; i++) {
        of_a[i] = none;
    }
    for (size_t k = 0; k < b->n; k++) {
        of_b[k] = none;
    }
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < b->n; k++) {
            const float cosine = dot(a->rows + i * a->width, b->rows + k * b->width, a->width);
            if (cosine > of_a[i].cosine) {
                of_a[i] = (struct nearest){k, cosine};
            }
            if (cosine > of_b[k].cosine) {
                of_b[k] = (struct nearest){i, cosine};
            }
        }
    }
}

ss_status ss_run_diff_match(const char *sae_a, const char *sae_b, size_t *match_a,
                            double *cosines, ss_err *err)
{
    ss_status status = SS_OK;
    struct directions a = {0}, b = {0};
    struct nearest *of_a = NULL, *of_b = NULL;
    SS_TRY(open_directions(sae_a, &a, err));
    SS_TRY(open_directions(sae_b, &b, err));
    if (a.width != b.width) {
        SS_FAIL_FILE(sae_b, SS_E_SHAPE,
                     "its decoder has %zu numbers for a feature, that of %s %zu: they are of "
                     "different encoders",
                     b.width, sae_a, a.width);
    }
    SS_ALLOC(of_a, a.n);
    SS_ALLOC(of_b, b.n);
    find_nearest(&a, &b, of_a, of_b);
    for (size_t i = 0; i < a.n; i++) {
        const bool is_mutual =
            of_a[i].feature != SS_NO_FEATURE && of_b[of_a[i].feature].feature == i;
        match_a[i] = is_mutual ? of_a[i].feature : SS_NO_FEATURE;
        cosines[i] = is_mutual ? (double)of_a[i].cosine : 0;
    }
out:
    ss__free(of_a);
    ss__free(of_b);
    close_directions(&a);
    close_directions(&b);
    return status;
}
