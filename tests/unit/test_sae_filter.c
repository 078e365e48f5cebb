/* Encoding by way of a rough product gives the bytes of encoding without: every kind of SAE that
 * keeps what is above thresholds, inputs of every form, and numbers that rounding moves as far
 * as it can, next to thresholds that their exact sums just pass. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "sae/sae_priv.h"
#include "support/tile_unit.h"

enum { N_FEATURES = 2500, N_ROWS = 70 };

static uint32_t random_state = 3;

static float random_number(void)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (float)(random_state >> 8) / 8388608.0F - 1.0F;
}

static float *random_numbers(size_t n, float scale)
{
    float *out = ss__alloc(n, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) {
        out[i] = scale * random_number();
    }
    return out;
}

struct scene {
    const char *name;
    ss_sae_kind kind;
    ss_sae_input input;
    size_t width;
    float threshold; /* over what h spreads by: of vanilla SAEs a bias below 0 */
    size_t top_k;    /* of a batch-top-k SAE, over batches of 16 */
    bool is_hard, has_bias, has_subtracted;
    bool has_ties; /* every feature three times */
    bool has_near; /* of 400 features h is the same but for what rounding hides */
};

static const struct scene scenes[] = {
    {.name = "jumprelu", .kind = SS_SAE_JUMPRELU, .width = 768, .threshold = 2.3F},
    {.name = "jumprelu, biased",
     .kind = SS_SAE_JUMPRELU,
     .width = 385,
     .threshold = 2.5F,
     .has_bias = true,
     .has_subtracted = true},
    {.name = "layer norm",
     .kind = SS_SAE_JUMPRELU,
     .input = SS_SAE_INPUT_LAYER_NORM,
     .width = 96,
     .threshold = 2.4F},
    {.name = "root width",
     .kind = SS_SAE_JUMPRELU,
     .input = SS_SAE_INPUT_ROOT_WIDTH,
     .width = 96,
     .threshold = 2.4F},
    {.name = "vanilla", .kind = SS_SAE_VANILLA, .width = 40, .threshold = 2.4F},
    {.name = "gated", .kind = SS_SAE_GATED, .width = 96, .threshold = 2.4F},
    {.name = "hard", .kind = SS_SAE_JUMPRELU, .width = 384, .is_hard = true},
    {.name = "dense", .kind = SS_SAE_JUMPRELU, .width = 40, .threshold = 0.5F},
    {.name = "batch-top-k",
     .kind = SS_SAE_BATCHTOPK,
     .width = 96,
     .threshold = 2.2F,
     .top_k = 20,
     .has_bias = true},
    {.name = "top-k", .kind = SS_SAE_TOPK, .width = 768, .top_k = 30, .has_bias = true},
    {.name = "top-k, 1", .kind = SS_SAE_TOPK, .width = 96, .top_k = 1},
    {.name = "top-k, most", .kind = SS_SAE_TOPK, .width = 40, .top_k = 1100},
    {.name = "top-k, ties", .kind = SS_SAE_TOPK, .width = 40, .top_k = 31, .has_ties = true},
    {.name = "top-k, undecided",
     .kind = SS_SAE_TOPK,
     .width = 40,
     .top_k = 30,
     .has_ties = true,
     .has_near = true},
    {.name = "top-k, root width",
     .kind = SS_SAE_TOPK,
     .input = SS_SAE_INPUT_ROOT_WIDTH,
     .width = 96,
     .top_k = 20},
};

/* What h of random rows and weights spreads by. */
static float spread_of(const struct scene *s)
{
    const float size = s->input == SS_SAE_INPUT_PLAIN ? 1.0F / 3 : sqrtf(1.0F / 3);
    return size * sqrtf((float)s->width);
}

static void add_limits(const struct scene *s, struct ss_sae_parameters *p)
{
    const float limit = s->threshold * spread_of(s);
    const bool lowers = s->kind == SS_SAE_VANILLA || s->kind == SS_SAE_BATCHTOPK;
    p->bias = s->has_bias || lowers ? random_numbers(N_FEATURES, 0.3F) : NULL;
    for (size_t f = 0; lowers && f < N_FEATURES; f++) {
        p->bias[f] -= limit;
    }
    if (s->kind == SS_SAE_JUMPRELU) {
        p->thresholds = random_numbers(N_FEATURES, 0.2F * limit);
        for (size_t f = 0; f < N_FEATURES; f++) {
            p->thresholds[f] += limit;
        }
    }
    if (s->kind == SS_SAE_GATED) {
        p->gate_bias = random_numbers(N_FEATURES, 0.2F * limit);
        p->log_gains = random_numbers(N_FEATURES, 0.5F);
        p->shifts = random_numbers(N_FEATURES, 2);
        for (size_t f = 0; f < N_FEATURES; f++) {
            p->gate_bias[f] -= limit;
        }
    }
}

/* Rows are 1 + 2^-8 less a little, which rounds to 1. Weights, too, in a part of the features;
 * the others are small. A threshold is what the exact sum just passes, or just does not. */
static void make_hard(struct ss_sae_parameters *p, float *x)
{
    const float hard = 1.0F + 0x1p-8F - 0x1p-20F;
    for (size_t i = 0; i < N_ROWS * p->width; i++) {
        x[i] = hard;
    }
    uint32_t ids[N_FEATURES];
    float h[N_FEATURES];
    for (size_t f = 0; f < N_FEATURES; f++) {
        ids[f] = (uint32_t)f;
        for (size_t k = 0; k < p->width; k++) {
            p->encoder_rows[f * p->width + k] = f % 40 == 0 ? hard : 1e-3F * random_number();
        }
    }
    ss_tensor_multiply_rows(&(struct ss_tensor_row_dots){.out = h,
                                                         .vector = x,
                                                         .rows = p->encoder_rows,
                                                         .width = p->width,
                                                         .ids = ids,
                                                         .n = N_FEATURES});
    for (size_t f = 0; f < N_FEATURES; f++) {
        p->thresholds[f] = f % 40 != 0 ? 1.0F : nextafterf(h[f], f % 80 == 0 ? 0 : 1e9F);
    }
}

