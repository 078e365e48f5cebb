/* Analyses at a level whose numbers are not those of the highest: with texts embedded again
 * where it matters, every text fires what it fires at the highest; without, some do not. The
 * level is made of 16-bit whole numbers, or of the tile unit's bf16: less
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
#include "base/output.h"
#include "folder/results.h"
#include "pass/manifest.h"
#include "saescope_tools.h"
#include "support/tile_unit.h"
#include "tensor/tensor_priv.h"
#include "unit/sized.h"
#include "weights/weights.h"

#define MODEL SS_TEST_DATA "/encoder/mpnet-mean"
#define ROWS SS_TEST_DATA "/run/rows.jsonl"

enum { N_ROWS = 300, MOST_FEATURES = 64 };

static const struct ss_tensor_kernels *usual;

/* Of 11-bit numbers in this model, whose random weights are strong; measured 1.3e-2 for half of
 * an embedding's values. */
static const double ROUGH_ERROR = 1.6e-2;
/* The same of the tile unit's numbers at `high`: 2.5e-5 for whole embeddings. */
static const double TINY_ERROR = 4e-5;

/* Make `high` of these numbers, with this error; before an encoder is opened. */
static void use_at_high(struct ss_tensor_multiplier numbers, double error)
{
    static struct ss_tensor_kernels kernels;
    static struct ss_tensor_multiplier multiplier;
    kernels = *usual;
    multiplier = numbers;
    multiplier.embedding_error = error;
    kernels.of[SS_PRECISION_HIGH] = &multiplier;
    ss_tensor_kernels_set(&kernels);
}

/* 11-bit whole numbers. Plain C has whole numbers at `medium` on every machine; what the
 * kernels in use have there may be of another kind. */
static void use_rough(double error)
{
    static const struct ss_tensor_quant_scheme scheme = {
        .n_bytes = 2, .max_input = 1023, .max_weight = 1023};
    struct ss_tensor_multiplier numbers =
        *ss_tensor_kernels_find("reference")->of[SS_PRECISION_MEDIUM];
    assert_string_equal(numbers.name, "int16");
    numbers.scheme = &scheme;
    use_at_high(numbers, error);
}

/* ---- what a run found: every feature's activation of every row ---- */

struct outcome {
    float at[MOST_FEATURES][N_ROWS]; /* 0: does not fire */
    size_t n_features;
    struct ss_run_info info;
    char warning[400];
    char rule[64]; /* its beginning, with the threshold where one was calibrated */
};

static void keep_warning(void *user, ss_level level, const char *message)
{
    struct outcome *out = user;
    if (level == SS_LEVEL_WARNING && strstr(message, "was off") != NULL) {
        snprintf(out->warning, sizeof out->warning, "%s", message);
    }
}

static void read_outcome(const ss_run *run, struct outcome *out)
{
    out->info.struct_size = sizeof out->info;
    ss_run_describe(run, &out->info);
    out->n_features = out->info.n_features;
    assert_true(out->n_features <= MOST_FEATURES);
    for (size_t f = 0; f < out->n_features; f++) {
        struct ss_feature facts = {.struct_size = sizeof facts};
        ss_run_feature(run, f, &facts);
        assert_int_equal(facts.n_top, facts.n_fires);
        for (size_t i = 0; i < facts.n_top; i++) {
            struct ss_top_text top = {.struct_size = sizeof top};
            ss_run_top(run, f, i, &top);
            assert_true(top.row < N_ROWS);
            out->at[f][top.row] = top.activation;
        }
    }
}

