/* Token ids against the reference library's: the oracle folders, and the published vectors for
 * the real vocabulary. Everything is read from outside the project and skipped where it is not.
 */
#include "base/buf.h"
#include "tokenizer_helpers.h"

static void test_oracle_folders(void **state)
{
    static const char *const names[] = {"tiny-mpnet",
                                        "tiny-bert-cls-normalize",
                                        "tiny-bert-last",
                                        "tiny-bert-max-dense",
                                        "tiny-bert-sqrtlen",
                                        "tiny-bert-weighted",
                                        "tiny-distilbert-cased",
                                        "tiny-roberta",
                                        "tiny-xlm-roberta"};
    enum { LIMIT = 128 }; /* what the oracle's models truncate to */
    (void)state;
    if (ss__path_stat(SS_TEST_SHARED "/oracle") != SS__PATH_FOLDER) {
        print_message("skipped: %s is not there\n", SS_TEST_SHARED "/oracle");
        skip();
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[1024];
        struct fixture fixture;
        snprintf(path, sizeof path, "%s/oracle/%s", SS_TEST_SHARED, names[i]);
        open_fixture(&fixture, path, NULL);
        snprintf(path, sizeof path, "%s/oracle/%s.expected/texts.json", SS_TEST_SHARED,
                 names[i]);
        struct ss__json *texts = need_json(path);
        snprintf(path, sizeof path, "%s/oracle/%s.expected/ids.json", SS_TEST_SHARED, names[i]);
        struct ss__json *ids = need_json(path);
        assert_true(ss__json_count(texts) > 0);
        assert_int_equal(ss__json_count(texts), ss__json_count(ids));
        for (size_t row = 0; row < ss__json_count(texts); row++) {
            if (!ids_equal(&fixture, ss__json_at(texts, row), ss__json_at(ids, row), LIMIT,
                           0)) {
                fail_msg("%s: other ids for text %zu", names[i], row);
            }
        }
        ss__json_free(texts);
        ss__json_free(ids);
        close_fixture(&fixture);
    }
}

/* Where the real vocabulary is: named by the environment, or in the user's cache. */
static bool find_real_model(char *path, size_t room)
{
    const char *named = getenv("SAESCOPE_MINILM"), *cache = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    if (named != NULL) {
        snprintf(path, room, "%s", named);
    } else if (cache != NULL) {
        snprintf(path, room, "%s/saescope/all-MiniLM-L6-v2", cache);
    } else {
        snprintf(path, room, "%s/.cache/saescope/all-MiniLM-L6-v2", home == NULL ? "" : home);
    }
    return ss__path_stat(path) == SS__PATH_FOLDER;
}

static void test_published_vectors(void **state)
{
    static const char vectors[] = SS_TEST_SHARED "/reference/encoders-vectors.jsonl";
    char path[1024];
    struct ss__buf text = {0};
    struct fixture fixture;
    size_t n_vectors = 0;
    (void)state;
    if (ss__path_stat(vectors) != SS__PATH_FILE || !find_real_model(path, sizeof path)) {
        print_message("skipped: needs %s and the all-MiniLM-L6-v2 folder "
                      "(SAESCOPE_MINILM)\n",
                      vectors);
        skip();
    }
    open_fixture(&fixture, path, NULL);
    assert_int_equal(ss__file_read(vectors, 1 << 24, &text, &fixture.err), SS_OK);
    for (char *line = text.data, *end = text.data + text.n_bytes; line < end;) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        next = next == NULL ? end : next;
        struct ss__json *vector = NULL;
        assert_int_equal(
            ss__json_parse(vectors, line, (size_t)(next - line), &vector, &fixture.err), SS_OK);
        if (ss__json_get(vector, "text") != NULL) {
            n_vectors++;
            if (!ids_equal(&fixture, ss__json_get(vector, "text"), ss__json_get(vector, "bert"),
                           0, 1)) {
                fail_msg("other ids for vector '%s'",
                         ss__json_string(ss__json_get(vector, "name")));
            }
        }
        ss__json_free(vector);
        line = next + 1;
    }
    assert_true(n_vectors >= 134);
    ss__buf_release(&text);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oracle_folders),
        cmocka_unit_test(test_published_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
