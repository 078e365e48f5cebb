/* ROC areas, DeLong's errors, thresholds and rank correlations against their definitions over
 * 1,200 random sets with ties. */
#include <math.h>

#include "describe_helpers.h"

enum { MAX_VALUES = 16 };
static const double tolerance = 1e-9; /* sums of at most 16 terms in double, in another order */

static void read_values(FILE *file, float *values, int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(fscanf(file, "%f", &values[i]), 1);
    }
}

static void random_sets_equal_the_definitions(void **state)
{
    FILE *file = fopen(SS_TEST_DATA "/describe/auc.txt", "r");
    int m = 0;
    int n = 0;
    size_t n_cases = 0;
    (void)state;
    assert_non_null(file);
    while (fscanf(file, "%d %d", &m, &n) == 2) {
        float x[MAX_VALUES], y[MAX_VALUES];
        double area = 0, se = 0, threshold = 0, rho = 0, found = 0;
        read_values(file, x, m);
        read_values(file, y, n);
        assert_int_equal(fscanf(file, "%lf %lf %lf %lf", &area, &se, &threshold, &rho), 4);
        assert_int_equal(ss_describe_spearman(x, y, (size_t)(m < n ? m : n), &found, NULL),
                         SS_OK);
        assert_int_equal(isnan(rho), isnan(found));
        assert_true(isnan(rho) || fabs(found - rho) < tolerance);
        const struct ss_describe_auc auc = ss_describe_auc_of(x, (size_t)m, y, (size_t)n);
        assert_true(fabs(auc.value - area) < tolerance);
        assert_true(fabs(auc.se - se) < tolerance);
        assert_true(auc.interval.low <= auc.value + tolerance);
        assert_true(auc.interval.high >= auc.value - tolerance);
        assert_true(fabs(ss_describe_area(x, (size_t)m, y, (size_t)n) - area) < tolerance);
        assert_true((double)ss_describe_threshold(x, (size_t)m, y, (size_t)n) == threshold);
        struct ss_describe_ruler ruler;
        ss_describe_ruler_init(&ruler, x, (size_t)m);
        uint64_t twice = 0;
        for (int j = 0; j < n; j++) {
            twice += ss_describe_count_twice(&ruler, y[j]);
        }
        assert_true(fabs((double)twice / (2.0 * m * n) - area) < tolerance);
        n_cases++;
    }
    fclose(file);
    assert_int_equal(n_cases, 1200);
}

/* Wilson's interval of 8 of 10, and of none: from its formula. */
static void intervals_of_shares(void **state)
{
    const struct ss_describe_interval eight = ss_describe_wilson(0.8, 10);
    const struct ss_describe_interval none = ss_describe_wilson(0, 20);
    const struct ss_describe_interval empty = ss_describe_wilson(0, 0);
    (void)state;
    assert_true(fabs(eight.low - 0.490162) < 1e-5 && fabs(eight.high - 0.943318) < 1e-5);
    assert_true(none.low == 0 && fabs(none.high - 0.161125) < 1e-5);
    assert_true(empty.low == 0 && empty.high == 1);
}

/* Where all positives are above all negatives, there is an interval, too. */
static void a_perfect_area_has_an_interval(void **state)
{
    float x[12], y[30];
    (void)state;
    for (int i = 0; i < 30; i++) {
        y[i] = (float)i;
        x[i % 12] = 100;
    }
    const struct ss_describe_auc auc = ss_describe_auc_of(x, 12, y, 30);
    assert_true(auc.value == 1 && auc.se == 0);
    assert_true(auc.interval.low > 0.7 && auc.interval.low < 0.8 && auc.interval.high == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_sets_equal_the_definitions),
        cmocka_unit_test(intervals_of_shares),
        cmocka_unit_test(a_perfect_area_has_an_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
