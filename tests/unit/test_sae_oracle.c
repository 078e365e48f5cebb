/* Real SAEs on real embeddings against float64 answers of torch: which features fire, how
 * strongly, how often, and for which rows most.
 *
 * Reads ../shared/oracle (astro-2000: 2,000 abstracts) and is skipped where that is missing. A
 * correct fp32 program may differ in the pairs that lie within 1e-5 of their threshold, which
 * borderline.json counts: fp32 sums of 384 terms of size 1 are off by a few 1e-6 there. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "sae/sae.h"
#include "stats/stats.h"
#include "weights/weights.h"

#define ORACLE SS_TEST_SHARED "/oracle"
#define VALUE_TOLERANCE 1e-5 /* of the largest activation */
#define TOP_TOLERANCE 1e-5   /* neighbours closer than this may change places */

enum { N_ROWS = 2000, TOP_K = 10, BATCH = 128 };

static const char *const names[] = {"jumprelu-1536", "topk-768", "vanilla-768"};
enum { N_NAMES = sizeof names / sizeof names[0] };

/* What the reference says, and what we say. */
struct comparison {
    const char *name;
    ss_sae *sae;
    struct ss_sae_info info;
    struct ss_stats_fires fires;
    struct ss_stats_top *top;
    struct ss_weights *answers; /* activations.npz */
    const int64_t *offsets;
    const int32_t *features;
    const float *values;
    double most;
    uint64_t n_unlike;
};

static const struct ss_weights_tensor *find_array(const struct ss_weights *weights,
                                                  const char *name)
{
    for (size_t i = 0; i < ss_weights_n(weights); i++) {
        const struct ss_weights_tensor *tensor = ss_weights_at(weights, i);
        if (strncmp(tensor->name, name, strlen(name)) == 0) {
            return tensor;
        }
    }
    fail_msg("there is no array '%s'", name);
    return NULL;
}

