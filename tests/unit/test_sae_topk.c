/* The k largest against sorting: the same values and places, equal ones by place, and ties
 * known; whatever the numbers, and however they come. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sae/sae_topk.h"
#include "sparse_rows.h"

enum { MOST = 400 };

struct numbered {
    float value;
    uint32_t id;
};

static int by_falling_value(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;
    if (a->value == b->value) {
        return a->id < b->id ? -1 : 1;
    }
    return a->value > b->value ? -1 : 1;
}

static int by_id(const void *left, const void *right)
{
    const struct numbered *a = left, *b = right;
    return a->id < b->id ? -1 : 1;
}

struct answer {
    struct numbered best[MOST];
    size_t n;
    bool is_tied;
};

/* Those of x that are not below `least`, sorted; the first k, by place. */
static struct answer sorted(const float *x, size_t n, size_t k, float least)
{
    struct answer answer = {.n = 0};
    for (size_t i = 0; i < n; i++) {
        if (x[i] >= least) {
            answer.best[answer.n++] = (struct numbered){x[i], (uint32_t)i};
        }
    }
    qsort(answer.best, answer.n, sizeof answer.best[0], by_falling_value);
    answer.is_tied = k > 0 && answer.n > k && answer.best[k - 1].value == answer.best[k].value;
    answer.n = answer.n < k ? answer.n : k;
    qsort(answer.best, answer.n, sizeof answer.best[0], by_id);
    return answer;
}

/* What the numbers are drawn from: many equal ones, few, all signs, none that is a number. */
static float draw(uint64_t *state, size_t variant)
{
    static const float special[] = {NAN,   INFINITY, -INFINITY, 0.0F,
                                    -0.0F, FLT_MAX,  -FLT_MAX,  0x1p-149F};
    const float x = (float)test_random(state) / 0x1p30F - 1.0F;
    switch (variant) {
    case 0:
        return x;
    case 1:
        return floorf(4 * x) / 4;
    case 2:
        return fabsf(floorf(20 * x)) + 1;
    case 3:
        return 7;
    default:
        return special[test_random(state) % (sizeof special / sizeof special[0])];
    }
}

static void check_cutoff(const float *x, size_t n, size_t k, float least)
{
    const struct answer expected = sorted(x, n, k, least);
    struct ss_sae_topk_cutoff cutoff = ss_sae_topk_find_cutoff(x, n, k, least);
    size_t taken = 0;
    if (k > 0) {
        assert_int_equal(cutoff.is_tied, expected.is_tied);
    }
    for (size_t i = 0; i < n; i++) {
        if (ss_sae_topk_passes(&cutoff, x[i])) {
            assert_true(taken < expected.n);
            assert_int_equal(expected.best[taken++].id, i);
        }
    }
    assert_int_equal(taken, expected.n);
}

static void cutoffs_are_where_sorting_puts_them(void **state)
{
    (void)state;
    static const float least[] = {-INFINITY, -FLT_MAX, -0.5F, 0, FLT_TRUE_MIN, 3};
    uint64_t seed = 3;
    float x[MOST];
    for (size_t turn = 0; turn < 3000; turn++) {
        const size_t n = test_random(&seed) % MOST, k = test_random(&seed) % (n + 3);
        for (size_t i = 0; i < n; i++) {
            x[i] = draw(&seed, turn % 5);
        }
        check_cutoff(x, n, k, least[test_random(&seed) % 6]);
    }
}

static void check_stream(const float *x, size_t n, size_t k)
{
    float values[2 * MOST + 64];
    uint32_t ids[2 * MOST + 64];
    const struct answer expected = sorted(x, n, k, FLT_TRUE_MIN);
    struct ss_sae_topk topk = {.values = values,
                               .ids = ids,
                               .k = k,
                               .capacity = ss_sae_topk_capacity(k),
                               .least = -INFINITY};
    assert_true(topk.capacity <= sizeof ids / sizeof ids[0]);
    for (size_t i = 0; i < n; i += 32) {
        uint32_t bits = 0;
        for (size_t j = 0; j < 32 && i + j < n; j++) {
            bits |= (uint32_t)(x[i + j] >= FLT_TRUE_MIN) << j;
        }
        ss_sae_topk_offer(&topk, x + i, bits, (uint32_t)i);
    }
    ss_sae_topk_cut(&topk);
    assert_int_equal(topk.n, expected.n);
    assert_int_equal(topk.is_tied, expected.is_tied);
    for (size_t i = 0; i < expected.n; i++) {
        assert_int_equal(ids[i], expected.best[i].id);
        assert_true(values[i] == expected.best[i].value);
    }
}

static void streams_keep_the_largest(void **state)
{
    (void)state;
    uint64_t seed = 4;
    float x[MOST];
    for (size_t turn = 0; turn < 3000; turn++) {
        const size_t n = test_random(&seed) % MOST, k = 1 + test_random(&seed) % 70;
        for (size_t i = 0; i < n; i++) {
            x[i] = draw(&seed, turn % 5);
        }
        check_stream(x, n, k);
    }
}

static void batches_keep_the_largest(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (size_t turn = 0; turn < 300; turn++) {
        enum { ROWS = 20, FIRST = 3 };
        float values[MOST], before[MOST];
        uint32_t features[MOST];
        size_t offsets[ROWS + 1] = {0}, old_offsets[ROWS + 1];
        for (size_t r = 0; r < ROWS; r++) {
            offsets[r + 1] = offsets[r] + test_random(&seed) % (MOST / ROWS);
        }
        const size_t n = offsets[ROWS], start = offsets[FIRST];
        for (size_t i = 0; i < n; i++) {
            values[i] = before[i] = draw(&seed, 2);
            features[i] = (uint32_t)i;
        }
        memcpy(old_offsets, offsets, sizeof offsets);
        struct ss_sparse rows = {
            .n_rows = ROWS, .offsets = offsets, .features = features, .values = values};
        const size_t k = test_random(&seed) % (n - start + 2);
        const struct answer expected = sorted(before + start, n - start, k, FLT_TRUE_MIN);
        ss_sae_topk_of_rows(&rows, FIRST, k);
        assert_memory_equal(offsets, old_offsets, (FIRST + 1) * sizeof offsets[0]);
        assert_memory_equal(values, before, start * sizeof values[0]);
        assert_int_equal(offsets[ROWS], start + expected.n);
        for (size_t r = FIRST; r < ROWS; r++) {
            for (size_t i = offsets[r]; i < offsets[r + 1]; i++) {
                assert_int_equal(features[i], start + expected.best[i - start].id);
                assert_true(values[i] == expected.best[i - start].value);
                assert_in_range(features[i], old_offsets[r], old_offsets[r + 1] - 1);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cutoffs_are_where_sorting_puts_them),
        cmocka_unit_test(streams_keep_the_largest),
        cmocka_unit_test(batches_keep_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
