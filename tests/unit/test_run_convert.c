/* Conversions of every small SAE to both targets: what can be said gives the same bytes of
 * activations when it is read back, what cannot is refused with the reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "sae/sae.h"
#include "unit/sae_answers.h"
#include "unit/sized.h"

#define DATA SS_TEST_DATA "/sae/"

/* A target's kind, or '!' and a part of the reason. */
static const struct conversion_case {
    const char *path, *answer; /* answer: the file with rows, beside the path if NULL */
    const char *seed, *saelens;
    struct ss_sae_options options;
} cases[] = {
    {"good/jumprelu", NULL, "jumprelu", "jumprelu", {0}},
    {"good/jumprelu-f16", NULL, "jumprelu", "jumprelu", {0}},
    {"good/jumprelu-bf16", NULL, "jumprelu", "jumprelu", {0}},
    {"good/exact", NULL, "jumprelu", "jumprelu", {0}},
    {"good/topk", NULL, "topk", "topk", {0}},
    {"good/topk-norm", NULL, "topk", "topk", {0}},
    {"good/topk-all", NULL, "topk", "topk", {0}},
    {"good/ties", NULL, "topk", "topk", {0}},
    {"good/vanilla", NULL, "vanilla", "standard", {0}},
    {"good/vanilla-f16", NULL, "vanilla", "standard", {0}},
    {"good/batchtopk",
     "good/batchtopk/row-topk.txt",
     "topk",
     "topk",
     {.batchtopk_rule = SS_BATCHTOPK_ROW_TOPK}},
    {"good/batchtopk",
     "good/batchtopk/threshold.txt",
     "!its jumprelu subtracts nothing",
     "jumprelu",
     {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD, .batchtopk_threshold = 0.75}},
    {"good/batchtopk",
     "good/batchtopk/threshold.txt",
     "!to be calibrated",
     "!to be calibrated",
     {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD}},
    {"good/batchtopk",
     "good/batchtopk/batch.txt",
     "!depend on its batch",
     "!depend on its batch",
     {.batchtopk_rule = SS_BATCHTOPK_BATCH}},
    {"formats/saelens-standard", NULL, "vanilla", "standard", {0}},
    {"formats/saelens-standard-ln", NULL, "jumprelu", "standard", {0}},
    {"formats/saelens-standard-bf16", NULL, "vanilla", "standard", {0}},
    {"formats/saelens-topk", NULL, "!adds no b_enc", "topk", {0}},
    {"formats/saelens-topk-rescale", NULL, "!adds no b_enc", "topk", {0}},
    {"formats/saelens-jumprelu", NULL, "!for 2 of 32", "jumprelu", {0}},
    {"formats/saelens-jumprelu-scaled", NULL, "!norm of sqrt(8)", "jumprelu", {0}},
    {"formats/saelens-gated", NULL, "!no kind for gated", "gated", {0}},
    {"formats/saelens-batchtopk", NULL, "!subtracts nothing", "jumprelu", {0}},
    {"formats/saelens-matryoshka", NULL, "!subtracts nothing", "jumprelu", {0}},
    {"formats/saelens-pursuit", NULL, "!no kind for matching", "matching_pursuit", {0}},
    {"formats/saelens-pursuit-short", NULL, "!no kind for matching", "matching_pursuit", {0}},
    {"formats/saelens-transcoder", NULL, "!transcoder", "transcoder", {0}},
    {"formats/saelens-skip-transcoder", NULL, "!transcoder", "skip_transcoder", {0}},
    {"formats/saelens-jumprelu-transcoder", NULL, "!transcoder", "jumprelu_transcoder", {0}},
    {"formats/saelens-jumprelu-skip", NULL, "!transcoder", "jumprelu_skip_transcoder", {0}},
    {"formats/gemma-scope", NULL, "!for 5 of 32", "jumprelu", {0}},
    {"formats/sparsify-topk", NULL, "!adds no encoder.bias", "topk", {0}},
    {"formats/sparsify-groupmax", NULL, "!no kind for groupmax", "!for groupmax", {0}},
    {"formats/sparsify-transcode", NULL, "!transcoder", "!no skip connection", {0}},
    {"formats/dictionary-standard", NULL, "vanilla", "standard", {0}},
    {"formats/dictionary-standard-unit", NULL, "vanilla", "standard", {0}},
    {"formats/dictionary-new", NULL, "jumprelu", "standard", {0}},
    {"formats/dictionary-gated", NULL, "!no kind for gated", "gated", {0}},
    {"formats/dictionary-jumprelu", NULL, "!as logarithms", "jumprelu", {0}},
    {"formats/dictionary-topk", NULL, "!adds no encoder.bias", "topk", {0}},
    {"formats/dictionary-untrained", NULL, "!subtracts nothing", "jumprelu", {0}},
    {"formats/dictionary-matryoshka", NULL, "!subtracts nothing", "jumprelu", {0}},
    {"formats/saerch-named", NULL, "!adds no latent_bias", "topk", {0}},
    {"formats/openai-topk", NULL, "!adds no latent_bias", "topk", {0}},
    {"formats/openai-old", NULL, "vanilla", "standard", {0}},
    {"formats/csr", NULL, "!adds no latent_bias", "topk", {0}},
    {"formats/csr-bin", NULL, "!adds no latent_bias", "topk", {0}},
    {"formats/hypothesaes", NULL, "!adds no neuron_bias", "topk", {0}},
    {"formats/hypothesaes-batch", NULL, "!subtracts nothing", "jumprelu", {0}},
    {"formats/latent-topk", NULL, "!adds no encoder.bias", "topk", {0}},
    {"formats/latent-gated", NULL, "!no kind for gated top-k", "!gated top-k", {0}},
    {"formats/latent-jumprelu", NULL, "!at most 16", "!at most 16", {0}},
    {"formats/latent-batchtopk", NULL, "!at most 4", "!at most 4", {0}},
    {"formats/latent-lista", NULL, "!no kind for lista", "!lista", {0}},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static char folder[] = "/tmp/saescope-convert-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

/* Remove a folder of files. */
static void drop(const char *path)
{
    char **names = NULL;
    size_t n = 0;
    assert_int_equal(ss__list_folder(path, &names, &n, NULL), SS_OK);
    for (size_t i = 0; i < n; i++) {
        char *file = ss__path_join(path, names[i]);
        assert_int_equal(unlink(file), 0);
        ss__free(file);
    }
    ss__list_release(names, n);
    assert_int_equal(rmdir(path), 0);
}

static int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails if a test left something */
}

