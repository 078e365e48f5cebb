/* SAEs and inputs that must be refused, with the status in the folder's name and a sentence. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sae/sae.h"
#include "unit/sized.h"

static const struct {
    const char *path;
    ss_status status;
    const char *said; /* a part of the sentence */
} refusals[] = {
    {"bad/data/no-act-size", SS_E_DATA, "act_size"},
    {"bad/data/no-sae-type", SS_E_DATA, "sae_type"},
    {"bad/data/act-size-text", SS_E_DATA, "act_size"},
    {"bad/data/act-size-zero", SS_E_DATA, "act_size"},
    {"bad/data/no-top-k", SS_E_DATA, "top_k"},
    {"bad/data/no-threshold", SS_E_DATA, "jumprelu.log_threshold"},
    {"bad/data/no-decoder", SS_E_DATA, "W_dec"},
    {"bad/shape/width", SS_E_SHAPE, "9"},
    {"bad/shape/features", SS_E_SHAPE, "31"},
    {"bad/shape/transposed", SS_E_SHAPE, "W_enc"},
    {"bad/shape/bias", SS_E_SHAPE, "b_enc"},
    {"bad/shape/width-one", SS_E_SHAPE, "width 1"},
    {"bad/nonfinite/encoder-nan", SS_E_NONFINITE, "W_enc"},
    {"bad/nonfinite/threshold-inf", SS_E_NONFINITE, "jumprelu.log_threshold"},
    {"bad/nonfinite/unused-bias", SS_E_NONFINITE, "b_enc"},
    {"bad/nonfinite/decoder-nan", SS_E_NONFINITE, "W_dec"},
    {"bad/unsupported/unknown-type", SS_E_UNSUPPORTED, "gated"},
    {"bad/noinput/no-weights", SS_E_NOINPUT, "sae.pt"},
    {"nowhere", SS_E_NOINPUT, "no such"},
    {"bad", SS_E_NOINPUT, "in folders below it: 'data/act-size-text', 'data/act-size-zero'"},
    {"bad/noinput", SS_E_NOINPUT, "no sparse autoencoder"},
};

static void files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char path[512];
        ss_err err = {0};
        ss_sae *sae = NULL;
        snprintf(path, sizeof path, "%s/sae/%s", SS_TEST_DATA, refusals[i].path);
        const ss_status status = ss_sae_open(path, NULL, &sae, &err);
        if (status != refusals[i].status || err.code != status ||
            strstr(err.message, refusals[i].said) == NULL) {
            fail_msg("%s: found status '%s' and sentence '%s'", refusals[i].path,
                     ss_status_name(status), err.message);
        }
        assert_non_null(strstr(err.message, refusals[i].path));
        assert_null(sae);
        assert_int_equal(ss_sae_open(path, NULL, &sae, NULL), refusals[i].status);
    }
}

static void options_are_checked(void **state)
{
    (void)state;
    const struct ss_sae_options wrong[] = {
        {.batchtopk_rule = (ss_batchtopk_rule)9},
        {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD, .batchtopk_threshold = -1},
        {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD, .batchtopk_threshold = INFINITY},
    };
    for (size_t i = 0; i < 3; i++) {
        ss_sae *sae = NULL;
        const struct ss_sae_options options = sized_sae_options(&wrong[i]);
        assert_int_equal(ss_sae_open(SS_TEST_DATA "/sae/good/batchtopk", &options, &sae, NULL),
                         SS_E_USAGE);
        assert_null(sae);
    }
}

static void rows_must_be_finite(void **state)
{
    (void)state;
    static const float broken[] = {NAN, INFINITY, -INFINITY};
    ss_work *work = NULL;
    ss_sae *sae = NULL;
    assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
    assert_int_equal(ss_sae_open(SS_TEST_DATA "/sae/good/jumprelu", NULL, &sae, NULL), SS_OK);
    for (size_t i = 0; i < 3; i++) {
        float x[200 * 8] = {0};
        ss_err err = {0};
        struct ss_sparse out = {0};
        x[150 * 8 + 7] = broken[i];
        x[170 * 8] = broken[i];
        assert_int_equal(ss_sae_encode(sae, work, x, 200, &out, &err), SS_E_NONFINITE);
        assert_int_equal(err.row, 150);
        assert_int_equal(out.n_rows, 0);
        assert_int_equal(ss_sae_encode(sae, work, x, 150, &out, &err), SS_OK);
        assert_int_equal(out.n_rows, 150);
        ss_sparse_release(&out);
    }
    ss_sae_free(sae);
    ss_work_free(work);
}

/* In a batch rule the row is counted over the whole call. */
static void rows_of_later_batches_are_named(void **state)
{
    (void)state;
    const struct ss_sae_options options = {
        .struct_size = sizeof options, .batchtopk_rule = SS_BATCHTOPK_BATCH, .batch_rows = 10};
    float x[50 * 8] = {0};
    ss_err err = {0};
    struct ss_sparse out = {0};
    ss_work *work = NULL;
    ss_sae *sae = NULL;
    x[37 * 8] = NAN;
    assert_int_equal(ss_work_new(1, &work, NULL), SS_OK);
    assert_int_equal(ss_sae_open(SS_TEST_DATA "/sae/good/batchtopk", &options, &sae, NULL),
                     SS_OK);
    assert_int_equal(ss_sae_encode(sae, work, x, 50, &out, &err), SS_E_NONFINITE);
    assert_int_equal(err.row, 37);
    assert_non_null(strstr(err.message, "row 37"));
    ss_sparse_release(&out);
    ss_sae_free(sae);
    ss_work_free(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_refused),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(rows_must_be_finite),
        cmocka_unit_test(rows_of_later_batches_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
