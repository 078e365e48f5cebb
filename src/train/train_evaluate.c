/* Figures of an SAE on rows: what of them it reconstructs, how many features fire, and whether
 * neighbours stay neighbours. All sums are made in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sort.h"
#include "train/train_evaluate.h"
#include "train/train_priv.h"

enum { BLOCK_ROWS = 128 };

/* ---- reconstruction ---- */

struct sums {
    double error, variance, cosine, norm_ratio, y_squares, products;
};

static double row_dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static void add_row(const float *x, const float *y, size_t d, struct sums *sums)
{
    const double xx = row_dot(x, x, d), yy = row_dot(y, y, d), xy = row_dot(x, y, d);
    for (size_t i = 0; i < d; i++) {
        const double off = (double)y[i] - (double)x[i];
        sums->error += off * off;
    }
    sums->cosine += xy / fmax(sqrt(xx) * sqrt(yy), 1e-8);
    sums->norm_ratio += sqrt(yy) / sqrt(xx);
    sums->y_squares += yy;
    sums->products += xy;
}

static double variance_of(const float *x, size_t n, size_t d)
{
    double variance = 0;
    for (size_t i = 0; i < d; i++) {
        double mean = 0;
        for (size_t r = 0; r < n; r++) {
            mean += (double)x[r * d + i];
        }
        mean /= (double)n;
        for (size_t r = 0; r < n; r++) {
            const double off = (double)x[r * d + i] - mean;
            variance += off * off;
        }
    }
    return variance;
}

static struct sums compare(const float *x, const float *y, size_t n, size_t d)
{
    struct sums sums = {.variance = variance_of(x, n, d)};
    for (size_t r = 0; r < n; r++) {
        add_row(x + r * d, y + r * d, d, &sums);
    }
    return sums;
}

static void measure_reconstruction(const struct ss_train_evaluated *in,
                                   struct ss_train_evaluation *out)
{
    const size_t n = in->n_rows, d = in->width;
    const double n_numbers = (double)n * (double)d;
    const struct sums plain = compare(in->x, in->y, n, d);
    const struct sums normalised = compare(in->x_normalised, in->y_normalised, n, d);
    out->mse = plain.error / n_numbers;
    out->mse_normalised = normalised.error / n_numbers;
    out->fvu = plain.error / plain.variance;
    out->explained_variance = 1 - out->fvu;
    out->explained_variance_normalised = 1 - normalised.error / normalised.variance;
    out->cosine = plain.cosine / (double)n;
    out->norm_ratio = plain.norm_ratio / (double)n;
    out->reconstruction_bias = plain.y_squares / plain.products;
}

/* ---- activations ---- */

