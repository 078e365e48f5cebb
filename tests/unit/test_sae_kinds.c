/* Small SAEs of every kind against what torch said in float64 (tests/data/sae, made by
 * tools/make_tiny_saes.py): the same features, values within VALUE_TOLERANCE. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sae/sae.h"
#include "unit/sae_answers.h"
#include "unit/sized.h"

enum { BATCH_ROWS = 4 };

static void read_good(const char *folder, const char *rule)
{
    char path[512];
    snprintf(path, sizeof path, "%s/sae/good/%s/%s.txt", SS_TEST_DATA, folder, rule);
    read_answer(path);
}

static ss_sae *open_good(const char *folder, const struct ss_sae_options *options)
{
    char path[512];
    ss_err err = {0};
    ss_sae *sae = NULL;
    snprintf(path, sizeof path, "%s/sae/good/%s", SS_TEST_DATA, folder);
    if (ss_sae_open(path, options, &sae, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return sae;
}

static void check_answer_of(const char *folder, const char *rule, const ss_sae *sae,
                            const struct ss_sae_activation *activation,
                            struct ss_sae_counts *counts)
{
    struct ss_sparse found = {0};
    ss_work *work = NULL;
    ss_err err = {0};
    read_good(folder, rule);
    assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
    const struct ss_sae_batch batch = {.x = expected.x, .n = expected.n_rows, .counts = counts};
    if (ss_sae_encode_batch(sae, activation, work, &batch, &found, &err) != SS_OK) {
        fail_msg("%s: %s", folder, err.message);
    }
    check_rows(folder, &found);
    ss_sparse_release(&found);
    ss_work_free(work);
}

static void check_answer(const char *folder, const char *rule, const ss_sae *sae,
                         struct ss_sae_counts *counts)
{
    check_answer_of(folder, rule, sae, NULL, counts);
}

static void every_kind_answers_as_torch(void **state)
{
    (void)state;
    static const char *const folders[] = {"jumprelu", "jumprelu-f16", "jumprelu-bf16",
                                          "topk",     "topk-norm",    "topk-all",
                                          "vanilla",  "vanilla-f16"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        ss_sae *sae = open_good(folders[i], NULL);
        check_answer(folders[i], "expected", sae, NULL);
        ss_sae_free(sae);
    }
}

static void thresholds_are_strict(void **state)
{
    (void)state;
    struct ss_sae_counts counts = {0};
    ss_sae *sae = open_good("exact", NULL);
    for (size_t f = 0; f < 20; f++) {
        assert_true(ss_sae_thresholds(sae)[f] == 1.0F);
    }
    check_answer("exact", "expected", sae, &counts);
    assert_int_equal(counts.n_borderline_pairs, 13); /* as the script that made them printed */
    assert_int_equal(counts.n_tied_rows, 0);
    ss_sae_free(sae);
}

static void ties_keep_the_lower_feature(void **state)
{
    (void)state;
    struct ss_sae_counts counts = {0};
    ss_sae *sae = open_good("ties", NULL);
    check_answer("ties", "expected", sae, &counts);
    assert_int_equal(counts.n_tied_rows, 4);
    assert_int_equal(counts.n_borderline_pairs, 0);
    ss_sae_free(sae);
}

static void batchtopk_is_refused_by_default(void **state)
{
    (void)state;
    ss_err err = {0};
    struct ss_sparse out = {0};
    ss_work *work = NULL;
    ss_sae *sae = open_good("batchtopk", NULL);
    assert_int_equal(ss_work_new(1, &work, NULL), SS_OK);
    assert_int_equal(ss_sae_encode(sae, work, NULL, 0, &out, &err), SS_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "`batchtopk` threshold"));
    assert_non_null(strstr(err.message, "row-topk"));
    assert_non_null(strstr(err.message, "batch (as in training"));
    ss_sparse_release(&out);
    ss_work_free(work);
    ss_sae_free(sae);
}

static void batchtopk_rules(void **state)
{
    (void)state;
    static const struct {
        const char *answer, *sentence;
        struct ss_sae_options options;
    } rules[] = {
        {"row-topk", "row-topk, chosen", {.batchtopk_rule = SS_BATCHTOPK_ROW_TOPK}},
        {"batch",
         "B = 4 rows",
         {.batchtopk_rule = SS_BATCHTOPK_BATCH, .batch_rows = BATCH_ROWS}},
        {"threshold",
         "h > 0.75,",
         {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD, .batchtopk_threshold = 0.75}},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct ss_sae_info info = {.struct_size = sizeof info};
        const struct ss_sae_options options = sized_sae_options(&rules[i].options);
        ss_sae *sae = open_good("batchtopk", &options);
        assert_int_equal(ss_sae_calibration_rows(sae), 0);
        assert_int_equal(ss_sae_batch_rows(sae), i == 1 ? BATCH_ROWS : 0);
        check_answer("batchtopk", rules[i].answer, sae, NULL);
        ss_sae_describe(sae, &info);
        assert_non_null(strstr(info.rule, rules[i].sentence));
        ss_sae_free(sae);
    }
}

