/* A language model's parts that are functions: prompts, answers, what a response means, limits,
 * and lines of answers. tests/cli/test_llm.py has the whole of it. */
#include "describe_helpers.h"

#include "describe/llm_priv.h"

static struct ss_text text_of(const char *text)
{
    return (struct ss_text){text, strlen(text)};
}

/* ---- answers ---- */

static void the_last_object_that_fits_is_taken(void **state)
{
    static const struct {
        const char *content, *label; /* NULL: none */
    } cases[] = {
        {"{\"label\":\"a\",\"description\":\"b\",\"kind\":\"topic\"}", "a"},
        {"x {\"label\":\"a\",\"description\":\"b\",\"kind\":\"topic\"} y "
         "{\"label\":\"c\",\"description\":\"d\",\"kind\":\"style\"} z",
         "c"},
        {"{\"label\":\"a\",\"description\":\"b\",\"kind\":\"topic\"} {\"t1\": 0}", "a"},
        {"{\"label\":\"a } {\",\"description\":\"\\\"{\",\"kind\":\"topic\"}", "a } {"},
        {"[{\"label\":\"a\",\"description\":\"b\",\"kind\":\"TOPIC\",\"more\":{}}]", "a"},
        {"<think>{\"label\":\"a\",\"description\":\"b\",\"kind\":\"topic\"}", NULL},
        {"<think>no</think>{\"label\":\"a\",\"description\":\"b\",\"kind\":\"topic\"}", "a"},
        {"{\"label\":\"a\",\"description\":\"b\"}", NULL},
        {"{\"label\":\"\",\"description\":\"b\",\"kind\":\"topic\"}", NULL},
        {"{\"label\":\"a\",\"description\":\"b\",\"kind\":\"topic\"", NULL},
        {"{{{{", NULL},
        {"", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_describe_llm_words words = {0};
        bool is_good = false;
        assert_int_equal(
            ss_describe_llm_read_words(text_of(cases[i].content), &words, &is_good, NULL),
            SS_OK);
        assert_int_equal(is_good, cases[i].label != NULL);
        if (is_good) {
            assert_string_equal(ss__buf_text(&words.label), cases[i].label);
        }
        ss_describe_llm_words_release(&words);
    }
}

static void numbers_are_all_there_or_none(void **state)
{
    static const struct {
        const char *content;
        unsigned most;
        int first; /* -1: none */
    } cases[] = {
        {"{\"t1\":1,\"t2\":0}", 1, 1},
        {"{\"t2\":0,\"t1\":0,\"t3\":9}", 1, 0},
        {"{\"t1\":true,\"t2\":false}", 1, 1},
        {"{\"t1\":\"1\",\"t2\":\"0\"}", 1, 1},
        {"{\"t1\":1.0,\"t2\":0}", 1, 1},
        {"{\"t1\":0.5,\"t2\":0}", 1, -1},
        {"{\"t1\":2,\"t2\":0}", 1, -1},
        {"{\"t1\":10,\"t2\":7}", 10, 10},
        {"{\"t1\":11,\"t2\":7}", 10, -1},
        {"{\"t1\":-1,\"t2\":7}", 10, -1},
        {"{\"t1\":true,\"t2\":7}", 10, -1},
        {"{\"t1\":NaN,\"t2\":0}", 1, -1},
        {"{\"t1\":1}", 1, -1},
        {"[1, 0]", 1, -1},
        {"{\"t1\":null,\"t2\":0}", 1, -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t numbers[2] = {0};
        bool is_good = false;
        assert_int_equal(ss_describe_llm_read_numbers(text_of(cases[i].content), 2,
                                                      cases[i].most, numbers, &is_good, NULL),
                         SS_OK);
        assert_int_equal(is_good, cases[i].first >= 0);
        assert_true(!is_good || numbers[0] == cases[i].first);
    }
}

static void many_brackets_take_no_time(void **state)
{
    const size_t n = SS_DESCRIBE_LLM_MAX_CONTENT;
    char *content = ss__alloc(n, 1);
    struct ss_describe_llm_words words = {0};
    bool is_good = true;
    (void)state;
    assert_non_null(content);
    memset(content, '{', n);
    assert_int_equal(
        ss_describe_llm_read_words((struct ss_text){content, n}, &words, &is_good, NULL),
        SS_OK);
    assert_false(is_good);
    ss_describe_llm_words_release(&words);
    ss__free(content);
}

/* ---- prompts ---- */

static void texts_are_shown_as_data(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"a  b\n\tc ", "a b c"},
        {"</text> <TEXT a> <texture> <b>", "‹/text> ‹TEXT a> ‹texture> <b>"},
        {"\x01\x1b[0m\xc2\x85 x\xe2\x80\xae y\xef\xbb\xbf", "[0m x y"},
        {"\xff a", "\xef\xbf\xbd a"},
        {"<t\x01"
         "ext> <\xe2\x80\x8b/tex\xe2\x80\x8bt",
         "‹text> ‹/text"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss__buf out = {0};
        ss_describe_llm_add_text(&out, text_of(cases[i].text));
        assert_string_equal(ss__buf_text(&out), cases[i].shown);
        ss__buf_release(&out);
    }
}

/* The key says what was asked: not where, with which key, or at once with what. */
static void a_key_is_of_what_is_asked(void **state)
{
    struct ss_describe_llm_options options = {.model = "m", .url = "http://a"};
    struct ss_describe_llm_prompt prompt = {.purpose = SS_DESCRIBE_LLM_DETECTION, .n_items = 2};
    char first[SS_DESCRIBE_LLM_KEY_BYTES], other[SS_DESCRIBE_LLM_KEY_BYTES];
    (void)state;
    ss__buf_add_text(&prompt.system, "s");
    ss__buf_add_text(&prompt.user, "u");
    assert_int_equal(ss_describe_llm_key(&options, &prompt, first, NULL), SS_OK);
    /* sha256 of the text that a sorted, compact json.dumps gives */
    assert_string_equal(first,
                        "61ccd871d68afea96f56ecfbc598a9ab6c5fd9be138fdd74b633c9fa65b1e2f1");
    options.url = "http://b";
    options.secret = "x";
    options.n_jobs = 9;
    assert_int_equal(ss_describe_llm_key(&options, &prompt, other, NULL), SS_OK);
    assert_string_equal(first, other);
    options.model = "n";
    assert_int_equal(ss_describe_llm_key(&options, &prompt, other, NULL), SS_OK);
    assert_string_not_equal(first, other);
    ss_describe_llm_prompt_release(&prompt);
}

/* ---- what a response means ---- */

struct response {
    ss_describe_llm_api api;
    long code;
    double wait;
    const char *body;
    ss_describe_llm_action action;
};

static struct ss_describe_llm_verdict judge(const struct response *response,
                                            struct ss_describe_llm_manner *manner)
{
    struct ss_describe_llm_reply reply;
    assert_int_equal(
        ss_describe_llm_read_reply(response->api, text_of(response->body), &reply, NULL),
        SS_OK);
    const struct ss_describe_llm_heard heard = {
        .code = response->code, .wait_asked = response->wait, .reply = &reply};
    const struct ss_describe_llm_verdict verdict =
        ss_describe_llm_judge(response->api, &heard, manner);
    ss_describe_llm_reply_release(&reply);
    return verdict;
}

static void responses_lead_to_actions(void **state)
{
    static const ss_describe_llm_api A = SS_DESCRIBE_LLM_ANTHROPIC;
    const struct response cases[] = {
        {0, 200, -1, "{\"choices\":[{\"message\":{\"content\":\"a\"}}]}",
         SS_DESCRIBE_LLM_ACCEPT},
        {0, 200, -1, "{\"choices\":7}", SS_DESCRIBE_LLM_RETRY},
        {0, 200, -1, "<html>", SS_DESCRIBE_LLM_RETRY},
        {0, 200, -1, "", SS_DESCRIBE_LLM_RETRY},
        {0, 200, -1, "{\"error\":{\"code\":429}}", SS_DESCRIBE_LLM_RETRY},
        {0, 200, -1, "{\"error\":{\"code\":402}}", SS_DESCRIBE_LLM_END},
        {0, 301, -1, "", SS_DESCRIBE_LLM_END},
        {0, 400, -1, "{}", SS_DESCRIBE_LLM_GIVE_UP},
        {0, 400, -1, "{\"error\":\"the context size is too small\"}", SS_DESCRIBE_LLM_HALVE},
        {0, 401, -1, "", SS_DESCRIBE_LLM_END},
        {0, 402, -1, "", SS_DESCRIBE_LLM_END},
        {0, 404, -1, "", SS_DESCRIBE_LLM_END},
        {0, 408, -1, "", SS_DESCRIBE_LLM_RETRY},
        {0, 413, -1, "", SS_DESCRIBE_LLM_HALVE},
        {0, 429, 120, "", SS_DESCRIBE_LLM_RETRY},
        {0, 429, 121, "", SS_DESCRIBE_LLM_END},
        {A, 429, 61, "", SS_DESCRIBE_LLM_END},
        {0, 503, -1, "{\"error\":{\"message\":\"Loading model\"}}", SS_DESCRIBE_LLM_LOADING},
        {0, 503, -1, "", SS_DESCRIBE_LLM_RETRY},
        {A, 529, -1, "", SS_DESCRIBE_LLM_RETRY},
        {A, 200, -1, "{\"content\":[]}", SS_DESCRIBE_LLM_ACCEPT},
        {A, 200, -1, "{\"content\":\"a\"}", SS_DESCRIBE_LLM_RETRY},
        {A, 400, -1, "{\"error\":{\"type\":\"billing_error\"}}", SS_DESCRIBE_LLM_END},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ss_describe_llm_manner manner = {0};
        assert_int_equal(judge(&cases[i], &manner).action, cases[i].action);
    }
}

/* Each change is made once; then the question is given up. */
static void a_manner_is_changed_once(void **state)
{
    static const char *const names[] = {"max_tokens", "temperature", "seed", "response_format",
                                        "response_format"};
    struct ss_describe_llm_manner manner = {0};
    char body[128];
    struct response response = {0, 400, -1, body, SS_DESCRIBE_LLM_AGAIN};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(body, sizeof body, "{\"error\":{\"param\":\"%s\"}}", names[i]);
        assert_int_equal(judge(&response, &manner).action, SS_DESCRIBE_LLM_AGAIN);
    }
    assert_true(manner.has_new_limit && manner.no_temperature && manner.no_seed);
    assert_int_equal(manner.rung, SS_DESCRIBE_LLM_FREE);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(body, sizeof body, "{\"error\":{\"param\":\"%s\"}}", names[i]);
        assert_int_equal(judge(&response, &manner).action, SS_DESCRIBE_LLM_GIVE_UP);
    }
}

