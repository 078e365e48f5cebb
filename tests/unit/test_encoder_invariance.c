/* A text's embedding has the same bytes alone or in any batch, in any order, on any number of
 * threads, with any batch budget, from any instruction set. */
#include "encoder_testing.h"

#include "encoder/encoder.h"
#include "tensor/tensor_priv.h"

static const char *const names[] = {"mpnet-mean",     "bert-dense",      "distilbert-half",
                                    "modernbert-old", "nomic-published", "nomic-variant"};

struct loaded {
    json_t *said;
    struct ss_text *texts;
    size_t n, width;
    ss_encoder *encoder;
    float *whole; /* all texts in one call on one thread */
};

static struct loaded load(const char *name)
{
    char path[512];
    char file[64];
    struct ss_encoder_info info = {.struct_size = sizeof info};
    struct loaded l = {0};
    snprintf(path, sizeof path, "%s/encoder/%s", SS_TEST_DATA, name);
    snprintf(file, sizeof file, "%s.json", name);
    l.said = load_json(SS_TEST_DATA "/encoder", file);
    assert_non_null(l.said);
    l.texts = texts_of(json_object_get(l.said, "texts"));
    l.n = json_array_size(json_object_get(l.said, "texts"));
    l.encoder = open_encoder(path, NULL);
    ss_encoder_describe(l.encoder, &info);
    l.width = info.width;
    l.whole = embed(l.encoder, 1, l.texts, l.n);
    return l;
}

static void unload(struct loaded *l)
{
    free(l->whole);
    free(l->texts);
    ss_encoder_free(l->encoder);
    json_decref(l->said);
}

static void assert_same(const struct loaded *l, size_t text, const float *got)
{
    assert_memory_equal(got, l->whole + text * l->width, l->width * sizeof *got);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct loaded l = load(names[i]);
        for (size_t n_threads = 2; n_threads <= 5; n_threads++) {
            float *got = embed(l.encoder, n_threads, l.texts, l.n);
            assert_memory_equal(got, l.whole, l.n * l.width * sizeof *got);
            free(got);
        }
        unload(&l);
    }
}

static void company_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct loaded l = load(names[i]);
        struct ss_text *turned = calloc(2 * l.n, sizeof *turned);
        assert_non_null(turned);
        for (size_t k = 0; k < l.n; k++) {
            float *alone = embed(l.encoder, 2, &l.texts[k], 1);
            assert_same(&l, k, alone);
            free(alone);
            turned[l.n - 1 - k] = turned[l.n + k] = l.texts[k];
        }
        float *got = embed(l.encoder, 2, turned, 2 * l.n);
        for (size_t k = 0; k < l.n; k++) {
            assert_same(&l, k, got + (l.n - 1 - k) * l.width);
            assert_same(&l, k, got + (l.n + k) * l.width);
        }
        free(got);
        free(turned);
        unload(&l);
    }
}

/* More tokens than one inner batch holds: forward cuts them. */
static void large_batches_are_cut(void **state)
{
    struct loaded l = load("mpnet-mean");
    const size_t n_rounds = 40;
    struct ss_tokenizer_token_scratch *scratch = NULL;
    struct ss_tokenizer_tokens tokens = {0};
    ss_work *work = NULL;
    ss_err err;
    (void)state;
    assert_int_equal(ss_work_new(2, &work, &err), SS_OK);
    assert_int_equal(ss_tokenizer_token_scratch_new(&scratch, &err), SS_OK);
    for (size_t i = 0; i < n_rounds * l.n; i++) {
        assert_int_equal(
            ss_encoder_tokenize_text(l.encoder, scratch, l.texts[i % l.n], &tokens, &err),
            SS_OK);
    }
    assert_true(ss_tokenizer_tokens_n_ids(&tokens) > ss_encoder_batch_tokens(l.encoder));
    float *got = calloc(n_rounds * l.n * l.width, sizeof *got);
    assert_non_null(got);
    assert_int_equal(ss_encoder_forward(l.encoder, work, &tokens, got, &err), SS_OK);
    for (size_t i = 0; i < n_rounds * l.n; i++) {
        assert_same(&l, i % l.n, got + i * l.width);
    }
    free(got);
    ss_tokenizer_tokens_release(&tokens);
    ss_tokenizer_token_scratch_free(scratch);
    ss_work_free(work);
    unload(&l);
}

/* Weights are packed for the kernels in use, so that each set has an encoder of its own. */
static void instruction_sets_change_nothing(void **state)
{
    static const char *const sets[] = {"reference", "avx2", "avx512"};
    const struct ss_tensor_kernels *const usual = ss_tensor_kernels();
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_true(ss_tensor_kernels_use("reference"));
        struct loaded plain = load(names[i]);
        for (size_t k = 1; k < sizeof sets / sizeof sets[0]; k++) {
            if (ss_tensor_kernels_use(sets[k])) {
                struct loaded l = load(names[i]);
                assert_memory_equal(l.whole, plain.whole, l.n * l.width * sizeof *l.whole);
                unload(&l);
            }
        }
        unload(&plain);
    }
    ss_tensor_kernels_set(usual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(company_changes_nothing),
        cmocka_unit_test(large_batches_are_cut),
        cmocka_unit_test(instruction_sets_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
