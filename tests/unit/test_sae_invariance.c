/* A row's activations have the same bytes whatever else is in the call, however many threads
 * run, and whichever memory is used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sae/sae.h"
#include "sparse_rows.h"

enum { N_ROWS = 210 };

static float *random_rows(size_t width)
{
    uint64_t state = 41;
    float *x = ss__alloc(N_ROWS * width, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < N_ROWS * width; i++) {
        x[i] = (float)test_random(&state) / 0x1p30F - 1.0F;
    }
    return x;
}

static void assert_equal_row(const struct ss_sparse *a, size_t row_a, const struct ss_sparse *b,
                             size_t row_b)
{
    const size_t n = a->offsets[row_a + 1] - a->offsets[row_a];
    assert_int_equal(n, b->offsets[row_b + 1] - b->offsets[row_b]);
    assert_memory_equal(a->features + a->offsets[row_a], b->features + b->offsets[row_b],
                        n * sizeof *a->features);
    assert_memory_equal(a->values + a->offsets[row_a], b->values + b->offsets[row_b],
                        n * sizeof *a->values);
}

static void check_batches(const ss_sae *sae, const float *x, size_t width,
                          const struct ss_sparse *whole)
{
    static const size_t sizes[] = {N_ROWS, 1, 7, 64, 65};
    struct ss_sparse part = {0};
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        ss_work *work = NULL;
        assert_int_equal(ss_work_new(n_threads, &work, NULL), SS_OK);
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            for (size_t at = 0; at < N_ROWS; at += sizes[s]) {
                const size_t n = ss__min_size(sizes[s], N_ROWS - at);
                assert_int_equal(ss_sae_encode(sae, work, x + at * width, n, &part, NULL),
                                 SS_OK);
                assert_int_equal(part.n_rows, n);
                for (size_t r = 0; r < n; r++) {
                    assert_equal_row(whole, at + r, &part, r);
                }
            }
        }
        ss_work_free(work);
    }
    ss_sparse_release(&part);
}

static void check_counts(const ss_sae *sae, const float *x, size_t width)
{
    struct ss_sae_counts whole = {0};
    struct ss_sae_counts parts = {0};
    struct ss_sparse rows = {0};
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
    const struct ss_sae_batch all = {.x = x, .n = N_ROWS, .counts = &whole};
    assert_int_equal(ss_sae_encode_batch(sae, NULL, work, &all, &rows, NULL), SS_OK);
    for (size_t r = 0; r < N_ROWS; r++) {
        const struct ss_sae_batch one = {.x = x + r * width, .n = 1, .counts = &parts};
        assert_int_equal(ss_sae_encode_batch(sae, NULL, work, &one, &rows, NULL), SS_OK);
    }
    assert_int_equal(whole.n_tied_rows, parts.n_tied_rows);
    assert_int_equal(whole.n_borderline_pairs, parts.n_borderline_pairs);
    ss_sparse_release(&rows);
    ss_work_free(work);
}

static void nothing_but_the_row_shows(void **state)
{
    (void)state;
    static const char *const paths[] = {
        SS_TEST_DATA "/sae/good/jumprelu-bf16", SS_TEST_DATA "/sae/good/topk-norm",
        SS_TEST_DATA "/sae/good/vanilla-f16", SS_TEST_DATA "/sae/good/ties"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        ss_sae *sae = NULL;
        ss_work *work = NULL;
        struct ss_sae_info info = {.struct_size = sizeof info};
        struct ss_sparse whole = {0};
        assert_int_equal(ss_sae_open(paths[i], NULL, &sae, NULL), SS_OK);
        ss_sae_describe(sae, &info);
        float *x = random_rows(info.width);
        assert_int_equal(ss_work_new(1, &work, NULL), SS_OK);
        assert_int_equal(ss_sae_encode(sae, work, x, N_ROWS, &whole, NULL), SS_OK);
        assert_true(whole.offsets[N_ROWS] > N_ROWS);
        for (size_t r = 0; r < N_ROWS; r++) {
            for (size_t j = whole.offsets[r] + 1; j < whole.offsets[r + 1]; j++) {
                assert_true(whole.features[j - 1] < whole.features[j]);
            }
        }
        check_batches(sae, x, info.width, &whole);
        check_counts(sae, x, info.width);
        ss_sparse_release(&whole);
        ss__free(x);
        ss_work_free(work);
        ss_sae_free(sae);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_but_the_row_shows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
