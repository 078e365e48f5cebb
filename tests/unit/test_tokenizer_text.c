/* Properties of tokenising: limits, batches, repeated use, invalid UTF-8, hostile lengths. */
#include "base/buf.h"
#include "tokenizer/tokenizer_priv.h"
#include "tokenizer_helpers.h"

#define DATA SS_TEST_DATA "/tokenizer/"

static const char sample[] =
    "The galaxy survey of sparse features, caf\u00e9 \u4e2d\u6587 [MASK]!";

/* A limit keeps the first pieces between begin and end. */
static void test_limit(void **state)
{
    struct fixture fixture;
    int32_t whole[256];
    (void)state;
    open_fixture(&fixture, DATA "uncased", NULL);
    tokenize(&fixture, sample, sizeof sample - 1, 0);
    const size_t n = ss_tokenizer_tokens_n_ids(&fixture.tokens);
    assert_in_range(n, 10, 256);
    memcpy(whole, fixture.tokens.ids, n * sizeof *whole);
    for (size_t limit = 1; limit < n + 3; limit++) {
        const size_t n_kept = limit < 2 ? 0 : ss__min_size(limit, n) - 2;
        tokenize(&fixture, sample, sizeof sample - 1, limit);
        assert_int_equal(ss_tokenizer_tokens_n_ids(&fixture.tokens), n_kept + 2);
        assert_memory_equal(fixture.tokens.ids, whole, (n_kept + 1) * sizeof *whole);
        assert_int_equal(fixture.tokens.ids[n_kept + 1], whole[n - 1]);
    }
    close_fixture(&fixture);
}

/* With the side "left" a limit keeps the last pieces. The caller's arguments hold over
 * tokenizer_config.json; null leaves an argument out. */
static void test_arguments(void **state)
{
    ss_err err;
    struct ss__json *arguments = NULL;
    struct fixture fixture;
    int32_t whole[256];
    (void)state;
    static const char json[] = "{\"truncation_side\":\"left\",\"model_max_length\":77,"
                               "\"mask_token\":\"galaxy\",\"tokenizer_class\":\"None\"}";
    must(ss__json_parse("arguments", json, sizeof json - 1, &arguments, &err), &err);
    const struct ss_tokenizer_options options = {.arguments = arguments};
    open_fixture(&fixture, DATA "uncased", &options);
    assert_int_equal(ss_tokenizer_max_length(fixture.tokenizer), 77);
    tokenize(&fixture, "galaxy", 6, 0);
    assert_int_equal(ss_tokenizer_specials(fixture.tokenizer).mask, fixture.tokens.ids[1]);
    tokenize(&fixture, sample, sizeof sample - 1, 0);
    const size_t n = ss_tokenizer_tokens_n_ids(&fixture.tokens);
    assert_in_range(n, 10, 256);
    memcpy(whole, fixture.tokens.ids, n * sizeof *whole);
    for (size_t limit = 2; limit < n + 3; limit++) {
        const size_t n_kept = ss__min_size(limit, n) - 2;
        tokenize(&fixture, sample, sizeof sample - 1, limit);
        assert_int_equal(ss_tokenizer_tokens_n_ids(&fixture.tokens), n_kept + 2);
        assert_int_equal(fixture.tokens.ids[0], whole[0]);
        assert_memory_equal(fixture.tokens.ids + 1, whole + n - 1 - n_kept,
                            (n_kept + 1) * sizeof *whole);
    }
    close_fixture(&fixture);
    ss__json_free(arguments);
}

/* Texts of a batch lie one behind the other and equal those made alone. */
static void test_batch(void **state)
{
    static const char *const texts[] = {"the model", "", "galaxy galaxy", sample, "\u00e9"};
    struct fixture fixture, alone;
    (void)state;
    open_fixture(&fixture, DATA "uncased", NULL);
    open_fixture(&alone, DATA "uncased", NULL);
    for (size_t i = 0; i < 5; i++) {
        const struct ss_text text = {texts[i], strlen(texts[i])};
        must(ss_tokenizer_tokenize(fixture.tokenizer, fixture.scratch, text, 9, &fixture.tokens,
                                   &fixture.err),
             &fixture.err);
    }
    assert_int_equal(fixture.tokens.n_texts, 5);
    for (size_t i = 0; i < 5; i++) {
        const size_t start = fixture.tokens.offsets[i];
        const size_t n = fixture.tokens.offsets[i + 1] - start;
        tokenize(&alone, texts[i], strlen(texts[i]), 9);
        assert_int_equal(ss_tokenizer_tokens_n_ids(&alone.tokens), n);
        assert_memory_equal(alone.tokens.ids, fixture.tokens.ids + start,
                            n * sizeof *alone.tokens.ids);
    }
    close_fixture(&fixture);
    close_fixture(&alone);
}

