/* The evidence made ready: what every feature's label and score need, computed once. */
#include <math.h>
#include <string.h>

#include "describe/feature_sets.h"
#include "tensor/tensor.h"

static void find_mean(const struct ss_describe_view *view, double *sums)
{
    const struct ss_describe_evidence *evidence = view->evidence;
    const size_t n = view->n_pool[SS_STATS_DESCRIBE];
    for (size_t t = 0; t < n; t++) {
        const float *x = evidence->embeddings + t * evidence->width;
        for (size_t k = 0; k < evidence->width; k++) {
            sums[k] += (double)x[k];
        }
    }
    for (size_t k = 0; k < evidence->width && n > 0; k++) {
        view->mean[k] = (float)(sums[k] / (double)n);
    }
}

void ss_describe_centre(const struct ss_describe_view *view, const float *x, float *out)
{
    const size_t width = view->evidence->width;
    for (size_t k = 0; k < width; k++) {
        out[k] = x[k] - view->mean[k];
    }
    ss_describe_normalize(out, width, out);
}

enum { ROWS_OF_TASK = 256 };

static void centre_some(void *context, size_t index, size_t worker)
{
    const struct ss_describe_view *view = context;
    const struct ss_describe_evidence *evidence = view->evidence;
    const size_t end = ss__min_size((index + 1) * ROWS_OF_TASK, evidence->n_texts);
    (void)worker;
    for (size_t t = index * ROWS_OF_TASK; t < end; t++) {
        const float *x = evidence->embeddings + t * evidence->width;
        const float length = sqrtf(ss_tensor_sum_squares(x, evidence->width));
        view->lengths[t] = length > 0 ? length : 1;
        ss_describe_centre(view, x, view->centred + t * evidence->width);
    }
}

/* For each feature the texts of a half's pool in which it fires. */
static ss_status invert_codes(struct ss_describe_view *view, int half, ss_err *err)
{
    const struct ss_sparse *codes = view->evidence->codes;
    const size_t begin = view->evidence->first[half];
    const size_t end = begin + view->n_pool[half];
    size_t *offsets = NULL;
    SS_ALLOC_OR_RETURN(offsets, view->evidence->n_features + 2);
    view->active_offsets[half] = offsets;
    SS_ALLOC_OR_RETURN(view->active[half], codes->offsets[end] - codes->offsets[begin]);
    /* offsets[f + 2] counts, then offsets[f + 1] is where the next of f goes */
    for (size_t i = codes->offsets[begin]; i < codes->offsets[end]; i++) {
        offsets[codes->features[i] + 2]++;
    }
    for (size_t f = 2; f < view->evidence->n_features + 2; f++) {
        offsets[f] += offsets[f - 1];
    }
    for (size_t t = begin; t < end; t++) {
        for (size_t i = codes->offsets[t]; i < codes->offsets[t + 1]; i++) {
            view->active[half][offsets[codes->features[i] + 1]++] = (uint32_t)t;
        }
    }
    return SS_OK;
}

ss_status ss_describe_view_new(const struct ss_describe_evidence *evidence, ss_work *work,
                               struct ss_describe_view **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_describe_view *view = NULL;
    double *sums = NULL;
    *out = NULL;
    SS_ALLOC(view, 1);
    view->evidence = evidence;
    view->work = work;
    view->pool = ss_tensor_work_pool(work);
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        view->n_pool[half] = ss__min_size(evidence->n_pool[half], SS_DESCRIBE_POOL);
        SS_TRY(invert_codes(view, half, err));
    }
    SS_ALLOC(sums, evidence->width);
    SS_ALLOC(view->mean, evidence->width);
    SS_ALLOC(view->lengths, evidence->n_texts);
    SS_ALLOC(view->centred, evidence->n_texts * evidence->width);
    find_mean(view, sums);
    ss__pool_run(view->pool, ss__divide_up(evidence->n_texts, ROWS_OF_TASK), centre_some, view);
    SS_TRY(ss__pool_check(view->pool, err));
    *out = view;
    view = NULL;
out:
    ss__free(sums);
    ss_describe_view_free(view);
    return status;
}

void ss_describe_view_free(struct ss_describe_view *view)
{
    if (view == NULL) {
        return;
    }
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        ss__free(view->active_offsets[half]);
        ss__free(view->active[half]);
    }
    ss__free(view->mean);
    ss__free(view->lengths);
    ss__free(view->centred);
    ss__free(view);
}
