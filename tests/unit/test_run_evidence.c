/* The reader of a run's evidence: what it gives is what tools/make_evidence_data.py expects,
 * and damaged files are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/output.h"
#include "folder/evidence_read.h"
#include "folder/results.h"
#include "weights/weights.h"

#define DATA SS_TEST_DATA "/evidence/"
enum { N_FEATURES = 12, WIDTH = 8 };

static char folder[] = "/tmp/saescope-evidence-XXXXXX";
static const char *const files[] = {SS_FOLDER_FILE_HISTOGRAMS, SS_FOLDER_FILE_EVIDENCE_TEXTS,
                                    SS_FOLDER_FILE_EMBEDDINGS, SS_FOLDER_FILE_SAMPLES};
static const char *const others[] = {
    SS_FOLDER_FILE_RATES, SS_FOLDER_FILE_TOP,      SS_FOLDER_FILE_FEATURES, "density.svg",
    "density.png",        SS_FOLDER_FILE_MANIFEST, SS_FOLDER_FILE_TEXTS};

static const char *in_run(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/run/%s", folder, name);
    return path;
}

static void analyze(ss_evidence kind, bool has_texts)
{
    ss_sae *sae = NULL;
    ss_dataset *dataset = NULL;
    ss_run *run = NULL;
    ss_err err = {0};
    const char *texts = DATA "texts.jsonl";
    char *out = strdup(in_run(""));
    const struct ss_dataset_options options = {.struct_size = sizeof options, .keep = "id"};
    struct ss_analyze_options how = {.struct_size = sizeof how,
                                     .out_dir = out,
                                     .force = true,
                                     .top_k = 6,
                                     .evidence = kind,
                                     .sample_rows = 40};
    assert_int_equal(ss_sae_open(DATA "sae-jumprelu", NULL, &sae, &err), SS_OK);
    if (has_texts) {
        assert_int_equal(ss_dataset_open(&texts, 1, &options, &dataset, &err), SS_OK);
    }
    assert_int_equal(ss_embeddings_open(DATA "embeddings.npy", NULL, &how.embeddings, &err),
                     SS_OK);
    if (ss_analyze(NULL, sae, dataset, &how, &run, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    ss_run_free(run);
    ss_embeddings_free(how.embeddings);
    ss_dataset_close(dataset);
    ss_sae_free(sae);
    free(out);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        unlink(in_run(files[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        unlink(in_run(others[i]));
    }
    rmdir(in_run("evidence"));
    rmdir(in_run(""));
    return rmdir(folder);
}

static struct ss_folder_evidence opened(void)
{
    struct ss_folder_evidence evidence;
    ss_err err = {0};
    if (ss_folder_evidence_open(in_run(""), N_FEATURES, &evidence, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return evidence;
}

/* Values of an array of the expected data, which has `n` of them, of `size` bytes each. */
static const void *expected(const struct ss_weights *weights, const char *name, size_t size,
                            uint64_t n)
{
    const struct ss_weights_tensor *tensor = ss_weights_find(weights, name);
    assert_non_null(tensor);
    assert_int_equal(tensor->n_elements, n);
    assert_int_equal(ss_weights_dtype_bytes(tensor->dtype), size);
    return tensor->data;
}

