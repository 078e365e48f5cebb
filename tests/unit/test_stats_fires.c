/* Counts, maxima, exact sums: equal to plain arithmetic, and merge equal to the single run. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sparse_rows.h"
#include "stats/stats.h"

enum { N_ROWS = 500, N_FEATURES = 37 };

static void counts_what_fires(void **state)
{
    (void)state;
    struct test_rows rows;
    struct ss_stats_fires fires = {0};
    test_rows_make(&rows, N_ROWS, N_FEATURES, 9, 50, 3);
    assert_int_equal(ss_stats_fires_init(&fires, N_FEATURES, NULL), SS_OK);
    ss_stats_fires_add(&fires, &rows.sparse);
    assert_int_equal(fires.n_rows, N_ROWS);
    for (uint32_t f = 0; f < N_FEATURES; f++) {
        uint64_t n = 0;
        double sum = 0;
        float most = 0;
        for (size_t i = 0; i < rows.sparse.offsets[N_ROWS]; i++) {
            if (rows.sparse.features[i] == f) {
                n++;
                sum += (double)rows.sparse.values[i]; /* exact: 24-bit terms of one scale */
                most = fmaxf(most, rows.sparse.values[i]);
            }
        }
        assert_int_equal(fires.counts[f], n);
        assert_true(fires.maxima[f] == most);
        assert_true(ss_stats_fires_mean(&fires, f) == (n == 0 ? 0 : sum / (double)n));
        assert_true(ss_stats_fires_rate_pct(&fires, f) == (float)(100.0 * (double)n / N_ROWS));
    }
    ss_stats_fires_release(&fires);
    test_rows_release(&rows);
}

static void assert_equal_fires(const struct ss_stats_fires *a, const struct ss_stats_fires *b)
{
    assert_int_equal(a->n_rows, b->n_rows);
    assert_memory_equal(a->counts, b->counts, a->n_features * sizeof *a->counts);
    assert_memory_equal(a->maxima, b->maxima, a->n_features * sizeof *a->maxima);
    assert_memory_equal(a->sums, b->sums, a->n_features * sizeof *a->sums);
}

static void merge_is_the_single_run(void **state)
{
    (void)state;
    struct test_rows rows;
    size_t offsets[N_ROWS + 1];
    struct ss_stats_fires whole = {0};
    test_rows_make(&rows, N_ROWS, N_FEATURES, 5, 50, 8);
    assert_int_equal(ss_stats_fires_init(&whole, N_FEATURES, NULL), SS_OK);
    ss_stats_fires_add(&whole, &rows.sparse);
    for (size_t cut = 0; cut <= N_ROWS; cut += 125) {
        struct ss_stats_fires a = {0};
        struct ss_stats_fires b = {0};
        assert_int_equal(ss_stats_fires_init(&a, N_FEATURES, NULL), SS_OK);
        assert_int_equal(ss_stats_fires_init(&b, N_FEATURES, NULL), SS_OK);
        struct ss_sparse part = test_rows_part(&rows, 0, cut, offsets);
        ss_stats_fires_add(&a, &part);
        part = test_rows_part(&rows, cut, N_ROWS - cut, offsets);
        ss_stats_fires_add(&b, &part);
        assert_int_equal(ss_stats_fires_merge(&b, &a, NULL), SS_OK);
        assert_equal_fires(&whole, &b);
        ss_stats_fires_release(&a);
        ss_stats_fires_release(&b);
    }
    ss_stats_fires_release(&whole);
    test_rows_release(&rows);
}

static void add_one(struct ss_stats_fires *fires, float value)
{
    size_t offsets[2] = {0, 1};
    uint32_t feature = 0;
    const struct ss_sparse row = {
        .n_rows = 1, .offsets = offsets, .features = &feature, .values = &value};
    ss_stats_fires_add(fires, &row);
}

static void sums_are_exact_at_any_scale(void **state)
{
    (void)state;
    static const float scales[] = {1e18F, 3.0F, 1e-9F, 0x1p-41F, 1e9F, 0.1F, 0x1p-64F};
    const size_t n = sizeof scales / sizeof scales[0];
    struct ss_stats_fires up = {0};
    struct ss_stats_fires down = {0};
    assert_int_equal(ss_stats_fires_init(&up, 1, NULL), SS_OK);
    assert_int_equal(ss_stats_fires_init(&down, 1, NULL), SS_OK);
    for (size_t i = 0; i < n; i++) {
        add_one(&up, scales[i]);
        add_one(&down, scales[n - 1 - i]);
    }
    assert_equal_fires(&up, &down);
    assert_int_equal(up.sums[0].words[1] >> (149 - 64 - 64) & 3, 1); /* 2^-64 beside 1e18 */
    ss_stats_fires_release(&down);
    for (size_t i = 0; i < 100; i++) {
        add_one(&up, FLT_MAX);
        add_one(&up, FLT_MIN);
    }
    /* 100 FLT_MAX of 207 terms; the rest is below the precision of a double beside it. */
    assert_true(ss_stats_fires_mean(&up, 0) == 100 * (double)FLT_MAX / 207);
    ss_stats_fires_release(&up);
}