static void batchtopk_calibrates(void **state)
{
    (void)state;
    const struct ss_sae_options options = {.struct_size = sizeof options,
                                           .batchtopk_rule = SS_BATCHTOPK_THRESHOLD,
                                           .batchtopk_threshold = NAN};
    ss_err err = {0};
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_work *work = NULL;
    struct ss_sparse out = {0};
    struct ss_sae_activation *calibrated = NULL;
    ss_sae *sae = open_good("batchtopk", &options);
    assert_int_equal(ss_sae_calibration_rows(sae), 10000);
    assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
    read_good("batchtopk", "calibrated");
    assert_int_equal(ss_sae_encode(sae, work, expected.x, 1, &out, &err), SS_E_UNSUPPORTED);
    assert_int_equal(ss_sae_calibrate(sae, work, expected.x, 0, &calibrated, &err), SS_E_DATA);
    assert_null(calibrated);
    assert_int_equal(
        ss_sae_calibrate(sae, work, expected.x, expected.n_rows, &calibrated, &err), SS_OK);
    check_answer_of("batchtopk", "calibrated", sae, calibrated, NULL);
    assert_int_equal(expected.offsets[expected.n_rows], 2 * expected.n_rows);
    const char *text = ss_sae_activation_text(sae, calibrated);
    assert_non_null(strstr(text, "calibrated on the first 13 rows"));
    assert_non_null(strstr(text, "SHA-256"));
    /* The SAE is as it was. */
    assert_int_equal(ss_sae_calibration_rows(sae), 10000);
    assert_int_equal(ss_sae_encode(sae, work, expected.x, 1, &out, &err), SS_E_UNSUPPORTED);
    ss_sae_describe(sae, &info);
    assert_string_equal(ss_sae_activation_text(sae, NULL), info.rule);
    assert_non_null(strstr(info.rule, "to be calibrated on the first 10000 rows"));
    ss_sae_activation_free(calibrated);
    ss_sparse_release(&out);
    ss_work_free(work);
    ss_sae_free(sae);
}

static void facts_are_told(void **state)
{
    (void)state;
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_sae *sae = open_good("jumprelu-bf16", NULL);
    ss_sae_describe(sae, &info);
    assert_string_equal(info.format, "saes-for-sbert");
    assert_string_equal(info.kind, "jumprelu");
    assert_string_equal(info.dtype, "bfloat16");
    assert_string_equal(info.model_name, "tiny/encoder");
    assert_int_equal(info.width, 12);
    assert_int_equal(info.n_features, 520);
    assert_int_equal(info.top_k, 0);
    assert_int_equal(info.config_num_examples, 1000);
    assert_true(info.normalizes_input);
    assert_non_null(strstr(info.rule, "h > exp(log_threshold)"));
    assert_non_null(strstr(info.rule, "b_dec is not subtracted"));
    assert_int_equal(ss_sae_n_files(sae), 2);
    assert_non_null(strstr(ss_sae_file(sae, 1), "sae.safetensors"));
    assert_non_null(ss_sae_config(sae));
    ss_sae_free(sae);
    sae = open_good("topk/sae.pt", NULL);
    ss_sae_describe(sae, &info);
    assert_int_equal(info.top_k, 3);
    assert_null(ss_sae_thresholds(sae));
    assert_non_null(strstr(info.rule, "b_enc is not used"));
    ss_sae_free(sae);
}

static void places_are_recognised(void **state)
{
    (void)state;
    assert_true(ss_sae_is_at(SS_TEST_DATA "/sae/good/topk"));
    assert_true(ss_sae_is_at(SS_TEST_DATA "/sae/good/topk/sae.pt"));
    assert_true(ss_sae_is_at(SS_TEST_DATA "/sae/bad/noinput/no-weights"));
    assert_false(ss_sae_is_at(SS_TEST_DATA "/sae"));
    assert_false(ss_sae_is_at(SS_TEST_DATA "/sae/nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_answers_as_torch),
        cmocka_unit_test(thresholds_are_strict),
        cmocka_unit_test(ties_keep_the_lower_feature),
        cmocka_unit_test(batchtopk_is_refused_by_default),
        cmocka_unit_test(batchtopk_rules),
        cmocka_unit_test(batchtopk_calibrates),
        cmocka_unit_test(facts_are_told),
        cmocka_unit_test(places_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
