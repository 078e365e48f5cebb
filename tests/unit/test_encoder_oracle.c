/* Embeddings, token ids and filled masks against what the reference libraries answered. Folders
 * of the project's own (tools/make_tiny_encoders.py), and shared ones where they are. */
#include "encoder_testing.h"

#include "encoder/encoder.h"

/* ---- the project's own folders ---- */

static double *numbers_of(const json_t *rows, size_t *n)
{
    const size_t n_rows = json_array_size(rows);
    const size_t width = json_array_size(json_array_get(rows, 0));
    double *numbers = calloc(n_rows * width, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < n_rows * width; i++) {
        const json_t *row = json_array_get(rows, i / width);
        numbers[i] = json_number_value(json_array_get(row, i % width));
    }
    *n = width;
    return numbers;
}

/* Sequences of ids without special tokens; the first is of one token. */
static void check_alone(const char *name, const ss_encoder *encoder, const json_t *said)
{
    const json_t *lists = json_object_get(said, "ids_alone");
    const size_t n = json_array_size(lists);
    size_t width = 0;
    double *want = numbers_of(json_object_get(said, "embeddings_alone"), &width);
    ss_work *work = NULL;
    ss_err err;
    assert_int_equal(ss_work_new(2, &work, &err), SS_OK);
    for (size_t i = 0; i < n; i++) {
        const json_t *list = json_array_get(lists, i);
        int32_t ids[64];
        float got[64];
        size_t offsets[2] = {0, json_array_size(list)};
        assert_true(offsets[1] <= 64 && width <= 64);
        for (size_t k = 0; k < offsets[1]; k++) {
            ids[k] = (int32_t)json_integer_value(json_array_get(list, k));
        }
        const struct ss_tokenizer_tokens tokens = {
            .ids = ids, .offsets = offsets, .n_texts = 1};
        assert_int_equal(ss_encoder_forward(encoder, work, &tokens, got, &err), SS_OK);
        const double difference = relative_difference(got, want + i * width, width);
        print_message("%s: %zu ids alone: largest difference %.2g\n", name, offsets[1],
                      difference);
        assert_true(difference <= tolerance_of_largest);
    }
    ss_work_free(work);
    free(want);
}

static void check_own(const char *name)
{
    char path[512];
    char file[64];
    snprintf(path, sizeof path, "%s/encoder/%s", SS_TEST_DATA, name);
    snprintf(file, sizeof file, "%s.json", name);
    json_t *said = load_json(SS_TEST_DATA "/encoder", file);
    assert_non_null(said);
    const json_t *fillings = json_object_get(said, "fill_mask");
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .with_mask_head = fillings != NULL,
                                               .precision = SS_PRECISION_HIGHEST};
    ss_encoder *encoder = open_encoder(path, &options);
    struct ss_encoder_info info = {.struct_size = sizeof info};
    size_t width = 0;
    struct ss_text *texts = texts_of(json_object_get(said, "texts"));
    double *want = numbers_of(json_object_get(said, "embeddings"), &width);
    ss_encoder_describe(encoder, &info);
    assert_int_equal(info.width, width);
    assert_int_equal(info.max_tokens, json_integer_value(json_object_get(said, "max_tokens")));
    assert_string_equal(info.prompt, json_string_value(json_object_get(said, "prompt")));
    check_ids(encoder, texts, json_object_get(said, "ids"));
    check_embeddings(name, encoder, texts, json_array_size(json_object_get(said, "texts")),
                     want);
    check_fillings(encoder, fillings, "text");
    if (json_object_get(said, "ids_alone") != NULL) {
        check_alone(name, encoder, said);
    }
    free(want);
    free(texts);
    ss_encoder_free(encoder);
    json_decref(said);
}

#define OWN_TEST(function, name)                                                               \
    static void function(void **state)                                                         \
    {                                                                                          \
        (void)state;                                                                           \
        check_own(name);                                                                       \
    }
OWN_TEST(own_mpnet, "mpnet-mean")
OWN_TEST(own_bert_of_old_layout, "bert-old")
OWN_TEST(own_bert_with_dense, "bert-dense")
OWN_TEST(own_distilbert_without_modules, "distilbert-plain")
OWN_TEST(own_distilbert_in_half, "distilbert-half")
OWN_TEST(own_roberta_of_vocab_and_merges, "roberta-files")
OWN_TEST(own_xlm_roberta_of_sentencepiece, "xlm-roberta-model")
OWN_TEST(own_bert_behind_xlm_roberta, "bert-multilingual")
OWN_TEST(own_camembert_without_modules, "camembert-plain")
OWN_TEST(own_modernbert_of_first_config, "modernbert-old")
OWN_TEST(own_modernbert_with_layer_types, "modernbert-new")
OWN_TEST(own_nomic_as_published, "nomic-published")
OWN_TEST(own_nomic_of_transformers, "nomic-native")
OWN_TEST(own_nomic_with_switches, "nomic-variant")
OWN_TEST(own_nomic_that_turns_neighbours, "nomic-neighbours")