static int compare_counts(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear interpolation between the two nearest, as numpy.percentile. */
static double percentile(const double *sorted, size_t n, double percent)
{
    const double at = percent / 100 * (double)(n - 1);
    const size_t low = (size_t)at, high = ss__min_size(low + 1, n - 1);
    return sorted[low] + (sorted[high] - sorted[low]) * (at - (double)low);
}

/* Counts in equal bins over the values' own range, as numpy.histogram. */
static void count_bins(const double *values, size_t n, struct ss_train_evaluation *out)
{
    double low = values[0], high = values[0];
    for (size_t i = 1; i < n; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    if (low == high) {
        low -= 0.5;
        high += 0.5;
    }
    const double step = (high - low) / SS_TRAIN_DENSITY_BINS;
    for (size_t i = 0; i < n; i++) {
        size_t bin = (size_t)((values[i] - low) / (high - low) * SS_TRAIN_DENSITY_BINS);
        bin = ss__min_size(bin, SS_TRAIN_DENSITY_BINS - 1);
        if (values[i] < low + step * (double)bin) {
            bin--;
        } else if (bin + 1 < SS_TRAIN_DENSITY_BINS &&
                   values[i] >= low + step * (double)(bin + 1)) {
            bin++;
        }
        out->density_counts[bin]++;
    }
    out->density_range[0] = low;
    out->density_range[1] = high;
}

static ss_status measure_features(const struct ss_train_evaluated *in,
                                  struct ss_train_evaluation *out, ss_err *err)
{
    const size_t n = in->n_features;
    double *rates = NULL;
    SS_ALLOC_OR_RETURN(rates, n);
    for (size_t i = 0; i < in->a->offsets[in->n_rows]; i++) {
        rates[in->a->features[i]]++;
        out->l1_mean += (double)in->a->values[i] / (double)in->n_rows;
    }
    for (size_t f = 0; f < n; f++) {
        rates[f] /= (double)in->n_rows;
        out->n_dead += rates[f] == 0 ? 1 : 0;
        out->dense_frac += rates[f] > 0.1 ? 1.0 / (double)n : 0;
        rates[f] = log10(rates[f] + 1e-10);
    }
    out->dead_frac = (double)out->n_dead / (double)n;
    count_bins(rates, n, out);
    ss__free(rates);
    return SS_OK;
}

static ss_status measure_l0(const struct ss_train_evaluated *in,
                            struct ss_train_evaluation *out, ss_err *err)
{
    double *counts = NULL;
    SS_ALLOC_OR_RETURN(counts, in->n_rows);
    for (size_t r = 0; r < in->n_rows; r++) {
        counts[r] = (double)(in->a->offsets[r + 1] - in->a->offsets[r]);
        out->l0_mean += counts[r] / (double)in->n_rows;
    }
    ss__sort(counts, in->n_rows, sizeof *counts, compare_counts);
    out->l0_median = percentile(counts, in->n_rows, 50);
    out->l0_p95 = percentile(counts, in->n_rows, 95);
    out->l0_max = counts[in->n_rows - 1];
    ss__free(counts);
    return SS_OK;
}

/* ---- neighbours ---- */

static void make_unit_rows(const float *x, size_t n, size_t d, float *out)
{
    for (size_t r = 0; r < n; r++) {
        const double length = sqrt(row_dot(x + r * d, x + r * d, d));
        for (size_t i = 0; i < d; i++) {
            out[r * d + i] = length > 0 ? (float)((double)x[r * d + i] / length) : 0;
        }
    }
}

/* The largest of a row's scores but its own, best first; of equal ones the lower row. */
static void find_nearest(const float *scores, size_t n, size_t self, size_t k, uint32_t *out)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == self || (found == k && !(scores[i] > scores[out[k - 1]]))) {
            continue;
        }
        size_t at = found < k ? found++ : k - 1;
        for (; at > 0 && scores[i] > scores[out[at - 1]]; at--) {
            out[at] = out[at - 1];
        }
        out[at] = (uint32_t)i;
    }
}

struct nearest_job {
    const float *scores;
    size_t n, first, k;
    uint32_t *ids;
    float *best; /* nullable: the largest score of each row */
};

static void nearest_task(void *context, size_t index, size_t worker)
{
    const struct nearest_job *job = context;
    const size_t row = job->first + index;
    (void)worker;
    find_nearest(job->scores + index * job->n, job->n, row, job->k, job->ids + row * job->k);
    if (job->best != NULL) {
        job->best[row] = job->scores[index * job->n + job->ids[row * job->k]];
    }
}

