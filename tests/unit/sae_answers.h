/* Answers beside SAEs in tests/data/sae: a line "rows width", the rows of the input, and a line
 * "n feature value ..." of each row's activations above 0. */
#ifndef SAE_ANSWERS_H
#define SAE_ANSWERS_H

#include <math.h>
#include <stdio.h>

#include "sae/sae.h"

/* fp32 sums of at most 16 terms: 16 * 2^-24 of the largest, twice for the normalisation. */
#define VALUE_TOLERANCE 2e-6

enum { MOST_ROWS = 16, MOST_WIDTH = 16, MOST_FEATURES = 520 };

struct answer {
    size_t n_rows, width;
    float x[MOST_ROWS * MOST_WIDTH];
    size_t offsets[MOST_ROWS + 1];
    uint32_t features[MOST_ROWS * MOST_FEATURES];
    double values[MOST_ROWS * MOST_FEATURES];
    double most;
};

static struct answer expected;

static inline void read_answer(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    expected.most = 0;
    assert_int_equal(fscanf(file, "%zu %zu", &expected.n_rows, &expected.width), 2);
    assert_true(expected.n_rows <= MOST_ROWS && expected.width <= MOST_WIDTH);
    for (size_t i = 0; i < expected.n_rows * expected.width; i++) {
        assert_int_equal(fscanf(file, "%f", &expected.x[i]), 1);
    }
    for (size_t r = 0; r < expected.n_rows; r++) {
        size_t n = 0;
        assert_int_equal(fscanf(file, "%zu", &n), 1);
        assert_true(n <= MOST_FEATURES);
        expected.offsets[r + 1] = expected.offsets[r] + n;
        for (size_t i = expected.offsets[r]; i < expected.offsets[r + 1]; i++) {
            assert_int_equal(fscanf(file, "%u %lf", &expected.features[i], &expected.values[i]),
                             2);
            expected.most = fmax(expected.most, expected.values[i]);
        }
    }
    fclose(file);
}

static inline void check_rows(const char *name, const struct ss_sparse *found)
{
    assert_int_equal(found->n_rows, expected.n_rows);
    for (size_t r = 0; r < expected.n_rows; r++) {
        if (found->offsets[r + 1] != expected.offsets[r + 1]) {
            fail_msg("%s: row %zu ends at %zu, expected %zu", name, r, found->offsets[r + 1],
                     expected.offsets[r + 1]);
        }
    }
    for (size_t i = 0; i < expected.offsets[expected.n_rows]; i++) {
        const double off = fabs((double)found->values[i] - expected.values[i]);
        if (found->features[i] != expected.features[i] ||
            !(off <= VALUE_TOLERANCE * expected.most)) {
            fail_msg("%s: activation %zu is %u: %g, expected %u: %g", name, i,
                     found->features[i], (double)found->values[i], expected.features[i],
                     expected.values[i]);
        }
    }
}

#endif
