/* The reducer of pairs and its triangle. A row with n features that fire is n (n - 1) / 2
 * pairs, most of the work of the pass, so a cell is 24 bytes that are reached by arithmetic.
 * Where the triangle does not fit into the memory that is allowed, pairs are gathered and
 * sorted (pair_runs.c). Both add the same whole numbers, so both give the same counts. */
#include "stats/pair_counts.h"

#include "base/mem.h"
#include "stats/pair_counts_priv.h"

#define UNITS (1 / SS_STATS_PRODUCT_UNIT)

/* UINT64_MAX where it has no number, which no limit of memory allows. */
uint64_t ss_stats_pairs_triangle_bytes(size_t n_features)
{
    const uint64_t n = n_features;
    return n < UINT32_MAX
               ? (n < 2 ? 0 : n * (n - 1) / 2) > UINT64_MAX / sizeof(struct ss_stats_cell)
                     ? UINT64_MAX
                     : (n < 2 ? 0 : n * (n - 1) / 2) * sizeof(struct ss_stats_cell)
               : UINT64_MAX;
}

/* Where pairs are counted. */
static ss_status make_counts(struct ss_stats_pairs *pairs, ss_err *err)
{
    const uint64_t bytes = ss_stats_pairs_triangle_bytes(pairs->n_features);
    if (bytes <= pairs->memory_bytes) {
        SS_ALLOC_OR_RETURN(pairs->triangle, (size_t)(bytes / sizeof *pairs->triangle));
        return SS_OK;
    }
    return ss_stats_runs_init(&pairs->runs, (uint64_t)pairs->n_features * pairs->n_features,
                              pairs->memory_bytes, err);
}

ss_status ss_stats_pairs_new(size_t n_features, uint64_t memory_bytes,
                             struct ss_stats_pairs **out, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_pairs *made = NULL;
    *out = NULL;
    if (n_features >= UINT32_MAX) {
        return ss__fail(err, SS_E_LIMIT, "pairs of %zu features cannot be counted", n_features);
    }
    SS_ALLOC(made, 1);
    made->n_features = n_features;
    made->memory_bytes = memory_bytes;
    SS_ALLOC(made->features, n_features);
    SS_TRY(make_counts(made, err));
    *out = made;
    made = NULL;
out:
    ss_stats_pairs_free(made);
    return status;
}

void ss_stats_pairs_free(struct ss_stats_pairs *pairs)
{
    if (pairs == NULL) {
        return;
    }
    ss__free(pairs->features);
    ss__free(pairs->triangle);
    ss__free(pairs->packed);
    ss_stats_runs_release(&pairs->runs);
    ss__free(pairs);
}

/* ---- adding ---- */

/* Make pairs that were loaded ready for others. */
static ss_status unpack(struct ss_stats_pairs *pairs, ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_pairs_walk walk = {0};
    struct ss_stats_pair pair = {0};
    bool has = true;
    uint8_t *packed = pairs->packed;
    if (packed == NULL) {
        return SS_OK;
    }
    SS_TRY(make_counts(pairs, err));
    SS_TRY(ss_stats_pairs_begin(pairs, &walk, err));
    for (;;) {
        SS_TRY(ss_stats_pairs_next(&walk, &pair, &has, err));
        if (!has) {
            break;
        }
        SS_TRY(ss_stats_pairs_put(pairs, &pair, err));
    }
    pairs->packed = NULL;
    ss__free(packed);
out:
    ss_stats_pairs_end(&walk);
    return status;
}

/* Where the row of a begins in the triangle, so that b is at + b. Wraps below 0 for a = 0. */
static size_t row_of(const struct ss_stats_pairs *pairs, size_t a)
{
    return a * (2 * pairs->n_features - a - 1) / 2 - a - 1;
}

/* The product of two floats is exact in double, and so is it in units. */
static uint64_t product_of(float a, float b)
{
    const double units = (double)a * (double)b * UNITS;
    return units < 0x1p63 ? (uint64_t)(int64_t)units : UINT64_MAX;
}

/* Saturates: a sum beyond 2^64 units stays the largest, and adding in another order gives the
 * same. */
static void add_up(uint64_t *sum, uint64_t term)
{
    *sum = *sum > UINT64_MAX - term ? UINT64_MAX : *sum + term;
}

/* Features of a row may come in any order. */
static void add_to_triangle(struct ss_stats_pairs *pairs, const uint32_t *features,
                            const float *values, size_t n, uint8_t half)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            const size_t a = features[i] < features[j] ? features[i] : features[j];
            const size_t b = features[i] < features[j] ? features[j] : features[i];
            struct ss_stats_cell *cell = &pairs->triangle[row_of(pairs, a) + b];
            add_up(&cell->products[half], product_of(values[i], values[j]));
            cell->counts[half]++;
        }
    }
}