/* The k nearest of every row by cosine: ids [n, k]. n > k. */
static ss_status find_neighbours(ss_work *work, const float *x, struct nearest_job *job,
                                 size_t d, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_tensor_matrix matrix = {0};
    float *unit = NULL, *scores = NULL;
    const size_t n = job->n;
    SS_ALLOC(unit, n * d);
    SS_ALLOC(scores, BLOCK_ROWS * n);
    make_unit_rows(x, n, d, unit);
    SS_TRY(ss_tensor_matrix_new(n, d, SS_PRECISION_HIGHEST, &matrix, err));
    ss_tensor_matrix_fill(&matrix, 0, n, unit, SS_TENSOR_OUT_BY_IN);
    job->scores = scores;
    for (job->first = 0; job->first < n; job->first += BLOCK_ROWS) {
        const size_t n_rows = ss__min_size(BLOCK_ROWS, n - job->first);
        SS_TRY(
            ss_tensor_linear(work, &matrix, unit + job->first * d, n_rows, scores, NULL, err));
        ss__pool_run(ss_tensor_work_pool(work), n_rows, nearest_task, job);
        SS_TRY(ss_tensor_work_check(work, err));
    }
out:
    ss_tensor_matrix_release(&matrix);
    ss__free(unit);
    ss__free(scores);
    return status;
}

static bool is_among(uint32_t id, const uint32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

static ss_status measure_neighbours(ss_work *work, const struct ss_train_evaluated *in,
                                    struct ss_train_evaluation *out, ss_err *err)
{
    ss_status status = SS_OK;
    enum { K = SS_TRAIN_NEIGHBOURS };
    const size_t n = in->n_rows;
    double hits = 0, gain = 0, most = 0;
    uint32_t *of_x = NULL, *of_y = NULL;
    if (n <= K) {
        out->knn_overlap = out->ndcg = NAN;
        return SS_OK;
    }
    SS_ALLOC(of_x, n * K);
    SS_ALLOC(of_y, n * K);
    SS_TRY(find_neighbours(work, in->x, &(struct nearest_job){.n = n, .k = K, .ids = of_x},
                           in->width, err));
    SS_TRY(find_neighbours(work, in->y, &(struct nearest_job){.n = n, .k = K, .ids = of_y},
                           in->width, err));
    for (size_t i = 0; i < n * K; i++) {
        const double hit = is_among(of_y[i], of_x + i / K * K, K) ? 1 : 0;
        hits += hit;
        gain += hit / log2((double)(i % K) + 2);
        most += 1 / log2((double)(i % K) + 2);
    }
    out->knn_overlap = hits / (double)(n * K);
    out->ndcg = gain / most;
out:
    ss__free(of_x);
    ss__free(of_y);
    return status;
}

static ss_status measure_weights(ss_work *work, const struct ss_train_evaluated *in,
                                 struct ss_train_evaluation *out, ss_err *err)
{
    ss_status status = SS_OK;
    const size_t n = in->n_features, d = in->width;
    uint32_t *ids = NULL;
    float *best = NULL;
    if (n < 2) {
        return SS_OK;
    }
    SS_ALLOC(ids, n);
    SS_ALLOC(best, n);
    SS_TRY(find_neighbours(work, in->decoder,
                           &(struct nearest_job){.n = n, .k = 1, .ids = ids, .best = best}, d,
                           err));
    for (size_t f = 0; f < n; f++) {
        const float *a = in->decoder + f * d, *b = in->encoder + f * d;
        out->decoder_max_cosine += (double)best[f] / (double)n;
        out->encoder_decoder_cosine += row_dot(a, b, d) /
                                       fmax(sqrt(row_dot(a, a, d) * row_dot(b, b, d)), 1e-30) /
                                       (double)n;
    }
out:
    ss__free(ids);
    ss__free(best);
    return status;
}

ss_status ss_train_evaluate(ss_work *work, const struct ss_train_evaluated *in,
                            struct ss_train_evaluation *out, ss_err *err)
{
    *out = (struct ss_train_evaluation){.n_rows = in->n_rows, .n_features = in->n_features};
    if (in->n_rows < 2) {
        return ss__fail(err, SS_E_DATA, "an SAE is evaluated on two rows or more, not %zu",
                        in->n_rows);
    }
    measure_reconstruction(in, out);
    SS_RETURN_IF_ERROR(measure_l0(in, out, err));
    SS_RETURN_IF_ERROR(measure_features(in, out, err));
    SS_RETURN_IF_ERROR(measure_neighbours(work, in, out, err));
    return measure_weights(work, in, out, err);
}
