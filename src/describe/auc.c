/* ROC area with ties, its DeLong interval, and proportions.
 *
 *   V10_i = share of negatives below positive i, ties half; V01_j the same from the other side
 *   area = mean V10;  se² = var(V10)/m + var(V01)/n, variances with n - 1
 *   interval: logit area ± z se / (area (1 - area)); where that has no meaning, Wilson's with
 *   as many trials as the smaller set has
 *
 * Source  DeLong, DeLong and Clarke-Pearson 1988; tests/unit/test_describe_auc.c */
#include <math.h>
#include <stdlib.h>

#include "base/sort.h"
#include "describe/describe_priv.h"

static const double normal_95 = 1.959964;

struct ss_describe_interval ss_describe_wilson(double share, size_t n)
{
    const double z = normal_95;
    const double trials = (double)n;
    if (n == 0) {
        return (struct ss_describe_interval){0, 1};
    }
    const double centre = share + z * z / (2 * trials);
    const double reach = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials));
    const double whole = 1 + z * z / trials;
    return (struct ss_describe_interval){fmax(0, (centre - reach) / whole),
                                         fmin(1, (centre + reach) / whole)};
}

struct ss_describe_share ss_describe_share_of(size_t k, size_t n)
{
    const double value = n == 0 ? NAN : (double)k / (double)n;
    return (struct ss_describe_share){value, ss_describe_wilson(n == 0 ? 0 : value, n), n};
}

static int by_value(const void *left, const void *right)
{
    const float a = *(const float *)left;
    const float b = *(const float *)right;
    return (a > b) - (a < b);
}

void ss_describe_sort(float *values, size_t n)
{
    if (n > 1) {
        ss__sort(values, n, sizeof *values, by_value);
    }
}

/* Mean and squared deviations of the shares of `others` [n] below each of `values` [m], both
 * sorted, ties half. Sums run in one order. */
static void place_among(const float *values, size_t m, const float *others, size_t n,
                        double *mean, double *squares)
{
    size_t below = 0;
    size_t reached = 0;
    double sum = 0;
    double sum_squares = 0;
    for (size_t i = 0; i < m; i++) {
        while (below < n && others[below] < values[i]) {
            below++;
        }
        while (reached < n && others[reached] <= values[i]) {
            reached++;
        }
        const double twice = (double)(below + reached); /* exact: whole numbers */
        sum += twice;
        sum_squares += twice * twice;
    }
    const double scale = 2 * (double)n;
    *mean = sum / (scale * (double)m);
    *squares = (sum_squares - sum * sum / (double)m) / (scale * scale);
}

double ss_describe_area(const float *positives, size_t m, const float *negatives, size_t n)
{
    double mean = 0;
    double squares = 0;
    place_among(positives, m, negatives, n, &mean, &squares);
    return mean;
}

static double logit(double p)
{
    return log(p / (1 - p));
}

static double unlogit(double x)
{
    return 1 / (1 + exp(-x));
}

static struct ss_describe_interval interval_of(const struct ss_describe_auc *auc)
{
    const double spread = auc->value * (1 - auc->value);
    if (!(auc->se > 0) || !(spread > 0)) {
        return ss_describe_wilson(auc->value, ss__min_size(auc->n_positives, auc->n_negatives));
    }
    const double reach = normal_95 * auc->se / spread;
    return (struct ss_describe_interval){unlogit(logit(auc->value) - reach),
                                         unlogit(logit(auc->value) + reach)};
}

struct ss_describe_auc ss_describe_auc_of(float *positives, size_t m, float *negatives,
                                          size_t n)
{
    struct ss_describe_auc auc = {.n_positives = m, .n_negatives = n};
    double from_below = 0;
    double squares[2] = {0, 0};
    if (m == 0 || n == 0) {
        return auc;
    }
    ss_describe_sort(positives, m);
    ss_describe_sort(negatives, n);
    place_among(positives, m, negatives, n, &auc.value, &squares[0]);
    place_among(negatives, n, positives, m, &from_below, &squares[1]);
    if (m > 1 && n > 1) {
        const double variance = fmax(0, squares[0]) / (double)(m - 1) / (double)m +
                                fmax(0, squares[1]) / (double)(n - 1) / (double)n;
        auc.se = sqrt(variance);
    }
    auc.interval = interval_of(&auc);
    return auc;
}

/* ---- a threshold ---- */