/* One scratch serves different tokenizers in turn: remembered words do not leak. */
static void test_shared_scratch(void **state)
{
    struct fixture a, b;
    (void)state;
    open_fixture(&a, DATA "uncased", NULL);
    open_fixture(&b, DATA "cased-vocab-txt", NULL);
    tokenize(&b, sample, sizeof sample - 1, 0);
    struct ss_tokenizer_tokens mixed = {0};
    for (size_t i = 0; i < 3; i++) {
        tokenize(&a, sample, sizeof sample - 1, 0);
        ss_tokenizer_tokens_reset(&mixed);
        must(ss_tokenizer_tokenize(b.tokenizer, a.scratch,
                                   (struct ss_text){sample, sizeof sample - 1}, 0, &mixed,
                                   &b.err),
             &b.err);
        assert_int_equal(ss_tokenizer_tokens_n_ids(&mixed),
                         ss_tokenizer_tokens_n_ids(&b.tokens));
        assert_memory_equal(mixed.ids, b.tokens.ids,
                            ss_tokenizer_tokens_n_ids(&mixed) * sizeof *mixed.ids);
    }
    ss_tokenizer_tokens_release(&mixed);
    close_fixture(&a);
    close_fixture(&b);
}

/* Invalid bytes are read as U+FFFD, which cleaning removes: the neighbours join. */
static void test_invalid_utf8(void **state)
{
    static const char *const broken[] = {"gal\xFF"
                                         "axy",
                                         "gal\xE4\xB8"
                                         "axy",
                                         "gal\xC0\x80"
                                         "axy",
                                         "gal\xED\xA0\x80"
                                         "axy",
                                         "galaxy\xF0\x9F\x98",
                                         "\x80galaxy"};
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture, DATA "uncased", NULL);
    tokenize(&fixture, "galaxy", 6, 0);
    assert_int_equal(ss_tokenizer_tokens_n_ids(&fixture.tokens), 3);
    const int32_t galaxy = fixture.tokens.ids[1];
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        tokenize(&fixture, broken[i], strlen(broken[i]), 0);
        assert_int_equal(ss_tokenizer_tokens_n_ids(&fixture.tokens), 3);
        assert_int_equal(fixture.tokens.ids[1], galaxy);
    }
    close_fixture(&fixture);
}

/* A megabyte of one thing: linear time, and the ids that a short one has. */
static void test_long_runs(void **state)
{
    static const struct {
        const char *unit;
        size_t n_ids; /* with begin and end */
    } runs[] = {
        {"a", 3},      /* one unknown word */
        {"\u0301", 2}, /* marks, all removed */
        {"\u0323\u0301", 2},
        {"\u1df6", 3}, /* a mark that is kept */
        {" ", 2},
        {"\x01", 2},
        {"\u4e2d", 100002},
        {".", 100002},
        {"[", 100002},
        {"[MASK]", 100002},
    };
    enum { REPEATS = 100000 };
    struct fixture fixture;
    (void)state;
    open_fixture(&fixture, DATA "uncased", NULL);
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        struct ss__buf text = {0};
        for (size_t j = 0; j < REPEATS; j++) {
            ss__buf_add_text(&text, runs[i].unit);
        }
        tokenize(&fixture, text.data, text.n_bytes, 0);
        assert_int_equal(ss_tokenizer_tokens_n_ids(&fixture.tokens), runs[i].n_ids);
        tokenize(&fixture, text.data, text.n_bytes, 5);
        assert_int_equal(ss_tokenizer_tokens_n_ids(&fixture.tokens),
                         ss__min_size(runs[i].n_ids, 5));
        ss__buf_release(&text);
    }
    close_fixture(&fixture);
}

