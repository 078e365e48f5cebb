/* Analyses at a level whose numbers are not those of the highest: with texts embedded again
 * where it matters, every text fires what it fires at the highest; without, some do not. The
 * level is made of 16-bit whole numbers, or of the tile unit's bf16 over its emulation: less
 * exact than what `high` is made of anywhere, so that few texts show much. */
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
#include "run/manifest.h"
#include "tensor/tensor_priv.h"

#define MODEL SS_TEST_DATA "/encoder/mpnet-mean"
#define ROWS SS_TEST_DATA "/run/rows.jsonl"

enum { N_ROWS = 300, MOST_FEATURES = 64 };

static const struct ss__kernels *usual;

/* Of 11-bit numbers in this model, whose random weights are strong; measured 1.3e-2 for half of
 * an embedding's values. */
static const double ROUGH_ERROR = 1.6e-2;

/* Make `high` of 11-bit whole numbers, with this error; before an encoder is opened. */
static void use_rough(double error)
{
    static const struct ss__grid grid = {.n_bytes = 2, .most_input = 1023, .most_weight = 1023};
    static struct ss__kernels kernels;
    static struct ss__multiplier multiplier;
    kernels = *usual;
    multiplier = *usual->of[SS_PRECISION_MEDIUM];
    multiplier.grid = &grid;
    multiplier.embedding_error = error;
    kernels.of[SS_PRECISION_HIGH] = &multiplier;
    ss__kernels_set(&kernels);
}

/* ---- what a run found: every feature's activation of every row ---- */

struct outcome {
    float at[MOST_FEATURES][N_ROWS]; /* 0: does not fire */
    size_t n_features;
    struct ss_run_info info;
    char warning[400];
};

static void keep_warning(void *user, ss_level level, const char *sentence)
{
    struct outcome *out = user;
    if (level == SS_LEVEL_WARNING && strstr(sentence, "was off") != NULL) {
        snprintf(out->warning, sizeof out->warning, "%s", sentence);
    }
}

static void read_outcome(const ss_run *run, struct outcome *out)
{
    ss_run_describe(run, &out->info);
    out->n_features = out->info.n_features;
    assert_true(out->n_features <= MOST_FEATURES);
    for (size_t f = 0; f < out->n_features; f++) {
        struct ss_feature facts;
        ss_run_feature(run, f, &facts);
        assert_int_equal(facts.n_top, facts.n_fires);
        for (size_t i = 0; i < facts.n_top; i++) {
            struct ss_top_text top;
            ss_run_top(run, f, i, &top);
            assert_true(top.row < N_ROWS);
            out->at[f][top.row] = top.activation;
        }
    }
}

struct job {
    const char *sae;
    struct ss_sae_options options;
    size_t n_threads, batch_tokens;
};

static void check(ss_status status, const ss_err *err)
{
    if (status != SS_OK) {
        fail_msg("%s", err->message);
    }
}

static void analyze(const struct job *job, ss_precision precision, const char *out_dir,
                    struct outcome *out)
{
    ss_err err;
    char path[400];
    const char *rows = ROWS;
    ss_encoder *encoder = NULL;
    ss_sae *sae = NULL;
    ss_dataset *dataset = NULL;
    ss_run *run = NULL;
    struct ss_sae_info info;
    *out = (struct outcome){0};
    snprintf(path, sizeof path, SS_TEST_DATA "/%s", job->sae);
    check(ss_sae_open(path, &job->options, &sae, &err), &err);
    ss_sae_describe(sae, &info);
    const struct ss_encoder_options options = {.precision = precision,
                                               .truncate_dim = info.width};
    check(ss_encoder_open(MODEL, &options, &encoder, &err), &err);
    check(ss_dataset_open(&rows, 1, NULL, &dataset, &err), &err);
    const struct ss_analyze_options how = {.top_k = N_ROWS,
                                           .keep_duplicates = true,
                                           .n_threads = job->n_threads,
                                           .batch_tokens = job->batch_tokens,
                                           .out_dir = out_dir,
                                           .log = {.fn = keep_warning, .user = out}};
    check(ss_analyze(encoder, sae, dataset, &how, &run, &err), &err);
    read_outcome(run, out);
    ss_run_free(run);
    ss_dataset_close(dataset);
    ss_sae_free(sae);
    ss_encoder_free(encoder);
}

/* Rows that do not fire the same features in both, or have another activation. */
struct difference {
    size_t n_fires, n_values;
};

static struct difference compare(const struct outcome *a, const struct outcome *b)
{
    struct difference d = {0};
    for (size_t r = 0; r < N_ROWS; r++) {
        bool has_fires = false, has_values = false;
        for (size_t f = 0; f < a->n_features; f++) {
            has_fires |= (a->at[f][r] > 0) != (b->at[f][r] > 0);
            has_values |= memcmp(&a->at[f][r], &b->at[f][r], sizeof(float)) != 0;
        }
        d.n_fires += has_fires;
        d.n_values += has_values;
    }
    return d;
}

/* ---- the tests ---- */

static const struct job jobs[] = {
    {"run/sae-jumprelu", {0}, 2, 0},
    {"run/sae-batchtopk", {.batchtopk_rule = SS_BATCHTOPK_ROW_TOPK}, 2, 0},
    {"run/sae-batchtopk", {.batchtopk_rule = SS_BATCHTOPK_BATCH, .batch_rows = 16}, 2, 0},
    {"run/sae-batchtopk",
     {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD,
      .batchtopk_threshold = NAN,
      .calibration_rows = 100},
     2,
     0},
    {"sae/formats/saelens-standard", {0}, 2, 0},
    {"sae/formats/saelens-topk", {0}, 2, 0},
    {"sae/formats/saelens-gated", {0}, 2, 0},
    {"sae/formats/csr-normalize", {0}, 2, 0},
    {"sae/formats/saelens-jumprelu-scaled", {0}, 2, 0},
    {"sae/formats/sparsify-groupmax", {0}, 2, 0},
    {"sae/formats/latent-gated", {0}, 2, 0},
    {"sae/formats/saelens-pursuit", {0}, 2, 0},
    {"sae/formats/latent-lista", {0}, 2, 0},
};

static void fire_sets_are_those_of_highest(void **state)
{
    (void)state;
    static struct outcome highest, bare, mended;
    size_t n_changed = 0;
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        ss__kernels_set(usual);
        analyze(&jobs[i], SS_PRECISION_HIGHEST, NULL, &highest);
        assert_int_equal(highest.info.n_rows_reembedded, 0);
        use_rough(0);
        analyze(&jobs[i], SS_PRECISION_HIGH, NULL, &bare);
        assert_int_equal(bare.info.n_rows_reembedded, 0);
        use_rough(ROUGH_ERROR);
        analyze(&jobs[i], SS_PRECISION_HIGH, NULL, &mended);
        const struct difference without = compare(&bare, &highest);
        const struct difference with = compare(&mended, &highest);
        const size_t n_again = (size_t)mended.info.n_rows_reembedded;
        print_message("%s: %zu of %zu texts would change; %zu embedded again\n", jobs[i].sae,
                      without.n_fires, (size_t)highest.info.n_rows_used, n_again);
        n_changed += without.n_fires;
        assert_int_equal(with.n_fires, 0);
        assert_true(with.n_values + n_again <= N_ROWS);
        assert_true(n_again >= without.n_fires && n_again > 0);
        assert_string_equal(mended.warning, "");
    }
    assert_true(n_changed > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fire_sets_are_those_of_highest),
    };
    usual = ss__kernels();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
