/* Histograms equal to numpy's and densities equal to torch's, from tests/data/stats (made by
 * tools/make_stats_data.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "stats/stats.h"

enum { N_MOST_VALUES = 4096, N_MOST_BINS = 400 };

/* torch's vector logarithm is within one unit in the last place of the correctly rounded one.
 */
#define DENSITY_ULPS 1

static void read_floats(FILE *file, float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(fscanf(file, "%f", &values[i]), 1);
    }
}

static void histograms_are_numpys(void **state)
{
    (void)state;
    static const float fixed[2] = {-10, 0};
    static float values[N_MOST_VALUES];
    static float edges[N_MOST_BINS + 1];
    char name[64];
    char range[16];
    size_t n = 0;
    size_t n_bins = 0;
    size_t n_cases = 0;
    FILE *file = fopen(SS_TEST_DATA "/stats/histograms.txt", "r");
    assert_non_null(file);
    while (fscanf(file, "%63s %zu %zu %15s", name, &n, &n_bins, range) == 4) {
        struct ss_stats_histogram found = {0};
        assert_true(n <= N_MOST_VALUES && n_bins <= N_MOST_BINS);
        read_floats(file, values, n);
        assert_int_equal(ss_stats_histogram_make(values, n, n_bins,
                                                 strcmp(range, "fixed") == 0 ? fixed : NULL,
                                                 &found, NULL),
                         SS_OK);
        for (size_t i = 0; i < n_bins; i++) {
            uint64_t count = 0;
            assert_int_equal(fscanf(file, "%lu", &count), 1);
            if (found.counts[i] != count) {
                fail_msg("%s: bin %zu holds %lu, expected %lu", name, i, found.counts[i],
                         count);
            }
        }
        read_floats(file, edges, n_bins + 1);
        assert_memory_equal(found.edges, edges, (n_bins + 1) * sizeof edges[0]);
        ss_stats_histogram_release(&found);
        n_cases++;
    }
    fclose(file);
    assert_int_equal(n_cases, 13);
}

static int64_t float_order(float value)
{
    int32_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    return bits < 0 ? -(int64_t)(bits & INT32_MAX) : bits;
}

static void densities_are_torchs(void **state)
{
    (void)state;
    float rate = 0;
    float expected = 0;
    size_t n = 0;
    size_t n_unequal = 0;
    FILE *file = fopen(SS_TEST_DATA "/stats/densities.txt", "r");
    assert_non_null(file);
    while (fscanf(file, "%f %f", &rate, &expected) == 2) {
        const int64_t distance =
            float_order(ss_stats_log_density(rate)) - float_order(expected);
        assert_true(distance >= -DENSITY_ULPS && distance <= DENSITY_ULPS);
        n_unequal += distance != 0;
        n++;
    }
    fclose(file);
    assert_true(n > 1000 && n_unequal * 100 < n);
    assert_true(ss_stats_log_density(0) == -10.0F);
    assert_true(ss_stats_log_density(100) == 0.0F);
}

static void refuses_what_has_no_bins(void **state)
{
    (void)state;
    const float values[3] = {1, 2, NAN};
    const float infinite[2] = {0, INFINITY};
    const float empty[2] = {1, 1};
    struct ss_stats_histogram out = {0};
    ss_err err;
    assert_int_equal(ss_stats_histogram_make(values, 3, 50, NULL, &out, &err), SS_E_NONFINITE);
    assert_int_equal(err.row, 2);
    assert_int_equal(ss_stats_histogram_make(values, 2, 0, NULL, &out, &err), SS_E_USAGE);
    assert_int_equal(ss_stats_histogram_make(values, 2, 50, infinite, &out, &err), SS_E_USAGE);
    assert_int_equal(ss_stats_histogram_make(values, 2, 50, empty, &out, &err), SS_E_USAGE);
    assert_null(out.counts);
}

/* numpy refuses values that are closer than 50 distinct floats; here they are drawn as equal.
 */
static void draws_values_that_almost_agree(void **state)
{
    (void)state;
    const float values[3] = {-10.0F, -10.0F, nextafterf(-10.0F, 0.0F)};
    struct ss_stats_histogram out = {0};
    assert_int_equal(ss_stats_histogram_make(values, 3, 50, NULL, &out, NULL), SS_OK);
    assert_true(out.edges[0] == -10.5F && out.edges[50] > -9.5001F);
    uint64_t n = 0;
    for (size_t i = 0; i < out.n_bins; i++) {
        n += out.counts[i];
    }
    assert_int_equal(n, 3);
    ss_stats_histogram_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histograms_are_numpys),
        cmocka_unit_test(densities_are_torchs),
        cmocka_unit_test(refuses_what_has_no_bins),
        cmocka_unit_test(draws_values_that_almost_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