/* A vocabulary may have the empty text, and have it first. */
static void test_empty_token(void **state)
{
    struct ss_tokenizer_vocab vocab = {0};
    size_t n_bytes = 1;
    (void)state;
    assert_int_equal(ss_tokenizer_vocab_add(&vocab, "", 0, 0, NULL), SS_OK);
    assert_non_null(ss_tokenizer_vocab_text(&vocab, 0, &n_bytes));
    assert_int_equal(n_bytes, 0);
    ss_tokenizer_vocab_release(&vocab);
}

/* A random text of characters that cuts depend on, often the same several times. */
static size_t random_text(uint32_t *state, char *text, size_t n)
{
    enum { N_BEYOND = 12 };
    static const char *const parts[] = {
        "a",      "Zq",     "7",      " ",      "'",      "s",      "re",
        "ll",     "\n",     "\t",     "\r",     "\v",     "\x1c",   "\x7f",
        ".",      "@[`{/:", "\u00e9", "\u00a0", "\u0663", "\u4e2d", "\u0301",
        "\u0323", "\u200d", "\u0600", "\u1100", "\u1161", "\ufb01", "\u2581"};
    const size_t n_parts = sizeof parts / sizeof parts[0];
    size_t at = 0, part = 0;
    for (*state = *state * 1664525U + 1013904223U; at + 6 < n;) {
        *state = *state * 1664525U + 1013904223U;
        const bool is_plain = n % 3 > 0; /* most texts are ASCII */
        part = *state >> 30 == 0 ? part
                                 : (*state >> 8) % (is_plain ? n_parts - N_BEYOND : n_parts);
        memcpy(text + at, parts[part], strlen(parts[part]));
        at += strlen(parts[part]);
    }
    return at;
}

/* Cuts that are found 64 bytes at a time are those of the finder, wherever they begin. */
static void test_cuts(void **state)
{
    enum { ROOM = 160, N_TEXTS = 40000 };
    const struct ss_tokenizer_splitter splitter = {.find = ss_tokenizer_find_gpt2};
    char data[ROOM + SS_TOKENIZER_BLOCK_BYTES];
    uint32_t random = 1;
    size_t n_cuts = 0;
    (void)state;
    for (size_t i = 0; i < N_TEXTS; i++) {
        memset(data, "a'\xff"[i % 4], sizeof data); /* what stands behind does not count */
        const struct ss_text text = {data, random_text(&random, data, 8 + i % (ROOM - 8))};
        for (size_t at = 0, block = 0; at < text.n_bytes; block = at) {
            uint64_t cuts = ss_tokenizer_cut_gpt2(&text, block);
            size_t start = 0, stop = 0;
            do {
                assert_true(splitter.find(&splitter, &text, at, &start, &stop));
                if (cuts != 0) {
                    assert_int_equal(block + ss_tokenizer_lowest_bit(cuts), stop);
                    n_cuts++;
                }
                at = stop;
                cuts &= cuts - 1;
            } while (cuts != 0);
        }
    }
    assert_in_range(n_cuts, 100000, 10000000);
}

