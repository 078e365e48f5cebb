/* Evidence: whatever the order of rows, and however they are cut and merged, the same bytes;
 * and what is sampled is a uniform sample. Whether the bytes are the right ones is tested
 * against tools/make_evidence_data.py (tests/oracle/test_evidence.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "sparse_rows.h"
#include "stats/evidence.h"
#include "stats/magnitudes.h"

enum { N_ROWS = 600, N_FEATURES = 9, RARITY = 4, WIDTH = 5, PER_FILE = 100 };

/* Rows whose activations, embeddings and kept columns depend on the text alone, as those of an
 * encoder do. */
struct rows {
    struct test_rows made;
    float *embeddings;
    struct ss_stats_position *positions;
};

static void rows_make(struct rows *rows, uint32_t n_texts, uint64_t seed)
{
    test_rows_make(&rows->made, N_ROWS, N_FEATURES, RARITY, n_texts, seed);
    rows->embeddings = ss__alloc((size_t)N_ROWS * WIDTH, sizeof(float));
    rows->positions = ss__alloc(N_ROWS, sizeof *rows->positions);
    size_t n = 0;
    for (size_t r = 0; r < N_ROWS; r++) {
        const struct ss_text text = rows->made.texts[r];
        uint64_t state = ss__hash64(text.data, text.n_bytes) ^ seed;
        rows->positions[r] = (struct ss_stats_position){(uint32_t)(r / PER_FILE), r % PER_FILE};
        for (size_t i = 0; i < WIDTH; i++) {
            rows->embeddings[r * WIDTH + i] = (float)(test_random(&state) % 100);
        }
        for (uint32_t f = 0; f < N_FEATURES; f++) {
            if (test_random(&state) % RARITY == 0) {
                rows->made.sparse.features[n] = f;
                rows->made.sparse.values[n++] = (float)(1 + test_random(&state) % 30) * 0.037F;
            }
        }
        rows->made.sparse.offsets[r + 1] = n;
    }
}

static void rows_release(struct rows *rows)
{
    test_rows_release(&rows->made);
    ss__free(rows->embeddings);
    ss__free(rows->positions);
}

static void add(struct ss_stats_evidence *evidence, const struct rows *rows, size_t first,
                size_t n)
{
    size_t offsets[N_ROWS + 1];
    const struct ss_sparse part = test_rows_part(&rows->made, first, n, offsets);
    const struct ss_stats_evidence_rows taken = {
        .codes = &part,
        .embeddings = rows->embeddings + first * WIDTH,
        .texts = rows->made.texts + first,
        .kept = rows->made.texts + first,
        .positions = rows->positions + first,
        .numbers = rows->made.ids + first,
    };
    assert_int_equal(ss_stats_evidence_add(evidence, &taken, NULL), SS_OK);
}

static const struct {
    uint64_t n_pool;
    uint32_t top, strongest, firing[2];
    uint32_t n_texts;
    bool keep_duplicates;
} settings[] = {{10, 4, 3, {5, 7}, 1000000, false}, {10, 4, 3, {5, 7}, 60, false},
                {10, 9, 3, {5, 7}, 60, true},       {400, 10, 20, {64, 100}, 300, false},
                {1, 1, 1, {1, 1}, 200, false},      {UINT64_MAX, 2, 0, {0, 3}, 200, false}};
enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

static struct ss_stats_evidence *make(size_t s)
{
    struct ss_stats_evidence *evidence = NULL;
    const struct ss_stats_evidence_options options = {
        .n_features = N_FEATURES,
        .width = WIDTH,
        .sizes = {.n_pool = settings[s].n_pool,
                  .n_samples = {settings[s].top, settings[s].strongest, settings[s].firing[0],
                                settings[s].firing[1]}},
        .seed = s,
        .keep_duplicates = settings[s].keep_duplicates,
        .has_texts = true,
    };
    assert_int_equal(ss_stats_evidence_new(&options, &evidence, NULL), SS_OK);
    return evidence;
}

static ss_status append(void *user, const void *data, size_t n_bytes, ss_err *err)
{
    ss__buf_add(user, data, n_bytes);
    return ss__buf_check(user, err);
}

static struct ss__buf saved(struct ss_stats_evidence *evidence)
{
    struct ss__buf bytes = {0};
    assert_int_equal(ss_stats_evidence_finish(evidence, NULL), SS_OK);
    assert_int_equal(ss_stats_evidence_save(evidence, append, &bytes, NULL), SS_OK);
    return bytes;
}

static struct ss_stats_evidence *loaded(const struct ss__buf *bytes)
{
    struct ss_stats_evidence *evidence = NULL;
    ss_err err = {0};
    if (ss_stats_evidence_load(bytes->data, bytes->n_bytes, "state", &evidence, &err) !=
        SS_OK) {
        fail_msg("%s", err.message);
    }
    return evidence;
}