struct job {
    const char *sae; /* in the tests' data, or a path of its own */
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
    struct ss_sae_info info = {.struct_size = sizeof info};
    *out = (struct outcome){0};
    snprintf(path, sizeof path, "%s%s", job->sae[0] == '/' ? "" : SS_TEST_DATA "/", job->sae);
    const struct ss_sae_options sae_options = sized_sae_options(&job->options);
    check(ss_sae_open(path, &sae_options, &sae, &err), &err);
    ss_sae_describe(sae, &info);
    const struct ss_encoder_options options = {
        .struct_size = sizeof options, .precision = precision, .truncate_dim = info.width};
    check(ss_encoder_open(MODEL, &options, &encoder, &err), &err);
    check(ss_dataset_open(&rows, 1, NULL, &dataset, &err), &err);
    const struct ss_analyze_options how = {.struct_size = sizeof how,
                                           .top_k = N_ROWS,
                                           .keep_duplicates = true,
                                           .n_threads = job->n_threads,
                                           .batch_tokens = job->batch_tokens,
                                           .out_dir = out_dir,
                                           .log = {.fn = keep_warning, .user = out}};
    check(ss_analyze(encoder, sae, dataset, &how, &run, &err), &err);
    read_outcome(run, out);
    snprintf(out->rule, sizeof out->rule, "%.*s", (int)strcspn(run->sae_rule, ",;("),
             run->sae_rule);
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
        ss_tensor_kernels_set(usual);
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
        assert_string_equal(mended.rule, highest.rule);
    }
    assert_true(n_changed > 20);
}

static void nothing_depends_on_batches_and_threads(void **state)
{
    (void)state;
    static struct outcome first, other;
    static const size_t ways[][2] = {{1, 0}, {2, 64}, {3, 300}};
    use_rough(ROUGH_ERROR / 4);
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        analyze(&jobs[i], SS_PRECISION_HIGH, NULL, &first);
        for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
            struct job job = jobs[i];
            job.n_threads = ways[w][0];
            job.batch_tokens = ways[w][1];
            analyze(&job, SS_PRECISION_HIGH, NULL, &other);
            assert_int_equal(other.info.n_rows_reembedded, first.info.n_rows_reembedded);
            assert_int_equal(compare(&first, &other).n_values, 0);
        }
    }
}

/* ---- the tile unit's numbers and their own error ---- */

enum { WIDTH = 16, N_FEATURES = 48 };

static char folder[] = "/tmp/saescope-reembed-XXXXXX";

/* Embeddings of all texts at a level, [n, WIDTH]; gives n. */
static size_t embed_rows(ss_precision precision, float *out)
{
    const char *rows = ROWS;
    ss_encoder *encoder = NULL;
    ss_dataset *dataset = NULL;
    ss_work *work = NULL;
    ss_err err;
    size_t n = 0;
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .precision = precision};
    check(ss_encoder_open(MODEL, &options, &encoder, &err), &err);
    check(ss_dataset_open(&rows, 1, NULL, &dataset, &err), &err);
    check(ss_work_new(1, &work, &err), &err);
    for (bool has_row = true; has_row;) {
        struct ss_row row = {.struct_size = sizeof row};
        check(ss_dataset_next(dataset, &row, &has_row, &err), &err);
        if (has_row && row.kind == SS_ROW_TEXT) {
            check(ss_encoder_embed(encoder, work, &row.text, 1, out + n++ * WIDTH, NULL, &err),
                  &err);
        }
    }
    ss_work_free(work);
    ss_dataset_close(dataset);
    ss_encoder_free(encoder);
    return n;
}

static double h_of(const float *x, const float *w, size_t f)
{
    double sum = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        sum += (double)x[i] * (double)w[i * N_FEATURES + f];
    }
    return sum;
}

/* For every feature a threshold between what the two levels give the text in which they differ
 * most. */
static void place_thresholds(const float *a, const float *b, size_t n, const float *w,
                             float *thresholds)
{
    for (size_t f = 0; f < N_FEATURES; f++) {
        double most = 0;
        thresholds[f] = 1e9F;
        for (size_t r = 0; r < n; r++) {
            const double x = h_of(a + r * WIDTH, w, f), y = h_of(b + r * WIDTH, w, f);
            if (x > 0.01 && y > 0.01 && fabs(x - y) > most) {
                most = fabs(x - y);
                thresholds[f] = (float)((x + y) / 2);
            }
        }
    }
}

static void write_sae(const float *w, const float *thresholds)
{
    static const float zeros[WIDTH * N_FEATURES];
    static const char config[] =
        "{\"architecture\": \"jumprelu\", \"d_in\": 16, \"d_sae\": 48, "
        "\"apply_b_dec_to_input\": false, \"normalize_activations\": \"none\"}";
    char path[256];
    ss_err err;
    const struct ss_weights_tensor_out tensors[] = {
        {"W_dec", zeros, 2, {N_FEATURES, WIDTH}, false},
        {"W_enc", w, 2, {WIDTH, N_FEATURES}, false},
        {"b_dec", zeros, 1, {WIDTH}, false},
        {"b_enc", zeros, 1, {N_FEATURES}, false},
        {"threshold", thresholds, 1, {N_FEATURES}, false},
    };
    snprintf(path, sizeof path, "%s/cfg.json", folder);
    check(ss__file_write(path, config, sizeof config - 1, &err), &err);
    snprintf(path, sizeof path, "%s/sae_weights.safetensors", folder);
    check(ss_weights_safetensors_write(path, tensors, sizeof tensors / sizeof tensors[0], &err),
          &err);
}

