/* Random sparse rows for the tests of reducers: seeded, small, with many equal activations. */
#ifndef SPARSE_ROWS_H
#define SPARSE_ROWS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "saescope.h"

enum { ROWS_TEXT_BYTES = 24 };

struct test_rows {
    struct ss_sparse sparse;
    struct ss_text *texts;
    uint64_t *ids;
    char (*memory)[ROWS_TEXT_BYTES];
};

static inline uint32_t test_random(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

/* n rows of `n_features`, of which about one in `rarity` fires; texts are taken from n_texts.
 */
static inline void test_rows_make(struct test_rows *rows, size_t n, size_t n_features,
                                  uint32_t rarity, uint32_t n_texts, uint64_t seed)
{
    uint64_t state = seed;
    size_t n_values = 0;
    *rows = (struct test_rows){.sparse = {.n_rows = n}};
    rows->sparse.offsets = ss__alloc(n + 1, sizeof(size_t));
    rows->sparse.features = ss__alloc(n * n_features, sizeof(uint32_t));
    rows->sparse.values = ss__alloc(n * n_features, sizeof(float));
    rows->texts = ss__alloc(n, sizeof *rows->texts);
    rows->ids = ss__alloc(n, sizeof *rows->ids);
    rows->memory = ss__alloc(n, sizeof *rows->memory);
    for (size_t r = 0; r < n; r++) {
        snprintf(rows->memory[r], ROWS_TEXT_BYTES, "text %u", test_random(&state) % n_texts);
        rows->texts[r] = (struct ss_text){rows->memory[r], strlen(rows->memory[r])};
        rows->ids[r] = r;
        for (uint32_t f = 0; f < n_features; f++) {
            if (test_random(&state) % rarity == 0) {
                rows->sparse.features[n_values] = f;
                rows->sparse.values[n_values++] =
                    (float)(1 + test_random(&state) % 40) * 0.0371F;
            }
        }
        rows->sparse.offsets[r + 1] = n_values;
    }
}

/* A view of rows first … first + n - 1, with offsets of its own in `offsets` [n + 1]. */
static inline struct ss_sparse test_rows_part(const struct test_rows *rows, size_t first,
                                              size_t n, size_t *offsets)
{
    const size_t start = rows->sparse.offsets[first];
    for (size_t i = 0; i <= n; i++) {
        offsets[i] = rows->sparse.offsets[first + i] - start;
    }
    return (struct ss_sparse){.n_rows = n,
                              .offsets = offsets,
                              .features = rows->sparse.features + start,
                              .values = rows->sparse.values + start};
}

static inline void test_rows_release(struct test_rows *rows)
{
    ss__free(rows->sparse.offsets);
    ss__free(rows->sparse.features);
    ss__free(rows->sparse.values);
    ss__free(rows->texts);
    ss__free(rows->ids);
    ss__free(rows->memory);
}

#endif