static void assert_same(const struct ss__buf *a, const struct ss__buf *b)
{
    assert_int_equal(a->n_bytes, b->n_bytes);
    assert_memory_equal(a->data, b->data, a->n_bytes);
}

static struct ss__buf of_single_run(size_t s, const struct rows *rows)
{
    struct ss_stats_evidence *whole = make(s);
    add(whole, rows, 0, N_ROWS);
    struct ss__buf bytes = saved(whole);
    ss_stats_evidence_free(whole);
    return bytes;
}

static void order_of_rows_does_not_show(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        struct rows rows;
        rows_make(&rows, settings[s].n_texts, 31 + s);
        struct ss__buf expected = of_single_run(s, &rows);
        struct ss_stats_evidence *backwards = make(s);
        for (size_t r = N_ROWS; r > 0; r--) {
            add(backwards, &rows, r - 1, 1);
        }
        struct ss__buf found = saved(backwards);
        assert_same(&expected, &found);
        ss_stats_evidence_free(backwards);
        ss__buf_release(&expected);
        ss__buf_release(&found);
        rows_release(&rows);
    }
}

/* Parts of random lengths, empty ones too; merged in a random order, each of them at random as
 * it is or saved and loaded. */
static void merge_parts(size_t s, const struct rows *rows, size_t n_parts, uint64_t *random,
                        const struct ss__buf *expected)
{
    struct ss_stats_evidence *parts[8];
    size_t begin = 0;
    for (size_t p = 0; p < n_parts; p++) {
        const size_t left = N_ROWS - begin;
        const size_t n = p + 1 == n_parts ? left : test_random(random) % (left + 1);
        parts[p] = make(s);
        if (n > 0) {
            add(parts[p], rows, begin, n);
        }
        if (test_random(random) % 2 == 0) {
            struct ss__buf bytes = saved(parts[p]);
            ss_stats_evidence_free(parts[p]);
            parts[p] = loaded(&bytes);
            struct ss__buf again = saved(parts[p]);
            assert_same(&bytes, &again);
            ss__buf_release(&bytes);
            ss__buf_release(&again);
        }
        begin += n;
    }
    for (; n_parts > 1; n_parts--) {
        const size_t i = test_random(random) % n_parts;
        const size_t j = (i + 1 + test_random(random) % (n_parts - 1)) % n_parts;
        assert_int_equal(ss_stats_evidence_merge(parts[i], parts[j], NULL), SS_OK);
        ss_stats_evidence_free(parts[j]);
        parts[j] = parts[n_parts - 1];
    }
    struct ss__buf found = saved(parts[0]);
    assert_same(expected, &found);
    ss__buf_release(&found);
    ss_stats_evidence_free(parts[0]);
}

static void merged_parts_are_the_single_run(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (size_t s = 0; s < N_SETTINGS; s++) {
        struct rows rows;
        rows_make(&rows, settings[s].n_texts, 70 + s);
        struct ss__buf expected = of_single_run(s, &rows);
        for (size_t i = 0; i < 20; i++) {
            merge_parts(s, &rows, 2 + i % 7, &random, &expected);
        }
        ss__buf_release(&expected);
        rows_release(&rows);
    }
}

static void other_options_are_not_merged(void **state)
{
    (void)state;
    struct ss_stats_evidence *a = make(0), *b = make(1);
    assert_int_equal(ss_stats_evidence_merge(a, b, NULL), SS_E_SHAPE);
    ss_stats_evidence_free(a);
    ss_stats_evidence_free(b);
}

/* Each bit of the state that is turned over, and each end that is cut off, is told or is other
 * evidence; nothing crashes. */
static void damaged_states_are_refused(void **state)
{
    (void)state;
    struct rows rows;
    size_t n_refused = 0, n_tried = 0;
    uint64_t random = 9;
    rows_make(&rows, settings[1].n_texts, 4);
    struct ss__buf bytes = of_single_run(1, &rows);
    for (size_t i = 0; i < 4000; i++) {
        struct ss_stats_evidence *evidence = NULL;
        const size_t at = i < 400 ? i : test_random(&random) % bytes.n_bytes;
        const char bit = (char)(1 << test_random(&random) % 8);
        bytes.data[at] = (char)(bytes.data[at] ^ bit);
        n_refused += ss_stats_evidence_load(bytes.data, bytes.n_bytes, "state", &evidence,
                                            NULL) != SS_OK;
        n_tried++;
        ss_stats_evidence_free(evidence);
        bytes.data[at] = (char)(bytes.data[at] ^ bit);
    }
    for (size_t n = 0; n < bytes.n_bytes; n += 1 + bytes.n_bytes / 300) {
        struct ss_stats_evidence *evidence = NULL;
        assert_int_not_equal(ss_stats_evidence_load(bytes.data, n, "state", &evidence, NULL),
                             SS_OK);
        assert_null(evidence);
    }
    assert_true(n_refused > n_tried / 10);
    ss__buf_release(&bytes);
    rows_release(&rows);
}

