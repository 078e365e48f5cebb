/* Pairs of features that fire together: equal to plain counting, and the same bytes for a
 * triangle and for sorted runs, for any order and batches of rows, and merged of parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "sparse_rows.h"
#include "stats/pair_counts.h"

enum { N_ROWS = 900, N_FEATURES = 61, N_PARTS = 7 };
static const uint64_t large = 1 << 20; /* a triangle */
static const uint64_t small = 0;       /* runs of 1,024 entries: some 60 of them */

static uint8_t halves[N_ROWS];

static void make(struct test_rows *rows)
{
    uint64_t random = 9;
    test_rows_make(rows, N_ROWS, N_FEATURES, 5, 50, 3);
    for (size_t r = 0; r < N_ROWS; r++) {
        halves[r] = test_random(&random) % 2;
    }
}

static struct ss_stats_pairs *new_pairs(uint64_t memory_bytes)
{
    struct ss_stats_pairs *pairs = NULL;
    assert_int_equal(ss_stats_pairs_new(N_FEATURES, memory_bytes, &pairs, NULL), SS_OK);
    return pairs;
}

static void add_part(struct ss_stats_pairs *pairs, const struct test_rows *rows, size_t first,
                     size_t n)
{
    size_t offsets[N_ROWS + 1];
    const struct ss_sparse part = test_rows_part(rows, first, n, offsets);
    assert_int_equal(ss_stats_pairs_add(pairs, &part, halves + first, NULL), SS_OK);
}

static ss_status append(void *user, const void *data, size_t n_bytes, ss_err *err)
{
    ss__buf_add(user, data, n_bytes);
    return ss__buf_check(user, err);
}

static struct ss__buf saved(struct ss_stats_pairs *pairs)
{
    struct ss__buf bytes = {0};
    assert_int_equal(ss_stats_pairs_finish(pairs, NULL), SS_OK);
    assert_int_equal(ss_stats_pairs_save(pairs, append, &bytes, NULL), SS_OK);
    return bytes;
}

static void assert_saved(struct ss_stats_pairs *pairs, const struct ss__buf *expected)
{
    struct ss__buf bytes = saved(pairs);
    assert_int_equal(bytes.n_bytes, expected->n_bytes);
    assert_memory_equal(bytes.data, expected->data, bytes.n_bytes);
    ss__buf_release(&bytes);
    ss_stats_pairs_free(pairs);
}

/* The activation of a feature in a row, 0 if it does not fire. */
static float value_of(const struct test_rows *rows, size_t row, uint32_t feature)
{
    for (size_t i = rows->sparse.offsets[row]; i < rows->sparse.offsets[row + 1]; i++) {
        if (rows->sparse.features[i] == feature) {
            return rows->sparse.values[i];
        }
    }
    return 0;
}

static void assert_pair(const struct test_rows *rows, const struct ss_stats_pair *pair)
{
    uint32_t counts[2] = {0, 0};
    uint64_t products[2] = {0, 0};
    for (size_t r = 0; r < N_ROWS; r++) {
        const double both =
            (double)value_of(rows, r, pair->a) * (double)value_of(rows, r, pair->b);
        counts[halves[r]] += both > 0;
        products[halves[r]] += (uint64_t)(both * 4294967296.0);
    }
    assert_int_equal(pair->counts[0], counts[0]);
    assert_int_equal(pair->counts[1], counts[1]);
    assert_int_equal(pair->products[0], products[0]);
    assert_int_equal(pair->products[1], products[1]);
}

static void counts_what_fires_together(void **state)
{
    struct test_rows rows;
    const uint64_t memory[] = {large, small};
    (void)state;
    make(&rows);
    for (size_t i = 0; i < 2; i++) {
        struct ss_stats_pairs *pairs = new_pairs(memory[i]);
        struct ss_stats_pairs_walk walk = {0};
        struct ss_stats_pair pair;
        bool has = true;
        uint64_t n = 0, partners = 0, last = 0;
        add_part(pairs, &rows, 0, N_ROWS);
        assert_int_equal(ss_stats_pairs_finish(pairs, NULL), SS_OK);
        assert_int_equal(ss_stats_pairs_begin(pairs, &walk, NULL), SS_OK);
        while (ss_stats_pairs_next(&walk, &pair, &has, NULL) == SS_OK && has) {
            assert_true((uint64_t)pair.a * N_FEATURES + pair.b > last);
            last = (uint64_t)pair.a * N_FEATURES + pair.b;
            partners += 2 * ((uint64_t)pair.counts[0] + pair.counts[1]);
            if (n++ % 16 == 0) {
                assert_pair(&rows, &pair);
            }
        }
        ss_stats_pairs_end(&walk);
        assert_int_equal(n, ss_stats_pairs_n(pairs));
        assert_int_equal(n, N_FEATURES * (N_FEATURES - 1) / 2); /* all of them here */
        for (size_t f = 0; f < N_FEATURES; f++) {
            partners -= ss_stats_pairs_feature(pairs, f)->partners;
        }
        assert_int_equal(partners, 0);
        ss_stats_pairs_free(pairs);
    }
    test_rows_release(&rows);
}