static void remove_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(unlink(path), 0);
}

/* A SAE in `folder` whose thresholds stand between the levels. */
static void make_sae(void)
{
    static float exact[N_ROWS * WIDTH], rough[N_ROWS * WIDTH], w[WIDTH * N_FEATURES];
    float thresholds[N_FEATURES];
    uint64_t seed = 49;
    for (size_t i = 0; i < WIDTH * N_FEATURES; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        w[i] = (float)(seed >> 40) / 8388608.0F - 1.0F;
    }
    ss_tensor_kernels_set(usual);
    const size_t n = embed_rows(SS_PRECISION_HIGHEST, exact);
    use_at_high(ss_tensor_bf16x3_amx, 0);
    assert_int_equal(embed_rows(SS_PRECISION_HIGH, rough), n);
    place_thresholds(exact, rough, n, w, thresholds);
    assert_non_null(mkdtemp(folder));
    write_sae(w, thresholds);
}

/* What the folder of a run tells is what the run told. */
static void check_folder(const char *path, const struct outcome *out)
{
    char expected[32], command[300];
    ss_run *run = NULL;
    struct ss_run_info info = {.struct_size = sizeof info};
    struct ss_report report;
    ss_err err;
    bool has_fact = false;
    check(ss_run_open(path, NULL, &run, &err), &err);
    ss_run_describe(run, &info);
    assert_int_equal(info.n_rows_reembedded, out->info.n_rows_reembedded);
    ss_run_free(run);
    snprintf(expected, sizeof expected, "%zu", (size_t)info.n_rows_reembedded);
    check(ss_inspect(path, NULL, &report, &err), &err);
    for (size_t i = 0; i < report.n_facts; i++) {
        has_fact |= strcmp(report.facts[i].name, "rows reembedded") == 0 &&
                    strcmp(report.facts[i].value, expected) == 0;
    }
    assert_true(has_fact);
    ss_report_release(&report);
    snprintf(command, sizeof command, "rm -r %s", path);
    assert_int_equal(system(command), 0);
}

static void thresholds_between_the_levels(void **state)
{
    (void)state;
    static struct outcome highest, bare, mended, warned;
    const struct job job = {.sae = folder, .n_threads = 2};
    char out_dir[256];
    if (!tile_unit_use()) {
        skip();
    }
    make_sae();
    snprintf(out_dir, sizeof out_dir, "%s/run", folder);
    analyze(&job, SS_PRECISION_HIGH, NULL, &bare);
    use_at_high(ss_tensor_bf16x3_amx, TINY_ERROR);
    analyze(&job, SS_PRECISION_HIGH, out_dir, &mended);
    use_at_high(ss_tensor_bf16x3_amx, TINY_ERROR / 10);
    analyze(&job, SS_PRECISION_HIGH, NULL, &warned);
    ss_tensor_kernels_set(usual);
    analyze(&job, SS_PRECISION_HIGHEST, NULL, &highest);
    print_message("%zu texts would change; %zu embedded again\n",
                  compare(&bare, &highest).n_fires, (size_t)mended.info.n_rows_reembedded);
    assert_true(compare(&bare, &highest).n_fires > 10);
    assert_int_equal(compare(&mended, &highest).n_fires, 0);
    assert_true(mended.info.n_rows_reembedded < mended.info.n_rows_used);
    assert_string_equal(mended.warning, "");
    assert_string_not_equal(warned.warning, "");
    check_folder(out_dir, &mended);
    remove_file("cfg.json");
    remove_file("sae_weights.safetensors");
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fire_sets_are_those_of_highest),
        cmocka_unit_test(nothing_depends_on_batches_and_threads),
        cmocka_unit_test(thresholds_between_the_levels),
    };
    usual = ss_tensor_kernels();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