static void make_alike(const struct scene *s, float *rows)
{
    for (size_t f = 0; s->has_ties && f < N_FEATURES; f++) {
        memcpy(rows + f * s->width, rows + f / 3 * 3 * s->width, s->width * sizeof *rows);
    }
    for (size_t f = 0; s->has_near && f < 400; f++) {
        for (size_t k = 0; k < s->width; k++) {
            rows[f * s->width + k] = (k == 0 ? 40.0F : 0.0F) + 1e-4F * random_number();
        }
    }
}

/* Two SAEs of the same parts, of which one has no filter. */
static void make(const struct scene *s, float *x, ss_sae **with, ss_sae **without)
{
    ss_sae **const both[] = {with, without};
    const uint32_t start = random_state;
    for (size_t i = 0; i < 2; i++) {
        ss_err err;
        struct ss_sae_parts parts = {
            .parameters = {.width = s->width, .n_features = N_FEATURES, .input = s->input},
            .rule = {.kind = s->kind,
                     .top_k = s->top_k,
                     .batchtopk = SS_BATCHTOPK_BATCH,
                     .batch_rows = 16}};
        random_state = start;
        parts.parameters.encoder_rows = random_numbers(N_FEATURES * s->width, 1);
        make_alike(s, parts.parameters.encoder_rows);
        parts.parameters.subtracted = s->has_subtracted ? random_numbers(s->width, 0.2F) : NULL;
        add_limits(s, &parts.parameters);
        for (size_t j = 0; j < N_ROWS * s->width; j++) {
            x[j] = random_number();
        }
        if (s->is_hard) {
            make_hard(&parts.parameters, x);
        }
        if (s->input == SS_SAE_INPUT_ROOT_WIDTH) {
            memset(x + 3 * s->width, 0, s->width * sizeof *x); /* becomes NaN */
        }
        if (ss_sae_new(&parts, both[i], &err) != SS_OK) {
            fail_msg("%s", err.message);
        }
        assert_non_null((*both[i])->parameters.filter);
    }
    ss_sae_filter_free((*without)->parameters.filter);
    (*without)->parameters.filter = NULL;
}

static void encode(const ss_sae *sae, size_t n_threads, const float *x, struct ss_sparse *out,
                   struct ss_sae_counts *counts)
{
    ss_work *work = NULL;
    ss_err err;
    *counts = (struct ss_sae_counts){0};
    const struct ss_sae_batch batch = {.x = x, .n = N_ROWS, .counts = counts};
    assert_int_equal(ss_work_new(n_threads, &work, NULL), SS_OK);
    if (ss_sae_encode_batch(sae, NULL, work, &batch, out, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    ss_work_free(work);
}

static void assert_equal(const struct ss_sparse *a, const struct ss_sparse *b)
{
    const size_t n = a->offsets[a->n_rows];
    assert_int_equal(a->n_rows, b->n_rows);
    assert_memory_equal(a->offsets, b->offsets, (a->n_rows + 1) * sizeof *a->offsets);
    assert_memory_equal(a->features, b->features, n * sizeof *a->features);
    assert_memory_equal(a->values, b->values, n * sizeof *a->values);
}

static void results_are_those_without(void **state)
{
    (void)state;
    if (!tile_unit_use()) {
        skip();
    }
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        const struct scene *s = &scenes[i];
        ss_sae *with = NULL, *without = NULL;
        struct ss_sparse a = {0}, b = {0};
        struct ss_sae_counts counts_a, counts_b;
        float *x = random_numbers(N_ROWS * s->width, 1);
        make(s, x, &with, &without);
        encode(without, 1, x, &a, &counts_a);
        assert_true(a.offsets[N_ROWS] >= N_ROWS);
        for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
            encode(with, n_threads, x, &b, &counts_b);
            assert_equal(&a, &b);
            assert_int_equal(counts_a.n_borderline_pairs, counts_b.n_borderline_pairs);
            assert_int_equal(counts_a.n_tied_rows, counts_b.n_tied_rows);
        }
        print_message("%s: %zu fires in %d rows, %zu rows tied\n", s->name, a.offsets[N_ROWS],
                      N_ROWS, (size_t)counts_a.n_tied_rows);
        ss_sparse_release(&a);
        ss_sparse_release(&b);
        ss__free(x);
        ss_sae_free(with);
        ss_sae_free(without);
    }
}

/* A filter of other weights shows: it is what decides where floats are multiplied. */
static void the_filter_is_asked(void **state)
{
    (void)state;
    ss_sae *with = NULL, *without = NULL;
    struct ss_sparse out = {0};
    struct ss_sae_counts counts;
    const size_t width = scenes[0].width;
    if (!tile_unit_use()) {
        skip();
    }
    float *x = random_numbers(N_ROWS * width, 1);
    float *zeros = random_numbers(N_FEATURES * width, 0);
    make(&scenes[0], x, &with, &without);
    ss_tensor_matrix_fill(&with->parameters.filter->rough, 0, N_FEATURES, zeros,
                          SS_TENSOR_OUT_BY_IN);
    encode(with, 1, x, &out, &counts);
    assert_int_equal(out.offsets[N_ROWS], 0);
    ss_sparse_release(&out);
    ss__free(x);
    ss__free(zeros);
    ss_sae_free(with);
    ss_sae_free(without);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_without),
        cmocka_unit_test(the_filter_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
