/* Two shares compared: how often something is in one set of rows and in another. */
#ifndef SS_STATS_PROPORTIONS_H
#define SS_STATS_PROPORTIONS_H

#include <stdint.h>

/* k of n rows, twice. n > 0, k <= n < 2^53. */
struct ss_stats_two_counts {
    uint64_t k_a, n_a, k_b, n_b;
};

struct ss_stats_two_shares {
    double difference; /* b - a, shares of 1 */
    double low, high;  /* its 95 % interval, by Newcombe's method */
    double effect;     /* Cohen's h: 2 asin sqrt(b) - 2 asin sqrt(a) */
    double odds_ratio; /* of b to a; infinite or NaN where a count is 0 */
    double z;          /* pooled; 0 where both shares are 0 or 1 */
    double log_p;      /* ln of its two-sided probability */
};

/* Compare two shares.
 *
 * Source   Newcombe (1998), method 10: Wilson's limits of both shares, joined; Cohen (1988);
 *          tests/unit/test_stats_proportions.c */
void ss_stats_compare(const struct ss_stats_two_counts *counts,
                      struct ss_stats_two_shares *out);

/* ln of the probability that a standard normal number is farther from 0 than z, to some 1e-13 of
 * the probability, and beyond what a double holds to as much of the logarithm. */
double ss_stats_log_two_sided(double z);

#endif