/* Of 400 texts in which a feature fires, 40 of a half are sampled; over 300 seeds each text
 * comes about equally often. Chi-square of 399 degrees of freedom: mean 399, standard deviation
 * 28; beyond 6 of those lies one in 10^8. The half is redrawn with the seed, too. */
static void samples_are_uniform(void **state)
{
    (void)state;
    enum { N_TEXTS = 400, N_SEEDS = 300, N_SAMPLES = 40 };
    static unsigned hits[N_TEXTS];
    char names[N_TEXTS][16];
    size_t n_sampled = 0;
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        struct ss_stats_evidence *evidence = NULL;
        const struct ss_stats_evidence_options options = {
            .n_features = 1,
            .width = 1,
            .sizes = {.n_pool = 1, .n_samples = {0, 0, N_SAMPLES, N_SAMPLES}},
            .seed = seed,
            .has_texts = true,
        };
        assert_int_equal(ss_stats_evidence_new(&options, &evidence, NULL), SS_OK);
        for (uint32_t i = 0; i < N_TEXTS; i++) {
            snprintf(names[i], sizeof names[i], "%u", i);
            size_t offsets[] = {0, 1};
            uint32_t feature = 0;
            float value = (float)(i + 1);
            const uint64_t number = i;
            const struct ss_sparse codes = {
                .n_rows = 1, .offsets = offsets, .features = &feature, .values = &value};
            const struct ss_text text = {names[i], strlen(names[i])};
            const struct ss_stats_position position = {0, i};
            const struct ss_stats_evidence_rows row = {.codes = &codes,
                                                       .embeddings = &value,
                                                       .texts = &text,
                                                       .positions = &position,
                                                       .numbers = &number};
            assert_int_equal(ss_stats_evidence_add(evidence, &row, NULL), SS_OK);
        }
        assert_int_equal(ss_stats_evidence_finish(evidence, NULL), SS_OK);
        for (int kind = SS_STATS_SAMPLE_FIRING_DESCRIBE; kind <= SS_STATS_SAMPLE_FIRING_SCORE;
             kind++) {
            const size_t n =
                ss_stats_evidence_n_samples(evidence, 0, (ss_stats_sample_kind)kind);
            assert_int_equal(n, N_SAMPLES);
            for (size_t rank = 0; rank < n; rank++) {
                const struct ss_stats_sample sample =
                    ss_stats_evidence_sample(evidence, 0, (ss_stats_sample_kind)kind, rank);
                hits[(size_t)sample.activation - 1]++;
                n_sampled++;
            }
        }
        ss_stats_evidence_free(evidence);
    }
    const double expected = (double)n_sampled / N_TEXTS;
    double chi_square = 0;
    for (size_t i = 0; i < N_TEXTS; i++) {
        chi_square += (hits[i] - expected) * (hits[i] - expected) / expected;
    }
    /* Drawn without replacement, counts vary less than those of a multinomial. */
    const double degrees = (N_TEXTS - 1) * (1 - 2.0 * N_SAMPLES / N_TEXTS);
    assert_true(chi_square < degrees + 6 * 28 && chi_square > degrees - 6 * 28);
}

/* Texts that come and go by the hundred leave a file that is compacted, after which those that
 * stayed are what they were. */
static void texts_survive_compaction(void **state)
{
    (void)state;
    enum { LARGE_WIDTH = 20000, N_LARGE = 600 };
    static float embedding[LARGE_WIDTH];
    struct ss_stats_evidence *evidence = NULL;
    struct ss__buf memory = {0};
    const struct ss_stats_evidence_options options = {
        .n_features = 1,
        .width = LARGE_WIDTH,
        .sizes = {.n_pool = 5, .n_samples = {2, 4, 3, 3}},
        .has_texts = true,
    };
    assert_int_equal(ss_stats_evidence_new(&options, &evidence, NULL), SS_OK);
    for (uint64_t i = 0; i < N_LARGE; i++) {
        char name[16];
        size_t offsets[] = {0, 1};
        uint32_t feature = 0;
        float value = (float)(i + 1);
        const struct ss_sparse codes = {
            .n_rows = 1, .offsets = offsets, .features = &feature, .values = &value};
        const struct ss_text text = {name, (size_t)snprintf(name, sizeof name, "%d", (int)i)};
        const struct ss_stats_position position = {0, i};
        embedding[0] = embedding[LARGE_WIDTH - 1] = value;
        const struct ss_stats_evidence_rows row = {.codes = &codes,
                                                   .embeddings = embedding,
                                                   .texts = &text,
                                                   .positions = &position,
                                                   .numbers = &i};
        assert_int_equal(ss_stats_evidence_add(evidence, &row, NULL), SS_OK);
    }
    assert_int_equal(ss_stats_evidence_finish(evidence, NULL), SS_OK);
    const size_t n = ss_stats_evidence_n_texts(evidence);
    assert_true(n >= 10 && n <= 22);
    for (size_t i = 0; i < n; i++) {
        struct ss_stats_evidence_text text;
        char name[16];
        assert_int_equal(ss_stats_evidence_text(evidence, i, &memory, &text, NULL), SS_OK);
        snprintf(name, sizeof name, "%d", (int)text.position.row);
        assert_int_equal(text.text.n_bytes, strlen(name));
        assert_memory_equal(text.text.data, name, strlen(name));
        assert_true(text.embedding[0] == (float)(text.position.row + 1));
        assert_true(text.embedding[LARGE_WIDTH - 1] == text.embedding[0]);
        assert_true(text.activations[0] == text.embedding[0] && text.n_active == 1);
    }
    ss__buf_release(&memory);
    ss_stats_evidence_free(evidence);
}