static void folders_are_described(void **state)
{
    struct ss_encoder_info info = {.struct_size = sizeof info};
    ss_encoder *encoder = open_encoder(SS_TEST_DATA "/encoder/bert-dense/", NULL);
    (void)state;
    ss_encoder_describe(encoder, &info);
    assert_string_equal(info.architecture, "bert");
    assert_string_equal(info.pooling, "weightedmean");
    assert_int_equal(info.width, 10);
    assert_int_equal(info.hidden_width, 16);
    assert_int_equal(info.n_layers, 2);
    assert_int_equal(info.n_heads, 4);
    assert_true(info.normalized);
    assert_false(info.has_mask_head);
    assert_true(ss_encoder_n_files(encoder) >= 12);
    assert_true(ss_encoder_is_at(SS_TEST_DATA "/encoder/bert-dense"));
    assert_true(ss_encoder_is_at(SS_TEST_DATA "/encoder/distilbert-plain"));
    assert_false(ss_encoder_is_at(SS_TEST_DATA "/encoder"));
    ss_encoder_free(encoder);
}

/* ---- notices ---- */

struct heard {
    char text[4096];
};

static void hear(void *user, ss_level level, const char *sentence)
{
    struct heard *heard = user;
    const size_t n = strlen(heard->text);
    (void)level;
    snprintf(heard->text + n, sizeof heard->text - n, "%s\n", sentence);
}

static void defaults_are_said(void **state)
{
    struct heard heard = {0};
    struct ss_encoder_options options = {.struct_size = sizeof options,
                                         .log = {.fn = hear, .user = &heard}};
    (void)state;
    ss_encoder_free(open_encoder(SS_TEST_DATA "/encoder/distilbert-half", &options));
    assert_non_null(strstr(heard.text, "find the text: "));
    heard.text[0] = '\0';
    ss_encoder_free(open_encoder(SS_TEST_DATA "/encoder/distilbert-plain", &options));
    assert_non_null(strstr(heard.text, "means over tokens"));
    heard.text[0] = '\0';
    options.prompt_name = "document";
    ss_encoder_free(open_encoder(SS_TEST_DATA "/encoder/distilbert-half", &options));
    assert_string_equal(heard.text, "");
}

static void limits_can_be_lowered(void **state)
{
    struct ss_encoder_options options = {.struct_size = sizeof options, .max_tokens = 7};
    struct ss_encoder_info info = {.struct_size = sizeof info};
    const struct ss_text text = {"a b c d e f g h", 15};
    int32_t *ids = NULL;
    size_t n = 0;
    ss_err err;
    (void)state;
    ss_work *work = NULL;
    assert_int_equal(ss_work_new(1, &work, &err), SS_OK);
    options.work = work;
    ss_encoder *encoder = open_encoder(SS_TEST_DATA "/encoder/mpnet-mean", &options);
    assert_int_equal(ss_encoder_tokenize(encoder, work, text, &ids, &n, &err), SS_OK);
    assert_int_equal(n, 7);
    ss_ids_free(ids);
    ss_work_free(work);
    options.work = NULL;
    ss_encoder_free(encoder);
    options.max_tokens = 100000;
    encoder = open_encoder(SS_TEST_DATA "/encoder/mpnet-mean", &options);
    ss_encoder_describe(encoder, &info);
    assert_int_equal(info.max_tokens, 200);
    ss_encoder_free(encoder);
}

/* The first values of what the whole embedding would be, from the folder or as asked for. */
static void embeddings_can_be_truncated(void **state)
{
    static const size_t asked[] = {0, 5, 12, 19, 20, 1000};
    static const size_t kept[] = {12, 5, 12, 19, 20, 20};
    const struct ss_text texts[] = {{"a star", 6}, {"", 0}, {"dust and gas", 12}};
    const struct ss_encoder_options whole_options = {.struct_size = sizeof whole_options,
                                                     .truncate_dim = 20};
    ss_encoder *whole = open_encoder(SS_TEST_DATA "/encoder/modernbert-new", &whole_options);
    float *expected = embed(whole, 1, texts, 3);
    (void)state;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        const struct ss_encoder_options options = {.struct_size = sizeof options,
                                                   .truncate_dim = asked[i]};
        struct ss_encoder_info info = {.struct_size = sizeof info};
        ss_encoder *encoder = open_encoder(SS_TEST_DATA "/encoder/modernbert-new", &options);
        ss_encoder_describe(encoder, &info);
        assert_int_equal(info.width, kept[i]);
        assert_int_equal(info.normalized, kept[i] == 20);
        float *got = embed(encoder, 2, texts, 3);
        for (size_t t = 0; t < 3; t++) {
            assert_memory_equal(got + t * kept[i], expected + t * 20, kept[i] * sizeof *got);
        }
        free(got);
        ss_encoder_free(encoder);
    }
    free(expected);
    ss_encoder_free(whole);
}