static void encode(const char *path, const struct ss_sae_options *options,
                   struct ss_sparse *out)
{
    ss_err err = {0};
    ss_sae *sae = NULL;
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
    if (ss_sae_open(path, options, &sae, &err) != SS_OK ||
        ss_sae_encode(sae, work, expected.x, expected.n_rows, out, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    ss_sae_free(sae);
    ss_work_free(work);
}

static void check_same(const char *path, const struct conversion_case *self, const char *out)
{
    struct ss_sparse before = {0}, after = {0};
    const struct ss_sae_options sae_options = sized_sae_options(&self->options);
    encode(path, &sae_options, &before);
    encode(out, NULL, &after);
    const size_t n = before.offsets[before.n_rows];
    assert_int_equal(after.n_rows, before.n_rows);
    assert_true(n > 0);
    assert_memory_equal(after.offsets, before.offsets, (before.n_rows + 1) * sizeof(size_t));
    assert_memory_equal(after.features, before.features, n * sizeof(uint32_t));
    assert_memory_equal(after.values, before.values, n * sizeof(float));
    ss_sparse_release(&before);
    ss_sparse_release(&after);
}

static void convert(const struct conversion_case *self, const char *to, const char *outcome)
{
    char path[512], answer[512], out[128];
    ss_err err = {0};
    struct ss_convert_result done = {.struct_size = sizeof done};
    const struct ss_sae_options sae = sized_sae_options(&self->options);
    const struct ss_convert_options options = {.struct_size = sizeof options, .sae = &sae};
    snprintf(path, sizeof path, DATA "%s", self->path);
    snprintf(answer, sizeof answer, DATA "%s%s",
             self->answer != NULL ? self->answer : self->path,
             self->answer != NULL ? "" : "/expected.txt");
    snprintf(out, sizeof out, "%s/out", folder);
    const ss_status status = ss_sae_convert(path, to, out, &options, &done, &err);
    if (outcome[0] == '!') {
        if (status != SS_E_UNSUPPORTED || strstr(err.message, outcome + 1) == NULL) {
            fail_msg("%s to %s: status '%s' and '%s'", path, to, ss_status_name(status),
                     err.message);
        }
        assert_int_equal(ss__path_stat(out), SS__PATH_NONE);
        return;
    }
    if (status != SS_OK) {
        fail_msg("%s", err.message);
    }
    assert_string_equal(done.kind, outcome);
    assert_int_equal(done.n_rounded_thresholds, 0);
    read_answer(answer);
    check_same(path, self, out);
    drop(out);
}

static void every_sae_is_the_same_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        convert(&cases[i], "seed", cases[i].seed);
        convert(&cases[i], "saelens", cases[i].saelens);
    }
}