/* A text that is normalised in parts becomes what it becomes as a whole. */
static void test_parts(void **state)
{
    enum { ROOM = 160, N_TEXTS = 4000 };
    static const char *const folders[] = {"bpe-bytes-nfc", "bpe-fused",   "uncased",
                                          "unigram-map",   "xlm-roberta", "unigram-meta",
                                          "unigram-never", "bpe-unknown"};
    char data[ROOM + SS_TOKENIZER_BLOCK_BYTES] = {0};
    uint32_t random = 2;
    (void)state;
    for (size_t f = 0; f < sizeof folders / sizeof folders[0]; f++) {
        struct fixture fixture;
        struct ss_tokenizer_normal_scratch scratch = {0};
        struct ss__buf parts = {0}, whole = {0}, path = {0};
        ss__buf_printf(&path, "%s%s", DATA, folders[f]);
        open_fixture(&fixture, ss__buf_text(&path), NULL);
        const struct ss_tokenizer_normalizer *normalizer = &fixture.tokenizer->normalizer;
        assert_false(normalizer->has_context);
        for (size_t i = 0; i < N_TEXTS; i++) {
            const size_t n = random_text(&random, data, 8 + i % (ROOM - 8));
            parts.n_bytes = whole.n_bytes = 0;
            must(ss_tokenizer_normalize(normalizer, &scratch, data, n, &parts, NULL), NULL);
            const size_t n_start = scratch.n_start_bytes;
            must(ss_tokenizer_normalize_whole(normalizer, &scratch, data, n, &whole, NULL),
                 NULL);
            assert_int_equal(parts.n_bytes, whole.n_bytes);
            assert_memory_equal(parts.data, whole.data, whole.n_bytes);
            assert_true(n == 0 || n_start == scratch.n_start_bytes);
        }
        ss_tokenizer_normal_scratch_release(&scratch);
        ss__buf_release(&parts);
        ss__buf_release(&whole);
        ss__buf_release(&path);
        close_fixture(&fixture);
    }
}

/* Few symbols are merged as many are. */
static void test_merging(void **state)
{
    enum { N_WORDS = 20000 };
    struct fixture fixture;
    uint32_t random = 3;
    size_t n_merged = 0;
    (void)state;
    open_fixture(&fixture, DATA "bpe-bytes", NULL);
    const struct ss_tokenizer_bpe *bpe = &fixture.tokenizer->bpe;
    struct ss_tokenizer_token_scratch *scratch = fixture.scratch;
    struct ss_tokenizer_symbol symbols[SS_TOKENIZER_BPE_FEW];
    scratch->symbols = symbols;
    for (size_t i = 0; i < N_WORDS; i++) {
        int32_t few[SS_TOKENIZER_BPE_FEW];
        const size_t n = 1 + i % SS_TOKENIZER_BPE_FEW;
        for (size_t at = 0; at < n; at++) {
            random = random * 1664525U + 1013904223U;
            few[at] = bpe->byte_ids[(uint8_t) "etaoinshrl the and"[(random >> 16) % 18]];
            symbols[at] =
                (struct ss_tokenizer_symbol){few[at], (uint32_t)at - 1, (uint32_t)at + 1};
        }
        must(ss_tokenizer_bpe_merge(bpe, scratch, n, NULL), NULL);
        const size_t n_few = ss_tokenizer_bpe_merge_few(bpe, few, n);
        size_t n_many = 0;
        for (uint32_t at = 0; at != SS_TOKENIZER_NO_SYMBOL; at = symbols[at].next) {
            assert_true(n_many < n_few);
            assert_int_equal(symbols[at].id, few[n_many++]);
        }
        assert_int_equal(n_many, n_few);
        n_merged += n - n_few;
    }
    scratch->symbols = NULL;
    assert_in_range(n_merged, N_WORDS, 100 * N_WORDS);
    close_fixture(&fixture);
}

/* A long word of letters with marks goes through all buffers of the normaliser, which count. */
static void test_scratch_counts_its_buffers(void **state)
{
    (void)state;
    enum { N = 40000 };
    static char text[3 * N];
    struct fixture fixture;
    open_fixture(&fixture, DATA "uncased", NULL);
    for (size_t i = 0; i < N; i++) {
        memcpy(text + 3 * i, "e\xCC\x81", 3); /* e, U+0301 */
    }
    const size_t before = ss_tokenizer_token_scratch_bytes(fixture.scratch);
    tokenize(&fixture, text, sizeof text, 0);
    const size_t grown = ss_tokenizer_token_scratch_bytes(fixture.scratch) - before;
    const struct ss_tokenizer_normal_scratch *normal = &fixture.scratch->normal;
    const size_t n_points =
        normal->points.capacity + normal->other.capacity + normal->marks.capacity;
    assert_true(normal->other.capacity >= N);
    assert_true(grown >= n_points * sizeof(uint32_t));
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_shared_scratch),
        cmocka_unit_test(test_invalid_utf8),
        cmocka_unit_test(test_long_runs),
        cmocka_unit_test(test_empty_token),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_scratch_counts_its_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