/* Means of n equal floats of every binary exponent, with all bits of the mantissa set, and of
 * two neighbours: a double holds the sum of both exactly, so the mean is that of doubles. */
static void means_hold_over_the_whole_range(void **state)
{
    (void)state;
    for (int exponent = -149; exponent < 128; exponent++) {
        const float value = exponent == -149 ? 0x1p-149F : nextafterf(ldexpf(1, exponent), 0);
        for (uint64_t n = 1; n <= 1000; n *= 10) {
            struct ss_stats_fires fires = {0};
            assert_int_equal(ss_stats_fires_init(&fires, 1, NULL), SS_OK);
            for (uint64_t i = 0; i < n; i++) {
                add_one(&fires, value);
            }
            const double mean = ss_stats_fires_mean(&fires, 0);
            if (mean != (double)value || (double)fires.maxima[0] != mean) {
                fail_msg("2^%d: the mean of %g is %g", exponent, (double)value, mean);
            }
            add_one(&fires, nextafterf(value, 0));
            const double sum = (double)n * (double)value + (double)nextafterf(value, 0);
            const double right = sum / (double)(n + 1);
            assert_true(fabs(ss_stats_fires_mean(&fires, 0) - right) <= 1e-15 * right);
            ss_stats_fires_release(&fires);
        }
    }
}

/* Floats of all sizes in any order and in any parts. */
static void sums_do_not_depend_on_order_or_parts(void **state)
{
    (void)state;
    enum { N = 4000 };
    static float values[N];
    uint64_t seed = 7;
    struct ss_stats_fires up = {0}, down = {0}, parts[3] = {0};
    for (size_t i = 0; i < N; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        values[i] = ldexpf(1 + (float)(seed >> 41) * 0x1p-23F, (int)(seed % 277) - 149);
    }
    assert_int_equal(ss_stats_fires_init(&up, 1, NULL), SS_OK);
    assert_int_equal(ss_stats_fires_init(&down, 1, NULL), SS_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ss_stats_fires_init(&parts[i], 1, NULL), SS_OK);
    }
    for (size_t i = 0; i < N; i++) {
        add_one(&up, values[i]);
        add_one(&down, values[N - 1 - i]);
        add_one(&parts[i % 3], values[i]);
    }
    assert_equal_fires(&up, &down);
    assert_int_equal(ss_stats_fires_merge(&parts[2], &parts[0], NULL), SS_OK);
    assert_int_equal(ss_stats_fires_merge(&parts[2], &parts[1], NULL), SS_OK);
    assert_equal_fires(&up, &parts[2]);
    ss_stats_fires_release(&up);
    ss_stats_fires_release(&down);
    for (size_t i = 0; i < 3; i++) {
        ss_stats_fires_release(&parts[i]);
    }
}

static void refuses_another_size(void **state)
{
    (void)state;
    ss_err err;
    struct ss_stats_fires a = {0};
    struct ss_stats_fires b = {0};
    assert_int_equal(ss_stats_fires_init(&a, 2, NULL), SS_OK);
    assert_int_equal(ss_stats_fires_init(&b, 3, NULL), SS_OK);
    assert_int_equal(ss_stats_fires_merge(&a, &b, &err), SS_E_SHAPE);
    ss_stats_fires_release(&a);
    ss_stats_fires_release(&b);
}

/* Against published values of the interval at 95 %: 10 of 100 is [0.0552, 0.1744]. */
static void wilson_interval(void **state)
{
    (void)state;
    double low = 0;
    double high = 0;
    ss_stats_wilson(10, 100, &low, &high);
    assert_true(fabs(low - 0.05522914) < 1e-7 && fabs(high - 0.17436566) < 1e-7);
    ss_stats_wilson(0, 20, &low, &high);
    assert_true(low == 0 && fabs(high - 0.16112516) < 1e-7);
    ss_stats_wilson(20, 20, &low, &high);
    assert_true(high == 1 && fabs(low - 0.83887484) < 1e-7);
    ss_stats_wilson(0, 0, &low, &high);
    assert_true(low == 0 && high == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_fires),
        cmocka_unit_test(merge_is_the_single_run),
        cmocka_unit_test(sums_are_exact_at_any_scale),
        cmocka_unit_test(means_hold_over_the_whole_range),
        cmocka_unit_test(sums_do_not_depend_on_order_or_parts),
        cmocka_unit_test(refuses_another_size),
        cmocka_unit_test(wilson_interval),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