/* To the other format and back: the activations of the first, and thresholds as they were. */
static void there_and_back(void **state)
{
    (void)state;
    char first[128], second[128];
    struct ss_convert_result done = {.struct_size = sizeof done};
    struct ss_sparse before = {0}, after = {0};
    snprintf(first, sizeof first, "%s/lens", folder);
    snprintf(second, sizeof second, "%s/seed", folder);
    read_answer(DATA "good/jumprelu/expected.txt");
    encode(DATA "good/jumprelu", NULL, &before);
    assert_int_equal(ss_sae_convert(DATA "good/jumprelu", "saelens", first, NULL, &done, NULL),
                     SS_OK);
    assert_string_equal(done.from, "saes-for-sbert");
    assert_int_equal(ss_sae_convert(first, "seed", second, NULL, &done, NULL), SS_OK);
    assert_string_equal(done.from, "saelens");
    encode(second, NULL, &after);
    assert_memory_equal(after.values, before.values,
                        before.offsets[before.n_rows] * sizeof(float));
    drop(first);
    drop(second);
    ss_sparse_release(&before);
    ss_sparse_release(&after);
}

static void rounding_is_allowed_on_request(void **state)
{
    (void)state;
    char out[128];
    ss_err err = {0};
    ss_sae *before = NULL, *after = NULL;
    struct ss_convert_result done = {.struct_size = sizeof done};
    const struct ss_convert_options options = {.struct_size = sizeof options,
                                               .allow_rounding = true};
    snprintf(out, sizeof out, "%s/out", folder);
    assert_int_equal(
        ss_sae_convert(DATA "formats/saelens-jumprelu", "seed", out, &options, &done, &err),
        SS_OK);
    assert_int_equal(done.n_rounded_thresholds, 2);
    assert_int_equal(ss_sae_open(DATA "formats/saelens-jumprelu", NULL, &before, NULL), SS_OK);
    assert_int_equal(ss_sae_open(out, NULL, &after, NULL), SS_OK);
    size_t n_moved = 0;
    for (size_t f = 0; f < 32; f++) {
        const float was = fmaxf(ss_sae_thresholds(before)[f], 0);
        const float is = ss_sae_thresholds(after)[f];
        n_moved += was != is;
        /* Logarithms below 4 in size are 2^-22 apart at most, and the nearest is taken. */
        assert_true(fabsf(was - is) <= was * 0x1p-23F);
    }
    assert_int_equal(n_moved, 2);
    ss_sae_free(before);
    ss_sae_free(after);
    drop(out);
}

static void places_are_checked(void **state)
{
    (void)state;
    char out[128];
    ss_err err = {0};
    struct ss_convert_result done = {.struct_size = sizeof done};
    const struct ss_convert_options force = {.struct_size = sizeof force, .force = true};
    snprintf(out, sizeof out, "%s/out", folder);
    assert_int_equal(ss_sae_convert(DATA "good/topk", "onnx", out, NULL, &done, &err),
                     SS_E_USAGE);
    assert_int_equal(ss_sae_convert(DATA "nowhere", "seed", out, NULL, &done, &err),
                     SS_E_NOINPUT);
    assert_int_equal(ss__path_stat(out), SS__PATH_NONE);
    assert_int_equal(ss_sae_convert(DATA "good/topk", "seed", out, NULL, &done, &err), SS_OK);
    assert_int_equal(ss_sae_convert(DATA "good/topk", "seed", out, NULL, &done, &err),
                     SS_E_EXISTS);
    assert_int_equal(ss_sae_convert(DATA "good/topk", "seed", out, &force, &done, &err), SS_OK);
    drop(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sae_is_the_same_or_refused),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(rounding_is_allowed_on_request),
        cmocka_unit_test(places_are_checked),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