float ss_describe_threshold(const float *positives, size_t m, const float *negatives, size_t n)
{
    int64_t best = INT64_MIN;
    float threshold = 0;
    size_t i = 0;
    size_t j = 0;
    /* every value may be the threshold; what is below is taken for negative */
    while (i < m || j < n) {
        const bool from_positives = j == n || (i < m && positives[i] <= negatives[j]);
        const float value = from_positives ? positives[i] : negatives[j];
        /* TPR - FPR, times m n: exact */
        const int64_t gain = (int64_t)((m - i) * n) - (int64_t)((n - j) * m);
        if (gain > best) {
            best = gain;
            threshold = value;
        }
        while (i < m && positives[i] == value) {
            i++;
        }
        while (j < n && negatives[j] == value) {
            j++;
        }
    }
    return threshold;
}

size_t ss_describe_count_from(const float *sorted, size_t n, float least)
{
    size_t i = n;
    while (i > 0 && sorted[i - 1] >= least) {
        i--;
    }
    return n - i;
}

/* ---- counting what lies above ---- */

/* Rises with the value, so that values of an earlier part are smaller. */
static size_t part_of(const struct ss_describe_ruler *ruler, float value)
{
    if (!(value > ruler->low)) {
        return 0;
    }
    if (value >= ruler->high) {
        return SS_DESCRIBE_RULER_PARTS - 1;
    }
    return ss__min_size((size_t)((value - ruler->low) * ruler->scale),
                        SS_DESCRIBE_RULER_PARTS - 1);
}

void ss_describe_ruler_init(struct ss_describe_ruler *ruler, const float *sorted, size_t n)
{
    size_t i = 0;
    ruler->sorted = sorted;
    ruler->n = n;
    ruler->low = n > 0 ? sorted[0] : 0;
    ruler->high = n > 0 ? sorted[n - 1] : 0;
    const float span = ruler->high - ruler->low;
    ruler->scale = span > 0 ? (float)SS_DESCRIBE_RULER_PARTS / span : 0;
    for (size_t part = 0; part < SS_DESCRIBE_RULER_PARTS; part++) {
        while (i < n && part_of(ruler, sorted[i]) < part) {
            i++;
        }
        ruler->first[part] = (uint32_t)i;
    }
}

uint64_t ss_describe_count_twice(const struct ss_describe_ruler *ruler, float value)
{
    size_t reaching = ruler->first[part_of(ruler, value)]; /* the first that is not smaller */
    while (reaching < ruler->n && ruler->sorted[reaching] < value) {
        reaching++;
    }
    size_t above = reaching;
    while (above < ruler->n && ruler->sorted[above] == value) {
        above++;
    }
    return (uint64_t)(ruler->n - above) + (uint64_t)(ruler->n - reaching);
}

/* ---- ranks ---- */

struct ranked {
    double value;
    size_t place;
};

static int by_rank(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->value != b->value) {
        return a->value > b->value ? 1 : -1;
    }
    return (a->place > b->place) - (a->place < b->place);
}

/* ranks [n] from 1, of equal values their mean. */
static void rank_values(const float *values, size_t n, struct ranked *room, double *ranks)
{
    for (size_t i = 0; i < n; i++) {
        room[i] = (struct ranked){(double)values[i], i};
    }
    ss__sort(room, n, sizeof *room, by_rank);
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;
        while (end < n && room[end].value == room[i].value) {
            end++;
        }
        for (size_t k = i; k < end; k++) {
            ranks[room[k].place] = (double)(i + end + 1) / 2;
        }
        i = end;
    }
}

ss_status ss_describe_spearman(const float *a, const float *b, size_t n, double *out,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct ranked *room = NULL;
    double *ranks = NULL;
    double sums[3] = {0, 0, 0};
    const double mean = ((double)n + 1) / 2;
    *out = NAN;
    if (n < 2) {
        return SS_OK;
    }
    SS_ALLOC(room, n);
    SS_ALLOC(ranks, 2 * n);
    rank_values(a, n, room, ranks);
    rank_values(b, n, room, ranks + n);
    for (size_t i = 0; i < n; i++) {
        const double x = ranks[i] - mean;
        const double y = ranks[n + i] - mean;
        sums[0] += x * y;
        sums[1] += x * x;
        sums[2] += y * y;
    }
    if (sums[1] > 0 && sums[2] > 0) {
        *out = sums[0] / sqrt(sums[1] * sums[2]);
    }
out:
    ss__free(room);
    ss__free(ranks);
    return status;
}
