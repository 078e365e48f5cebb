/* What is usual in the run: between which values 98 % of a sample of its texts lie. A text outside
 * is unlike those that the run is about. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"
#include "web/viewer_priv.h"

static const double low_percentile = 1, high_percentile = 99;

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Between the two nearest, in proportion, as numpy.percentile has it; of a sorted list. */
static double percentile(const double *sorted, size_t n, double percent)
{
    const double at = percent / 100 * (double)(n - 1);
    const size_t below = (size_t)floor(at);
    const double next = sorted[below + 1 < n ? below + 1 : below];
    return sorted[below] + (next - sorted[below]) * (at - (double)below);
}

static struct ss_web_usual usual_of(double *values, size_t n)
{
    if (n == 0) {
        return (struct ss_web_usual){0};
    }
    ss__sort(values, n, sizeof *values, by_value);
    return (struct ss_web_usual){percentile(values, n, low_percentile),
                                 percentile(values, n, high_percentile), n};
}

/* Add what n rows of the evidence are like. */
static ss_status measure(const struct ss_web_api *api, size_t first, size_t n, double *fits,
                         double *active, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_folder_evidence *evidence = &api->source.evidence;
    const struct ss_sparse codes = ss_web_codes_of(evidence, first, n);
    const float *x = evidence->embeddings + first * evidence->width;
    float *y = NULL;
    for (size_t i = 0; i < n; i++) {
        active[i] = (double)(codes.offsets[i + 1] - codes.offsets[i]);
    }
    if (fits == NULL) {
        goto out;
    }
    SS_ALLOC_ALIGNED(y, n * evidence->width);
    SS_TRY(ss_web_decode(api, x, &codes, y, err));
    for (size_t i = 0; i < n; i++) {
        fits[i] =
            ss_web_cosine(x + i * evidence->width, y + i * evidence->width, evidence->width);
    }
out:
    ss__free(y);
    return status;
}

ss_status ss_web_need_usual(struct ss_web_api *api, ss_err *err)
{
    ss_status status = SS_OK;
    const struct ss_folder_evidence *evidence = &api->source.evidence;
    const size_t n = evidence->n_pool[0] + evidence->n_pool[1];
    double *fits = NULL, *active = NULL;
    if (api->has_usual || !api->source.has_evidence) {
        return SS_OK;
    }
    SS_ALLOC(active, n);
    if (ss_web_can_decode(api)) {
        SS_ALLOC(fits, n);
    }
    for (size_t half = 0, at = 0; half < 2; at += evidence->n_pool[half++]) {
        SS_TRY(measure(api, evidence->first[half], evidence->n_pool[half],
                       fits == NULL ? NULL : fits + at, active + at, err));
    }
    api->usual_fit = usual_of(fits, fits == NULL ? 0 : n);
    api->usual_active = usual_of(active, n);
    api->has_usual = true;
out:
    ss__free(fits);
    ss__free(active);
    return status;
}

void ss_web_put_usual(struct ss__json_writer *writer, const struct ss_web_usual *usual)
{
    if (usual->n > 0) {
        ss__put_number(writer, "usual_low", usual->low);
        ss__put_number(writer, "usual_high", usual->high);
    } else {
        ss__put_null(writer, "usual_low");
        ss__put_null(writer, "usual_high");
    }
}