static void bytes_do_not_tell_how_it_was_counted(void **state)
{
    struct test_rows rows;
    const uint64_t memory[] = {large, small};
    (void)state;
    make(&rows);
    struct ss_stats_pairs *whole = new_pairs(large);
    add_part(whole, &rows, 0, N_ROWS);
    struct ss__buf expected = saved(whole);
    ss_stats_pairs_free(whole);
    for (size_t i = 0; i < 2; i++) {
        struct ss_stats_pairs *one = new_pairs(memory[i]), *merged = new_pairs(memory[i]),
                              *part;
        for (size_t r = N_ROWS; r > 0; r--) { /* backwards, by rows, finished in between */
            add_part(one, &rows, r - 1, 1);
            if (r % 250 == 0) {
                assert_int_equal(ss_stats_pairs_finish(one, NULL), SS_OK);
            }
        }
        assert_saved(one, &expected);
        for (size_t p = N_PARTS; p > 0; p--) {
            const size_t first = N_ROWS * (p - 1) / N_PARTS, end = N_ROWS * p / N_PARTS;
            part = new_pairs(memory[(i + p) % 2]);
            add_part(part, &rows, first, end - first);
            assert_int_equal(ss_stats_pairs_finish(part, NULL), SS_OK);
            assert_int_equal(ss_stats_pairs_merge(merged, part, NULL), SS_OK);
            ss_stats_pairs_free(part);
        }
        assert_saved(merged, &expected);
        assert_int_equal(ss_stats_pairs_load(expected.data, expected.n_bytes, "state",
                                             memory[i], &part, NULL),
                         SS_OK);
        assert_saved(part, &expected);
    }
    ss__buf_release(&expected);
    test_rows_release(&rows);
}

static void damaged_states_are_refused(void **state)
{
    struct test_rows rows;
    struct ss_stats_pairs *pairs = new_pairs(large), *loaded = NULL;
    ss_err err;
    (void)state;
    make(&rows);
    add_part(pairs, &rows, 0, 40);
    struct ss__buf bytes = saved(pairs);
    for (size_t n = 0; n < bytes.n_bytes; n += 5) {
        assert_int_equal(ss_stats_pairs_load(bytes.data, n, "state", large, &loaded, &err),
                         SS_E_DATA);
        assert_null(loaded);
    }
    ss__buf_add_byte(&bytes, 0);
    assert_int_equal(
        ss_stats_pairs_load(bytes.data, bytes.n_bytes, "state", large, &loaded, &err),
        SS_E_DATA);
    bytes.n_bytes--;
    for (size_t i = 0; i < bytes.n_bytes; i += 3) { /* any flipped bit: an answer or an error */
        bytes.data[i] = (char)(bytes.data[i] ^ 1 << i % 8);
        if (ss_stats_pairs_load(bytes.data, bytes.n_bytes, "state", small, &loaded, &err) ==
            SS_OK) {
            ss_stats_pairs_free(loaded);
        }
        bytes.data[i] = (char)(bytes.data[i] ^ 1 << i % 8);
    }
    ss__buf_release(&bytes);
    ss_stats_pairs_free(pairs);
    test_rows_release(&rows);
}

/* No pairs, one feature, none, sums that are full. */
static void edges(void **state)
{
    struct ss_stats_pairs *pairs = NULL, *other = NULL;
    size_t offsets[] = {0, 2, 4, 5};
    uint32_t features[] = {1, 0, 0, 1, 2};
    float values[] = {1e20F, 1e20F, 1, 1, 1};
    const uint8_t score[] = {1, 1, 0};
    const struct ss_sparse rows = {
        .n_rows = 3, .offsets = offsets, .features = features, .values = values};
    (void)state;
    for (size_t n = 0; n < 3; n++) {
        assert_int_equal(ss_stats_pairs_new(n, n == 2 ? 0 : large, &pairs, NULL), SS_OK);
        struct ss__buf bytes = saved(pairs);
        assert_int_equal(
            ss_stats_pairs_load(bytes.data, bytes.n_bytes, "state", 0, &other, NULL), SS_OK);
        assert_int_equal(ss_stats_pairs_n(other), 0);
        ss_stats_pairs_free(other);
        ss__buf_release(&bytes);
        ss_stats_pairs_free(pairs);
    }
    for (size_t i = 0; i < 2; i++) {
        struct ss_stats_pairs_walk walk;
        struct ss_stats_pair pair;
        bool has = false;
        assert_int_equal(ss_stats_pairs_new(3, i == 0 ? 0 : large, &pairs, NULL), SS_OK);
        assert_int_equal(ss_stats_pairs_add(pairs, &rows, score, NULL), SS_OK);
        assert_int_equal(ss_stats_pairs_finish(pairs, NULL), SS_OK);
        assert_int_equal(ss_stats_pairs_n(pairs), 1);
        assert_int_equal(ss_stats_pairs_n_rows(pairs, 1), 2);
        assert_int_equal(ss_stats_pairs_begin(pairs, &walk, NULL), SS_OK);
        assert_int_equal(ss_stats_pairs_next(&walk, &pair, &has, NULL), SS_OK);
        assert_true(has && pair.a == 0 && pair.b == 1 && pair.counts[0] == 0 &&
                    pair.counts[1] == 2 && pair.products[1] == UINT64_MAX);
        ss_stats_pairs_end(&walk);
        ss_stats_pairs_free(pairs);
    }
    assert_int_equal(ss_stats_pairs_new(3, 0, &pairs, NULL), SS_OK);
    assert_int_equal(ss_stats_pairs_new(4, 0, &other, NULL), SS_OK);
    assert_int_equal(ss_stats_pairs_merge(pairs, other, NULL), SS_E_SHAPE);
    ss_stats_pairs_free(pairs);
    ss_stats_pairs_free(other);
    assert_int_equal(ss_stats_pairs_new((size_t)UINT32_MAX + 1, 0, &other, NULL), SS_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_fires_together),
        cmocka_unit_test(bytes_do_not_tell_how_it_was_counted),
        cmocka_unit_test(damaged_states_are_refused),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
