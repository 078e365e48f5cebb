/* Tails of the hypergeometric distribution, q-values and measures of pairs against exact
 * arithmetic, scipy and numpy (tools/make_graph_data.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "graph/graph.h"

#define DATA SS_TEST_DATA "/graph/"

enum { MAX_TESTS = 512 };

/* The bar: 1e-12 relative to the probability is 1e-12 of its logarithm. Where the logarithm is
 * as large as 690 the double that holds it is itself off by 6e-14. */
static const double tolerance = 1e-12;
/* Some digits are lost by scipy itself, most with 10^9 rows: its own distance from the exact
 * values is measured, and ours from it may be as much more. */
static const double measure_tolerance = 1e-10; /* numpy sums 20,000 rows for Pearson's r */

static void tails_equal_exact_ones(void **state)
{
    FILE *file = fopen(DATA "tails.txt", "r");
    unsigned long long n = 0, a = 0, b = 0, both = 0;
    double exact = 0, scipy = 0;
    size_t n_cases = 0;
    (void)state;
    assert_non_null(file);
    while (fscanf(file, "%llu %llu %llu %llu %lf %lf", &n, &a, &b, &both, &exact, &scipy) ==
           6) {
        const double found = ss_graph_log_tail(n, a, b, both);
        const double scipy_error = fabs(scipy / exp(exact) - 1);
        assert_true(fabs(found - exact) <= tolerance);
        assert_true(found == ss_graph_log_tail(n, b, a, both));
        assert_true(scipy == 0 ||
                    fabs(exp(found) / scipy - 1) <= tolerance + scipy_error * 1.01);
        n_cases++;
    }
    fclose(file);
    assert_int_equal(n_cases, 700);
}

static void edges_of_tails(void **state)
{
    (void)state;
    assert_true(ss_graph_log_tail(10, 4, 5, 6) == -HUGE_VAL); /* more than there are */
    assert_true(ss_graph_log_tail(10, 8, 7, 5) == 0);         /* at least 5 of 10 */
    assert_true(ss_graph_log_tail(10, 10, 7, 7) == 0);        /* one fires always */
    assert_true(ss_graph_log_tail(10, 0, 7, 0) == 0);
    assert_true(ss_graph_log_tail(0, 0, 0, 0) == 0);
    /* beyond the range of a probability: ln 1/C(4000, 2000) */
    const double far = ss_graph_log_tail(4000, 2000, 2000, 2000);
    assert_true(fabs(far + (lgamma(4001) - 2 * lgamma(2001))) < 1e-9 * fabs(far));
}

static void q_values_equal_scipy(void **state)
{
    FILE *file = fopen(DATA "q_values.txt", "r");
    double log_p[MAX_TESTS], q[MAX_TESTS], log_q[MAX_TESTS], p = 0;
    size_t n = 0;
    (void)state;
    assert_non_null(file);
    while (n < MAX_TESTS && fscanf(file, "%lf %lf", &p, &q[n]) == 2) {
        log_p[n++] = log(p);
    }
    fclose(file);
    assert_int_equal(n, 336);
    ss_graph_log_q(log_p, n, (double)n, log_q);
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs(exp(log_q[i]) / q[i] - 1) <= tolerance);
        assert_true(i == 0 || log_q[i - 1] <= log_q[i]);
    }
    /* the first ones alone, where all others are 1: the same, but what the largest bound gives
     */
    ss_graph_log_q(log_p, 100, (double)n, log_p);
    for (size_t i = 0; i < 60; i++) {
        assert_true(log_p[i] >= log_q[i]);
    }
}

static void measures_equal_their_formulas(void **state)
{
    FILE *file = fopen(DATA "measures.txt", "r");
    unsigned long long n = 0, a = 0, b = 0, both = 0;
    double e[6];
    size_t n_cases = 0;
    (void)state;
    assert_non_null(file);
    while (fscanf(file, "%llu %llu %llu %llu %lf %lf %lf %lf %lf %lf", &n, &a, &b, &both, &e[0],
                  &e[1], &e[2], &e[3], &e[4], &e[5]) == 10) {
        const struct ss_graph_measures m =
            ss_graph_measure((struct ss_graph_counts){n, a, b, both});
        assert_true(fabs(m.overlap - e[0]) <= tolerance);
        assert_true(fabs(m.jaccard - e[1]) <= tolerance);
        assert_true(fabs(m.cosine - e[2]) <= tolerance);
        assert_true(fabs(m.lift - e[3]) <= tolerance * (1 + e[3]));
        assert_true(fabs(m.phi - e[4]) <= measure_tolerance);
        assert_true(fabs(m.npmi - e[5]) <= tolerance);
        n_cases++;
    }
    fclose(file);
    assert_int_equal(n_cases, 300);
    const struct ss_graph_measures none =
        ss_graph_measure((struct ss_graph_counts){9, 0, 3, 0});
    assert_true(none.overlap == 0 && none.lift == 0 && none.phi == 0 && none.npmi == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tails_equal_exact_ones),
        cmocka_unit_test(edges_of_tails),
        cmocka_unit_test(q_values_equal_scipy),
        cmocka_unit_test(measures_equal_their_formulas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