static void check_texts(const struct ss_folder_evidence *evidence,
                        const struct ss_weights *weights)
{
    const size_t n = evidence->n_texts;
    const uint64_t *keys = expected(weights, "key", 8, n);
    const uint8_t *halves = expected(weights, "half", 1, n);
    const uint8_t *in_pool = expected(weights, "in_pool", 1, n);
    const uint64_t *counts = expected(weights, "count", 8, n);
    const int64_t *positions = expected(weights, "position", 8, n);
    const int64_t *offsets = expected(weights, "active_offsets", 8, n + 1);
    const uint32_t *features = expected(weights, "features", 4, (uint64_t)offsets[n]);
    const float *activations = expected(weights, "activations", 4, (uint64_t)offsets[n]);
    for (size_t i = 0; i < n; i++) {
        char kept[32];
        const int half = ss_folder_evidence_half(evidence, i);
        assert_int_equal(half, halves[i]);
        assert_int_equal(i - evidence->first[half] < evidence->n_pool[half], in_pool[i]);
        assert_true(evidence->keys[i] == keys[i] && evidence->counts[i] == counts[i]);
        assert_int_equal(evidence->positions[i], positions[i]);
        assert_int_equal(evidence->codes.offsets[i + 1], offsets[i + 1]);
        snprintf(kept, sizeof kept, "{\"id\": %d}", (int)positions[i]);
        assert_int_equal(evidence->kept[i].n_bytes, strlen(kept));
        assert_memory_equal(evidence->kept[i].data, kept, strlen(kept));
        assert_memory_equal(evidence->files[i].data, DATA "texts.jsonl",
                            strlen(DATA "texts.jsonl"));
    }
    assert_memory_equal(evidence->codes.features, features, 4 * (size_t)offsets[n]);
    assert_memory_equal(evidence->codes.values, activations, 4 * (size_t)offsets[n]);
}

static void check_samples(const struct ss_folder_evidence *evidence,
                          const struct ss_weights *weights)
{
    const uint64_t n = ss_weights_find(weights, "sample_text")->n_elements;
    const uint32_t *features = expected(weights, "sample_feature", 4, n);
    const uint8_t *halves = expected(weights, "sample_half", 1, n);
    const uint32_t *texts = expected(weights, "sample_text", 4, n);
    const float *activations = expected(weights, "sample_activation", 4, n);
    uint64_t at = 0;
    for (size_t f = 0; f < N_FEATURES; f++) {
        for (int kind = 0; kind < SS_STATS_N_SAMPLES; kind++) {
            const struct ss_folder_samples samples =
                ss_folder_evidence_samples(evidence, f, (ss_stats_sample_kind)kind);
            for (size_t i = 0; i < samples.n; i++, at++) {
                assert_true(at < n && features[at] == f);
                assert_int_equal(samples.texts[i], texts[at]);
                assert_true(samples.activations[i] == activations[at]);
                assert_int_equal(ss_folder_evidence_half(evidence, texts[at]), halves[at]);
            }
        }
    }
    assert_int_equal(at, n);
}

static void check_histograms(const struct ss_folder_evidence *evidence,
                             const struct ss_weights *weights)
{
    const uint64_t *offsets = expected(weights, "bin_offsets", 8, N_FEATURES + 1);
    const uint32_t *bins = expected(weights, "bins", 4, offsets[N_FEATURES]);
    const uint64_t *counts = expected(weights, "bin_counts", 8, offsets[N_FEATURES]);
    for (size_t f = 0; f < N_FEATURES; f++) {
        const struct ss_folder_bins found = ss_folder_evidence_bins(evidence, f);
        assert_int_equal(found.n, offsets[f + 1] - offsets[f]);
        assert_memory_equal(found.bins, bins + offsets[f], found.n * sizeof *bins);
        assert_memory_equal(found.counts, counts + offsets[f], found.n * sizeof *counts);
    }
    assert_memory_equal(evidence->n_rows, expected(weights, "rows", 8, 2), 16);
    assert_memory_equal(evidence->n_active, expected(weights, "active", 8, 2 * N_FEATURES),
                        16 * N_FEATURES);
}

static void evidence_is_what_is_expected(void **state)
{
    (void)state;
    struct ss_weights *weights = NULL;
    double mean[WIDTH], sum = 0;
    analyze(SS_EVIDENCE_FULL, true);
    struct ss_folder_evidence evidence = opened();
    assert_int_equal(ss_weights_open(DATA "jumprelu.npz", NULL, &weights, NULL), SS_OK);
    assert_true(evidence.has_texts && evidence.width == WIDTH && evidence.n_features == 12);
    assert_int_equal(evidence.sizes.n_pool, 40);
    assert_int_equal(evidence.sizes.n_samples[SS_STATS_SAMPLE_TOP], 6);
    assert_int_equal(evidence.sizes.n_samples[SS_STATS_SAMPLE_FIRING_SCORE], 100);
    check_texts(&evidence, weights);
    check_samples(&evidence, weights);
    check_histograms(&evidence, weights);
    ss_folder_evidence_mean(&evidence, mean);
    for (size_t i = 0; i < evidence.n_pool[0]; i++) {
        sum += (double)evidence.embeddings[i * WIDTH + 3];
    }
    assert_true(mean[3] == sum / 40);
    ss_weights_close(weights);
    ss_folder_evidence_release(&evidence);
}