/* One key for a pair, smaller feature first, as the triangle has it: sorting by it brings equal
 * pairs together. */
static ss_status add_to_runs(struct ss_stats_pairs *pairs, const uint32_t *features,
                             const float *values, size_t n, uint8_t half, ss_err *err)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            const uint64_t a = features[i] < features[j] ? features[i] : features[j];
            const uint64_t b = features[i] < features[j] ? features[j] : features[i];
            struct ss_stats_run_entry entry = {.key = a * pairs->n_features + b};
            entry.cell.products[half] = product_of(values[i], values[j]);
            entry.cell.counts[half] = 1;
            SS_RETURN_IF_ERROR(ss_stats_runs_add(&pairs->runs, &entry, err));
        }
    }
    return SS_OK;
}

/* Counts of a cell have 32 bits; no pair fires in more rows than there are. */
static ss_status count_rows(struct ss_stats_pairs *pairs, int half, uint64_t n, ss_err *err)
{
    if (n > UINT32_MAX - pairs->n_rows[half]) {
        return ss__fail(err, SS_E_LIMIT,
                        "more than %u rows of a half: pairs of features cannot be counted, "
                        "switch them off with `no_pairs`",
                        UINT32_MAX);
    }
    pairs->n_rows[half] += n;
    return SS_OK;
}

ss_status ss_stats_pairs_add(struct ss_stats_pairs *pairs, const struct ss_sparse *rows,
                             const uint8_t *halves, ss_err *err)
{
    SS_RETURN_IF_ERROR(unpack(pairs, err));
    for (size_t r = 0; r < rows->n_rows; r++) {
        const size_t begin = rows->offsets[r], n = rows->offsets[r + 1] - begin;
        const uint32_t *features = rows->features + begin;
        const float *values = rows->values + begin;
        SS_RETURN_IF_ERROR(count_rows(pairs, halves[r], 1, err));
        for (size_t i = 0; i < n; i++) {
            struct ss_stats_pair_feature *feature = &pairs->features[features[i]];
            feature->counts[halves[r]]++;
            feature->partners += n - 1;
            add_up(&feature->squares[halves[r]], product_of(values[i], values[i]));
        }
        if (pairs->triangle != NULL) {
            add_to_triangle(pairs, features, values, n, halves[r]);
        } else {
            SS_RETURN_IF_ERROR(add_to_runs(pairs, features, values, n, halves[r], err));
        }
    }
    return SS_OK;
}

/* A pair that was counted elsewhere. */
ss_status ss_stats_pairs_put(struct ss_stats_pairs *pairs, const struct ss_stats_pair *pair,
                             ss_err *err)
{
    const struct ss_stats_run_entry entry = {
        (uint64_t)pair->a * pairs->n_features + pair->b,
        {{pair->products[0], pair->products[1]}, {pair->counts[0], pair->counts[1]}}};
    if (pairs->triangle == NULL) {
        return ss_stats_runs_add(&pairs->runs, &entry, err);
    }
    ss_stats_cell_add(&pairs->triangle[row_of(pairs, pair->a) + pair->b], &entry.cell);
    return SS_OK;
}

ss_status ss_stats_pairs_merge(struct ss_stats_pairs *pairs, const struct ss_stats_pairs *other,
                               ss_err *err)
{
    ss_status status = SS_OK;
    struct ss_stats_pairs_walk walk = {0};
    struct ss_stats_pair pair = {0};
    bool has = true;
    if (pairs->n_features != other->n_features) {
        return ss__fail(err, SS_E_SHAPE, "pairs of %zu and of %zu features cannot be merged",
                        pairs->n_features, other->n_features);
    }
    SS_RETURN_IF_ERROR(unpack(pairs, err));
    for (int half = 0; half < SS_STATS_N_HALVES; half++) {
        SS_RETURN_IF_ERROR(count_rows(pairs, half, other->n_rows[half], err));
    }
    for (size_t f = 0; f < pairs->n_features; f++) {
        pairs->features[f].counts[0] += other->features[f].counts[0];
        pairs->features[f].counts[1] += other->features[f].counts[1];
        pairs->features[f].partners += other->features[f].partners;
        add_up(&pairs->features[f].squares[0], other->features[f].squares[0]);
        add_up(&pairs->features[f].squares[1], other->features[f].squares[1]);
    }
    SS_TRY(ss_stats_pairs_begin(other, &walk, err));
    for (;;) {
        SS_TRY(ss_stats_pairs_next(&walk, &pair, &has, err));
        if (!has) {
            break;
        }
        SS_TRY(ss_stats_pairs_put(pairs, &pair, err));
    }
out:
    ss_stats_pairs_end(&walk);
    return status;
}

