/* What a phrase is worth as a label, on the describe half:
 *
 *   worth = random + 0.3 near + 0.4 probe + 0.02 min(z, 6)
 *
 * random and near are areas under the ROC curve of its centred cosine with the describing texts
 * against texts on which the feature does not fire. The areas of some eighty texts are noisy;
 * probe is the correlation, over all texts of the pool, with what a linear probe of the feature
 * says of them, which holds on other texts better than any phrase does. z keeps labels
 * readable: without it words such as "shown" are found. */
#include <math.h>
#include <string.h>

#include "describe/contrast.h"

static const double weight_near = 0.3;
static const double weight_probe = 0.4;
static const double weight_z = 0.02;
static const double largest_z = 6;

double ss_describe_worth_of_z(double z, size_t n_phrases)
{
    return weight_z * fmin(z, largest_z) / (double)n_phrases;
}

void ss_describe_learn(const struct ss_describe_contrasting *work,
                       struct ss_describe_labelling *labelling, size_t worker)
{
    const struct ss_describe_view *view = work->view;
    const size_t width = view->evidence->width;
    const size_t n = view->n_pool[SS_STATS_DESCRIBE];
    float *w = work->rooms[worker];
    double sum = 0;
    if (work->probe.lower == NULL) { /* too wide: towards the mean of the texts */
        ss_describe_centre(view, labelling->sets.centroid, w);
    } else {
        ss_describe_probe_fit(&work->probe, view, &labelling->sets, work->solving[worker], w);
    }
    for (size_t i = 0; i < n; i++) {
        labelling->probe[i] = ss_tensor_dot(view->centred + i * width, w, width);
        sum += (double)labelling->probe[i];
    }
    for (size_t i = 0; i < n; i++) {
        labelling->probe[i] -= (float)(sum / (double)n);
    }
    ss_describe_normalize(labelling->probe, n, labelling->probe);
}

static double area_of(const struct ss_describe_set *idle,
                      const struct ss_describe_ruler *positives, const float *pool,
                      size_t most_idle)
{
    const size_t n_idle = ss__min_size(idle->n, most_idle);
    const double n = (double)positives->n;
    uint64_t twice = 0; /* ties count half */
    for (size_t i = 0; i < n_idle; i++) {
        twice += ss_describe_count_twice(positives, pool[idle->rows[i]]);
    }
    return n_idle > 0 && n > 0 ? (double)twice / (2 * (double)n_idle * n) : 0.5;
}

double ss_describe_worth_of(const struct ss_describe_labelling *labelling,
                            const float *positives, const float *pool, size_t n_pool,
                            size_t most_idle)
{
    const struct ss_describe_set *negatives = labelling->sets.negatives[SS_STATS_DESCRIBE];
    struct ss_describe_ruler ruler;
    const double squares = (double)ss_tensor_sum_squares(pool, n_pool);
    const double probe =
        squares > 0 ? (double)ss_tensor_dot(pool, labelling->probe, n_pool) / sqrt(squares) : 0;
    ss_describe_ruler_init(&ruler, positives, labelling->sets.describe.n);
    return area_of(&negatives[SS_DESCRIBE_RANDOM], &ruler, pool, most_idle) +
           weight_near * area_of(&negatives[SS_DESCRIBE_NEAR], &ruler, pool, most_idle) +
           weight_probe * probe;
}

void ss_describe_compare(const struct ss_describe_contrasting *work,
                         const struct ss_describe_labelling *labelling, size_t row, float *out)
{
    const size_t width = work->view->evidence->width;
    const size_t n_pool = work->view->n_pool[SS_STATS_DESCRIBE];
    const float *products = work->keeps ? work->candidate_products : work->products;
    for (size_t i = 0; i < labelling->sets.describe.n; i++) {
        const uint32_t text = labelling->sets.describe.rows[i];
        out[i] = text < n_pool ? products[row * n_pool + text]
                               : ss_tensor_dot(work->view->centred + text * width,
                                               work->vectors + row * width, width);
    }
}

/* ---- trials ---- */

void ss_describe_begin_trials(struct ss_describe_contrasting *work)
{
    work->n_trials = 0;
    work->n_rows = 0;
}

ss_status ss_describe_add_trial(struct ss_describe_contrasting *work,
                                struct ss_describe_labelling *labelling, uint32_t candidate,
                                uint32_t row, ss_err *err)
{
    SS_GROW_OR_RETURN(work->trials, work->trials_room, work->n_trials + 1);
    work->trials[work->n_trials++] =
        (struct ss_describe_trial){.labelling = labelling, .candidate = candidate, .row = row};
    labelling->n_trials++;
    return SS_OK;
}

void ss_describe_place(struct ss_describe_contrasting *work, const float *x, size_t row)
{
    const struct ss_describe_view *view = work->view;
    const size_t width = view->evidence->width;
    double squares = 0;
    for (size_t k = 0; k < width; k++) {
        const double left = (double)x[k] - (double)view->mean[k];
        squares += left * left;
    }
    work->lengths[row] = (float)sqrt(squares);
    ss_describe_centre(view, x, work->vectors + row * width);
}

static void measure_trial(void *context, size_t index, size_t worker)
{
    const struct ss_describe_contrasting *work = context;
    struct ss_describe_trial *trial = &work->trials[index];
    struct ss_describe_labelling *labelling = trial->labelling;
    const size_t n = labelling->sets.describe.n;
    const size_t n_pool = work->view->n_pool[SS_STATS_DESCRIBE];
    float *positives = work->rooms[worker];
    ss_describe_compare(work, labelling, trial->row, positives);
    if (work->keeps) {
        memcpy(labelling->similarities + trial->candidate * n, positives,
               n * sizeof *positives);
    }
    const float *products = work->keeps ? work->candidate_products : work->products;
    ss_describe_sort(positives, n);
    trial->worth = ss_describe_worth_of(labelling, positives, products + trial->row * n_pool,
                                        n_pool, SIZE_MAX);
}

ss_status ss_describe_measure(struct ss_describe_contrasting *work, ss_err *err)
{
    const struct ss_tensor_epilogue end = {0};
    const size_t n_pool = work->view->n_pool[SS_STATS_DESCRIBE];
    if (work->n_trials == 0) {
        return SS_OK;
    }
    if (work->keeps) {
        SS_GROW_OR_RETURN(work->candidate_products, work->candidate_products_room,
                          work->n_rows * n_pool);
    } else {
        SS_GROW_OR_RETURN(work->products, work->products_room, work->n_rows * n_pool);
    }
    SS_RETURN_IF_ERROR(
        ss_tensor_linear(work->view->work, &work->pool, work->vectors, work->n_rows,
                         work->keeps ? work->candidate_products : work->products, &end, err));
    ss__pool_run(work->view->pool, work->n_trials, measure_trial, work);
    return ss__pool_check(work->view->pool, err);
}
