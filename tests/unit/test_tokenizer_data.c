/* The project's own small tokenizers of every kind, against what the reference library answered
 * (tools/make_tokenizer_data.py): ids of all texts, and decoding. */
#include "tokenizer_helpers.h"

#define DATA SS_TEST_DATA "/tokenizer/"

/* Ids of all texts, with the scratch kept from text to text. */
static void check_ids(struct fixture *fixture, const char *name,
                      const struct ss__json *expected)
{
    struct ss__json *texts = need_json(DATA "texts.json");
    assert_true(ss__json_count(texts) > 300);
    assert_int_equal(ss__json_count(texts), ss__json_count(expected));
    for (size_t i = 0; i < ss__json_count(texts); i++) {
        if (!ids_equal(fixture, ss__json_at(texts, i), ss__json_at(expected, i), 0, 0)) {
            fail_msg("%s: other ids for text %zu", name, i);
        }
    }
    ss__json_free(texts);
}

static void check_decoded(struct fixture *fixture, const char *name,
                          const struct ss__json *rows)
{
    for (size_t i = 0; i < ss__json_count(rows); i++) {
        const struct ss__json *row = ss__json_at(rows, i), *list = ss__json_at(row, 0);
        const size_t n = ss__json_count(list);
        int32_t *ids = ss__alloc(n, sizeof *ids);
        assert_non_null(ids);
        for (size_t j = 0; j < n; j++) {
            ids[j] = (int32_t)ss__json_integer(ss__json_at(list, j));
        }
        for (size_t skips = 0; skips < 2; skips++) {
            char *text = NULL;
            const char *want = ss__json_string(ss__json_at(row, 1 + skips));
            must(ss_tokenizer_detokenize(fixture->tokenizer, ids, n, skips == 1, &text,
                                         &fixture->err),
                 &fixture->err);
            if (strcmp(text, want) != 0) {
                fail_msg("%s, decoding %zu: '%s', expected '%s'", name, i, text, want);
            }
            ss__free(text);
        }
        ss__free(ids);
    }
}

static void check_folder(const char *name)
{
    const struct ss_tokenizer_options lower_first = {.lower_case_first = true};
    char path[1024];
    struct fixture fixture;
    snprintf(path, sizeof path, DATA "%s.expected.json", name);
    struct ss__json *expected = need_json(path);
    const struct ss__json *lowered = ss__json_get(expected, "lower_first_ids");
    snprintf(path, sizeof path, DATA "%s", name);
    open_fixture(&fixture, path, NULL);
    assert_int_equal(ss_tokenizer_n_vocab(fixture.tokenizer),
                     ss__json_integer(ss__json_get(expected, "n_vocab")));
    check_ids(&fixture, name, ss__json_get(expected, "ids"));
    check_decoded(&fixture, name, ss__json_get(expected, "decoded"));
    close_fixture(&fixture);
    if (lowered != NULL) {
        open_fixture(&fixture, path, &lower_first);
        check_ids(&fixture, name, lowered);
        close_fixture(&fixture);
    }
    ss__json_free(expected);
}

static void test_known_classes(void **state)
{
    (void)state;
    check_folder("uncased");
    check_folder("cased-vocab-txt");
    check_folder("cased-strip");
    check_folder("lower-keep");
    check_folder("mpnet");
    check_folder("mpnet-vocab-txt");
}

static void test_added_tokens(void **state)
{
    (void)state;
    check_folder("added");
    check_folder("special-map");
}

static void test_generic_class(void **state)
{
    (void)state;
    check_folder("generic");
    check_folder("generic-plain");
}

static void test_byte_pairs(void **state)
{
    (void)state;
    check_folder("bpe-bytes");
    check_folder("bpe-bytes-space");
    check_folder("bpe-bytes-nfc");
    check_folder("bpe-bytes-whole");
    check_folder("bpe-gpt4");
    check_folder("bpe-gpt4o");
    check_folder("bpe-digits");
    check_folder("bpe-contiguous");
    check_folder("bpe-llama");
    check_folder("bpe-unknown");
    check_folder("bpe-fused");
    check_folder("bpe-suffix");
    check_folder("bpe-prefix");
    check_folder("bpe-first");
}

static void test_unigram(void **state)
{
    (void)state;
    check_folder("unigram");
    check_folder("unigram-meta");
    check_folder("unigram-bytes");
    check_folder("unigram-never");
    check_folder("unigram-first");
    check_folder("unigram-previous");
    check_folder("unigram-map");
}

static void test_byte_pair_classes(void **state)
{
    (void)state;
    check_folder("roberta-space");
    check_folder("roberta-files");
}

static void test_unigram_classes(void **state)
{
    (void)state;
    check_folder("xlm-roberta");
    check_folder("xlm-roberta-model");
    check_folder("xlm-roberta-user");
    check_folder("camembert");
    check_folder("camembert-model");
}

static void test_settings(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, DATA "uncased", NULL);
    assert_int_equal(ss_tokenizer_max_length(fixture.tokenizer), 512);
    const struct ss_tokenizer_special_ids bert = ss_tokenizer_specials(fixture.tokenizer);
    assert_int_equal(bert.pad, 0);
    assert_int_equal(bert.unknown, 1);
    assert_int_equal(bert.begin, 2);
    assert_int_equal(bert.end, 3);
    assert_int_equal(bert.mask, 4);
    close_fixture(&fixture);
    open_fixture(&fixture, DATA "cased-vocab-txt", NULL);
    assert_int_equal(ss_tokenizer_max_length(fixture.tokenizer), 0); /* 10^30: no limit */
    close_fixture(&fixture);
    open_fixture(&fixture, DATA "mpnet", NULL);
    const struct ss_tokenizer_special_ids mpnet = ss_tokenizer_specials(fixture.tokenizer);
    assert_int_equal(mpnet.begin, 0);
    assert_int_equal(mpnet.pad, 1);
    assert_int_equal(mpnet.end, 2);
    assert_int_equal(mpnet.unknown, 4);
    assert_int_equal(mpnet.mask, ss_tokenizer_n_vocab(fixture.tokenizer) - 1);
    close_fixture(&fixture);
    open_fixture(&fixture, DATA "generic-plain", NULL); /* no template, no roles */
    const struct ss_tokenizer_special_ids plain = ss_tokenizer_specials(fixture.tokenizer);
    assert_int_equal(plain.begin, -1);
    assert_int_equal(plain.mask, -1);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_classes),   cmocka_unit_test(test_added_tokens),
        cmocka_unit_test(test_generic_class),   cmocka_unit_test(test_byte_pairs),
        cmocka_unit_test(test_unigram),         cmocka_unit_test(test_byte_pair_classes),
        cmocka_unit_test(test_unigram_classes), cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