/* ---- what was counted ---- */

static bool has_count(const struct ss_stats_cell *cell)
{
    return cell->counts[0] > 0 || cell->counts[1] > 0;
}

/* Pairs that never fired together are none: the triangle has a cell for them, runs have no
 * entry. */
ss_status ss_stats_pairs_finish(struct ss_stats_pairs *pairs, ss_err *err)
{
    if (pairs->packed != NULL) {
        return SS_OK;
    }
    if (pairs->triangle == NULL) {
        SS_RETURN_IF_ERROR(ss_stats_runs_finish(&pairs->runs, err));
        pairs->n_pairs = pairs->runs.n_pairs;
        return SS_OK;
    }
    const uint64_t n =
        ss_stats_pairs_triangle_bytes(pairs->n_features) / sizeof *pairs->triangle;
    pairs->n_pairs = 0;
    for (uint64_t i = 0; i < n; i++) {
        pairs->n_pairs += has_count(&pairs->triangle[i]);
    }
    return SS_OK;
}

size_t ss_stats_pairs_n_features(const struct ss_stats_pairs *pairs)
{
    return pairs->n_features;
}

uint64_t ss_stats_pairs_n_rows(const struct ss_stats_pairs *pairs, int half)
{
    return pairs->n_rows[half];
}

uint64_t ss_stats_pairs_n(const struct ss_stats_pairs *pairs)
{
    return pairs->n_pairs;
}

const struct ss_stats_pair_feature *ss_stats_pairs_feature(const struct ss_stats_pairs *pairs,
                                                           size_t feature)
{
    return &pairs->features[feature];
}

/* The first pair is (0, 1). */
ss_status ss_stats_pairs_begin(const struct ss_stats_pairs *pairs,
                               struct ss_stats_pairs_walk *walk, ss_err *err)
{
    *walk = (struct ss_stats_pairs_walk){.pairs = pairs, .b = 1};
    if (pairs->packed == NULL && pairs->triangle == NULL) {
        walk->cursor = ss_stats_cursor_of_all(&pairs->runs);
        if (walk->cursor == NULL) {
            return ss__fail_nomem(err, "a reader of pairs");
        }
    }
    return SS_OK;
}

static void set_pair(struct ss_stats_pair *pair, uint32_t a, uint32_t b,
                     const struct ss_stats_cell *cell)
{
    *pair = (struct ss_stats_pair){
        a, b, {cell->counts[0], cell->counts[1]}, {cell->products[0], cell->products[1]}};
}

/* The entry of packed pairs at `at`, behind *key − 1, which becomes its own; false at the end. They
 * were checked when they were loaded. */
static bool next_packed(const struct ss_stats_pairs *pairs, size_t *at, uint64_t *key,
                        struct ss_stats_run_entry *entry)
{
    if (*at >= pairs->n_packed) {
        return false;
    }
    *at += ss_stats_entry_get(pairs->packed + *at, pairs->n_packed - *at, *key, entry);
    *key = entry->key--;
    return true;
}

ss_status ss_stats_pairs_next(struct ss_stats_pairs_walk *walk, struct ss_stats_pair *pair,
                              bool *has, ss_err *err)
{
    const struct ss_stats_pairs *pairs = walk->pairs;
    const size_t n = pairs->n_features;
    struct ss_stats_run_entry entry;
    *has = false;
    if (walk->cursor != NULL) {
        SS_RETURN_IF_ERROR(ss_stats_cursor_next(walk->cursor, &entry, has, err));
        if (*has) {
            set_pair(pair, (uint32_t)(entry.key / n), (uint32_t)(entry.key % n), &entry.cell);
        }
        return SS_OK;
    }
    if (pairs->packed != NULL) {
        *has = next_packed(pairs, &walk->at, &walk->key, &entry);
        if (*has) {
            set_pair(pair, (uint32_t)(entry.key / n), (uint32_t)(entry.key % n), &entry.cell);
        }
        return SS_OK;
    }
    while (!*has && walk->b < n) {
        const struct ss_stats_cell *cell = &pairs->triangle[walk->at++];
        *has = has_count(cell);
        if (*has) {
            set_pair(pair, walk->a, walk->b, cell);
        }
        if (++walk->b == n) {
            walk->a++;
            walk->b = walk->a + 1;
        }
    }
    return SS_OK;
}

void ss_stats_pairs_end(struct ss_stats_pairs_walk *walk)
{
    ss_stats_cursor_free(walk->cursor);
    *walk = (struct ss_stats_pairs_walk){0};
}
