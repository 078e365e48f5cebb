/* Histograms with the bins of numpy.histogram, and the densities that are drawn with them.
 *
 * numpy finds a bin by arithmetic and then corrects it by one against the edges, so a value's
 * bin is decided by the edges; they are evaluated here in numpy's order and precision. */
#include <math.h>

#include "base/mem.h"
#include "stats/stats.h"

/* NaN has no bin and numpy refuses it too. */
static ss_status find_range(const float *values, size_t n, float range[2], ss_err *err)
{
    range[0] = values[0];
    range[1] = values[0];
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            const ss_status status = ss__fail(
                err, SS_E_NONFINITE, "value %zu of a histogram is not a finite number", i);
            ss__err_at_row(err, i);
            return status;
        }
        range[0] = values[i] < range[0] ? values[i] : range[0];
        range[1] = values[i] > range[1] ? values[i] : range[1];
    }
    return SS_OK;
}

/* Whether edges are distinct; rounded to float, near ones need not be. */
static bool are_rising(const float *edges, size_t n_bins)
{
    for (size_t i = 0; i < n_bins; i++) {
        if (!(edges[i] < edges[i + 1])) {
            return false;
        }
    }
    return true;
}

/* As numpy.linspace in the data's precision: i * step + start, and the end as it is. */
static bool make_edges_f32(const float range[2], size_t n_bins, float *edges)
{
    const float step = (range[1] - range[0]) / (float)n_bins;
    for (size_t i = 0; i < n_bins; i++) {
        const float offset = (float)i * step;
        edges[i] = offset + range[0];
    }
    edges[n_bins] = range[1];
    return are_rising(edges, n_bins);
}

/* As numpy does where the caller gives the range as Python's floats. */
static bool make_edges_f64(const float range[2], size_t n_bins, float *edges)
{
    const double step = ((double)range[1] - (double)range[0]) / (double)n_bins;
    for (size_t i = 0; i < n_bins; i++) {
        edges[i] = (float)((double)i * step + (double)range[0]);
    }
    edges[n_bins] = range[1];
    return are_rising(edges, n_bins);
}

/* Where the range is empty or too narrow it is widened to either side, as numpy does for equal
 * values. */
static ss_status make_own_edges(const float *values, size_t n, struct ss_stats_histogram *out,
                                ss_err *err)
{
    float range[2] = {0};
    SS_RETURN_IF_ERROR(find_range(values, n, range, err));
    if (range[0] < range[1] && make_edges_f32(range, out->n_bins, out->edges)) {
        return SS_OK;
    }
    range[0] -= 0.5F;
    range[1] += 0.5F;
    if (!make_edges_f32(range, out->n_bins, out->edges)) {
        return ss__fail(err, SS_E_USAGE, "%zu bins are too many for values from %g to %g",
                        out->n_bins, (double)range[0], (double)range[1]);
    }
    return SS_OK;
}

/* The bin that arithmetic gives may be off by one; the edges decide. */
static void count(const float *values, size_t n, struct ss_stats_histogram *out)
{
    const size_t n_bins = out->n_bins;
    const float low = out->edges[0];
    const float high = out->edges[n_bins];
    const float width = high - low;
    for (size_t i = 0; i < n; i++) {
        const float value = values[i];
        if (!(value >= low && value <= high)) {
            continue;
        }
        const float position = (value - low) / width * (float)n_bins;
        size_t bin = ss__min_size((size_t)position, n_bins - 1);
        if (bin > 0 && value < out->edges[bin]) {
            bin--;
        }
        if (bin < n_bins - 1 && value >= out->edges[bin + 1]) {
            bin++;
        }
        out->counts[bin]++;
    }
}

ss_status ss_stats_histogram_make(const float *values, size_t n, size_t n_bins,
                                  const float *fixed_range, struct ss_stats_histogram *out,
                                  ss_err *err)
{
    static const float unit_range[2] = {0.0F, 1.0F};
    ss_status status = SS_OK;
    *out = (struct ss_stats_histogram){.n_bins = n_bins};
    if (n_bins == 0 || n_bins > (1U << 24)) {
        SS_FAIL(SS_E_USAGE, "a histogram has 1 to 16777216 bins, found %zu", n_bins);
    }
    SS_ALLOC(out->counts, n_bins);
    SS_ALLOC(out->edges, n_bins + 1);
    if (fixed_range == NULL && n == 0) {
        fixed_range = unit_range;
    }
    if (fixed_range == NULL) {
        SS_TRY(make_own_edges(values, n, out, err));
    } else if (!make_edges_f64(fixed_range, n_bins, out->edges)) {
        SS_FAIL(SS_E_USAGE, "the range from %g to %g cannot be cut into %zu bins",
                (double)fixed_range[0], (double)fixed_range[1], n_bins);
    }
    count(values, n, out);
out:
    if (status != SS_OK) {
        ss_stats_histogram_release(out);
    }
    return status;
}

void ss_stats_histogram_release(struct ss_stats_histogram *histogram)
{
    ss__free(histogram->counts);
    ss__free(histogram->edges);
    *histogram = (struct ss_stats_histogram){0};
}

/* The constant keeps dead features finite. The sum is taken in float, as torch does. */
float ss_stats_log_density(float rate_pct)
{
    const float sum = rate_pct / 100.0F + 1e-10F;
    return (float)log10((double)sum);
}