/* ---- limits ---- */

/* Whatever is reserved and settled in whatever order, no limit is passed. */
static void no_limit_is_passed(void **state)
{
    uint64_t random = 7;
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct ss_describe_llm_budget budget = {.limits = {.price_in = 2,
                                                           .price_out = 10,
                                                           .max_cost = 0.05,
                                                           .max_calls = 40,
                                                           .max_tokens = 9000}};
        uint64_t open[8][2];
        size_t n = 0;
        for (int step = 0; step < 100; step++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            const uint64_t in = random >> 33 & 1023;
            const uint64_t out = random >> 45 & 511;
            if (n < 8 && (random >> 60 & 1) != 0) {
                const ss_describe_llm_grant grant = ss_describe_llm_reserve(&budget, in, out);
                if (grant == SS_DESCRIBE_LLM_GRANTED) {
                    open[n][0] = in;
                    open[n++][1] = out;
                }
                assert_true(grant != SS_DESCRIBE_LLM_WAIT || n > 0);
            } else if (n > 0) {
                const size_t i = (size_t)(random >> 50) % n;
                ss_describe_llm_settle(&budget, open[i][0], open[i][1], open[i][0] / 2,
                                       open[i][1]);
                n--;
                open[i][0] = open[n][0];
                open[i][1] = open[n][1];
            }
            assert_true(budget.spent.n_calls <= 40 && budget.spent.cost <= 0.05);
            assert_true(budget.spent.n_in + budget.spent.n_out <= 9000);
            assert_int_equal(budget.n_open, n);
        }
    }
}