static void rows_without_texts_have_none(void **state)
{
    (void)state;
    analyze(SS_EVIDENCE_LIGHT, false);
    struct ss_folder_evidence evidence = opened();
    assert_false(evidence.has_texts);
    for (size_t i = 0; i < evidence.n_texts; i++) {
        assert_int_equal(evidence.texts[i].n_bytes, 0);
        assert_int_equal(evidence.counts[i] <= 1, 1);
    }
    ss_folder_evidence_release(&evidence);
}

static void a_run_without_evidence_says_what_to_do(void **state)
{
    (void)state;
    struct ss_folder_evidence evidence;
    ss_err err = {0};
    analyze(SS_EVIDENCE_NONE, true);
    assert_int_equal(ss_folder_evidence_open(in_run(""), N_FEATURES, &evidence, &err),
                     SS_E_NOINPUT);
    assert_non_null(strstr(err.message, "run saescope analyze again"));
}

static void another_number_of_features_is_refused(void **state)
{
    (void)state;
    struct ss_folder_evidence evidence;
    analyze(SS_EVIDENCE_FULL, true);
    assert_int_equal(ss_folder_evidence_open(in_run(""), N_FEATURES - 2, &evidence, NULL),
                     SS_E_DATA);
    assert_int_equal(ss_folder_evidence_open(in_run(""), N_FEATURES + 1, &evidence, NULL),
                     SS_E_DATA);
}

/* Bits turned over and ends cut off: an error, or evidence that can be walked over. */
static void damaged_files_are_refused(void **state)
{
    (void)state;
    uint64_t random = 3;
    size_t n_refused = 0;
    analyze(SS_EVIDENCE_LIGHT, true);
    for (size_t f = 0; f < 4; f++) {
        struct ss__buf good = {0};
        assert_int_equal(ss__file_read(in_run(files[f]), 1 << 26, &good, NULL), SS_OK);
        for (size_t i = 0; i < 120; i++) {
            struct ss_folder_evidence evidence;
            random = random * 6364136223846793005U + 1442695040888963407U;
            const size_t at = (size_t)(random >> 20) % good.n_bytes;
            const char kept = good.data[at];
            const size_t n = i % 4 == 0 ? at : good.n_bytes;
            good.data[at] = (char)(kept ^ (1 << (random >> 60) % 8));
            assert_int_equal(ss__file_write(in_run(files[f]), good.data, n, NULL), SS_OK);
            good.data[at] = kept;
            if (ss_folder_evidence_open(in_run(""), N_FEATURES, &evidence, NULL) != SS_OK) {
                n_refused++;
                assert_true(n < good.n_bytes || i % 4 != 0);
                continue;
            }
            assert_int_equal(n, good.n_bytes);
            for (size_t j = 0; j < evidence.codes.offsets[evidence.n_texts]; j++) {
                assert_true(evidence.codes.features[j] < N_FEATURES);
            }
            ss_folder_evidence_release(&evidence);
        }
        assert_int_equal(ss__file_write(in_run(files[f]), good.data, good.n_bytes, NULL),
                         SS_OK);
        ss__buf_release(&good);
    }
    assert_true(n_refused > 4 * 30);
    unlink(in_run(SS_FOLDER_FILE_SAMPLES));
    struct ss_folder_evidence evidence;
    assert_int_equal(ss_folder_evidence_open(in_run(""), N_FEATURES, &evidence, NULL),
                     SS_E_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_is_what_is_expected),
        cmocka_unit_test(rows_without_texts_have_none),
        cmocka_unit_test(a_run_without_evidence_says_what_to_do),
        cmocka_unit_test(another_number_of_features_is_refused),
        cmocka_unit_test(damaged_files_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
