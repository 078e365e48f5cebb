/* A small SAE of every form of every format against what its own project says in float64
 * (tests/data/sae/formats, made by tools/make_sae_formats.py): it is found by looking, gives
 * the same features, values within VALUE_TOLERANCE, and its rule tells what was done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sae/sae.h"
#include "unit/sae_answers.h"
#include "unit/sized.h"

#define FORMATS SS_TEST_DATA "/sae/formats/"

static const struct format_case {
    const char *folder, *file; /* file: what is opened in it, or NULL */
    const char *format, *variant, *kind;
    const char *said; /* a part of the rule */
    struct ss_sae_options options;
} cases[] = {
    {"saelens-standard", NULL, "saelens", "standard", "vanilla", "b_dec is subtracted", {0}},
    {"saelens-standard-ln", NULL, "saelens", "standard", "vanilla", "relu(LN(x) W_enc", {0}},
    {"saelens-standard-bf16", NULL, "saelens", "standard", "vanilla", "b_enc is added", {0}},
    {"saelens-topk", "cfg.json", "saelens", "topk", "topk", "the 4 largest h", {0}},
    {"saelens-topk-rescale",
     NULL,
     "saelens",
     "topk",
     "topk",
     "norms of the rows of W_dec",
     {0}},
    {"saelens-jumprelu",
     "sae_weights.safetensors",
     "saelens",
     "jumprelu",
     "jumprelu",
     "h > threshold, else 0; h = relu(x W_enc + b_enc); b_dec is not subtracted",
     {0}},
    {"saelens-jumprelu-scaled",
     NULL,
     "saelens",
     "jumprelu",
     "jumprelu",
     "S(x) = x sqrt(width) / |x|",
     {0}},
    {"saelens-gated",
     NULL,
     "saelens",
     "gated",
     "gated",
     "a = relu(exp(r_mag) h + b_mag) where h + b_gate > 0, else 0; h = (x - b_dec) W_enc",
     {0}},
    {"saelens-batchtopk",
     NULL,
     "saelens",
     "batchtopk",
     "batchtopk",
     "stored in "
     "'topk_threshold'",
     {0}},
    {"saelens-matryoshka",
     NULL,
     "saelens",
     "matryoshka_batchtopk",
     "batchtopk",
     "norms of the rows of W_dec",
     {0}},
    {"saelens-pursuit",
     NULL,
     "saelens",
     "matching_pursuit",
     "matching pursuit",
     "until |r| < 0.3",
     {0}},
    {"saelens-pursuit-short",
     NULL,
     "saelens",
     "matching_pursuit",
     "matching pursuit",
     "at most 5 times; b_dec is not subtracted",
     {0}},
    {"saelens-transcoder", NULL, "saelens", "transcoder", "vanilla", "not subtracted", {0}},
    {"saelens-skip-transcoder",
     NULL,
     "saelens",
     "skip_transcoder",
     "vanilla",
     "not subtracted",
     {0}},
    {"saelens-jumprelu-transcoder",
     NULL,
     "saelens",
     "jumprelu_transcoder",
     "jumprelu",
     "h > threshold",
     {0}},
    {"saelens-jumprelu-skip",
     NULL,
     "saelens",
     "jumprelu_skip_transcoder",
     "jumprelu",
     "h > threshold",
     {0}},
    {"saelens-old-topk", NULL, "saelens", "topk", "topk", "the 4 largest h", {0}},
    {"saelens-old-standard",
     NULL,
     "saelens",
     "standard",
     "vanilla",
     "b_dec is subtracted",
     {0}},
    {"saelens-old-gated", NULL, "saelens", "gated", "gated", "LN(x)", {0}},
    {"gemma-scope",
     NULL,
     "gemma-scope",
     "jumprelu",
     "jumprelu",
     "b_dec is not subtracted",
     {0}},
    {"sparsify-topk", NULL, "sparsify", "topk", "topk", "x - b_dec) encoder.weight^T", {0}},
    {"sparsify-expansion", NULL, "sparsify", "topk", "topk", "encoder.bias is added", {0}},
    {"sparsify-groupmax",
     NULL,
     "sparsify",
     "groupmax",
     "groupmax",
     "4 groups of 8 neighbouring features",
     {0}},
    {"sparsify-transcode", NULL, "sparsify", "topk", "topk", "b_dec is not subtracted", {0}},
    {"dictionary-standard",
     NULL,
     "dictionary_learning",
     "AutoEncoder",
     "vanilla",
     "the norms of the rows of decoder.weight^T are taken into",
     {0}},
    {"dictionary-standard-unit",
     "ae.pt",
     "dictionary_learning",
     "AutoEncoder",
     "vanilla",
     "bias is subtracted",
     {0}},
    {"dictionary-new",
     NULL,
     "dictionary_learning",
     "AutoEncoderNew",
     "vanilla",
     "decoder.bias is not subtracted",
     {0}},
    {"dictionary-gated",
     NULL,
     "dictionary_learning",
     "GatedAutoEncoder",
     "gated",
     "h + gate_bias > 0",
     {0}},
    {"dictionary-jumprelu",
     NULL,
     "dictionary_learning",
     "JumpReluAutoEncoder",
     "jumprelu",
     "b_dec is not subtracted",
     {0}},
    {"dictionary-topk",
     NULL,
     "dictionary_learning",
     "AutoEncoderTopK",
     "topk",
     "the 4 largest h",
     {0}},
    {"dictionary-batchtopk",
     "checkpoints/ae_700.pt",
     "dictionary_learning",
     "BatchTopKSAE",
     "batchtopk",
     "h > 0.6",
     {0}},
    {"dictionary-untrained",
     NULL,
     "dictionary_learning",
     "BatchTopKSAE",
     "batchtopk",
     "every positive h is kept",
     {0}},
    {"dictionary-matryoshka",
     NULL,
     "dictionary_learning",
     "MatryoshkaBatchTopKSAE",
     "batchtopk",
     "stored in 'threshold'",
     {0}},
    {"saerch-named",
     NULL,
     "saerch",
     "FastAutoencoder",
     "topk",
     "k is the one in the file's",
     {0}},
    {"saerch-domain",
     "csLG_5_32_1024.pth",
     "saerch",
     "FastAutoencoder",
     "topk",
     "the 5 largest h",
     {0}},
    {"saerch-unnamed",
     NULL,
     "saerch",
     "FastAutoencoder",
     "topk",
     "k is as given",
     {.top_k = 3}},
    {"openai-topk", NULL, "openai", "TopK", "topk", "relu((LN(x) - pre_bias)", {0}},
    {"openai-relu", NULL, "openai", "ReLU", "vanilla", "relu((x - pre_bias)", {0}},
    {"openai-old", "5.pt", "openai", "ReLU", "vanilla", "latent_bias is added", {0}},
    {"csr",
     NULL,
     "sentence-transformers",
     "SparseAutoEncoder",
     "topk",
     "relu((x - pre_bias)",
     {0}},
    {"csr-normalize", NULL, "sentence-transformers", "SparseAutoEncoder", "topk", "LN(x)", {0}},
    {"csr-bin",
     "pytorch_model.bin",
     "sentence-transformers",
     "SparseAutoEncoder",
     "topk",
     "LN(x)",
     {0}},
    {"hypothesaes", NULL, "hypothesaes", "topk", "topk", "x - input_bias", {0}},
    {"hypothesaes-batch", NULL, "hypothesaes", "batch_topk", "batchtopk", "h > 0.5", {0}},
    {"latent-topk", NULL, "latent-sae", "topk", "topk", "the 4 largest h", {0}},
    {"latent-gated", NULL, "latent-sae", "gated", "gated top-k", "sigmoid(h)", {0}},
    {"latent-jumprelu",
     NULL,
     "latent-sae",
     "jumprelu",
     "jumprelu",
     "of these the 16 largest of each row at most",
     {0}},
    {"latent-batchtopk", NULL, "latent-sae", "batchtopk", "batchtopk", "h >= 0.449999988", {0}},
    {"latent-matryoshka", NULL, "latent-sae", "matryoshka", "topk", "the 6 largest h", {0}},
    {"latent-lista", NULL, "latent-sae", "lista", "lista", "1 times, among the 8 largest", {0}},
    {"latent-lista-2", NULL, "latent-sae", "lista", "lista", "2 times", {0}},
    /* As trainings, older versions and other tools leave them. */
    {"scaled-standard",
     NULL,
     "saelens",
     "standard",
     "vanilla",
     "scaling_factor 0.37 of activation_scaler.json",
     {0}},
    {"scaled-jumprelu",
     NULL,
     "saelens",
     "jumprelu",
     "jumprelu",
     "scaling_factor 0.37 of activation_scaler.json",
     {0}},
    {"scaled-gated",
     NULL,
     "saelens",
     "gated",
     "gated",
     "scaling_factor 0.37 of activation_scaler.json",
     {0}},
    {"scaled-topk",
     NULL,
     "saelens",
     "topk",
     "topk",
     "scaling_factor 0.37 of activation_scaler.json",
     {0}},
    {"scaled-batchtopk",
     NULL,
     "saelens",
     "batchtopk",
     "batchtopk",
     "scaling_factor 0.37 of activation_scaler.json",
     {0}},
    {"scaled-topk-rescale",
     NULL,
     "saelens",
     "topk",
     "topk",
     "scaling_factor 0.37 of activation_scaler.json",
     {0}},
    {"scaled-final", NULL, "saelens", "standard", "vanilla", "b_dec is subtracted", {0}},
    {"dictionary-topk-old",
     NULL,
     "dictionary_learning",
     "AutoEncoderTopK",
     "topk",
     "the 4 largest h",
     {0}},
    {"dictionary-topk-number",
     NULL,
     "dictionary_learning",
     "AutoEncoderTopK",
     "topk",
     "the 4 largest h",
     {0}},
    {"dictionary-batchtopk-old",
     NULL,
     "dictionary_learning",
     "BatchTopKSAE",
     "batchtopk",
     "h > 0.5",
     {.batchtopk_rule = SS_BATCHTOPK_THRESHOLD, .batchtopk_threshold = 0.5}},
    {"dictionary-matroyshka-sizes",
     NULL,
     "dictionary_learning",
     "MatryoshkaBatchTopKSAE",
     "batchtopk",
     "stored in 'threshold'",
     {0}},
    {"dictionary-matroyshka-indices",
     NULL,
     "dictionary_learning",
     "MatryoshkaBatchTopKSAE",
     "batchtopk",
     "stored in 'threshold'",
     {0}},
    {"gemma-small",
     NULL,
     "gemma-scope",
     "jumprelu",
     "jumprelu",
     "h = relu(x w_enc + b_enc)",
     {0}},
    {"gemma-2", NULL, "gemma-scope", "jumprelu", "jumprelu", "b_dec is not subtracted", {0}},
    {"wrapped-sae", NULL, "saes-for-sbert", "vanilla", "vanilla", "b_dec is subtracted", {0}},
    {"wrapped-model", NULL, "saes-for-sbert", "vanilla", "vanilla", "b_dec is subtracted", {0}},
    {"wrapped-twice", NULL, "saes-for-sbert", "vanilla", "vanilla", "b_dec is subtracted", {0}},
    {"wrapped-compiled",
     NULL,
     "saes-for-sbert",
     "vanilla",
     "vanilla",
     "b_dec is subtracted",
     {0}},
    {"wrapped-in-sae",
     NULL,
     "saes-for-sbert",
     "vanilla",
     "vanilla",
     "b_dec is subtracted",
     {0}},
    {"wrapped-in-state",
     NULL,
     "saes-for-sbert",
     "vanilla",
     "vanilla",
     "b_dec is subtracted",
     {0}},
    {"wrapped-deep", NULL, "saes-for-sbert", "vanilla", "vanilla", "b_dec is subtracted", {0}},
    {"wrapped-ema", NULL, "saes-for-sbert", "vanilla", "vanilla", "b_dec is subtracted", {0}},
    {"wrapped-attribute",
     NULL,
     "saes-for-sbert",
     "vanilla",
     "vanilla",
     "b_dec is subtracted",
     {0}},
    {"wrapped-lightning",
     NULL,
     "saes-for-sbert",
     "vanilla",
     "vanilla",
     "b_dec is subtracted",
     {0}},
    {"hypothesaes-numpy", NULL, "hypothesaes", "topk", "topk", "the 4 largest h", {0}},
    {"hypothesaes-numpy-batch", NULL, "hypothesaes", "batch_topk", "batchtopk", "h > 0.6", {0}},
    {"hypothesaes-tensors", NULL, "hypothesaes", "batch_topk", "batchtopk", "h > 0.6", {0}},
    {"openai-numpy", NULL, "openai", "TopK", "topk", "the 4 largest h", {0}},
    {"openai-tensor", NULL, "openai", "TopK", "topk", "the 4 largest h", {0}},
};
enum { N_CASES = sizeof cases / sizeof cases[0] };

