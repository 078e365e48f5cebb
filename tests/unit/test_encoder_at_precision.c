/* An encoder and its twin at another precision: the twin's embeddings are, byte for byte, those
 * of an encoder opened at that precision. Where a test needs a level that is not the highest,
 * it is the one of the tile unit. */
#include "support/tile_unit.h"
#include "tensor/tensor_priv.h"
#include "unit/encoder_testing.h"

#include "encoder/encoder.h"

static const char *const models[] = {"mpnet-mean",     "bert-dense",       "distilbert-half",
                                     "modernbert-new", "nomic-neighbours", "roberta-files"};
enum { N_MODELS = sizeof models / sizeof models[0], N_TEXTS = 3 };

static const char *const sentences[N_TEXTS] = {
    "a star", "The mass of the black hole is not known well.", "gas & dust, gas & dust, 42"};

static float *embed_all(const ss_encoder *encoder)
{
    struct ss_text texts[N_TEXTS];
    for (size_t i = 0; i < N_TEXTS; i++) {
        texts[i] = (struct ss_text){sentences[i], strlen(sentences[i])};
    }
    return embed(encoder, 2, texts, N_TEXTS);
}

static void twin_is_the_encoder_at_highest(void **state)
{
    (void)state;
    if (!tile_unit_use()) {
        skip();
    }
    for (size_t i = 0; i < N_MODELS; i++) {
        char path[512];
        struct ss_encoder_info info = {.struct_size = sizeof info};
        ss_encoder *twin = NULL;
        ss_err err;
        snprintf(path, sizeof path, "%s/encoder/%s", SS_TEST_DATA, models[i]);
        ss_encoder *high = open_encoder(path, NULL);
        ss_encoder *highest = open_encoder(
            path, &(struct ss_encoder_options){.struct_size = sizeof(struct ss_encoder_options),
                                               .precision = SS_PRECISION_HIGHEST});
        assert_true(ss_encoder_error(high) == ss_tensor_bf16x3_amx.embedding_error);
        assert_true(ss_encoder_error(high) > 0 && ss_encoder_error(highest) == 0);
        ss_work *work = NULL;
        assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
        if (ss_encoder_at_precision(high, work, SS_PRECISION_HIGHEST, &twin, &err) != SS_OK) {
            fail_msg("%s: %s", models[i], err.message);
        }
        ss_encoder_describe(twin, &info);
        assert_string_equal(info.precision, "highest");
        float *of_high = embed_all(high), *of_twin = embed_all(twin);
        float *expected = embed_all(highest);
        const size_t n_bytes = N_TEXTS * info.width * sizeof *expected;
        assert_memory_equal(of_twin, expected, n_bytes);
        assert_memory_not_equal(of_high, expected, n_bytes);
        free(of_high);
        free(of_twin);
        free(expected);
        ss_encoder_at_precision_free(twin);
        ss_work_free(work);
        ss_encoder_free(high);
        ss_encoder_free(highest);
    }
}

static void twin_is_the_encoder_at_low(void **state)
{
    (void)state;
    (void)tile_unit_use(); /* again, where there is none: each test has signals of its own */
    for (size_t i = 0; i < N_MODELS; i++) {
        char path[512];
        struct ss_encoder_info info = {.struct_size = sizeof info};
        ss_encoder *twin = NULL;
        ss_work *work = NULL;
        ss_err err;
        snprintf(path, sizeof path, "%s/encoder/%s", SS_TEST_DATA, models[i]);
        ss_encoder *high = open_encoder(path, NULL);
        ss_encoder *low = open_encoder(
            path, &(struct ss_encoder_options){.struct_size = sizeof(struct ss_encoder_options),
                                               .precision = SS_PRECISION_LOW});
        assert_int_equal(ss_work_new(2, &work, NULL), SS_OK);
        if (ss_encoder_at_precision(high, work, SS_PRECISION_LOW, &twin, &err) != SS_OK) {
            fail_msg("%s: %s", models[i], err.message);
        }
        ss_encoder_describe(twin, &info);
        assert_string_equal(info.precision, "low");
        float *of_high = embed_all(high), *of_twin = embed_all(twin);
        float *expected = embed_all(low);
        const size_t n_bytes = N_TEXTS * info.width * sizeof *expected;
        assert_memory_equal(of_twin, expected, n_bytes);
        assert_memory_not_equal(of_high, expected, n_bytes);
        free(of_high);
        free(of_twin);
        free(expected);
        ss_encoder_at_precision_free(twin);
        ss_work_free(work);
        ss_encoder_free(high);
        ss_encoder_free(low);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(twin_is_the_encoder_at_highest),
                                       cmocka_unit_test(twin_is_the_encoder_at_low)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
