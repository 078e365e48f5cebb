/* Sums of embeddings: equal to plain arithmetic, and the same bytes whatever the order of rows,
 * the batches and the parts that were merged. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sparse_rows.h"
#include "stats/centroids.h"

enum { N_ROWS = 300, N_FEATURES = 19, WIDTH = 13, N_PARTS = 7 };

/* Each term is off by half a unit at most, and so is the mean of terms whose weights add up to
 * about 0.7 a row. */
static const double tolerance = 4 * SS_STATS_CENTROID_UNIT;

struct made {
    struct test_rows rows;
    float embeddings[N_ROWS * WIDTH];
};

static void make(struct made *made)
{
    uint64_t random = 5;
    test_rows_make(&made->rows, N_ROWS, N_FEATURES, 6, 50, 3);
    for (size_t i = 0; i < N_ROWS * WIDTH; i++) {
        made->embeddings[i] = (float)(test_random(&random) % 20011) * 1e-4F - 1;
    }
}

static ss_status append(void *user, const void *data, size_t n_bytes, ss_err *err)
{
    ss__buf_add(user, data, n_bytes);
    return ss__buf_check(user, err);
}

static struct ss__buf saved(const struct ss_stats_centroids *centroids)
{
    struct ss__buf bytes = {0};
    assert_int_equal(ss_stats_centroids_save(centroids, append, &bytes, NULL), SS_OK);
    return bytes;
}

static void add_part(struct ss_stats_centroids *centroids, const struct made *made,
                     size_t first, size_t n)
{
    size_t offsets[N_ROWS + 1];
    const struct ss_sparse part = test_rows_part(&made->rows, first, n, offsets);
    ss_stats_centroids_add(centroids, &part, made->embeddings + first * WIDTH);
}

static void centroids_are_weighted_means(void **state)
{
    struct made made;
    struct ss_stats_centroids centroids = {0};
    double mean[WIDTH], found[WIDTH];
    (void)state;
    make(&made);
    assert_int_equal(ss_stats_centroids_init(&centroids, N_FEATURES, WIDTH, NULL), SS_OK);
    add_part(&centroids, &made, 0, N_ROWS);
    ss_stats_centroids_mean(&centroids, mean);
    for (size_t d = 0; d < WIDTH; d++) {
        double sum = 0;
        for (size_t r = 0; r < N_ROWS; r++) {
            sum += (double)made.embeddings[r * WIDTH + d];
        }
        assert_true(fabs(mean[d] - sum / N_ROWS) <= tolerance);
    }
    for (uint32_t f = 0; f < N_FEATURES; f++) {
        double sums[WIDTH] = {0}, weight = 0;
        for (size_t r = 0; r < N_ROWS; r++) {
            for (size_t i = made.rows.sparse.offsets[r]; i < made.rows.sparse.offsets[r + 1];
                 i++) {
                const double a = (double)made.rows.sparse.values[i];
                for (size_t d = 0; d < WIDTH && made.rows.sparse.features[i] == f; d++) {
                    sums[d] += a * (double)made.embeddings[r * WIDTH + d];
                }
                weight += made.rows.sparse.features[i] == f ? a : 0;
            }
        }
        assert_true(ss_stats_centroids_get(&centroids, f, mean, found));
        for (size_t d = 0; d < WIDTH; d++) {
            assert_true(fabs(found[d] - (sums[d] / weight - mean[d])) <= tolerance);
        }
    }
    ss_stats_centroids_release(&centroids);
    test_rows_release(&made.rows);
}

static void parts_and_order_do_not_show(void **state)
{
    struct made made;
    struct ss_stats_centroids whole = {0}, merged = {0}, part, loaded;
    (void)state;
    make(&made);
    assert_int_equal(ss_stats_centroids_init(&whole, N_FEATURES, WIDTH, NULL), SS_OK);
    assert_int_equal(ss_stats_centroids_init(&merged, N_FEATURES, WIDTH, NULL), SS_OK);
    add_part(&whole, &made, 0, N_ROWS);
    for (size_t i = N_PARTS; i > 0; i--) { /* from the last rows to the first */
        const size_t first = N_ROWS * (i - 1) / N_PARTS, end = N_ROWS * i / N_PARTS;
        assert_int_equal(ss_stats_centroids_init(&part, N_FEATURES, WIDTH, NULL), SS_OK);
        for (size_t r = end; r > first; r--) {
            add_part(&part, &made, r - 1, 1);
        }
        assert_int_equal(ss_stats_centroids_merge(&merged, &part, NULL), SS_OK);
        ss_stats_centroids_release(&part);
    }
    struct ss__buf a = saved(&whole), b = saved(&merged);
    assert_int_equal(a.n_bytes, b.n_bytes);
    assert_memory_equal(a.data, b.data, a.n_bytes);
    assert_int_equal(ss_stats_centroids_load(&loaded, a.data, a.n_bytes, "state", NULL), SS_OK);
    ss__buf_release(&b);
    b = saved(&loaded);
    assert_memory_equal(a.data, b.data, a.n_bytes);
    ss_stats_centroids_release(&loaded);
    for (size_t n = 0; n < a.n_bytes; n += 7) { /* what is cut off is refused */
        assert_int_equal(ss_stats_centroids_load(&loaded, a.data, n, "state", NULL), SS_E_DATA);
        ss_stats_centroids_release(&loaded);
    }
    ss__buf_release(&a);
    ss__buf_release(&b);
    ss_stats_centroids_release(&whole);
    ss_stats_centroids_release(&merged);
    test_rows_release(&made.rows);
}

/* Numbers without room for their sums, and none at all, give no centroid instead of a wrong
 * one, whatever the order. */
static void what_is_too_large_has_no_centroid(void **state)
{
    size_t offsets[] = {0, 2, 3, 4};
    uint32_t features[] = {0, 2, 2, 3};
    float values[] = {1, 1e30F, 1, 1e-12F};
    float embeddings[] = {1, -1, 0.5F, 0.25F, 1, 1};
    const struct ss_sparse rows = {
        .n_rows = 3, .offsets = offsets, .features = features, .values = values};
    struct ss_stats_centroids centroids = {0}, other = {0};
    double mean[2], found[2];
    (void)state;
    assert_int_equal(ss_stats_centroids_init(&centroids, 4, 2, NULL), SS_OK);
    ss_stats_centroids_mean(&centroids, mean);
    assert_true(mean[0] == 0 && mean[1] == 0);
    ss_stats_centroids_add(&centroids, &rows, embeddings);
    ss_stats_centroids_mean(&centroids, mean);
    assert_true(mean[0] == 2.5 / 3 && mean[1] == 0.25 / 3);
    assert_true(ss_stats_centroids_get(&centroids, 0, mean, found) && found[0] == 1 - mean[0]);
    for (size_t f = 1; f < 4; f++) {
        assert_false(ss_stats_centroids_get(&centroids, f, mean, found));
        assert_true(found[0] == 0 && found[1] == 0);
    }
    assert_int_equal(ss_stats_centroids_init(&other, 4, 3, NULL), SS_OK);
    assert_int_equal(ss_stats_centroids_merge(&centroids, &other, NULL), SS_E_SHAPE);
    ss_stats_centroids_release(&other);
    ss_stats_centroids_release(&centroids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(centroids_are_weighted_means),
        cmocka_unit_test(parts_and_order_do_not_show),
        cmocka_unit_test(what_is_too_large_has_no_centroid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