static ss_sae *open_case(const struct format_case *self)
{
    char path[512];
    ss_err err = {0};
    ss_sae *sae = NULL;
    snprintf(path, sizeof path, FORMATS "%s%s%s", self->folder, self->file == NULL ? "" : "/",
             self->file == NULL ? "" : self->file);
    const struct ss_sae_options options = sized_sae_options(&self->options);
    if (ss_sae_open(path, &options, &sae, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    return sae;
}

static void check_facts(const struct format_case *self, const ss_sae *sae)
{
    struct ss_sae_info info = {.struct_size = sizeof info};
    ss_sae_describe(sae, &info);
    assert_string_equal(info.format, self->format);
    assert_string_equal(info.variant, self->variant);
    assert_string_equal(info.kind, self->kind);
    if (strstr(info.rule, self->said) == NULL) {
        fail_msg("%s: the rule is '%s'", self->folder, info.rule);
    }
}

static void encode(const ss_sae *sae, size_t n_threads, struct ss_sparse *out)
{
    ss_work *work = NULL;
    ss_err err = {0};
    assert_int_equal(ss_work_new(n_threads, &work, NULL), SS_OK);
    if (ss_sae_encode(sae, work, expected.x, expected.n_rows, out, &err) != SS_OK) {
        fail_msg("%s", err.message);
    }
    ss_work_free(work);
}

static void every_format_answers_as_its_project(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        char path[512];
        struct ss_sparse found = {0};
        ss_sae *sae = open_case(&cases[i]);
        check_facts(&cases[i], sae);
        snprintf(path, sizeof path, FORMATS "%s/expected.txt", cases[i].folder);
        read_answer(path);
        encode(sae, 2, &found);
        check_rows(cases[i].folder, &found);
        ss_sparse_release(&found);
        ss_sae_free(sae);
    }
}

/* One row at a time and all rows by several threads give the same bytes. */
static void rows_do_not_depend_on_the_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        char path[512];
        struct ss_sparse all = {0}, one = {0};
        ss_work *work = NULL;
        ss_sae *sae = open_case(&cases[i]);
        snprintf(path, sizeof path, FORMATS "%s/expected.txt", cases[i].folder);
        read_answer(path);
        encode(sae, 3, &all);
        assert_int_equal(ss_work_new(1, &work, NULL), SS_OK);
        for (size_t r = 0; r < expected.n_rows; r++) {
            const size_t n = all.offsets[r + 1] - all.offsets[r];
            assert_int_equal(
                ss_sae_encode(sae, work, expected.x + r * expected.width, 1, &one, NULL),
                SS_OK);
            assert_int_equal(one.offsets[1], n);
            assert_memory_equal(one.values, all.values + all.offsets[r], n * sizeof(float));
            assert_memory_equal(one.features, all.features + all.offsets[r],
                                n * sizeof(uint32_t));
        }
        ss_work_free(work);
        ss_sparse_release(&all);
        ss_sparse_release(&one);
        ss_sae_free(sae);
    }
}

static void places_are_recognised(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        char path[512];
        snprintf(path, sizeof path, FORMATS "%s", cases[i].folder);
        assert_true(ss_sae_is_at(path) || cases[i].options.top_k > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_answers_as_its_project),
        cmocka_unit_test(rows_do_not_depend_on_the_batch),
        cmocka_unit_test(places_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
