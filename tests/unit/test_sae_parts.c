/* SAEs made in memory of parameters and a rule: they encode as plain arithmetic in double says,
 * are written in the formats that are written and read back with the same activations, and
 * parts that do not belong together are refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sae/sae_priv.h"

enum { N_ROWS = 60, WIDTH = 24, N_FEATURES = 96 };

/* 24 terms of size near 1 in fp32 against double; no value of the rows here lies that near to
 * what decides. */
static const double VALUE_TOLERANCE = 1e-5;

static uint64_t seed_state;

/* Uniform in [-1, 1). */
static float draw(void)
{
    seed_state = seed_state * 6364136223846793005U + 1442695040888963407U;
    return (float)(seed_state >> 40) / 8388608.0F - 1.0F;
}

static float *draw_array(size_t n)
{
    float *x = ss__alloc_aligned(n, sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < n; i++) {
        x[i] = draw();
    }
    return x;
}

static void check(ss_status status, const ss_err *err)
{
    if (status != SS_OK) {
        fail_msg("%s", err->message);
    }
}

/* ---- kinds, and what they are by the book ---- */

struct kind {
    const char *name; /* as the format calls it */
    struct ss_sae_rule rule;
    bool adds_bias, subtracts, has_thresholds;
};

static const struct kind kinds[] = {
    {"vanilla", {.kind = SS_SAE_VANILLA}, true, true, false},
    {"jumprelu", {.kind = SS_SAE_JUMPRELU}, true, false, true},
    {"topk", {.kind = SS_SAE_TOPK, .top_k = 7}, false, true, false},
    {"batchtopk",
     {.kind = SS_SAE_BATCHTOPK,
      .top_k = 5,
      .batchtopk = SS_BATCHTOPK_THRESHOLD,
      .batchtopk_threshold = 1.25},
     false,
     true,
     false},
    {"gated", {.kind = SS_SAE_GATED}, false, true, false},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* The same numbers for every kind. */
static struct ss_sae_parts make_parts(const struct kind *kind)
{
    seed_state = 5;
    struct ss_sae_parts parts = {.rule = kind->rule};
    struct ss_sae_parameters *p = &parts.parameters;
    p->width = WIDTH;
    p->n_features = N_FEATURES;
    p->keeps_all = true;
    p->encoder_rows = draw_array((size_t)N_FEATURES * WIDTH);
    p->decoder = draw_array((size_t)N_FEATURES * WIDTH);
    p->decoder_bias = draw_array(WIDTH);
    float *bias = draw_array(N_FEATURES), *logs = draw_array(N_FEATURES);
    if (kind->subtracts) {
        p->subtracted = ss__alloc(WIDTH, sizeof *p->subtracted);
        assert_non_null(p->subtracted);
        memcpy(p->subtracted, p->decoder_bias, WIDTH * sizeof *p->subtracted);
    }
    for (size_t f = 0; f < N_FEATURES; f++) {
        logs[f] = (float)exp((double)logs[f]);
    }
    if (kind->rule.kind == SS_SAE_GATED) {
        p->gate_bias = draw_array(N_FEATURES);
        p->log_gains = draw_array(N_FEATURES);
        p->shifts = draw_array(N_FEATURES);
    }
    p->bias = kind->adds_bias ? bias : NULL;
    p->thresholds = kind->has_thresholds ? logs : NULL;
    ss__free(kind->adds_bias ? NULL : bias);
    ss__free(kind->has_thresholds ? NULL : logs);
    return parts;
}

static double h_of(const struct ss_sae_parameters *p, const float *x, size_t f)
{
    double h = p->bias == NULL ? 0 : (double)p->bias[f];
    for (size_t i = 0; i < WIDTH; i++) {
        const double u = (double)x[i] - (p->subtracted == NULL ? 0 : (double)p->subtracted[i]);
        h += u * (double)p->encoder_rows[f * WIDTH + i];
    }
    return h;
}

/* What h has to exceed in this row. */
static double cutoff_of(const struct kind *kind, const struct ss_sae_parameters *p,
                        const double *h, size_t f)
{
    double sorted[N_FEATURES];
    if (kind->rule.kind == SS_SAE_JUMPRELU) {
        return (double)p->thresholds[f];
    }
    if (kind->rule.kind == SS_SAE_GATED) { /* where the gate opens, and relu lets through */
        const double gate = -(double)p->gate_bias[f];
        return fmax(gate, -(double)p->shifts[f] / exp((double)p->log_gains[f]));
    }
    if (kind->rule.kind != SS_SAE_TOPK) {
        return kind->rule.batchtopk_threshold;
    }
    memcpy(sorted, h, sizeof sorted);
    for (size_t i = 0; i <= kind->rule.top_k; i++) { /* selection sort, as far as needed */
        for (size_t j = i + 1; j < N_FEATURES; j++) {
            const double least = fmin(sorted[i], sorted[j]);
            sorted[i] = fmax(sorted[i], sorted[j]);
            sorted[j] = least;
        }
    }
    return fmax(0, sorted[kind->rule.top_k]);
}

static double activation_of(const struct kind *kind, const struct ss_sae_parameters *p,
                            double h, size_t f)
{
    return kind->rule.kind == SS_SAE_GATED
               ? exp((double)p->log_gains[f]) * h + (double)p->shifts[f]
               : h;
}

static void check_against_arithmetic(const struct kind *kind, const ss_sae *sae, const float *x,
                                     const struct ss_sparse *found)
{
    size_t n_active = 0;
    for (size_t r = 0; r < N_ROWS; r++) {
        double h[N_FEATURES];
        size_t at = found->offsets[r];
        for (size_t f = 0; f < N_FEATURES; f++) {
            h[f] = h_of(&sae->parameters, x + r * WIDTH, f);
        }
        for (size_t f = 0; f < N_FEATURES; f++) {
            const double cutoff = cutoff_of(kind, &sae->parameters, h, f);
            if (h[f] != cutoff) {
                assert_true(fabs(h[f] - cutoff) > VALUE_TOLERANCE);
            }
            if (h[f] > cutoff) {
                assert_true(at < found->offsets[r + 1]);
                assert_int_equal(found->features[at], f);
                const double a = activation_of(kind, &sae->parameters, h[f], f);
                assert_true(fabs((double)found->values[at] - a) < VALUE_TOLERANCE);
                at++;
            }
        }
        assert_int_equal(at, found->offsets[r + 1]);
        n_active += at - found->offsets[r];
    }
    assert_true(n_active > N_ROWS);
}

static void an_sae_in_memory_encodes(void **state)
{
    (void)state;
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
    for (size_t i = 0; i < N_KINDS; i++) {
        ss_err err;
        ss_sae *sae = NULL;
        struct ss_sae_info info = {.struct_size = sizeof info};
        struct ss_sparse found = {0};
        struct ss_sae_parts parts = make_parts(&kinds[i]);
        float *x = draw_array((size_t)N_ROWS * WIDTH);
        check(ss_sae_new(&parts, &sae, &err), &err);
        assert_null(parts.parameters.encoder_rows);
        check(ss_sae_encode(sae, work, x, N_ROWS, &found, &err), &err);
        check_against_arithmetic(&kinds[i], sae, x, &found);
        ss_sae_describe(sae, &info);
        assert_string_equal(info.format, "memory");
        assert_string_equal(info.kind, kinds[i].name);
        assert_non_null(strstr(info.rule, "W_enc"));
        assert_string_equal(info.path, "");
        ss_sparse_release(&found);
        ss_sae_free(sae);
        ss__free(x);
    }
    ss_work_free(work);
}

static void remove_folder(const char *folder, const char *target)
{
    char path[300];
    const char *const *files = NULL;
    assert_int_equal(ss_sae_target_files(target, &files, NULL), SS_OK);
    for (size_t i = 0; files[i] != NULL; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(rmdir(folder), 0);
}

static void assert_same_rows(const struct ss_sparse *a, const struct ss_sparse *b)
{
    const size_t n = a->offsets[a->n_rows];
    assert_int_equal(a->n_rows, b->n_rows);
    assert_memory_equal(a->offsets, b->offsets, (a->n_rows + 1) * sizeof *a->offsets);
    assert_memory_equal(a->features, b->features, n * sizeof *a->features);
    assert_memory_equal(a->values, b->values, n * sizeof *a->values);
}

/* A given threshold makes a jumprelu of a batch-top-k SAE; its logarithm, which the seed's
 * format stores, may be rounded. */
static void a_written_sae_is_read_back(void **state)
{
    (void)state;
    static const struct {
        const char *target, *kind;
        size_t index; /* in `kinds` */
    } cases[] = {
        {"seed", "vanilla", 0},     {"seed", "jumprelu", 1},    {"seed", "topk", 2},
        {"saelens", "standard", 0}, {"saelens", "jumprelu", 1}, {"saelens", "topk", 2},
        {"saelens", "jumprelu", 3}, {"saelens", "gated", 4},
    };
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(1, &work, NULL), SS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ss_err err;
        char folder[] = "/tmp/saescope-parts-XXXXXX";
        ss_sae *sae = NULL, *read = NULL;
        struct ss_sae_info info = {.struct_size = sizeof info};
        struct ss_sparse found = {0}, expected = {0};
        struct ss_sae_conversion conversion = {.to = cases[i].target, .allows_rounding = true};
        struct ss_sae_parts parts = make_parts(&kinds[cases[i].index]);
        float *x = draw_array((size_t)N_ROWS * WIDTH);
        assert_non_null(mkdtemp(folder));
        parts.provenance.config_num_examples = 77;
        parts.provenance.model_name = ss__strdup("some/encoder");
        check(ss_sae_new(&parts, &sae, &err), &err);
        check(ss_sae_write(sae, folder, &conversion, &err), &err);
        assert_string_equal(conversion.kind, cases[i].kind);
        assert_string_equal(conversion.format, "memory");
        check(ss_sae_open(folder, NULL, &read, &err), &err);
        ss_sae_describe(read, &info);
        assert_string_equal(info.variant, cases[i].kind);
        assert_string_equal(info.model_name, "some/encoder");
        assert_int_equal(info.config_num_examples, strcmp(cases[i].target, "seed") ? 0 : 77);
        check(ss_sae_encode(sae, work, x, N_ROWS, &expected, &err), &err);
        check(ss_sae_encode(read, work, x, N_ROWS, &found, &err), &err);
        assert_same_rows(&found, &expected);
        remove_folder(folder, cases[i].target);
        ss_sparse_release(&found);
        ss_sparse_release(&expected);
        ss_sae_free(read);
        ss_sae_free(sae);
        ss__free(x);
    }
    ss_work_free(work);
}

/* The same weights with another rule are the SAE that was made with it. */
static void a_rule_is_a_value(void **state)
{
    (void)state;
    ss_err err;
    ss_work *work = NULL;
    ss_sae *few = NULL, *many = NULL;
    struct ss_sae_activation activation = {0};
    struct ss_sparse found = {0}, expected = {0};
    struct kind kind = kinds[2];
    struct ss_sae_parts parts = make_parts(&kind);
    float *x = draw_array((size_t)N_ROWS * WIDTH);
    const struct ss_sae_batch batch = {.x = x, .n = N_ROWS};
    check(ss_sae_new(&parts, &few, &err), &err);
    kind.rule.top_k = 20;
    parts = make_parts(&kind);
    check(ss_sae_new(&parts, &many, &err), &err);
    check(ss_work_new(1, &work, &err), &err);
    struct ss_sae_rule rule = few->activation.rule;
    rule.top_k = 20;
    check(ss_sae_activation_init(&activation, &few->parameters, &rule, &few->provenance, &err),
          &err);
    check(ss_sae_encode_batch(few, &activation, work, &batch, &found, &err), &err);
    check(ss_sae_encode(many, work, x, N_ROWS, &expected, &err), &err);
    assert_same_rows(&found, &expected);
    assert_string_equal(ss_sae_activation_text(few, &activation),
                        ss_sae_activation_text(many, NULL));
    assert_int_equal(few->activation.rule.top_k, 7);
    ss_sae_activation_release(&activation);
    ss_sparse_release(&found);
    ss_sparse_release(&expected);
    ss_work_free(work);
    ss_sae_free(few);
    ss_sae_free(many);
    ss__free(x);
}

/* ---- refusals ---- */

static void drop(float **array)
{
    ss__free(*array);
    *array = NULL;
}

static void parts_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        ss_err err;
        ss_sae *sae = NULL;
        struct ss_sae_parts parts = make_parts(&kinds[i == 0 ? 1 : 2]);
        const char *expected = "k from 1";
        switch (i) {
        case 0:
            drop(&parts.parameters.thresholds);
            expected = "thresholds";
            break;
        case 1:
            drop(&parts.parameters.encoder_rows);
            expected = "an encoder";
            break;
        case 2:
            parts.parameters.n_features = 0;
            expected = "a number of features";
            break;
        case 3:
            parts.rule.top_k = 0;
            break;
        case 4:
            parts.rule.top_k = N_FEATURES + 1;
            break;
        case 5:
            parts.rule.kind = SS_SAE_GATED;
            expected = "gate_bias";
            break;
        case 6:
            parts.rule.kind = SS_SAE_PURSUIT;
            drop(&parts.parameters.decoder);
            expected = "a decoder";
            break;
        default:
            parts.rule.kind = SS_SAE_N_SAE_KINDS;
            expected = "a kind";
        }
        assert_int_equal(ss_sae_new(&parts, &sae, &err), SS_E_USAGE);
        assert_null(sae);
        assert_null(parts.parameters.decoder_bias); /* taken all the same */
        if (strstr(err.message, expected) == NULL) {
            fail_msg("'%s' does not say '%s'", err.message, expected);
        }
    }
}

static void an_sae_without_its_weights_is_not_written(void **state)
{
    (void)state;
    ss_err err;
    ss_sae *sae = NULL;
    struct ss_sae_conversion conversion = {.to = "seed"};
    check(ss_sae_open(SS_TEST_DATA "/sae/good/topk", NULL, &sae, &err), &err);
    assert_int_equal(ss_sae_write(sae, "/tmp", &conversion, &err), SS_E_USAGE);
    assert_non_null(strstr(err.message, "all its weights"));
    conversion.to = "onnx";
    assert_int_equal(ss_sae_write(sae, "/tmp", &conversion, &err), SS_E_USAGE);
    assert_non_null(strstr(err.message, "onnx"));
    ss_sae_free(sae);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_sae_in_memory_encodes),
        cmocka_unit_test(a_written_sae_is_read_back),
        cmocka_unit_test(a_rule_is_a_value),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
        cmocka_unit_test(an_sae_without_its_weights_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
