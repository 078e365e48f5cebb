/* Two shares: Newcombe's interval of their difference, Cohen's h, the pooled z-test. */
#include "stats/proportions.h"

#include <math.h>

#include "stats/stats.h"

/* erfc underflows near 26.5; from here on its asymptotic series is exact to a double. */
static const double far = 25.0;

double ss_stats_log_two_sided(double z)
{
    const double x = fabs(z) / sqrt(2.0);
    if (x < far) {
        return log(erfc(x));
    }
    const double y = 1.0 / (2.0 * x * x);
    const double series = 1.0 - y * (1.0 - 3.0 * y * (1.0 - 5.0 * y * (1.0 - 7.0 * y)));
    return -x * x - log(x * sqrt(acos(-1.0))) + log(series);
}

/* The arcsine scale, on which equal distances are about equally hard to see anywhere. */
static double angle(double share)
{
    return 2.0 * asin(sqrt(share));
}

/* The two-proportion z-test under equal shares. */
static double pooled_z(const struct ss_stats_two_counts *counts, double a, double b)
{
    const double n_a = (double)counts->n_a, n_b = (double)counts->n_b;
    const double share = (double)(counts->k_a + counts->k_b) / (n_a + n_b);
    const double variance = share * (1.0 - share) * (1.0 / n_a + 1.0 / n_b);
    return variance > 0 ? (b - a) / sqrt(variance) : 0.0;
}

/* A cross product, so that a share of 0 or 1 gives what the limit gives. */
static double odds_ratio(const struct ss_stats_two_counts *counts)
{
    const double odds_b = (double)counts->k_b * (double)(counts->n_a - counts->k_a);
    const double odds_a = (double)counts->k_a * (double)(counts->n_b - counts->k_b);
    return odds_b / odds_a;
}

/* Newcombe's limits join those of the two shares: the lower limit of a difference is where b is
 * low and a is high. They stay within [-1, 1] and hold for small counts, which the plain ones
 * do not. */
void ss_stats_compare(const struct ss_stats_two_counts *counts, struct ss_stats_two_shares *out)
{
    double low_a = 0, high_a = 1, low_b = 0, high_b = 1;
    const double a = (double)counts->k_a / (double)counts->n_a;
    const double b = (double)counts->k_b / (double)counts->n_b;
    ss_stats_wilson(counts->k_a, counts->n_a, &low_a, &high_a);
    ss_stats_wilson(counts->k_b, counts->n_b, &low_b, &high_b);
    out->difference = b - a;
    out->low = out->difference - sqrt((b - low_b) * (b - low_b) + (high_a - a) * (high_a - a));
    out->high = out->difference + sqrt((high_b - b) * (high_b - b) + (a - low_a) * (a - low_a));
    out->effect = angle(b) - angle(a);
    out->odds_ratio = odds_ratio(counts);
    out->z = pooled_z(counts, a, b);
    out->log_p = ss_stats_log_two_sided(out->z);
}
