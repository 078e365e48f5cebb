/* Whether features fire together more often than by chance: the one-sided test of Fisher, and
 * q-values over many of them. */
#ifndef SS_GRAPH_SIGNIFICANCE_H
#define SS_GRAPH_SIGNIFICANCE_H

#include <stddef.h>
#include <stdint.h>

/* ln P(X >= n_both) where X is hypergeometric: of n_rows rows n_a are marked and n_b are drawn.
 * Accurate to some 1e-15 relative to the probability, whose logarithm it is, wherever that lies
 * above 1e-300; beyond it to some 1e-12 of the logarithm.
 *
 * n_a, n_b  <= n_rows < 2^53; n_both beyond what can be gives -inf, 0 or less than must be 0
 * Source    Loader, "Fast and accurate computation of binomial probabilities" (2000): a
 *           hypergeometric probability is a ratio of binomial ones, whose errors do not grow
 *           with n_rows as those of lgamma do; tests/unit/test_graph_significance.c */
double ss_graph_log_tail(uint64_t n_rows, uint64_t n_a, uint64_t n_b, uint64_t n_both);

/* Benjamini and Hochberg's q-values of tests, in logarithms: log_q[i] = ln min over the ranks
 * from i on of p * n_tests / rank, at most 0.
 *
 * log_p   [n] rising
 * n_tests of which those not in the list have larger p; >= n
 * log_q   [n] written; may be log_p itself */
void ss_graph_log_q(const double *log_p, size_t n, double n_tests, double *log_q);

#endif
