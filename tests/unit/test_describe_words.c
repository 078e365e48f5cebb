/* Words as scikit-learn's CountVectorizer finds them, over all scripts and the final sigma. */
#include "describe_helpers.h"

static void words_equal_the_reference(void **state)
{
    struct json_lines lines = open_lines(SS_TEST_DATA "/describe/words.txt");
    struct ss__json *text = NULL;
    size_t n_cases = 0;
    (void)state;
    while ((text = next_line(&lines)) != NULL) {
        struct ss__json *words = next_line(&lines);
        struct ss__buf lower = {0};
        struct ss_text word;
        size_t at = 0;
        ss_describe_lower(json_text(text), &lower);
        const struct ss_text whole = {lower.data, lower.n_bytes};
        for (size_t i = 0; i < ss__json_count(words); i++) {
            assert_true(ss_describe_next_word(whole, &at, &word));
            assert_int_equal(word.n_bytes, ss__json_string_bytes(ss__json_at(words, i)));
            assert_memory_equal(word.data, ss__json_string(ss__json_at(words, i)),
                                word.n_bytes);
        }
        assert_false(ss_describe_next_word(whole, &at, &word));
        ss__buf_release(&lower);
        ss__json_free(words);
        ss__json_free(text);
        n_cases++;
    }
    assert_true(n_cases > 600);
    ss__buf_release(&lines.buf);
}

static void stop_words_are_known_by_hash(void **state)
{
    static const struct {
        const char *word;
        bool is_one;
    } cases[] = {{"the", true},  {"system", true}, {"bill", true}, {"mine", true},
                 {"don", false}, {"isn", false},   {"say", false}, {"used", false},
                 {"", false},    {"The", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct ss_text word = {cases[i].word, strlen(cases[i].word)};
        assert_int_equal(ss_describe_is_seed_stop_word(word), cases[i].is_one);
    }
}

/* Invalid UTF-8 is no word, and nothing is read behind the text. */
static void bytes_that_are_no_text(void **state)
{
    static const char bytes[] = {'a', 'b', (char)0xC3, ' ',       (char)0xFF,
                                 'c', 'd', (char)0xE2, (char)0x82};
    struct ss__buf lower = {0};
    struct ss_text word;
    size_t at = 0;
    (void)state;
    ss_describe_lower((struct ss_text){bytes, sizeof bytes}, &lower);
    const struct ss_text whole = {lower.data, lower.n_bytes};
    assert_true(ss_describe_next_word(whole, &at, &word));
    assert_memory_equal(word.data, "ab", 2);
    assert_true(ss_describe_next_word(whole, &at, &word));
    assert_memory_equal(word.data, "cd", 2);
    assert_false(ss_describe_next_word(whole, &at, &word));
    ss__buf_release(&lower);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_equal_the_reference),
        cmocka_unit_test(stop_words_are_known_by_hash),
        cmocka_unit_test(bytes_that_are_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
