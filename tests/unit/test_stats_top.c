/* Top texts: equal to sorting everything, whatever the order of rows and however they are cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sparse_rows.h"
#include "stats/stats.h"

enum { N_ROWS = 600, N_FEATURES = 11, RARITY = 4 };

struct candidate {
    float activation;
    uint64_t row;
    struct ss_text text;
};

static int by_strength(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    if (a->activation != b->activation) {
        return a->activation > b->activation ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

static bool is_listed(const struct candidate *list, size_t n, struct ss_text text)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].text.n_bytes == text.n_bytes &&
            memcmp(list[i].text.data, text.data, text.n_bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* The answer by the definition. */
static size_t expect_list(const struct test_rows *rows, uint32_t feature, size_t k,
                          bool keep_duplicates, struct candidate *best)
{
    struct candidate all[N_ROWS];
    size_t n = 0;
    size_t n_best = 0;
    for (size_t r = 0; r < rows->sparse.n_rows; r++) {
        for (size_t i = rows->sparse.offsets[r]; i < rows->sparse.offsets[r + 1]; i++) {
            if (rows->sparse.features[i] == feature) {
                all[n++] =
                    (struct candidate){rows->sparse.values[i], rows->ids[r], rows->texts[r]};
            }
        }
    }
    qsort(all, n, sizeof all[0], by_strength);
    for (size_t i = 0; i < n && n_best < k; i++) {
        if (keep_duplicates || !is_listed(best, n_best, all[i].text)) {
            best[n_best++] = all[i];
        }
    }
    return n_best;
}

static void check_lists(struct ss_stats_top *top, const struct test_rows *rows, size_t k,
                        bool keep_duplicates)
{
    struct candidate best[N_ROWS];
    ss_stats_top_finish(top);
    for (uint32_t f = 0; f < N_FEATURES; f++) {
        const size_t n = expect_list(rows, f, k, keep_duplicates, best);
        assert_int_equal(ss_stats_top_n(top, f), n);
        for (size_t i = 0; i < n; i++) {
            const struct ss_top_text found = ss_stats_top_at(top, f, i);
            assert_true(found.activation == best[i].activation);
            assert_int_equal(found.row, best[i].row);
            assert_int_equal(found.text.n_bytes, best[i].text.n_bytes);
            assert_memory_equal(found.text.data, best[i].text.data, found.text.n_bytes);
        }
    }
}

static void add_rows(struct ss_stats_top *top, const struct test_rows *rows, size_t first,
                     size_t n)
{
    size_t offsets[N_ROWS + 1];
    const struct ss_sparse part = test_rows_part(rows, first, n, offsets);
    const struct ss_stats_row_texts texts = {rows->texts + first, NULL, rows->ids + first};
    assert_int_equal(ss_stats_top_add(top, &part, &texts, NULL), SS_OK);
}

static const struct {
    size_t k;
    uint32_t n_texts;
    bool keep_duplicates;
} settings[] = {{10, 1000000, false}, {10, 40, false},   {10, 40, true},
                {1, 200, false},      {400, 300, false}, {0, 10, false}};
enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

static void lists_are_those_of_sorting(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        struct test_rows rows;
        struct ss_stats_top *top = NULL;
        test_rows_make(&rows, N_ROWS, N_FEATURES, RARITY, settings[s].n_texts, 70 + s);
        assert_int_equal(ss_stats_top_new(N_FEATURES, settings[s].k,
                                          settings[s].keep_duplicates, &top, NULL),
                         SS_OK);
        add_rows(top, &rows, 0, N_ROWS / 2);
        ss_stats_top_finish(top); /* finishing does not end the adding */
        add_rows(top, &rows, N_ROWS / 2, N_ROWS - N_ROWS / 2);
        check_lists(top, &rows, settings[s].k, settings[s].keep_duplicates);
        ss_stats_top_free(top);
        test_rows_release(&rows);
    }
}

