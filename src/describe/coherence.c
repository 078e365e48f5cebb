/* How much the texts that hold a phrase are about one thing: the mean cosine of all pairs of
 * them, after the mean of the pool was subtracted,
 *
 *   c = (|Σ x|² - n + k c0) / (n (n - 1) + k)
 *
 * pulled towards c0 as by k pairs more, since few texts say little. Names of things lie at 0.1
 * and above; words that texts on anything hold ("shown", "possess", "obtained") near 0. A label
 * made of those is no use to a reader even where it tells these texts from others by chance. */
#include "describe/candidates.h"
#include "tensor/tensor.h"

enum { LEAST_COUNT = 3 }; /* texts of the pool; of fewer nothing is said */
static const double usual = 0.1;
static const double weight_of_usual = 20;

struct holders {
    const struct ss_describe_view *view;
    const uint32_t *counts; /* [phrases] */
    uint32_t *phrases;      /* [n] those that enough texts hold */
    size_t *offsets;        /* [n + 1] into rows */
    uint32_t *rows;         /* of the pool */
    size_t n;
    float **sums; /* [threads, width] */
    float *out;   /* [phrases] */
};

static void measure(void *context, size_t i, size_t worker)
{
    const struct holders *holders = context;
    const struct ss_describe_view *view = holders->view;
    const size_t width = view->evidence->width;
    const double n = (double)(holders->offsets[i + 1] - holders->offsets[i]);
    float *sum = holders->sums[worker];
    for (size_t k = 0; k < width; k++) {
        sum[k] = 0;
    }
    for (size_t at = holders->offsets[i]; at < holders->offsets[i + 1]; at++) {
        ss_tensor_add_to(sum, view->centred + holders->rows[at] * width, width);
    }
    const double pairs = (double)ss_tensor_sum_squares(sum, width) - n;
    holders->out[holders->phrases[i]] =
        (float)((pairs + weight_of_usual * usual) / (n * (n - 1) + weight_of_usual));
}

/* number [phrases]: the place of a phrase + 1; the rows behind offsets. */
static ss_status list_holders(const struct ss_describe_phrases *phrases, size_t n_pool,
                              struct holders *holders, uint32_t *number, ss_err *err)
{
    size_t n = 0;
    for (uint32_t p = 0; p < phrases->n; p++) {
        holders->out[p] = 1;
        if (holders->counts[p] >= LEAST_COUNT) {
            number[p] = (uint32_t)++n;
        }
    }
    holders->n = n;
    SS_ALLOC_OR_RETURN(holders->phrases, n);
    SS_ALLOC_OR_RETURN(holders->offsets, n + 2);
    for (uint32_t p = 0; p < phrases->n; p++) {
        if (number[p] != 0) {
            holders->phrases[number[p] - 1] = p;
            holders->offsets[number[p] + 1] = holders->counts[p];
        }
    }
    for (size_t i = 0; i < n; i++) {
        holders->offsets[i + 2] += holders->offsets[i + 1];
    }
    SS_ALLOC_OR_RETURN(holders->rows, holders->offsets[n + 1]);
    for (size_t t = 0; t < n_pool; t++) {
        for (size_t at = phrases->offsets[t]; at < phrases->offsets[t + 1]; at++) {
            const uint32_t i = number[phrases->list[at]];
            if (i != 0) { /* afterwards offsets[i] is where phrase i ends */
                holders->rows[holders->offsets[i]++] = (uint32_t)t;
            }
        }
    }
    return SS_OK;
}

ss_status ss_describe_find_coherence(const struct ss_describe_view *view,
                                     const struct ss_describe_phrases *phrases,
                                     const uint32_t *pool_counts, float *out, ss_err *err)
{
    ss_status status = SS_OK;
    struct holders holders = {.view = view, .counts = pool_counts, .out = out};
    const size_t n_threads = ss__pool_n_threads(view->pool);
    uint32_t *number = NULL;
    SS_ALLOC(number, phrases->n);
    SS_TRY(list_holders(phrases, view->n_pool[SS_STATS_DESCRIBE], &holders, number, err));
    SS_ALLOC(holders.sums, n_threads);
    for (size_t i = 0; i < n_threads; i++) {
        SS_ALLOC(holders.sums[i], view->evidence->width);
    }
    ss__pool_run(view->pool, holders.n, measure, &holders);
    SS_TRY(ss__pool_check(view->pool, err));
out:
    for (size_t i = 0; holders.sums != NULL && i < n_threads; i++) {
        ss__free(holders.sums[i]);
    }
    ss__free(holders.sums);
    ss__free(holders.phrases);
    ss__free(holders.offsets);
    ss__free(holders.rows);
    ss__free(number);
    return status;
}