static void histograms_merge_and_load(void **state)
{
    (void)state;
    struct test_rows rows;
    size_t offsets[N_ROWS + 1];
    struct ss_stats_magnitudes whole, parts[2], again;
    struct ss_stats_magnitude_bins bins = {0}, merged = {0}, reloaded = {0};
    test_rows_make(&rows, N_ROWS, N_FEATURES, RARITY, 50, 3);
    for (size_t i = 0; i < rows.sparse.offsets[N_ROWS]; i += 7) { /* of many sizes */
        rows.sparse.values[i] *= (float)(1 << i % 20);
    }
    rows.sparse.values[0] = 1e-45F;
    rows.sparse.values[1] = 3.4e38F;
    assert_int_equal(ss_stats_magnitudes_init(&whole, N_FEATURES, NULL), SS_OK);
    assert_int_equal(ss_stats_magnitudes_add(&whole, &rows.sparse, NULL), SS_OK);
    assert_int_equal(ss_stats_magnitudes_save(&whole, &bins, NULL), SS_OK);
    for (size_t p = 0; p < 2; p++) {
        const struct ss_sparse part =
            test_rows_part(&rows, p * 250, p == 0 ? 250 : 350, offsets);
        assert_int_equal(ss_stats_magnitudes_init(&parts[p], N_FEATURES, NULL), SS_OK);
        assert_int_equal(ss_stats_magnitudes_add(&parts[p], &part, NULL), SS_OK);
    }
    assert_int_equal(ss_stats_magnitudes_merge(&parts[1], &parts[0], NULL), SS_OK);
    assert_int_equal(ss_stats_magnitudes_save(&parts[1], &merged, NULL), SS_OK);
    assert_int_equal(ss_stats_magnitudes_load(&again, &merged, NULL), SS_OK);
    assert_int_equal(ss_stats_magnitudes_save(&again, &reloaded, NULL), SS_OK);
    const size_t n = bins.offsets[N_FEATURES];
    assert_memory_equal(bins.offsets, reloaded.offsets,
                        (N_FEATURES + 1) * sizeof *bins.offsets);
    assert_memory_equal(bins.bins, reloaded.bins, n * sizeof *bins.bins);
    assert_memory_equal(bins.counts, reloaded.counts, n * sizeof *bins.counts);
    merged.bins[0] = merged.bins[1];
    struct ss_stats_magnitudes bad;
    assert_int_equal(ss_stats_magnitudes_load(&bad, &merged, NULL), SS_E_DATA);
    ss_stats_magnitudes_release(&bad);
    struct ss_stats_magnitudes narrow;
    assert_int_equal(ss_stats_magnitudes_init(&narrow, N_FEATURES - 1, NULL), SS_OK);
    assert_int_equal(ss_stats_magnitudes_merge(&narrow, &whole, NULL), SS_E_SHAPE);
    ss_stats_magnitudes_release(&narrow);
    ss_stats_magnitudes_release(&whole);
    ss_stats_magnitudes_release(&parts[0]);
    ss_stats_magnitudes_release(&parts[1]);
    ss_stats_magnitudes_release(&again);
    ss_stats_magnitude_bins_release(&bins);
    ss_stats_magnitude_bins_release(&merged);
    ss_stats_magnitude_bins_release(&reloaded);
    test_rows_release(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_rows_does_not_show),
        cmocka_unit_test(merged_parts_are_the_single_run),
        cmocka_unit_test(other_options_are_not_merged),
        cmocka_unit_test(damaged_states_are_refused),
        cmocka_unit_test(samples_are_uniform),
        cmocka_unit_test(texts_survive_compaction),
        cmocka_unit_test(histograms_merge_and_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