static struct ss_weights *open_array_file(const char *folder, const char *file)
{
    char path[512];
    ss_err err = {0};
    struct ss_weights *weights = NULL;
    snprintf(path, sizeof path, "%s/astro-2000/%s%s", ORACLE, folder, file);
    if (ss_weights_open(path, NULL, &weights, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return weights;
}

static json_t *load_answer(const char *name, const char *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s/astro-2000/%s/%s", ORACLE, name, file);
    json_t *json = json_load_file(path, 0, NULL);
    assert_non_null(json);
    return json;
}

static void begin(struct comparison *self, const char *name)
{
    char path[512];
    ss_err err = {0};
    *self = (struct comparison){.name = name};
    snprintf(path, sizeof path, "%s/sae/%s", ORACLE, name);
    if (ss_sae_open(path, NULL, &self->sae, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    self->info.struct_size = sizeof self->info;
    ss_sae_describe(self->sae, &self->info);
    assert_int_equal(ss_stats_fires_init(&self->fires, self->info.n_features, NULL), SS_OK);
    assert_int_equal(ss_stats_top_new(self->info.n_features, TOP_K, false, &self->top, NULL),
                     SS_OK);
    self->answers = open_array_file(name, "/activations.npz");
    const struct ss_weights_tensor *offsets = find_array(self->answers, "indptr");
    assert_int_equal(offsets->dtype, SS_WEIGHTS_I64);
    self->offsets = offsets->data;
    self->features = find_array(self->answers, "indices")->data;
    self->values = find_array(self->answers, "data")->data;
    for (int64_t i = 0; i < self->offsets[N_ROWS]; i++) {
        self->most = fmax(self->most, (double)self->values[i]);
    }
}

static void end(struct comparison *self)
{
    ss_weights_close(self->answers);
    ss_stats_top_free(self->top);
    ss_stats_fires_release(&self->fires);
    ss_sae_free(self->sae);
}

/* Count the pairs that only one side has; values of common pairs agree. */
static void compare_row(struct comparison *self, const struct ss_sparse *rows, size_t r,
                        size_t row)
{
    size_t i = rows->offsets[r];
    int64_t j = self->offsets[row];
    while (i < rows->offsets[r + 1] || j < self->offsets[row + 1]) {
        const int64_t ours = i < rows->offsets[r + 1] ? rows->features[i] : INT64_MAX;
        const int64_t theirs = j < self->offsets[row + 1] ? self->features[j] : INT64_MAX;
        if (ours == theirs) {
            const double difference = fabs((double)rows->values[i] - (double)self->values[j]);
            assert_true(difference <= VALUE_TOLERANCE * self->most);
        }
        self->n_unlike += ours != theirs;
        i += ours <= theirs;
        j += theirs <= ours;
    }
}

/* The abstracts that were embedded; some are equal, which the top lists must see. */
static void load_texts(struct ss_text texts[N_ROWS])
{
    static const char *const paths[] = {SS_TEST_SHARED "/data/arxiv-astro.jsonl.xz"};
    ss_dataset *dataset = NULL;
    ss_err err = {0};
    if (ss_dataset_open(paths, 1, NULL, &dataset, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    for (size_t r = 0; r < N_ROWS; r++) {
        struct ss_row row = {.struct_size = sizeof row};
        bool has_row = false;
        assert_int_equal(ss_dataset_next(dataset, &row, &has_row, NULL), SS_OK);
        assert_true(has_row && row.kind == SS_ROW_TEXT);
        texts[r].data = ss__strndup(row.text.data, row.text.n_bytes);
        texts[r].n_bytes = row.text.n_bytes;
    }
    ss_dataset_close(dataset);
}

static void free_texts(struct ss_text texts[N_ROWS])
{
    for (size_t r = 0; r < N_ROWS; r++) {
        union {
            const char *seen;
            char *owned;
        } text = {.seen = texts[r].data};
        ss__free(text.owned);
    }
}

static void encode_all(struct comparison *self, const float *x, const struct ss_text *texts)
{
    struct ss_sparse rows = {0};
    uint64_t ids[BATCH];
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
    for (size_t at = 0; at < N_ROWS; at += BATCH) {
        const size_t n = ss__min_size(BATCH, N_ROWS - at);
        assert_int_equal(
            ss_sae_encode(self->sae, work, x + at * self->info.width, n, &rows, NULL), SS_OK);
        for (size_t r = 0; r < n; r++) {
            compare_row(self, &rows, r, at + r);
            ids[r] = at + r;
        }
        ss_stats_fires_add(&self->fires, &rows);
        assert_int_equal(ss_stats_top_add(self->top, &rows,
                                          &(struct ss_stats_row_texts){texts + at, NULL, ids},
                                          NULL),
                         SS_OK);
    }
    ss_stats_top_finish(self->top);
    ss_sparse_release(&rows);
    ss_work_free(work);
}

static void compare_counts(struct comparison *self)
{
    struct ss_weights *counts_file = open_array_file(self->name, "/counts.npy");
    struct ss_weights *rates_file = open_array_file(self->name, "/fire_rate.npy");
    const int64_t *counts = ss_weights_at(counts_file, 0)->data;
    const float *rates = ss_weights_at(rates_file, 0)->data;
    json_t *borderline = load_answer(self->name, "borderline.json");
    const uint64_t n_allowed =
        (uint64_t)json_integer_value(json_object_get(borderline, "within_1e-5"));
    uint64_t n_off = 0;
    for (size_t f = 0; f < self->info.n_features; f++) {
        const int64_t off = (int64_t)self->fires.counts[f] - counts[f];
        n_off += (uint64_t)(off < 0 ? -off : off);
        if (off == 0) {
            assert_true(ss_stats_fires_rate_pct(&self->fires, f) == rates[f]);
        }
    }
    print_message("%s: %llu pairs differ, %llu are borderline\n", self->name,
                  (unsigned long long)self->n_unlike, (unsigned long long)n_allowed);
    /* A top-k row that decides otherwise has one pair more and one less. */
    const uint64_t n_pairs = self->info.top_k > 0 ? 2 * n_allowed : n_allowed;
    assert_true(self->n_unlike <= n_pairs);
    assert_true(n_off <= n_pairs);
    json_decref(borderline);
    ss_weights_close(rates_file);
    ss_weights_close(counts_file);
}

static double top_value(const json_t *list, size_t rank)
{
    return json_number_value(json_array_get(json_array_get(list, rank), 0));
}

/* Whether the rank's value is well apart from the ranks beside it. */
static bool stands_apart(const json_t *list, size_t rank)
{
    const double value = top_value(list, rank);
    const bool above = rank == 0 || top_value(list, rank - 1) - value > TOP_TOLERANCE;
    const bool below = rank + 1 < json_array_size(list)
                           ? value - top_value(list, rank + 1) > TOP_TOLERANCE
                           : rank + 1 < TOP_K; /* the next one is not known */
    return above && below;
}

static void compare_top(struct comparison *self, const struct ss_text *texts)
{
    json_t *lists = load_answer(self->name, "top.json");
    size_t n_compared = 0;
    assert_int_equal(json_array_size(lists), self->info.n_features);
    for (size_t f = 0; f < self->info.n_features; f++) {
        const json_t *list = json_array_get(lists, f);
        const size_t n = ss__min_size(ss_stats_top_n(self->top, f), json_array_size(list));
        for (size_t i = 0; i < n; i++) {
            const struct ss_top_text found = ss_stats_top_at(self->top, f, i);
            assert_true(fabs((double)found.activation - top_value(list, i)) <=
                        VALUE_TOLERANCE * self->most);
            if (stands_apart(list, i)) {
                /* Of two rows with the same text either may be the stronger one by rounding. */
                const json_t *row = json_array_get(json_array_get(list, i), 1);
                const struct ss_text text = texts[json_integer_value(row)];
                assert_int_equal(found.text.n_bytes, text.n_bytes);
                assert_memory_equal(found.text.data, text.data, text.n_bytes);
                n_compared++;
            }
        }
    }
    assert_true(n_compared > self->info.n_features);
    json_decref(lists);
}

static void real_saes_answer_as_torch(void **state)
{
    (void)state;
    if (ss__path_stat(ORACLE) != SS__PATH_FOLDER) {
        print_message("skipped: there is no %s\n", ORACLE);
        skip();
    }
    struct ss_weights *embeddings = open_array_file("", "embeddings.npy");
    const float *x = ss_weights_at(embeddings, 0)->data;
    static struct ss_text texts[N_ROWS];
    load_texts(texts);
    assert_int_equal(ss_weights_at(embeddings, 0)->shape[0], N_ROWS);
    for (size_t i = 0; i < N_NAMES; i++) {
        struct comparison self;
        begin(&self, names[i]);
        encode_all(&self, x, texts);
        compare_counts(&self);
        compare_top(&self, texts);
        end(&self);
    }
    free_texts(texts);
    ss_weights_close(embeddings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(real_saes_answer_as_torch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