/* ---- shared folders ---- */

static double *load_wide(const char *folder, size_t *n_rows, size_t *width)
{
    char path[600];
    snprintf(path, sizeof path, "%s/embeddings.npy", folder);
    float *values = load_npy(path, n_rows, width);
    double *numbers = calloc(*n_rows * *width, sizeof *numbers);
    assert_non_null(numbers);
    for (size_t i = 0; i < *n_rows * *width; i++) {
        numbers[i] = (double)values[i];
    }
    free(values);
    return numbers;
}

static void check_shared(const char *name)
{
    char path[512];
    char expected[540];
    snprintf(path, sizeof path, "%s/oracle/%s", SS_TEST_SHARED, name);
    snprintf(expected, sizeof expected, "%s.expected", path);
    json_t *list = load_json(expected, "texts.json");
    if (list == NULL) {
        print_message("skipped: no %s\n", expected);
        skip();
    }
    json_t *ids = load_json(expected, "ids.json");
    json_t *fillings = load_json(expected, "fill_mask.json");
    const struct ss_encoder_options options = {.struct_size = sizeof options,
                                               .with_mask_head = fillings != NULL,
                                               .precision = SS_PRECISION_HIGHEST};
    ss_encoder *encoder = open_encoder(path, &options);
    struct ss_text *texts = texts_of(list);
    size_t n = 0;
    size_t width = 0;
    double *want = load_wide(expected, &n, &width);
    check_ids(encoder, texts, ids);
    check_embeddings(name, encoder, texts, n, want);
    check_fillings(encoder, fillings, "prompt");
    free(want);
    free(texts);
    ss_encoder_free(encoder);
    json_decref(fillings);
    json_decref(ids);
    json_decref(list);
}

#define SHARED_TEST(function, name)                                                            \
    static void function(void **state)                                                         \
    {                                                                                          \
        (void)state;                                                                           \
        check_shared(name);                                                                    \
    }
SHARED_TEST(shared_mpnet, "tiny-mpnet")
SHARED_TEST(shared_bert_cls_normalize, "tiny-bert-cls-normalize")
SHARED_TEST(shared_bert_max_dense, "tiny-bert-max-dense")
SHARED_TEST(shared_bert_sqrtlen, "tiny-bert-sqrtlen")
SHARED_TEST(shared_bert_weighted, "tiny-bert-weighted")
SHARED_TEST(shared_bert_last, "tiny-bert-last")
SHARED_TEST(shared_distilbert_cased, "tiny-distilbert-cased")
SHARED_TEST(shared_roberta, "tiny-roberta")
SHARED_TEST(shared_xlm_roberta, "tiny-xlm-roberta")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_mpnet),
        cmocka_unit_test(own_bert_of_old_layout),
        cmocka_unit_test(own_bert_with_dense),
        cmocka_unit_test(own_distilbert_without_modules),
        cmocka_unit_test(own_distilbert_in_half),
        cmocka_unit_test(own_roberta_of_vocab_and_merges),
        cmocka_unit_test(own_xlm_roberta_of_sentencepiece),
        cmocka_unit_test(own_bert_behind_xlm_roberta),
        cmocka_unit_test(own_camembert_without_modules),
        cmocka_unit_test(own_modernbert_of_first_config),
        cmocka_unit_test(own_modernbert_with_layer_types),
        cmocka_unit_test(own_nomic_as_published),
        cmocka_unit_test(own_nomic_of_transformers),
        cmocka_unit_test(own_nomic_with_switches),
        cmocka_unit_test(own_nomic_that_turns_neighbours),
        cmocka_unit_test(folders_are_described),
        cmocka_unit_test(defaults_are_said),
        cmocka_unit_test(limits_can_be_lowered),
        cmocka_unit_test(embeddings_can_be_truncated),
        cmocka_unit_test(shared_mpnet),
        cmocka_unit_test(shared_bert_cls_normalize),
        cmocka_unit_test(shared_bert_max_dense),
        cmocka_unit_test(shared_bert_sqrtlen),
        cmocka_unit_test(shared_bert_weighted),
        cmocka_unit_test(shared_bert_last),
        cmocka_unit_test(shared_distilbert_cased),
        cmocka_unit_test(shared_roberta),
        cmocka_unit_test(shared_xlm_roberta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