static void order_of_rows_does_not_show(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        struct test_rows rows;
        struct ss_stats_top *top = NULL;
        test_rows_make(&rows, N_ROWS, N_FEATURES, RARITY, settings[s].n_texts, 90 + s);
        assert_int_equal(ss_stats_top_new(N_FEATURES, settings[s].k,
                                          settings[s].keep_duplicates, &top, NULL),
                         SS_OK);
        for (size_t r = N_ROWS; r > 0; r--) {
            add_rows(top, &rows, r - 1, 1);
        }
        check_lists(top, &rows, settings[s].k, settings[s].keep_duplicates);
        ss_stats_top_free(top);
        test_rows_release(&rows);
    }
}

static void merge_is_the_single_run(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        struct test_rows rows;
        test_rows_make(&rows, N_ROWS, N_FEATURES, RARITY, settings[s].n_texts, 110 + s);
        for (size_t cut = 0; cut <= N_ROWS; cut += 150) {
            struct ss_stats_top *a = NULL;
            struct ss_stats_top *b = NULL;
            const size_t k = settings[s].k;
            const bool keep = settings[s].keep_duplicates;
            assert_int_equal(ss_stats_top_new(N_FEATURES, k, keep, &a, NULL), SS_OK);
            assert_int_equal(ss_stats_top_new(N_FEATURES, k, keep, &b, NULL), SS_OK);
            add_rows(a, &rows, 0, cut);
            add_rows(b, &rows, cut, N_ROWS - cut);
            assert_int_equal(
                ss_stats_top_merge(cut % 300 == 0 ? a : b, cut % 300 == 0 ? b : a, NULL),
                SS_OK);
            check_lists(cut % 300 == 0 ? a : b, &rows, k, keep);
            ss_stats_top_free(a);
            ss_stats_top_free(b);
        }
        test_rows_release(&rows);
    }
}

/* Texts held are exactly those that some list shows, each once. */
static void memory_is_that_of_the_lists(void **state)
{
    (void)state;
    struct test_rows rows;
    struct ss_stats_top *top = NULL;
    struct candidate shown[N_FEATURES * 10];
    size_t n_shown = 0;
    uint64_t n_bytes = 0;
    test_rows_make(&rows, N_ROWS, N_FEATURES, RARITY, 300, 5);
    assert_int_equal(ss_stats_top_new(N_FEATURES, 10, false, &top, NULL), SS_OK);
    add_rows(top, &rows, 0, N_ROWS);
    ss_stats_top_finish(top);
    for (size_t f = 0; f < N_FEATURES; f++) {
        for (size_t i = 0; i < ss_stats_top_n(top, f); i++) {
            const struct ss_text text = ss_stats_top_at(top, f, i).text;
            if (!is_listed(shown, n_shown, text)) {
                shown[n_shown++].text = text;
                n_bytes += text.n_bytes;
            }
        }
    }
    assert_int_equal(ss_stats_top_text_bytes(top), n_bytes);
    ss_stats_top_free(top);
    test_rows_release(&rows);
}

static void refuses_other_sizes(void **state)
{
    (void)state;
    struct ss_stats_top *a = NULL;
    struct ss_stats_top *b = NULL;
    assert_int_equal(ss_stats_top_new(SIZE_MAX / 2, 10, false, &a, NULL), SS_E_USAGE);
    assert_null(a);
    assert_int_equal(ss_stats_top_new(3, 10, false, &a, NULL), SS_OK);
    assert_int_equal(ss_stats_top_new(3, 9, false, &b, NULL), SS_OK);
    assert_int_equal(ss_stats_top_merge(a, b, NULL), SS_E_SHAPE);
    ss_stats_top_free(a);
    ss_stats_top_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_those_of_sorting),
        cmocka_unit_test(order_of_rows_does_not_show),
        cmocka_unit_test(merge_is_the_single_run),
        cmocka_unit_test(memory_is_that_of_the_lists),
        cmocka_unit_test(refuses_other_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