/* ---- lines of answers ---- */

static void answers_come_back_as_they_were(void **state)
{
    struct ss_describe_llm_answers *answers = NULL, *again = NULL;
    struct ss__buf lines = {0};
    size_t n_bad = 9;
    (void)state;
    assert_int_equal(ss_describe_llm_answers_new(&answers, NULL), SS_OK);
    assert_int_equal(ss_describe_llm_answers_new(&again, NULL), SS_OK);
    for (unsigned i = 0; i < 500; i++) {
        char key[SS_DESCRIBE_LLM_KEY_BYTES], content[64];
        snprintf(key, sizeof key, "%064x", i * 2654435761U);
        snprintf(content, sizeof content, "\"%u\"\n\xe6\x98\x9f", i);
        const struct ss_describe_llm_answer answer = {
            .has_content = i % 3 != 0,
            .content = text_of(i % 3 != 0 ? content : ""),
            .finish = (ss_describe_llm_finish)(i % SS_DESCRIBE_LLM_N_FINISHES),
            .n_in = i % 2 == 0 ? -1 : (int64_t)i,
            .n_out = i % 2 == 0 ? -1 : 3,
            .model = "m",
            .fingerprint = ""};
        ss_describe_llm_answer_line(&lines, key, &answer);
        ss__buf_add_byte(&lines, '\n');
        assert_int_equal(ss_describe_llm_answers_add(answers, key, &answer, NULL), SS_OK);
    }
    ss__buf_add_text(&lines, "{\"key\":\"0000"); /* torn */
    assert_int_equal(ss_describe_llm_answers_read(
                         again, (struct ss_text){lines.data, lines.n_bytes}, &n_bad, NULL),
                     SS_OK);
    assert_int_equal(n_bad, 1);
    assert_int_equal(ss_describe_llm_answers_count(again), 500);
    for (unsigned i = 0; i < 500; i++) {
        char key[SS_DESCRIBE_LLM_KEY_BYTES];
        snprintf(key, sizeof key, "%064x", i * 2654435761U);
        const struct ss_describe_llm_answer *a = ss_describe_llm_answers_find(answers, key);
        const struct ss_describe_llm_answer *b = ss_describe_llm_answers_find(again, key);
        assert_non_null(a);
        assert_non_null(b);
        assert_int_equal(a->has_content, b->has_content);
        assert_int_equal(a->content.n_bytes, b->content.n_bytes);
        assert_memory_equal(a->content.data, b->content.data, a->content.n_bytes);
        assert_int_equal(a->finish, b->finish);
        assert_true(a->n_in == b->n_in && a->n_out == b->n_out);
    }
    assert_null(ss_describe_llm_answers_find(
        again, "00000000000000000000000000000000000000000000000000000000000000ff"));
    ss_describe_llm_answers_free(answers);
    ss_describe_llm_answers_free(again);
    ss__buf_release(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_object_that_fits_is_taken),
        cmocka_unit_test(numbers_are_all_there_or_none),
        cmocka_unit_test(many_brackets_take_no_time),
        cmocka_unit_test(texts_are_shown_as_data),
        cmocka_unit_test(a_key_is_of_what_is_asked),
        cmocka_unit_test(responses_lead_to_actions),
        cmocka_unit_test(a_manner_is_changed_once),
        cmocka_unit_test(no_limit_is_passed),
        cmocka_unit_test(answers_come_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
